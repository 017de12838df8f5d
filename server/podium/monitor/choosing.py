"""Which composition is played: the rules of `selection`, with turns and probes put on record."""

import random
from collections.abc import Sequence
from dataclasses import replace

from podium.domain.errors import (
    CompositionForbiddenError,
    CompositionPausedError,
    StatisticsError,
)
from podium.domain.learning import Decision, Health, LearningRules
from podium.domain.ports import Clock
from podium.monitor import promotion
from podium.monitor.ledger import Ledger
from podium.monitor.selection import Candidate, Choice, choose
from podium.monitor.turns import Turns


class Choosing:
    """Asked before each execution."""

    def __init__(
        self, ledger: Ledger, rules: LearningRules, clock: Clock, source: random.Random
    ) -> None:
        self.turns = Turns(ledger.statistics, rules.unproven_share)
        self._ledger = ledger
        self._rules = rules
        self._clock = clock
        self._random = source

    async def choose(self, intent_type: str, candidates: Sequence[Candidate]) -> Choice | None:
        """Return which of the compositions of an intent answers this time; None without any.

        The candidates come in file order; their `health` is filled in here.

        Raises:
            CompositionPausedError: all that could are paused.
            CompositionForbiddenError: a person forbade all of them.

        """
        healths = await self._ledger.current()
        known = [replace(c, health=healths.get(c.composition_id)) for c in candidates]
        is_turn = self.turns.is_due(intent_type)
        for _ in range(len(known) + 2):  # each is refused as a probe, and the turn, at most once
            choice = choose(known, self._clock.now(), self._rules, self._random, is_turn=is_turn)
            if choice is None:
                break
            if choice.turn == "taken" and not await self._takes_turn(intent_type):
                is_turn = False
                continue
            if not choice.is_probe or await self._claims_probe(choice.composition_id):
                if choice.turn == "passed":
                    self.turns.let_pass(intent_type)
                return choice
            known = [
                replace(c, health=self._ledger.healths.get(c.composition_id, c.health))
                for c in known
            ]
        self._refuse(known)
        return None

    async def admit(self, composition_id: str) -> None:
        """Let one composition be played that was asked for by its id.

        Raises:
            CompositionPausedError: it is paused, and its next probe is not due.
            CompositionForbiddenError: a person forbade it.

        """
        health = (await self._ledger.current()).get(composition_id)
        if health is None:
            return
        is_paused = health.pause is not None and self._rules.is_enabled
        if health.hold == "forbidden" or (
            is_paused and not await self._claims_probe(composition_id)
        ):
            health = self._ledger.healths.get(composition_id, health)
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

    async def _takes_turn(self, intent_type: str) -> bool:
        try:
            return await self.turns.take(intent_type)
        except StatisticsError as error:
            self._ledger.note_loss(error)
            return False  # without a record nobody can say whose turn it is

    async def _claims_probe(self, composition_id: str) -> bool:
        claimed = []

        def decide(health: Health | None) -> Decision:
            let = health and promotion.probe(health, self._clock.now(), self._rules)
            claimed.append(let is not None)
            return let or health, ()

        try:
            health, _ = await self._ledger.statistics.update(composition_id, decide)
        except StatisticsError as error:
            self._ledger.note_loss(error)
            return True  # without a record nobody can say that it is paused
        self._ledger.remember(composition_id, health)
        return claimed[-1]
