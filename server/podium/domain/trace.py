"""Traces: the tool calls that a client made itself, through Podium, in one conversation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from podium.domain.tool import Effects


@dataclass(frozen=True, slots=True)
class TracedCall:
    """One call as it was made and answered.

    `value` is the result as expressions see it (`ToolResult.value`). Times are seconds since the
    epoch. `request` are the user's words that the client gave with this call. `is_cut`: the result
    or the arguments were too large to be kept, so that nothing can be learnt from the call.
    """

    server_id: str
    tool_id: str
    arguments: dict[str, Any]
    value: Any = None
    is_error: bool = False
    effects: Effects = "write"
    input_schema: dict[str, Any] | None = None
    output_schema: dict[str, Any] | None = None
    started_at: float = 0.0
    ended_at: float = 0.0
    request: str = ""
    is_cut: bool = False

    @property
    def full_name(self) -> str:
        """The tool as people write it: `server.tool`."""
        return f"{self.server_id}.{self.tool_id}"


@dataclass(frozen=True, slots=True)
class Trace:
    """The calls of one conversation for one task, in the order in which they were sent.

    `request` are the user's words, where they are known. `is_whole`: no call is left out.
    """

    id: str
    calls: tuple[TracedCall, ...]
    user_id: str = ""
    conversation_id: str = ""
    request: str = ""
    is_whole: bool = True


def skeleton_of(trace: Trace) -> str:
    """Return what traces of one task have in common: the tools of their successful calls.

    Repetitions and order do not count: a list may be longer, and what does not depend on one
    another may be called in any order.
    """
    return " ".join(sorted({call.full_name for call in trace.calls if not call.is_error}))


@dataclass(frozen=True, slots=True)
class Learnt:
    """What is on record of one task's composition.

    `key` names the task (whose it is, and its tools). `content` is the text of the composition's
    file as it was last written or proposed, `sha256` that of the file that was written ("" when
    none was), `pattern_sha256` that of the pattern file that was written, `evidence` the public
    form of why it is believed.
    """

    key: str
    composition_id: str
    content: str
    sha256: str = ""
    is_refused: bool = False
    is_accepted: bool = False
    evidence: dict[str, Any] | None = None
    pattern: dict[str, Any] | None = None
    traces: int = 0
    updated_at: float = 0.0
    pattern_sha256: str = ""


class TraceStore(Protocol):
    """What survives a restart of what was observed: traces, and what was made of them."""

    async def add(self, key: str, trace: Trace) -> None:
        """Keep a trace under the key of its task, and no longer under another.

        Raises:
            TracesError: the file cannot be written.

        """
        ...

    async def of_task(self, key: str, limit: int) -> list[Trace]:
        """Return the latest traces of a task, the oldest first."""
        ...

    async def keep(self, learnt: Learnt) -> None:
        """Keep what was made of a task, in place of what was there."""
        ...

    async def learnt(self, key: str | None = None) -> list[Learnt]:
        """Return what is on record of one task, or of all, the latest first."""
        ...

    async def forget(self, key: str) -> None:
        """Forget a task's traces and what was made of them."""
        ...


class ShapeStore(Protocol):
    """What survives a restart of what tools returned: (tool, hash of its definition, shape)."""

    async def shapes(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Return all that is kept.

        Raises:
            TracesError: the file cannot be read.

        """
        ...

    async def keep_shapes(self, rows: Sequence[tuple[str, str, dict[str, Any]]]) -> None:
        """Keep these, in place of what was there of their tools.

        Raises:
            TracesError: the file cannot be written.

        """
        ...


class LearntFiles(Protocol):
    """The folder `compositions/learning`, and the pattern files that belong to it."""

    def read(self, composition_id: str) -> str | None:
        """Return a file's text, or None if there is none."""
        ...

    def write(self, composition_id: str, content: str, sha256: str) -> bool:
        """Write a file in place of the one with this hash; "" where there must be none.

        Return whether it was written: not over an edit, not in place of one that was deleted, and
        not beside one of that id in another folder.
        """
        ...

    def read_pattern(self, composition_id: str) -> str | None:
        """Return the text of a composition's pattern file, or None if there is none."""
        ...

    def write_pattern(self, composition_id: str, content: str, sha256: str) -> bool:
        """Write a pattern file in place of the one with this hash; return whether, as `write`."""
        ...


class PatternGate(Protocol):
    """The checks that a pattern must pass before it is active."""

    def faults(self, pattern: dict[str, Any]) -> list[str]:
        """Return what would go wrong with a pattern among all others; empty if nothing."""
        ...
