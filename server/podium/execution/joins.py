"""When the steps of a frame are enough: how many must be done, and when that has become impossible.

A frame whose steps need each other wants all of them; a `parallel` may want any, or a number.
"""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["open", "enough", "impossible"]


@dataclass(slots=True)
class Join:
    """How a frame stands: of `total` steps, `done` are done, `failed` failed for good.

    `needed` is None where all are wanted: then a step that was skipped, or whose failure was
    handled, stands in nobody's way. Where a number is wanted, only what is done counts.
    """

    total: int
    needed: int | None = None
    done: int = 0
    failed: int = 0
    other: int = 0

    def note(self, ending: str) -> Verdict:
        """Take note of how a step ended (`done`, `failed`, anything else); say how things stand."""
        if ending == "done":
            self.done += 1
        elif ending == "failed":
            self.failed += 1
        else:
            self.other += 1
        return self.verdict

    @property
    def verdict(self) -> Verdict:
        """How things stand."""
        if self.needed is None:
            return "impossible" if self.failed else "open"
        if self.done >= self.needed:
            return "enough"
        left = self.total - self.done - self.failed - self.other
        return "impossible" if self.done + left < self.needed else "open"


def join_of(join: str | int, total: int) -> Join:
    """Return the join that a `parallel` of so many branches asks for."""
    if join == "all":
        return Join(total)
    return Join(total, 1 if join == "any" else int(join))
