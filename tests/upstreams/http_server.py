"""A real MCP server on streamable HTTP, both eras: `http_server.py [PORT]`; prints the port."""

import asyncio
import socket
import sys

import mcp_types as types
import uvicorn
from mcp.server import NotificationOptions, Server, ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ToolsListChanged

TENANT = {"type": "string", "x-mcp-header": "Tenant", "description": "whose"}
bus = InMemorySubscriptionBus()
names = ["echo", "slow", "rename", "big", "state"]
cancelled: list[str] = []


class AnnouncingServer(Server):
    """Announces changes of the list: streamable HTTP asks for the options without arguments."""

    def create_initialization_options(self, *_args, **_kwargs):
        return super().create_initialization_options(NotificationOptions(tools_changed=True))


async def list_tools(_context: ServerRequestContext, _params) -> types.ListToolsResult:
    schema = {"type": "object", "properties": {"tenant": TENANT}}
    return types.ListToolsResult(
        tools=[types.Tool(name=name, input_schema=schema) for name in names]
    )


async def call_tool(context: ServerRequestContext, params) -> types.CallToolResult:
    arguments = params.arguments or {}
    if params.name == "slow":
        try:
            await context.session.report_progress(1, 2, "half")
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append("slow")
            raise
    if params.name == "rename":
        names[0] = "renamed"
        await bus.publish(ToolsListChanged())
        await context.session.send_tool_list_changed()
    text = "x" * 2_000_000 if params.name == "big" else "done"
    header = context.request.headers.get("mcp-param-tenant") if context.request else None
    structured = {"arguments": arguments, "tenant": header, "cancelled": list(cancelled)}
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=text)], structured_content=structured
    )


async def main() -> None:
    server = AnnouncingServer(
        "over-http",
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_subscriptions_listen=ListenHandler(bus),
        get_tool_input_schema=lambda _name: None,
    )
    listening = socket.create_server(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0))
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    config = uvicorn.Config(server.streamable_http_app(), log_level="error", http="h11")
    await uvicorn.Server(config).serve(sockets=[listening])


asyncio.run(main())
