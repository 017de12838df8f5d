"""Everything around the engine as data: what a case says is what tools, people and files do."""

from collections.abc import Mapping, Sequence
from typing import Any

import anyio

from podium.compositions.checker import Checker
from podium.compositions.graph import build_plan
from podium.compositions.library import CompositionLibrary
from podium.compositions.params import checked_params, missing_params
from podium.compositions.plans import LibraryPlans
from podium.domain import errors
from podium.domain.composition import Composition, Plan, StoredComposition
from podium.domain.execution import Question
from podium.domain.ports import NO_ANSWER
from podium.domain.tool import Tool, ToolResult
from podium.testing import FakeUpstreams

ERRORS = {
    error.code: error
    for error in vars(errors).values()
    if isinstance(error, type) and issubclass(error, errors.PodiumError)
}


class ScriptedUpstreams(FakeUpstreams):
    """Upstreams that also keep the time of each call, and which calls were broken off."""

    def __init__(self) -> None:
        super().__init__()
        self.began = anyio.current_time()
        self.times: list[list[Any]] = []
        self.broken_off: list[str] = []


def upstreams_of(tools: Mapping[str, Mapping[str, Any]]) -> ScriptedUpstreams:
    """Return upstreams with the tools of a case."""
    upstreams = ScriptedUpstreams()
    for full_name, tool in tools.items():
        behaviours = tool["does"] if isinstance(tool["does"], list) else [tool["does"]]
        upstreams.add(
            full_name,
            _handler(full_name, behaviours, upstreams),
            input_schema=tool.get("input_schema"),
            output_schema=tool.get("output_schema"),
            effects=tool.get("effects", "read"),
            idempotent=tool.get("idempotent", False),
        )
        upstreams.failing_starts[full_name.partition(".")[0]] = tool.get("starts_at_try", 1) - 1
    return upstreams


def _handler(
    full_name: str, behaviours: Sequence[Mapping[str, Any]], upstreams: ScriptedUpstreams
) -> Any:
    remaining = list(behaviours)

    async def handle(arguments: dict[str, Any]) -> Any:
        # The last behaviour stays for all later calls.
        behaviour = dict(remaining.pop(0) if len(remaining) > 1 else remaining[0])
        upstreams.times.append([full_name, round(anyio.current_time() - upstreams.began, 6)])
        try:
            await anyio.sleep(behaviour.pop("after", 0))
            for key, value in behaviour.items():
                return await BEHAVIOURS[key](value, arguments)
        except anyio.get_cancelled_exc_class():
            upstreams.broken_off.append(full_name)
            raise
        raise AssertionError("an empty behaviour")

    return handle


async def _return(value: Any, _: dict[str, Any]) -> Any:
    return value


async def _echo(_: Any, arguments: dict[str, Any]) -> Any:
    return arguments


async def _look_up(table: Mapping[str, Any], arguments: dict[str, Any]) -> Any:
    """Answer by the only argument's value; a text that begins with `!` is a tool error."""
    (key,) = arguments.values()
    value = table[str(key)]
    if isinstance(value, str) and value.startswith("!"):
        return await _tool_error(value[1:], arguments)
    return value


async def _text(text: str, _: dict[str, Any]) -> ToolResult:
    return ToolResult(content=({"type": "text", "text": text},))


async def _blocks(blocks: Sequence[dict[str, Any]], _: dict[str, Any]) -> ToolResult:
    return ToolResult(content=tuple(blocks))


async def _tool_error(message: str, _: dict[str, Any]) -> ToolResult:
    return ToolResult(content=({"type": "text", "text": message},), is_error=True)


async def _raise(what: Mapping[str, Any], _: dict[str, Any]) -> Any:
    error = ERRORS[what["code"]]
    raised = error(what.get("message", "as scripted"), **what.get("fields", {}))
    if "retry_after" in what:
        raised.retry_after_seconds = what["retry_after"]
    raise raised


async def _hang(_: Any, __: dict[str, Any]) -> Any:
    await anyio.sleep_forever()


async def _wait(seconds: float, _: dict[str, Any]) -> Any:
    await anyio.sleep(seconds)
    return {"waited": seconds}


async def _crash(message: str, _: dict[str, Any]) -> Any:
    raise RuntimeError(message)


BEHAVIOURS = {
    "returns": _return,
    "echoes": _echo,
    "looks_up": _look_up,
    "text": _text,
    "blocks": _blocks,
    "tool_error": _tool_error,
    "raises": _raise,
    "hangs": _hang,
    "waits": _wait,
    "crashes": _crash,
}


class ScriptedAsker:
    """A person whose answers are data: `{path: answer}`, or `{"after": s, "says": answer}`.

    `{"after": s}` alone is a person who takes so long; a path that is not there is no answer.
    """

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self._answers = answers
        self.asked: list[list[Any]] = []

    async def __call__(self, question: Question) -> Any:
        """Answer as the case says."""
        self.asked.append([question.id, question.kind, question.message])
        answer = self._answers.get(question.id, NO_ANSWER)
        if isinstance(answer, dict) and "after" in answer:
            await anyio.sleep(answer["after"])
            return answer.get("says", NO_ANSWER)
        return answer


def plans_of(
    compositions: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]
) -> tuple[Checker, LibraryPlans]:
    """Return what checks the compositions of a case, and those that its steps may play."""
    library = CompositionLibrary(
        StoredComposition(Composition.model_validate(data), "template", "case", order)
        for order, data in enumerate(compositions)
    )
    bounds = {"max_steps": settings.get("max_steps", 10), "max_depth": settings.get("max_depth", 5)}
    checker = Checker(**bounds, library=library)
    return checker, LibraryPlans(library, checker)


def planned(
    data: Mapping[str, Any], given: Mapping[str, Any], checker: Checker | None
) -> tuple[Plan, dict[str, Any]]:
    """Return the plan of a composition, checked if there is a checker, and its params."""
    composition = Composition.model_validate(data)
    if checker is not None:
        checker.require(StoredComposition(composition, "template", "case"))
    params = checked_params(composition, given, is_strict=True)
    plan = build_plan(composition, params.keys())
    if plan.required_params:
        raise missing_params(composition, plan.required_params)
    return plan, params


class ScriptedCache:
    """A cache of results in memory, on the loop's time; `is_broken` makes every use of it fail."""

    def __init__(self, *, is_broken: bool = False) -> None:
        self.kept: dict[str, tuple[float, ToolResult]] = {}
        self._is_broken = is_broken

    async def get(self, key: str) -> ToolResult | None:
        """Return what is kept and not too old."""
        if self._is_broken:
            raise OSError("the disk is gone")
        until, result = self.kept.get(key, (0.0, None))
        return result if anyio.current_time() < until else None

    async def put(self, key: str, result: ToolResult, ttl_seconds: float) -> None:
        """Keep a result."""
        if self._is_broken:
            raise OSError("the disk is gone")
        self.kept[key] = anyio.current_time() + ttl_seconds, result


def cache_seconds(rules: Mapping[str, float]) -> Any:
    """Return what says for how long results of a tool may be used again."""

    def seconds(tool: Tool) -> float | None:
        return rules.get(tool.full_name)

    return seconds
