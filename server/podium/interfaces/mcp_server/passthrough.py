"""Tools of upstreams under Podium's roof: what they are called and how they are shown."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import mcp_types as types
from pydantic import ValidationError

from podium.domain.tool import Tool
from podium.interfaces.mcp_server.definitions import Definition


def exposed_names(
    tools: Iterable[Tool], prefix: str, *, taken: Iterable[str]
) -> list[tuple[str, Tool]]:
    """Return the name that each upstream tool gets.

    A name that is already taken, or that two upstreams claim, becomes `server__tool` for all who
    claim it: if the first simply won, the name would mean another tool whenever that upstream is
    down.
    """
    wanted = [(prefix.replace("{server}", tool.server_id) + tool.name, tool) for tool in tools]
    claims = Counter([*taken, *(name for name, _ in wanted)])
    return [
        (name if claims[name] == 1 else f"{tool.server_id}__{tool.name}", tool)
        for name, tool in wanted
    ]


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
