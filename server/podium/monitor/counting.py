"""Executions to counts and to what comes of them, with what people say or show afterwards.

Counting never fails a request: what goes wrong is logged, and the execution is counted later from
the journal (`catch_up`).
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from podium.domain.errors import RequestInvalidError, StatisticsError, UnknownExecutionError
from podium.domain.execution import Execution, ExecutionStatus
from podium.domain.learning import (
    Change,
    Counted,
    Decide,
    Decision,
    Entry,
    Health,
    LearningRules,
    Rating,
    Run,
    user_key,
)
from podium.domain.ports import Clock
from podium.monitor import promotion
from podium.monitor.blame import code_of, known_code, verdict_on
from podium.monitor.feedback import Asked, Reaction, redo_reason, verdict_after
from podium.monitor.ledger import Ledger
from podium.monitor.profiles import ProfileBook
from podium.monitor.statistics import correction, delta_of

MOST_CONVERSATIONS = 10_000  # whose last request is remembered, to notice that it is made again
COMMENT_CHARACTERS = 1_000
_ENDED: frozenset[ExecutionStatus] = frozenset({"success", "error", "cancelled"})

logger = logging.getLogger("podium.monitor")


class Counting:
    """Told of each execution after it has ended."""

    def __init__(
        self, ledger: Ledger, rules: LearningRules, clock: Clock, profiles: ProfileBook
    ) -> None:
        self._ledger = ledger
        self._rules = rules
        self._clock = clock
        self._profiles = profiles
        self._asked: OrderedDict[tuple[str, str], Asked] = OrderedDict()

    async def observe(self, executions: Sequence[Execution]) -> tuple[Change, ...]:
        """Count finished executions and carry out what comes of each, in order; never raises.

        What has no composition on record (a single call, an ad-hoc composition) counts for its
        tools only.
        """
        ended = [execution for execution in executions if execution.status in _ENDED]
        outcomes = await self._ledger.statistics.apply([self._counting(each) for each in ended])
        self._profiles.outdate()
        changes: list[Change] = []
        for execution, outcome in zip(ended, outcomes, strict=True):
            changes += await self._taken_up(execution, outcome)
        return tuple(changes)

    async def _taken_up(
        self, execution: Execution, outcome: Decision | StatisticsError | None
    ) -> tuple[Change, ...]:
        if isinstance(outcome, StatisticsError):
            self._ledger.note_loss(outcome)
            return ()
        if outcome is not None and outcome[0] is None:
            self._ledger.has_forgotten |= execution.composition_id in self._ledger.played
        try:
            changes = await self._ledger.follow(execution.composition_id, outcome)
            return (*changes, *await self._note_redo(execution))
        except StatisticsError as error:
            self._ledger.note_loss(error)
            return ()

    async def catch_up(self, executions: Sequence[Execution]) -> int:
        """Count those of the journal's executions that a crash left out; return how many.

        Only those of a version that was the same then; what is older than its record is left alone.
        """
        try:
            known = await self._ledger.statistics.counted([e.id for e in executions])
        except StatisticsError as error:
            self._ledger.note_loss(error)
            return 0
        missing = [e for e in executions if e.id not in known and self._is_of_today(e)]
        await self.observe(sorted(missing, key=lambda execution: execution.started_at))
        return len(missing)

    def _is_of_today(self, execution: Execution) -> bool:
        health = self._ledger.healths.get(execution.composition_id)
        return (
            health is not None
            and health.version == self._ledger.played.get(execution.composition_id)
            and execution.started_at >= health.since
            and execution.status in _ENDED
        )

    def _counting(self, execution: Execution) -> tuple[Entry, Decide]:
        """Return what an execution adds, and the rule that says what comes of it."""
        health = self._ledger.healths.get(execution.composition_id)
        version = self._ledger.played.get(execution.composition_id, "")
        if health is None or health.version != version or execution.started_at < health.since:
            health, version = None, ""  # another version was played, or it was judged already
        verdict = verdict_on(execution)
        entry = Entry(
            execution_id=execution.id,
            composition_id=execution.composition_id,
            version=version,
            verdict=verdict,
            at=execution.started_at + (execution.duration_ms or 0) / 1000,
            delta=delta_of(execution, verdict, version, health.baseline if health else None),
            code=known_code(code_of(execution.error)),
            duration_ms=execution.duration_ms,
            user_key=user_key(execution.user_id),
        )

        def decide(known: Health | None) -> Decision:
            if known is None or known.version != version or verdict == "uncounted":
                return known, ()
            run = Run(execution.id, verdict == "success", self._clock.now())
            return promotion.after_run(known, run, self._rules)

        return entry, decide

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
        counted = (await self._ledger.statistics.counted([execution_id])).get(execution_id)
        if counted is None or counted.user_key not in {"", user_key(user_id)}:
            raise UnknownExecutionError(
                f"there is no execution '{execution_id:.80}' of yours to give feedback on",
                hint="a reply names its execution_id; very old ones are forgotten",
            )
        words = comment[:COMMENT_CHARACTERS]
        changes = await self._revise(
            execution_id, lambda c: replace(c, rating=said, comment=words or c.comment)
        )
        after = (await self._ledger.statistics.counted([execution_id])).get(execution_id, counted)
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

        decision = await self._ledger.statistics.revise(execution_id, revised, decide, delta)
        health = decision[0] if decision else None
        return await self._ledger.follow(health.composition_id if health else "", decision)
