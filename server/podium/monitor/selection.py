"""Which of several compositions answers an intent: mostly the best one, now and then one on trial.

Thompson sampling: each draws a success rate from what is known about it, and the highest draw wins.
So the better one is played more often the surer one is of it, and none is forgotten. Those on trial
draw with the proven ones only when it is their turn (`turns`).
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from podium.domain.composition import CompositionStatus
from podium.domain.learning import Health, LearningRules

_SERVING: frozenset[CompositionStatus] = frozenset({"template", "validated", "learning"})
_PROVEN: frozenset[CompositionStatus] = frozenset({"template", "validated"})
_PRECEDENCE: tuple[CompositionStatus, ...] = ("validated", "template", "learning")

Turn = Literal["", "passed", "taken"]
"""Whether one on trial let something proven answer, or answered in its place; "" neither."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A composition that could answer; `only_reads` says that it changes nothing."""

    composition_id: str
    status: CompositionStatus
    only_reads: bool
    health: Health | None = None

    @property
    def is_proven(self) -> bool:
        """Whether it may answer without being on trial."""
        return self.status in _PROVEN

    @property
    def hold(self) -> str:
        """What a person decided about it."""
        return self.health.hold if self.health else ""


@dataclass(frozen=True, slots=True)
class Choice:
    """What answers, and why. A probe's outcome decides whether its pause ends."""

    composition_id: str
    reason: str
    is_probe: bool = False
    is_unproven: bool = False
    turn: Turn = ""


def choose(
    candidates: Sequence[Candidate],
    now: float,
    rules: LearningRules,
    source: random.Random,
    *,
    is_turn: bool,
) -> Choice | None:
    """Return the composition that answers this time, or None when none may.

    What a person pinned comes first. A pause that is over gives one request to its composition.
    While something proven can answer, those on trial may only if it is their turn (`is_turn`), and
    if they change nothing; where nothing is proven yet, they are all there is.
    """
    serving = [c for c in candidates if c.status in _SERVING and c.hold != "forbidden"]
    if pinned := [c for c in serving if c.hold == "pinned"]:
        return Choice(pinned[0].composition_id, "pinned", is_unproven=not pinned[0].is_proven)
    if not rules.is_enabled:
        return _first(serving)
    if not any(c.is_proven and not _is_paused(c) for c in serving):
        return _played(serving, now, rules, source, "on trial, nothing is proven yet")
    harmless = [c for c in serving if c.is_proven or c.only_reads]
    allowed = harmless if is_turn else [c for c in harmless if c.is_proven]
    choice = _played(allowed, now, rules, source, "the best of what is known")
    if choice is None or all(c.is_proven for c in harmless):
        return choice
    return replace(choice, turn="taken" if choice.is_unproven else "passed")


def _played(
    serving: Sequence[Candidate],
    now: float,
    rules: LearningRules,
    source: random.Random,
    reason: str,
) -> Choice | None:
    """Return one whose pause is over, else the best draw of those that are not paused."""
    healthy = [c for c in serving if not _is_paused(c)]
    if (due := _due(serving, healthy, now)) is not None:
        return Choice(due.composition_id, "probe", is_probe=True, is_unproven=not due.is_proven)
    return _drawn(healthy, rules, source, reason)


def _first(candidates: Sequence[Candidate]) -> Choice | None:
    """Return what answers while nothing is learnt: by status, then by place in the files."""
    if not candidates:
        return None
    first = min(candidates, key=lambda candidate: _PRECEDENCE.index(candidate.status))
    return Choice(first.composition_id, "first by its status", is_unproven=not first.is_proven)


def _is_paused(candidate: Candidate) -> bool:
    return candidate.health is not None and candidate.health.pause is not None


def _due(
    serving: Sequence[Candidate], healthy: Sequence[Candidate], now: float
) -> Candidate | None:
    """Return a paused one whose turn it is; one that writes only if it is all there is."""
    for candidate in serving:
        pause = candidate.health.pause if candidate.health else None
        if pause is not None and now >= pause.until and (candidate.only_reads or not healthy):
            return candidate
    return None


def _drawn(
    candidates: Sequence[Candidate], rules: LearningRules, source: random.Random, reason: str
) -> Choice | None:
    if not candidates:
        return None
    best = max(candidates, key=lambda candidate: _draw(candidate, rules, source))
    reason = "the only one" if len(candidates) == 1 else reason
    return Choice(best.composition_id, reason, is_unproven=not best.is_proven)


def _draw(candidate: Candidate, rules: LearningRules, source: random.Random) -> float:
    successes = candidate.health.weight_successes if candidate.health else 0.0
    failures = candidate.health.weight_failures if candidate.health else 0.0
    # An author vouches for a template: it counts as if it had just passed the trial.
    vouched = rules.min_executions if candidate.status == "template" else 0
    return source.betavariate(1 + vouched + successes, 1 + failures)
