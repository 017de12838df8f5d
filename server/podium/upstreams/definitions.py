"""Tool definitions as upstreams list them to tools, each judged by itself.

Real servers send slightly wrong definitions; a tool that cannot be used is set aside with the
reason, and the others are none the worse for it. Characters that nobody sees are taken out of what
people and models read; the raw definition stays beside it, for that is what is pinned.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from podium.domain.errors import PinsInvalidError
from podium.domain.tool import Effects, HeldTool, QuarantinedTool, Tool
from podium.text.hidden import escaped, has_hidden, without_hidden
from podium.upstreams import sdk
from podium.upstreams.settings import UpstreamSettings
from podium.upstreams.words import words_of

LONGEST_NAME = 128  # characters of a tool's name
LONGEST_SHOWN_NAME = 60

_HINTS_OF_EFFECTS: Mapping[Effects, Mapping[str, bool]] = {
    "read": {"readOnlyHint": True, "destructiveHint": False},
    "write": {"readOnlyHint": False, "destructiveHint": False},
    "destructive": {"readOnlyHint": False, "destructiveHint": True},
}


@dataclass(frozen=True, slots=True)
class ToolList:
    """The tools of one upstream: usable by name, set aside, and hidden by `allow` and `deny`.

    `definitions` are the raw ones of all that could be read, hidden ones too. `held` are left out
    of `tools` because they are not as they were accepted, or all are, because of `pins_fault`.
    """

    tools: Mapping[str, Tool] = field(default_factory=dict)
    quarantined: tuple[QuarantinedTool, ...] = ()
    hidden: frozenset[str] = frozenset()
    definitions: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    held: tuple[HeldTool, ...] = ()
    pins_fault: PinsInvalidError | None = None


class _UnusableError(Exception):
    """Why one definition cannot be used."""


def read_tools(
    settings: UpstreamSettings, definitions: Iterable[Any], *, is_modern: bool = False
) -> ToolList:
    """Turn raw definitions into tools, one by one and in their order."""
    tools: dict[str, Tool] = {}
    quarantined: list[QuarantinedTool] = []
    hidden: set[str] = set()
    raw: dict[str, dict[str, Any]] = {}
    for place, definition in enumerate(definitions):
        try:
            tool = _read_tool(settings, definition, is_modern=is_modern)
        except _UnusableError as error:
            quarantined.append(QuarantinedTool(_shown_name(definition, place), str(error)))
            continue
        if tool.name in raw:
            reason = "another tool has the same name; the first one counts"
            quarantined.append(QuarantinedTool(tool.name, reason))
            continue
        raw[tool.name] = definition
        if settings.offers(tool.name):
            tools[tool.name] = tool
        else:
            hidden.add(tool.name)
    warnings = tuple(warning for name in tools for warning in _warnings(name, raw[name]))
    return ToolList(tools, tuple(quarantined), frozenset(hidden), raw, warnings)


def _read_tool(settings: UpstreamSettings, definition: Any, *, is_modern: bool) -> Tool:
    if not isinstance(definition, dict):
        raise _UnusableError("its definition is no JSON object")
    name = _name(definition)
    shown = _cleaned_definition(definition)
    schema = _input_schema(shown)
    # The revision demands it: such a tool's calls would carry wrong headers.
    if is_modern and (reason := sdk.find_invalid_x_mcp_header(schema)) is not None:
        raise _UnusableError(f"its inputSchema has an invalid x-mcp-header: {words_of(reason)}")
    output_schema = shown.get("outputSchema")
    description = shown.get("description")
    return Tool(
        server_id=settings.server_id,
        name=name,
        description=description if isinstance(description, str) else "",
        input_schema=schema,
        output_schema=output_schema if isinstance(output_schema, dict) else None,
        annotations=_annotations(shown, settings.declared_effects(name)),
        definition=shown,
    )


def _cleaned_definition(definition: dict[str, Any]) -> dict[str, Any]:
    try:
        json.dumps(definition)  # it is written so when it is pinned
        return {key: _cleaned_field(key, value) for key, value in definition.items()}
    except RecursionError:
        raise _UnusableError("its definition is nested too deeply") from None


def _name(definition: Mapping[str, Any]) -> str:
    name = definition.get("name")
    if not isinstance(name, str) or not name.strip():
        raise _UnusableError("it has no name")
    if len(name) > LONGEST_NAME:
        raise _UnusableError(f"its name is longer than {LONGEST_NAME} characters")
    if not name.isprintable() or has_hidden(name):
        raise _UnusableError("its name holds control or invisible characters")
    return name


def _input_schema(definition: Mapping[str, Any]) -> dict[str, Any]:
    if "inputSchema" not in definition:
        raise _UnusableError("it has no inputSchema")
    schema = definition["inputSchema"]
    if not isinstance(schema, dict):
        raise _UnusableError("its inputSchema is no JSON object")
    if "type" not in schema:
        return {"type": "object", **schema}
    if schema["type"] != "object":
        raise _UnusableError(f"its inputSchema is of type {schema['type']!r:.40}, not 'object'")
    return schema


def _annotations(definition: Mapping[str, Any], declared: Effects | None) -> dict[str, Any]:
    given = definition.get("annotations")
    hints = {
        name: value
        for name, value in (given if isinstance(given, dict) else {}).items()
        if isinstance(value, bool) or (name == "title" and isinstance(value, str))
    }
    return hints if declared is None else {**hints, **_HINTS_OF_EFFECTS[declared]}


def _shown_name(definition: Any, place: int) -> str:
    name = definition.get("name") if isinstance(definition, dict) else None
    shown = words_of(name, LONGEST_SHOWN_NAME) if isinstance(name, str) else ""
    return shown or f"tool {place + 1} of the list"


# --- characters that nobody sees

# These are compared, not read, so they stay as they are.
_EXACT = frozenset(
    ("name", "uri", "uriTemplate", "enum", "const", "pattern", "$ref", "$id", "$anchor", "$schema")
)


def cleaned_items(items: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what an upstream lists, cleaned; an item that is nested too deeply is left out."""
    found = []
    for item in items:
        with suppress(RecursionError):
            found.append({key: _cleaned_field(key, value) for key, value in item.items()})
    return found


def cleaned(value: Any) -> Any:
    """Return a JSON value whose texts hold no invisible characters; names and values stay."""
    if isinstance(value, str):
        return without_hidden(value)
    if isinstance(value, list):
        items = [cleaned(item) for item in value]
        return items if any(map(_is_other, items, value)) else value
    if isinstance(value, dict):
        fields = {key: _cleaned_field(key, item) for key, item in value.items()}
        return fields if any(_is_other(fields[key], value[key]) for key in value) else value
    return value


def _cleaned_field(key: str, value: Any) -> Any:
    return value if key in _EXACT and not isinstance(value, dict) else cleaned(value)


def _is_other(one: Any, other: Any) -> bool:
    return one is not other


def _warnings(name: str, definition: Mapping[str, Any]) -> Iterator[str]:
    """Yield what stays odd about a definition: hidden characters in what has to be exact."""
    for text in _exact_texts(definition):
        if has_hidden(text):
            yield f"{name}: its schema holds invisible characters: {escaped(text)[:60]}"
            return


def _exact_texts(value: Any, *, exact: bool = False) -> Iterator[str]:
    if isinstance(value, str) and exact:
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _exact_texts(item, exact=exact)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _exact_texts(item, exact=key in _EXACT and not isinstance(item, dict))
