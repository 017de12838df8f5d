"""Uvicorn's HTTP with bounds on what a client may keep open, and whole answers in one packet.

Uvicorn waits for ever for the rest of a request, and writes the head and the body of an answer one
after the other, so that a client wakes twice for each.
"""

import asyncio
from typing import Any, cast

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from podium.domain.serving import HttpLimits

_TOO_SLOW = b"408 Request Timeout"
_TOO_LONG = b"431 Request Header Fields Too Large"


class BoundedHttp(HttpToolsProtocol):
    """One connection: its requests come in time and with bounded heads, or it is closed."""

    def __init__(self, limits: HttpLimits, **options: Any) -> None:
        super().__init__(**options)
        self._limits = limits
        self._patience: asyncio.TimerHandle | None = None
        self._messages = 0
        self._head_bytes = 0
        self._is_in_head = True

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast("asyncio.Transport", _Gathering(transport)))
        self._expect_request()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        super().connection_lost(exc)

    @override
    def data_received(self, data: bytes) -> None:
        message = self._messages
        super().data_received(data)
        if self._is_in_head and message == self._messages:
            self._head_bytes += len(data)
            if self._head_bytes > self._limits.head_bytes:
                self._refuse(_TOO_LONG)

    # --- what the parser tells

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._messages += 1
        self._is_in_head, self._head_bytes = True, 0
        self._expect_request()

    @override
    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value.strip(b" \t"))  # blanks round a value are no part of it

    @override
    def on_headers_complete(self) -> None:
        self._is_in_head = False
        super().on_headers_complete()

    @override
    def on_message_complete(self) -> None:
        self._expect_nothing()
        super().on_message_complete()

    # --- patience

    def _expect_request(self) -> None:
        self._expect_nothing()
        self._patience = self.loop.call_later(self._limits.request_seconds, self._on_late)

    def _expect_nothing(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _on_late(self) -> None:
        if self.flow.read_paused:  # it waits for us, not we for it
            self._expect_request()
        else:
            self._refuse(_TOO_SLOW)

    def _refuse(self, status: bytes) -> None:
        """Close the connection; say why, unless an answer is being written."""
        self._expect_nothing()
        if self.transport.is_closing():
            return
        if self._messages and not self._is_answering():
            head = b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            self.transport.write(head)
        self.transport.close()

    def _is_answering(self) -> bool:
        cycle = self.cycle
        is_open = cycle is not None and cycle.response_started and not cycle.response_complete
        return is_open or bool(self.pipeline)


class _Gathering:
    """A transport that writes at the end of the turn; all else is the transport's own."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._parts: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Take some bytes; they go out with whatever follows at once."""
        if not self._parts:
            asyncio.get_running_loop().call_soon(self._flush)
        self._parts.append(data)

    def close(self) -> None:
        """Send what there is and close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        parts, self._parts = self._parts, []
        if parts and not self._transport.is_closing():
            self._transport.write(b"".join(parts))
