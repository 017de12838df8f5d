"""What the engine adds to the calls it makes, beside the same graphs written by hand in anyio.

    python benchmarks/engine.py [--rounds 10]

The tools are functions in memory, the journal is the real one on disk. Every figure is the best of
several rounds in which floor and Podium take turns, so that a slow moment of the machine does not
count: compare the two columns of one run, not the digits of two runs. On a machine that others use
as well the clock misleads; the time of the processors, of all threads together, does so less.
"""

import argparse
import gc
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
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
STEP_SECONDS = 100e-6  # that a step may cost more than by hand
SLOW_MORE = 0.05  # of the time by hand
LOOPS = (10, 100, 1_000, 10_000)


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


@dataclass(frozen=True, slots=True)
class Cost:
    """What one call takes, in seconds: of the clock, and of the processors (all threads)."""

    wall: float
    cpu: float

    def __sub__(self, other: "Cost") -> "Cost":
        return Cost(self.wall - other.wall, self.cpu - other.cpu)

    def __truediv__(self, count: float) -> "Cost":
        return Cost(self.wall / count, self.cpu / count)


async def cost(measured: Measured, times: int) -> Cost:
    """Return what one of several calls takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(times):
        await measured()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu) / times


async def pair(floor: Measured, podium: Measured, times: int, rounds: int) -> tuple[Cost, Cost]:
    """Return the best of both, measured in turns."""
    await floor()
    await podium()
    taken: tuple[list[Cost], list[Cost]] = ([], [])
    for _ in range(rounds):
        gc.collect()
        taken[0].append(await cost(floor, times))
        taken[1].append(await cost(podium, times))
    return best(taken[0]), best(taken[1])


def best(costs: list[Cost]) -> Cost:
    return Cost(min(each.wall for each in costs), min(each.cpu for each in costs))


async def measure(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with engine(Path(folder)) as podium:
            await steps(podium, rounds)
            await loops(podium, rounds)
            await others(podium, rounds)


def head(*columns: str) -> None:
    print(f"\n{columns[0]:32}" + "".join(f"{column:>16}" for column in columns[1:]))


def row(name: str, *cells: str) -> None:
    print(f"{name:32}" + "".join(f"{cell:>16}" for cell in cells), flush=True)


def us(seconds: float) -> str:
    return f"{seconds * 1e6:,.0f} us"


def verdict(*, is_met: bool) -> str:
    return "met" if is_met else "MISSED"


async def steps(podium: Engine, rounds: int) -> None:
    head("added by the engine, journal on", "by hand", "Podium", "added, clock", "added, CPU",
         "at most", "by CPU")  # fmt: skip
    for name, graph, floor, count in (
        ("3 steps, one after the other", CHAIN, chain_by_hand, 3),
        ("1 step, then 20 that read it", FAN, fan_by_hand, 21),
    ):
        by_hand, played = await pair(floor, lambda g=graph: podium.play(g), 1_200 // count, rounds)
        added = (played - by_hand) / count
        cells = [us(by_hand.wall), us(played.wall), f"{us(added.wall)}/step"]
        cells += [f"{us(added.cpu)}/step", f"{us(STEP_SECONDS)}/step"]
        row(name, *cells, verdict(is_met=added.cpu <= STEP_SECONDS))


async def loops(podium: Engine, rounds: int) -> None:
    """Show what a round costs: what an execution costs, however many it has, is in the first."""
    head("a loop", "by hand", "Podium", "added, clock", "added, CPU", "each more, CPU")
    before: Cost | None = None
    more: list[float] = []
    for size, count in enumerate(LOOPS):
        items = list(range(count))
        by_hand, played = await pair(
            lambda n=count: loop_by_hand(n),
            lambda p=items: podium.play(LOOP, p),
            max(1, LOOPS[-1] // 2 // count),
            rounds,
        )
        added = played - by_hand
        each = added / count
        if before is not None:
            more.append((added - before).cpu / (count - LOOPS[size - 1]))
        cells = [us(by_hand.wall), us(played.wall), f"{us(each.wall)}/round"]
        cells += [f"{us(each.cpu)}/round", f"{us(more[-1])}/round" if more else ""]
        row(f"{count:,} rounds", *cells)
        before = added
    is_met = max(more) - min(more) <= STEP_SECONDS / 10
    print(f"constant from {LOOPS[0]} to {LOOPS[-1]:,}, within {us(STEP_SECONDS / 10)} a round:",
          verdict(is_met=is_met))  # fmt: skip


async def others(podium: Engine, rounds: int) -> None:
    head("limits and throughput", "by hand", "Podium", "more", "at most", "by clock")
    by_hand, played = await pair(slow_by_hand, lambda: podium.play(SLOW), 1, rounds)
    more = played.wall / by_hand.wall - 1
    cells = [f"{by_hand.wall * 1e3:.0f} ms", f"{played.wall * 1e3:.0f} ms", f"{more:.1%}"]
    cells += [f"{SLOW_MORE:.1%}", verdict(is_met=more <= SLOW_MORE)]
    row(f"50 calls of 20 ms, {LIMIT} at once", *cells)
    by_hand, played = await pair(chain_by_hand, lambda: podium.play(CHAIN), 400, rounds)
    row("three-step executions a second", f"{1 / by_hand.wall:,.0f}", f"{1 / played.wall:,.0f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10, help="of which the best is shown")
    anyio.run(measure, parser.parse_args().rounds)
