"""A thousand executions at once over tools that are slow and fail: nothing lost, limits held."""

import gc
import random
import tracemalloc
from typing import Any

import anyio
import pytest

from podium.compositions.graph import build_plan
from podium.domain.composition import Composition, Plan
from podium.domain.errors import ToolFailedError
from podium.domain.execution import Execution
from podium.domain.limits import Limits
from podium.execution.pool import Pool
from podium.execution.runner import Runner, RunnerSettings
from podium.execution.slots import RANKS
from podium.mapping.expressions import Evaluator
from podium.mapping.transformers import Transformers
from podium.testing import FakeUpstreams, LoopClock, MemoryCheckpoints, VirtualTimeLoop

EXECUTIONS, AT_ONCE, SLOTS = 1_000, 200, 32
CALL_SECONDS, FAILURES = 0.01, 0.05
GROWTH_BYTES = 1_500_000  # between two halves; what one execution holds is some 10 kB
ENDED = {"done", "failed", "cancelled"}
COMPOSITION = {
    "id": "load",
    "timeout_seconds": 600,
    "steps": [
        {"id": "a", "server_id": "s", "tool_id": "get", "input_mapping": {"n": "n"}},
        {"id": "b", "server_id": "s", "tool_id": "get", "input_mapping": {"n": "a.n + 1"}},
        {"id": "d", "server_id": "s", "tool_id": "get", "input_mapping": {"n": "a.n + 2"}},
        {"id": "w", "server_id": "s", "tool_id": "put", "input_mapping": {"n": "b.n + d.n"}},
        {"id": "e", "server_id": "s", "tool_id": "get", "input_mapping": {"n": "w.n"}},
    ],
    "output": {"n": "e.n"},
}


class CountingJournal:
    """A journal that keeps numbers only: what it held would be in the way of the measure."""

    def __init__(self) -> None:
        self.began: set[str] = set()
        self.ended: dict[str, str] = {}
        self.intents = 0

    async def record_execution(self, execution: Execution) -> None:
        if execution.status == "running":
            self.began.add(execution.id)
        else:
            self.ended[execution.id] = execution.status

    async def record_step(self, _id: str, _step: Any, *, durable: bool = False) -> None:
        self.intents += durable


@pytest.mark.slow
def test_nothing_is_lost_limits_hold_and_memory_stays_flat_under_load() -> None:
    anyio.run(play_all, backend_options={"loop_factory": VirtualTimeLoop})


async def play_all() -> None:
    source, upstreams, journal = random.Random(11), FakeUpstreams(), CountingJournal()
    written: list[float] = []

    async def get(arguments: dict[str, Any]) -> Any:
        await anyio.sleep(CALL_SECONDS)
        if source.random() < FAILURES:
            raise ToolFailedError("out of order")
        return arguments

    async def put(arguments: dict[str, Any]) -> Any:
        result = await get(arguments)
        written.append(arguments["n"])
        return result

    upstreams.add("s.get", get)
    upstreams.add("s.put", put, effects="write")
    clock, limits, checkpoints = LoopClock(), Limits(), MemoryCheckpoints()
    runner = Runner(
        upstreams=upstreams,
        evaluator=Evaluator(Transformers(), clock=clock, limits=limits),
        journal=journal,  # type: ignore[arg-type] # what the runner uses of it
        clock=clock,
        limits=limits,
        settings=RunnerSettings(process_slots=SLOTS),
        checkpoints=checkpoints,
        source=source,
    )
    plan = build_plan(Composition.model_validate(COMPOSITION), {"n"})
    outcomes: list[tuple[int, str, Any]] = []
    sizes = []
    tracemalloc.start()
    try:
        for half in range(2):
            numbers = range(half * EXECUTIONS // 2, (half + 1) * EXECUTIONS // 2)
            await play_half(runner, plan, upstreams, numbers, outcomes)
            checkpoints.kept.clear()
            upstreams.calls.clear()
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()

    assert sorted(number for number, _, _ in outcomes) == list(range(EXECUTIONS))
    assert journal.began == journal.ended.keys()
    assert len(journal.ended) == EXECUTIONS
    good = [(number, result) for number, status, result in outcomes if status == "success"]
    assert all(result == {"n": 2 * number + 3} for number, result in good)
    assert sorted(written) == sorted(set(written)), "a write was made twice"
    # Reads are tried again; a write that fails, one in twenty, ends its execution.
    assert EXECUTIONS * 0.9 < len(good) < EXECUTIONS
    assert len(written) >= len(good)
    assert journal.intents >= len(written)
    assert upstreams.most_running <= SLOTS == runner.pool.most_used
    assert (upstreams.running, runner.active_worker_count()) == (0, 0)
    assert sizes[1] - sizes[0] < GROWTH_BYTES, sizes


async def play_half(
    runner: Runner,
    plan: Plan,
    upstreams: FakeUpstreams,
    numbers: range,
    outcomes: list[tuple[int, str, Any]],
) -> None:
    """Play so many executions, `AT_ONCE` at a time."""
    limiter = anyio.CapacityLimiter(AT_ONCE)

    async def one(number: int) -> None:
        async with limiter:
            execution = Execution(f"exec_{number}", "load", {"n": number})
            await runner.run(plan, execution, {})
            assert {record.status for record in execution.steps.values()} <= ENDED
            outcomes.append((number, execution.status, execution.result))
            upstreams.calls.clear()

    async with anyio.create_task_group() as tasks:
        for number in numbers:
            tasks.start_soon(one, number)


def test_a_pool_is_never_exceeded_when_a_third_of_its_tasks_is_cancelled() -> None:
    anyio.run(crowd, 400, backend_options={"loop_factory": VirtualTimeLoop})


async def crowd(tasks: int) -> None:
    source = random.Random(3)
    process = Pool(3)
    pools = [Pool(2, around=process) for _ in range(4)]
    inside, most, entered = 0, 0, 0

    async def one(pool: Pool, rank: Any, stay: float, cancel_after: float) -> None:
        nonlocal inside, most, entered
        with anyio.move_on_after(cancel_after):
            async with pool.hold(rank):
                entered += 1
                inside += 1
                most = max(most, inside)
                try:
                    await anyio.sleep(stay)
                finally:
                    inside -= 1

    async with anyio.create_task_group() as group:
        for _ in range(tasks):
            cancel = source.choice([1e9, 1e9, source.choice([0.0, 0.1, 0.2, 1.0])])
            rank = source.choice(RANKS)
            stay = source.choice([0.0, 0.1, 0.2])
            group.start_soon(one, source.choice(pools), rank, stay, cancel)

    assert most == 3 == process.most_used
    assert entered >= tasks // 2
    assert [pool.used for pool in (process, *pools)] == [0] * 5
    assert all(pool.room == 1 for pool in (process, *pools))
