"""The params of an execution: defaults filled in, coerced without loss, every fault at once."""

from collections.abc import Mapping
from typing import Any

from podium.compositions.graph import build_plan, declared_params
from podium.domain.composition import Composition
from podium.domain.errors import Fault, InvalidParamsError, PodiumError
from podium.domain.naming import did_you_mean
from podium.mapping.coercion import coerce_arguments, schema_faults

# A schema of these keywords alone names every param there is.
_CLOSED = frozenset(
    {
        "$schema",
        "$id",
        "$comment",
        "$defs",
        "title",
        "description",
        "type",
        "properties",
        "required",
        "additionalProperties",
        "examples",
        "default",
    }
)


def checked_params(
    composition: Composition, params: Mapping[str, Any], *, is_strict: bool
) -> dict[str, Any]:
    """Return the params as the composition's input schema wants them.

    With `is_strict` a param that the schema does not name is a fault (somebody mistyped it);
    without it such a param is left out (a pattern may know more than a composition asks for).

    Raises:
        InvalidParamsError: they do not fit; every fault is listed.

    """
    schema = composition.input_schema
    if schema is None:
        return dict(params)
    known = closed_params(composition)
    extra = [] if known is None else [name for name in params if name not in known]
    given = {name: value for name, value in params.items() if name not in extra}
    filled = coerce_arguments({**_defaults(schema), **given}, schema)
    faults = schema_faults(filled, schema)
    if is_strict:
        faults += [
            Fault(f"there is no param '{name}'", where=name, hint=did_you_mean(name, known or ()))
            for name in extra
        ]
    if faults:
        raise _invalid(composition, faults)
    return filled


def closed_params(composition: Composition) -> frozenset[str] | None:
    """Return all params that a composition can have; None where others are possible too."""
    schema, declared = composition.input_schema or {}, declared_params(composition)
    is_open = not declared or bool(schema.get("additionalProperties")) or not set(schema) <= _CLOSED
    return None if is_open else declared


def default_params(composition: Composition) -> frozenset[str]:
    """Return the params that have a default."""
    return frozenset(_defaults(composition.input_schema or {}))


def params_schema(composition: Composition) -> dict[str, Any]:
    """Return the JSON Schema of the params: the file's own, else one of the names it needs."""
    if composition.input_schema is not None:
        return composition.input_schema
    try:
        needed = sorted(build_plan(composition, ()).required_params)
    except PodiumError:  # it cannot be played; calling it says why
        needed = []
    return {"type": "object", "properties": {name: {} for name in needed}, "required": needed}


def missing_params(composition: Composition, missing: frozenset[str]) -> InvalidParamsError:
    """Return the error for params that a composition without a schema needs and did not get."""
    faults = [Fault(f"'{name}' is missing", where=name) for name in sorted(missing)]
    return _invalid(composition, faults)


def _defaults(schema: Mapping[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return {}
    return {
        name: part["default"]
        for name, part in properties.items()
        if isinstance(part, Mapping) and "default" in part
    }


def _invalid(composition: Composition, faults: list[Fault]) -> InvalidParamsError:
    listed = "; ".join(map(str, faults))
    return InvalidParamsError(
        f"composition '{composition.id}': {listed}",
        hint="its params: podium compositions --json",
        faults=faults,
    )
