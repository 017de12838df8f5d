"""One upstream over time: started when it is first needed, watched, started again after its end.

One owner task per life opens the connection and closes it. Whoever needs the upstream waits for the
same start, however many they are. One that nobody used for long enough may be put to sleep; its
tools are remembered, and the next call wakes it.
"""

import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from functools import partial
from typing import Any

import anyio

from podium.domain.backoff import backoff_seconds
from podium.domain.breaker import Breaker, BreakerRules, Outcome
from podium.domain.errors import (
    LoginRequiredError,
    PodiumError,
    ResultTooLargeError,
    UnknownToolError,
    UpstreamAnswerError,
    UpstreamError,
    UpstreamOpenError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from podium.domain.naming import did_you_mean
from podium.domain.ports import Clock, EraMemory, Front, Pins, ProgressCallback
from podium.domain.redaction import Redactor
from podium.domain.relay import Message
from podium.domain.tool import HeldTool, Noise, Tool, ToolResult, UpstreamState, UpstreamStatus
from podium.upstreams import sdk
from podium.upstreams.connection import ChangeListener, Connection, connect
from podium.upstreams.definitions import ToolList
from podium.upstreams.era import LEGACY, ProbeEndedError
from podium.upstreams.keeper import Keeper
from podium.upstreams.lines import Lines
from podium.upstreams.rate import CallBucket
from podium.upstreams.results import failure
from podium.upstreams.sdk import RpcError
from podium.upstreams.settings import UpstreamSettings
from podium.upstreams.trust import TrustGate, refusal
from podium.upstreams.words import LAST_WORDS, words_of

ACCEPTANCE_SECONDS = 2.0  # after which clients hear of tools that a person has accepted
STEADY_SECONDS = 30.0  # a life longer than this was no failure, however it ended
CLOSING = "Podium is closing"
IDLE = "it was not used"

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
    kind: type[UpstreamUnavailableError] = UpstreamUnavailableError


@dataclass(slots=True)
class _Attempt:
    """One call on its way: what it got hold of, and when its caller stops waiting."""

    patience: float
    connection: Connection | None = None
    was_sent: bool = False


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
        rules: BreakerRules,
        keeper: Keeper,
        on_change: ChangeListener,
        pins: Pins | None = None,
    ) -> None:
        self.settings = settings
        self.server_id = settings.server_id
        self._tool_list = ToolList()
        self.trust = TrustGate(settings.server_id, pins)
        self._bucket = CallBucket(settings.calls_per_minute, clock)
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
        self._was_lost = False
        self._restarts = 0
        self._ready_at = 0.0
        self._rules = rules
        self._keeper = keeper
        self._on_change = on_change
        self.lines = Lines(settings, keeper, spawn, self._notice)
        self._breaker = Breaker()
        self._last_failure = ""
        self._counted: Connection | None = None
        self._users = 0
        self._is_watched = False
        self._used_at = 0.0
        self._past_noise = Noise()
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
            restarts=self._restarts,
            target=self._redactor.text(self.settings.target),
            circuit=self._breaker.circuit,
            failures_in_a_row=self._breaker.failures,
            probe_in_seconds=self._seconds_to_probe(),
            noise=self._noise(),
            held=tuple(map(self._redacted_tool, tool_list.held)),
            warnings=tool_list.warnings,
        )

    def _redacted_tool(self, tool: HeldTool) -> HeldTool:
        return replace(tool, changes=tuple(map(self._redactor.text, tool.changes)))

    def _seconds_to_probe(self) -> float | None:
        if self._breaker.circuit == "closed":
            return None
        return round(self._breaker.seconds_to_probe(self._clock.monotonic(), self._rules), 1)

    def _noise(self) -> Noise:
        now = Noise() if self._connection is None else self._connection.noise()
        return self._past_noise + now

    def tools_now(self) -> ToolList:
        """Return the tools as last listed and accepted; none while it cannot be started."""
        if self._connection is not None:
            self._tool_list = self._connection.tool_list
        return self.trust.judged(self._tool_list)

    async def tool(self, tool_id: str) -> Tool:
        """Return a tool, starting the upstream if need be."""
        if self._live_connection() is not None:
            return self._tool(tool_id)
        with self._in_use():
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
        with self._in_use(), self._judged() as attempt:
            try:
                with anyio.fail_after(timeout_seconds):
                    attempt.connection = await self._ready()
                    tool = self._tool(tool_id)
                    self._bucket.take(tool.full_name)
                    async with attempt.connection.slots:
                        attempt.was_sent = True
                        return await attempt.connection.call(tool, arguments, on_progress)
            except TimeoutError:
                raise self._late(tool_id, timeout_seconds, was_sent=attempt.was_sent) from None
            except PodiumError as error:
                raise self.redacted(error) from None

    def redacted(self, error: PodiumError) -> PodiumError:
        """Return an error without the secrets that the upstream may have repeated."""
        error.message = self._redactor.text(error.message)
        error.args = (error.message,)
        return error

    @contextlib.contextmanager
    def _in_use(self) -> Iterator[None]:
        """Keep it awake inside the block."""
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            self._used_at = self._clock.monotonic()

    async def ready(self) -> None:
        """Start it if need be.

        Raises:
            UpstreamUnavailableError: it cannot be started, and why.

        """
        with self._in_use():
            await self._ready()

    async def connection(self) -> Connection:
        """Return its living connection, starting it if need be.

        Raises:
            UpstreamUnavailableError: it cannot be started, and why.

        """
        if (live := self._live_connection()) is not None:
            return live
        with self._in_use():
            return await self._ready()

    async def suited_to(self, front: Front) -> None:
        """Start it again if it was started before it could be known what clients offer.

        Raises:
            UpstreamUnavailableError: it cannot be started, and why.

        """
        self.lines.note_offer(front.capabilities)
        connection = await self.connection()
        if self._users == 0 and self.lines.wants_fresh_start(connection, front):
            connection.end(IDLE)

    def keep_awake(self, *, is_watched: bool) -> None:
        """Keep it from being put to sleep while clients watch resources of it."""
        if is_watched != self._is_watched:
            self._is_watched = is_watched
            self._users += 1 if is_watched else -1

    def _notice(self, method: str, params: Message) -> None:
        """Take a notice that came on another wire than the first."""
        if self._connection is not None:
            self._connection.notice(method, params)

    @contextlib.asynccontextmanager
    async def lent(self) -> AsyncIterator[Connection]:
        """Lend the connection for a client's own request, in one of the places for calls.

        Raises:
            UpstreamError: it cannot be started, or is left alone for now.

        """
        with self._in_use(), self._judged() as attempt:
            attempt.connection = await self._ready()
            self._bucket.take(f"upstream '{self.server_id}'")
            async with attempt.connection.slots:
                attempt.was_sent = True
                yield attempt.connection

    async def start(self) -> None:
        """Start it and wait until it is ready or has failed; its state then says which."""
        with contextlib.suppress(UpstreamUnavailableError):
            await self._ready()

    def start_soon(self) -> None:
        """Start it without waiting, unless it is running or has to be left alone for now."""
        if self._state == "asleep":
            return  # its tools are known: only a call wakes it
        with contextlib.suppress(UpstreamUnavailableError):
            if self._live_connection() is None:
                self._begin()

    def close(self) -> None:
        """End the connection; what is open on it fails. A start under way is given up."""
        self.lines.close()
        if self._connection is not None:
            self._connection.end(CLOSING)
        if self._start is not None:
            self._start.scope.cancel()

    # --- the breaker

    @contextlib.contextmanager
    def _judged(self) -> Iterator[_Attempt]:
        """Let a call through the breaker, and tell it afterwards what came of the call.

        Raises:
            UpstreamOpenError: it lets none through now.

        """
        admitted = self._breaker.admit(self._clock.monotonic(), self._rules)
        if admitted is None:
            raise self._left_alone()
        self._breaker = admitted
        attempt = _Attempt(patience=anyio.current_effective_deadline())
        outcome: Outcome = "given_up"
        try:
            yield attempt
            outcome, self._failures = "succeeded", 0
        except UpstreamError as error:
            outcome = self._outcome(error, attempt)
            if outcome == "failed":
                self._last_failure = error.message
            raise
        except anyio.get_cancelled_exc_class():
            # A step whose time is up cancels its call: of the upstream that says as much as the
            # call's own limit. A caller that went away says nothing.
            if attempt.was_sent and anyio.current_time() >= attempt.patience:
                outcome, self._last_failure = "failed", "it did not answer in the caller's time"
            raise
        finally:
            self._breaker = self._breaker.settle(
                admitted.turn, outcome, self._clock.monotonic(), self._rules
            )

    def _outcome(self, error: UpstreamError, attempt: _Attempt) -> Outcome:
        if isinstance(error, UpstreamAnswerError | ResultTooLargeError | LoginRequiredError):
            return "succeeded"
        connection = attempt.connection
        if connection is None or not attempt.was_sent:
            return "given_up"  # a failed start has its own pauses
        if connection.ended.is_set():
            if self._counted is connection:
                return "given_up"  # one crash, however many calls were open
            self._counted = connection
        return "failed"

    def _left_alone(self) -> UpstreamOpenError:
        wait = self._breaker.seconds_to_probe(self._clock.monotonic(), self._rules)
        when = f"the next call is let through in {wait:.1f} s"
        if self._breaker.circuit == "half_open":
            when = "one call is trying it just now"
        return UpstreamOpenError(
            f"upstream '{self.server_id}' is left alone after {self._breaker.failures} failures "
            f"in a row; {when}; the last failure: {self._last_failure}",
            hint="see how it is with `podium tools`; `health` in config.yaml sets when this begins "
            "and how long it lasts",
            sent=False,
        )

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
            self.settings,
            self._clock,
            longest_list=self._longest_list,
            keeper=self._keeper,
            on_change=self._on_change,
            offer=self.lines.offer,
        ) as connection:
            verdict = await self._prepare(start, connection, memory)
            if verdict is not _Verdict.READY:
                return verdict
            self._became_ready(start, connection, began)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(connection.keep_tools_fresh)
                tasks.start_soon(connection.listen)
                tasks.start_soon(connection.keep_watching)
                tasks.start_soon(self._announce_acceptance)
                if self.settings.sleep_after_seconds:
                    tasks.start_soon(self._sleep_when_idle, connection)
                await connection.ended.wait()
                tasks.cancel_scope.cancel()
            self._ended(connection, await connection.cause())
        return _Verdict.READY

    async def _announce_acceptance(self) -> None:
        """Tell of tools that are held back no longer: another process has accepted them."""
        held = self.tools_now().held
        while True:
            await self._clock.sleep(ACCEPTANCE_SECONDS)
            before, held = held, self.tools_now().held
            if held != before:
                self._on_change("tools", "")

    async def _sleep_when_idle(self, connection: Connection) -> None:
        """End the connection once nobody has used it for long enough."""
        rest = patience = self.settings.sleep_after_seconds
        while rest > 0:
            await self._clock.sleep(rest)
            idle = 0.0 if self._users else self._clock.monotonic() - self._used_at
            rest = patience - idle
        connection.end(IDLE)

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
        self.tools_now()  # what is seen for the first time is put on record now
        self._state, self._trouble = "ready", None
        self._era = connection.era.version
        self._restarts += self._was_lost
        self._was_lost = False
        self._ready_at = self._used_at = self._clock.monotonic()
        self._started_in_ms = 1000 * (self._ready_at - began)
        self._settle(start)
        self._on_change("ready", "")

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
        self._past_noise += connection.noise()
        if cause == IDLE:
            if self._start is None:
                self._state = "asleep"
            return
        self._was_lost = True
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
        return trouble.kind(
            f"upstream '{self.server_id}' is not available: {trouble.reason}{again}",
            hint=trouble.hint or f"check mcpServers.{self.server_id} in config.yaml",
            retryable=trouble.retryable,
            sent=False,
        )

    def _tool(self, tool_id: str) -> Tool:
        tool_list = self.tools_now()
        if (tool := tool_list.tools.get(tool_id)) is not None:
            return tool
        if (held_back := refusal(self.server_id, tool_list, tool_id)) is not None:
            raise self.redacted(held_back)
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
        kind = LoginRequiredError if isinstance(error, LoginRequiredError) else None
        reason = error.message.removeprefix("it: ")
        return _Trouble(reason, error.hint, error.retryable, kind or UpstreamUnavailableError)
    inner = error
    while isinstance(inner, ExceptionGroup):
        inner = inner.exceptions[0]
    return _Trouble(f"the connection broke: {type(inner).__name__}: {words_of(str(inner))}")
