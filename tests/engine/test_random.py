"""Random compositions over tools that fail, hang and are slow: what must hold, holds.

Whatever happens, every step ends, limits hold, nothing hangs; and no write that is known to be done
is ever made again, however often the execution is played on.
"""

from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import anyio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from podium.compositions.graph import build_plan
from podium.domain.composition import Composition
from podium.domain.errors import ToolFailedError, UpstreamClosedError
from podium.domain.execution import Execution
from podium.domain.limits import Limits
from podium.execution.runner import Runner, RunnerSettings
from podium.mapping.expressions import Evaluator
from podium.mapping.transformers import Transformers
from podium.testing import (
    FakeUpstreams,
    LoopClock,
    MemoryCheckpoints,
    MemoryJournal,
    VirtualTimeLoop,
)

KEY = "'{id}' & '/' & $item & '/' & $string($index)"
ENDED = {"done", "failed", "skipped", "cancelled", "in_doubt", "waiting", "undone"}
TURNS = 6


@dataclass
class Ids:
    count: int = 0

    def new(self) -> str:
        self.count += 1
        return f"s{self.count}"


@st.composite
def compositions(draw: st.DrawFn) -> dict[str, Any]:
    ids = Ids()
    return {
        "id": "random",
        "strategy": draw(st.sampled_from(["serial", "parallel_limited", "parallel_full"])),
        "timeout_seconds": draw(st.sampled_from([5, 60])),
        "undo": draw(st.booleans()),
        "steps": _body(draw, ids, 2, in_repeat=False),
    }


def _body(draw: st.DrawFn, ids: Ids, depth: int, *, in_repeat: bool) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(1, 3))):
        step = _step(draw, ids, depth, in_repeat=in_repeat)
        if steps and draw(st.booleans()):
            step["depends_on"] = [draw(st.sampled_from(steps))["id"]]
        steps.append(step)
    return steps


def _step(draw: st.DrawFn, ids: Ids, depth: int, *, in_repeat: bool) -> dict[str, Any]:
    step_id = ids.new()
    kinds = ["tool"] * 4 if in_repeat or not depth else ["tool", "tool", "ask", *BLOCKS]
    kind = draw(st.sampled_from(kinds))
    step = {"id": step_id, **BUILDERS[kind](draw, ids, depth, step_id)}
    if draw(st.integers(0, 5)) == 0:
        step["on_error"] = draw(st.sampled_from(["continue", {"default": 0}]))
    if draw(st.integers(0, 7)) == 0:
        step["timeout_seconds"] = draw(st.sampled_from([1, 3]))
    return step


def _tool(draw: st.DrawFn, _ids: Ids, _depth: int, step_id: str) -> dict[str, Any]:
    name = draw(st.sampled_from(["read", "write"]))
    step: dict[str, Any] = {
        "server_id": "s",
        "tool_id": name,
        "input_mapping": {"key": KEY.format(id=step_id)},
    }
    if name == "write" and draw(st.booleans()):
        step["undo"] = {"server_id": "s", "tool_id": "undo", "input_mapping": {"key": step_id}}
    return step


def _loop(draw: st.DrawFn, ids: Ids, depth: int, _id: str) -> dict[str, Any]:
    return {
        "iterations": "[$item & 'x', $item & 'y', $item & 'z']",
        "tolerated_failures": draw(st.integers(0, 1)),
        "steps": _body(draw, ids, depth - 1, in_repeat=False),
    }


def _parallel(draw: st.DrawFn, ids: Ids, depth: int, _id: str) -> dict[str, Any]:
    branches = [_step(draw, ids, depth - 1, in_repeat=False) for _ in range(2)]
    return {"parallel": branches, "join": draw(st.sampled_from(["all", "any", 1, 2]))}


def _try(draw: st.DrawFn, ids: Ids, depth: int, _id: str) -> dict[str, Any]:
    return {
        "try": _body(draw, ids, depth - 1, in_repeat=False),
        "catch": [{"steps": _body(draw, ids, 0, in_repeat=False)}] * draw(st.integers(0, 1)),
        "finally": _body(draw, ids, 0, in_repeat=False) if draw(st.booleans()) else [],
    }


BUILDERS: dict[str, Any] = {
    "tool": _tool,
    "ask": lambda *_: {"ask": "'Well?'"},
    "loop": _loop,
    "parallel": _parallel,
    "try": _try,
    "switch": lambda draw, ids, depth, _: {
        "switch": [{"when": "true", "steps": _body(draw, ids, depth - 1, in_repeat=False)}]
    },
    "repeat": lambda draw, ids, depth, _: {
        "repeat": _body(draw, ids, depth - 1, in_repeat=True),
        "until": "$index = 2",
        "interval_seconds": 0.5,
    },
}
BLOCKS = ["loop", "parallel", "try", "switch", "repeat"]


@dataclass
class World:
    """Tools whose fate is drawn call by call, and a count of the writes that are done."""

    fates: list[tuple[float, str]]
    done: Counter[str] = field(default_factory=Counter)
    calls: int = 0

    async def act(self, arguments: dict[str, Any]) -> Any:
        delay, fate = self.fates[self.calls % len(self.fates)]
        self.calls += 1
        await anyio.sleep(delay)
        if fate == "fails":
            raise ToolFailedError("no", retryable=False)
        if fate == "closes":
            raise UpstreamClosedError("gone")
        if fate == "hangs":
            await anyio.sleep_forever()
        return arguments

    async def write(self, arguments: dict[str, Any]) -> Any:
        result = await self.act(arguments)
        self.done[arguments["key"]] += 1
        return result

    async def undo(self, arguments: dict[str, Any]) -> Any:
        await anyio.sleep(0.1)
        self.done[arguments["key"]["key"]] -= 1
        return arguments


fates = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.1, 1.0]),
        st.sampled_from(["returns"] * 6 + ["fails", "closes", "hangs"]),
    ),
    min_size=1,
    max_size=12,
)


@given(compositions(), fates, st.lists(st.floats(0, 4), max_size=2))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_step_ends_limits_hold_and_no_finished_write_is_repeated(
    composition: dict[str, Any], drawn: list[tuple[float, str]], cancels: list[float]
) -> None:
    anyio.run(play, composition, drawn, cancels, backend_options={"loop_factory": VirtualTimeLoop})


async def play(
    composition: dict[str, Any], drawn: list[tuple[float, str]], cancels: list[float]
) -> None:
    world, upstreams = World(drawn), FakeUpstreams()
    upstreams.add("s.read", world.act)
    upstreams.add("s.write", world.write, effects="write")
    upstreams.add("s.undo", world.undo, effects="write")
    checkpoints, clock, limits = MemoryCheckpoints(), LoopClock(), Limits()
    runner = Runner(
        upstreams=upstreams,
        evaluator=Evaluator(Transformers(), clock=clock, limits=limits),
        journal=MemoryJournal(),
        clock=clock,
        limits=limits,
        settings=RunnerSettings(process_slots=3, max_steps=100),
        checkpoints=checkpoints,
    )
    plan = build_plan(Composition.model_validate(composition), ())
    execution, extra = Execution("exec_1", "random", {}), {}
    width = {"serial": 1, "parallel_limited": 2, "parallel_full": 3}[composition["strategy"]]
    for turn in range(TURNS):
        with anyio.fail_after(3_600), anyio.CancelScope() as caller:
            if turn < len(cancels):
                caller.deadline = anyio.current_time() + cancels[turn]
            await runner.run(plan, execution, {}, **extra)

        assert execution.status in {"success", "error", "cancelled", "needs_input"}
        assert {record.status for record in execution.steps.values()} <= ENDED
        assert (upstreams.running, runner.active_worker_count()) == (0, 0)
        assert upstreams.most_running <= width
        assert all(count in (0, 1) for count in world.done.values()), world.done
        assert (execution.question is not None) == (execution.status == "needs_input")
        if execution.status == "success":
            return
        checkpoint = await checkpoints.load("exec_1")
        assert checkpoint is not None
        execution = deepcopy(checkpoint.execution)
        execution.status, execution.error, question = "running", None, execution.question
        execution.question = None
        answers = dict.fromkeys(checkpoint.in_doubt, "skip")
        if question is not None and question.kind == "ask":
            answers[question.id] = "yes"
        extra = {"checkpoint": checkpoint, "answers": answers}
