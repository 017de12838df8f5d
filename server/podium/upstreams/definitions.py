"""Tool definitions as upstreams list them to tools, each judged by itself.

Real servers send slightly wrong definitions; a tool that cannot be used is set aside with the
reason, and the others are none the worse for it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from podium.domain.tool import Effects, QuarantinedTool, Tool
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
    """The tools of one upstream: usable by name, set aside, and hidden by `allow` and `deny`."""

    tools: Mapping[str, Tool] = field(default_factory=dict)
    quarantined: tuple[QuarantinedTool, ...] = ()
    hidden: frozenset[str] = frozenset()


class _UnusableError(Exception):
    """Why one definition cannot be used."""


def read_tools(
    settings: UpstreamSettings, definitions: Iterable[Any], *, is_modern: bool = False
) -> ToolList:
    """Turn raw definitions into tools, one by one and in their order."""
    tools: dict[str, Tool] = {}
    quarantined: list[QuarantinedTool] = []
    hidden: set[str] = set()
    for place, definition in enumerate(definitions):
        try:
            tool = _read_tool(settings, definition, is_modern=is_modern)
        except _UnusableError as error:
            quarantined.append(QuarantinedTool(_shown_name(definition, place), str(error)))
            continue
        if tool.name in tools:
            reason = "another tool has the same name; the first one counts"
            quarantined.append(QuarantinedTool(tool.name, reason))
            continue
        if settings.offers(tool.name):
            tools[tool.name] = tool
        else:
            hidden.add(tool.name)
    return ToolList(tools, tuple(quarantined), frozenset(hidden))


def _read_tool(settings: UpstreamSettings, definition: Any, *, is_modern: bool) -> Tool:
    if not isinstance(definition, dict):
        raise _UnusableError("its definition is no JSON object")
    name = _name(definition)
    schema = _input_schema(definition)
    # The revision demands it: such a tool's calls would carry wrong headers.
    if is_modern and (reason := sdk.find_invalid_x_mcp_header(schema)) is not None:
        raise _UnusableError(f"its inputSchema has an invalid x-mcp-header: {words_of(reason)}")
    output_schema = definition.get("outputSchema")
    description = definition.get("description")
    return Tool(
        server_id=settings.server_id,
        name=name,
        description=description if isinstance(description, str) else "",
        input_schema=schema,
        output_schema=output_schema if isinstance(output_schema, dict) else None,
        annotations=_annotations(definition, settings.declared_effects(name)),
        definition=definition,
    )


def _name(definition: Mapping[str, Any]) -> str:
    name = definition.get("name")
    if not isinstance(name, str) or not name.strip():
        raise _UnusableError("it has no name")
    if len(name) > LONGEST_NAME:
        raise _UnusableError(f"its name is longer than {LONGEST_NAME} characters")
    if not name.isprintable():
        raise _UnusableError("its name holds control characters")
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
