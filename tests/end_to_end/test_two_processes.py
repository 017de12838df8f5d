"""What one process began, another plays on: questions, failures, and what was changed between."""

import json
import sys
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any

import anyio
import pytest
import yaml

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

LOG = {"server_id": "files", "tool_id": "write_file", "arguments": {"text": "x", "append": True}}
COMPOSITION = {
    "id": "log_and_copy",
    "input_schema": {
        "type": "object",
        "properties": {"source": {"type": "string"}, "to": {"type": "string"}},
        "required": ["source", "to"],
    },
    "steps": [
        {"id": "log", **LOG, "input_mapping": {"file_path": "'log.txt'"}},
        {"id": "sure", "kind": "confirm", "depends_on": ["log"], "ask": "'Copy ' & source & '?'"},
        {
            "id": "copies",
            "when": "sure",
            "steps": [
                {
                    "id": "read",
                    "server_id": "files",
                    "tool_id": "read_file",
                    "input_mapping": {"file_path": "source"},
                },
                {
                    "id": "write",
                    "server_id": "files",
                    "tool_id": "write_file",
                    "input_mapping": {"file_path": "to", "text": "read.text"},
                },
            ],
        },
    ],
    "output": {"message": "copies ? 'copied to ' & copies.write.file_path : 'left it'"},
}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "a.txt").write_text("words", encoding="utf-8")
    files = ["-m", "podium.interfaces.files_server", str(tmp_path / "documents")]
    config = {"mcpServers": {"files": {"command": sys.executable, "args": files}}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    templates = tmp_path / "compositions" / "templates"
    templates.mkdir(parents=True)
    (templates / "log_and_copy.json").write_text(json.dumps(COMPOSITION), encoding="utf-8")
    return tmp_path


async def podium(workspace: Path, *arguments: str) -> dict[str, Any]:
    """Run one command in a process of its own; return the reply, with its exit code."""
    command = [sys.executable, "-m", "podium", *arguments, "--json", "--workspace", str(workspace)]
    with anyio.fail_after(60):
        done = await anyio.run_process(
            command, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL, check=False
        )
    reply: dict[str, Any] = json.loads(done.stdout)
    return {**reply, "exit": done.returncode}


def text_of(workspace: Path, name: str) -> str:
    return (workspace / "documents" / name).read_text(encoding="utf-8")


async def test_a_question_a_failure_and_a_changed_param_each_in_a_process_of_their_own(
    workspace: Path,
) -> None:
    params = ["--param", "source=a.txt", "--param", "to=missing/dir/../../../out.txt"]

    asked = await podium(workspace, "run", "log_and_copy", *params)
    id_ = asked["execution_id"]
    failed = await podium(workspace, "resume", id_, "oui")
    refused = await podium(workspace, "resume", id_, "--param", "source=b.txt")
    done = await podium(workspace, "resume", id_, "--param", "to=b.txt")
    over = await podium(workspace, "resume", id_)

    assert (asked["status"], asked["exit"]) == ("needs_input", 3)
    assert asked["question"]["message"] == "Copy a.txt?"
    assert (failed["status"], failed["error"]["step_id"]) == ("error", "copies.write")
    assert (refused["error"]["code"], refused["exit"]) == ("resume_conflict", 2)
    assert (done["status"], done["exit"]) == ("success", 0)
    assert done["data"]["message"] == "copied to b.txt"
    assert done["execution_info"]["wrote"] == ["log", "copies.write"]
    assert (over["error"]["code"], over["exit"]) == ("not_resumable", 2)
    assert (text_of(workspace, "log.txt"), text_of(workspace, "b.txt")) == ("x", "words")


async def test_two_processes_that_answer_at_once_play_it_on_once(workspace: Path) -> None:
    params = ["--param", "source=a.txt", "--param", "to=b.txt"]
    asked = await podium(workspace, "run", "log_and_copy", *params)
    replies: list[dict[str, Any]] = []

    async def answer() -> None:
        replies.append(await podium(workspace, "resume", asked["execution_id"], "yes"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(answer)
        tasks.start_soon(answer)

    statuses = sorted(reply.get("status", "error") for reply in replies)
    assert statuses == ["error", "success"]
    assert text_of(workspace, "log.txt") == "x"
