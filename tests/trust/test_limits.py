"""The bounds of one server: its calls a minute, its calls at once, the size of its answers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from podium.app import Orchestrator
from podium.config import config_text
from podium.domain.errors import RateLimitedError, ResultTooLargeError
from podium.testing import FakeClock
from podium.upstreams.rate import CallBucket
from tests.trust.conftest import Changing, PoolMaker, tool, write_config
from tests.upstreams.conftest import SettableClock

pytestmark = pytest.mark.anyio


def test_a_burst_is_let_through_then_calls_at_an_even_pace() -> None:
    clock = FakeClock()
    bucket = CallBucket(30, clock)

    for _ in range(30):
        bucket.take("a.b")
    with pytest.raises(RateLimitedError) as caught:
        bucket.take("a.b")
    clock.time += 2.0
    bucket.take("a.b")
    with pytest.raises(RateLimitedError):
        bucket.take("a.b")
    clock.time += 3600
    for _ in range(30):
        bucket.take("a.b")
    with pytest.raises(RateLimitedError):
        bucket.take("a.b")

    error = caught.value
    assert (error.code, error.retryable, error.sent) == ("rate_limited", True, False)
    assert error.retry_after_seconds == pytest.approx(2.0)
    assert "retry after 2.0 s" in error.message


async def test_calls_beyond_the_rate_never_reach_the_server(
    changing: Changing, pool_of: PoolMaker
) -> None:
    clock = SettableClock()

    async with pool_of(changing.settings(calls_per_minute=2), clock=clock) as pool:
        for _ in range(2):
            await pool.call_tool("changing", "greet", {})
        with pytest.raises(RateLimitedError, match=r"changing\.greet was not called"):
            await pool.call_tool("changing", "greet", {})
        clock.added += 30
        await pool.call_tool("changing", "greet", {})

    assert changing.calls == ["greet"] * 3


async def test_each_server_has_its_own_bounds_from_config_yaml(
    tmp_path: Path, workspace: Path
) -> None:
    slow, free = Changing(tmp_path, "slow"), Changing(tmp_path, "free")
    for server in (slow, free):
        server.define(tool("greet"))
    limits = {"calls_per_minute": 1, "result_bytes": 2048, "concurrent_calls": 1}
    entries = {"slow": slow.entry(limits=limits), "free": free.entry()}
    write_config(workspace, mcpServers=entries)

    async with Orchestrator.open(workspace) as orchestrator:
        outcomes = [
            await outcome(lambda server=server: orchestrator.call_tool(server, "greet"))
            for server in ("slow", "slow", "free", "free")
        ]

    assert outcomes == ["done", "rate_limited", "done", "done"]


async def test_the_answers_of_one_server_can_be_bounded_more_tightly(
    tmp_path: Path, workspace: Path
) -> None:
    tight, wide = Changing(tmp_path, "tight"), Changing(tmp_path, "wide")
    for server in (tight, wide):
        server.define(tool("big"))
    entries = {"tight": tight.entry(limits={"result_bytes": 4096}), "wide": wide.entry()}
    write_config(workspace, mcpServers=entries)

    async with Orchestrator.open(workspace) as orchestrator:
        with pytest.raises(ResultTooLargeError):
            await orchestrator.call_tool("tight", "big")
        answer = await orchestrator.call_tool("wide", "big")

    assert len(answer.text) == 5_000


async def outcome(call: Callable[[], Any]) -> str:
    try:
        await call()
    except RateLimitedError as error:
        return error.code
    return "done"


def test_the_bounds_of_an_entry_are_checked() -> None:
    text = json.dumps({"mcpServers": {"a": {"command": "x", "limits": {"call_per_minute": 1}}}})

    with pytest.raises(Exception, match="config") as caught:
        config_text(text, Path("/"), {})

    assert "did you mean 'calls_per_minute'?" in str(caught.value.faults[0])
