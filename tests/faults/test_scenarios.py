"""One misbehaving upstream behind `podium serve`, over real pipes: what its calls get, and what
nobody else notices."""

import time
from pathlib import Path
from typing import Any

import anyio
import pytest
import yaml

from tests.faults.serving import (
    Peer,
    call,
    children,
    open_files,
    outcome_of,
    request,
    resident_bytes,
    served,
    workspace,
)
from tests.upstreams.conftest import eventually, is_running, processes

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SCENARIOS = yaml.safe_load(Path(__file__).with_name("scenarios.yaml").read_text("utf-8"))
GROWTH_BYTES = 96 * 1024 * 1024  # six times the longest message; what a flood leaves is far beyond
ORPHAN_SECONDS = 5.0
HEALTHY_SECONDS = 2.0  # for a call of the healthy server meanwhile, on a busy machine as well
BOUNDS: dict[str, Any] = {
    "orchestrator": {"execution_timeout": 2},
    "limits": {"start_seconds": 3},
    "health": {"drain_seconds": 1},
}


async def answers(peer: Peer, messages: list[dict[str, Any]]) -> dict[Any, tuple[str, float]]:
    """Send messages at once; return the outcome of each and the seconds it took."""
    found: dict[Any, tuple[str, float]] = {}
    began = time.monotonic()
    await peer.send(*messages)
    while len(found) < len(messages):
        answer = await peer.read()
        assert answer["id"] not in found, "two answers to one request"
        found[answer["id"]] = (outcome_of(answer), time.monotonic() - began)
    return found


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario["name"])
async def test_an_upstream_that(scenario: dict[str, Any], tmp_path: Path) -> None:
    mode, seconds = scenario["mode"], scenario["seconds"]
    settle = request("settle", "tools/call", {"name": "search_tools", "arguments": {"query": ""}})
    bad = [call(f"bad-{number}", mode) for number in range(scenario["calls"])]

    async with served(workspace(tmp_path, mode, **BOUNDS)) as peer:
        pid = peer.process.pid
        await answers(peer, [settle])
        await answers(peer, [call("warm", "well")])
        files, memory = open_files(pid), resident_bytes(pid)

        found = await answers(peer, [*bad, call("well", "well", {"a": 1})])
        after = await answers(peer, [call("well again", "well"), request("end", "ping", {})])

        await eventually(lambda: open_files(pid) <= files)
        await eventually(lambda: resident_bytes(pid) - memory < GROWTH_BYTES)
        started = {*processes(tmp_path / mode), *processes(tmp_path / "well"), *children(pid)}
        peer.process.terminate()
        with anyio.fail_after(2 * ORPHAN_SECONDS):
            status = await peer.process.wait()
        await eventually(lambda: not any(map(is_running, started)), ORPHAN_SECONDS)

    outcomes = {name: outcome for name, (outcome, _) in {**found, **after}.items()}
    slow = {name: took for name, (_, took) in found.items() if took > seconds}
    healthy = {"well": "ok", "well again": "ok", "end": "ok"}
    assert outcomes == {**{message["id"]: scenario["outcome"] for message in bad}, **healthy}
    assert slow == {}
    assert found["well"][1] < HEALTHY_SECONDS
    assert status == 0
