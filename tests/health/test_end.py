"""How `podium serve` ends: calls in flight are answered, and no process of an upstream stays."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.faults.serving import (
    SECONDS,
    Peer,
    call,
    children,
    outcome_of,
    request,
    served,
    served_on_http,
    workspace,
)
from tests.faults.test_clients import exchange, posted
from tests.upstreams.conftest import eventually, is_running, methods, processes

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ORPHAN_SECONDS = 5.0


async def refused(peer: Peer) -> dict[str, Any]:
    """Ask until Podium has noticed that it should stop; return the refusal."""
    with anyio.fail_after(SECONDS):
        while "error" not in (answer := await peer.ask(request("late", "ping", {}))):
            pass
    return answer


async def test_told_to_stop_it_answers_what_is_open_and_refuses_what_comes(tmp_path: Path) -> None:
    record = tmp_path / "takes_a_second"

    async with served(workspace(tmp_path, "takes_a_second")) as peer:
        await peer.send(call("open", "takes_a_second"))
        await eventually(lambda: "tools/call" in methods(record))
        peer.process.send_signal(signal.SIGTERM)
        late = await refused(peer)
        answer = await peer.read()
        with anyio.fail_after(SECONDS):
            status = await peer.process.wait()

    assert (late["id"], late["error"]["message"]) == (
        "late",
        "Podium is stopping; ask again when it is back",
    )
    assert (answer["id"], outcome_of(answer)) == ("open", "ok")
    assert status == 0
    assert not any(map(is_running, processes(record)))


async def test_a_call_that_does_not_end_holds_up_the_stop_for_its_bound_only(
    tmp_path: Path,
) -> None:
    folder = workspace(tmp_path, "hangs", health={"drain_seconds": 0.5})

    async with served(folder) as peer:
        await peer.send(call("open", "hangs"))
        await eventually(lambda: "tools/call" in methods(tmp_path / "hangs"))
        began = time.monotonic()
        peer.process.send_signal(signal.SIGTERM)
        answer = await peer.read()
        waited = time.monotonic() - began
        with anyio.fail_after(SECONDS):
            status = await peer.process.wait()

    assert (answer["id"], "error" in answer, status) == ("open", True, 0)
    assert 0.5 <= waited < 3


async def test_a_second_signal_does_not_wait(tmp_path: Path) -> None:
    folder = workspace(tmp_path, "hangs", health={"drain_seconds": 60})

    async with served(folder) as peer:
        await peer.send(call("open", "hangs"))
        await eventually(lambda: "tools/call" in methods(tmp_path / "hangs"))
        peer.process.send_signal(signal.SIGTERM)
        await refused(peer)  # the first signal has arrived
        peer.process.send_signal(signal.SIGTERM)
        with anyio.fail_after(SECONDS):
            status = await peer.process.wait()

    assert status == 0
    assert not any(map(is_running, processes(tmp_path / "hangs")))


async def test_told_to_stop_over_http_it_answers_what_is_open(tmp_path: Path) -> None:
    record = tmp_path / "takes_a_second"
    statuses: list[int] = []

    async def open_call() -> None:
        status, _ = await exchange(url, posted(call(1, "takes_a_second")))
        statuses.append(status)

    async with served_on_http(workspace(tmp_path, "takes_a_second")) as (url, pid):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(open_call)
            await eventually(lambda: "tools/call" in methods(record))
            os.kill(pid, signal.SIGTERM)
        await eventually(lambda: not is_running(pid))

    assert statuses == [200]
    assert not any(map(is_running, processes(record)))


async def test_killed_it_leaves_no_process_even_of_those_that_ignore_sigterm(
    tmp_path: Path,
) -> None:
    async with served(workspace(tmp_path, "stubborn", "hangs", "stuck")) as peer:
        answer = await peer.ask(call(1, "stubborn"))
        await peer.send(call(2, "stuck"))
        await eventually(lambda: "tools/call" in methods(tmp_path / "stuck"))
        await eventually(lambda: bool(processes(tmp_path / "hangs")))
        started = children(peer.process.pid)
        for mode in ("stubborn", "hangs", "stuck", "well"):
            started |= set(processes(tmp_path / mode))
        peer.process.kill()
        began = time.monotonic()
        await eventually(lambda: not any(map(is_running, started)), 2 * ORPHAN_SECONDS)
        seconds = time.monotonic() - began

    assert outcome_of(answer) == "ok"
    assert len(started) == 6  # four servers, a grandchild, and the shell that ended them
    assert seconds < ORPHAN_SECONDS
