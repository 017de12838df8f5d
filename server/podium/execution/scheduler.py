"""Which steps may start: finished steps in, ready steps out; no input or output, no clock."""

from collections.abc import Iterable, Mapping
from typing import Literal

StepState = Literal["waiting", "running", "over", "dropped"]

# state, event -> state; whatever is not here is a fault of the caller
_TRANSITIONS: Mapping[tuple[StepState, str], StepState] = {
    ("waiting", "start"): "running",
    ("waiting", "drop"): "dropped",
    ("running", "finish"): "over",
}


class Scheduler:
    """The state of each step of one execution.

    A step is ready as soon as all it waits for is over: there are no levels and no barriers. Once
    the execution is stopped, nothing becomes ready any more and what waits is dropped.
    """

    def __init__(self, waits_for: Mapping[str, Iterable[str]]) -> None:
        self._states: dict[str, StepState] = dict.fromkeys(waits_for, "waiting")
        self._missing = {step: set(others) for step, others in waits_for.items()}
        self._followers: dict[str, list[str]] = {step: [] for step in waits_for}
        for step, others in self._missing.items():
            for other in others:
                self._followers[other].append(step)

    def ready(self) -> list[str]:
        """Return the steps that may start now, in file order, and mark them as running."""
        steps = [
            step
            for step, state in self._states.items()
            if state == "waiting" and not self._missing[step]
        ]
        for step in steps:
            self._move(step, "start")
        return steps

    def finish(self, step: str) -> None:
        """Note that a step is over, however it ended."""
        self._move(step, "finish")
        for follower in self._followers[step]:
            self._missing[follower].discard(step)

    def stop(self) -> None:
        """Drop what has not started."""
        for step, state in self._states.items():
            if state == "waiting":
                self._move(step, "drop")

    @property
    def finished_count(self) -> int:
        """How many steps are over."""
        return sum(state == "over" for state in self._states.values())

    def _move(self, step: str, event: str) -> None:
        self._states[step] = _TRANSITIONS[self._states[step], event]
