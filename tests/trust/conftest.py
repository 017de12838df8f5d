"""Servers whose tools a test changes, in a workspace or behind a pool."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from podium.cli.boundary import run
from podium.storage.pins import PinFile
from podium.storage.system import SystemClock
from podium.testing import MemoryEras
from podium.upstreams.pool import UpstreamPool
from podium.upstreams.settings import UpstreamSettings

SERVER = str(Path(__file__).with_name("changing_server.py"))


def tool(name: str, description: str = "Does one thing.", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "description": description,
        "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}},
        **more,
    }


@dataclass
class Changing:
    """One server: `define` says what it lists from now on, `calls` what was called."""

    folder: Path
    server_id: str = "changing"

    @property
    def tools_file(self) -> Path:
        return self.folder / f"{self.server_id}.tools.json"

    @property
    def calls_file(self) -> Path:
        return self.folder / f"{self.server_id}.calls"

    def define(self, *tools: dict[str, Any]) -> None:
        self.tools_file.write_text(json.dumps([*tools, tool("announce")]), encoding="utf-8")

    @property
    def calls(self) -> list[str]:
        return self.calls_file.read_text().split() if self.calls_file.exists() else []

    @property
    def command(self) -> list[str]:
        return [sys.executable, SERVER, str(self.tools_file), str(self.calls_file)]

    def settings(self, **more: Any) -> UpstreamSettings:
        command, *args = self.command
        return UpstreamSettings(self.server_id, command=command, args=tuple(args), **more)

    def entry(self, **more: Any) -> dict[str, Any]:
        command, *args = self.command
        return {"command": command, "args": args, **more}


@pytest.fixture
def changing(tmp_path: Path) -> Changing:
    server = Changing(tmp_path)
    server.define(tool("greet"))
    return server


@pytest.fixture
def pins_file(tmp_path: Path) -> Path:
    return tmp_path / "workspace" / ".podium" / "pins.json"


PoolMaker = Callable[..., UpstreamPool]


@pytest.fixture
def pool_of(pins_file: Path) -> PoolMaker:
    """Make a pool with the pins of the workspace, as a process of its own would."""

    def make(*settings: UpstreamSettings, clock: Any = None) -> UpstreamPool:
        return UpstreamPool(
            settings, eras=MemoryEras(), clock=clock or SystemClock(), pins=PinFile(pins_file)
        )

    return make


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    for name in ("patterns", "compositions", "transformers"):
        (folder / name).mkdir(parents=True)
    return folder


@pytest.fixture
def podium(workspace: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run one command line in the workspace."""

    def invoke(*arguments: str) -> Outcome:
        code = run([*arguments, "--workspace", str(workspace)])
        printed = capsys.readouterr()
        return Outcome(code, printed.out, printed.err)

    return invoke


def write_config(workspace: Path, **config: Any) -> None:
    """Write a configuration; JSON is YAML."""
    (workspace / "config.yaml").write_text(json.dumps(config), encoding="utf-8")
