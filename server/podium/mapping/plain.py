"""Whether a value fits a plain schema, told at a glance: most calls need no validator.

A validator takes longer for a small object than relaying the whole call does.
"""

from collections.abc import Callable, Mapping
from typing import Any

MAX_DEPTH = 16  # of the value; what is deeper is left to the validator

_ASK_NOTHING = frozenset({"title", "description", "default", "examples", "$comment"})
_KNOWN = _ASK_NOTHING | {"type", "properties", "required", "additionalProperties", "items"}
_IS: Mapping[Any, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "null": lambda value: value is None,
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
}


def fits_plainly(value: Any, schema: Any, depth: int = MAX_DEPTH) -> bool:
    """Return whether a value surely fits, as it is; False only means that it is not sure."""
    if schema is True:
        return True
    if not isinstance(schema, dict) or depth == 0 or not schema.keys() <= _KNOWN:
        return False
    kind = schema.get("type")
    if kind is not None:
        # A list of types cannot be looked up, and is left to the validator.
        is_kind = _IS.get(kind) if isinstance(kind, str) else None
        if is_kind is None or not is_kind(value):
            return False
    if isinstance(value, dict):
        return _object_fits(value, schema, depth - 1)
    if isinstance(value, list):
        items = schema.get("items", True)
        return all(fits_plainly(item, items, depth - 1) for item in value)
    return True


def _object_fits(value: dict[Any, Any], schema: dict[str, Any], depth: int) -> bool:
    properties, required = schema.get("properties", {}), schema.get("required", ())
    if not isinstance(properties, dict) or not isinstance(required, list | tuple):
        return False
    if not all(isinstance(name, str) and name in value for name in required):
        return False
    others = schema.get("additionalProperties", True)
    if not properties and others is True:
        return True
    return all(
        fits_plainly(item, properties.get(name, others), depth) for name, item in value.items()
    )
