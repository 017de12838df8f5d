"""The ways to reach a server: in memory, on stdio, on HTTP, each in both protocol eras."""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters

from podium.interfaces.mcp_server import mcp_server, serve_http
from tests.mcp_server.fake import FakeOrchestrator

PROGRAM = Path(__file__).parent / "fake.py"
WAYS = ("memory", pytest.param("stdio", marks=pytest.mark.slow), "http")
ERAS = {"handshake": "legacy", "modern": "auto"}

Connect = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def orchestrator() -> Any:
    return FakeOrchestrator()


@pytest.fixture
def program() -> Path:
    return PROGRAM


@pytest.fixture(params=sorted(ERAS))
def era(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def near(era: str) -> Connect:
    """Return a function that connects the official client in memory."""
    return partial(_connected, "memory", era)


@pytest.fixture(params=WAYS)
def connect(request: pytest.FixtureRequest, era: str) -> Connect:
    """Return a function that connects the official client, over every way in turn."""
    return partial(_connected, request.param, era)


@asynccontextmanager
async def _connected(
    way: str, era: str, *, expose: tuple[str, ...] = (), prefix: str = "{server}__"
) -> AsyncIterator[Client]:
    if way == "stdio":
        options = ["--prefix", prefix, "--expose", *expose]
        command = StdioServerParameters(command=sys.executable, args=[str(PROGRAM), *options])
        async with Client(command, mode=ERAS[era]) as client:
            yield client
        return
    served = FakeOrchestrator(expose=expose, prefix=prefix)
    if way == "memory":
        async with Client(mcp_server(served), mode=ERAS[era]) as client:
            yield client
        return
    async with serving(served) as url, Client(url, mode=ERAS[era]) as client:
        yield client


@asynccontextmanager
async def serving(orchestrator: Any, **options: Any) -> AsyncIterator[str]:
    serve = partial(serve_http, orchestrator, "127.0.0.1", 0, **options)
    async with anyio.create_task_group() as tasks:
        yield await tasks.start(serve)
        tasks.cancel_scope.cancel()


@pytest.fixture
def serve_on_http() -> Callable[..., AbstractAsyncContextManager[str]]:
    return serving
