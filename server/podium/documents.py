"""A hand-written JSON or YAML file to a checked model; each fault names file, line and remedy."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, Discriminator, Tag, ValidationError
from typing_extensions import override

from podium.domain.errors import Fault, FileInvalidError, WorkspaceError
from podium.domain.naming import did_you_mean

KeyPath = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)

MAX_FILE_BYTES = 4 * 1024 * 1024  # nobody writes more by hand; protects against a mistaken path
MAX_DEPTH = 64  # levels of nesting; deeper input is a mistake or an attack on the parser
MAX_YAML_ALIASES = 100  # a few anchors are handy, thousands are a billion-laughs bomb


@dataclass(frozen=True, slots=True)
class Document:
    """A file's value, and the line on which each of its keys stands."""

    path: Path
    value: Any
    lines: Mapping[KeyPath, int] = field(default_factory=dict)

    def line_of(self, key_path: Sequence[str | int]) -> int | None:
        """Return the 1-based line of a key path, or of its nearest parent that has one."""
        path = tuple(key_path)
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)


def read_document(path: Path) -> Document:
    """Read a `.json`, `.yaml` or `.yml` file.

    Raises:
        FileInvalidError: it cannot be read, is too large, or is not valid.

    """
    return parse_document(path, _read_text(path))


def parse_document(path: Path, text: str) -> Document:
    """Parse text as the kind of file that the path's suffix names; errors as `read_document`."""
    if path.suffix == ".json":
        return _parse_json(path, text)
    return _parse_yaml(path, text)


def validate(
    document: Document,
    model: type[Model],
    error: type[WorkspaceError] = FileInvalidError,
    *,
    at: KeyPath = (),
) -> Model:
    """Check the document's value (or the part `at` a key path) against a model.

    Raises:
        WorkspaceError: of the class `error`, with every fault at once.

    """
    value = document.value
    for key in at:
        value = value[key]
    try:
        return model.model_validate(value, by_alias=True, by_name=False)
    except ValidationError as invalid:
        faults = sorted(_faults(invalid, document, model, at), key=lambda fault: fault.line or 0)
        raise invalid_file(document.path, faults, error) from None


def invalid_file(
    path: Path, faults: Sequence[Fault], error: type[WorkspaceError] = FileInvalidError
) -> WorkspaceError:
    """Return the error for a file with these faults."""
    first = faults[0]
    place = f"{path}:{first.line}" if first.line is not None else str(path)
    where = f"{first.where}: " if first.where else ""
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return error(
        f"{place}: {where}{first.message}{more}",
        hint=first.hint,
        faults=faults,
        source=str(path),
    )


def validation_faults(invalid: ValidationError, value: Any, model: type[BaseModel]) -> list[Fault]:
    """Return pydantic's findings about a value that comes from no file, in our words."""
    return list(_faults(invalid, Document(Path(), value), model, ()))


def dotted(key_path: Sequence[str | int]) -> str:
    """Return a key path as people write it: `steps[0].tool_id`."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in key_path)
    return text.removeprefix(".")


# --- reading


def _read_text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise FileInvalidError(
                f"{path}: larger than {MAX_FILE_BYTES // 1024**2} MiB",
                hint="is this the right file?",
                source=str(path),
            )
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        reason = error.strerror or str(error)
        raise FileInvalidError(f"{path}: cannot be read: {reason}", source=str(path)) from error
    except UnicodeDecodeError as error:
        raise FileInvalidError(
            f"{path}: is not UTF-8 text (byte {error.start})",
            hint="save it as UTF-8",
            source=str(path),
        ) from error


def _parse_json(path: Path, text: str) -> Document:
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
        lines = dict(_json_lines(text))
    except json.JSONDecodeError as error:
        fault = Fault(
            f"is not valid JSON: {error.msg} (column {error.colno})",
            line=error.lineno,
            hint=_JSON_HINTS.get(error.msg, ""),
        )
        raise invalid_file(path, [fault]) from None
    except _JsonFault as error:
        raise invalid_file(path, [error.fault]) from None
    except RecursionError:
        raise invalid_file(path, [Fault(f"is nested deeper than {MAX_DEPTH} levels")]) from None
    except ValueError as error:
        raise invalid_file(path, [Fault(f"is not valid JSON: {error}")]) from None
    return Document(path, value, lines)


_JSON_HINTS = {
    "Expecting value": "the file may be empty, or a value may be missing or unquoted",
    "Expecting property name enclosed in double quotes": "remove the comma before '}', "
    'and use double quotes; JSON has no comments: use a "$comment" key',
    "Illegal trailing comma before end of object": "remove the comma before '}'",
    "Illegal trailing comma before end of array": "remove the comma before ']'",
    "Expecting ',' delimiter": "a comma or a closing bracket is missing just before",
    "Invalid \\escape": "in a JSON text a backslash is written twice: \\\\d, \\\\b",
    "Extra data": "the file holds more than one JSON value",
}


class _JsonFault(Exception):  # noqa: N818 - a message for the caller, not an error of its own
    def __init__(self, fault: Fault) -> None:
        self.fault = fault


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)


def _json_lines(text: str) -> Iterator[tuple[KeyPath, int]]:
    """Yield the key path of each member and element with its line; the text is valid JSON."""
    path: list[str | int] = []
    seen: list[set[str]] = []  # the keys of each open object; an empty set for an array
    line, scanned, expects_key = 1, 0, False
    for token in _JSON_TOKEN.finditer(text):
        line += text.count("\n", scanned, token.start())
        scanned = token.start()
        symbol = token.group()
        if symbol in "{[":
            if len(seen) >= MAX_DEPTH:
                raise _JsonFault(Fault(f"is nested deeper than {MAX_DEPTH} levels", line=line))
            if path and isinstance(path[-1], int):
                yield tuple(path), line
            seen.append(set())
            path.append("" if symbol == "{" else 0)
            expects_key = symbol == "{"
        elif symbol in "}]":
            seen.pop()
            path.pop()
            expects_key = False
        elif symbol == ",":
            last = path[-1]
            expects_key = isinstance(last, str)
            if isinstance(last, int):
                path[-1] = last + 1
        elif expects_key:
            key = json.loads(symbol)
            if key in seen[-1]:
                raise _JsonFault(Fault(f"the key '{key}' stands twice", line=line))
            seen[-1].add(key)
            path[-1] = key
            expects_key = False
            yield tuple(path), line
        elif symbol != ":" and path and isinstance(path[-1], int):
            yield tuple(path), line
    yield (), 1


class _Loader(yaml.SafeLoader):
    """The safe loader, without duplicate keys and without alias bombs."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.aliases = 0
        self.depth = 0

    @override
    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self.depth += 1
        self.aliases += bool(self.check_event(yaml.AliasEvent))
        if self.depth > MAX_DEPTH or self.aliases > MAX_YAML_ALIASES:
            raise yaml.YAMLError("it is too deeply nested or uses too many aliases")
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _parse_yaml(path: Path, text: str) -> Document:
    try:
        loader = _Loader(text)
    except yaml.YAMLError as error:  # a control character
        raise invalid_file(path, [Fault(f"is not valid YAML: {error}")]) from None
    try:
        node = loader.get_single_node()
        lines = dict(_yaml_lines(node, ()))
        value = None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        fault = Fault(
            f"is not valid YAML: {error.problem or error.context}",
            line=None if mark is None else mark.line + 1,
            hint="check the indentation, and quote values that hold ': ' or '#'",
        )
        raise invalid_file(path, [fault]) from None
    except _JsonFault as error:
        raise invalid_file(path, [error.fault]) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise invalid_file(path, [Fault(f"is not valid YAML: {error}")]) from None
    finally:
        loader.dispose()
    return Document(path, value, lines)


def _yaml_lines(node: yaml.Node | None, path: KeyPath) -> Iterator[tuple[KeyPath, int]]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key_node, value_node in node.value:
            key = str(key_node.value)
            line = key_node.start_mark.line + 1
            if key in seen and key != "<<":
                raise _JsonFault(Fault(f"the key '{key}' stands twice", line=line))
            seen.add(key)
            yield (*path, key), line
            yield from _yaml_lines(value_node, (*path, key))
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield (*path, index), item.start_mark.line + 1
            yield from _yaml_lines(item, (*path, index))


# --- pydantic's findings in our words


def _faults(
    invalid: ValidationError, document: Document, model: type[BaseModel], at: KeyPath
) -> Iterator[Fault]:
    value = document.value
    for key in at:
        value = value[key]
    errors = invalid.errors(include_url=False)
    places = [_place(error, value, model) for error in errors]
    for path, found in _by_path(errors, places).items():
        line = document.line_of((*at, *path))
        inside, name = dotted((*at, *path[:-1])), path[-1] if path else ""
        for error, place in found:
            if error["type"] == "extra_forbidden":
                hint = did_you_mean(str(name), _keys_of(place.holder))
                yield Fault(f"unknown key '{name}'", where=inside, line=line, hint=hint)
            elif error["type"] == "missing":
                yield Fault(f"'{name}' is missing", where=inside, line=line)
        others = [each for each, _ in found if each["type"] not in ("extra_forbidden", "missing")]
        if others:
            hint = str(others[0].get("ctx", {}).get("hint", ""))
            yield Fault(_sentence(others), where=dotted((*at, *path)), line=line, hint=hint)


def _by_path(
    errors: Sequence[Any], places: "Sequence[_Place]"
) -> "dict[KeyPath, list[tuple[Any, _Place]]]":
    """Return the errors that say most exactly what is wrong, by place; arms of a union together."""
    found: dict[KeyPath, list[tuple[Any, _Place]]] = {}
    for error, place in zip(errors, places, strict=True):
        path = place.path
        if error["type"] == "too_short" and len(error["input"]) > 0:
            continue  # the elements it misses are there, but wrong themselves; they are listed
        if place.is_arm and any(
            len(other.path) > len(path) and other.path[: len(path)] == path for other in places
        ):
            continue  # one arm of a union; another arm says more exactly what is wrong
        found.setdefault(path, []).append((error, place))
    return found


@dataclass(frozen=True, slots=True)
class _Place:
    """A fault's place in the document, and the type of what holds its last key.

    `is_arm`: pydantic tried it as one of the arms of a union.
    """

    path: KeyPath
    holder: Any
    is_arm: bool


def _place(error: Any, value: Any, model: type[BaseModel]) -> _Place:
    """Drop what pydantic adds for the arms of unions: keep keys that stand in the document."""
    path: list[str | int] = []
    annotation, holder, is_arm = model, model, False
    for key in error["loc"]:
        if (arm := _tagged_arm(annotation, key)) is not None:
            annotation = arm
        elif _has(value, key):
            holder, annotation = annotation, _below(annotation, key)
            value = value[key]
            path.append(key)
        else:
            is_arm = is_arm or error["type"] != "missing" or key != error["loc"][-1]
    if error["type"] == "missing":
        path.append(error["loc"][-1])
        holder = annotation
    return _Place(tuple(path), holder, is_arm)


def _tagged_arm(annotation: Any, tag: str | int) -> Any:
    """Return the arm of a discriminated union that a tag names; None if it is no such union."""
    if get_origin(annotation) is not Annotated:
        return None
    union, *about = get_args(annotation)
    if not any(isinstance(each, Discriminator) for each in about):
        return None
    arms = (get_args(arm) for arm in get_args(union))
    return next((arm[0] for arm in arms if Tag(str(tag)) in arm[1:]), None)


def _has(value: Any, key: str | int) -> bool:
    if isinstance(value, list):
        return isinstance(key, int) and key < len(value)
    return isinstance(value, Mapping) and key in value


def _below(annotation: Any, key: str | int) -> Any:
    """Return the type of what stands under a key of a type; None if that is not known."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _fields_of(annotation).get(str(key))
    origin, arms = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _below(arms[0], key)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return arms[-1]
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return arms[0] if isinstance(key, int) else None
    return next((part for arm in arms if (part := _below(arm, key)) is not None), None)


def _fields_of(model: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _keys_of(annotation: Any) -> list[str]:
    """Return the keys that the value of a type may have."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return list(_fields_of(annotation))
    if get_origin(annotation) not in (Annotated, Union, UnionType):
        return []  # of a list or a mapping: the keys of its elements are not its own
    return next((keys for arm in get_args(annotation) if (keys := _keys_of(arm))), [])


def _sentence(errors: Sequence[Any]) -> str:
    """Return what is wrong with one value; several errors are those of the arms of a union."""
    message = ", or ".join(dict.fromkeys(map(_message, errors)))
    given = errors[0].get("input")
    if isinstance(given, str | int | float | bool) or given is None:
        shown = json.dumps(given, ensure_ascii=False)
        return f"{message}, not {shown if len(shown) <= 60 else shown[:57] + '…'}"
    return message


def _message(error: Any) -> str:
    own = _SENTENCES.get(error["type"])
    message = str(error["msg"]) if own is None else own.format(**error.get("ctx", {}))
    return message.removeprefix("Value error, ").removeprefix("Input ")


_SENTENCES = {  # by pydantic's error type, where its own words are not for people
    "string_pattern_mismatch": "should match {pattern}",
    "too_short": "should have at least {min_length} element(s)",
    "tuple_type": "should be a list",
    "list_type": "should be a list",
    "dict_type": "should be an object",
    "model_type": "should be an object",
    "model_attributes_type": "should be an object",
    "string_type": "should be a text",
    "string_too_short": "should not be empty",
    "bool_type": "should be true or false",
    "bool_parsing": "should be true or false",
}
