"""The end of the demo: a task done by hand three times, learnt, and then asked for in words."""

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from podium.cli.output import say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from podium.app import Orchestrator

WORDS = "Que dit le document qui parle de {} ?"
BY_HAND = ("workshop", "Accueil", "thé")
IN_WORDS = WORDS.format("questions")
USER = "demo"


@dataclass(frozen=True, slots=True)
class Lesson:
    """What was learnt, and what one answer costs a client that uses a model, before and after."""

    composition_id: str
    calls_before: int
    tokens_before: int
    tokens_after: int = 0
    calls_after: int = 1

    def to_dict(self) -> dict[str, Any]:
        """Return the public form."""
        return asdict(self)


async def learn_by_hand(orchestrator: "Orchestrator", *, is_shown: bool) -> Lesson | None:
    """Do the task as a client with a model does it; return what Podium learnt from that."""
    for number, word in enumerate(BY_HAND):
        request = WORDS.format(word)
        if is_shown:
            say(f"  by hand: {request}")
        await _solve(orchestrator, word, request, f"client {number}")
        orchestrator.disconnected(f"client {number}")
    proposals = await orchestrator.tracing.proposals()
    if not proposals:
        return None
    cost = proposals[0].baseline
    return Lesson(proposals[0].composition_id, cost.calls, cost.tokens)


async def _solve(orchestrator: "Orchestrator", word: str, request: str, connection_id: str) -> None:
    async def call(tool_id: str, arguments: dict[str, Any]) -> Any:
        result = await orchestrator.call_tool(
            "files",
            tool_id,
            arguments,
            user_id=USER,
            request=request,
            connection_id=connection_id,
        )
        return result.value()

    found = await call("search_files", {"query": word})
    path = found["files"][0]
    await call("file_info", {"file_path": path})
    await call("read_file", {"file_path": path})


def with_answer(lesson: Lesson, reply: "Mapping[str, Any]") -> Lesson:
    """Return what was learnt with what the answer costs whoever reads it."""
    from podium.monitor.statistics import tokens_of  # noqa: PLC0415

    return replace(lesson, tokens_after=tokens_of(reply["data"]["result"]))


def show_lesson(lesson: Lesson) -> None:
    """Say what was learnt, and what it saves."""
    say(
        f"  learnt: {lesson.composition_id}; asked for in words: "
        f"{lesson.calls_before} calls -> {lesson.calls_after} call, "
        f"about {lesson.tokens_before} tokens -> {lesson.tokens_after}"
    )
