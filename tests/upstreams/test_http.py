"""Upstreams over streamable HTTP: real servers of both eras, and servers that fail."""

import json
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import pytest

from podium.domain.errors import (
    LoginRequiredError,
    ResultTooLargeError,
    UpstreamClosedError,
    UpstreamError,
    UpstreamProtocolError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from podium.domain.tool import ToolResult
from podium.upstreams.settings import UpstreamSettings
from tests.servers import need_npm_server
from tests.upstreams.conftest import EraNotes, PoolMaker, SettableClock, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SERVER = str(Path(__file__).with_name("http_server.py"))
MODERN = {"era": "modern", "version": "2026-07-28", "capabilities": {"tools": {}}}
LEGACY = {"era": "legacy"}


@asynccontextmanager
async def served(command: list[str], env: dict[str, str] | None = None) -> AsyncIterator[Any]:
    """Run a server until the block ends."""
    process = await anyio.open_process(command, env=env, stderr=None)
    try:
        yield process
    finally:
        process.kill()
        await process.aclose()


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """Serve the SDK's own server, which speaks both eras."""
    async with served([sys.executable, SERVER]) as process:
        with anyio.fail_after(20):
            port = (await process.stdout.receive()).decode().strip()
        yield f"http://127.0.0.1:{port}/mcp"


def over_http(url: str, **more: Any) -> UpstreamSettings:
    return UpstreamSettings("remote", url=url, **more)


@pytest.mark.parametrize(
    ("memory", "era"), [(None, "2026-07-28"), (MODERN, "2026-07-28"), (LEGACY, "2025-11-25")]
)
async def test_both_eras_call_report_progress_cancel_and_announce_tools(
    pool_of: PoolMaker, eras: EraNotes, url: str, memory: dict[str, Any] | None, era: str
) -> None:
    settings = over_http(url)
    if memory is not None:
        eras.remember("remote", settings.fingerprint, memory)
    steps: list[tuple[float, float | None, str | None]] = []

    async def on_progress(*step: Any) -> None:
        steps.append(step)

    async with pool_of(settings) as pool:
        answer = await pool.call_tool("remote", "echo", {"tenant": "blue"})
        with pytest.raises(UpstreamTimeoutError) as late:
            await pool.call_tool("remote", "slow", {}, timeout_seconds=1, on_progress=on_progress)
        with anyio.fail_after(5):
            while not (await pool.call_tool("remote", "state", {})).structured["cancelled"]:
                pass
        (status,) = pool.statuses()
        await pool.call_tool("remote", "rename", {})
        if memory is not MODERN:  # that memory says the server announces nothing
            await eventually(lambda: "renamed" in [tool.name for tool in pool.tools()])

    assert (status.state, status.era, status.tools) == ("ready", era, 5)
    assert answer.structured["arguments"] == {"tenant": "blue"}
    assert answer.structured["tenant"] == ("blue" if era == "2026-07-28" else None)
    assert steps == [(1, 2, "half")]
    assert late.value.sent is True


@pytest.mark.parametrize("memory", [MODERN, LEGACY])
async def test_a_result_over_the_bound_is_refused_and_the_connection_stays(
    pool_of: PoolMaker, eras: EraNotes, url: str, memory: dict[str, Any]
) -> None:
    settings = over_http(url, result_bytes=1_000_000)
    eras.remember("remote", settings.fingerprint, memory)

    async with pool_of(settings) as pool:
        with pytest.raises(ResultTooLargeError):
            await pool.call_tool("remote", "big", {})
        answer = await pool.call_tool("remote", "echo", {})
        (status,) = pool.statuses()

    assert answer.text == "done"
    assert (status.state, status.restarts) == ("ready", 0)


async def test_a_server_of_the_old_era_is_found_out_and_remembered(
    pool_of: PoolMaker, eras: EraNotes
) -> None:
    command = need_npm_server("everything")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    async with served([*command, "streamableHttp"], env={"PORT": str(port)}):
        await eventually(lambda: accepts(port), 20)
        async with pool_of(over_http(f"http://127.0.0.1:{port}/mcp")) as pool:
            answer = await pool.call_tool("remote", "echo", {"message": "hé"})
            (status,) = pool.statuses()

    assert answer == ToolResult(content=({"type": "text", "text": "Echo: hé"},))
    assert (status.state, status.era) == ("ready", "2025-11-25")
    assert list(eras.eras.values()) == [LEGACY]


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# --- servers that fail


def reply(status: str, body: bytes = b"", kind: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def answered(number: int, result: str) -> bytes:
    body = f'{{"jsonrpc": "2.0", "id": {number}, "result": {result}}}'
    return reply("200 OK", body.encode())


HANG = b""
ECHO = '{"tools": [{"name": "echo", "inputSchema": {"type": "object"}}]}'
HELLO = '{"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}}'
ERROR_BODY = b'{"jsonrpc": "2.0", "id": null, "error": {"code": -32602, "message": "no such town"}}'


@asynccontextmanager
async def canned(call: bytes, cancelled: bytes = b"") -> AsyncIterator[str]:
    """Serve an upstream whose `tools/call` gets the given bytes as its answer, or none at all."""

    async def answer(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            request = b""
            while not request.rstrip().endswith(b"}"):
                request += await stream.receive()
            message = json.loads(request.partition(b"\r\n\r\n")[2])
            number = message.get("id", 0)
            answers = {
                "initialize": answered(number, HELLO),
                "notifications/initialized": reply("202 Accepted"),
                "notifications/cancelled": cancelled,
                "tools/list": answered(number, ECHO),
                "tools/call": call,
            }
            if data := answers[message["method"]]:
                await stream.send(data)
            if data == HANG or b"event-stream" in data:
                await anyio.sleep_forever()

    async with anyio.create_task_group() as tasks:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610 - not Django's
        tasks.start_soon(listener.serve, answer)
        yield f"http://127.0.0.1:{port}/mcp"
        tasks.cancel_scope.cancel()
    await listener.aclose()


def events(data: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    return head + data


@pytest.mark.parametrize(
    ("call", "error", "words", "sent"),
    [
        (reply("401 Unauthorized"), LoginRequiredError, "wants a login", False),
        (reply("500 Oops", b"<h1>", "text/html"), UpstreamProtocolError, "HTTP 500 Oops", True),
        (reply("503 Busy"), UpstreamUnavailableError, "refuses for now: HTTP 503", False),
        (reply("502 Bad Gateway"), UpstreamClosedError, "lost on the way: HTTP 502", True),
        (reply("400 Bad", ERROR_BODY), UpstreamProtocolError, "-32602: no such town", True),
        (reply("200 OK", b"<html>", "text/html"), UpstreamProtocolError, "text/html", True),
        (reply("200 OK", b"{"), UpstreamProtocolError, "no valid JSON-RPC", True),
        (reply("202 Accepted"), UpstreamProtocolError, "202 Accepted", True),
        (reply("200 OK", b"x" * 99_999), ResultTooLargeError, "longer than 50,000", True),
        (events(b"data: " + b"x" * 99_999), ResultTooLargeError, "50000 byte limit", True),
        (
            reply("307 Moved\r\nlocation: http://127.0.0.1:9/"),
            UpstreamProtocolError,
            "not followed",
            True,
        ),
        (b"no HTTP\r\n\r\n", UpstreamClosedError, "went away during the call", True),
        (
            reply("200 OK", b": nothing\n\n", "text/event-stream"),
            UpstreamClosedError,
            "without an answer",
            True,
        ),
        (events(b'data: {"jsonrpc":\n\n'), UpstreamProtocolError, "no valid JSON-RPC", True),
        (
            reply("200 OK\r\ncontent-encoding: gzip", b"no gzip"),
            UpstreamProtocolError,
            "not as it says",
            True,
        ),
    ],
)
async def test_each_failure_over_http_is_told_to_its_own_call(
    pool_of: PoolMaker,
    eras: EraNotes,
    call: bytes,
    error: type[UpstreamError],
    words: str,
    sent: bool,  # noqa: FBT001 - a column of the table
) -> None:
    async with canned(call) as url:
        settings = over_http(url, result_bytes=50_000)
        eras.remember("remote", settings.fingerprint, MODERN)
        async with pool_of(settings) as pool:
            with anyio.fail_after(5), pytest.raises(error) as raised:
                await pool.call_tool("remote", "echo", {})
            (status,) = pool.statuses()

    assert words in raised.value.message
    assert raised.value.message.startswith("remote.echo")
    assert raised.value.sent is sent
    assert status.state == "ready"


async def test_calls_that_give_up_on_a_hanging_server_do_not_wait_for_each_other(
    pool_of: PoolMaker, eras: EraNotes
) -> None:
    failures: list[UpstreamTimeoutError] = []

    async def call() -> None:
        with pytest.raises(UpstreamTimeoutError) as raised:
            await pool.call_tool("remote", "echo", {}, timeout_seconds=0.5)
        failures.append(raised.value)

    async with canned(HANG, cancelled=HANG) as url:
        settings = over_http(url)
        eras.remember("remote", settings.fingerprint, LEGACY)
        async with pool_of(settings) as pool:
            await pool.start_all()
            before = time.monotonic()
            async with anyio.create_task_group() as tasks:
                for _ in range(5):
                    tasks.start_soon(call)
            seconds = time.monotonic() - before

    assert len(failures) == 5
    assert seconds < 3


@pytest.mark.parametrize("memory", [MODERN, LEGACY])
async def test_a_call_that_is_open_when_everything_closes_fails_as_closed(
    pool_of: PoolMaker, eras: EraNotes, memory: dict[str, Any]
) -> None:
    failures: list[UpstreamError] = []

    async def call(pool: Any) -> None:
        with pytest.raises(UpstreamError) as raised:
            await pool.call_tool("remote", "echo", {})
        failures.append(raised.value)

    async with canned(HANG) as url, anyio.create_task_group() as tasks:
        settings = over_http(url)
        eras.remember("remote", settings.fingerprint, memory)
        with anyio.fail_after(10):
            async with pool_of(settings) as pool:
                await pool.start_all()
                tasks.start_soon(call, pool)
                await anyio.wait_all_tasks_blocked()

    assert [type(failure) for failure in failures] == [UpstreamClosedError]


async def test_a_server_that_is_not_there_fails_fast_and_says_so(pool_of: PoolMaker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = over_http(f"http://secret:word@127.0.0.1:{port}/mcp?token=secret")

    async with pool_of(settings) as pool:
        before = time.monotonic()
        with pytest.raises(UpstreamUnavailableError) as raised:
            await pool.call_tool("remote", "echo", {})
        seconds = time.monotonic() - before
        (status,) = pool.statuses()

    assert "cannot be reached" in raised.value.message
    assert raised.value.sent is False
    assert seconds < 2
    assert status.target == f"http://127.0.0.1:{port}/mcp"
    assert "secret" not in f"{raised.value} {status}"


async def test_a_server_that_went_away_is_reached_again_once_it_is_back(
    pool_of: PoolMaker, clock: SettableClock
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, SERVER, str(port)]
    settings = over_http(f"http://127.0.0.1:{port}/mcp")

    async with pool_of(settings) as pool:
        async with served(command):
            await eventually(lambda: accepts(port), 20)
            await pool.call_tool("remote", "echo", {})
        with pytest.raises(UpstreamError) as gone:
            await pool.call_tool("remote", "echo", {})
        async with served(command):
            await eventually(lambda: accepts(port), 20)
            clock.added += 60
            answer = await pool.call_tool("remote", "echo", {})
            (status,) = pool.statuses()

    assert (gone.value.code, gone.value.sent) == ("upstream_unavailable", False)
    assert answer.text == "done"
    assert (status.state, status.restarts) == ("ready", 1)


async def test_a_session_that_the_server_lost_is_begun_anew_with_the_next_call(
    pool_of: PoolMaker, eras: EraNotes
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, SERVER, str(port)]
    settings = over_http(f"http://127.0.0.1:{port}/mcp")
    eras.remember("remote", settings.fingerprint, LEGACY)

    async with pool_of(settings) as pool:
        async with served(command):
            await eventually(lambda: accepts(port), 20)
            await pool.call_tool("remote", "echo", {})
        async with served(command):
            await eventually(lambda: accepts(port), 20)
            with pytest.raises(UpstreamClosedError) as lost:
                await pool.call_tool("remote", "echo", {})
            answer = await pool.call_tool("remote", "echo", {})

    assert lost.value.message == "remote.echo: the server no longer knows Podium's session"
    assert (lost.value.sent, lost.value.retryable) == (False, True)
    assert answer.text == "done"


@pytest.mark.parametrize(
    ("url", "headers"),
    [("http://[bad/mcp", {}), ("http://127.0.0.1:1/mcp", {"X-Token": "é\n"})],
)
async def test_a_malformed_address_or_header_fails_that_upstream_only(
    pool_of: PoolMaker, url: str, headers: dict[str, str]
) -> None:
    async with pool_of(over_http(url, headers=headers)) as pool:
        with anyio.fail_after(5):
            await pool.start_all()
        (status,) = pool.statuses()

    assert status.state == "failed"
    assert status.reason
