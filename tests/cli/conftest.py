"""The command line inside the test's own process, in a home and a folder of its own."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from podium.cli.boundary import run


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Podium = Callable[..., Outcome]

CONFIG = "mcpServers:\n  files: {command: podium, args: [upstream, files, ./documents]}\n"
PATTERNS = {
    "patterns": [
        {
            "name": "read_note",
            "regex": "read the note (?<name>\\w+)",
            "language": "en",
            "examples": [{"text": "read the note today", "params": {"name": "today"}}],
        },
        {"name": "read_note", "regex": "lis la note (?<name>\\w+)", "language": "fr"},
    ]
}
COMPOSITION = {
    "id": "read_note",
    "name": "Read a note",
    "intent_type": "read_note",
    "input_schema": {
        "type": "object",
        "properties": {"name": {"type": "string"}, "lines": {"type": "integer"}},
        "required": ["name"],
    },
    "steps": [
        {
            "id": "read",
            "server_id": "files",
            "tool_id": "read_file",
            "input_mapping": {"file_path": "name & '.txt'"},
        }
    ],
    "output": {"message": "read.text"},
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty folder, with an empty home beside it."""
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.delenv("PODIUM_WORKSPACE", raising=False)
    monkeypatch.delenv("PODIUM_DEBUG", raising=False)
    monkeypatch.chdir(here)
    return home


@pytest.fixture
def podium(
    home: Path,  # noqa: ARG001 - nobody's own home and folder
    capsys: pytest.CaptureFixture[str],
) -> Podium:
    """Run one command line; return its exit code and what it printed."""

    def invoke(*arguments: str | Path) -> Outcome:
        code = run([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Outcome(code, printed.out, printed.err)

    return invoke


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A small workspace: one file server, one intent in two languages, one composition."""
    folder = tmp_path / "workspace"
    for name in ("patterns", "compositions/templates", "transformers", "documents"):
        (folder / name).mkdir(parents=True)
    (folder / "config.yaml").write_text(CONFIG, encoding="utf-8")
    (folder / "documents/today.txt").write_text("Water the plants.\n", encoding="utf-8")
    write_json(folder / "patterns/notes.json", PATTERNS)
    write_json(folder / "compositions/templates/notes.json", COMPOSITION)
    return folder


def write_json(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path
