"""A reply to the turn that the conversation remembers, with what it mentioned; context too."""

from collections.abc import Mapping
from typing import Any

from podium.domain.conversation import (
    REQUEST_CHARACTERS,
    Conversation,
    ConversationBounds,
    Entity,
    Listing,
    Turn,
    json_bytes,
)
from podium.domain.errors import Fault, InvalidParamsError
from podium.domain.intent import Intent
from podium.domain.request import Reply
from podium.domain.values import json_fault
from podium.intents.context.items import is_plain, label_of, listings_of
from podium.intents.context.kinds import (
    NUMBER,
    TEXT,
    THING,
    fits,
    kind_of_param,
    seen_by_value,
    words_of,
)

MAX_GIVEN_ENTITIES = 50  # of one call's context
_HERE = frozenset({"", ".", "./", "/"})


def with_reply(
    conversation: Conversation,
    reply: Reply,
    intent: Intent | None,
    *,
    request: str,
    text: str,
    language: str,
    schema: Mapping[str, Any],
    bounds: ConversationBounds,
) -> Conversation:
    """Return the conversation with the turn that a reply ends."""
    params = intent.params if intent else {}
    kept = {name: v for name, v in params.items() if json_bytes(v) <= bounds.value_bytes}
    intent_type = intent.type if intent else None
    turn = Turn(
        number=0,
        request=request[:REQUEST_CHARACTERS],
        text=text if len(text) <= REQUEST_CHARACTERS else "",
        status=reply.status,
        intent_type=intent_type,
        params=kept,
        lost=tuple(name for name in params if name not in kept),
        composition=intent.composition_id if intent else None,
        composition_id=reply.composition_id,
        execution_id=reply.execution_id,
        language=language,
        listings=_listings(reply, kept, schema, intent_type or "", bounds),
    )
    return conversation.with_turn(turn, _mentioned(kept, schema, intent_type or ""))


def _listings(
    reply: Reply,
    params: Mapping[str, Any],
    schema: Mapping[str, Any],
    intent_type: str,
    bounds: ConversationBounds,
) -> tuple[Listing, ...]:
    if reply.status != "success":
        return ()
    listings = listings_of(reply.result, bounds, intent_type)
    folders = {
        value
        for name, value in params.items()
        if isinstance(value, str)
        and kind_of_param(name, _property(schema, name), intent_type) in ("folder", "path")
    }
    folder = folders.pop().rstrip("/") if len(folders) == 1 else ""
    return tuple(_inside(listing, folder) for listing in listings)


def _inside(listing: Listing, folder: str) -> Listing:
    """Return a list of bare names as paths: what is listed of a folder lies in it."""
    names = [
        item.value for item in listing.items if not item.fields and isinstance(item.value, str)
    ]
    is_bare = len(names) == len(listing.items) and not any("/" in name for name in names)
    if folder in _HERE or not is_bare or listing.kind not in ("file", "folder", "path"):
        return listing
    items = [i.model_copy(update={"value": f"{folder}/{i.value}"}) for i in listing.items]
    return listing.model_copy(update={"items": tuple(items)})


def _mentioned(
    params: Mapping[str, Any], schema: Mapping[str, Any], intent_type: str
) -> list[Entity]:
    entities = []
    for name, value in params.items():
        kind = kind_of_param(name, _property(schema, name), intent_type)
        if kind in (TEXT, NUMBER):
            continue
        for each in value if isinstance(value, list) else [value]:
            if is_plain(each) and not isinstance(each, bool) and str(each).strip():
                label = label_of(each)
                seen = seen_by_value(kind, each)
                entities.append(Entity(kind=seen, value=each, label=label, turn=0, key=name))
    return entities


def _property(schema: Mapping[str, Any], name: str) -> Any:
    properties = schema.get("properties")
    return properties.get(name) if isinstance(properties, Mapping) else None


# --- what the caller knows


def with_context(
    conversation: Conversation, context: Mapping[str, Any], bounds: ConversationBounds
) -> Conversation:
    """Return the conversation with the `variables` and `entities` that the caller gave.

    Raises:
        InvalidParamsError: they are not of the documented shape.

    """
    variables, entities = context.get("variables"), context.get("entities")
    if variables is not None and not isinstance(variables, Mapping):
        raise _strange("variables", "should be an object: name -> value")
    if entities is not None and not isinstance(entities, list | tuple):
        raise _strange("entities", "should be a list of objects")
    given = [
        _entity(entity, number, conversation.count + 1)
        for number, entity in enumerate((entities or ())[:MAX_GIVEN_ENTITIES])
    ]
    if not given and not variables:
        return conversation
    kept = {**conversation.variables, **{n: v for n, v in (variables or {}).items()
            if json_bytes(v) <= bounds.value_bytes}}  # fmt: skip
    known = conversation.entities
    new = [each for each in given if not any(_is_alike(each, old) for old in known)]
    return conversation.changed(variables=kept, entities=(*known, *new)).bounded(bounds)


def _is_alike(entity: Entity, other: Entity) -> bool:
    """Return whether two are the same: what a caller tells with each request is no news."""
    return fits(entity.kind, other.kind) and bool(entity.value == other.value)


def _entity(given: Any, number: int, turn: int) -> Entity:
    where = f"entities[{number}]"
    if not isinstance(given, Mapping) or not is_plain(given.get("value")):
        raise _strange(where, "should be an object with a 'value': a text or a number")
    kind, label = given.get("kind", THING), given.get("label", given["value"])
    if not isinstance(kind, str) or fault_of_kind(kind):
        raise _strange(where, "'kind' should be a word such as 'file' or 'city'")
    told = kind_of_param(kind)
    return Entity(
        kind=kind if told == THING else told,
        value=given["value"],
        label=label_of(label),
        turn=turn,
    )


def fault_of_kind(kind: str) -> bool:
    """Return whether a kind is no word or two."""
    return not 1 <= len(words_of(kind)) <= 3 or len(kind) > 64


def _strange(where: str, message: str) -> InvalidParamsError:
    place = f"context.{where}"
    return InvalidParamsError(f"{place} {message}", faults=[Fault(message, where=place)])


def from_context(
    wanted: Mapping[str, str], conversation: Conversation, context: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the params that a pattern takes from the conversation, as far as they are known.

    `wanted` maps a param to the name of a variable; else the latest thing of that kind counts,
    else what the caller's context has under that name.
    """
    found: dict[str, Any] = {}
    for param, name in wanted.items():
        if name in conversation.variables:
            found[param] = conversation.variables[name]
        elif (entity := _latest_of(name, conversation)) is not None:
            found[param] = entity.value
        elif context.get(name) is not None and json_fault(context[name], name) is None:
            found[param] = context[name]
    return found


def _latest_of(name: str, conversation: Conversation) -> Entity | None:
    kind = kind_of_param(name)
    latest = max(conversation.entities, key=lambda e: e.turn, default=None)
    if latest is None:
        return None
    fitting = [
        entity
        for entity in conversation.entities
        if entity.key == name or entity.kind == name or (kind != THING and fits(kind, entity.kind))
    ]
    last = max((entity.turn for entity in fitting), default=0)
    values = [entity for entity in fitting if entity.turn == last]
    return values[0] if len(values) == 1 else None  # two in one turn: nobody can say which
