"""The end of a client's streams in order: no new request, and the open ones get their answers."""

from types import TracebackType
from typing import Any, Self

import anyio
import mcp_types as types
from mcp.shared.message import SessionMessage

STOPPING = "Podium is stopping; ask again when it is back"
ENDLESS = frozenset({"subscriptions/listen"})  # answered only at the end, which it must not hold up


class Drain:
    """Knows which requests are open on a pair of streams.

    The server reads from `incoming` and writes to `outgoing`.
    """

    def __init__(self, incoming: Any, outgoing: Any) -> None:
        self.incoming = _Incoming(incoming, self)
        self.outgoing = _Outgoing(outgoing, self)
        self.is_stopping = False
        self._open: dict[int | str, None] = {}
        self._emptied = anyio.Event()

    async def finish(self, seconds: float) -> None:
        """Let no request in any more and wait for the answers to the open ones, within a bound."""
        self.is_stopping = True
        with anyio.move_on_after(seconds):
            while self._open:
                self._emptied = anyio.Event()
                await self._emptied.wait()

    def came_in(self, message: types.JSONRPCMessage) -> types.JSONRPCError | None:
        """Take note of a message of the client; returns the answer if it comes too late."""
        if isinstance(message, types.JSONRPCRequest):
            if (error := self.refusal()) is not None:
                return types.JSONRPCError(jsonrpc="2.0", id=message.id, error=error)
            if message.method not in ENDLESS:
                self.begin(message.id)
        elif (
            isinstance(message, types.JSONRPCNotification)
            and message.method == "notifications/cancelled"
        ):
            self.end((message.params or {}).get("requestId"))  # it gets no answer
        return None

    def went_out(self, message: types.JSONRPCMessage) -> None:
        """Take note of a message to the client."""
        if isinstance(message, types.JSONRPCResponse | types.JSONRPCError):
            self.end(message.id)

    def refusal(self) -> types.ErrorData | None:
        """Return the answer to requests that come too late."""
        if not self.is_stopping:
            return None
        return types.ErrorData(code=types.CONNECTION_CLOSED, message=STOPPING)

    def begin(self, identifier: int | str) -> None:
        """Take note of a request that is open now."""
        self._open[identifier] = None

    def end(self, identifier: Any) -> None:
        """Take note that a request gets no answer any more, or has it."""
        if isinstance(identifier, int | str):
            self._open.pop(identifier, None)
        if not self._open:
            self._emptied.set()


class _Stream:
    def __init__(self, inner: Any, drain: Drain) -> None:
        self._inner = inner
        self._drain = drain

    async def aclose(self) -> None:
        """Close the stream itself."""
        await self._inner.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _exc_type: type[BaseException] | None,
        _exc_value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


class _Incoming(_Stream):
    async def receive(self) -> Any:
        """Return the next message that the server should see."""
        while True:
            item = await self._inner.receive()
            refusal = (
                self._drain.came_in(item.message) if isinstance(item, SessionMessage) else None
            )
            if refusal is None:
                return item
            await self._drain.outgoing.send(SessionMessage(refusal))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None


class _Outgoing(_Stream):
    async def send(self, message: SessionMessage, /) -> None:
        """Send one message."""
        await self._inner.send(message)
        self._drain.went_out(message.message)
