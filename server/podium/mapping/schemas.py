"""A JSON Schema to a validator that cannot crash, reach the network or hang."""

import functools
import re
from collections.abc import Iterator
from typing import Any

import orjson
import regex
from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped] # it has no types
from referencing.exceptions import Unresolvable

MEMORY = 512  # validators remembered; making one takes a few milliseconds
REGEX_SECONDS = 0.05  # one `pattern` on one text

# What the library raises for a broken schema: references to nothing or in a circle, a regex that is
# none, a keyword whose value has the wrong type.
BROKEN = (
    Unresolvable, RecursionError, re.error, TypeError, AttributeError, ValueError, LookupError,
)  # fmt: skip


def validator_of(schema: Any) -> Any | None:
    """Return a validator, of 2020-12 or the dialect `$schema` names; None for a broken schema."""
    if isinstance(schema, bool):
        schema = {} if schema else {"not": {}}
    if not isinstance(schema, dict):
        return None
    try:
        return _validator(orjson.dumps(schema))
    except (TypeError, RecursionError):
        return None


@functools.lru_cache(maxsize=MEMORY)
def _validator(text: bytes) -> Any | None:
    schema = orjson.loads(text)
    dialect: Any = validators.validator_for(schema, default=Draft202012Validator)
    try:
        dialect.check_schema(schema)
    except (SchemaError, *BROKEN):
        return None
    extend: Any = validators.extend
    # A registry that fetches nothing: the default one would follow `$ref` over the network.
    return extend(dialect, {"pattern": _pattern})(schema, registry=REGISTRY)


def errors_of(validator: Any, value: Any) -> Iterator[ValidationError]:
    """Yield what is wrong with a value; the parts of the schema that are broken ask nothing."""
    try:
        yield from validator.iter_errors(value)
    except BROKEN:
        return


def fits(validator: Any, schema: Any, value: Any) -> bool:
    """Return whether a value fits a part of the validator's schema.

    Raises:
        RecursionError: the schema refers to itself without end.

    """
    try:
        return bool(validator.evolve(schema=schema).is_valid(value))
    except RecursionError:
        raise
    except BROKEN:
        return False


def _pattern(
    _validator: Any, pattern: str, instance: Any, _schema: Any
) -> Iterator[ValidationError]:
    if not isinstance(instance, str):
        return
    try:
        found = regex.search(pattern, instance, timeout=REGEX_SECONDS)
    except (regex.error, TimeoutError):
        return  # not a regex, or not one that ends: the tool itself will judge
    if found is None:
        yield ValidationError(f"{instance!r} does not match {pattern!r}")
