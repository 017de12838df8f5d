"""An intent to one that can be played: references become values, what is missing is asked."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from podium.domain.conversation import Conversation, Option
from podium.domain.intent import Intent
from podium.intents.context import wording
from podium.intents.context.kinds import NUMBER, TEXT, kind_of_param
from podium.intents.context.moves import Draft, Ready, Unclear
from podium.intents.context.references import PLACE, Reference, read_reference
from podium.intents.context.referents import Found, Referent, find, options_label, target_of

MAX_OPTIONS = 50  # of a choice


def prepare(
    draft: Draft,
    conversation: Conversation,
    schema: Mapping[str, Any],
    language: str,
    known: Mapping[str, Any] | None = None,
) -> Ready | Unclear:
    """Return the intent ready to be played, or what has to be asked first.

    `known` are params that the pattern takes from the conversation where the request said none;
    they come before the pattern's own defaults.
    """
    params = {**draft.intent.params, **(known or {})}
    intent, text = replace(draft.intent, params=params), draft.text
    told = {
        name: value
        for name, value in params.items()
        if isinstance(value, str) and value not in _allowed(_property(schema, name))
    }
    read = {name: read_reference(value) for name, value in told.items()}
    references = {name: each for name, each in read.items() if each is not None}
    for name, reference in {**references, **draft.references}.items():
        part = _property(schema, name)
        found = find(reference, target_of(name, part, intent.type), conversation)
        if not found.referents and _may_be_literal(name, reference, draft, intent, part):
            continue
        value = _value(found, part)
        if value is None:
            # The words of a reference are no value: until it is answered there is none.
            rest = {key: other for key, other in intent.params.items() if key != name}
            open_intent = replace(intent, params=rest)
            if found.referents:
                return _choice(name, found.referents, open_intent, text, part, language)
            return ask_param(
                name, open_intent, text.replace(PLACE, reference.words), part, language
            )
        text = _said(text, value, told.get(name))
        intent = replace(intent, params={**intent.params, name: value})
    for name in (*draft.needed, *required(schema)):
        if name not in intent.params:
            return ask_param(name, intent, text, _property(schema, name), language)
    return Ready(intent, text)


def required(schema: Mapping[str, Any]) -> list[str]:
    """Return the params that a schema asks for and gives no default, in its order."""
    names = schema.get("required")
    properties = schema.get("properties")
    known = properties if isinstance(properties, Mapping) else {}
    return [
        name
        for name in (names if isinstance(names, list) else ())
        if isinstance(name, str)
        and not (isinstance(known.get(name), Mapping) and "default" in known[name])
    ]


def _property(schema: Mapping[str, Any], name: str) -> dict[str, Any]:
    properties = schema.get("properties")
    part = properties.get(name) if isinstance(properties, Mapping) else None
    return dict(part) if isinstance(part, Mapping) else {}


def _allowed(part: Mapping[str, Any]) -> list[Any]:
    allowed = part.get("enum")
    return allowed if isinstance(allowed, list) else []


def _may_be_literal(
    name: str, reference: Reference, draft: Draft, intent: Intent, part: Mapping[str, Any]
) -> bool:
    """Return whether what looks like a reference may just be what was said."""
    if name in draft.references:
        return False
    kind = kind_of_param(name, part, intent.type)
    return reference.is_weak or kind in (TEXT, NUMBER, "date", "time")


def _value(found: Found, part: Mapping[str, Any]) -> Any:
    """Return the value that a param gets, or None if that is not clear."""
    values = [referent.value for referent in found.referents]
    if len(values) == 1:
        return [values[0]] if _is_list(part) and found.is_group else values[0]
    if found.is_group and values and (_is_list(part) or not part.get("type")):
        return values
    return None


def _is_list(part: Mapping[str, Any]) -> bool:
    types = part.get("type")
    return types == "array" or (isinstance(types, list) and "array" in types)


def _said(text: str, value: Any, words: str | None) -> str:
    """Return the request with the value in the place of the reference, if that place is clear."""
    if isinstance(value, list):
        return text
    if PLACE in text:
        return text.replace(PLACE, str(value))
    if words and text.count(words) == 1:
        return text.replace(words, str(value))
    return text


def _choice(
    name: str,
    referents: tuple[Referent, ...],
    intent: Intent,
    text: str,
    part: Mapping[str, Any],
    language: str,
) -> Unclear:
    labels = _distinct_labels(referents)
    options = tuple(
        Option(label=label, value=referent.value)
        for label, referent in zip(labels, referents, strict=True)
    )[:MAX_OPTIONS]
    kind = kind_of_param(name, part, intent.type)
    lead = wording.which_param(name, kind, {}, language)
    return Unclear(
        id=name,
        kind="choice",
        message=wording.choice(lead, options, language),
        schema={"type": "string", "enum": [option.label for option in options]},
        intent=intent,
        param=name,
        options=options,
        text=text,
    )


def _distinct_labels(referents: tuple[Referent, ...]) -> list[str]:
    names = [referent.label for referent in referents]
    return [
        referent.label if names.count(referent.label) == 1 else options_label(referent)
        for referent in referents
    ]


def ask_param(
    name: str, intent: Intent, text: str, part: Mapping[str, Any], language: str
) -> Unclear:
    """Return the question for a param."""
    kind = kind_of_param(name, part, intent.type)
    return Unclear(
        id=name,
        kind="param",
        message=wording.which_param(name, kind, part, language),
        schema=dict(part),
        intent=intent,
        param=name,
        text=text,
    )
