"""`--param name=value` texts to params, by the types that the composition asks for."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import typer

_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
}
_UNTYPED = ("boolean", "number", "array", "object")  # what a text may mean where no type is known


def params_of(
    pairs: Sequence[str], params_json: str | None, input_schema: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the params of `--params` and `--param`; a pair wins over the JSON object.

    Raises:
        typer.BadParameter: a pair has no `=` or stands twice, or the JSON is no object.

    """
    return _object(params_json) | _values(pairs, input_schema or {})


def value_of(text: str, schema: Any) -> Any:
    """Return what a text means: as the schema's type reads it, else JSON but never a guess.

    A text that does not fit stays a text, so that the check of the params names it.
    """
    wanted = _types(schema)
    if wanted == ["string"]:
        return text
    value = _parsed(text)
    if any(_is(value, name) for name in wanted or _UNTYPED):
        return value
    return text


def _values(pairs: Sequence[str], input_schema: Mapping[str, Any]) -> dict[str, Any]:
    properties = input_schema.get("properties")
    known = properties if isinstance(properties, dict) else {}
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not (name and equals):
            raise typer.BadParameter(f"'{pair}' should be name=value", param_hint="--param")
        if name in values:
            raise typer.BadParameter(f"'{name}' is given twice", param_hint="--param")
        values[name] = value_of(text, known.get(name))
    return values


def _object(text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise typer.BadParameter(f"is not valid JSON: {error}", param_hint="--params") from None
    if not isinstance(value, dict):
        raise typer.BadParameter("should be a JSON object", param_hint="--params")
    return value


def _types(schema: Any) -> list[str]:
    named = schema.get("type") if isinstance(schema, dict) else None
    names = [named] if isinstance(named, str) else named
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _parsed(text: str) -> Any:
    """Return the JSON value of a text, or the text itself."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text


def _refuse(name: str) -> Any:
    raise ValueError(name)  # NaN and Infinity are words, not JSON


def _is(value: Any, type_name: str) -> bool:
    if isinstance(value, bool):
        return type_name == "boolean"
    return isinstance(value, _JSON_TYPES.get(type_name, ()))
