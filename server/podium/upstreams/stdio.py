"""A child process as a pair of message streams: bounded lines, a bounded end, no orphan.

An asyncio protocol instead of worker threads, since every tool call goes through here. A message
that cannot be used costs its own request, never the connection.
"""

import asyncio
import os
import signal
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Self, cast

import anyio
import anyio.lowlevel
from typing_extensions import override

from podium.domain.errors import UpstreamUnavailableError
from podium.domain.tool import Noise
from podium.upstreams import sdk
from podium.upstreams.framing import (
    EDGE_BYTES,
    DroppedLine,
    LineReader,
    answered_id,
    looks_like_answer,
)
from podium.upstreams.keeper import Keeper
from podium.upstreams.launch import child_environment, find_command
from podium.upstreams.settings import UpstreamSettings
from podium.upstreams.words import LAST_WORDS, last_words_of

STDIN, STDOUT, STDERR = 0, 1, 2
_PIPES = {STDIN: "input", STDOUT: "output"}  # as errors name them
STDERR_BYTES = 8_192  # kept of what the process wrote to stderr last
QUEUED_MESSAGES = 256  # waiting to be handled before the pipe is left alone
NOTICES_PER_SECOND = 1_000  # no person can follow more progress; what is beyond is dropped
CLOSE_SECONDS = 1.5  # to exit once stdin is closed; nothing more is owed to a closed server
TERMINATE_SECONDS = 1.5  # to exit after SIGTERM
KILL_SECONDS = 1.0  # for the loop to notice that the process was killed
LAST_OUTPUT_SECONDS = 0.2  # for output still in the pipe after the process has exited
EXIT_SECONDS = 0.7  # for the exit of a process whose pipes are closed to be noticed
POLL_SECONDS = 0.02


class ChildProcess(asyncio.SubprocessProtocol):
    """One running server: its two message streams, the end of its stderr, its exit.

    `settle` takes an answer at once; what it does not take can be received.
    """

    def __init__(self, longest_line_bytes: int) -> None:
        self.settle: Callable[[sdk.SessionMessage], bool] = _not_settled
        self._ignored_lines = 0
        self._dropped_notices = 0
        self._stderr_bytes = 0
        self._second = 0
        self._notices = 0
        self._lines = LineReader(longest_line_bytes)
        self._longest = longest_line_bytes
        self._inbox: deque[sdk.SessionMessage] = deque()
        self._outbox: list[bytes] = []
        self._pending: dict[int | str, None] = {}
        self._stderr = b""
        self._arrived = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._exited = asyncio.Event()
        self._has_ended = False
        self._closed = ""
        self._is_closing = False
        self._is_paused = False
        self._transport: asyncio.SubprocessTransport | None = None

    # --- what the loop tells

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.SubprocessTransport", transport)

    @override
    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == STDERR:
            self._stderr = (self._stderr + data)[-STDERR_BYTES:]
            self._stderr_bytes += len(data)
            return
        if self._is_closing:
            return
        for line in self._lines.feed(data):
            # An answer that nothing else came before needs no turn of whoever reads the inbox.
            if (message := self._read(line)) is None or (not self._inbox and self.settle(message)):
                continue
            self._inbox.append(message)
            self._arrived.set()
        if len(self._inbox) > QUEUED_MESSAGES and not self._is_paused:
            self._is_paused = True
            self._stdout().pause_reading()

    @override
    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        # A server that closed its stdin can no longer be asked anything, so that ends it as well.
        if fd != STDERR:
            self._closed = self._closed or _PIPES[fd]
            self._end()

    @override
    def process_exited(self) -> None:
        self._exited.set()
        # Something it started may hold the pipe open for ever, so its end is not waited for.
        asyncio.get_running_loop().call_later(LAST_OUTPUT_SECONDS, self._end)

    @override
    def pause_writing(self) -> None:
        self._writable.clear()

    @override
    def resume_writing(self) -> None:
        self._writable.set()

    def _end(self) -> None:
        self._has_ended = True
        self._arrived.set()
        self._writable.set()

    # --- reading

    def _read(self, line: bytes | DroppedLine) -> sdk.SessionMessage | None:
        if isinstance(line, DroppedLine):
            text = f"its answer of {line.size:,} bytes is longer than {self._longest:,} bytes"
            return self._failure(line.head, line.tail, sdk.TOO_LARGE, text)
        message = sdk.decode(line)
        if message is None:
            self._ignored_lines += 1
            return None
        if isinstance(message, sdk.Unreadable):
            head, tail = line[:EDGE_BYTES], line[-EDGE_BYTES:]
            return self._failure(head, tail, sdk.BAD_MESSAGE, message.reason, message.id)
        if (answered := sdk.answer_id(message)) is not None:
            self._pending.pop(answered, None)
        elif self._is_flood(message):
            self._dropped_notices += 1
            return None
        return message

    def _is_flood(self, message: sdk.SessionMessage) -> bool:
        """Whether a message is one of too many notifications in one second."""
        method = sdk.notice_method(message)
        if method is None or method in _NEVER_DROPPED:
            return False
        second = int(asyncio.get_running_loop().time())
        if second != self._second:
            self._second, self._notices = second, 0
        self._notices += 1
        return self._notices > NOTICES_PER_SECOND

    def _failure(
        self, head: bytes, tail: bytes, code: int, text: str, identifier: int | str | None = None
    ) -> sdk.SessionMessage | None:
        """Return the error for the request that an unusable line answers, if that can be told.

        A line that carries no id but looks like an answer is taken for that of the one open call;
        with several open a wrong one might fail, so they are left to their time limits.
        """
        if identifier is None:
            identifier = answered_id(head, tail)
        if identifier is None and looks_like_answer(head):
            calls = [pending for pending in self._pending if isinstance(pending, int)]
            identifier = calls[0] if len(calls) == 1 else None
        if identifier is None or identifier not in self._pending:
            self._ignored_lines += 1
            return None
        del self._pending[identifier]
        return sdk.error_answer(identifier, code, text)

    async def receive(self) -> sdk.SessionMessage:
        """Return the next message.

        Raises:
            anyio.EndOfStream: the process is gone, or its pipe is.

        """
        # Let others run between two messages: a flood would otherwise hold the loop.
        await anyio.lowlevel.checkpoint()
        while not self._inbox:
            if self._has_ended:
                raise anyio.EndOfStream
            self._arrived.clear()
            await self._arrived.wait()
        message = self._inbox.popleft()
        if len(self._inbox) < QUEUED_MESSAGES // 2:
            self._read_on()
        return message

    def _read_on(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._stdout().resume_reading()

    # --- writing

    async def send(self, message: sdk.SessionMessage) -> None:
        """Write one message, waiting while the pipe is full.

        Raises:
            anyio.BrokenResourceError: the process no longer reads.

        """
        if not self._writable.is_set() and sdk.request_id(message) is None:
            return  # whoever does not read gets no answers and notices, and nobody hangs on them
        line = sdk.encode(message)
        await self._writable.wait()
        stdin = self._stdin()
        if self._has_ended or self._is_closing or stdin.is_closing():
            raise anyio.BrokenResourceError
        self._note(message)
        if not self._outbox:
            # Calls that start together go out in one write: each wakes the process once more.
            asyncio.get_running_loop().call_soon(self._flush)
        self._outbox.append(line)

    def _flush(self) -> None:
        lines, self._outbox = self._outbox, []
        stdin = self._stdin()
        if lines and not stdin.is_closing():
            stdin.write(b"".join(lines))

    def _note(self, message: sdk.SessionMessage) -> None:
        if (cancelled := sdk.cancelled_id(message)) is not None:
            self._pending.pop(cancelled, None)
        elif (identifier := sdk.request_id(message)) is not None:
            self._pending[identifier] = None

    # --- what the SDK asks of a stream

    async def aclose(self) -> None:
        """Do nothing: the process is ended by `stop`, not by whoever reads or writes last."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        return None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> sdk.SessionMessage:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    # --- the end

    async def obituary(self) -> str:
        """Say how the process ended and what it last wrote to stderr."""
        with anyio.move_on_after(EXIT_SECONDS):
            await self._exited.wait()
        words = last_words_of(self._stderr)
        return self._exit_words() + (f"; {LAST_WORDS}: {words}" if words else "")

    def noise(self) -> Noise:
        """Return how much was dropped of what it said."""
        return Noise(self._ignored_lines, self._dropped_notices, self._stderr_bytes)

    def last_words(self) -> str:
        """Return the end of what the process wrote to stderr."""
        return last_words_of(self._stderr)

    def _exit_words(self) -> str:
        status = None if self._transport is None else self._transport.get_returncode()
        if status is None:
            return f"closed its {self._closed or _PIPES[STDOUT]} but went on running"
        if status >= 0:
            return f"exited with status {status}"
        with suppress(ValueError):
            return f"was ended by {signal.Signals(-status).name}"
        return f"was ended by signal {-status}"

    @property
    def group(self) -> int:
        """The number of its process group."""
        return 0 if self._transport is None else self._transport.get_pid()

    async def stop(self) -> None:
        """End the process and everything it started: close stdin, SIGTERM, SIGKILL."""
        self._is_closing = True
        transport = self._transport
        if transport is None:
            return
        self._inbox.clear()
        self._read_on()  # a server stuck in writing could not exit
        self._flush()
        self._stdin().close()
        try:
            if await self._is_gone(CLOSE_SECONDS):
                return
            self._signal(signal.SIGTERM)
            if await self._is_gone(TERMINATE_SECONDS):
                return
            self._signal(_HARDEST)
            await self._is_gone(KILL_SECONDS)
        finally:
            transport.close()

    async def _is_gone(self, seconds: float) -> bool:
        with anyio.move_on_after(seconds):
            await self._exited.wait()
            # Orphans get no grace of their own: who started them is gone.
            self._signal(signal.SIGTERM)
            while self._group_lives():  # noqa: ASYNC110 - no one tells when a group is empty
                await anyio.sleep(POLL_SECONDS)
            return True
        return False

    def _group_lives(self) -> bool:
        return self._signal(0)

    def _signal(self, number: int) -> bool:
        """Send a signal to the process group; False if there is nothing left to send it to."""
        transport = self._transport
        if transport is None:
            return False
        try:
            if hasattr(os, "killpg"):
                os.killpg(transport.get_pid(), number)
            elif self._exited.is_set():
                return False
            elif number:
                transport.kill()
        except (ProcessLookupError, PermissionError):  # PermissionError: only zombies are left
            return False
        return True

    def _stdin(self) -> asyncio.WriteTransport:
        return cast("asyncio.WriteTransport", self._pipe(STDIN))

    def _stdout(self) -> asyncio.ReadTransport:
        return cast("asyncio.ReadTransport", self._pipe(STDOUT))

    def _pipe(self, fd: int) -> asyncio.BaseTransport | None:
        return None if self._transport is None else self._transport.get_pipe_transport(fd)


def _not_settled(_message: sdk.SessionMessage) -> bool:
    return False


_HARDEST = getattr(signal, "SIGKILL", signal.SIGTERM)
_NEVER_DROPPED = frozenset({"notifications/cancelled", "notifications/tools/list_changed"})


@asynccontextmanager
async def open_child(settings: UpstreamSettings, keeper: Keeper) -> AsyncIterator[ChildProcess]:
    """Start an upstream's program; leaving ends it, within a bound and with all it started.

    Should Podium be killed before that, the keeper ends it.

    Raises:
        UpstreamUnavailableError: the program is not there or cannot be started.

    """
    environment = child_environment(settings.env)
    program = find_command(settings.command or "", settings.cwd, environment)
    child = ChildProcess(settings.result_bytes)
    try:
        with anyio.CancelScope(shield=True):  # a start that is torn apart would leak the process
            await asyncio.get_running_loop().subprocess_exec(
                lambda: child,
                program,
                *settings.args,
                env=environment,
                cwd=settings.cwd,
                start_new_session=True,
            )
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in an argument
        raise UpstreamUnavailableError(
            f"'{program}' cannot be started: {error}",
            hint="correct `command`, `args` and `cwd` in config.yaml",
            sent=False,
        ) from error
    try:
        await keeper.begun(child.group)
        yield child
    finally:
        with anyio.CancelScope(shield=True):
            await child.stop()
            await keeper.ended(child.group)
