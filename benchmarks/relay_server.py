"""The server behind the relays of relay.py: one tool, official SDK, `stdio` or `http PORT`."""

import logging
import sys
from typing import Any

import anyio
import mcp_types as types
import uvicorn
from mcp.server import Server
from mcp.server.stdio import stdio_server

ECHO = types.Tool(
    name="echo",
    description="Say it back",
    input_schema={"type": "object", "properties": {"text": {"type": "string"}}},
    annotations=types.ToolAnnotations(read_only_hint=True),
)


async def list_tools(_context: Any, _params: Any) -> types.ListToolsResult:
    return types.ListToolsResult(tools=[ECHO])


async def call_tool(_context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
    text = str((params.arguments or {}).get("text", ""))
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)])


def main() -> None:
    """Serve until the end of stdin, or until SIGTERM."""
    logging.disable()
    server = Server("echo", on_list_tools=list_tools, on_call_tool=call_tool)
    if sys.argv[1] == "http":
        app = server.streamable_http_app(host="127.0.0.1")
        # As the SDK brings it, whatever faster parts Podium has beside it.
        parts = {"http": "h11", "loop": "asyncio"}
        uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_config=None, **parts)
        return

    async def serve() -> None:
        async with stdio_server() as (read, write):
            await server.run(read, write, server.create_initialization_options())

    anyio.run(serve)


if __name__ == "__main__":
    main()
