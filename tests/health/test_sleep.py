"""An upstream that nobody calls is ended and comes back with the next call; real processes."""

from pathlib import Path

import anyio
import pytest

from podium.domain.errors import UnknownToolError
from tests.upstreams.conftest import (
    PoolMaker,
    eventually,
    faulty,
    is_running,
    methods,
    processes,
)

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def test_an_idle_upstream_sleeps_its_tools_stay_known_and_a_call_wakes_it(
    pool_of: PoolMaker, tmp_path: Path
) -> None:
    record = tmp_path / "record"

    async with pool_of(faulty("well", record=record, sleep_after_seconds=0.3)) as pool:
        await pool.call_tool("faulty", "echo", {})
        await eventually(lambda: pool.statuses()[0].state == "asleep")
        await eventually(lambda: not any(map(is_running, processes(record))))
        found = [match.tool.full_name for match in await pool.search("echo", 5)]
        (asleep,) = pool.statuses()
        starts_while_asleep = methods(record).count("initialize")
        answer = await pool.call_tool("faulty", "echo", {"a": 1})
        (awake,) = pool.statuses()

    assert found == ["faulty.echo"]
    assert (asleep.state, asleep.tools, asleep.reason) == ("asleep", 1, "")
    assert starts_while_asleep == 1
    assert answer.value() == {"a": 1}
    assert (awake.state, awake.restarts) == ("ready", 0)
    assert methods(record)[-2:] == ["tools/list", "tools/call"]


async def test_a_hundred_calls_at_once_wake_it_once(pool_of: PoolMaker, tmp_path: Path) -> None:
    record = tmp_path / "record"
    answers: list[int] = []

    async def call(number: int) -> None:
        result = await pool.call_tool("faulty", "echo", {"n": number})
        answers.append(result.value()["n"])

    async with pool_of(faulty("well", record=record, sleep_after_seconds=0.3)) as pool:
        await pool.start_all()
        await eventually(lambda: pool.statuses()[0].state == "asleep")
        async with anyio.create_task_group() as tasks:
            for number in range(100):
                tasks.start_soon(call, number)

    assert sorted(answers) == list(range(100))
    assert methods(record).count("initialize") == 2


async def test_it_never_falls_asleep_with_a_call_in_flight(
    pool_of: PoolMaker, tmp_path: Path
) -> None:
    record = tmp_path / "record"

    async with pool_of(faulty("takes_a_second", record=record, sleep_after_seconds=0.2)) as pool:
        answer = await pool.call_tool("faulty", "echo", {})
        busy = pool.statuses()[0].state
        await eventually(lambda: pool.statuses()[0].state == "asleep")

    assert (answer.text, busy) == ("hi", "ready")
    assert methods(record).count("initialize") == 1


async def test_a_tool_that_is_gone_after_waking_is_not_called(
    pool_of: PoolMaker, tmp_path: Path
) -> None:
    record = tmp_path / "record"
    settings = faulty("other_tools_next_time", record=record, sleep_after_seconds=0.2)

    async with pool_of(settings) as pool:
        await pool.call_tool("faulty", "echo", {})
        await eventually(lambda: pool.statuses()[0].state == "asleep")
        with pytest.raises(UnknownToolError):
            await pool.call_tool("faulty", "echo", {})

    assert methods(record).count("tools/call") == 1
