"""The SDK's server with Podium's tools behind it: requests in, plain JSON results out."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from typing import Any

import mcp_types as types
from mcp.server import NotificationOptions, Server
from mcp.server.context import CallNext, HandlerResult
from mcp.server.subscriptions import ListenHandler
from mcp.shared.exceptions import MCPError
from mcp_types.methods import validate_client_request
from typing_extensions import override

from podium.domain.relay import Message
from podium.interfaces.mcp_server.announcing import Announcer
from podium.interfaces.mcp_server.calls import Calls
from podium.interfaces.mcp_server.catalog import Catalog
from podium.interfaces.mcp_server.directory import Directory
from podium.interfaces.mcp_server.fronts import (
    Context,
    Session,
    begin_session,
    front_of,
    is_modern,
    session_of,
)
from podium.interfaces.mcp_server.lines import with_stand_ins
from podium.interfaces.mcp_server.passing import Answer, Passing, progress_of
from podium.interfaces.mcp_server.progress import Progress
from podium.orchestrator import Orchestrator

INSTRUCTIONS = (
    "Podium answers requests by playing prepared compositions of tool calls over all connected "
    "servers. Start with process_request and the user's own words (English or French). If it "
    "answers `no_match`, find a tool with search_tools and call it with call_tool. "
    "get_compositions lists what is prepared, execute_composition plays one with exact params, "
    "get_execution shows what a run did step by step, resume_execution answers its question or "
    "plays a failed one on, give_feedback says whether the user found an answer right, "
    "save_composition keeps the call_tool calls of a conversation for the next time. "
    "Pass the conversation_id of a reply with the next request of the same conversation."
)
LISTS = "podium.lists"  # in the scope of an HTTP request: what stands for which list in its answer


def mcp_server(orchestrator: Orchestrator) -> Server[Any]:
    """Return an MCP server for any transport and both protocol eras."""
    return Desk(orchestrator).server


class _Server(Server[Any]):
    """A server that says that its lists change; over HTTP the SDK leaves no other way."""

    def __init__(self, *, announced: NotificationOptions, **options: Any) -> None:
        super().__init__("podium", **options)
        self._announced = announced

    @override
    def create_initialization_options(
        self, notification_options: NotificationOptions | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        return super().create_initialization_options(
            notification_options or self._announced, *args, **kwargs
        )


class Desk:
    """Answers what concerns tools and what is passed on; the SDK answers the rest.

    `server` speaks the protocol; `calls` is for those who know that a request is a plain call.
    """

    def __init__(self, orchestrator: Orchestrator, connection_id: str | None = None) -> None:
        """`connection_id` stands for the client, where all requests come from one."""
        self._orchestrator = orchestrator
        self._catalog = Catalog(orchestrator)
        self._relay = orchestrator.relay
        directory = Directory(self._relay, orchestrator.config_expose, orchestrator.config_prefix)
        self._announcer = Announcer(
            directory,
            {
                "tools": partial(self._catalog.listing, any_value=True),
                "prompts": partial(directory.shown, "prompts/list"),
                "resources": partial(directory.shown, "resources/list"),
            },
        )
        self._passing = Passing(self._relay, directory, self._announcer.saw)
        exposes = bool(orchestrator.config_expose)
        self.server = _Server(
            announced=NotificationOptions(
                tools_changed=True, prompts_changed=exposes, resources_changed=exposes
            ),
            version=version("podium-mcp"),
            title="Podium",
            description="One MCP server in front of all your MCP servers.",
            instructions=INSTRUCTIONS,
            # Without it the SDK would run tools/list before every call over modern HTTP.
            get_tool_input_schema=self._input_schema,
            lifespan=self._lifespan,
            on_subscriptions_listen=ListenHandler(self._announcer.bus),
        )
        self._answers: dict[str, Answer] = {
            "tools/list": self._list_tools,
            "tools/call": self._call_tool,
        }
        self._register("tools/list", types.PaginatedRequestParams)
        self._register("tools/call", types.CallToolRequestParams)
        if exposes:
            for method, (params_type, answer) in self._passing.answers.items():
                self._answers[method] = answer
                self._register(method, params_type)
        stamp = self.server.server_info_stamp
        self.calls = Calls(orchestrator, self._catalog, stamp, connection_id)
        # Replaces the telemetry spans, which nothing here exports (8 % of a small call).
        self.server.middleware[:] = [self._answer_in_full]

    def _register(self, method: str, params_type: type[types.RequestParams]) -> None:
        """Let the SDK know that a method is served; it is answered before the SDK's models."""
        self.server.add_request_handler(method, params_type, _unreachable)

    @asynccontextmanager
    async def _lifespan(self, _server: Server[Any]) -> AsyncIterator[dict[str, Any]]:
        async with self._announcer.listening(self._relay, self._orchestrator.on_tools_changed):
            yield {}

    async def _answer_in_full(self, ctx: Context, call_next: CallNext) -> HandlerResult:
        """Answer past the SDK's models, which drop the fields they do not know.

        A request that is not well formed, or that comes before its handshake, goes the SDK's way
        and gets the SDK's error.
        """
        if ctx.method == "initialize":
            return await self._greet(ctx, call_next)
        if ctx.method == "subscriptions/listen":
            return await self._listen(ctx, call_next)
        if ctx.method == "notifications/roots/list_changed":
            await self._tell_of_roots(ctx)
        answer = self._answers.get(ctx.method)
        if answer is None or not _is_welcome(ctx):
            return await call_next(ctx)
        result = await answer(ctx)
        if is_modern(ctx):
            return self.calls.stamped(result)
        lists = None if ctx.request is None else ctx.request.scope.get(LISTS)
        return result if lists is None else with_stand_ins(result, lists)

    # --- clients that come and go

    async def _greet(self, context: Context, call_next: CallNext) -> HandlerResult:
        result = await call_next(context)
        session = begin_session(context)
        self._announcer.sessions[session] = None
        if self._orchestrator.config_expose:
            self._relay.note_offer(session.capabilities)
        session.connection.exit_stack.push_async_callback(self._take_leave, session)
        return result

    async def _take_leave(self, session: Session) -> None:
        self._announcer.sessions.pop(session, None)
        self._relay.leave(session.session)
        self._orchestrator.disconnected(session.session)
        for place in session.watched.values():
            await self._relay.unwatch(*place)

    async def _tell_of_roots(self, context: Context) -> None:
        if (session := session_of(context)) is not None:
            await self._relay.tell(session.session, context.method, dict(context.params or {}))

    async def _listen(self, context: Context, call_next: CallNext) -> HandlerResult:
        wanted = (context.params or {}).get("notifications")
        uris = wanted.get("resourceSubscriptions") if isinstance(wanted, Mapping) else None
        if not self._orchestrator.config_expose or not isinstance(uris, list):
            return await call_next(context)
        async with self._passing.watching([uri for uri in uris if isinstance(uri, str)]):
            return await call_next(context)

    @property
    def latest_session(self) -> Session | None:
        """The client of the handshake era that came last."""
        return next(reversed(self._announcer.sessions), None)

    # --- for those who know a plain request

    @property
    def plain_methods(self) -> frozenset[str]:
        """What `calls` and `listed` answer."""
        return _LISTS_AND_CALLS if self._orchestrator.config_expose else _TOOLS

    async def listed(self, method: str, *, is_modern: bool) -> Message:
        """Return a list from its beginning, in the era of the client."""
        if method == "tools/list":
            result = await self._listed_tools(is_modern=is_modern)
        else:
            result = await self._passing.listed(method, is_modern=is_modern)
        return self.calls.stamped(result) if is_modern else result

    def mirrors_arguments(self, name: str) -> bool:
        """Whether a tool has arguments that HTTP repeats in headers."""
        entry = self._catalog.known(name)
        return entry is not None and entry.mirrors_arguments

    # --- tools

    async def _list_tools(self, context: Context) -> Message:
        if (context.params or {}).get("cursor") is not None:
            raise MCPError(types.INVALID_PARAMS, "unknown cursor: the list has one page")
        return await self._listed_tools(is_modern=is_modern(context))

    async def _listed_tools(self, *, is_modern: bool) -> Message:
        listing = await self._catalog.listing(any_value=is_modern)
        self._announcer.saw("tools", await self._catalog.listing(any_value=True))
        if is_modern:
            return {
                "tools": listing,
                "resultType": "complete",
                "ttlMs": 0,
                "cacheScope": "private",
            }
        return {"tools": listing}

    async def _call_tool(self, context: Context) -> Message:
        return await self.calls.answer(
            context.params or {},
            front_of(context),
            Progress(context.session),
            wants_progress=progress_of(context) is not None,
        )

    def _input_schema(self, name: str) -> Mapping[str, Any] | None:
        entry = self._catalog.known(name)
        return None if entry is None else entry.definition.get("inputSchema")


_TOOLS = frozenset({"tools/list", "tools/call"})
_LISTS_AND_CALLS = _TOOLS | {"prompts/list", "resources/list", "resources/templates/list"}


async def _unreachable(_context: Context, _params: object) -> Message:
    raise MCPError(types.INTERNAL_ERROR, "Podium failed on this request")


def _is_welcome(context: Context) -> bool:
    """Tell whether the request is well formed and, in the handshake era, follows a handshake."""
    params = context.params or {}
    if not is_modern(context) and session_of(context) is None:
        return False
    if context.method == "tools/list":
        return isinstance(params.get("cursor"), str | None)
    if context.method == "tools/call":  # the one that has to be fast
        return isinstance(params.get("name"), str) and isinstance(
            params.get("arguments"), Mapping | None
        )
    try:
        validate_client_request(context.method, context.protocol_version, context.params)
    except (KeyError, ValueError):
        return False
    return True
