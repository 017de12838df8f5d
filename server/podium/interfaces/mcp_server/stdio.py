"""Stdin and stdout as the wire of one client; garbage is answered and outlived."""

import os
import stat
import sys
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Any, Self

import anyio
import anyio.lowlevel
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage

from podium.interfaces.mcp_server.draining import Drain
from podium.interfaces.mcp_server.limits import MESSAGE_BYTES
from podium.interfaces.mcp_server.lines import decode, encode
from podium.interfaces.mcp_server.server import mcp_server
from podium.interfaces.mcp_server.signals import ended_by_signals
from podium.orchestrator import Orchestrator
from podium.upstreams.framing import DroppedLine, LineReader

READ_BYTES = 65_536  # the capacity of a pipe
WAITING_BYTES = 1024 * 1024  # of answers for a client that reads slowly; then they wait unwritten
WRITE_SECONDS = 10.0  # a client that reads nothing for so long is gone

_Streams = tuple[Any, Any]


async def serve_stdio(orchestrator: Orchestrator, *, drain_seconds: float = 0.0) -> None:
    """Serve one client on stdin and stdout until it closes them, or SIGINT or SIGTERM comes.

    After a signal, calls in flight have `drain_seconds` to finish. Meanwhile stdout carries the
    protocol only: whatever else is printed goes to stderr.
    """
    server = mcp_server(orchestrator)
    async with _streams() as (incoming, outgoing):
        drain = Drain(incoming, outgoing)
        async with ended_by_signals(partial(drain.finish, drain_seconds)):
            await server.run(drain.incoming, drain.outgoing, server.create_initialization_options())


def _streams() -> AbstractAsyncContextManager[_Streams]:
    """Return our own streams where the system can wait for stdin, else the SDK's.

    The SDK's cross two or three threads per message: over pipes ours need half the processor time.
    """
    return _own_streams() if _can_wait_for_stdin() else stdio_server()


def _can_wait_for_stdin() -> bool:
    if sys.platform == "win32":
        return False
    try:
        stdin, *_others = [os.fstat(fd).st_mode for fd in (0, 1, 2)]
    except OSError:  # one is closed
        return False
    return stat.S_ISFIFO(stdin) or stat.S_ISSOCK(stdin) or os.isatty(0)


@asynccontextmanager
async def _own_streams() -> AsyncIterator[_Streams]:
    with _own_descriptors() as (stdin, stdout):
        outgoing = _Outgoing(stdout)
        yield _Incoming(stdin, outgoing), outgoing


@contextmanager
def _own_descriptors() -> Iterator[tuple[int, int]]:
    """Take the wire away from fd 0 and 1, so that no print and no child can touch it."""
    stdin, stdout = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout.flush()  # what was printed before goes to stderr as well
    was_blocking = os.get_blocking(stdout)
    if not os.isatty(stdout):  # a terminal is shared with the shell that waits for us
        os.set_blocking(stdout, False)
    try:
        yield stdin, stdout
    finally:
        with suppress(OSError):
            sys.stdout.flush()
        os.set_blocking(stdout, was_blocking)
        for mine, standard in ((stdin, 0), (stdout, 1)):
            os.dup2(mine, standard)
            os.close(mine)


class _Outgoing:
    """Messages to lines on a descriptor that does not block.

    Answers that are ready together go out in one write, by whoever is first: a write for each would
    wake the client as often.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lines: list[bytes] = []
        self._size = 0
        self._is_writing = False
        self._written = anyio.Event()
        self._closed = False

    async def send(self, message: SessionMessage, /) -> None:
        """Write one message as a whole, even when the sender is cancelled halfway."""
        line = encode(message)
        while self._size > WAITING_BYTES and not self._closed:
            await self._written.wait()
        if self._closed:
            raise anyio.ClosedResourceError
        self._lines.append(line)
        self._size += len(line)
        if not self._is_writing:
            self._is_writing = True
            try:
                await self._write_all()
            finally:
                self._is_writing = False
                self._written.set()

    async def _write_all(self) -> None:
        while self._lines:
            with anyio.move_on_after(WRITE_SECONDS, shield=True) as patience:
                await anyio.lowlevel.checkpoint()  # for the answers that are ready as well
                lines, self._lines, self._size = self._lines, [], 0
                await self._write(memoryview(b"".join(lines)))
            if patience.cancelled_caught:
                self._closed = True  # half a line is out: nothing sensible can follow it
                raise anyio.BrokenResourceError
            self._written.set()
            self._written = anyio.Event()

    async def _write(self, rest: memoryview) -> None:
        while rest:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:
                await anyio.wait_writable(self._fd)
            except OSError as error:
                self._closed = True
                raise anyio.BrokenResourceError from error

    async def aclose(self) -> None:
        """Send nothing more."""
        self._closed = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class _Incoming:
    """Lines of a descriptor to messages; what is none is answered as such."""

    def __init__(self, fd: int, outgoing: _Outgoing) -> None:
        self._fd = fd
        self._outgoing = outgoing
        self._reader = LineReader(MESSAGE_BYTES)
        self._lines: deque[bytes | DroppedLine] = deque()
        self._closed = False

    async def receive(self) -> SessionMessage:
        """Return the next message.

        Raises:
            anyio.EndOfStream: the client has closed its end; a line without an end is no message.

        """
        while True:
            while self._lines:
                message = decode(self._lines.popleft())
                if isinstance(message, SessionMessage):
                    return message
                if message is not None:
                    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                        await self._outgoing.send(SessionMessage(message))
            await self._read()

    async def _read(self) -> None:
        data = None
        while data is None and not self._closed:
            await anyio.wait_readable(self._fd)
            data = _read_now(self._fd)
        if not data:
            raise anyio.EndOfStream
        self._lines.extend(self._reader.feed(data))

    async def aclose(self) -> None:
        """Read nothing more."""
        self._closed = True

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _read_now(fd: int) -> bytes | None:
    """Return what there is: nothing at the end, None if there is nothing yet."""
    try:
        return os.read(fd, READ_BYTES)
    except BlockingIOError:  # whoever started us made the pipe so, and it was a false alarm
        return None
    except OSError:  # a terminal that was hung up
        return b""
