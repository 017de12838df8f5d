"""The monitor: watches executions, decides what comes of them, and has it carried out.

The rules are pure (`promotion`, `selection`, `feedback`, `repair`); the counts and decisions are
kept by `Statistics`, the files are moved by `Shelf`, and `Ledger` stands between. What is asked
before an execution is in `choosing`, what is told after one in `counting`; here is the rest.
"""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import anyio

from podium.domain.composition import Composition
from podium.domain.errors import StatisticsError
from podium.domain.execution import Execution
from podium.domain.learning import (
    Baseline,
    Change,
    Decide,
    Decision,
    Health,
    LearningRules,
    Lifetime,
    ShelvedVersion,
)
from podium.domain.ports import Clock, Shelf, Statistics
from podium.domain.versions import meaning_of
from podium.monitor import promotion
from podium.monitor.choosing import Choosing
from podium.monitor.counting import Counting
from podium.monitor.ledger import Ledger, OnChange
from podium.monitor.profiles import ProfileBook
from podium.monitor.repair import Known, Proposal, propose, troubles

OPEN_CHANGES = 1_000  # carried out at one start


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
        self._rules = rules
        self._clock = clock
        self._ledger = Ledger(statistics, shelf, clock, on_change)
        self.profiles = ProfileBook(statistics, clock)
        self.choosing = Choosing(self._ledger, rules, clock, source)
        self.counting = Counting(self._ledger, rules, clock, self.profiles)

    # --- what there is

    async def finish_moves(self) -> None:
        """Carry out what was decided and not done when a process ended; before files are read."""
        try:
            changes = await self._ledger.statistics.changes(None, OPEN_CHANGES, only_open=True)
            self._ledger.healths = await self._ledger.statistics.healths()
        except StatisticsError as error:
            self._ledger.note_loss(error)
            return
        for change in reversed(changes):
            await self._ledger.carry_out(change, self._ledger.healths.get(change.composition_id))

    async def look(self, seen: Sequence[promotion.Seen]) -> tuple[Change, ...]:
        """Take note of the compositions as they are, and of their tools' definitions.

        At the start, after files were read again, and when an upstream's tools changed. Returns
        what changed because of it.
        """
        now = self._clock.now()
        self._ledger.has_forgotten = False
        try:
            self._ledger.healths = await self._ledger.statistics.healths()
        except StatisticsError as error:
            self._ledger.note_loss(error)
            return ()
        changes: list[Change] = []
        async with anyio.create_task_group() as tasks:  # those that are new share transactions
            for one in seen:
                if one.composition_id not in self._ledger.healths:
                    tasks.start_soon(self._look_at, one, now)
        for one in seen:
            before = self._ledger.healths.get(one.composition_id)
            if before is None:
                continue
            after = promotion.after_look(before, one, now, self._rules)
            if after == (before, ()):  # as it was: nothing to be written
                self._ledger.played[one.composition_id] = before.version
            else:
                changes += await self._look_at(one, now)
        return tuple(changes)

    async def _look_at(self, one: promotion.Seen, now: float) -> tuple[Change, ...]:
        def decide(health: Health | None) -> Decision:
            return promotion.after_look(health, one, now, self._rules)

        return await self._take_in(one.composition_id, decide)

    async def _take_in(self, composition_id: str, decide: Decide) -> tuple[Change, ...]:
        try:
            decision = await self._ledger.statistics.update(composition_id, decide)
        except StatisticsError as error:
            self._ledger.note_loss(error)
            return ()
        if decision[0] is not None:
            self._ledger.played[composition_id] = decision[0].version
        return await self._ledger.follow(composition_id, decision)

    async def keep_up(self) -> None:
        """Put the turns of those on trial on record, and renew the profiles; never raises."""
        try:
            await self.choosing.turns.save()
            await self.profiles.renew(self._ledger.healths)
        except StatisticsError as error:
            self._ledger.note_loss(error)

    # --- what a person decides

    async def command(
        self, composition_id: str, command: promotion.Command, who: str = "a person"
    ) -> tuple[Change, ...]:
        """Promote, demote, pin, forbid or release a composition; empty if there is nothing to do.

        Raises:
            UnknownCompositionError: it is not on record.
            StatisticsError, ShelfError: it could not be done.

        """
        await self._ledger.require(composition_id)

        def decide(health: Health | None) -> Decision:
            if health is None:
                return None, ()
            return promotion.by_person(health, command, self._clock.now(), self._rules, who=who)

        decision = await self._ledger.statistics.update(composition_id, decide)
        return await self._ledger.follow(composition_id, decision, must_move=True)

    async def versions(self, composition_id: str) -> list[ShelvedVersion]:
        """Return the kept versions of a composition, oldest first.

        Raises:
            ShelfError: they cannot be read.

        """
        return await self._ledger.shelf.versions(composition_id)

    async def diff(self, composition_id: str, number: int, other: int | None = None) -> str:
        """Return what changed between two versions, or from one to the file as it is.

        Raises:
            UnknownVersionError, ShelfError: one is not kept, or cannot be read.

        """
        return await self._ledger.shelf.diff(composition_id, number, other)

    async def rollback(self, composition_id: str, number: int, who: str = "a person") -> Change:
        """Put a kept version back where it was; it proves itself from then on.

        Raises:
            UnknownVersionError, ShelfError: it is not kept, or cannot be written.

        """
        health = (await self._ledger.current()).get(composition_id)
        version = await self._ledger.shelf.rollback(composition_id, number)
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
        _, kept = await self._ledger.statistics.update(
            composition_id, lambda known: (known, (change,))
        )
        await self._ledger.settle(kept[0])
        await self._ledger.tell(kept[0])
        return kept[0]

    async def born(self, composition_id: str, baseline: Baseline) -> None:
        """Take note of what the trace of a composition cost; after `look` has seen it.

        Raises:
            StatisticsError: it could not be kept.

        """

        def decide(health: Health | None) -> Decision:
            return health and replace(health, baseline=baseline), ()

        health, _ = await self._ledger.statistics.update(composition_id, decide)
        self._ledger.remember(composition_id, health)

    async def begun_with(self, execution: Execution) -> None:
        """Let the record of a composition begin with the run that it was made of.

        After `look` has seen it, and before the run is counted.
        """

        def decide(health: Health | None) -> Decision:
            since = execution.started_at
            return health and replace(health, since=min(health.since, since)), ()

        try:
            health, _ = await self._ledger.statistics.update(execution.composition_id, decide)
        except StatisticsError as error:
            self._ledger.note_loss(error)
            return
        self._ledger.remember(execution.composition_id, health)

    # --- repair

    async def repairs(self, composition: Composition, known: Known) -> list[Proposal]:
        """Return what could mend the steps of a composition that fail again and again.

        What was tried once is not proposed again.

        Raises:
            StatisticsError: the record cannot be read.

        """
        health = (await self._ledger.current()).get(composition.id)
        if health is None:
            return []
        steps = await self._ledger.statistics.lifetimes("step", health.version)
        tried = {
            change.evidence.get("meaning")
            for change in await self._ledger.statistics.changes(composition.id)
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
        health = await self._ledger.require(composition.id)
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
        await self._ledger.shelf.put(
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
        _, kept = await self._ledger.statistics.update(
            composition.id, lambda known: (known, (change,))
        )
        await self._ledger.tell(kept[0])
        return kept[0]

    # --- what is known

    async def report(self, composition_id: str) -> dict[str, Any]:
        """Return all that is known of a composition: health, counts, steps, tools, changes.

        Raises:
            UnknownCompositionError: it is not on record.
            StatisticsError: the record cannot be read.

        """
        health = await self._ledger.require(composition_id)
        own = await self._ledger.statistics.lifetimes("composition", health.version)
        steps = await self._ledger.statistics.lifetimes("step", health.version)
        tools = await self._ledger.statistics.lifetimes("tool", "")
        changes = await self._ledger.statistics.changes(composition_id, 20)
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
        return await self._ledger.statistics.lifetimes("tool", "")

    async def healths(self) -> Mapping[str, Health]:
        """Return the health of every composition, having renewed the profiles."""
        healths = dict(await self._ledger.current())
        await self.keep_up()
        return healths

    @property
    def has_forgotten(self) -> bool:
        """Whether the record has become another one, so that all is to be looked at anew."""
        return self._ledger.has_forgotten

    def state(self) -> dict[str, Any]:
        """Return how watching goes: compositions that are paused, what could not be kept, why."""
        return {
            "paused": sum(health.pause is not None for health in self._ledger.healths.values()),
            "lost": self._ledger.lost,
            "last_error": self._ledger.last_error or self._ledger.statistics.remark or None,
        }


def _meaning(document: Mapping[str, Any]) -> str:
    return meaning_of(Composition.model_validate(document, by_alias=True, by_name=False))


def _free_id(composition_id: str, taken: Collection[str]) -> str:
    base = composition_id[:50]
    numbers = range(1, len(taken) + 2)  # one of them is free, however many are taken
    return next(f"{base}_repair{n}" for n in numbers if f"{base}_repair{n}" not in taken)
