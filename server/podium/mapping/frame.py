"""What the functions that an expression calls may know about the evaluation they run in."""

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from random import Random
from typing import Any


@dataclass(slots=True)
class Frame:
    """One running evaluation.

    Attributes:
        source: the expression as its author wrote it.
        variables: what the caller bound, and `scope` what it handed in; for `$template`.
        blocks: raw content blocks by step id; for `$blocks`.
        now: the moment that `$now()` and `$millis()` show, seconds since the epoch.
        deadline: when it must be over, in the clock's monotonic seconds.
        depth: how many evaluations it runs inside of.
        marking: whether large numbers travel as marked texts (else as doubles).
        marked: whether any does.
        failure: what a called function raised; the engine itself forgets it.

    """

    source: str
    blocks: Mapping[str, Sequence[dict[str, Any]]]
    now: float
    random: Random
    deadline: float
    depth: int = 0
    marking: bool = True
    marked: bool = False
    failure: BaseException | None = None


CURRENT: ContextVar[Frame | None] = ContextVar("podium_evaluation", default=None)


def current_frame() -> Frame:
    """Return the running evaluation; only the engine's functions may ask."""
    frame = CURRENT.get()
    if frame is None:
        raise RuntimeError("no expression is being evaluated")
    return frame
