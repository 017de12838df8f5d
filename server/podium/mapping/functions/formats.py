"""JSON, CSV and YAML texts to values, and values to JSON text."""

import base64
import csv
import io
import json
import math
import re
from collections import Counter
from collections.abc import Hashable, Iterator
from datetime import date
from typing import Any

import yaml

from podium.mapping.functions.common import UnusableError, whole
from podium.mapping.templates import show

MAX_DEPTH = 64  # levels of nesting in a YAML text
MAX_YAML_NODES = 200_000  # with every alias written out; stops "billion laughs"
MAX_YAML_CHARACTERS = 1_000_000  # reading them takes about a second
MAX_CSV_ROWS = 100_000
DELIMITERS = ",;\t|"

_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# As YAML 1.2 has it. In 1.1 `no` is false, `10:30` is 630 and `0123` is 83.
_BOOLEAN = re.compile(r"true|True|TRUE|false|False|FALSE")
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*|0x[0-9a-fA-F]+)")
_FLOAT = re.compile(
    r"[-+]?(?:(?:0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan"
)
_PLAIN = {
    f"tag:yaml.org,2002:{name}": pattern
    for name, pattern in (("bool", _BOOLEAN), ("int", _INTEGER), ("float", _FLOAT))
}


def _resolvers() -> dict[str | None, list[tuple[str, re.Pattern[str]]]]:
    """Return the rules by first character, with ours for truth values and numbers."""
    return {
        first: [
            (tag, re.compile(f"(?:{_PLAIN[tag].pattern})$") if tag in _PLAIN else pattern)
            for tag, pattern in rules
        ]
        for first, rules in _SafeLoader.yaml_implicit_resolvers.items()
    }


class _Loader(_SafeLoader):  # type: ignore[misc] # one of two classes
    """The safe loader, with YAML 1.2's idea of plain values."""

    yaml_implicit_resolvers = _resolvers()


def json_parse(text: Any) -> Any:
    """Return the value of a JSON text. What is no text stays as it is; nothing gives null."""
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text.removeprefix("\ufeff"), parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise UnusableError(
            f"the text is no JSON: {error.msg} (line {error.lineno}, column {error.colno})"
        ) from None
    except RecursionError:
        raise UnusableError("the JSON is nested too deeply") from None


def json_stringify(value: Any, indent: int | None = None) -> str:
    """Return a value as JSON text; `indent` blanks per level spread it over lines.

    Nothing gives "null".
    """
    blanks = None if indent is None else min(whole(indent, "indent", least=0), 16)
    separators = (",", ":") if blanks is None else (",", ": ")
    try:
        return json.dumps(
            value, ensure_ascii=False, indent=blanks, separators=separators, allow_nan=False
        )
    except (TypeError, RecursionError) as error:
        raise UnusableError(f"the value is no JSON: {error}") from None


def csv_parse(text: Any, delimiter: str | None = None) -> list[dict[str, str | None]]:
    """Return the rows of a CSV text as objects; the first row names the fields.

    The delimiter is found out of , ; tab | when it is not given. Values stay texts; a short row
    gives null for what it lacks. Nothing gives an empty list.
    """
    source = show(text).removeprefix("\ufeff")
    if delimiter is not None and (not isinstance(delimiter, str) or len(delimiter) != 1):
        raise UnusableError("the delimiter is one character")
    reader = csv.reader(
        io.StringIO(source, newline=""), delimiter=delimiter or _delimiter(source), strict=True
    )
    try:
        rows = [row for row, _ in zip(_filled(reader), range(MAX_CSV_ROWS + 2), strict=False)]
    except csv.Error as error:
        raise UnusableError(f"the text is no CSV: {error} (line {reader.line_num})") from None
    if len(rows) > MAX_CSV_ROWS + 1:
        raise UnusableError(f"the CSV has more than {MAX_CSV_ROWS} rows")
    if not rows:
        return []
    names = _field_names(rows[0], max(len(row) for row in rows))
    return [
        {name: row[place] if place < len(row) else None for place, name in enumerate(names)}
        for row in rows[1:]
    ]


def yaml_parse(text: Any) -> Any:
    """Return the value of a YAML text; several documents give a list.

    Dates become ISO texts, keys become texts, binary data base64. What is no text stays as it is;
    nothing gives null.
    """
    if not isinstance(text, str):
        return text
    if len(text) > MAX_YAML_CHARACTERS:
        raise UnusableError(f"the YAML has more than {MAX_YAML_CHARACTERS} characters")
    try:
        _check_depth(text)
        documents = [_as_json(value) for value in _documents(text)]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" (line {mark.line + 1})" if mark else ""
        raise UnusableError(
            f"the text is no YAML: {error.problem or error.context}{place}"
        ) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UnusableError(f"the text is no YAML: {error}") from None
    if len(documents) > 1:
        return documents
    return documents[0] if documents else None


# --- JSON


def _refuse_constant(name: str) -> Any:
    raise UnusableError(f"the text is no JSON: it has no {name}")


# --- CSV


def _filled(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    return (row for row in rows if any(cell.strip() for cell in row))


def _delimiter(source: str) -> str:
    """Return the delimiter that stands most often in the first line, outside quotes."""
    counts = dict.fromkeys(DELIMITERS, 0)
    quoted = False
    for character in source.lstrip():
        if character == '"':
            quoted = not quoted
        elif character in "\r\n" and not quoted:
            break
        elif character in counts and not quoted:
            counts[character] += 1
    return max(counts, key=lambda delimiter: counts[delimiter])


def _field_names(header: list[str], width: int) -> list[str]:
    """Return a name for each column: the header's, made unique, and numbers where it has none."""
    names: dict[str, None] = {}
    counts: Counter[str] = Counter()
    for place in range(width):
        wanted = header[place].strip() if place < len(header) else ""
        wanted = wanted or f"column_{place + 1}"
        name = wanted
        while name in names:
            counts[wanted] += 1
            name = f"{wanted}_{counts[wanted] + 1}"
        names[name] = None
    return list(names)


# --- YAML


def _check_depth(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise yaml.YAMLError(f"it is nested deeper than {MAX_DEPTH} levels")


def _documents(text: str) -> Iterator[Any]:
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            _written_out(node, {})
            yield loader.construct_document(node)
    finally:
        loader.dispose()


def _written_out(node: yaml.Node, sizes: dict[int, int]) -> int:
    """Return how many nodes there are when every alias is written out, within the bound."""
    if id(node) in sizes:
        if sizes[id(node)] == 0:
            raise yaml.YAMLError("an alias stands inside of what it names")
        return sizes[id(node)]
    sizes[id(node)] = 0
    size = 1
    if isinstance(node, yaml.SequenceNode):
        size += sum(_written_out(item, sizes) for item in node.value)
    elif isinstance(node, yaml.MappingNode):
        size += sum(_written_out(part, sizes) for pair in node.value for part in pair)
    if size > MAX_YAML_NODES:
        raise yaml.YAMLError(f"it has more than {MAX_YAML_NODES} values with its aliases")
    sizes[id(node)] = size
    return size


def _as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {_key(key): _as_json(item) for key, item in value.items()}
    if isinstance(value, set):
        value = sorted(value, key=str)
    if isinstance(value, list | tuple):
        return [_as_json(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        raise yaml.YAMLError("it holds a number that is not finite")
    return value


def _key(key: Hashable) -> str:
    if isinstance(key, str):
        return key
    plain = _as_json(key)
    return plain if isinstance(plain, str) else json.dumps(plain)
