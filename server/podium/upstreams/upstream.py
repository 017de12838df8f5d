"""One upstream over time: started when it is first needed, watched, started again after its end.

One owner task per life opens the connection and closes it. Whoever needs the upstream waits for the
same start, however many they are.
"""

import contextlib
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from functools import partial
from typing import Any

import anyio

from podium.domain.errors import (
    PodiumError,
    UnknownToolError,
    UpstreamError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from podium.domain.naming import did_you_mean
from podium.domain.ports import Clock, EraMemory, ProgressCallback
from podium.domain.redaction import Redactor
from podium.domain.tool import Tool, ToolResult, UpstreamState, UpstreamStatus
from podium.upstreams import sdk
from podium.upstreams.backoff import backoff_seconds
from podium.upstreams.connection import Connection, connect
from podium.upstreams.definitions import ToolList
from podium.upstreams.era import LEGACY, ProbeEndedError
from podium.upstreams.results import failure
from podium.upstreams.sdk import RpcError
from podium.upstreams.settings import UpstreamSettings
from podium.upstreams.words import LAST_WORDS, words_of

STEADY_SECONDS = 30.0  # a life longer than this was no failure, however it ended
CLOSING = "Podium is closing"

Spawn = Callable[[Callable[[], Coroutine[Any, Any, None]]], None]


@dataclass(slots=True)
class _Start:
    """One start; `done` is set when it succeeded or failed, `scope` holds the life it begins."""

    done: anyio.Event = field(default_factory=anyio.Event)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)


@dataclass(frozen=True, slots=True)
class _Trouble:
    """Why an upstream is not there."""

    reason: str
    hint: str = ""
    retryable: bool = True


class Upstream:
    """The state of one configured upstream and the way to its tools."""

    def __init__(
        self,
        settings: UpstreamSettings,
        *,
        eras: EraMemory,
        clock: Clock,
        chance: Callable[[], float],
        redactor: Redactor,
        longest_list: int,
        spawn: Spawn,
    ) -> None:
        self.settings = settings
        self.server_id = settings.server_id
        self._tool_list = ToolList()
        self.was_settled = settings.disabled or settings.fault is not None
        self._eras = eras
        self._clock = clock
        self._chance = chance
        self._redactor = redactor
        self._longest_list = longest_list
        self._spawn = spawn
        self._state: UpstreamState = "disabled" if settings.disabled else "idle"
        self._trouble: _Trouble | None = None
        self._connection: Connection | None = None
        self._start: _Start | None = None
        self._one_life = anyio.Lock()
        self._failures = 0
        self._again_at = 0.0
        self._lives = 0
        self._ready_at = 0.0
        self._era: str | None = None
        self._started_in_ms: float | None = None
        if settings.fault is not None and not settings.disabled:
            self._state = "failed"
            self._trouble = _Trouble(settings.fault.message, settings.fault.hint, retryable=False)

    # --- what others see

    def status(self) -> UpstreamStatus:
        """Return how it is doing."""
        tool_list = self.tools_now()
        return UpstreamStatus(
            server_id=self.server_id,
            # While it is tried again after a failure, it is the failure that people want to see.
            state="failed" if self._state == "starting" and self._trouble else self._state,
            reason=self._redactor.text(self._trouble.reason) if self._trouble else "",
            era=self._era,
            tools=len(tool_list.tools),
            quarantined=tool_list.quarantined,
            started_in_ms=self._started_in_ms,
            restarts=max(0, self._lives - 1),
            target=self._redactor.text(self.settings.target),
        )

    def tools_now(self) -> ToolList:
        """Return the tools as last listed; none while it cannot be started."""
        if self._connection is not None:
            self._tool_list = self._connection.tool_list
        return self._tool_list

    async def tool(self, tool_id: str) -> Tool:
        """Return a tool, starting the upstream if need be."""
        await self._ready()
        return self._tool(tool_id)

    async def call(
        self,
        tool_id: str,
        arguments: Mapping[str, Any],
        timeout_seconds: float,
        on_progress: ProgressCallback | None,
    ) -> ToolResult:
        """Call a tool; the time covers the start, the wait for a free place and the call."""
        was_sent = False
        try:
            with anyio.fail_after(timeout_seconds):
                connection = await self._ready()
                tool = self._tool(tool_id)
                async with connection.slot():
                    was_sent = True
                    result = await connection.call(tool, arguments, on_progress)
        except TimeoutError:
            raise self._late(tool_id, timeout_seconds, was_sent=was_sent) from None
        except PodiumError as error:
            error.message = self._redactor.text(error.message)
            error.args = (error.message,)
            raise
        self._failures = 0
        return result

    async def start(self) -> None:
        """Start it and wait until it is ready or has failed; its state then says which."""
        with contextlib.suppress(UpstreamUnavailableError):
            await self._ready()

    def start_soon(self) -> None:
        """Start it without waiting, unless it is running or has to be left alone for now."""
        with contextlib.suppress(UpstreamUnavailableError):
            if self._live_connection() is None:
                self._begin()

    def close(self) -> None:
        """End the connection; what is open on it fails. A start under way is given up."""
        if self._connection is not None:
            self._connection.end(CLOSING)
        if self._start is not None:
            self._start.scope.cancel()

    # --- starting

    async def _ready(self) -> Connection:
        if (live := self._live_connection()) is not None:
            return live
        start = self._begin()
        await start.done.wait()
        if self._connection is None:
            raise self._unavailable()
        return self._connection

    def _live_connection(self) -> Connection | None:
        connection = self._connection
        return None if connection is None or connection.ended.is_set() else connection

    def _begin(self) -> _Start:
        if self._start is not None:
            return self._start
        if self._state == "disabled":
            raise UpstreamUnavailableError(
                f"upstream '{self.server_id}' is disabled",
                hint=f"remove `disabled` from mcpServers.{self.server_id} in config.yaml",
                retryable=False,
                sent=False,
            )
        if self.settings.fault is not None or self._clock.monotonic() < self._again_at:
            raise self._unavailable()
        start = _Start()
        self._spawn(partial(self._own, start))
        self._start, self._state = start, "starting"
        return start

    async def _own(self, start: _Start) -> None:
        """Own one life of the upstream, from its start to its end; everything is closed here."""
        with start.scope:
            async with self._one_life:  # the one before may still be closing
                memory = self._eras.recall(self.server_id, self.settings.fingerprint)
                try:
                    await self._live_in_some_era(start, memory)
                except Exception as error:  # noqa: BLE001 - the boundary of one upstream: others go on
                    self._failed(start, _trouble(error))
        if not start.done.is_set():
            self._state, self._trouble = "closed", _Trouble(CLOSING, retryable=False)
            self._settle(start)

    async def _live_in_some_era(self, start: _Start, memory: Mapping[str, Any] | None) -> None:
        for assumed in (memory, LEGACY):
            if await self._live(start, assumed) is not _Verdict.PROBE_ENDED:
                return
        self._failed(start, _Trouble("it goes away when it is asked which protocol it speaks"))

    async def _live(self, start: _Start, memory: Mapping[str, Any] | None) -> "_Verdict":
        began = self._clock.monotonic()
        async with connect(
            self.settings, self._clock, longest_list=self._longest_list
        ) as connection:
            verdict = await self._prepare(start, connection, memory)
            if verdict is not _Verdict.READY:
                return verdict
            self._became_ready(start, connection, began)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(connection.keep_tools_fresh)
                tasks.start_soon(connection.listen)
                await connection.ended.wait()
                tasks.cancel_scope.cancel()
            self._ended(connection, await connection.cause())
        return _Verdict.READY

    async def _prepare(
        self, start: _Start, connection: Connection, memory: Mapping[str, Any] | None
    ) -> "_Verdict":
        """Bring a fresh connection to its list of tools, within the time for a start.

        What goes wrong is noted, not raised: an error would leave the transport wrapped in groups.
        """
        seconds = self.settings.start_seconds
        trouble: _Trouble | None = None
        with anyio.move_on_after(seconds) as scope:
            try:
                await connection.prepare(memory)
            except ProbeEndedError:
                return _Verdict.PROBE_ENDED
            except RpcError as error:
                trouble = _trouble(error)
                if error.code == sdk.CLOSED:
                    trouble = _Trouble(f"while starting it {await connection.cause()}")
            except UpstreamError as error:
                trouble = _trouble(error)
        if scope.cancelled_caught:
            trouble = _Trouble(f"it did not get ready within {seconds:g} s")
            self._remember({})  # silence may come of the wrong era: the next start asks again
        if trouble is None:
            self._remember(connection.era.to_memory())
            return _Verdict.READY
        words = connection.last_words()
        if words and words not in trouble.reason:
            trouble = replace(trouble, reason=f"{trouble.reason}; {LAST_WORDS}: {words}")
        self._failed(start, trouble)
        return _Verdict.FAILED

    def _remember(self, era: dict[str, Any]) -> None:
        known = self._eras.recall(self.server_id, self.settings.fingerprint)
        if era != (known or {}):
            self._eras.remember(self.server_id, self.settings.fingerprint, era)

    # --- what a life comes to

    def _settle(self, start: _Start) -> None:
        """Let those who wait for this start go on."""
        if self._start is start:
            self._start = None
        self.was_settled = True
        start.done.set()

    def _became_ready(self, start: _Start, connection: Connection, began: float) -> None:
        self._connection = connection
        self._state, self._trouble = "ready", None
        self._era = connection.era.version
        self._lives += 1
        self._ready_at = self._clock.monotonic()
        self._started_in_ms = 1000 * (self._ready_at - began)
        self._settle(start)

    def _failed(self, start: _Start, trouble: _Trouble) -> None:
        """Note that a start failed, or that a connection broke in a way nobody foresaw."""
        self._connection, self._tool_list, self._era = None, ToolList(), None
        if self._start in (None, start):
            self._state = "failed"
        self._trouble = self._redacted(trouble)
        self._failures += 1
        self._leave_alone(self._failures)
        self._settle(start)

    def _ended(self, connection: Connection, cause: str) -> None:
        """Note that a connection which was ready is gone."""
        self._tool_list, self._connection = connection.tool_list, None
        if self._start is None:
            self._state = "closed"
        self._trouble = self._redacted(_Trouble(cause))
        if self._clock.monotonic() - self._ready_at > STEADY_SECONDS:
            self._failures = 0
        self._failures += 1
        self._leave_alone(self._failures - 1)  # the first time it is simply started again

    def _leave_alone(self, failures: int) -> None:
        self._again_at = self._clock.monotonic() + backoff_seconds(failures, self._chance())

    def _redacted(self, trouble: _Trouble) -> _Trouble:
        return replace(trouble, reason=self._redactor.text(trouble.reason))

    # --- errors

    def _unavailable(self) -> UpstreamUnavailableError:
        trouble = self._trouble or _Trouble(CLOSING)
        wait = self._again_at - self._clock.monotonic()
        again = f"; it is tried again in {wait:.1f} s" if wait > 0 else ""
        return UpstreamUnavailableError(
            f"upstream '{self.server_id}' is not available: {trouble.reason}{again}",
            hint=trouble.hint or f"check mcpServers.{self.server_id} in config.yaml",
            retryable=trouble.retryable,
            sent=False,
        )

    def _tool(self, tool_id: str) -> Tool:
        tool_list = self.tools_now()
        if (tool := tool_list.tools.get(tool_id)) is not None:
            return tool
        if tool_id in tool_list.hidden:
            raise UnknownToolError(
                f"tool '{self.server_id}.{tool_id}' is left out by the configuration",
                hint=f"change `allow` or `deny` of mcpServers.{self.server_id} in config.yaml",
            )
        for quarantined in tool_list.quarantined:
            if quarantined.name == tool_id:
                raise UnknownToolError(
                    f"tool '{self.server_id}.{tool_id}' cannot be used: {quarantined.reason}",
                    hint="the server does not keep to the protocol; report it to its authors",
                )
        raise UnknownToolError(
            f"upstream '{self.server_id}' has no tool '{tool_id}'",
            hint=did_you_mean(tool_id, tool_list.tools, otherwise="it offers no tools"),
        )

    def _late(self, tool_id: str, seconds: float, *, was_sent: bool) -> UpstreamTimeoutError:
        name = f"{self.server_id}.{tool_id}"
        if was_sent:
            return UpstreamTimeoutError(
                f"{name} did not answer within {seconds:g} s",
                hint="give it more time (`timeout_seconds`), or ask for less",
            )
        waited = "the upstream to start" if self._state == "starting" else "a free place"
        return UpstreamTimeoutError(
            f"{name} was not called: {seconds:g} s went by waiting for {waited}",
            hint="try again, or give it more time (`timeout_seconds`)",
            sent=False,
        )


class _Verdict(Enum):
    """What came of a fresh connection."""

    READY = auto()
    FAILED = auto()
    PROBE_ENDED = auto()


def _trouble(error: Exception) -> _Trouble:
    if isinstance(error, RpcError):
        error = failure("it", error)
    if isinstance(error, PodiumError):
        return _Trouble(error.message.removeprefix("it: "), error.hint, error.retryable)
    inner = error
    while isinstance(inner, ExceptionGroup):
        inner = inner.exceptions[0]
    return _Trouble(f"the connection broke: {type(inner).__name__}: {words_of(str(inner))}")
