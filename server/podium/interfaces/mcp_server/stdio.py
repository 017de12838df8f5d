"""Stdin and stdout as the wire of one client; garbage is answered and outlived."""

import asyncio
import os
import secrets
import stat
import sys
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Any, Self

import anyio
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage

from podium.interfaces.mcp_server.draining import Drain
from podium.interfaces.mcp_server.lane import Lane
from podium.interfaces.mcp_server.limits import MESSAGE_BYTES
from podium.interfaces.mcp_server.lines import decode, encode
from podium.interfaces.mcp_server.server import Desk
from podium.interfaces.mcp_server.signals import ended_by_signals
from podium.orchestrator import Orchestrator
from podium.upstreams.framing import DroppedLine, LineReader

READ_BYTES = 65_536  # the capacity of a pipe
WAITING_BYTES = 1024 * 1024  # of answers for a client that reads slowly; then they wait unwritten
WAITING_LINES = 256  # to be received, before stdin is left alone
WRITE_SECONDS = 10.0  # a client that reads nothing for so long is gone

_Streams = tuple[Any, Any]


async def serve_stdio(orchestrator: Orchestrator, *, drain_seconds: float = 0.0) -> None:
    """Serve one client on stdin and stdout until it closes them, or SIGINT or SIGTERM comes.

    After a signal, calls in flight have `drain_seconds` to finish. Meanwhile stdout carries the
    protocol only: whatever else is printed goes to stderr.
    """
    connection_id = secrets.token_urlsafe(16)
    desk = Desk(orchestrator, connection_id)
    options = desk.server.create_initialization_options()
    async with _streams() as (incoming, outgoing), anyio.create_task_group() as calls:
        drain = Drain(incoming, outgoing)
        if isinstance(incoming, _Incoming):
            incoming.lane = outgoing.lane = Lane(desk, outgoing, drain, calls)
        async with ended_by_signals(partial(drain.finish, drain_seconds)):
            await desk.server.run(drain.incoming, drain.outgoing, options)
        calls.cancel_scope.cancel()
    orchestrator.disconnected(connection_id)


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
        async with _Outgoing(stdout) as outgoing, _Incoming(stdin, outgoing) as incoming:
            yield incoming, outgoing


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
    """Lines to a descriptor that does not block.

    What is ready together goes out in one write: a write for each would wake the client as often.
    A client that reads nothing for long is gone, and nothing more is written: half a line is out.
    """

    def __init__(self, fd: int) -> None:
        self.lane: Lane | None = None
        self._fd = fd
        self._loop = asyncio.get_running_loop()
        self._lines: list[bytes] = []
        self._rest = memoryview(b"")
        self._size = 0  # of the lines that wait
        self._is_due = False
        self._patience: asyncio.TimerHandle | None = None
        self._stirred = asyncio.Event()
        self._closed = False

    async def send(self, message: SessionMessage, /) -> None:
        """Write one message as a whole, even when the sender is cancelled halfway."""
        await self.room()
        if self._closed:
            raise anyio.ClosedResourceError
        self.put(encode(message))

    async def room(self) -> None:
        """Wait while too much is unwritten."""
        while self._size > WAITING_BYTES and not self._closed:
            self._stirred.clear()
            await self._stirred.wait()

    def put(self, line: bytes) -> None:
        """Have a line written after those before it; once closed, it is dropped."""
        if self._closed:
            return
        self._lines.append(line)
        self._size += len(line)
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._write)

    def _write(self) -> None:
        """Write what there is, as far as it goes; the rest when the client has read."""
        if self._closed:
            return
        if self._rest:
            rest = self._rest
        else:
            rest, self._lines = memoryview(b"".join(self._lines)), []
        try:
            written = os.write(self._fd, rest)
        except BlockingIOError:
            written = 0
        except OSError:  # nobody reads any more
            self._end()
            return
        self._rest = rest[written:]
        self._size -= written
        if written:
            self._rest_patiently(is_idle=not self._rest and not self._lines)
        elif self._patience is None:
            self._rest_patiently(is_idle=False)
        self._stirred.set()

    def _rest_patiently(self, *, is_idle: bool) -> None:
        """Wait for the client to read on, or for the next line."""
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
            self._loop.remove_writer(self._fd)
        self._is_due = not is_idle
        if not is_idle:
            self._patience = self._loop.call_later(WRITE_SECONDS, self._end)
            self._loop.add_writer(self._fd, self._write)

    def _end(self) -> None:
        self._rest_patiently(is_idle=True)
        self._closed = True
        self._lines, self._rest, self._size = [], memoryview(b""), 0
        self._stirred.set()

    async def aclose(self) -> None:
        """Write what is there and nothing more; takes as long as the client is patient with us."""
        with anyio.CancelScope(shield=True):
            if self.lane is not None:
                await self.lane.end()
            while self._size and not self._closed:
                self._stirred.clear()
                await self._stirred.wait()
        if not self._closed:
            self._end()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class _Incoming:
    """Lines of a descriptor to messages; what is none is answered as such.

    Plain calls are taken out by the `lane` as soon as they are there.
    """

    def __init__(self, fd: int, outgoing: _Outgoing) -> None:
        self.lane: Lane | None = None
        self._fd = fd
        self._loop = asyncio.get_running_loop()
        self._outgoing = outgoing
        self._reader = LineReader(MESSAGE_BYTES)
        self._lines: deque[bytes | DroppedLine] = deque()
        self._arrived = asyncio.Event()
        self._is_reading = False
        self._has_ended = False
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
                    if self.lane is not None:
                        self.lane.saw(message.message)
                    return message
                if message is not None:
                    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                        await self._outgoing.send(SessionMessage(message))
            await self._more()

    async def _more(self) -> None:
        """Wait for more lines."""
        if self._has_ended or self._closed:
            raise anyio.EndOfStream
        if not self._is_reading:
            self._is_reading = True
            self._loop.add_reader(self._fd, self._read)
        self._arrived.clear()
        await self._arrived.wait()

    def _read(self) -> None:
        """Read what there is; stops when enough waits to be received."""
        data = _read_now(self._fd)
        if data is None:
            return
        if not data:
            self._has_ended = True
            if self.lane is not None:
                self.lane.give_up()
        for line in self._reader.feed(data):
            if self.lane is None or isinstance(line, DroppedLine) or not self.lane.takes(line):
                self._lines.append(line)
        if self._lines or self._has_ended:
            self._arrived.set()
        if self._has_ended or len(self._lines) > WAITING_LINES:
            self._rest()

    def _rest(self) -> None:
        if self._is_reading:
            self._is_reading = False
            self._loop.remove_reader(self._fd)

    async def aclose(self) -> None:
        """Read nothing more."""
        self._closed = True
        self._rest()
        self._arrived.set()

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
