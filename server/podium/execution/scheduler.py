"""Which steps of a frame may start: ended steps in, ready steps out; no input or output."""

from collections.abc import Iterable, Mapping
from typing import Literal

StepState = Literal["waiting", "ready", "running", "on_hold", "over", "dropped"]
StepEvent = Literal["unblock", "start", "hold", "finish", "drop"]

TRANSITIONS: Mapping[tuple[StepState, StepEvent], StepState] = {
    ("waiting", "unblock"): "ready",  # all it waits for is over
    ("ready", "start"): "running",
    ("running", "finish"): "over",
    ("running", "hold"): "on_hold",  # a person has to answer first; nobody knows when
    ("waiting", "drop"): "dropped",
    ("ready", "drop"): "dropped",
}
"""State, event -> state; whatever is not here is a fault of the caller."""


class Scheduler:
    """The state of each step of one frame.

    A step is ready as soon as all it waits for is over: there are no levels and no barriers. What
    waits for a step that is on hold stays waiting. Once the frame is stopped, nothing becomes ready
    any more and what has not started is dropped. Every step costs the same, however many there are.
    """

    def __init__(self, waits_for: Mapping[str, Iterable[str]]) -> None:
        self._states: dict[str, StepState] = dict.fromkeys(waits_for, "waiting")
        self._missing: dict[str, int] = {}
        self._followers: dict[str, list[str]] = {}
        self._ready: list[str] = []
        self.finished_count = 0
        for step, others in waits_for.items():
            distinct = frozenset(others)
            self._missing[step] = len(distinct)
            for other in distinct:
                if other not in self._states:
                    raise KeyError(f"'{step}' waits for '{other}', which is not in the frame")
                self._followers.setdefault(other, []).append(step)
            if not distinct:
                self._unblock(step)

    def ready(self) -> list[str]:
        """Return the steps that may start now, in file order, and mark them as running."""
        steps, self._ready = self._ready, []
        for step in steps:
            self._move(step, "start")
        return steps

    def finish(self, step: str) -> None:
        """Note that a step is over, however it ended."""
        self._move(step, "finish")
        self.finished_count += 1
        for follower in self._followers.get(step, ()):
            self._missing[follower] -= 1
            if not self._missing[follower] and self._states[follower] == "waiting":
                self._unblock(follower)

    def hold(self, step: str) -> None:
        """Note that a step cannot go on before a person has answered."""
        self._move(step, "hold")

    def stop(self) -> None:
        """Drop what has not started."""
        self._ready = []
        for step, state in self._states.items():
            if state in ("waiting", "ready"):
                self._move(step, "drop")

    def state(self, step: str) -> StepState:
        """Return the state of a step."""
        return self._states[step]

    @property
    def has_hold(self) -> bool:
        """Whether a step waits for a person."""
        return "on_hold" in self._states.values()

    def _unblock(self, step: str) -> None:
        self._move(step, "unblock")
        self._ready.append(step)

    def _move(self, step: str, event: StepEvent) -> None:
        self._states[step] = TRANSITIONS[self._states[step], event]
