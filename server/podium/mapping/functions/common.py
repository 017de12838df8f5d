"""What several transformers share: lists from whatever JSONata hands over, fields by their path."""

import itertools
import json
from typing import Any

ELLIPSIS = "…"


class UnusableError(ValueError):
    """A transformer cannot use what it was given; the message says why, for people."""


def as_list(value: Any) -> list[Any]:
    """Return a list: nothing is an empty one, a single value one of a single element."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def field_of(item: Any, path: str | None) -> Any:
    """Return the field that a dotted path names, or None; without a path, the item itself."""
    if path is None:
        return item
    if isinstance(item, dict) and path in item:
        return item[path]  # a field whose own name holds dots
    for name in path.split("."):
        if not isinstance(item, dict):
            return None
        item = item.get(name)
    return item


def as_path(key: Any) -> str | None:
    """Return a key argument as a path.

    Raises:
        UnusableError: it is no text.

    """
    if key is None or isinstance(key, str):
        return key
    raise UnusableError(f"a key is the name of a field, not {brief(key)}")


def whole(value: Any, name: str, *, least: int) -> int:
    """Return an argument that must be a whole number of at least `least`.

    Raises:
        UnusableError: it is none.

    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or value != value // 1 or value < least:
        raise UnusableError(f"{name} must be a whole number from {least} up, not {brief(value)}")
    return int(value)


def brief(value: Any, width: int = 60) -> str:
    """Return a value as short JSON for a message."""
    shown = json.dumps(_beginning(value, width), ensure_ascii=False, default=repr)
    return shown if len(shown) <= width else f"{shown[: width - 1]}…"


def _beginning(value: Any, width: int) -> Any:
    """Return enough of a value to fill a message, since the value may have megabytes."""
    if isinstance(value, str):
        return value[:width]
    if width <= 0 or not isinstance(value, list | dict):
        return ELLIPSIS if isinstance(value, list | dict) else value
    if isinstance(value, list):
        return [_beginning(item, width // 2) for item in value[:width]]
    return {
        str(key)[:width]: _beginning(item, width // 2)
        for key, item in itertools.islice(value.items(), width)
    }
