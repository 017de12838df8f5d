"""A real MCP server on HTTP whose tool returns the headers it was called with; prints its port."""

import asyncio
import socket
import sys

import mcp_types as types
import uvicorn
from mcp.server import Server, ServerRequestContext


async def list_tools(_context: ServerRequestContext, _params) -> types.ListToolsResult:
    schema = {"type": "object"}
    return types.ListToolsResult(tools=[types.Tool(name="headers", input_schema=schema)])


async def call_tool(context: ServerRequestContext, _params) -> types.CallToolResult:
    headers = dict(context.request.headers)
    text = types.TextContent(type="text", text="heard")
    return types.CallToolResult(content=[text], structured_content={"headers": headers})


async def main() -> None:
    server = Server(
        "echo",
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        get_tool_input_schema=lambda _name: None,
    )
    listening = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    app = server.streamable_http_app(host="0.0.0.0")  # noqa: S104 - any Host header will do
    config = uvicorn.Config(app, log_level="error", http="h11")
    await uvicorn.Server(config).serve(sockets=[listening])


asyncio.run(main())
