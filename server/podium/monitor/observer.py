"""The monitor: watches executions, decides what comes of them, and has it carried out.

The rules are pure (`promotion`, `selection`, `feedback`, `repair`), the counts and decisions are
kept by `Statistics`, the files are moved by `Shelf`. Counting never fails a request: what goes
wrong is logged, and the execution is counted later from the journal (`catch_up`).
"""

import logging
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import anyio

from podium.domain.composition import Composition
from podium.domain.errors import (
    CompositionForbiddenError,
    CompositionPausedError,
    EditedMeanwhileError,
    PodiumError,
    RequestInvalidError,
    ShelfError,
    StatisticsError,
    UnknownCompositionError,
    UnknownExecutionError,
)
from podium.domain.execution import Execution, ExecutionStatus
from podium.domain.learning import (
    Baseline,
    Change,
    Counted,
    Decide,
    Decision,
    Entry,
    Health,
    LearningRules,
    Lifetime,
    Rating,
    Run,
    ShelvedVersion,
    user_key,
)
from podium.domain.naming import did_you_mean
from podium.domain.ports import Clock, Shelf, Statistics
from podium.domain.versions import meaning_of
from podium.monitor import promotion
from podium.monitor.blame import code_of, known_code, verdict_on
from podium.monitor.feedback import Asked, Reaction, redo_reason, verdict_after
from podium.monitor.repair import Known, Proposal, propose, troubles
from podium.monitor.selection import Candidate, Choice, choose
from podium.monitor.statistics import correction, delta_of

REFRESH_SECONDS = 2.0  # how old what another process decided may be when a composition is chosen
MOST_CONVERSATIONS = 10_000  # whose last request is remembered, to notice that it is made again
COMMENT_CHARACTERS = 1_000
_ENDED: frozenset[ExecutionStatus] = frozenset({"success", "error", "cancelled"})
OPEN_CHANGES = 1_000  # carried out at one start

logger = logging.getLogger("podium.monitor")

OnChange = Callable[[Change], Awaitable[None]]


class Monitor:
    """Used from many tasks of one event loop; processes may share a workspace."""

    def __init__(
        self,
        *,
        statistics: Statistics,
        shelf: Shelf,
        rules: LearningRules,
        clock: Clock,
        source: random.Random,
        on_change: OnChange | None = None,
    ) -> None:
        """`on_change` is called after each change; a file may have moved, so it is read again."""
        self._statistics = statistics
        self._shelf = shelf
        self._rules = rules
        self._clock = clock
        self._random = source
        self._on_change = on_change
        self._healths: dict[str, Health] = {}
        # The version that this process plays: another process may have seen a newer one already.
        self._played: dict[str, str] = {}
        self._read_at: float | None = None
        self._asked: OrderedDict[tuple[str, str], Asked] = OrderedDict()
        self.lost = 0

    # --- what there is

    async def finish_moves(self) -> None:
        """Carry out what was decided and not done when a process ended; before files are read."""
        try:
            changes = await self._statistics.changes(None, OPEN_CHANGES, only_open=True)
            self._healths = await self._statistics.healths()
        except StatisticsError as error:
            self._note_loss(error)
            return
        for change in reversed(changes):
            await self._carry_out(change, self._healths.get(change.composition_id))

    async def look(self, seen: Sequence[promotion.Seen]) -> tuple[Change, ...]:
        """Take note of the compositions as they are, and of their tools' definitions.

        At the start, after files were read again, and when an upstream's tools changed. Returns
        what changed because of it.
        """
        now = self._clock.now()
        try:
            self._healths = await self._statistics.healths()
        except StatisticsError as error:
            self._note_loss(error)
            return ()
        changes: list[Change] = []
        async with anyio.create_task_group() as tasks:  # those that are new share transactions
            for one in seen:
                if one.composition_id not in self._healths:
                    tasks.start_soon(self._look_at, one, now)
        for one in seen:
            before = self._healths.get(one.composition_id)
            if before is None:
                continue
            after = promotion.after_look(before, one, now, self._rules)
            if after == (before, ()):  # as it was: nothing to be written
                self._played[one.composition_id] = before.version
            else:
                changes += await self._look_at(one, now)
        return tuple(changes)

    async def _look_at(self, one: promotion.Seen, now: float) -> tuple[Change, ...]:
        def decide(health: Health | None) -> Decision:
            return promotion.after_look(health, one, now, self._rules)

        return await self._take_in(one.composition_id, decide)

    async def _take_in(self, composition_id: str, decide: Decide) -> tuple[Change, ...]:
        try:
            decision = await self._statistics.update(composition_id, decide)
        except StatisticsError as error:
            self._note_loss(error)
            return ()
        if decision[0] is not None:
            self._played[composition_id] = decision[0].version
        return await self._follow(composition_id, decision)

    # --- before an execution

    async def choose(self, candidates: Sequence[Candidate]) -> Choice | None:
        """Return which of the compositions of an intent answers this time; None without any.

        The candidates come in file order; their `health` is filled in here.

        Raises:
            CompositionPausedError: all that could are paused.
            CompositionForbiddenError: a person forbade all of them.

        """
        healths = await self._current()
        known = [replace(c, health=healths.get(c.composition_id)) for c in candidates]
        for _ in range(len(known) + 1):
            choice = choose(known, self._clock.now(), self._rules, self._random)
            if choice is None:
                break
            if not choice.is_probe or await self._claims_probe(choice.composition_id):
                return choice
            known = [
                replace(c, health=self._healths.get(c.composition_id, c.health)) for c in known
            ]
        self._refuse(known)
        return None

    async def admit(self, composition_id: str) -> None:
        """Let one composition be played that was asked for by its id.

        Raises:
            CompositionPausedError: it is paused, and its next probe is not due.
            CompositionForbiddenError: a person forbade it.

        """
        health = (await self._current()).get(composition_id)
        if health is None:
            return
        is_paused = health.pause is not None and self._rules.is_enabled
        if health.hold == "forbidden" or (
            is_paused and not await self._claims_probe(composition_id)
        ):
            health = self._healths.get(composition_id, health)
            self._refuse(
                [Candidate(composition_id, health.status, only_reads=False, health=health)]
            )

    def _refuse(self, candidates: Sequence[Candidate]) -> None:
        if not candidates:
            return
        named = ", ".join(f"'{c.composition_id}'" for c in candidates[:5])
        pauses = [c.health.pause for c in candidates if c.health and c.health.pause]
        if not pauses or all(c.hold == "forbidden" for c in candidates):
            raise CompositionForbiddenError(
                f"{named} may not be played: a person forbade it, or it is archived",
                hint="podium compositions release ID, or promote ID",
            )
        wait = max(0.0, min(pause.until for pause in pauses) - self._clock.now())
        raise CompositionPausedError(
            f"{named} failed again and again and is paused; the next try in {wait:.0f} s",
            hint="see why: podium executions; end the pause: podium compositions release ID",
        )

    async def _claims_probe(self, composition_id: str) -> bool:
        claimed = []

        def decide(health: Health | None) -> Decision:
            let = health and promotion.probe(health, self._clock.now(), self._rules)
            claimed.append(let is not None)
            return let or health, ()

        try:
            health, _ = await self._statistics.update(composition_id, decide)
        except StatisticsError as error:
            self._note_loss(error)
            return True  # without a record nobody can say that it is paused
        self._remember(composition_id, health)
        return claimed[-1]

    async def _current(self) -> dict[str, Health]:
        now = self._clock.monotonic()
        if self._read_at is None or not 0 <= now - self._read_at < REFRESH_SECONDS:
            try:
                self._healths = await self._statistics.healths()
            except StatisticsError as error:
                self._note_loss(error)
            self._read_at = now
        return self._healths

    # --- after an execution

    async def observe(
        self, execution: Execution, *, cached: Collection[str] = ()
    ) -> tuple[Change, ...]:
        """Count a finished execution and carry out what comes of it; never raises.

        `cached` are the ids of the steps whose result was that of an earlier call. What has no
        composition on record (a single call, an ad-hoc composition) counts for its tools only.
        """
        if execution.status not in _ENDED:
            return ()
        try:
            changes = await self._count(execution, cached)
            return (*changes, *await self._note_redo(execution))
        except StatisticsError as error:
            self._note_loss(error)
            return ()

    async def catch_up(self, executions: Sequence[Execution]) -> int:
        """Count those of the journal's executions that a crash left out; return how many.

        Only those of a version that was the same then; what is older than its record is left alone.
        """
        try:
            known = await self._statistics.counted([e.id for e in executions])
        except StatisticsError as error:
            self._note_loss(error)
            return 0
        missing = [e for e in executions if e.id not in known and self._is_of_today(e)]
        for execution in sorted(missing, key=lambda execution: execution.started_at):
            await self.observe(execution)
        return len(missing)

    def _is_of_today(self, execution: Execution) -> bool:
        health = self._healths.get(execution.composition_id)
        return (
            health is not None
            and health.version == self._played.get(execution.composition_id)
            and execution.started_at >= health.since
            and execution.status in _ENDED
        )

    async def _count(self, execution: Execution, cached: Collection[str]) -> tuple[Change, ...]:
        health = self._healths.get(execution.composition_id)
        version = self._played.get(execution.composition_id, "")
        if health is None or health.version != version or execution.started_at < health.since:
            health, version = None, ""  # another version was played, or it was judged already
        verdict = verdict_on(execution)
        entry = Entry(
            execution_id=execution.id,
            composition_id=execution.composition_id,
            version=version,
            verdict=verdict,
            at=execution.started_at + (execution.duration_ms or 0) / 1000,
            delta=delta_of(
                execution, verdict, version, health.baseline if health else None, cached
            ),
            code=known_code(code_of(execution.error)),
            duration_ms=execution.duration_ms,
            user_key=user_key(execution.user_id),
        )

        def decide(known: Health | None) -> Decision:
            if known is None or known.version != version or verdict == "uncounted":
                return known, ()
            run = Run(execution.id, verdict == "success", self._clock.now())
            return promotion.after_run(known, run, self._rules)

        decision = await self._statistics.apply(entry, decide)
        return await self._follow(execution.composition_id, decision)

    async def _note_redo(self, execution: Execution) -> tuple[Change, ...]:
        """Count the answer before as wrong if this request says so, and remember this one."""
        if not execution.conversation_id or execution.intent_type is None or not execution.request:
            return ()
        key = (execution.user_id, execution.conversation_id)
        earlier = self._asked.pop(key, None)
        asked = Asked(
            execution.user_id, execution.conversation_id, execution.id, execution.intent_type,
            execution.request, execution.started_at, execution.params,
        )  # fmt: skip
        ended = execution.started_at + (execution.duration_ms or 0) / 1000
        self._asked[key] = replace(asked, at=ended)
        if len(self._asked) > MOST_CONVERSATIONS:
            self._asked.popitem(last=False)
        if earlier is None or (reason := redo_reason(earlier, asked)) is None:
            return ()
        logger.debug("the answer before was redone: %s", reason)
        return await self._revise(earlier.execution_id, lambda c: replace(c, is_redone=True))

    async def give_feedback(
        self, execution_id: str, rating: str, comment: str = "", user_id: str = ""
    ) -> dict[str, Any]:
        """Count what a person says about an answer: "good" or "bad". The last word counts.

        Raises:
            RequestInvalidError: the rating is neither.
            UnknownExecutionError: nothing of this user is on record under the id.
            StatisticsError: it could not be kept.

        """
        said: Rating
        if rating == "good":
            said = "good"
        elif rating == "bad":
            said = "bad"
        else:
            raise RequestInvalidError(f"the rating '{rating!s:.20}' is neither good nor bad")
        counted = (await self._statistics.counted([execution_id])).get(execution_id)
        if counted is None or counted.user_key not in {"", user_key(user_id)}:
            raise UnknownExecutionError(
                f"there is no execution '{execution_id:.80}' of yours to give feedback on",
                hint="a reply names its execution_id; very old ones are forgotten",
            )
        words = comment[:COMMENT_CHARACTERS]
        changes = await self._revise(
            execution_id, lambda c: replace(c, rating=said, comment=words or c.comment)
        )
        after = (await self._statistics.counted([execution_id])).get(execution_id, counted)
        return {
            "execution_id": execution_id,
            "composition_id": counted.composition_id,
            "rating": after.rating,
            "verdict": after.verdict,
            "changes": [change.to_dict() for change in changes],
        }

    async def _revise(
        self, execution_id: str, said: Callable[[Counted], Counted]
    ) -> tuple[Change, ...]:
        def revised(counted: Counted) -> Counted:
            after = said(counted)
            verdict = verdict_after(after.measured, Reaction(after.rating, after.is_redone))
            return replace(after, verdict=verdict)

        def decide(before: Counted, after: Counted) -> Decide:
            def corrected(health: Health | None) -> Decision:
                if health is None or health.version != before.version:
                    return health, ()
                return promotion.after_correction(
                    health, execution_id, self._rules, self._clock.now(),
                    is_success=after.verdict == "success",
                )  # fmt: skip

            return corrected

        def delta(before: Counted, after: Counted) -> Any:
            if not before.version:
                return {}
            return correction(before.verdict, after.verdict, before.version, before.composition_id)

        decision = await self._statistics.revise(execution_id, revised, decide, delta)
        health = decision[0] if decision else None
        return await self._follow(health.composition_id if health else "", decision)

    # --- what a person decides

    async def command(
        self, composition_id: str, command: promotion.Command, who: str = "a person"
    ) -> tuple[Change, ...]:
        """Promote, demote, pin, forbid or release a composition; empty if there is nothing to do.

        Raises:
            UnknownCompositionError: it is not on record.
            StatisticsError, ShelfError: it could not be done.

        """
        await self._require(composition_id)

        def decide(health: Health | None) -> Decision:
            if health is None:
                return None, ()
            return promotion.by_person(health, command, self._clock.now(), self._rules, who=who)

        decision = await self._statistics.update(composition_id, decide)
        return await self._follow(composition_id, decision, must_move=True)

    async def versions(self, composition_id: str) -> list[ShelvedVersion]:
        """Return the kept versions of a composition, oldest first.

        Raises:
            ShelfError: they cannot be read.

        """
        return await self._shelf.versions(composition_id)

    async def diff(self, composition_id: str, number: int, other: int | None = None) -> str:
        """Return what changed between two versions, or from one to the file as it is.

        Raises:
            UnknownVersionError, ShelfError: one is not kept, or cannot be read.

        """
        return await self._shelf.diff(composition_id, number, other)

    async def rollback(self, composition_id: str, number: int, who: str = "a person") -> Change:
        """Put a kept version back where it was; it proves itself from then on.

        Raises:
            UnknownVersionError, ShelfError: it is not kept, or cannot be written.

        """
        health = (await self._current()).get(composition_id)
        version = await self._shelf.rollback(composition_id, number)
        change = Change(
            kind="rolled_back",
            composition_id=composition_id,
            version=health.version if health else "",
            from_status=health.status if health else version.status,
            to_status=version.status,
            at=self._clock.now(),
            reason=version.reason,
            evidence={"restored": number, "kept_as": version.number},
            by=who,
        )
        _, kept = await self._statistics.update(composition_id, lambda known: (known, (change,)))
        await self._settle(kept[0])
        await self._tell(kept[0])
        return kept[0]

    async def born(self, composition_id: str, baseline: Baseline) -> None:
        """Take note of what the trace of a composition cost; after `look` has seen it.

        Raises:
            StatisticsError: it could not be kept.

        """

        def decide(health: Health | None) -> Decision:
            return health and replace(health, baseline=baseline), ()

        health, _ = await self._statistics.update(composition_id, decide)
        self._remember(composition_id, health)

    async def begun_with(self, execution: Execution) -> None:
        """Let the record of a composition begin with the run that it was made of.

        After `look` has seen it, and before the run is counted.
        """

        def decide(health: Health | None) -> Decision:
            since = execution.started_at
            return health and replace(health, since=min(health.since, since)), ()

        try:
            health, _ = await self._statistics.update(execution.composition_id, decide)
        except StatisticsError as error:
            self._note_loss(error)
            return
        self._remember(execution.composition_id, health)

    # --- repair

    async def repairs(self, composition: Composition, known: Known) -> list[Proposal]:
        """Return what could mend the steps of a composition that fail again and again.

        What was tried once is not proposed again.

        Raises:
            StatisticsError: the record cannot be read.

        """
        health = (await self._current()).get(composition.id)
        if health is None:
            return []
        steps = await self._statistics.lifetimes("step", health.version)
        tried = {
            change.evidence.get("meaning")
            for change in await self._statistics.changes(composition.id)
            if change.kind == "repaired"
        }
        proposals = [p for t in troubles(steps) for p in propose(composition, t, known)]
        return [p for p in proposals if _meaning(p.document) not in tried]

    async def repair(
        self, composition: Composition, proposal: Proposal, taken_ids: Collection[str] = ()
    ) -> Change:
        """File a proposal as `learning`: in place of one on trial, else beside the composition.

        Raises:
            EditedMeanwhileError: a person edited the file meanwhile.
            UnknownCompositionError: the composition is not on record.
            StatisticsError, ShelfError: it could not be kept.

        """
        health = await self._require(composition.id)
        is_on_trial = health.status == "learning"
        id_ = composition.id if is_on_trial else _free_id(composition.id, taken_ids)
        evidence = {
            "step": proposal.trouble.step_id,
            "code": proposal.trouble.code,
            "failures": f"{proposal.trouble.times} of the last {proposal.trouble.runs} runs",
            "score": proposal.score,
            "meaning": _meaning(proposal.document),
            "filed_as": id_,
            **proposal.evidence,
        }
        await self._shelf.put(
            {**proposal.document, "id": id_},
            "learning",
            reason=proposal.reason,
            evidence=evidence,
            replaces=health.meaning if is_on_trial else None,
        )
        change = Change(
            "repaired", composition.id, health.version, health.status, health.status,
            self._clock.now(), proposal.reason, evidence,
        )  # fmt: skip
        _, kept = await self._statistics.update(composition.id, lambda known: (known, (change,)))
        await self._tell(kept[0])
        return kept[0]

    # --- what is known

    async def report(self, composition_id: str) -> dict[str, Any]:
        """Return all that is known of a composition: health, counts, steps, tools, changes.

        Raises:
            UnknownCompositionError: it is not on record.
            StatisticsError: the record cannot be read.

        """
        health = await self._require(composition_id)
        own = await self._statistics.lifetimes("composition", health.version)
        steps = await self._statistics.lifetimes("step", health.version)
        tools = await self._statistics.lifetimes("tool", "")
        changes = await self._statistics.changes(composition_id, 20)
        return {
            "composition_id": composition_id,
            "status": health.status,
            "version": health.version,
            "hold": health.hold or None,
            "paused_until": health.pause.until if health.pause else None,
            "evidence": promotion.evidence_of(health, self._rules),
            "statistics": own[0].to_dict() if own else None,
            "steps": [step.to_dict() for step in steps],
            "tools": [tool.to_dict() for tool in tools if tool.subject.name in health.tools],
            "changes": [change.to_dict() for change in changes],
        }

    async def tools(self) -> list[Lifetime]:
        """Return the counts of every tool.

        Raises:
            StatisticsError: the record cannot be read.

        """
        return await self._statistics.lifetimes("tool", "")

    async def healths(self) -> Mapping[str, Health]:
        """Return the health of every composition."""
        return dict(await self._current())

    # --- carrying out

    async def _follow(
        self, composition_id: str, decision: Decision | None, *, must_move: bool = False
    ) -> tuple[Change, ...]:
        if decision is None:
            return ()
        health, changes = decision
        self._remember(composition_id, health)
        for change in changes:
            logger.info(
                "composition %s: %s (%s)", change.composition_id, change.kind, change.reason
            )
            await self._carry_out(change, health, must_move=must_move)
        return changes

    async def _carry_out(
        self, change: Change, health: Health | None, *, must_move: bool = False
    ) -> None:
        if change.is_move:
            try:
                await self._move(change, health)
            except (ShelfError, StatisticsError) as error:
                logger.warning("composition %s stays: %s", change.composition_id, error.message)
                if must_move:
                    raise
                return
        await self._tell(change)

    async def _move(self, change: Change, health: Health | None) -> None:
        """Move the file as a change says; one that was overtaken by another is only settled."""
        if health is not None and health.status == change.to_status:
            try:
                await self._shelf.move(
                    change.composition_id, change.from_status, change.to_status,
                    meaning=health.meaning, reason=change.reason, evidence=change.evidence,
                )  # fmt: skip
            except EditedMeanwhileError:
                await self._take_back(change)
                raise
        await self._settle(change)

    async def _take_back(self, change: Change) -> None:
        """Let the record say again what the folder says."""

        def decide(health: Health | None) -> Decision:
            is_this = health is not None and health.status == change.to_status
            return (
                replace(health, status=change.from_status) if is_this and health else health
            ), ()

        health, _ = await self._statistics.update(change.composition_id, decide)
        self._remember(change.composition_id, health)
        await self._settle(change)

    async def _settle(self, change: Change) -> None:
        await self._statistics.settle(change.number)

    async def _tell(self, change: Change) -> None:
        if self._on_change is None:
            return
        try:
            await self._on_change(change)
        except PodiumError as error:
            logger.warning("a change of %s was not taken up: %s", change.composition_id, error)

    async def _require(self, composition_id: str) -> Health:
        healths = await self._current()
        if (health := healths.get(composition_id)) is not None:
            return health
        raise UnknownCompositionError(
            f"there is no composition '{composition_id}'",
            hint=did_you_mean(composition_id, healths, otherwise="nothing was learnt yet"),
        )

    def _remember(self, composition_id: str, health: Health | None) -> None:
        if health is not None:
            self._healths[composition_id] = health

    def _note_loss(self, error: StatisticsError) -> None:
        if self.lost == 0:
            logger.warning("what happens now is not counted: %s", error.message)
        self.lost += 1


def _meaning(document: Mapping[str, Any]) -> str:
    return meaning_of(Composition.model_validate(document, by_alias=True, by_name=False))


def _free_id(composition_id: str, taken: Collection[str]) -> str:
    base = composition_id[:50]
    numbers = range(1, len(taken) + 2)  # one of them is free, however many are taken
    return next(f"{base}_repair{n}" for n in numbers if f"{base}_repair{n}" not in taken)
