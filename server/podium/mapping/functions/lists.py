"""Lists: made of text and back, first and last, flattened, unique, sorted, grouped."""

from functools import cmp_to_key
from typing import Any

import orjson

from podium.mapping.functions.common import UnusableError, as_list, as_path, field_of, whole
from podium.mapping.templates import show
from podium.text.folding import fold_text


def str_to_list(text: Any, separator: str = ",") -> list[Any]:
    """Split a text at a separator; pieces are trimmed and empty ones dropped.

    A list stays as it is. Nothing gives an empty list.
    """
    if isinstance(text, list):
        return text
    if not isinstance(separator, str) or not separator:
        raise UnusableError("the separator must be a text of at least one character")
    pieces = show(text).split(separator)
    return [piece.strip() for piece in pieces if piece.strip()]


def list_to_str(values: Any, separator: str = ", ") -> str:
    """Join the elements of a list into one text; empty elements (null) are left out.

    Nothing gives an empty text, a single value its own text.
    """
    if not isinstance(separator, str):
        raise UnusableError("the separator must be a text")
    return separator.join(show(value) for value in as_list(values) if value is not None)


def extract_first(values: Any) -> Any:
    """Return the first element of a list; null when there is none, a single value as it is."""
    items = as_list(values)
    return items[0] if items else None


def extract_last(values: Any) -> Any:
    """Return the last element of a list; null when there is none, a single value as it is."""
    items = as_list(values)
    return items[-1] if items else None


def flatten(values: Any, depth: int = 1) -> list[Any]:
    """Put the elements of inner lists into one list, `depth` levels deep.

    Nothing gives an empty list.
    """
    return _flattened(as_list(values), whole(depth, "depth", least=0))


def unique(values: Any, key: str | None = None) -> list[Any]:
    """Leave out what stands in a list already, the first one stays.

    With `key` (a field, or a dotted path), elements with the same value there count as the same.
    Nothing gives an empty list.
    """
    path = as_path(key)
    seen: dict[bytes, Any] = {}
    for item in as_list(values):
        seen.setdefault(_identity(field_of(item, path)), item)
    return list(seen.values())


def sort_by(values: Any, key: str | None = None, descending: bool = False) -> list[Any]:  # noqa: FBT001,FBT002
    """Sort a list by a field (or a dotted path) of its elements, or by the elements themselves.

    Numbers come before texts; texts are compared without case and accents; elements without the
    field come last in both directions; equal ones keep their order. Nothing gives an empty list.
    """
    path = as_path(key)
    items = [(_rank(field_of(item, path)), item) for item in as_list(values)]
    present = [pair for pair in items if pair[0] is not None]
    absent = [item for rank, item in items if rank is None]
    ordered = sorted(present, key=cmp_to_key(_compare), reverse=descending is True)
    return [item for _, item in ordered] + absent


def group_by(values: Any, key: str) -> dict[str, list[Any]]:
    """Make an object of lists: the elements by the text of a field (or a dotted path).

    Elements without the field are under "". Nothing gives an empty object.
    """
    path = as_path(key)
    if path is None:
        raise UnusableError("say by which field: $group_by(list, 'field')")
    groups: dict[str, list[Any]] = {}
    for item in as_list(values):
        groups.setdefault(show(field_of(item, path)), []).append(item)
    return groups


def _flattened(values: list[Any], depth: int) -> list[Any]:
    if depth == 0:
        return values
    flat: list[Any] = []
    for value in values:
        if isinstance(value, list):
            flat.extend(_flattened(value, depth - 1))
        else:
            flat.append(value)
    return flat


def _identity(value: Any) -> bytes:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a whole number beyond 64 bits, or half a character
        return repr(value).encode("utf-8", "surrogatepass")


def _rank(value: Any) -> tuple[int, Any, Any] | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return (2, value, value)
    if isinstance(value, int | float):
        return (0, value, value)
    text = show(value)
    return (1, fold_text(text), text)


def _compare(one: tuple[Any, Any], other: tuple[Any, Any]) -> int:
    return int(one[0] > other[0]) - int(one[0] < other[0])
