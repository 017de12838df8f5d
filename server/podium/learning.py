"""What was played to what is offered: executions in, compositions that rise, fall and are mended.

A request only hands its execution over (`count`). A task beside the requests has the monitor count
it, reads the compositions again when their files moved or a person edited them, holds them against
the tools as they are now, and tells whoever offers them.
"""

import logging
import random
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any

import anyio
from anyio import to_thread

from podium.compositions.checker import Checker
from podium.compositions.library import CompositionFolder, CompositionLibrary
from podium.domain.composition import (
    Alternative,
    Composition,
    CompositionStep,
    StoredComposition,
    ToolStep,
    all_calls,
    all_steps,
)
from podium.domain.errors import PodiumError
from podium.domain.execution import Execution
from podium.domain.learning import Baseline, Change, Health, LearningRules, ShelvedVersion
from podium.domain.ports import Clock, Journal, Profiles, Shelf, Statistics, Upstreams
from podium.domain.relay import UpstreamChange
from podium.domain.tool import Tool
from podium.domain.versions import definition_hash, meaning_of, tools_of
from podium.monitor.observer import Monitor
from podium.monitor.promotion import Command, Seen
from podium.monitor.repair import Known
from podium.monitor.selection import Candidate

LOOK_SECONDS = 2.0  # how old the folder may be known; stamping a thousand files takes milliseconds
LINGER_SECONDS = 0.05  # executions that end within it share one transaction
BATCH = 64  # executions that are counted at once
MOST_WAITING = 10_000  # to be counted; beyond it they wait in the journal for the next start
MOST_ROUNDS = 5  # of reading again because reading moved something
CAUGHT_UP = 200  # latest executions of the journal that are looked through at the start
CLOSE_SECONDS = 5.0  # for what still has to be counted, at the end

logger = logging.getLogger("podium.learning")

Listener = Callable[[], None]
Spawn = Callable[[Callable[[], Coroutine[Any, Any, None]]], None]
_Known = tuple[StoredComposition, str, tuple[str, ...]]  # with its meaning and its tools
ListenToUpstreams = Callable[[Callable[[UpstreamChange], None]], Callable[[], None]]


class Learning:
    """The monitor at work; one for each orchestrator."""

    def __init__(
        self,
        *,
        statistics: Statistics,
        shelf: Shelf,
        rules: LearningRules,
        clock: Clock,
        source: random.Random,
        library: CompositionLibrary,
        folder: CompositionFolder,
        checker: Checker,
        journal: Journal,
        upstreams: Upstreams,
        known_tools: Callable[[], Sequence[Tool]],
        described: Callable[[Tool], Tool] = lambda tool: tool,
    ) -> None:
        """Make one.

        `known_tools` gives the tools that are known without starting any upstream, `described` one
        with what is known of its results.
        """
        self._monitor = Monitor(
            statistics=statistics,
            shelf=shelf,
            rules=rules,
            clock=clock,
            source=source,
            on_change=self._heard,
        )
        self._rules = rules
        self._library = library
        self._folder = folder
        self._checker = checker
        self._journal = journal
        self._upstreams = upstreams
        self._known_tools = known_tools
        self._described = described
        self._listeners: list[Listener] = []
        self._waiting: deque[Execution] = deque()
        self._adopted: deque[Execution] = deque()
        self._troubled: dict[str, None] = {}
        self._meanings: dict[str, _Known] = {}
        self._has_begun = False
        self._has_caught_up = False
        self._is_stale = False  # a file moved, or a tool changed
        self._lost = 0
        self._turn = anyio.Lock()
        self._stirred = anyio.Event()
        self._scope = anyio.CancelScope()

    # --- life

    def start(self, spawn: Spawn, listen: ListenToUpstreams) -> Callable[[], None]:
        """Begin to work beside the requests; return what ends listening to the upstreams."""
        spawn(self._work)
        return listen(self._on_upstream)

    async def aclose(self) -> None:
        """Count what was handed over, as far as there is time, and stop."""
        with anyio.move_on_after(CLOSE_SECONDS, shield=True):
            if self._waiting or self._adopted:
                await self.settled()
            self._scope.cancel()
            async with self._turn:  # what is being counted comes to its end
                pass
        self._scope.cancel()

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have a listener called when other compositions are there; return what ends that."""
        self._listeners.append(listener)

        def end() -> None:
            with suppress(ValueError):
                self._listeners.remove(listener)

        return end

    # --- for requests

    async def admit(self, composition_id: str) -> None:
        """Let one composition be played that was asked for by its id.

        Raises:
            CompositionPausedError: it is paused, and its next probe is not due.
            CompositionForbiddenError: a person forbade it.

        """
        await self._ready()
        await self._monitor.choosing.admit(composition_id)

    async def choose(self, intent_type: str, serving: Sequence[StoredComposition]) -> str | None:
        """Return the id of what answers an intent this time, of those that could; None of none.

        Raises:
            CompositionPausedError: all that could are paused.
            CompositionForbiddenError: a person forbade all of them.

        """
        await self._ready()
        are_rivals = len(serving) > 1
        tools = self._tools() if are_rivals else {}
        choice = await self._monitor.choosing.choose(
            intent_type,
            [Candidate(s.id, s.status, are_rivals and _only_reads(s, tools)) for s in serving],
        )
        return choice.composition_id if choice else None

    async def is_pinned(self, composition_id: str) -> bool:
        """Return whether a person vouches for a composition."""
        health = (await self._monitor.healths()).get(composition_id)
        return health is not None and health.hold == "pinned"

    def adopt(self, execution: Execution) -> None:
        """Hand over an execution that a composition's file was just made of: its first run."""
        if len(self._adopted) < MOST_WAITING:
            self._adopted.append(execution)
        self._stirred.set()

    def count(self, execution: Execution) -> None:
        """Hand over what has ended; it is counted soon, and once."""
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append(execution)
        else:
            self._lost += 1
            if self._lost == 1:
                logger.warning("executions end faster than they can be counted")
        self._stirred.set()

    # --- for people

    async def give_feedback(
        self, execution_id: str, rating: str, comment: str = "", user_id: str = ""
    ) -> dict[str, Any]:
        """Count what a person says about an answer: "good" or "bad". The last word counts.

        Raises:
            RequestInvalidError: the rating is neither.
            UnknownExecutionError: nothing of this user is on record under the id.
            StatisticsError: it could not be kept.

        """
        await self.settled()
        said = await self._monitor.counting.give_feedback(execution_id, rating, comment, user_id)
        await self.settled()
        return said

    async def command(
        self, composition_id: str, command: Command, who: str = "a person"
    ) -> tuple[Change, ...]:
        """Promote, demote, pin, forbid or release a composition; empty if there is nothing to do.

        Raises:
            UnknownCompositionError: there is none of this id.
            StatisticsError, ShelfError: it could not be done.

        """
        await self.settled()
        self._library.get(composition_id)
        changes = await self._monitor.command(composition_id, command, who)
        await self.settled()
        return changes

    async def versions(self, composition_id: str) -> list[ShelvedVersion]:
        """Return the kept versions of a composition, oldest first.

        Raises:
            ShelfError: they cannot be read.

        """
        return await self._monitor.versions(composition_id)

    async def diff(self, composition_id: str, number: int, other: int | None = None) -> str:
        """Return what changed between two versions, or from one to the file as it is.

        Raises:
            UnknownVersionError, ShelfError: one is not kept, or cannot be read.

        """
        return await self._monitor.diff(composition_id, number, other)

    async def rollback(self, composition_id: str, number: int, who: str = "a person") -> Change:
        """Put a kept version back where it was; it proves itself from then on.

        Raises:
            UnknownVersionError, ShelfError: it is not kept, or cannot be written.

        """
        await self.settled()
        change = await self._monitor.rollback(composition_id, number, who)
        await self.settled()
        return change

    async def report(self, composition_id: str) -> dict[str, Any]:
        """Return all that is known of a composition: health, counts, steps, tools, changes.

        Raises:
            UnknownCompositionError: there is none of this id.
            StatisticsError: the record cannot be read.

        """
        await self.settled()
        self._library.get(composition_id)
        return await self._monitor.report(composition_id)

    @property
    def profiles(self) -> Profiles:
        """What is known of how long tools and compositions take; some seconds old."""
        return self._monitor.profiles

    async def born(self, composition_id: str, baseline: Baseline) -> None:
        """Take note of what the trace of a composition, which is in the folder now, had cost.

        Raises:
            StatisticsError: it could not be kept.

        """
        await self.settled()
        if self._library.knows(composition_id):
            await self._monitor.born(composition_id, baseline)

    async def healths(self) -> Mapping[str, Health]:
        """Return what is on record of every composition; nothing is counted or moved for it."""
        return await self._monitor.healths()

    def state(self) -> dict[str, Any]:
        """Return how learning goes: compositions by status, what waits to be counted or was lost.

        `lost` are executions and decisions that could not be kept; `last_error` says why.
        """
        statuses = Counter(stored.status for stored in self._library.all())
        watching = self._monitor.state()
        return {
            **{status: statuses[status] for status in ("learning", "validated", "deprecated")},
            **watching,
            "waiting": len(self._waiting) + len(self._adopted),
            "lost": self._lost + watching["lost"],
        }

    async def settled(self) -> None:
        """Count all that was handed over, and carry out what comes of it."""
        async with self._turn:
            await self._round()

    # --- the task beside the requests

    async def _work(self) -> None:
        with self._scope:
            while True:
                with anyio.move_on_after(LOOK_SECONDS):
                    await self._stirred.wait()
                    await anyio.sleep(LINGER_SECONDS)
                self._stirred = anyio.Event()
                try:
                    await self.settled()
                except Exception:
                    # A boundary like that round a request: it ends one round, not the program.
                    logger.exception("counting failed unexpectedly")

    async def _round(self) -> None:
        await self._begin()
        if not self._has_caught_up:
            self._has_caught_up = True
            await self._catch_up()
        await self._adopt()
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            with anyio.CancelScope(shield=True):  # else they would be lost until the next start
                await self._monitor.counting.observe(batch)
        await self._monitor.keep_up()
        await self._take_up()
        while self._troubled:
            composition_id = next(iter(self._troubled))
            del self._troubled[composition_id]
            await self._mend(composition_id)
            await self._take_up()

    async def _ready(self) -> None:
        if self._has_begun:
            return
        async with self._turn:
            await self._begin()

    async def _begin(self) -> None:
        """Carry out what a process left behind; before anything is played, so that runs count."""
        if self._has_begun:
            return
        await self._monitor.finish_moves()
        self._is_stale = True
        await self._take_up()
        self._has_begun = True

    async def _adopt(self) -> None:
        """Take up the files that executions became, and let their records begin with these."""
        if not self._adopted:
            return
        await self._take_up()
        while self._adopted:
            execution = self._adopted.popleft()
            await self._monitor.begun_with(execution)
            self._waiting.append(execution)

    async def _catch_up(self) -> None:
        try:
            await self._monitor.counting.catch_up(await self._journal.recent(CAUGHT_UP))
        except PodiumError as error:
            logger.warning("the journal cannot be read: %s", error.message)

    async def _heard(self, change: Change) -> None:
        if change.is_move or change.kind in {"repaired", "rolled_back"}:
            self._is_stale = True
        if change.kind in {"paused", "demoted"} and self._rules.is_enabled:
            self._troubled[change.composition_id] = None

    def _on_upstream(self, change: UpstreamChange) -> None:
        if change.kind in {"ready", "tools"}:
            self._is_stale = True
            self._stirred.set()

    # --- what there is now

    async def _take_up(self) -> None:
        """Read the compositions again if their files changed, and have the monitor look at them."""
        has_changed = False
        self._is_stale = self._is_stale or self._monitor.has_forgotten
        for _ in range(MOST_ROUNDS):
            read = await self._read()
            has_changed = has_changed or read
            if not read and not self._is_stale:
                break
            self._is_stale = False
            await self._monitor.look(self._seen())
        if has_changed:
            for listener in tuple(self._listeners):
                listener()

    async def _read(self) -> bool:
        """Read what was moved or edited, by whomever; return whether something is different."""
        fresh = await to_thread.run_sync(self._folder.load_changed)
        return fresh is not None and self._library.take(fresh)

    def _seen(self) -> list[Seen]:
        everything = [self._meaning_of(stored) for stored in self._library.all()]
        self._meanings = {known[0].id: known for known in everything}
        wanted = {name for _, _, tools in everything for name in tools}
        definitions = self._definitions()
        hashes = {name: definition_hash(definitions[name]) for name in wanted & definitions.keys()}
        return [
            Seen(stored.id, stored.status, meaning, {name: hashes.get(name) for name in tools})
            for stored, meaning, tools in everything
        ]

    def _meaning_of(self, stored: StoredComposition) -> _Known:
        known = self._meanings.get(stored.id)
        if known is not None and known[0] is stored:
            return known
        return stored, meaning_of(stored.composition), tools_of(stored.composition)

    def _definitions(self) -> dict[str, Mapping[str, Any]]:
        """Return the tools' definitions as far as they are known, those held back as well.

        A definition that waits for a person's consent is another one already.
        """
        found: dict[str, Mapping[str, Any]] = {
            tool.full_name: tool.definition for tool in self._known_tools()
        }
        for status in self._upstreams.statuses():
            for held in status.held:
                if held.definition is not None:
                    found[f"{status.server_id}.{held.name}"] = held.definition
        return found

    def _tools(self) -> dict[tuple[str, str], Tool]:
        return {(tool.server_id, tool.name): tool for tool in self._known_tools()}

    # --- repair

    async def _mend(self, composition_id: str) -> None:
        """File what may stand in for a step that fails again and again, if it can be played."""
        if not self._library.knows(composition_id):
            return
        composition = self._library.get(composition_id).composition
        everything = [stored.composition for stored in self._library.all()]
        tools = self._tools()
        try:
            known = Known(tuple(tools.values()), everything)
            for proposal in await self._monitor.repairs(composition, known):
                if self._can_be_played(proposal.document, tools):
                    taken = [each.id for each in everything]
                    await self._monitor.repair(composition, proposal, taken_ids=taken)
                    return
        except PodiumError as error:
            logger.warning("composition %s is not mended: %s", composition_id, error.message)

    def _can_be_played(
        self, document: Mapping[str, Any], tools: Mapping[tuple[str, str], Tool]
    ) -> bool:
        composition = Composition.model_validate(document, by_alias=True, by_name=False)
        proposed = StoredComposition(composition, "learning", "(proposed)")
        named = {(c.server_id, c.tool_id) for c in all_calls(composition.steps)}
        here = {key: self._described(tools[key]) for key in named if key in tools}
        findings = self._checker.check(proposed, tools=here)
        return all(finding.severity != "error" for finding in findings)


def _only_reads(stored: StoredComposition, tools: Mapping[tuple[str, str], Tool]) -> bool:
    """Return whether it surely changes nothing: what nobody knows may."""
    steps = stored.composition.steps
    if any(isinstance(step, CompositionStep) for step in all_steps(steps)):
        return False  # what that one does may change with its file
    for call in all_calls(steps):
        said = call.effects if isinstance(call, ToolStep | Alternative) else None
        tool = tools.get((call.server_id, call.tool_id))
        if (said or (tool.effects if tool else None)) != "read":
            return False
    return True
