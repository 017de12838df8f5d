"""Streamable HTTP: `/mcp` for clients of both eras, `/healthz` for whoever watches over Podium."""

import asyncio
import logging
import math
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from typing import cast

import anyio
import uvicorn
from anyio.abc import TaskStatus
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import override

from podium.domain.errors import CannotListenError
from podium.domain.serving import HttpLimits
from podium.interfaces.mcp_server.http_calls import PlainRequests
from podium.interfaces.mcp_server.limits import MESSAGE_BYTES
from podium.interfaces.mcp_server.packets import BoundedHttp
from podium.interfaces.mcp_server.server import Desk
from podium.interfaces.mcp_server.signals import ended_by_signals
from podium.orchestrator import Orchestrator

MCP_PATH = "/mcp"
SESSIONS = 1_000  # clients of the handshake era at once; one more is told to come back
SESSION_IDLE_SECONDS = 1_800.0
SPARE_FILES = 512  # beside the connections: upstreams, journal
IDLE_CONNECTION_SECONDS = 30
GRACE_SECONDS = 3.0  # for what still runs when the server is told to stop
BACKLOG = 1_024  # connections that wait to be accepted
SHOWN_FAULTS = 20  # files of the workspace that cannot be used, on `/healthz`

if sys.platform != "win32":
    import resource

_LISTEN = (b"mcp-method", b"subscriptions/listen")  # the header has to say what the body says
_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")
_EVERY_ADDRESS = ("", "0.0.0.0", "::")  # noqa: S104 - compared with, not bound to

_log = logging.getLogger(__name__)


def http_app(
    orchestrator: Orchestrator, *, host: str, port: int, allowed_hosts: Sequence[str] = ()
) -> Starlette:
    """Return the application for a server that listens on `host` and `port`.

    Requests must name this host or a local one (`allowed_hosts` adds further names, as `name` or
    `name:port`): a web page that rebinds its own name to this machine is refused.
    """
    security = _security(host, port, allowed_hosts)
    guard = TransportSecurityMiddleware(security)

    async def healthz(request: Request) -> Response:
        refusal = await guard.validate_request(request)
        return refusal or JSONResponse(_health(orchestrator))

    # JSON instead of event streams would be a little faster for clients of the handshake era, but
    # then progress is lost, and a client that hangs up goes unnoticed. Clients of the modern era
    # get JSON anyhow unless there is progress to report.
    desk = Desk(orchestrator)
    app = desk.server.streamable_http_app(
        streamable_http_path=MCP_PATH,
        host=host,
        transport_security=security,
        max_request_body_size=MESSAGE_BYTES,
        max_sessions=SESSIONS,
        session_idle_timeout=SESSION_IDLE_SECONDS,
        custom_starlette_routes=[Route("/healthz", healthz, methods=["GET"])],
    )
    # Outermost, so before whatever the SDK asks of a client: a login would have to come before it.
    hosts = security.allowed_hosts
    app.add_middleware(PlainRequests, desk=desk, path=MCP_PATH, hosts=hosts)
    return app


async def serve_http(
    orchestrator: Orchestrator,
    host: str,
    port: int,
    *,
    allowed_hosts: Sequence[str] = (),
    drain_seconds: float = GRACE_SECONDS,
    limits: HttpLimits | None = None,
    task_status: TaskStatus[str] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Serve on HTTP until cancelled, or until SIGINT or SIGTERM; port 0 takes a free one.

    Calls in flight then have `drain_seconds` to finish, while no new connection is taken.

    Under `TaskGroup.start` it reports the address of `/mcp` as soon as clients can connect.

    Raises:
        CannotListenError: the address cannot be listened on.

    """
    limits = limits or HttpLimits()
    _allow_files(limits.connections)
    listener = _listen(host, port)
    port = listener.getsockname()[1]
    app = http_app(orchestrator, host=host, port=port, allowed_hosts=allowed_hosts)
    url = f"http://{_in_url(host)}:{port}{MCP_PATH}"
    _log.info("listening on %s", url)
    async with ended_by_signals():
        task_status.started(url)
        listeners = _Listeners(app, limits.requests)
        await _run(listeners, _uvicorn_config(listeners, limits, drain_seconds), listener)


class _Server(uvicorn.Server):
    """Uvicorn without its signal handlers, which end the process before upstreams are closed."""

    @override
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Listeners:
    """An application that takes so many requests at once, and whose listening streams can be ended.

    Clients only listen on those; they would hold up the stop for its whole grace period. Uvicorn's
    own limit counts connections, so that too many of them would keep everybody out.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most
        self._open: set[anyio.CancelScope] = set()
        self._requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._requests >= self._most:
            busy = PlainTextResponse("too many requests at once", 503, {"Retry-After": "1"})
            await busy(scope, receive, send)
            return
        self._requests += 1
        try:
            await self._answer(scope, receive, send)
        finally:
            self._requests -= 1

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "GET" and _LISTEN not in scope["headers"]:
            await self._app(scope, receive, send)
            return
        has_begun = False

        async def noted(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        with anyio.CancelScope() as listening:
            self._open.add(listening)
            try:
                await self._app(scope, receive, noted)
            finally:
                self._open.discard(listening)
        if not listening.cancelled_caught:
            return
        if has_begun:
            await send({"type": "http.response.body", "body": b""})
        else:
            await PlainTextResponse("Podium is stopping", 503)(scope, receive, send)

    def end(self) -> None:
        """End every open request that only listens."""
        for listening in self._open:
            listening.cancel()


async def _run(app: _Listeners, config: uvicorn.Config, listener: socket.socket) -> None:
    """Serve until cancelled; then let calls finish within the time for that."""
    server = _Server(config)

    async def serve() -> None:
        with anyio.CancelScope(shield=True):
            await server.serve(sockets=[listener])
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        try:
            await anyio.sleep_forever()
        finally:
            server.should_exit = True
            app.end()


def _uvicorn_config(app: _Listeners, limits: HttpLimits, drain_seconds: float) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=cast("type[asyncio.Protocol]", partial(BoundedHttp, limits)),
        ws="none",
        lifespan="on",
        log_config=None,  # its own would write to stdout
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here asks where a client is
        limit_concurrency=limits.connections,
        timeout_keep_alive=IDLE_CONNECTION_SECONDS,
        timeout_graceful_shutdown=math.ceil(drain_seconds),
    )


def _allow_files(connections: int) -> None:
    """Ask for as many open files as the connections need; many systems grant 1,024 at first."""
    if sys.platform == "win32":
        return
    granted, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + SPARE_FILES
    if most != resource.RLIM_INFINITY:
        wanted = min(wanted, most)
    if granted not in (resource.RLIM_INFINITY, wanted) and granted < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CannotListenError(
            f"cannot listen on {_in_url(host)}:{port}: {reason}",
            hint="choose another port or host, or stop the program that uses it",
        ) from error
    # asyncio does this only for sockets that name their protocol; without it the second part of an
    # answer waits for the client's acknowledgement of the first, 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _security(host: str, port: int, allowed_hosts: Sequence[str]) -> TransportSecuritySettings:
    named = () if host in _EVERY_ADDRESS else (_in_url(host),)
    names = [*_LOCAL_NAMES, *(f"{name}:*" for name in _LOCAL_NAMES)]
    names += [*named, *(f"{name}:{port}" for name in named), *allowed_hosts]
    return TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=names,
        allowed_origins=[f"{scheme}://{name}" for name in names for scheme in ("http", "https")],
    )


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _health(orchestrator: Orchestrator) -> dict[str, object]:
    return {
        "status": "ok",
        "version": version("podium-mcp"),
        "upstreams": [status.to_dict() for status in orchestrator.statuses()],
        "faults": [fault.message for fault in orchestrator.faults[:SHOWN_FAULTS]],
        "drifts": [drift.message for drift in orchestrator.drifts()[:SHOWN_FAULTS]],
        **orchestrator.workload(),
    }
