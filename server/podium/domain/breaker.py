"""When an upstream that keeps failing is left alone, and how it gets its next chance.

Pure: time comes in as a number. Closed lets every call through, open none; after a pause a single
call is let through as a probe (half open), and its outcome decides.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

Circuit = Literal["closed", "open", "half_open"]
Outcome = Literal["succeeded", "failed", "given_up"]
"""How a call ended; one that was given up (or never sent) says nothing about the upstream."""


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """How many failures in a row open a breaker (0: none ever does), and for how long."""

    failures: int = 5
    open_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Breaker:
    """The state of one breaker; `turn` counts its changes, and is the ticket of a call."""

    circuit: Circuit = "closed"
    failures: int = 0
    opened_at: float = 0.0
    turn: int = 0

    def admit(self, now: float, rules: BreakerRules) -> "Breaker | None":
        """Return the breaker with one more call let through, or None if it is refused."""
        if self.circuit == "closed":
            return self
        if self.circuit == "open" and self.seconds_to_probe(now, rules) <= 0:
            return replace(self, circuit="half_open", turn=self.turn + 1)
        return None

    def settle(self, turn: int, outcome: Outcome, now: float, rules: BreakerRules) -> "Breaker":
        """Return the breaker after a call that was let through in this turn.

        The outcome of a call from an earlier turn comes too late to mean anything.
        """
        if turn != self.turn:
            return self
        return _NEXT[self.circuit, outcome](self, now, rules)

    def seconds_to_probe(self, now: float, rules: BreakerRules) -> float:
        """Return how long an open breaker still refuses every call."""
        return max(0.0, self.opened_at + rules.open_seconds - now)


def _unchanged(breaker: Breaker, _now: float, _rules: BreakerRules) -> Breaker:
    return breaker


def _count(breaker: Breaker, now: float, rules: BreakerRules) -> Breaker:
    counted = replace(breaker, failures=breaker.failures + 1)
    return _open(counted, now, rules) if 0 < rules.failures <= counted.failures else counted


def _forget(breaker: Breaker, _now: float, _rules: BreakerRules) -> Breaker:
    return replace(breaker, failures=0)


def _open(breaker: Breaker, now: float, _rules: BreakerRules) -> Breaker:
    return replace(breaker, circuit="open", opened_at=now, turn=breaker.turn + 1)


def _count_and_open(breaker: Breaker, now: float, rules: BreakerRules) -> Breaker:
    return _open(replace(breaker, failures=breaker.failures + 1), now, rules)


def _let_another_probe(breaker: Breaker, _now: float, _rules: BreakerRules) -> Breaker:
    return replace(breaker, circuit="open", turn=breaker.turn + 1)


def _close(breaker: Breaker, _now: float, _rules: BreakerRules) -> Breaker:
    return replace(breaker, circuit="closed", failures=0, turn=breaker.turn + 1)


_NEXT: Mapping[tuple[Circuit, Outcome], Callable[[Breaker, float, BreakerRules], Breaker]] = {
    ("closed", "succeeded"): _forget,
    ("closed", "failed"): _count,
    ("closed", "given_up"): _unchanged,
    ("half_open", "succeeded"): _close,
    ("half_open", "failed"): _count_and_open,
    ("half_open", "given_up"): _let_another_probe,
    # No call is ever let through in an open turn, so that none can end in one.
    ("open", "succeeded"): _unchanged,
    ("open", "failed"): _unchanged,
    ("open", "given_up"): _unchanged,
}
