"""The SDK's server with Podium's tools behind it: requests in, plain JSON results out."""

import logging
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import anyio
import mcp_types as types
from mcp.server import Server, ServerRequestContext
from mcp.server.context import CallNext, HandlerResult
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from podium.domain.errors import InternalError, PodiumError
from podium.domain.naming import did_you_mean
from podium.interfaces.mcp_server.catalog import Call, Catalog, Entry
from podium.interfaces.mcp_server.passthrough import without_open_output
from podium.interfaces.mcp_server.progress import Progress
from podium.orchestrator import Orchestrator

INSTRUCTIONS = (
    "Podium answers requests by playing prepared compositions of tool calls over all connected "
    "servers. Start with process_request and the user's own words (English or French). If it "
    "answers `no_match`, find a tool with search_tools and call it with call_tool. "
    "get_compositions lists what is prepared, execute_composition plays one with exact params, "
    "get_execution shows what a run did step by step. Pass the conversation_id of a reply with "
    "the next request of the same conversation."
)
CONCURRENT_CALLS = 256  # tool calls that run at once; more wait their turn
SHOWN_NAME = 100  # characters of an unknown tool's name that are repeated to the client

_Context = ServerRequestContext[Any, Any]
_log = logging.getLogger(__name__)


def mcp_server(orchestrator: Orchestrator) -> Server[Any]:
    """Return an MCP server for any transport and both protocol eras."""
    return _Desk(orchestrator).server


class _Desk:
    """Answers the two tool requests; the SDK answers the rest."""

    def __init__(self, orchestrator: Orchestrator) -> None:
        self._orchestrator = orchestrator
        self._catalog = Catalog(orchestrator)
        self._calls = anyio.CapacityLimiter(CONCURRENT_CALLS)
        self.server: Server[Any] = Server(
            "podium",
            version=version("podium-mcp"),
            title="Podium",
            description="One MCP server in front of all your MCP servers.",
            instructions=INSTRUCTIONS,
            # Without it the SDK would run tools/list before every call over modern HTTP.
            get_tool_input_schema=self._input_schema,
        )
        self._answers = {"tools/list": self._list_tools, "tools/call": self._call_tool}
        self.server.add_request_handler(
            "tools/list", types.PaginatedRequestParams, self._answers["tools/list"]
        )
        self.server.add_request_handler(
            "tools/call", types.CallToolRequestParams, self._answers["tools/call"]
        )
        # Replaces the telemetry spans, which nothing here exports (8 % of a small call).
        self.server.middleware[:] = [self._answer_in_full]

    async def _answer_in_full(self, ctx: _Context, call_next: CallNext) -> HandlerResult:
        """Answer tool requests past the SDK's models, which drop the fields they do not know.

        A request that is not well formed, or that comes before its handshake, goes the SDK's way
        and gets the SDK's error.
        """
        answer = self._answers.get(ctx.method)
        if answer is None or not _is_welcome(ctx):
            return await call_next(ctx)
        result = await answer(ctx, None)
        if _is_modern(ctx):
            result["_meta"] = {types.SERVER_INFO_META_KEY: self.server.server_info_stamp}
        return result

    async def _list_tools(self, context: _Context, _params: object) -> dict[str, Any]:
        if (context.params or {}).get("cursor") is not None:
            raise MCPError(types.INVALID_PARAMS, "unknown cursor: the list has one page")
        entries = await self._catalog.entries()
        definitions = [entry.definition for entry in entries.values()]
        if _is_modern(context):
            return {
                "tools": definitions,
                "resultType": "complete",
                "ttlMs": 0,
                "cacheScope": "private",
            }
        return {"tools": [without_open_output(definition) for definition in definitions]}

    async def _call_tool(self, context: _Context, _params: object) -> dict[str, Any]:
        params = context.params or {}
        entry = await self._entry(params["name"])
        call = Call(
            self._orchestrator,
            params.get("arguments") or {},
            Progress(context.session),
            any_value=_is_modern(context),
        )
        async with self._calls:
            result = await _outcome(entry, call)
        if _is_modern(context):
            result["resultType"] = "complete"
        return result

    async def _entry(self, name: str) -> Entry:
        entry = await self._catalog.find(name)
        if entry is not None:
            return entry
        shown = name[:SHOWN_NAME]
        hint = did_you_mean(shown, await self._catalog.entries())
        raise MCPError(types.INVALID_PARAMS, f"Unknown tool: {shown} ({hint})")

    def _input_schema(self, name: str) -> Mapping[str, Any] | None:
        entry = self._catalog.known(name)
        return None if entry is None else entry.definition.get("inputSchema")


async def _outcome(entry: Entry, call: Call) -> dict[str, Any]:
    try:
        return await entry.run(call)
    except PodiumError as error:
        return entry.failed(error, call.arguments)
    except Exception:  # noqa: BLE001 - the boundary: one request must not end the others
        _log.exception("a call of the tool '%s' failed", entry.definition["name"])
        fault = InternalError("Podium failed on this request", hint="its log says more")
        return entry.failed(fault, call.arguments)


def _is_modern(context: _Context) -> bool:
    return context.protocol_version in MODERN_PROTOCOL_VERSIONS


def _is_welcome(context: _Context) -> bool:
    """Tell whether the request is well formed and, in the handshake era, follows a handshake."""
    params = context.params or {}
    if not _is_modern(context) and context.session.client_params is None:
        return False
    if context.method == "tools/list":
        return isinstance(params.get("cursor"), str | None)
    return isinstance(params.get("name"), str) and isinstance(
        params.get("arguments"), Mapping | None
    )
