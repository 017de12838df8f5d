"""The MCP server round the tools: a call in, a structured result or a tool error out."""

import logging
import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
from anyio import to_thread
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server

from podium.domain.errors import PodiumError
from podium.domain.naming import did_you_mean
from podium.interfaces.files_server.catalogue import TOOLS, ServedTool
from podium.interfaces.files_server.folder import Folder

FAULT_CHARACTERS = 300  # of one fault; jsonschema repeats the whole value
MAX_FAULTS = 20

INSTRUCTIONS = (
    "Text files of one folder. Paths are relative to that folder and use '/'; "
    "nothing outside of it can be reached."
)

_logger = logging.getLogger(__name__)


def build_server(root: Path) -> Server[dict[str, Any]]:
    """Return a server for one folder.

    Raises:
        WorkspaceError: the folder does not exist or cannot be read.

    """
    folder = Folder(root)

    async def list_tools(
        _context: ServerRequestContext[Any], _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[tool.definition for tool in TOOLS.values()])

    async def call_tool(
        _context: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        return await _answer(folder, params.name, params.arguments or {})

    server: Server[dict[str, Any]] = Server(
        "podium-files",
        version=version("podium-mcp"),
        title="Podium files",
        instructions=INSTRUCTIONS,
        get_tool_input_schema=_input_schema,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )
    server.middleware.clear()  # telemetry that nothing here exports: 8 % of a small call
    return server


async def serve(root: Path) -> None:
    """Serve a folder on stdin and stdout until the client goes; errors as `build_server`."""
    server = build_server(root)
    try:
        async with stdio_server() as (read_stream, write_stream):
            await server.run(read_stream, write_stream, server.create_initialization_options())
    except* BrokenPipeError:
        _logger.debug("the client went away in the middle of an answer")


def main() -> int:
    """Serve the folder that the command line names; return the exit code."""
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m podium.interfaces.files_server DIR\n")
        return 2
    try:
        anyio.run(serve, Path(sys.argv[1]))
    except PodiumError as error:
        sys.stderr.write(f"{_sentence(error)}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


async def _answer(folder: Folder, name: str, arguments: dict[str, Any]) -> types.CallToolResult:
    tool = TOOLS.get(name)
    if tool is None:
        return _failed(f"there is no tool '{name[:100]}' ({did_you_mean(name[:100], TOOLS)})")
    if faults := _faults(tool, arguments):
        return _failed("; ".join(faults))
    # JSON does not tell 10 from 10.0, and no argument is a fraction.
    whole = {key: int(v) if isinstance(v, float) else v for key, v in arguments.items()}
    run = partial(tool.run, folder, **whole)
    try:
        structured, text = await to_thread.run_sync(run) if tool.threaded else run()
    except PodiumError as error:
        return _failed(_sentence(error))
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=text)], structured_content=structured
    )


def _faults(tool: ServedTool, arguments: dict[str, Any]) -> list[str]:
    errors = sorted(tool.validator.iter_errors(arguments), key=lambda error: error.json_path)
    return [
        f"{error.json_path.removeprefix('$.')}: {error.message[:FAULT_CHARACTERS]}"
        for error in errors[:MAX_FAULTS]
    ]


def _failed(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=True)


def _sentence(error: PodiumError) -> str:
    return f"{error.message} ({error.hint})" if error.hint else error.message


def _input_schema(name: str) -> dict[str, Any] | None:
    tool = TOOLS.get(name)
    return None if tool is None else tool.definition.input_schema
