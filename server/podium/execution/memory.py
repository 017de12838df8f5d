"""What an execution remembers of its finished steps, by path: enough to play it on later."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from podium.domain.execution import StepStatus
from podium.execution.scope import Blocks

_SEGMENT = re.compile(r"\[\d+\]|[^.\[\]]+")


@dataclass(slots=True)
class Outcome:
    """How a step ended that needs no playing any more.

    `status` is done, skipped, or failed where the failure was handled; then `has_value` says
    whether something stands in for its result.
    """

    status: StepStatus
    value: Any = None
    blocks: Blocks = ()
    mapped: dict[str, Any] = field(default_factory=dict)
    has_value: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return the form that a checkpoint keeps."""
        data: dict[str, Any] = {
            "status": self.status,
            "value": self.value,
            "blocks": list(self.blocks),
            "mapped": self.mapped,
        }
        if not self.has_value:
            data["has_value"] = False
        return data

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> "Outcome":
        """Return what `to_dict` wrote."""
        return Outcome(
            data["status"],
            data.get("value"),
            tuple(data.get("blocks", ())),
            dict(data.get("mapped", {})),
            bool(data.get("has_value", True)),
        )


class Memory:
    """A tree of paths: under each step those inside it, under each round those of that round."""

    __slots__ = ("around", "choice", "inside", "outcome")

    def __init__(self, around: "Memory | None" = None) -> None:
        self.around = around
        self.inside: dict[str, Memory] = {}
        self.outcome: Outcome | None = None
        self.choice: Any = None  # what a block has decided, as JSON

    def at(self, key: str) -> "Memory":
        """Return the place of a step id or of a round (`[3]`) in here."""
        found = self.inside.get(key)
        if found is None:
            found = self.inside[key] = Memory(self)
        return found

    def known(self, key: str) -> Outcome | None:
        """Return how something in here ended, if it is known."""
        found = self.inside.get(key)
        return None if found is None else found.outcome

    def drop(self, key: str) -> None:
        """Forget a place in here with everything inside it."""
        self.inside.pop(key, None)

    def finish(self, outcome: Outcome, *, is_whole: bool) -> None:
        """Keep how this ended; unless `is_whole`, what is inside it is not needed any more."""
        self.outcome = outcome
        if not is_whole:
            self.choice = None
            self.inside.clear()

    def forget(self) -> None:
        """Have this played again, and so whatever is around it.

        What a switch or a `catch` has decided stays; a result that was kept, and the rounds that a
        repeat has behind it, are over with what they stood for.
        """
        memory: Memory | None = self
        while memory is not None:
            memory.outcome = None
            if isinstance(memory.choice, dict) and "catch" not in memory.choice:
                memory.choice = None
            memory = memory.around

    @property
    def has_finished_parts(self) -> bool:
        """Whether something inside has ended."""
        return any(m.outcome is not None or m.has_finished_parts for m in self.inside.values())

    def outcomes(self) -> dict[str, dict[str, Any]]:
        """Return every outcome by its path."""
        found = ((path, memory.outcome) for path, memory in self._walk())
        return {path: outcome.to_dict() for path, outcome in found if outcome is not None}

    def choices(self) -> dict[str, Any]:
        """Return every choice of an unfinished block by its path."""
        return {path: m.choice for path, m in self._walk() if m.choice is not None}

    def covers(self, path: str) -> bool:
        """Return whether this path, or something around it, has ended."""
        memory = self
        for key in _SEGMENT.findall(path):
            inner = memory.inside.get(key)
            if inner is None:
                return False
            if inner.outcome is not None:
                return True
            memory = inner
        return False

    def place(self, path: str) -> "Memory":
        """Return the place of a path."""
        memory = self
        for key in _SEGMENT.findall(path):
            memory = memory.at(key)
        return memory

    def _walk(self) -> Iterator[tuple[str, "Memory"]]:
        waiting = [("", self)]
        while waiting:
            path, memory = waiting.pop()
            if path:
                yield path, memory
            for key, inner in reversed(memory.inside.items()):
                joint = "" if not path or key.startswith("[") else "."
                waiting.append((f"{path}{joint}{key}", inner))


def remembered(outcomes: Mapping[str, Mapping[str, Any]], choices: Mapping[str, Any]) -> Memory:
    """Return the memory that a checkpoint has kept."""
    memory = Memory()
    for path, outcome in outcomes.items():
        memory.place(path).outcome = Outcome.from_dict(outcome)
    for path, choice in choices.items():
        memory.place(path).choice = choice
    return memory


def segments(path: str) -> list[str]:
    """Return `loop[3].a` as ["loop", "[3]", "a"]."""
    return _SEGMENT.findall(path)
