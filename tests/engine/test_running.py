"""The runner beyond what cases can say: counters, slots of direct calls, deadlines, spans."""

from contextlib import contextmanager
from functools import partial
from typing import Any

import anyio
import pytest
from opentelemetry import trace

from podium.compositions.graph import build_plan
from podium.domain.composition import Composition
from podium.domain.errors import UpstreamTimeoutError
from podium.domain.execution import Execution, StepRecord
from podium.domain.limits import Limits
from podium.domain.ports import Profiles, ResultCache
from podium.domain.profiles import Profile
from podium.execution import policy
from podium.execution.pool import Pool
from podium.execution.runner import Runner, RunnerSettings
from podium.execution.spans import Spans
from podium.mapping.expressions import Evaluator
from podium.mapping.transformers import Transformers
from podium.testing import (
    DeadlockError,
    FakeUpstreams,
    LoopClock,
    MemoryJournal,
    VirtualTimeLoop,
)
from tests.engine.scripted import ScriptedCache

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


class World:
    """A runner over fakes, with a tool that takes a second."""

    def __init__(
        self,
        cache: ResultCache | None = None,
        profiles: Profiles | None = None,
        **settings: Any,
    ) -> None:
        self.upstreams, clock, limits = FakeUpstreams(), LoopClock(), Limits()
        self.timeouts: list[float | None] = []
        self.upstreams.add("s.slow", self.slow)
        self.upstreams.add("s.pen", self.slow, effects="write")
        self.runner = Runner(
            upstreams=self.upstreams,
            evaluator=Evaluator(Transformers(), clock=clock, limits=limits),
            journal=MemoryJournal(),
            clock=clock,
            limits=limits,
            settings=RunnerSettings(**settings),
            cache=cache,
            profiles=profiles,
        )

    async def slow(self, _: dict[str, Any]) -> Any:
        await anyio.sleep(1)
        return {}

    async def play(self, *steps: dict[str, Any], **keys: Any) -> Execution:
        composition = Composition.model_validate({"id": "c", "steps": steps, **keys})
        execution = Execution("exec_1", "c", {})
        await self.runner.run(build_plan(composition, ()), execution, {})
        return execution

    async def call(self, name: str, **options: Any) -> Any:
        tool = await self.upstreams.tool("s", name)
        return await self.runner.call(tool, {}, Execution("exec_2", "", {}), **options)


def step(id_: str, tool: str = "slow", **keys: Any) -> dict[str, Any]:
    return {"id": id_, "server_id": "s", "tool_id": tool, **keys}


async def test_the_calls_that_are_out_and_the_room_that_is_left_can_be_seen() -> None:
    world = World(process_slots=4)
    seen = []

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(world.play, step("a"), step("b"))
        tasks.start_soon(world.call, "slow")
        await anyio.sleep(0.5)
        seen.append((world.runner.active_worker_count(), world.runner.capacity_score()))

    seen.append((world.runner.active_worker_count(), world.runner.capacity_score()))
    assert seen == [(3, 0.25), (0, 1.0)]


class OneProfile:
    """Every tool is as quick as this one."""

    def __init__(self, milliseconds: float) -> None:
        self._profile = Profile(9, milliseconds, milliseconds, 1.0, 1.0, 0.0, 0.0)

    def of_tool(self, _full_name: str) -> Profile:
        return self._profile

    def of_composition(self, _composition_id: str) -> None:
        return None


@pytest.mark.parametrize(("usual_ms", "room", "at_once"), [(1_050.0, 0.75, 4), (60_000.0, 0, 1)])
async def test_an_automatic_strategy_goes_by_how_soon_the_calls_under_way_will_be_over(
    usual_ms: float, room: float, at_once: int
) -> None:
    world = World(profiles=OneProfile(usual_ms), process_slots=4)
    steps = [step(f"s{number}") for number in range(4)]
    seen = []

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(world.call, "slow")
        await anyio.sleep(0.8)
        seen.append(round(world.runner.capacity_score(), 2))
        tasks.start_soon(partial(world.play, *steps, strategy="auto"))
        await anyio.sleep(0.4)
        seen.append(world.runner.active_worker_count())

    assert seen == [room, at_once]


async def test_direct_calls_wait_for_a_slot_but_not_for_ever() -> None:
    world = World(process_slots=1, execution_seconds=0.5)
    errors = []

    async def second() -> None:
        await anyio.sleep(0.1)
        with pytest.raises(UpstreamTimeoutError) as caught:
            await world.call("pen")
        errors.append(caught.value)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: world.call("slow", timeout_seconds=5))
        tasks.start_soon(second)

    assert [(error.code, error.sent) for error in errors] == [("upstream_timeout", False)]
    assert world.upstreams.calls == [("s.slow", {})]
    assert world.runner.active_worker_count() == 0


async def test_the_time_that_is_left_goes_down_to_the_call() -> None:
    class Noting(FakeUpstreams):
        seconds: list[float | None]

        async def call_tool(self, *args: Any, **options: Any) -> Any:
            self.seconds.append(options["timeout_seconds"])
            return await super().call_tool(*args, **options)

    world = World()
    noting = Noting()
    noting.seconds = []
    noting.add("s.slow", world.slow)
    world.runner.outside.upstreams.__class__ = Noting  # the same tools, and they take notes
    world.upstreams.seconds = noting.seconds  # type: ignore[attr-defined]

    await world.play(
        step("a"),
        step("b", depends_on=["a"], timeout_seconds=4),
        step("d", depends_on=["b"], attempt_timeout_seconds=2),
        {"id": "g", "timeout_seconds": 3, "depends_on": ["d"], "steps": [step("e")]},
        timeout_seconds=10,
    )

    assert noting.seconds == [10, 4, 2, 3]


@pytest.mark.parametrize(
    ("room", "expected"), [(1.0, 4), (0.5, 4), (0.49, 2), (0.2, 2), (0.19, 1), (0.0, 1)]
)
async def test_auto_takes_a_width_that_fits_the_room(room: float, expected: int) -> None:
    width = policy.width("auto", policy.STRATEGY_LIMITS, room, is_parallel=True)

    assert width == expected


async def test_a_pool_may_be_shared_by_runners() -> None:
    pool = Pool(1)
    worlds = [World(), World()]
    for world in worlds:
        world.runner = Runner(
            upstreams=world.upstreams,
            evaluator=world.runner.outside.evaluator,
            journal=MemoryJournal(),
            clock=LoopClock(),
            limits=Limits(),
            settings=world.runner.settings,
            pool=pool,
        )
    began = anyio.current_time()

    async with anyio.create_task_group() as tasks:
        for world in worlds:
            tasks.start_soon(world.play, step("a"))

    assert (anyio.current_time() - began, pool.most_used) == (2, 1)


async def test_hits_and_misses_are_counted() -> None:
    world = World()

    await world.play(step("a", cache=True), step("b", cache=True), step("d", cache=False))

    reuse = world.runner.reuse
    assert (reuse.hits, reuse.misses, reuse.shared) == (0, 1, 1)


async def test_a_result_is_not_used_once_its_tool_is_defined_otherwise() -> None:
    world = World(cache=ScriptedCache())
    told = {"type": "object", "properties": {"unit": {"default": "mile"}}}

    await world.play(step("a", cache=True))
    await world.play(step("a", cache=True))
    world.upstreams.add("s.slow", world.slow, input_schema=told)
    await world.play(step("a", cache=True))

    assert (world.runner.reuse.hits, world.runner.reuse.misses) == (1, 2)


async def test_a_long_timeline_keeps_its_end() -> None:
    world = World()
    world.upstreams.progress["s.slow"] = [(n, 300, None) for n in range(300)]

    execution = await world.play(step("a"))

    events = [entry["event"] for entry in execution.timeline]
    assert len(events) <= 200
    assert events[-2:] == ["step_finished", "execution_finished"]
    assert execution.timeline[-1] == {
        "ms": 1000.0, "event": "execution_finished", "step": "", "note": "success",
    }  # fmt: skip


# --- spans


class NotedSpan(trace.NonRecordingSpan):
    """A span that keeps what it is told."""

    def __init__(self, name: str, noted: list[Any]) -> None:
        super().__init__(trace.INVALID_SPAN_CONTEXT)
        self.said: dict[str, Any] = {"name": name}
        noted.append(self.said)

    def set_attribute(self, key: str, value: Any) -> None:
        self.said[key] = value

    def set_status(self, status: Any, _description: str | None = None) -> None:
        self.said["error"] = status.description


class NotingProvider(trace.TracerProvider):
    """A provider, and its tracer, whose spans are kept in a list."""

    def __init__(self) -> None:
        self.noted: list[dict[str, Any]] = []

    def get_tracer(self, *_: Any, **__: Any) -> Any:
        return self

    @contextmanager
    def start_as_current_span(self, name: str, **_: Any) -> Any:
        yield NotedSpan(name, self.noted)


async def test_spans_say_what_was_played_and_how_it_ended() -> None:
    provider = NotingProvider()
    execution = Execution("exec_1", "c", {}, status="success")
    record = StepRecord("g.a", "s", "slow", status="failed", attempts=2)
    record.error = {"code": "tool_failed", "message": "secret words"}

    spans = Spans(execution, provider)
    with spans.execution(), spans.step(record):
        pass

    assert provider.noted == [
        {
            "name": "composition c",
            "podium.execution_id": "exec_1",
            "podium.composition": "c",
            "podium.status": "success",
        },
        {
            "name": "step g.a",
            "podium.execution_id": "exec_1",
            "podium.composition": "c",
            "podium.step": "g.a",
            "podium.kind": "tool_id",
            "podium.tool": "s.slow",
            "podium.attempts": 2,
            "podium.cached": False,
            "podium.status": "failed",
            "error.type": "tool_failed",
            "error": "tool_failed",
        },
    ]


async def test_without_a_provider_no_span_is_made() -> None:
    spans = Spans(Execution("exec_1", "c", {}))

    assert spans.execution() is spans.step(StepRecord("a"))


# --- virtual time


def test_a_loop_in_which_nothing_can_happen_says_so() -> None:
    async def wait_for_nothing() -> None:
        await anyio.Event().wait()

    with pytest.raises(DeadlockError):
        anyio.run(wait_for_nothing, backend_options={"loop_factory": VirtualTimeLoop})


async def test_hours_pass_at_once_and_threads_are_waited_for() -> None:
    began = anyio.current_time()

    await anyio.sleep(3_600)
    answer = await anyio.to_thread.run_sync(lambda: 42)

    assert (anyio.current_time() - began, answer) == (3_600, 42)
