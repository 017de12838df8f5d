"""A result to the lists of things in it that one can point at, bounded."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from podium.domain.conversation import ConversationBounds, Item, Listing, json_bytes
from podium.intents.context.kinds import (
    THING,
    fits,
    kind_listed_by,
    kind_of_field,
    kind_of_param,
    narrower,
    seen_by_value,
    words_of,
)

MAX_LISTS = 4  # of one result
MAX_LEVELS = 3  # of objects that are looked into: a step's result, and a field of it
MAX_FIELDS = 12  # of one object that are kept
LABEL_CHARACTERS = 120
LOOKED_AT = 2_000  # fields and elements of a result that are looked at

# The field that stands for an object, the most telling first; and the one a person knows it by.
_VALUE_KEYS = ("path", "file_path", "file", "uri", "url", "id", "key", "name", "title", "email",
               "slug", "sha", "label", "subject")  # fmt: skip
_LABEL_KEYS = ("name", "title", "label", "subject", "path", "file_path", "file", "email", "url",
               "uri", "id", "key", "slug", "sha")  # fmt: skip
_LISTED = re.compile(r"\[(FILE|DIR)\] (\S.*)")  # the official file server lists in lines of text
_FOLDER_TYPES = frozenset({"directory", "folder", "dir"})


def listings_of(
    result: Any, bounds: ConversationBounds, intent_type: str = ""
) -> tuple[Listing, ...]:
    """Return the lists of a result in their order: of short texts, or of objects with a name.

    A result that is one object with an id, a path or a URL is a list of one.
    """
    found: list[Listing] = []
    room = bounds.items
    of_intent = kind_listed_by(intent_type)
    for named, elements in _lists(result):
        kind = of_intent if named == THING else named
        if len(found) == MAX_LISTS or room <= 0:
            break
        listing = _listing(kind, elements[:room], bounds)
        if listing is not None and not _says_the_same(listing, found):
            found.append(listing)
            room -= len(listing.items)
    if not found and (single := _single(result, bounds, intent_type)) is not None:
        found.append(single)
    return tuple(found)


def _lists(result: Any) -> Iterator[tuple[str, list[Any]]]:
    if isinstance(result, list):
        yield THING, result
        return
    looked = LOOKED_AT
    level: list[Any] = [result]
    for _ in range(MAX_LEVELS):
        inner: list[Any] = []
        for value in level:
            if not isinstance(value, Mapping):
                continue
            for name, part in value.items():
                if (looked := looked - 1) < 0:
                    return
                if isinstance(part, list):
                    yield kind_of_field(str(name)), part
                elif isinstance(part, str) and name == "text":
                    yield from _lines(part)
                inner.append(part)
        level = inner


def _lines(text: str) -> Iterator[tuple[str, list[Any]]]:
    lines = text.splitlines()[:LOOKED_AT]
    found = [_LISTED.fullmatch(line.strip()) for line in lines if line.strip()]
    if not found or not all(found):
        return
    for mark, kind in (("FILE", "file"), ("DIR", "folder")):
        if names := [match[2] for match in found if match and match[1] == mark]:
            yield kind, list(names)


def _listing(kind: str, elements: list[Any], bounds: ConversationBounds) -> Listing | None:
    items = [item_of(element, kind, bounds) for element in elements]
    if not items or any(item is None for item in items):
        return None  # a list with holes has no "third" that people would agree on
    whole = [item for item in items if item is not None]
    kinds = {item.kind for item in whole}
    return Listing(kind=kinds.pop() if len(kinds) == 1 else THING, items=tuple(whole))


def item_of(element: Any, kind: str, bounds: ConversationBounds) -> Item | None:
    """Return one element as a thing to point at, or None if it has no name."""
    if isinstance(element, Mapping):
        return _object(element, kind, bounds)
    if not is_plain(element) or isinstance(element, bool) or not _is_short(element):
        return None
    return Item(value=element, label=label_of(element), kind=seen_by_value(kind, element))


def _object(element: Mapping[str, Any], kind: str, bounds: ConversationBounds) -> Item | None:
    fields = {
        str(name): value
        for name, value in element.items()
        if is_plain(value) and json_bytes(value) <= bounds.value_bytes // MAX_FIELDS
    }
    key = next((name for name in _VALUE_KEYS if _is_named(fields.get(name))), None)
    key = key or next((n for n in fields if words_of(n)[-1:] in (["id"], ["name"])), None)
    if key is None:
        return None
    label = next((fields[name] for name in _LABEL_KEYS if _is_named(fields.get(name))), fields[key])
    kept = {name: fields[name] for name in (key, *fields)}
    own = "folder" if str(fields.get("type")) in _FOLDER_TYPES else kind_of_field(key)
    kind = narrower(kind, own) if fits(kind, own) else kind
    return Item(
        value=fields[key],
        label=label_of(label),
        kind=seen_by_value(kind, fields[key]),
        fields=dict(list(kept.items())[:MAX_FIELDS]),
    )


def _single(result: Any, bounds: ConversationBounds, intent_type: str) -> Listing | None:
    """Return what a result says it made or found: one object with an identity of its own."""
    for _ in range(MAX_LEVELS):
        if not isinstance(result, Mapping):
            return None
        if any(_is_named(result.get(name)) for name in ("id", "key", "uri", "url", "path")):
            break
        objects = [part for part in result.values() if isinstance(part, Mapping)]
        if len(objects) != 1:
            return None
        result = objects[0]
    else:
        return None
    kind = kind_of_param("", None, intent_type)
    item = _object(result, kind, bounds)
    return None if item is None else Listing(kind=item.kind, items=(item,), is_single=True)


def _says_the_same(listing: Listing, others: list[Listing]) -> bool:
    values = [item.value for item in listing.items]
    return any(
        fits(listing.kind, other.kind) and values == [item.value for item in other.items]
        for other in others
    )


def is_plain(value: Any) -> bool:
    """Return whether a value is a text, a number or a truth value that JSON can hold."""
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, str | int)


def _is_named(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and _is_short(value)


def _is_short(value: Any) -> bool:
    text = str(value)
    return len(text.strip()) > 0 and len(text) <= 300 and "\n" not in text


def label_of(value: Any) -> str:
    """Return a value as an option shows it."""
    text = " ".join(str(value).split())
    return text if len(text) <= LABEL_CHARACTERS else text[: LABEL_CHARACTERS - 1] + "…"
