"""Values to what a JSON Schema asks for: losslessly coerced, or told in sentences what is wrong."""

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from jsonschema.exceptions import ValidationError

from podium.documents import dotted
from podium.domain.errors import Fault
from podium.domain.naming import did_you_mean, nearest
from podium.mapping.functions.common import brief
from podium.mapping.plain import fits_plainly
from podium.mapping.schemas import errors_of, fits, validator_of

MAX_DEPTH = 64  # levels of a value that are looked at
MAX_STEPS = 20_000  # of one coercion; a schema may refer to itself twice over
STEPS_OF_A_CHECK = 50  # what trying one branch of `anyOf` costs, in these steps
MAX_FAULTS = 50  # more help nobody


def coerce_arguments(arguments: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments as the schema asks for them, where that loses nothing.

    "12" becomes 12 and 12 "12", 12.0 becomes 12, "true" becomes true, and a single value a list of
    one; what fits already or cannot be coerced stays as it is.
    """
    if fits_plainly(arguments, schema):
        return arguments
    validator = validator_of(schema)
    if validator is None:
        return arguments
    try:
        coerced = _Coercion(validator).coerce(arguments, schema, MAX_DEPTH)
    except RecursionError:
        return arguments  # the schema refers to itself without end, or the value is too deep
    return coerced if isinstance(coerced, dict) else arguments


def schema_faults(value: Any, schema: Any, *, root: str = "") -> list[Fault]:
    """Return everything that is wrong with a value, as sentences; a broken schema asks nothing.

    `root` is what the value itself is called in the places of the faults.
    """
    if fits_plainly(value, schema):
        return []
    validator = validator_of(schema)
    if validator is None:
        return []
    faults: dict[tuple[str, str], Fault] = {}
    for error in errors_of(validator, value):
        for fault in _faults(error, root):
            faults.setdefault((fault.where, fault.message), fault)
        if len(faults) >= MAX_FAULTS:
            break
    return list(faults.values())[:MAX_FAULTS]


# --- coercion


class _Coercion:
    """Coerces values to parts of one schema."""

    def __init__(self, validator: Any) -> None:
        self._validator = validator
        self._steps = 0

    def coerce(self, value: Any, schema: Any, depth: int) -> Any:
        """Return the value as a part of the schema asks for it."""
        self._steps += 1
        if not isinstance(schema, dict) or depth == 0 or self._steps > MAX_STEPS:
            return value
        if isinstance(reference := schema.get("$ref"), str):
            value = self.coerce(value, self._referred(reference), depth - 1)
        for part in _parts(schema, "allOf"):
            value = self.coerce(value, part, depth - 1)
        for keyword in ("anyOf", "oneOf"):
            value = self._coerce_to_one(value, _parts(schema, keyword), depth - 1)
        return self._coerce_inside(_to_type(value, _types(schema)), schema, depth - 1)

    def _coerce_to_one(self, value: Any, branches: list[Any], depth: int) -> Any:
        if any(self._fits(branch, value) for branch in branches):
            return value
        for branch in branches:
            candidate = self.coerce(value, branch, depth)
            if self._fits(branch, candidate):
                return candidate
        return value

    def _fits(self, branch: Any, value: Any) -> bool:
        self._steps += STEPS_OF_A_CHECK
        return self._steps <= MAX_STEPS and fits(self._validator, branch, value)

    def _coerce_inside(self, value: Any, schema: dict[str, Any], depth: int) -> Any:
        if isinstance(value, list):
            first, rest = _parts(schema, "prefixItems"), schema.get("items")
            return [
                self.coerce(item, first[place] if place < len(first) else rest, depth)
                for place, item in enumerate(value)
            ]
        if isinstance(value, dict):
            return {
                name: self.coerce(item, _property(schema, name), depth)
                for name, item in value.items()
            }
        return value

    def _referred(self, reference: str) -> Any:
        """Return the part of the schema that a `#/...` names; other references ask nothing."""
        part: Any = self._validator.schema
        if not reference.startswith("#"):
            return None
        for token in reference.removeprefix("#").split("/")[1:]:
            name = token.replace("~1", "/").replace("~0", "~")
            part = part.get(name) if isinstance(part, dict) else None
        return part


def _parts(schema: dict[str, Any], keyword: str) -> list[Any]:
    parts = schema.get(keyword)
    return parts if isinstance(parts, list) else []


def _property(schema: dict[str, Any], name: str) -> Any:
    properties = schema.get("properties")
    if isinstance(properties, dict) and name in properties:
        return properties[name]
    return schema.get("additionalProperties")


def _types(schema: dict[str, Any]) -> list[str]:
    """Return the types that a schema allows; those of its `enum` or `const` if it names none."""
    named = schema.get("type")
    if named is not None:
        return (
            [named]
            if isinstance(named, str)
            else [n for n in _parts(schema, "type") if isinstance(n, str)]
        )
    values = [schema["const"]] if "const" in schema else _parts(schema, "enum")
    return list(dict.fromkeys(_type_of(value) for value in values)) if values else []


def _type_of(value: Any) -> str:
    if value is None:
        return "null"
    return next(name for kind, name in _TYPE_NAMES if isinstance(value, kind))


_TYPE_NAMES: tuple[tuple[Any, str], ...] = (
    (bool, "boolean"), (str, "string"), (int, "integer"), (float, "number"), (list, "array"),
    (dict, "object"), (object, "unknown"),
)  # fmt: skip


def _to_type(value: Any, types: list[str]) -> Any:
    own = _type_of(value)
    if not types or own in types or (own == "integer" and "number" in types):
        return value
    for wanted in types:
        if wanted == "array" and value is not None:
            continue  # the last resort, below
        coerced = _CONVERSIONS.get((own, wanted), _unchanged)(value)
        if coerced is not _IMPOSSIBLE:
            return coerced
    return [value] if "array" in types and value is not None else value


_IMPOSSIBLE = object()
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,200})(?:\.0+)?")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?")


def _unchanged(_value: Any) -> Any:
    return _IMPOSSIBLE


def _text_to_integer(text: str) -> Any:
    text = text.strip()
    return int(text.partition(".")[0]) if _INTEGER.fullmatch(text) else _IMPOSSIBLE


def _text_to_number(text: str) -> Any:
    if (whole := _text_to_integer(text)) is not _IMPOSSIBLE:
        return whole
    text = text.strip()
    if len(text) > 100 or not _NUMBER.fullmatch(text):
        return _IMPOSSIBLE
    number = float(text)
    return number if Decimal(repr(number)) == Decimal(text) else _IMPOSSIBLE


def _text_to_boolean(text: str) -> Any:
    return {"true": True, "false": False}.get(text.strip().lower(), _IMPOSSIBLE)


def _number_to_integer(number: float) -> Any:
    return int(number) if number.is_integer() else _IMPOSSIBLE


def _number_to_text(number: float) -> Any:
    if number.is_integer() and abs(number) < 2**53:
        return str(int(number))
    return repr(number) if number - number == 0 else _IMPOSSIBLE  # not for infinity and NaN


_CONVERSIONS: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("string", "integer"): _text_to_integer,
    ("string", "number"): _text_to_number,
    ("string", "boolean"): _text_to_boolean,
    ("number", "integer"): _number_to_integer,
    ("number", "string"): _number_to_text,
    ("integer", "string"): str,
    ("boolean", "string"): lambda value: "true" if value else "false",
}


# --- sentences


def _faults(error: ValidationError, root: str) -> Iterator[Fault]:
    """Yield the faults behind one error of the library."""
    keyword = str(error.validator)
    where = _where(error, root)
    if keyword in _MANY:
        yield from _MANY[keyword](error, where, root)
    else:
        sentence = _SENTENCES.get(keyword, _own_words)
        yield Fault(sentence(error), where=where, hint=_hint(error))


def _where(error: ValidationError, root: str) -> str:
    path = dotted(list(error.absolute_path))
    return f"{root}{'' if path.startswith('[') or not root or not path else '.'}{path}"


def _missing(error: ValidationError, where: str, _root: str) -> Iterator[Fault]:
    required: Any = error.validator_value
    instance: Any = error.instance
    for name in required:
        if name not in instance:
            yield Fault(f"'{name}' is missing", where=where)


def _unknown(error: ValidationError, where: str, _root: str) -> Iterator[Fault]:
    schema: Any = error.schema
    instance: Any = error.instance
    known = schema.get("properties", {})
    if error.validator_value is not False:
        yield Fault(_own_words(error), where=where)
        return
    patterns = schema.get("patternProperties", {})
    for name in instance:
        if name not in known and not any(re.search(pattern, name) for pattern in patterns):
            hint = did_you_mean(name, known, otherwise="it takes none")
            yield Fault(f"unknown '{name}'", where=where, hint=hint)


def _alternatives(error: ValidationError, where: str, root: str) -> Iterator[Fault]:
    """Say which types would do; else what is wrong with the likeliest alternative."""
    branches: dict[Any, list[ValidationError]] = {}
    for inner in error.context or ():
        branches.setdefault(inner.relative_schema_path[0], []).append(inner)
    if not branches:
        yield Fault("it fits more than one of the allowed forms", where=where)
        return
    wrong_type = [_type_error(errors) for errors in branches.values()]
    likely = [
        errors for errors, other in zip(branches.values(), wrong_type, strict=True) if other is None
    ]
    if likely:
        for inner in min(likely, key=len):
            yield from _faults(inner, root)
        return
    types = [name for other in wrong_type if other for name in _named_types(other)]
    yield Fault(_must_be(types, error.instance), where=where)


def _type_error(errors: list[ValidationError]) -> ValidationError | None:
    return next((e for e in errors if e.validator == "type" and not e.relative_path), None)


_MANY: dict[str, Callable[[ValidationError, str, str], Iterator[Fault]]] = {
    "required": _missing,
    "additionalProperties": _unknown,
    "anyOf": _alternatives,
    "oneOf": _alternatives,
}


def _named_types(error: ValidationError) -> list[str]:
    named: Any = error.validator_value
    return [named] if isinstance(named, str) else list(named)


def _must_be(types: list[str], instance: Any) -> str:
    words = list(dict.fromkeys(_WORDS.get(name, name) for name in types))
    listed = " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
    return f"must be {listed}, not {brief(instance)}"


_WORDS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


def _own_words(error: ValidationError) -> str:
    """Return the library's message, without a long value in it."""
    message = error.message
    return message if len(message) <= 200 else f"{brief(error.instance)} is not allowed here"


def _limit(sentence: str) -> Callable[[ValidationError], str]:
    return lambda error: (
        f"{sentence.format(brief(error.validator_value))}, not {brief(error.instance)}"
    )


def _enum(error: ValidationError) -> str:
    allowed: Any = error.validator_value
    listed = ", ".join(brief(value, 40) for value in allowed[:20])
    more = ", …" if len(allowed) > 20 else ""
    return f"must be one of {listed}{more}, not {brief(error.instance)}"


def _not_allowed(error: ValidationError) -> str:
    return f"{brief(error.instance)} is not allowed here"


_SENTENCES: dict[str, Callable[[ValidationError], str]] = {
    "type": lambda error: _must_be(_named_types(error), error.instance),
    "enum": _enum,
    "const": _limit("must be {}"),
    "minimum": _limit("must be at least {}"),
    "maximum": _limit("must be at most {}"),
    "exclusiveMinimum": _limit("must be more than {}"),
    "exclusiveMaximum": _limit("must be less than {}"),
    "multipleOf": _limit("must be a multiple of {}"),
    "minLength": _limit("must have at least {} character(s)"),
    "maxLength": _limit("must have at most {} character(s)"),
    "pattern": _limit("must match {}"),
    "minItems": _limit("must have at least {} element(s)"),
    "maxItems": _limit("must have at most {} element(s)"),
    "minProperties": _limit("must have at least {} field(s)"),
    "maxProperties": _limit("must have at most {} field(s)"),
    "uniqueItems": lambda _error: "has the same element twice",
    "not": _not_allowed,
    "None": _not_allowed,
}


def _hint(error: ValidationError) -> str:
    if error.validator != "enum" or not isinstance(error.instance, str):
        return ""
    allowed: Any = error.validator_value
    close = nearest(error.instance, [value for value in allowed if isinstance(value, str)])
    return f"did you mean '{close}'?" if close is not None else ""
