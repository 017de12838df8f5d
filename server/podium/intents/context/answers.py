"""A message to the answer that it gives to a question, or to the wish to drop it."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from podium.domain.conversation import Option, PendingQuestion
from podium.domain.errors import Fault
from podium.intents.context.kinds import NOUN_PATTERN, NOUNS, TEXT, fits
from podium.intents.context.references import bare, read_reference
from podium.intents.context.repetition import shape_of
from podium.mapping.coercion import coerce_arguments, schema_faults
from podium.text.folding import fold, fold_text
from podium.text.values import NOT_A_VALUE, TYPES

NO_ANSWER: Any = type("NoAnswer", (), {"__repr__": lambda _: "NO_ANSWER"})()
"""What a message is that answers nothing."""

_YES = frozenset(
    {
        "oui", "ouais", "o", "yes", "y", "yeah", "yep", "ok", "okay", "d'accord", "dac", "vas-y",
        "go", "confirme", "confirm", "valide", "valider", "sure", "certainement", "absolument",
        "parfait", "correct", "exact", "exactement", "bien sur", "c'est ca", "of course",
        "go ahead", "do it", "fais-le", "je confirme", "please do", "that's right", "c'est bon",
        "yes please", "oui merci", "oui vas-y",
    }
)  # fmt: skip
_NO = frozenset(
    {
        "non", "no", "n", "nope", "nan", "negatif", "jamais", "surtout pas", "pas du tout",
        "don't", "do not", "please don't", "ne le fais pas",
    }
)  # fmt: skip
_DROP = frozenset(
    {
        "annule", "annuler", "annulez", "annule ca", "annule tout", "abandonne", "abandonner",
        "laisse tomber", "laissez tomber", "laisse", "oublie", "oublie ca", "tant pis",
        "non merci", "rien", "aucun", "aucune", "aucun des deux", "cancel", "cancel it",
        "cancel that", "stop", "abort", "never mind", "nevermind", "forget it", "forget that",
        "no thanks", "no thank you", "none", "none of them", "neither",
    }
)  # fmt: skip
_LEAD = re.compile(
    r"(?:c'est|ce sera|disons|plutot|je (?:veux|prends|choisis)|prends|it's|it is|make it|"
    r"let's say|use|take|i (?:want|choose|take))\s+"
)
_PREPOSITION = re.compile(r"(?:dans|pour|avec|sur|chez|in|for|with|at)\s+")
_NOUN = re.compile(rf"(?:(?:le|la|l'|the)\s*)?\b(?P<noun>{NOUN_PATTERN})\s+(?P<name>\S.*)")
_NOT_KNOWN = frozenset(
    {
        "je ne sais pas", "je sais pas", "j'sais pas", "aucune idee", "je ne sais plus", "euh",
        "hmm", "hein", "quoi", "pardon", "pas sur", "pas encore", "peu importe", "n'importe",
        "n'importe lequel", "n'importe laquelle", "attends", "i don't know", "i do not know",
        "don't know", "dunno", "no idea", "not sure", "i'm not sure", "whatever", "any",
        "any of them", "uh", "um", "what", "sorry", "wait", "hold on",
    }
)  # fmt: skip
# "the one in docs" says something about a thing, but is not its name.
_DESCRIBED = re.compile(r"(?:celui|celle|ceux|celles|the ones?|un|une|one)\s+(?!\d)\w.*")
_NAMED_KINDS = frozenset({"file", "folder", "path", "city", "branch", "repository", "person"})
_QUOTES = {'"': '"', "“": "”", "«": "»", "'": "'"}


def drops(text: str) -> bool:
    """Return whether a message takes the request back that the question is about."""
    return _plain(text) in _DROP


def _plain(text: str) -> str:
    folded = fold_text(text[:200]).strip()
    words = " ".join(folded[slice(*bare(folded))].split())
    return words or folded


def read_confirm(text: str) -> Any:
    """Return True, False, or NO_ANSWER."""
    words = " ".join(_plain(text).replace(",", " ").split())
    if words in _YES:
        return True
    return False if words in _NO else NO_ANSWER


def read_choice(text: str, options: Sequence[Option]) -> Any:
    """Return the option that a message names, or NO_ANSWER.

    By its label, its number or place, or a part of one label only.
    """
    words = _plain(text)
    lead = match.end() if (match := _LEAD.match(words)) else 0
    said = words[lead:].strip("\"' ")
    labels = [fold_text(" ".join(option.label.split())) for option in options]
    values = [fold_text(str(option.value)) for option in options]
    for known in (labels, values):
        same = [option for option, label in zip(options, known, strict=True) if label == said]
        if len(same) == 1:
            return same[0]
    reference = read_reference(said)
    if reference is not None and reference.form == "ordinal":
        index = reference.position - 1 if reference.position > 0 else reference.position
        if -len(options) <= index < len(options):
            return options[index]
        return NO_ANSWER
    if len(said) < 2:
        return NO_ANSWER
    parts = [o for o, label in zip(options, labels, strict=True) if _has_words(label, said)]
    return parts[0] if len(parts) == 1 else NO_ANSWER


def _has_words(label: str, said: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(said)}(?!\w)", label) is not None


def declines(text: str, schema: Mapping[str, Any], kind: str) -> bool:
    """Return whether a message is a mere "no" to the question for a value; in a text it is one."""
    is_said = kind != TEXT and read_confirm(text) is False
    allowed = schema.get("enum") or ()
    return is_said and schema.get("type") != "boolean" and text.strip() not in allowed


def knows_none(text: str) -> bool:
    """Return whether a message says that the person does not know what to answer."""
    return _plain(text) in _NOT_KNOWN


def may_be_value(said: str, kind: str, message: str) -> bool:
    """Return whether what was said for a param may be its value, not words about it."""
    if kind == TEXT or any(sign in message for sign in '"“«'):
        return True
    if _DESCRIBED.fullmatch(fold_text(said)) is not None and kind in _NAMED_KINDS:
        return False
    return kind != "file" or shape_of(said) != "words"


def read_param(text: str, kind: str) -> str:
    """Return what a message says for a param, without the words around it."""
    if kind == TEXT:
        return _unquoted(text.strip())
    folded = fold(text)
    start, end = bare(folded.text)
    inner = folded.text[start:end]
    for pattern in (_LEAD, _PREPOSITION):
        if (match := pattern.match(inner)) is not None and match.end() < len(inner):
            start, inner = start + match.end(), inner[match.end() :]
    if (match := _NOUN.fullmatch(inner)) is not None and fits(NOUNS[match["noun"]].kind, kind):
        start += match.start("name")
    return _unquoted(folded.original(start, end).strip()) or text.strip()


def _unquoted(said: str) -> str:
    is_quoted = len(said) > 2 and _QUOTES.get(said[0]) == said[-1]
    return said[1:-1].strip() if is_quoted else said


def fitting(
    value: Any, schema: dict[str, Any], name: str, *, language: str, now: datetime
) -> tuple[Any, list[Fault]]:
    """Return a value as a schema wants it, with what is wrong about it.

    Words for a number, a date or a time ("douze", "tomorrow") are read where the schema wants one.
    """
    frame = {"type": "object", "properties": {name: schema}}
    if isinstance(value, str) and (type_ := _spoken_type(schema)) is not None:
        said = TYPES[type_].read(value, language=language, now=now)
        if said is not NOT_A_VALUE and not schema_faults(said, schema, root=name):
            return said, []
    coerced = coerce_arguments({name: value}, frame)[name]
    return coerced, schema_faults(coerced, schema, root=name)


def _spoken_type(schema: dict[str, Any]) -> str | None:
    type_, format_ = schema.get("type"), schema.get("format")
    if isinstance(type_, str) and type_ in ("integer", "number", "boolean"):
        return type_
    return _SPOKEN_FORMATS.get(format_) if isinstance(format_, str) else None


_SPOKEN_FORMATS = {"date": "date", "time": "time", "date-time": "datetime"}


def option_of(question: PendingQuestion, value: Any) -> Any:
    """Return the option that an answer given as a value means: its label, number or value."""
    if isinstance(value, int) and not isinstance(value, bool):
        exact = [option for option in question.options if option.value == value]
        if len(exact) == 1:
            return exact[0]
        inside = 1 <= value <= len(question.options)
        return question.options[value - 1] if inside else NO_ANSWER
    return read_choice(value, question.options) if isinstance(value, str) else NO_ANSWER
