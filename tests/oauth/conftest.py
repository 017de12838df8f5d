"""A protected MCP server with its authorization server, and a browser of few words."""

import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from podium.domain.errors import PodiumError
from podium.storage.system import SystemClock
from podium.storage.tokens import TokenFolder
from podium.testing import MemoryEras
from podium.upstreams.login import log_in
from podium.upstreams.pool import UpstreamPool
from podium.upstreams.settings import OAuthSettings, UpstreamSettings

SERVER = str(Path(__file__).with_name("protected_server.py"))


@dataclass(frozen=True)
class Protected:
    """The two servers: `url` is the MCP server's, `issuer` the authorization server's."""

    url: str
    issuer: str

    async def log(self, event: str) -> list[dict[str, Any]]:
        """Return what happened of one kind."""
        async with httpx2.AsyncClient() as client:
            events = (await client.get(f"{self.issuer}/test/log")).json()
        return [each for each in events if event in each]

    async def revoke(self, what: str) -> None:
        async with httpx2.AsyncClient() as client:
            await client.post(f"{self.issuer}/test/revoke", params={"what": what})


Server = Callable[..., AbstractAsyncContextManager[Protected]]


@asynccontextmanager
async def protected_server(**options: Any) -> AsyncIterator[Protected]:
    process = await anyio.open_process([sys.executable, SERVER, json.dumps(options)], stderr=None)
    try:
        line = b""
        with anyio.fail_after(30):
            while b"\n" not in line:
                line += await process.stdout.receive()
        yield Protected(**json.loads(line))
    finally:
        process.kill()
        await process.aclose()


@pytest.fixture
def tokens(tmp_path: Path) -> TokenFolder:
    return TokenFolder(tmp_path / ".podium" / "tokens")


def settings_of(
    server: Protected, tokens: TokenFolder, server_id: str = "remote", **oauth: Any
) -> UpstreamSettings:
    return UpstreamSettings(server_id, url=server.url, oauth=OAuthSettings(**oauth), tokens=tokens)


def pool_of(settings: UpstreamSettings) -> UpstreamPool:
    return UpstreamPool([settings], eras=MemoryEras(), clock=SystemClock())


async def browse(address: str) -> httpx2.Response:
    """Open an address as a browser does, and go where it leads."""
    async with httpx2.AsyncClient(follow_redirects=True) as browser:
        return await browser.get(address)


async def logged_in(settings: UpstreamSettings, tokens: TokenFolder) -> Any:
    """Log in with a browser that opens the address at once."""
    outcome: Any = None
    async with anyio.create_task_group() as tasks:

        async def show(address: str) -> None:
            tasks.start_soon(browse, address)

        try:
            outcome = await log_in(settings, tokens, show, seconds=20)
        except PodiumError as error:  # leaving the group with it would wrap it
            outcome = error
    if isinstance(outcome, PodiumError):
        raise outcome
    return outcome
