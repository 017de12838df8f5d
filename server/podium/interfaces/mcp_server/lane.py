"""The short way of a plain `tools/call` on stdio: a line in, a line out.

The SDK's server makes half a dozen models, contexts and streams for each request, most of the time
that a passed-through call takes. A call that needs none of that goes past it: one of a client whose
era is settled, well formed, and without wish for progress. All else, and all that is not plainly in
order, goes the SDK's way and gets the SDK's answer.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import anyio
import anyio.abc
import mcp_types as types
import orjson
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import InboundModernRoute, classify_inbound_request

from podium.domain.relay import Message
from podium.interfaces.mcp_server.draining import Drain
from podium.interfaces.mcp_server.fronts import CallFront, front_of_session, modern_front
from podium.interfaces.mcp_server.lines import answer_line, error_line, notice_line
from podium.interfaces.mcp_server.server import Desk

OPEN_CALLS = 16_384  # of a client at once; one more is refused
OPEN_BYTES = 64 * 1024 * 1024  # of requests that are open

LAST_SECONDS = 2.0  # for calls that are given up to be written down

BUSY = "too many calls are open at once: wait for some of the answers"
CLOSED = "Connection closed"

_CALL, _CANCELLED = b'"tools/call"', b'"notifications/cancelled"'


class Out(Protocol):
    """Where lines go."""

    async def room(self) -> None:
        """Wait while the client reads too slowly."""

    def put(self, line: bytes) -> None:
        """Send a line after those before it."""


class Lane:
    """Takes the plain calls of one client and answers them."""

    def __init__(self, desk: Desk, out: Out, drain: Drain, tasks: anyio.abc.TaskGroup) -> None:
        self._desk = desk
        self._out = out
        self._drain = drain
        self._tasks = tasks
        self._open: dict[int | str, anyio.CancelScope] = {}
        self._bytes = self._playing = 0
        self._ended = anyio.Event()
        self._is_modern: bool | None = None

    def saw(self, message: types.JSONRPCMessage) -> None:
        """Take note of what goes the other way: the first request settles the client's era."""
        if self._is_modern is None and isinstance(message, types.JSONRPCRequest):
            self._is_modern = message.method != "initialize" and _is_enveloped(message.params)

    def takes(self, line: bytes) -> bool:
        """Whether a line is taken care of here."""
        if _CALL not in line and not (self._open and _CANCELLED in line):
            return False
        try:
            wire = orjson.loads(line)
        except orjson.JSONDecodeError:
            return False
        if not isinstance(wire, dict) or wire.get("jsonrpc") != "2.0":
            return False
        params = wire.get("params")
        if not isinstance(params, dict):
            return False
        if wire.get("method") == "notifications/cancelled":
            return self._cancels(params.get("requestId"))
        identifier = _identifier(wire.get("id"))
        if wire.get("method") != "tools/call" or identifier is None or identifier in self._open:
            return False
        front = self._front(params)
        if front is None:
            return False
        self._begin(identifier, params, front, len(line))
        return True

    def _cancels(self, given: Any) -> bool:
        identifier = _identifier(given)
        if identifier is None:
            return False
        scope = self._open.pop(identifier, None)
        if scope is None:
            return False
        scope.cancel()
        return True

    def give_up(self) -> None:
        """Give up what is open: the client has gone, or at least asks nothing more."""
        for scope in self._open.values():
            scope.cancel()

    async def end(self) -> None:
        """Give up what is open and wait until that is written down and told, within a bound."""
        self.give_up()
        with anyio.move_on_after(LAST_SECONDS):
            while self._playing:
                self._ended = anyio.Event()
                await self._ended.wait()

    def _front(self, params: Message) -> CallFront | None:
        """Return the client of a call that is plainly in order."""
        if not is_plain(params):
            return None
        if self._is_modern:
            route = classify_inbound_request({"method": "tools/call", "params": params})
            if not isinstance(route, InboundModernRoute):
                return None
            return modern_front(params["_meta"], self._tell)
        session = None if self._is_modern is None else self._desk.latest_session
        if session is None or _is_enveloped(params):
            return None
        return front_of_session(session)

    def _begin(self, identifier: int | str, params: Message, front: CallFront, size: int) -> None:
        refusal = self._drain.refusal()
        if len(self._open) >= OPEN_CALLS or self._bytes + size > OPEN_BYTES:
            refusal = refusal or types.ErrorData(code=types.INTERNAL_ERROR, message=BUSY)
        if refusal is not None:
            self._out.put(error_line(identifier, refusal))
            return
        scope = self._open[identifier] = anyio.CancelScope()
        self._bytes += size
        self._playing += 1
        self._drain.begin(identifier)
        self._tasks.start_soon(self._play, identifier, params, front, scope, size)

    async def _play(
        self,
        identifier: int | str,
        params: Message,
        front: CallFront,
        scope: anyio.CancelScope,
        size: int,
    ) -> None:
        """Answer one call; one that the client takes back gets no answer."""
        closed = types.ErrorData(code=types.CONNECTION_CLOSED, message=CLOSED)
        line = error_line(identifier, closed)
        try:
            with scope:
                line = await self._answered(identifier, params, front)
                await self._out.room()
        finally:
            if self._open.get(identifier) is scope:
                del self._open[identifier]
                self._out.put(line)
            self._bytes -= size
            self._playing -= 1
            self._ended.set()
            self._drain.end(identifier)

    async def _answered(self, identifier: int | str, params: Message, front: CallFront) -> bytes:
        try:
            return answer_line(identifier, await self._desk.calls.answer(params, front))
        except MCPError as error:
            return error_line(identifier, error.error)

    async def _tell(self, method: str, params: Message) -> None:
        await self._out.room()
        self._out.put(notice_line(method, params))


def is_plain(params: Mapping[str, Any]) -> bool:
    """Whether these are params of a call that wants nothing but its result."""
    meta = params.get("_meta")
    return (
        isinstance(params.get("name"), str)
        and isinstance(params.get("arguments"), dict | None)
        and isinstance(meta, dict | None)
        and not (meta and "progressToken" in meta)
    )


def _is_enveloped(params: Mapping[str, Any] | None) -> bool:
    meta = (params or {}).get("_meta")
    return isinstance(meta, Mapping) and types.PROTOCOL_VERSION_META_KEY in meta


def _identifier(value: Any) -> int | str | None:
    return value if isinstance(value, int | str) and not isinstance(value, bool) else None
