"""An upstream that fails call after call is left alone, then tried by one call, over real pipes."""

from pathlib import Path

import anyio
import pytest

from podium.domain.breaker import BreakerRules
from podium.domain.errors import (
    PodiumError,
    ResultTooLargeError,
    UpstreamAnswerError,
    UpstreamClosedError,
    UpstreamOpenError,
    UpstreamProtocolError,
    UpstreamTimeoutError,
)
from podium.upstreams.pool import UpstreamPool
from tests.upstreams.conftest import PoolMaker, SettableClock, eventually, faulty, methods

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

THREE = BreakerRules(failures=3, open_seconds=30)


async def outcome(pool: UpstreamPool, seconds: float = 10) -> type[PodiumError] | None:
    try:
        await pool.call_tool("faulty", "echo", {}, timeout_seconds=seconds)
    except PodiumError as error:
        return type(error)
    return None


async def test_an_upstream_that_fails_every_call_is_left_alone_and_a_probe_brings_it_back(
    pool_of: PoolMaker, clock: SettableClock, tmp_path: Path
) -> None:
    record = tmp_path / "record"
    ill = tmp_path / "record.ill"
    ill.touch()
    clock.stop()

    async with pool_of(faulty("ill_while_marked", record=record), rules=THREE) as pool:
        failures = [await outcome(pool) for _ in range(3)]
        with pytest.raises(UpstreamOpenError) as refused:
            await pool.call_tool("faulty", "echo", {})
        (open_status,) = pool.statuses()
        clock.added += 30
        failed_probe = await outcome(pool)
        refused_again = await outcome(pool)
        clock.added += 30
        ill.unlink()
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(outcome, pool)
        healed = await outcome(pool)
        (closed_status,) = pool.statuses()

    assert failures == [UpstreamProtocolError] * 3
    assert (refused.value.code, refused.value.retryable, refused.value.sent) == (
        "upstream_open",
        True,
        False,
    )
    assert refused.value.message.startswith(
        "upstream 'faulty' is left alone after 3 failures in a row; the next call is let through "
        "in 30.0 s; the last failure: faulty.echo: its answer is no valid JSON"
    )
    assert (open_status.state, open_status.circuit, open_status.probe_in_seconds) == (
        "ready",
        "open",
        30,
    )
    assert (failed_probe, refused_again) == (UpstreamProtocolError, UpstreamOpenError)
    assert healed is None
    assert (closed_status.circuit, closed_status.failures_in_a_row) == ("closed", 0)
    assert methods(record).count("tools/call") == 6  # 3, 2 probes, and the one after


async def test_only_one_call_probes_while_others_are_refused(
    pool_of: PoolMaker, clock: SettableClock, tmp_path: Path
) -> None:
    record = tmp_path / "record"

    async with pool_of(faulty("hangs", record=record), rules=BreakerRules(1, 30)) as pool:
        first = await outcome(pool, 0.2)
        clock.added += 30
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(outcome, pool)
            await eventually(lambda: methods(record).count("tools/call") == 2)
            with pytest.raises(UpstreamOpenError) as refused:
                await pool.call_tool("faulty", "echo", {})
            tasks.cancel_scope.cancel()
        (status,) = pool.statuses()

    assert first is UpstreamTimeoutError
    assert "one call is trying it just now" in refused.value.message
    assert (status.circuit, status.probe_in_seconds) == ("open", 0)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("error_result", None),
        ("rpc_error", UpstreamAnswerError),
        ("input_required", UpstreamAnswerError),
        ("big", ResultTooLargeError),
    ],
)
async def test_an_upstream_that_answers_is_well_whatever_it_answers(
    pool_of: PoolMaker, mode: str, expected: type[PodiumError] | None
) -> None:
    async with pool_of(faulty(mode, result_bytes=1_000_000), rules=BreakerRules(1, 30)) as pool:
        outcomes = [await outcome(pool) for _ in range(3)]
        (status,) = pool.statuses()

    assert outcomes == [expected] * 3
    assert (status.circuit, status.failures_in_a_row) == ("closed", 0)


async def test_a_caller_that_leaves_is_no_failure_but_one_whose_time_is_up_is(
    pool_of: PoolMaker, tmp_path: Path
) -> None:
    record = tmp_path / "record"

    async with pool_of(faulty("hangs", record=record), rules=THREE) as pool:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pool.call_tool, "faulty", "echo", {})
            await eventually(lambda: "tools/call" in methods(record))
            tasks.cancel_scope.cancel()
        after_leaving = pool.statuses()[0].failures_in_a_row
        with anyio.move_on_after(0.2):
            await pool.call_tool("faulty", "echo", {})
        after_a_deadline = pool.statuses()[0].failures_in_a_row

    assert (after_leaving, after_a_deadline) == (0, 1)


async def test_one_crash_counts_once_however_many_calls_were_open(pool_of: PoolMaker) -> None:
    found: list[type[PodiumError] | None] = []

    async def call() -> None:
        found.append(await outcome(pool))

    async with pool_of(faulty("crashes"), rules=THREE) as pool:
        await pool.start_all()
        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(call)
        (status,) = pool.statuses()

    assert found == [UpstreamClosedError] * 10
    assert (status.circuit, status.failures_in_a_row) == ("closed", 1)
