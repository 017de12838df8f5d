"""`podium serve` over misbehaving servers, as a process of its own, and a client made of lines."""

import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any

import anyio
import anyio.abc
from anyio.streams.buffered import BufferedByteReceiveStream

from tests.upstreams.conftest import FAULTY_SERVER

SECONDS = 30.0  # for one answer, on a busy machine as well
LONGEST_ANSWER = 32 * 1024 * 1024


def workspace(folder: Path, *modes: str, **more: Any) -> Path:
    """Make a workspace with one faulty server for each mode, and a healthy one, `well`."""
    servers = {
        mode: {"command": sys.executable, "args": [FAULTY_SERVER, mode, str(folder / mode)]}
        for mode in (*modes, "well")
    }
    config = {"mcpServers": servers, **more}
    (folder / "config.yaml").write_text(json.dumps(config), "utf-8")  # JSON is YAML
    return folder


def initialize(identifier: Any = 0) -> dict[str, Any]:
    client = {"name": "test", "version": "1"}
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}
    return request(identifier, "initialize", params)


def request(identifier: Any, method: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identifier, "method": method, "params": params}


def call(identifier: Any, server: str, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a request for a call of the tool `echo` of a server."""
    called = {"server_id": server, "tool_id": "echo", "arguments": arguments or {}}
    return request(identifier, "tools/call", {"name": "call_tool", "arguments": called})


class Peer:
    """A client of `podium serve` on stdio."""

    def __init__(self, process: anyio.abc.Process) -> None:
        assert process.stdout is not None
        self.process = process
        self._lines = BufferedByteReceiveStream(process.stdout)

    async def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        await self.process.stdin.send(data)

    async def send(self, *messages: dict[str, Any]) -> None:
        await self.write(b"".join(json.dumps(message).encode() + b"\n" for message in messages))

    async def read(self, seconds: float = SECONDS) -> dict[str, Any]:
        """Return the next answer; notifications are passed over."""
        with anyio.fail_after(seconds):
            while True:
                line = await self._lines.receive_until(b"\n", LONGEST_ANSWER)
                message: dict[str, Any] = json.loads(line)
                if "id" in message:
                    return message

    async def ask(self, message: dict[str, Any], seconds: float = SECONDS) -> dict[str, Any]:
        await self.send(message)
        return await self.read(seconds)

    async def shake_hands(self) -> None:
        await self.ask(initialize())
        await self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[Peer]:
    """Serve a workspace on stdio; the client has shaken hands."""
    command = [sys.executable, "-m", "podium", "-w", str(folder), "serve"]
    async with await anyio.open_process(command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL) as child:
        peer = Peer(child)
        await peer.shake_hands()
        yield peer


@asynccontextmanager
async def served_on_http(folder: Path) -> AsyncIterator[tuple[str, int]]:
    """Serve a workspace on a free port; yields the address of `/mcp` and the process id."""
    command = [sys.executable, "-m", "podium", "-w", str(folder), "serve", "--http", "--port", "0"]
    async with await anyio.open_process(command, stdout=DEVNULL, stderr=PIPE) as child:
        assert child.stderr is not None
        lines, line = BufferedByteReceiveStream(child.stderr), b""
        with anyio.fail_after(SECONDS):
            while not line.startswith(b"serving "):  # before it stand remarks on the workspace
                line = await lines.receive_until(b"\n", 4_096)
        yield line.decode().split()[-1], child.pid
        if child.returncode is None:
            child.terminate()
            with anyio.fail_after(SECONDS):
                await child.wait()


def outcome_of(answer: dict[str, Any]) -> str:
    """Return `ok`, the code of the error, or the code of the protocol error, of an answer."""
    if "error" in answer:
        return str(answer["error"]["code"])
    result = answer["result"]
    if not result.get("isError"):
        return "ok"
    structured = result.get("structuredContent") or {}
    error = structured.get("error") or {}
    return str(error.get("code", result))


def open_files(pid: int) -> int:
    """Return how many descriptors a process holds, its own databases left out.

    Those are opened when they are first written to, which may be before a fault or after it.
    """
    held = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            held += "/.podium/" not in str(link.readlink())
    return held


def resident_bytes(pid: int) -> int:
    """Return the memory that a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def children(pid: int) -> set[int]:
    """Return the processes that a process has started and that still run."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return set(map(int, found))
