"""A workspace over the five real servers, as a person would set it up."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from podium.resources import default_directory
from tests.servers import npm_server

PATTERNS = {
    "patterns": [
        {
            "name": "add_numbers",
            "regex": [r"^additionne (?P<a>\d+) et (?P<b>\d+)$", r"^add (?P<a>\d+) and (?P<b>\d+)$"],
        },
        {
            "name": "list_shared",
            "regex": [r"^que contient le partage \?$", r"^what is in the share\?$"],
        },
    ]
}
ADD = {
    "id": "add",
    "intent_type": "add_numbers",
    "input_schema": {
        "type": "object",
        "properties": {"a": {"type": "number"}, "b": {"type": "number"}},
        "required": ["a", "b"],
    },
    "steps": [
        {
            "id": "sum",
            "server_id": "everything",
            "tool_id": "get-sum",
            "input_mapping": {"a": "a", "b": "b"},
        }
    ],
    "output": {"message": "sum.text"},
}
LIST_SHARED = {
    "id": "list_shared",
    "intent_type": "list_shared",
    "steps": [
        {
            "id": "list",
            "server_id": "filesystem",
            "tool_id": "list_directory",
            "input_mapping": {"path": "'SHARE'"},
        }
    ],
    "output": {"message": "list.content"},
}


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a workspace with files, git and time; with npm's servers too, where they are."""
    folder = tmp_path_factory.mktemp("workspace")
    for name in ("patterns", "compositions", "transformers"):
        shutil.copytree(default_directory(name), folder / name)  # type: ignore[arg-type]
    documents, share = folder / "documents", folder / "share"
    documents.mkdir()
    share.mkdir()
    (documents / "budget.md").write_text("# Budget\n\nLe budget est de 1 200 euros.\n")
    (documents / "plan.md").write_text("# Plan\n\nStep one, step two.\n")
    (share / "common.txt").write_text("shared\n")
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "add", "documents")
    git(folder, "commit", "--quiet", "-m", "First documents")
    servers: dict[str, dict[str, object]] = {
        "files": {"command": "podium", "args": ["upstream", "files", "./documents"]},
        "git": {"command": "mcp-server-git"},
        "time": {"command": "mcp-server-time"},
        "dead": {"command": sys.executable, "args": ["-c", "raise SystemExit('no licence')"]},
    }
    for name, arguments in (("filesystem", [str(share)]), ("memory", []), ("everything", [])):
        if (command := npm_server(name)) is not None:
            servers[name] = {"command": command[0], "args": [*command[1:], *arguments]}
    servers.get("memory", {})["env"] = {"MEMORY_FILE_PATH": str(folder / "memory.jsonl")}
    (folder / "config.yaml").write_text(json.dumps({"mcpServers": servers}))
    (folder / "patterns" / "npm.json").write_text(json.dumps(PATTERNS))
    for composition in (ADD, LIST_SHARED):
        text = json.dumps(composition).replace("SHARE", str(share))
        path = folder / "compositions" / "templates" / f"npm_{composition['id']}.json"
        path.write_text(text)
    return folder


@pytest.fixture(scope="session")
def podium() -> str:
    """Return the absolute path of `podium`, as Claude Desktop's configuration gives it."""
    path = Path(sys.executable).parent / "podium"
    assert path.is_file()
    return str(path)


@pytest.fixture(scope="session")
def bare_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment that a desktop program starts others with."""
    home = tmp_path_factory.mktemp("home")
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8"}
    if (node := shutil.which("node")) is not None:
        environment["PATH"] += os.pathsep + str(Path(node).parent)
    return environment
