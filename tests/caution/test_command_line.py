"""The yes at the command line, over a real server."""

import json
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from podium.domain.execution import CONFIRM
from tests.synthesis.workspaces import Workspace

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

MARK = {
    "id": "mark",
    "intent_type": "measure",
    "input_schema": {
        "type": "object",
        "properties": {"file": {"type": "string"}},
        "required": ["file"],
    },
    "steps": [
        {
            "id": "it",
            "server_id": "files",
            "tool_id": "write_file",
            "input_mapping": {"file_path": "file"},
            "arguments": {"text": "seen"},
        }
    ],
}


async def podium(workspace: Workspace, *arguments: str) -> tuple[int, Any]:
    command = [sys.executable, "-m", "podium", *arguments, "--json", "-w", str(workspace.folder)]
    with anyio.fail_after(60):
        done = await anyio.run_process(command, check=False)
    return done.returncode, json.loads(done.stdout)


async def test_a_plan_on_trial_is_confirmed_and_one_that_is_named_is_not(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "workspace")
    workspace.write("learning", MARK)

    asked_code, asked = await podium(workspace, "ask", "measure b.txt")
    before = workspace.text_of("b.txt")
    done_code, _ = await podium(workspace, "resume", asked["execution_id"], "oui")
    run_code, _ = await podium(workspace, "run", "mark", "-p", "file=c.txt")

    assert (asked_code, asked["question"]["id"].startswith(CONFIRM), before) == (3, True, None)
    assert (done_code, run_code) == (0, 0)
    assert (workspace.text_of("b.txt"), workspace.text_of("c.txt")) == ("seen", "seen")
