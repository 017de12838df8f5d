"""What the functions that an expression calls may know about the evaluation they run in."""

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from random import Random
from typing import Any

from podium.domain.ports import Clock


@dataclass(slots=True)
class Frame:
    """One running evaluation.

    Attributes:
        source: the expression as its author wrote it.
        blocks: raw content blocks by step id; for `$blocks`.
        clock: what tells the time, the outermost evaluation's.
        now: the moment that `$now()` and `$millis()` show, seconds since the epoch.
        random: what `$random()` draws from.
        deadline: when it must be over, in the clock's monotonic seconds.
        depth: how many evaluations it runs inside of.
        marking: whether large numbers travel as marked texts (else as doubles).
        marked: whether any does.
        failure: what a called function raised; the engine itself forgets it.

    """

    source: str
    blocks: Mapping[str, Sequence[dict[str, Any]]]
    clock: Clock
    now: float
    random: Random
    deadline: float
    depth: int = 0
    marking: bool = True
    marked: bool = False
    failure: BaseException | None = None

    @property
    def seconds_left(self) -> float:
        """How long it may still run."""
        return self.deadline - self.clock.monotonic()


CURRENT: ContextVar[Frame | None] = ContextVar("podium_evaluation", default=None)


def current_frame() -> Frame:
    """Return the running evaluation; only the engine's functions may ask."""
    frame = CURRENT.get()
    if frame is None:
        raise RuntimeError("no expression is being evaluated")
    return frame
