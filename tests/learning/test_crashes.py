"""A process that is killed: each of its executions counts once, and no composition is lost."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from podium import Orchestrator
from tests.learning.conftest import Workspace

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

CHILD = Path(__file__).with_name("dying_child.py")
SECONDS = 60.0


def killed(workspace: Workspace, moment: str, *, after: int | None = None) -> list[str]:
    """Return the ids that a process said before it was killed, at a moment or `after` so many."""
    command = [sys.executable, str(CHILD), str(workspace.folder), moment]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        said = [child.stdout.readline() for _ in range(after or 0)]
        if after is not None:
            os.kill(child.pid, signal.SIGKILL)
        rest, _ = child.communicate(timeout=SECONDS)
    assert child.returncode == -signal.SIGKILL
    return [line.strip() for line in (*said, *rest.splitlines(keepends=True)) if "\n" in line]


async def found(workspace: Workspace) -> tuple[dict[str, int], dict[str, Any]]:
    """Start anew; return how the executions in the journal ended, and what was counted."""
    async with Orchestrator.open(workspace.folder) as orchestrator:
        report = await orchestrator.learning.report("read_note")
        played = await orchestrator.recent_executions(1_000)
    ended = [execution.status for execution in played]
    return {status: ended.count(status) for status in ("success", "error")}, report


def counts_of(report: dict[str, Any]) -> tuple[int, int, int]:
    counted = report["statistics"]
    return counted["successes"], counted["failures"], counted["uncounted"]


@pytest.mark.parametrize(("moment", "after"), [("any", 25), ("inside a count", None)])
async def test_what_a_killed_process_played_is_counted_once_at_the_next_start(
    workspace: Workspace, moment: str, after: int | None
) -> None:
    said = killed(workspace, moment, after=after)

    ended, report = await found(workspace)
    _, again = await found(workspace)

    successes, failures, uncounted = counts_of(report)
    assert len(said) > 3
    # All that the journal knows is counted; of the latest moment the counts may know more.
    assert ended["success"] <= successes <= (len(said) + 2) // 2
    assert ended["error"] <= failures + uncounted
    assert failures <= (len(said) + 1) // 2
    assert uncounted <= 1  # what was broken off counts for nobody
    assert report["evidence"]["successes"] == successes
    assert report["evidence"]["failures"] == failures
    assert again["statistics"] == report["statistics"]
    assert again["evidence"] == report["evidence"]


@pytest.mark.parametrize("moment", ["before the move", "after the move"])
async def test_a_promotion_that_a_kill_broke_off_is_completed_once(
    workspace: Workspace, moment: str
) -> None:
    killed(workspace, moment)
    files_then = workspace.files()

    ended, report = await found(workspace)
    _, again = await found(workspace)

    assert files_then == [f"{'learning' if 'before' in moment else 'validated'}/read_note.json"]
    assert workspace.files() == ["validated/read_note.json"]
    assert report["status"] == "validated"
    assert [change["kind"] for change in report["changes"]] == ["promoted"]
    assert counts_of(report)[0] >= ended["success"]
    assert again["statistics"] == report["statistics"]
    assert again["changes"] == report["changes"]
