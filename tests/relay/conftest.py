"""Podium between a client and the complete server, in every pairing of eras and transports."""

import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp import Client
from mcp.shared.memory import create_client_server_memory_streams

from podium import Orchestrator
from podium.interfaces.mcp_server import mcp_server
from tests.relay.everything import Everything, serve_http

PROGRAM = Path(__file__).parent / "everything.py"
MODES = {"handshake": "legacy", "modern": "2026-07-28"}
WAIT_SECONDS = 10.0


@dataclass
class Person:
    """Who sits before a client: what they are asked, what they answer, what they hear."""

    name: str = "ada"
    asked: list[str] = field(default_factory=list)
    logged: list[Any] = field(default_factory=list)
    heard: list[Any] = field(default_factory=list)
    stirred: anyio.Event = field(default_factory=anyio.Event)

    async def elicit(self, _context: Any, params: Any) -> types.ElicitResult:
        self.asked.append(params.message)
        known = {"username": self.name, "name": self.name, "ok": True, "color": "blue"}
        known |= {"email": f"{self.name}@example.org", "context": "work"}
        wanted = params.requested_schema["properties"]
        return types.ElicitResult(
            action="accept", content={key: known[key] for key in wanted if key in known}
        )

    async def sample(self, _context: Any, params: Any) -> types.CreateMessageResult:
        self.asked.append(params.messages[0].content.text)
        content = types.TextContent(type="text", text=f"{self.name} says hi")
        return types.CreateMessageResult(role="assistant", content=content, model="none")

    async def roots(self, _context: Any) -> types.ListRootsResult:
        self.asked.append("roots")
        return types.ListRootsResult(roots=[types.Root(uri=f"file:///home/{self.name}")])

    async def log(self, params: Any) -> None:
        self.logged.append(params.data)

    async def hear(self, message: Any) -> None:
        self.heard.append(message)
        self.stirred.set()
        self.stirred = anyio.Event()

    async def has_heard(self, kind: type) -> Any:
        """Wait for a notification of that kind."""
        with anyio.fail_after(WAIT_SECONDS):
            while True:
                for message in self.heard:
                    if isinstance(message, kind):
                        return message
                await self.stirred.wait()


@dataclass
class Scene:
    """A Podium with one upstream, `one`, and the means to connect clients to it."""

    orchestrator: Any
    everything: Everything | None
    front: str

    @asynccontextmanager
    async def client(
        self, person: Person | None = None, *, front: str | None = None, **options: Any
    ) -> AsyncIterator[Client]:
        """Connect a client; one without a person offers nothing."""
        if person is not None:
            options = {
                "elicitation_callback": person.elicit,
                "sampling_callback": person.sample,
                "list_roots_callback": person.roots,
                "logging_callback": person.log,
                "message_handler": person.hear,
                **options,
            }
        wire = wired(mcp_server(self.orchestrator))
        async with Client(wire, mode=MODES[front or self.front], **options) as client:
            yield client

    async def count(self, client: Client) -> dict[str, int]:
        """Return how many endless calls wait at the upstream, and how many were cancelled."""
        return json.loads((await client.call_tool("count_cancelled", {})).content[0].text)


@asynccontextmanager
async def wired(server: Any) -> AsyncIterator[Any]:
    """Connect to a server as over stdio; in memory the SDK would leave the wire format out."""
    async with (
        create_client_server_memory_streams() as (near, far),
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(server.run, *far, server.create_initialization_options())
        yield near
        tasks.cancel_scope.cancel()


Open = Callable[..., AbstractAsyncContextManager[Scene]]


@pytest.fixture
def open_scene(tmp_path: Path) -> Open:
    """Return a function that opens Podium in front of one upstream."""

    @asynccontextmanager
    async def opened(
        *, front: str = "modern", back: str = "both", transport: str = "http", **config: Any
    ) -> AsyncIterator[Scene]:
        async with AsyncExitStack() as stack:
            everything = None
            entry: dict[str, Any] = {
                "command": sys.executable,
                "args": [str(PROGRAM), "--era", back],
            }
            if transport == "http":
                everything = Everything(back)
                tasks = await stack.enter_async_context(anyio.create_task_group())
                stack.callback(tasks.cancel_scope.cancel)
                entry = {"url": await tasks.start(serve_http, everything)}
            folder = workspace(tmp_path, {"one": entry}, **config)
            orchestrator = await stack.enter_async_context(Orchestrator.open(folder))
            yield Scene(orchestrator, everything, front)

    return opened


@pytest.fixture
def open_two(tmp_path: Path) -> Open:
    """Return a function that opens Podium in front of two upstreams, `one` and `two`."""

    @asynccontextmanager
    async def opened(
        *, front: str = "modern", more_servers: Any = None, **config: Any
    ) -> AsyncIterator[Scene]:
        async with AsyncExitStack() as stack:
            tasks = await stack.enter_async_context(anyio.create_task_group())
            stack.callback(tasks.cancel_scope.cancel)
            servers = {
                name: {"url": await tasks.start(serve_http, Everything())}
                for name in ("one", "two")
            }
            folder = workspace(tmp_path, {**servers, **(more_servers or {})}, **config)
            orchestrator = await stack.enter_async_context(Orchestrator.open(folder))
            yield Scene(orchestrator, None, front)

    return opened


def workspace(folder: Path, servers: dict[str, Any], **config: Any) -> Path:
    for name in ("patterns", "compositions", "transformers"):
        (folder / name).mkdir(exist_ok=True)
    written = {"mcpServers": servers, "expose": "all", "prefix": "", **config}
    (folder / "config.yaml").write_text(json.dumps(written))
    return folder
