"""The MCP way in: Podium's tools for any MCP client, on stdio and on streamable HTTP.

A `tools/call` comes in, `catalog` says what it means (one of Podium's own tools, a composition, a
tool of an upstream), the orchestrator does it, `results` gives the answer its wire form. Both
protocol eras are served on both transports. Answers to tool requests are plain JSON objects from
end to end: the SDK's models would drop whatever they do not know, and cost time.
"""

from podium.interfaces.mcp_server.http import http_app, serve_http
from podium.interfaces.mcp_server.server import mcp_server
from podium.interfaces.mcp_server.stdio import serve_stdio

__all__ = ["http_app", "mcp_server", "serve_http", "serve_stdio"]
