"""What the engine adds to the calls it makes, beside the same graphs written by hand in anyio.

    python benchmarks/engine.py [--rounds 5]

The tools are functions in memory, the journal is the real one on disk. Every figure is the best of
several rounds in which floor and Podium take turns, so that a slow moment of the machine does not
count: compare the two columns of one run, not the digits of two runs.
"""

import argparse
import gc
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from anyio.lowlevel import checkpoint

from podium.compositions.graph import build_plan
from podium.domain.composition import Composition, Plan
from podium.domain.execution import Execution
from podium.domain.limits import Limits
from podium.domain.redaction import Redactor
from podium.domain.tool import Tool, ToolResult
from podium.execution.runner import Runner, RunnerSettings
from podium.mapping.expressions import Evaluator
from podium.mapping.transformers import Transformers
from podium.storage.journal import SqliteJournal
from podium.storage.system import RandomIds, SystemClock

Measured = Callable[[], Awaitable[object]]
LIMIT = 4
SLOW_SECONDS = 0.02


def tool(name: str, step_id: str, **keys: Any) -> dict[str, Any]:
    """Return a step that calls a tool."""
    return {"id": step_id, "server_id": "s", "tool_id": name, **keys}


CHAIN = {
    "id": "chain",
    "steps": [
        tool("noop", "a", input_mapping={"x": "p"}),
        tool("noop", "b", input_mapping={"x": "a.x"}),
        tool("noop", "c", input_mapping={"x": "b.x"}),
    ],
    "output": {"x": "c.x"},
}
FAN = {
    "id": "fan",
    "steps": [
        tool("noop", "first", input_mapping={"x": "p"}),
        *(tool("noop", f"s{n}", input_mapping={"x": "first.x"}) for n in range(20)),
    ],
}
LOOP = {
    "id": "loop",
    "steps": [tool("noop", "a", iterations="p", input_mapping={"x": "$item"})],
    "output": {"n": "$count(a)"},
}
SLOW = {"id": "slow", "steps": [tool("slow", f"s{n}") for n in range(50)]}


# --- by hand


async def call(arguments: dict[str, Any]) -> dict[str, Any]:
    """Do nothing, as a tool does that is in memory."""
    await checkpoint()
    return arguments


async def slow(_: dict[str, Any]) -> dict[str, Any]:
    """Take as long as a quick server does."""
    await anyio.sleep(SLOW_SECONDS)
    return {}


async def chain_by_hand() -> None:
    limiter = anyio.CapacityLimiter(LIMIT)
    result = {"x": 1}
    for _ in range(3):
        async with limiter:
            result = await call({"x": result["x"]})


async def fan_by_hand() -> None:
    limiter, results = anyio.CapacityLimiter(LIMIT), {}

    async def one(number: int, x: Any) -> None:
        async with limiter:
            results[number] = await call({"x": x})

    async with limiter:
        first = await call({"x": 1})
    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(one, number, first["x"])


async def loop_by_hand(count: int) -> None:
    limiter, results, numbers = anyio.CapacityLimiter(LIMIT), {}, iter(range(count))

    async def work() -> None:
        for number in numbers:
            async with limiter:
                results[number] = await call({"x": number})

    async with anyio.create_task_group() as tasks:
        for _ in range(LIMIT):
            tasks.start_soon(work)


async def slow_by_hand() -> None:
    limiter = anyio.CapacityLimiter(LIMIT)

    async def one() -> None:
        async with limiter:
            await slow({})

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(one)


# --- by Podium


class ToolsInMemory:
    """The part of the upstreams port that the engine uses, and nothing else."""

    def __init__(self, tools: dict[str, Callable[[dict[str, Any]], Awaitable[Any]]]) -> None:
        self._functions = tools
        self._tools = {name: Tool("s", name, annotations={"readOnlyHint": True}) for name in tools}

    async def tool(self, _server_id: str, tool_id: str) -> Tool:
        """Return a tool."""
        return self._tools[tool_id]

    async def call_tool(
        self, _server_id: str, tool_id: str, arguments: dict[str, Any], **_: Any
    ) -> ToolResult:
        """Call its function."""
        value = await self._functions[tool_id](arguments)
        return ToolResult(structured=value, has_structured=True)


class Engine:
    """The engine over tools in memory and the real journal."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._ids = RandomIds()
        self._plans: dict[str, Plan] = {}

    async def play(self, composition: dict[str, Any], p: Any = 1) -> None:
        """Play a composition; its plan is made once, as the server does."""
        plan = self._plans.get(composition["id"])
        if plan is None:
            plan = build_plan(Composition.model_validate(composition), {"p"})
            self._plans[composition["id"]] = plan
        execution = Execution(self._ids.new("exec"), composition["id"], {"p": p})
        await self._runner.run(plan, execution, {"language": "en"})
        assert execution.status == "success", execution.error


@asynccontextmanager
async def engine(folder: Path) -> Any:
    clock, limits = SystemClock(), Limits()
    upstreams: Any = ToolsInMemory({"noop": call, "slow": slow})
    async with SqliteJournal.open(
        folder / "journal.db", redactor=Redactor(()), limits=limits
    ) as journal:
        yield Engine(
            Runner(
                upstreams=upstreams,
                evaluator=Evaluator(Transformers(), clock=clock, limits=limits),
                journal=journal,
                clock=clock,
                limits=limits,
                settings=RunnerSettings(max_steps=100),
            )
        )


# --- figures


async def seconds(measured: Measured, times: int) -> float:
    """Return how long one of several calls takes."""
    started = time.perf_counter()
    for _ in range(times):
        await measured()
    return (time.perf_counter() - started) / times


async def pair(floor: Measured, podium: Measured, times: int, rounds: int) -> tuple[float, float]:
    """Return the best of both, measured in turns."""
    await floor()
    await podium()
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        gc.collect()
        taken[0].append(await seconds(floor, times))
        taken[1].append(await seconds(podium, times))
    return min(taken[0]), min(taken[1])


async def measure(rounds: int) -> None:
    print(f"{'':34}{'by hand':>12}{'Podium':>12}{'added':>16}")
    with tempfile.TemporaryDirectory() as folder:
        async with engine(Path(folder)) as podium:
            await steps(podium, rounds)
            await loops(podium, rounds)
            await others(podium, rounds)


async def steps(podium: Engine, rounds: int) -> None:
    for name, graph, floor, count in (
        ("3 steps, one after the other", CHAIN, chain_by_hand, 3),
        ("1 step, then 20 that read it", FAN, fan_by_hand, 21),
    ):
        by_hand, played = await pair(floor, lambda g=graph: podium.play(g), 200, rounds)
        added = (played - by_hand) / count * 1e6
        print(f"{name:34}{by_hand * 1e6:>9.0f} us{played * 1e6:>9.0f} us{added:>8.0f} us/step")


async def loops(podium: Engine, rounds: int) -> None:
    for count in (10, 100, 1_000, 10_000):
        items = list(range(count))
        by_hand, played = await pair(
            lambda n=count: loop_by_hand(n),
            lambda p=items: podium.play(LOOP, p),
            max(1, 2_000 // count),
            rounds,
        )
        added = (played - by_hand) / count * 1e6
        name = f"a loop of {count:,} rounds"
        print(f"{name:34}{by_hand * 1e6:>9.0f} us{played * 1e6:>9.0f} us{added:>8.0f} us/round")


async def others(podium: Engine, rounds: int) -> None:
    by_hand, played = await pair(slow_by_hand, lambda: podium.play(SLOW), 1, rounds)
    more = (played / by_hand - 1) * 100
    name = f"50 calls of 20 ms, {LIMIT} at once"
    print(f"{name:34}{by_hand * 1e3:>9.0f} ms{played * 1e3:>9.0f} ms{more:>8.1f} % more")
    by_hand, played = await pair(chain_by_hand, lambda: podium.play(CHAIN), 500, rounds)
    name = "three-step executions per second"
    print(f"{name:34}{1 / by_hand:>12,.0f}{1 / played:>12,.0f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="of which the best is shown")
    anyio.run(measure, parser.parse_args().rounds)
