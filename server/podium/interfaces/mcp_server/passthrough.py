"""Tools of upstreams under Podium's roof: what they are called and how they are shown."""

from collections.abc import Iterable, Mapping
from typing import Any

import mcp_types as types
from pydantic import ValidationError

from podium.domain.tool import Tool
from podium.interfaces.mcp_server.definitions import Definition
from podium.interfaces.mcp_server.directory import Place, unique_names


def exposed_names(
    tools: Iterable[Tool], prefix: str, *, taken: Iterable[str]
) -> list[tuple[str, Tool]]:
    """Return the name that each upstream tool gets; see `unique_names`."""
    found = list(tools)
    places = [Place(tool.server_id, tool.name) for tool in found]
    return list(zip(unique_names(places, prefix, taken), found, strict=True))


def without_open_output(definition: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a definition for the eras before 2026-07-28, whose output schemas are objects."""
    output = definition.get("outputSchema")
    if output is None or output.get("type") == "object":
        return definition
    return {key: value for key, value in definition.items() if key != "outputSchema"}


def passed_on(tool: Tool, name: str) -> Definition:
    """Return a tool's definition as it came; of one that is malformed, the sound part.

    Clients that check a list reject it as a whole for one odd definition.
    """
    given = {key: value for key, value in tool.definition.items() if value is not None}
    if given.get("inputSchema") == tool.input_schema and _is_sound(given):
        return {**given, "name": name}
    sound = {
        "name": name,
        "description": tool.description,
        "inputSchema": tool.input_schema,
        "outputSchema": tool.output_schema,
        "annotations": tool.annotations,
    }
    return {key: value for key, value in sound.items() if value is not None}


def _is_sound(definition: Mapping[str, Any]) -> bool:
    try:
        types.Tool.model_validate(definition, strict=True, by_name=False)
    except ValidationError:
        return False
    return True
