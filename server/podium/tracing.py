"""What clients do themselves to compositions: calls in, learning files and alarms out.

A request only hands over what was called (an append). A task beside the requests records it, learns
from the conversations that are over and takes note of what results look like, in a worker thread
where it takes long. What it learnt it writes as files; whoever serves them is told.
"""

import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio
from anyio import to_thread

from podium.domain.errors import NotLearntError, PodiumError
from podium.domain.ports import Clock
from podium.domain.tool import Tool, ToolResult
from podium.domain.trace import TracedCall
from podium.domain.versions import definition_hash
from podium.monitor.schemas import MAX_TOOLS, Drift, ObservedSchemas
from podium.monitor.traces.cleaning import Refusal
from podium.monitor.traces.learner import Learner, Proposal
from podium.monitor.traces.recorder import ConversationKey, Recorder, conversation_key

__all__ = ["ConversationKey", "Tracing", "conversation_key"]

ROUND_SECONDS = 30.0  # between two looks at what became idle
LINGER_SECONDS = 0.25  # calls that end within it are recorded together
FLUSH_SECONDS = 30.0  # between two writings of what results look like
WAIT_SECONDS = 2.0  # that a request waits for what was done right before it to be learnt
CLOSE_SECONDS = 5.0  # for what is to be kept, at the end
MOST_WAITING = 1_000  # events to be recorded; one more call makes its conversation useless
MOST_RESULTS = 200  # to be looked at; the oldest go
RESULTS_SECONDS = 0.02  # for looking at them in one round; 3 KB take 0.2 ms, 300 KB take 10 ms
MOST_OF_TOOL = 10  # of these, of one tool in one round: more look the same

logger = logging.getLogger("podium.tracing")

Spawn = Callable[[Callable[[], Coroutine[Any, Any, None]]], None]
OnLearnt = Callable[[Sequence[Proposal]], Awaitable[None]]
Act = Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Called:
    """A call that has ended; without a result it failed."""

    key: ConversationKey
    tool: Tool
    arguments: dict[str, Any]
    result: ToolResult | None
    started_at: float
    ended_at: float
    request: str


class Tracing:
    """The recorder, the learner and the observed schemas at work; one for each orchestrator."""

    def __init__(
        self,
        *,
        recorder: Recorder,
        learner: Learner,
        schemas: ObservedSchemas,
        clock: Clock,
        is_enabled: bool,
        on_learnt: OnLearnt,
    ) -> None:
        """`on_learnt` is called when files of compositions, or of their patterns, were written."""
        self._recorder = recorder
        self._learner = learner
        self._schemas = schemas
        self._clock = clock
        self._is_enabled = is_enabled
        self._on_learnt = on_learnt
        self._waiting: deque[_Called | Act] = deque()
        self._results: deque[tuple[Tool, ToolResult]] = deque(maxlen=MOST_RESULTS)
        self._lost: dict[ConversationKey, None] = {}
        self._hashes: dict[str, tuple[Tool, str]] = {}
        self._revision = 0  # counts what was learnt
        self._flushed_at = clock.monotonic()
        self._has_begun = self._has_taken_up = False
        self._has_failed = False
        self._turn = anyio.Lock()
        self._stirred, self._hurried = anyio.Event(), anyio.Event()
        self._next_round = anyio.Event()  # set when the round that begins next is over
        self._scope = anyio.CancelScope()

    # --- life

    def start(self, spawn: Spawn) -> None:
        """Begin to work beside the requests."""
        spawn(self._work)

    async def aclose(self) -> None:
        """Keep what is not learnt yet for the next start, as far as there is time, and stop."""
        self._scope.cancel()
        with anyio.move_on_after(CLOSE_SECONDS, shield=True):
            async with self._turn:  # what is under way comes to its end
                try:
                    await self._take_in()
                    await self._learner.put_off()
                    if self._has_begun:  # else what was known before would be written over
                        await self._schemas.flush()
                except PodiumError as error:
                    logger.warning("what was done is not learnt: %s", error.message)

    # --- for requests; none of these waits for a file

    def called(
        self,
        key: ConversationKey | None,
        tool: Tool,
        arguments: Mapping[str, Any],
        result: ToolResult | None,
        *,
        started_at: float,
        request: str = "",
    ) -> None:
        """Hand over a client's call that has ended; without a result it failed.

        Without a conversation it is not recorded.
        """
        if key is None or not self._is_enabled:
            return
        ended_at = self._clock.now()
        call = _Called(key, tool, dict(arguments), result, started_at, ended_at, request)
        if not self._put(call) and len(self._lost) < MOST_WAITING:
            self._lost[key] = None

    def saw(self, tool: Tool, result: ToolResult) -> None:
        """Hand over a result of whatever call, for what it looks like."""
        if not result.is_error:
            self._results.append((tool, result))
            self._stirred.set()

    async def unanswered(self, keys: Sequence[ConversationKey], request: str) -> bool:
        """Take note of a request that nothing answers: the next calls may be for that.

        Other words end what was done before them. Returns whether something was learnt of that
        within `WAIT_SECONDS`, so that it is worth asking again.
        """
        if not self._is_enabled:
            return False
        before = self._revision
        for key in keys:
            self._put(partial(self._recorder.note_request, key, request))
        self._hurried.set()
        with anyio.move_on_after(WAIT_SECONDS):
            await self._next_round.wait()
        return self._revision > before

    def answered(self, keys: Sequence[ConversationKey]) -> None:
        """Take note that a request was answered: what was done before it is over."""
        for key in keys if self._is_enabled else ():
            self._put(partial(self._recorder.end, key))

    def disconnected(self, connection_id: str) -> None:
        """Take note that a connection is closed."""
        self._put(partial(self._recorder.disconnect, connection_id))

    def _put(self, event: _Called | Act) -> bool:
        """Have something recorded; return whether there was room for it."""
        if len(self._waiting) >= MOST_WAITING:
            return False
        self._waiting.append(event)
        self._stirred.set()
        return True

    # --- for people

    async def proposals(self) -> list[Proposal]:
        """Return everything that was learnt, the latest first.

        Raises:
            TracesError: the record cannot be read.

        """
        await self.settled()
        return await self._learner.learnt()

    async def proposal(self, composition_id: str) -> Proposal:
        """Return what was learnt under a name.

        Raises:
            NotLearntError: nothing was.
            TracesError: the record cannot be read.

        """
        await self.settled()
        return await self._learner.proposal(composition_id)

    async def accept(self, composition_id: str) -> Proposal:
        """Write a proposal's file, and its pattern if nothing speaks against it.

        Raises:
            NotLearntError: there is no such proposal.
            TracesError: a file cannot be written.

        """
        await self.settled()
        accepted = await self._learner.accept(composition_id)
        await self._tell([accepted])
        return accepted

    async def refuse(self, composition_id: str) -> None:
        """Never propose this again; the file, if there is one, stays.

        Raises:
            NotLearntError: there is no such proposal.
            TracesError: the record cannot be written.

        """
        await self.settled()
        await self._learner.refuse(composition_id)

    async def save(
        self, keys: Sequence[ConversationKey], name: str, description: str = ""
    ) -> Proposal:
        """Keep what a conversation did under a name; its calls are under the first key with any.

        Raises:
            NotLearntError: it has no calls, they make no composition, or the name is taken.
            TracesError: a file cannot be written.

        """
        if not self._is_enabled:
            raise NotLearntError(
                "learning is off, so no call is recorded",
                hint="set orchestrator.learning_enabled: true in config.yaml",
            )
        async with self._turn:
            await self._round()  # what this conversation did before tells more of the same task
            key = next((key for key in keys if self._recorder.current(key)), None)
            saved = await self._learner.save(key, name, description)
            await self._tell([saved])
        return saved

    def drifts(self) -> list[Drift]:
        """Return the alarms: tools that returned something else than before, not long ago."""
        return self._schemas.drifts()

    def described(self, tool: Tool) -> Tool:
        """Return a tool with what its results look like, where it does not say so itself."""
        return self._schemas.described(tool)

    async def settled(self) -> None:
        """Learn from all that is over.

        Raises:
            TracesError: the record cannot be read or written.

        """
        async with self._turn:
            await self._round()

    # --- the task beside the requests

    async def _work(self) -> None:
        with self._scope:
            while True:
                over, self._next_round = self._next_round, anyio.Event()
                try:
                    await self.settled()
                    self._has_failed = False
                except PodiumError as error:
                    self._note_failure(error)
                except Exception:
                    # A boundary like that round a request: it ends one round, not the program.
                    logger.exception("learning from traces failed unexpectedly")
                finally:
                    over.set()
                with anyio.move_on_after(ROUND_SECONDS):
                    await self._stirred.wait()
                    with anyio.move_on_after(LINGER_SECONDS):
                        await self._hurried.wait()
                self._stirred, self._hurried = anyio.Event(), anyio.Event()

    def _note_failure(self, error: PodiumError) -> None:
        if not self._has_failed:  # it is tried again every round
            logger.warning("traces: %s", error.message)
        self._has_failed = True

    async def _round(self) -> None:
        if not self._has_begun:
            await self._schemas.load()
            self._has_begun = True
        await self._take_in()
        if not self._has_taken_up:
            await self._tell(await self._learner.take_up())
            self._has_taken_up = True
        await self._tell(await self._learner.sweep())
        if self._clock.monotonic() - self._flushed_at >= FLUSH_SECONDS:
            self._flushed_at = self._clock.monotonic()
            await self._schemas.flush()

    async def _take_in(self) -> None:
        """Have recorded what was handed over; what takes long does so in a worker thread."""
        if not self._waiting and not self._results:
            return
        events, results, lost = list(self._waiting), list(self._results), list(self._lost)
        self._waiting.clear()
        self._results.clear()
        self._lost.clear()
        with anyio.CancelScope(shield=True):  # else they would be lost
            acts, drifts = await to_thread.run_sync(self._looked_at, events, results)
        for act in acts:
            act()
        for key in lost:
            self._recorder.lose(key)
        for drift in drifts:
            logger.warning("%s", drift.message)

    def _looked_at(
        self, events: Sequence[_Called | Act], results: Sequence[tuple[Tool, ToolResult]]
    ) -> tuple[list[Act], list[Drift]]:
        acts = [self._recorded(each) if isinstance(each, _Called) else each for each in events]
        seen: Counter[str] = Counter()
        drifts: list[Drift] = []
        began = self._clock.monotonic()
        for tool, result in results:
            seen[tool.full_name] += 1
            is_late = self._clock.monotonic() - began > RESULTS_SECONDS
            if seen[tool.full_name] <= MOST_OF_TOOL and not is_late:
                drift = self._schemas.observe(tool.full_name, self._hash(tool), result.value())
                drifts += [drift] if drift is not None else []
        return acts, drifts

    def _recorded(self, called: _Called) -> Act:
        """Return what records a call; all that takes long is done."""
        tool, result = called.tool, called.result
        if not called.request and not self._recorder.has_room(called.key):
            return partial(self._recorder.lose, called.key)
        call = TracedCall(
            tool.server_id,
            tool.name,
            called.arguments,
            None if result is None else result.value(),
            is_error=result is None or result.is_error,
            effects=tool.effects,
            input_schema=tool.input_schema,
            output_schema=tool.output_schema,
            started_at=called.started_at,
            ended_at=called.ended_at,
            request=called.request,
        )
        return partial(self._recorder.keep, called.key, self._recorder.weighed(call))

    def _hash(self, tool: Tool) -> str:
        """Return the hash of a tool's definition, made once for each that a server lists."""
        known = self._hashes.get(tool.full_name)
        if known is None or known[0] is not tool:
            if len(self._hashes) >= MAX_TOOLS:
                self._hashes.clear()
            known = self._hashes[tool.full_name] = tool, definition_hash(tool.definition)
        return known[1]

    async def _tell(self, outcomes: Sequence[Proposal | Refusal]) -> None:
        written = [
            each
            for each in outcomes
            if isinstance(each, Proposal) and each.status in ("learnt", "edited")
        ]
        if written:
            self._revision += len(written)
            await self._on_learnt(written)
