"""The short way of plain requests over HTTP: a body in, a body out.

As on stdio (see `lane`), a plain call of a tool needs none of what the SDK makes for each request,
and a list none of its models: it was written once. Only what is plainly in order is answered here;
all else goes the SDK's way, whole and unread as far as that can tell.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.lowlevel
import orjson
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import (
    ERROR_CODE_HTTP_STATUS,
    MCP_METHOD_HEADER,
    MCP_PROTOCOL_VERSION_HEADER,
    InboundModernRoute,
    classify_inbound_request,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from podium.interfaces.mcp_server.fronts import modern_front
from podium.interfaces.mcp_server.lane import is_plain
from podium.interfaces.mcp_server.limits import MESSAGE_BYTES
from podium.interfaces.mcp_server.lines import (
    Listing,
    answer_json,
    error_json,
    notice_line,
    without_stand_ins,
)
from podium.interfaces.mcp_server.server import LISTS, Desk

WATCH_SECONDS = 0.25  # after which it is watched whether the client hangs up; most calls are over
PING_SECONDS = 15.0  # of silence, after which a proxy on the way may think that nobody is there

_WANTED = frozenset({"application/json", "text/event-stream"})
_BIG_NUMBER = re.compile(rb"\d{19}")  # beyond 64 bits, perhaps: the quick reader would round it
_EVENTS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]


@dataclass(frozen=True, slots=True)
class _Plain:
    """A request that can be answered here."""

    id: int | str
    method: str
    params: dict[str, Any]


class PlainRequests:
    """An application that answers plain requests to a path; all others go to `app`.

    `hosts` are the names that clients may use; one with `:*` at its end stands for any port.
    """

    def __init__(self, app: ASGIApp, *, desk: Desk, path: str, hosts: Sequence[str]) -> None:
        self._app = app
        self._desk = desk
        self._path = path
        self._hosts = frozenset(hosts)
        self._any_port = tuple(name.removesuffix("*") for name in hosts if name.endswith(":*"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or have it answered."""
        headers = self._headers(scope)
        if headers is None:
            with anyio.CancelScope() as asking:
                if scope.get("method") == "POST":
                    receive = _whole(receive, asking)
                await self._app(scope, receive, _with_lists(scope, send))
            return
        taken = await _taken(receive)
        if taken[-1]["type"] == "http.disconnect":
            return
        request = self._plain(taken, headers)
        if request is None:
            await self._app(scope, _again(taken, receive), send)
            return
        await self._answer(request, receive, _Reply(send))

    # --- what is plain

    def _headers(self, scope: Scope) -> dict[str, str] | None:
        """Return the headers of what may be a plain request."""
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] != self._path:
            return None
        given = scope["headers"]
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in given}
        length = headers.get("content-length", "")
        is_plain_one = (
            len(headers) == len(given)  # none twice
            and headers.get(MCP_PROTOCOL_VERSION_HEADER) in MODERN_PROTOCOL_VERSIONS
            and headers.get(MCP_METHOD_HEADER) in self._desk.plain_methods
            and headers.get("content-type", "").lower().startswith("application/json")
            and {kind.strip() for kind in headers.get("accept", "").split(",")} >= _WANTED
            and self._is_own(headers.get("host", ""))
            and "origin" not in headers
            and length.isdecimal()
            and len(length) < 9
            and int(length) <= MESSAGE_BYTES
        )
        return headers if is_plain_one else None

    def _is_own(self, host: str) -> bool:
        return host in self._hosts or host.startswith(self._any_port)

    def _plain(self, taken: list[Message], headers: Mapping[str, str]) -> _Plain | None:
        body = b"".join(message.get("body", b"") for message in taken)
        if _BIG_NUMBER.search(body):
            return None
        try:
            wire = orjson.loads(body)
        except orjson.JSONDecodeError:
            return None
        if not isinstance(wire, dict) or wire.get("jsonrpc") != "2.0":
            return None
        identifier, method, params = wire.get("id"), wire.get("method"), wire.get("params")
        if not isinstance(identifier, int | str) or isinstance(identifier, bool):
            return None
        if not isinstance(method, str) or not isinstance(params, dict):
            return None
        route = classify_inbound_request(wire, headers=headers)
        if not isinstance(route, InboundModernRoute):
            return None
        if method == "tools/call":
            if not is_plain(params) or self._desk.mirrors_arguments(params["name"]):
                return None
        elif "cursor" in params:
            return None
        return _Plain(identifier, method, params)

    # --- its answer

    async def _answer(self, request: _Plain, receive: Receive, reply: "_Reply") -> None:
        """Answer a request; a client that hangs up gives it up."""
        loop = asyncio.get_running_loop()
        async with anyio.create_task_group() as tasks:

            async def watch() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                tasks.cancel_scope.cancel()

            is_accompanied = False

            def accompany() -> None:
                nonlocal is_accompanied
                is_accompanied = True
                tasks.start_soon(watch)
                tasks.start_soon(reply.keep_alive)

            timer = loop.call_later(WATCH_SECONDS, accompany)
            try:
                status, body = await self._outcome(request, reply)
            finally:
                timer.cancel()
            await reply.finish(status, body)
            if is_accompanied:  # to cancel costs more than to ask
                tasks.cancel_scope.cancel()

    async def _outcome(self, request: _Plain, reply: "_Reply") -> tuple[int, bytes]:
        try:
            if request.method == "tools/call":
                front = modern_front(request.params["_meta"], reply.tell)
                result = await self._desk.calls.answer(request.params, front)
            else:
                result = await self._desk.listed(request.method, is_modern=True)
        except MCPError as error:
            status = ERROR_CODE_HTTP_STATUS.get(error.error.code, 200)
            return status, error_json(request.id, error.error)
        return 200, answer_json(request.id, result)


def _with_lists(scope: Scope, send: Send) -> Send:
    """Return what puts the lists into answers that the SDK writes; see `Listing.stand_in`."""
    lists: dict[str, Listing] = {}
    scope[LISTS] = lists

    async def spliced(message: Message) -> None:
        if lists and message["type"] == "http.response.body":
            message = {**message, "body": without_stand_ins(message.get("body", b""), lists)}
        await send(message)

    return spliced


class _Reply:
    """The response: JSON, or events once there is something to say before the result."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._has_begun = False
        self._is_over = False

    async def tell(self, method: str, params: Mapping[str, Any]) -> None:
        """Send a notification."""
        await self._say(_event(notice_line(method, params).rstrip()))

    async def keep_alive(self) -> None:
        """Say from time to time that the request is being worked on."""
        while True:
            await anyio.sleep(PING_SECONDS)
            await self._say(b": ping\r\n\r\n")

    async def _say(self, data: bytes) -> None:
        if self._is_over:
            return
        if not self._has_begun:
            self._has_begun = True
            await self._send({"type": "http.response.start", "status": 200, "headers": _EVENTS})
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def finish(self, status: int, body: bytes) -> None:
        """Send the answer."""
        self._is_over = True
        if self._has_begun:
            await self._send({"type": "http.response.body", "body": _event(body)})
            return
        length = str(len(body)).encode()
        headers = [(b"content-length", length), (b"content-type", b"application/json")]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


def _event(body: bytes) -> bytes:
    return b"event: message\r\ndata: " + body + b"\r\n\r\n"


async def _taken(receive: Receive) -> list[Message]:
    """Return the messages of a request's body, whose length was told and is bounded."""
    taken = [await receive()]
    while taken[-1]["type"] == "http.request" and taken[-1].get("more_body"):
        taken.append(await receive())
    return taken


def _whole(receive: Receive, asking: anyio.CancelScope) -> Receive:
    """Return what receives a request, and ends the asking where the body breaks off.

    Else the SDK puts an error into the log for each client that goes away too soon.
    """
    is_whole = False

    async def next_one() -> Message:
        nonlocal is_whole
        message = await receive()
        if message["type"] == "http.disconnect" and not is_whole:
            asking.cancel()
            await anyio.lowlevel.checkpoint()
        is_whole = is_whole or not message.get("more_body")
        return message

    return next_one


def _again(taken: list[Message], receive: Receive) -> Receive:
    """Return what hands out the messages that were taken, and then what comes after them."""
    left = list(reversed(taken))

    async def next_one() -> Message:
        return left.pop() if left else await receive()

    return next_one
