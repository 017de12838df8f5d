"""Every template in both languages, played over the real servers in a workspace of its own."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import anyio
import pytest

from podium.app import Orchestrator
from podium.resources import default_directory
from tests.servers import npm_server

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

SCENES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "scenes.json").read_text("utf-8")
)
VARYING = [(re.compile(r"\b[0-9a-f]{7}\b"), "COMMIT"), (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "DAY")]


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Zoé", "-c", "user.email=zoe@example.org"]
    options = [*identity, "-c", "commit.gpgsign=false", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *options, *arguments], cwd=folder, check=True, capture_output=True)


def commit(folder: Path, message: str) -> None:
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", message)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    documents, project, empty = (tmp_path / name for name in ("documents", "projet", "vide"))
    (documents / "docs").mkdir(parents=True)
    (documents / "README.md").write_text("# Read me\n")
    (documents / "docs" / "guide.md").write_text(
        "# Guide\n\nLe budget de Zoé est de 1 200 euros.\n", "utf-8"
    )
    (documents / "docs" / "plan.txt").write_text("Step one, step two.\n")
    (documents / "docs" / "logo.png").write_bytes(b"\x89PNG\0\0")
    servers: dict[str, Any] = {
        "files": {"command": "podium", "args": ["upstream", "files", "./documents"]},
        "git": {"command": "mcp-server-git"},
        "time": {"command": "mcp-server-time"},
    }
    if (memory := npm_server("memory")) is not None:
        environment = {"MEMORY_FILE_PATH": str(tmp_path / "memory.jsonl")}
        servers["memory"] = {"command": memory[0], "args": memory[1:], "env": environment}
    orchestrator = {
        "intent_patterns_path": str(default_directory("patterns")),
        "compositions_path": str(default_directory("compositions")),
        "transformers_path": str(default_directory("transformers")),
    }
    config = {"orchestrator": orchestrator, "mcpServers": servers}
    (tmp_path / "config.yaml").write_text(json.dumps(config))  # JSON is YAML
    (tmp_path / ".gitignore").write_text("projet/\nvide/\n.podium/\nmemory.jsonl\n")
    git(tmp_path, "init", "--quiet")
    commit(tmp_path, "Workspace")
    for folder in (project, empty):
        folder.mkdir()
        git(folder, "init", "--quiet")
    (project / "a.txt").write_text("a\n")
    commit(project, "First")
    (project / "b.txt").write_text("b\n")
    commit(project, "Second: more, and more\n\nAuthor: nobody\nMessage: a trap\n")
    (project / "a.txt").write_text("changed\n")
    (project / "neuf.txt").write_text("new\n")
    return tmp_path


async def test_every_template_answers_in_both_languages(workspace: Path) -> None:
    scenes = [scene for scene in SCENES if "needs" not in scene or npm_server(scene["needs"])]

    replies = []
    with anyio.fail_after(120):
        async with Orchestrator.open(workspace) as orchestrator:
            for scene in scenes:
                replies.append(await orchestrator.process_request(scene["request"]))  # noqa: PERF401

    problems = [
        problem
        for scene, reply in zip(scenes, replies, strict=True)
        if (problem := wrong(scene, reply))
    ]
    assert problems == []


def wrong(scene: dict[str, Any], reply: dict[str, Any]) -> str:
    """Return what is not as the scene has it; the order of the scenes matters."""
    message = reply["data"]["message"]
    for varying, name in VARYING:
        message = varying.sub(name, message)
    got = {
        "request": scene["request"],
        "template": str(reply["composition_id"]).removeprefix("template_"),
        "status": reply["status"],
    }
    expected = {"status": "success", **{key: scene[key] for key in got if key in scene}}
    is_said = (
        message == scene["message"]
        if "message" in scene
        else all(part in message for part in scene["says"])
    )
    return "" if got == expected and is_said else f"{got}\n{message}"


def test_the_scenes_play_every_template_in_both_languages() -> None:
    played = {(scene["template"], scene["language"]) for scene in SCENES}
    files = default_directory("compositions").glob("templates/*.json")

    assert played == {(file.stem, language) for file in files for language in ("fr", "en")}
