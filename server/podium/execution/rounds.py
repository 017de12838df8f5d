"""The rounds of one iteration: which comes next, what came out, and how many may fail."""

from typing import Generic, TypeVar

from podium.domain.errors import PodiumError

T = TypeVar("T")


class Rounds(Generic[T]):
    """So many rounds, begun in order, ended in any order.

    `results` keeps the order of the list, with None where a round gave nothing. The failure that is
    one too many is `failure`; from then on, no round begins.
    """

    def __init__(self, count: int, tolerated: int = 0) -> None:
        self.count = count
        self.results: list[T | None] = [None] * count
        self.done = 0
        self.failed: list[int] = []
        self.failed_at = -1
        self.failure: PodiumError | None = None
        self._tolerated = tolerated
        self._next = 0

    def begin(self) -> int | None:
        """Return the number of the next round, from 0; None when there is none to begin."""
        if self.failure is not None or self._next >= self.count:
            return None
        self._next += 1
        return self._next - 1

    def finish(self, number: int, result: T) -> None:
        """Keep what a round gave."""
        self.results[number] = result
        self.done += 1

    def fail(self, number: int, error: PodiumError) -> bool:
        """Take note of a failure; return whether it is tolerated."""
        self.failed.append(number)
        if len(self.failed) <= self._tolerated:
            return True
        if self.failure is None:
            self.failure, self.failed_at = error, number
        return False
