"""A workspace with one composition on trial, over servers whose tools a test can change."""

import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp import Client, StdioServerParameters

from tests.trust.conftest import tool

CHANGING = Path(__file__).parents[1] / "trust" / "changing_server.py"
WAIT_SECONDS = 30.0
MODES = {"handshake": "legacy", "modern": "auto"}
COMPOSITION: dict[str, Any] = {
    "id": "read_note",
    "name": "Read a note",
    "description": "Read one note aloud.",
    "intent_type": "read_note",
    "input_schema": {
        "type": "object",
        "properties": {"name": {"type": "string"}},
        "required": ["name"],
    },
    "steps": [
        {"id": "greet", "server_id": "changing", "tool_id": "greet", "effects": "read"},
        {
            "id": "read",
            "server_id": "files",
            "tool_id": "read_file",
            "input_mapping": {"file_path": "name & '.txt'"},
        },
    ],
    "output": {"message": "read.text"},
}
PATTERNS = {"patterns": [{"name": "read_note", "regex": r"^(?:read|lis) (?P<name>\w+)$"}]}


@dataclass
class Listener:
    """Hears that the tools changed, in either era."""

    notifications: list[Any] = field(default_factory=list)
    stirred: anyio.Event = field(default_factory=anyio.Event)

    async def __call__(self, message: Any) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            self.heard()

    def heard(self) -> None:
        self.notifications.append("tools")
        self.stirred.set()

    async def wait(self) -> None:
        """Wait for the next announcement that nobody waited for yet."""
        with anyio.fail_after(WAIT_SECONDS):
            await self.stirred.wait()
        self.stirred = anyio.Event()


@dataclass
class Workspace:
    """The folder, and what can be done to it while Podium runs over it."""

    folder: Path

    def configure(self, **options: Any) -> None:
        """Write `config.yaml`, with these keys of the orchestrator."""
        files = ["-m", "podium.interfaces.files_server", str(self.folder / "documents")]
        changing = [str(CHANGING), str(self.folder / "tools.json")]
        config = {
            "orchestrator": options,
            "mcpServers": {
                "files": {"command": sys.executable, "args": files},
                "changing": {"command": sys.executable, "args": changing},
            },
        }
        (self.folder / "config.yaml").write_text(json.dumps(config), "utf-8")

    def define(self, description: str) -> None:
        """Let the tool `greet` be described so; it takes effect when the server says so."""
        tools = [tool("greet", description), tool("announce")]
        (self.folder / "tools.json").write_text(json.dumps(tools), "utf-8")

    def write(self, status_folder: str, document: dict[str, Any]) -> Path:
        path = self.folder / "compositions" / status_folder / f"{document['id']}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document), "utf-8")
        return path

    def files(self) -> list[str]:
        """Return where composition files are."""
        root = self.folder / "compositions"
        found = (path.relative_to(root) for path in root.rglob("*.json"))
        return sorted(path.as_posix() for path in found if not path.as_posix().startswith("."))

    @asynccontextmanager
    async def served(self, era: str) -> AsyncIterator[tuple[Client, Listener]]:
        """Run `podium serve` and connect the official client, which listens for changed tools."""
        arguments = ["-m", "podium", "serve", "--workspace", str(self.folder)]
        command = StdioServerParameters(command=sys.executable, args=arguments)
        async with listening(command, era) as connected:
            yield connected


@asynccontextmanager
async def listening(server: Any, era: str) -> AsyncIterator[tuple[Client, Listener]]:
    """Connect the official client to a command or an address; it listens for changed tools."""
    heard = Listener()
    async with Client(server, mode=MODES[era], message_handler=heard) as client:
        if era == "handshake":
            yield client, heard
            return
        async with (
            client.listen(tools_list_changed=True) as events,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(_hear, events, heard)
            yield client, heard
            tasks.cancel_scope.cancel()


async def _hear(events: Any, heard: Listener) -> None:
    async for _event in events:
        heard.heard()


@pytest.fixture
def make_workspace(tmp_path: Path) -> Callable[..., Workspace]:
    """Return a function that makes the workspace, with these keys of the orchestrator."""

    def make(**options: Any) -> Workspace:
        workspace = Workspace(tmp_path / "workspace")
        for name in ("patterns", "compositions", "transformers", "documents"):
            (workspace.folder / name).mkdir(parents=True)
        (workspace.folder / "documents" / "today.txt").write_text("Water the plants.", "utf-8")
        (workspace.folder / "patterns" / "notes.json").write_text(json.dumps(PATTERNS), "utf-8")
        workspace.configure(**options)
        workspace.define("Say hello.")
        workspace.write("learning", COMPOSITION)
        return workspace

    return make


@pytest.fixture
def workspace(make_workspace: Callable[..., Workspace]) -> Workspace:
    return make_workspace()


@pytest.fixture(params=sorted(MODES))
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)
