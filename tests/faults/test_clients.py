"""Clients of `podium serve` that misbehave: each is answered or refused, the others are served."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream
from mcp_types.version import LATEST_MODERN_VERSION

from tests.faults.serving import (
    SECONDS,
    call,
    outcome_of,
    request,
    resident_bytes,
    served,
    served_on_http,
    workspace,
)
from tests.upstreams.conftest import eventually, is_running, methods, processes

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

HUGE = 64 * 1024 * 1024
GROWTH_BYTES = 64 * 1024 * 1024
MANY = 10_000
PIPELINED = 20  # requests on one connection
BURST = 1_500  # connections at once: more than are let in
WELL = call(1, "well", {"a": 1})
BAD_REQUESTS: dict[str, tuple[Any, set[int]]] = {
    "an unknown method": (request(7, "tools/explode", {}), {-32601}),
    # Over HTTP the header that repeats the name is looked at first.
    "params of the wrong type": (request(7, "tools/call", {"name": 3}), {-32602, -32020}),
    "a tool that does not exist": (request(7, "tools/call", {"name": "explode"}), {-32602}),
}


# --- stdio


@pytest.mark.parametrize("name", BAD_REQUESTS)
async def test_a_bad_request_gets_a_protocol_error(name: str, tmp_path: Path) -> None:
    message, codes = BAD_REQUESTS[name]

    async with served(workspace(tmp_path)) as peer:
        refusal = await peer.ask(message)
        answer = await peer.ask(WELL)

    assert refusal["id"] == 7
    assert refusal["error"]["code"] in codes
    assert outcome_of(answer) == "ok"


async def test_64_megabytes_in_a_line_are_refused_at_flat_memory(tmp_path: Path) -> None:
    async with served(workspace(tmp_path)) as peer:
        await peer.ask(WELL)
        before = resident_bytes(peer.process.pid)
        await peer.write(b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"x":"')
        for _ in range(64):
            await peer.write(b"x" * (HUGE // 64))
        await peer.write(b'"}}\n')
        refusal = await peer.read()
        grown = resident_bytes(peer.process.pid) - before
        answer = await peer.ask(WELL)

    assert "longer than" in refusal["error"]["message"]
    assert grown < GROWTH_BYTES
    assert outcome_of(answer) == "ok"


async def test_a_hundred_thousand_lines_of_garbage_are_answered_one_by_one(tmp_path: Path) -> None:
    lines = 100_000
    codes: set[int] = set()

    async with served(workspace(tmp_path)) as peer:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(peer.write, b"what is this?\n" * lines)
            for _ in range(lines):
                codes.add((await peer.read())["error"]["code"])
        answer = await peer.ask(WELL)

    assert codes == {-32700}
    assert outcome_of(answer) == "ok"


async def test_ten_thousand_calls_at_once_are_all_answered_once(tmp_path: Path) -> None:
    seen: set[int] = set()
    outcomes: set[str] = set()

    async with served(workspace(tmp_path)) as peer:
        await peer.ask(WELL)
        before = resident_bytes(peer.process.pid)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(peer.send, *(call(number, "well") for number in range(MANY)))
            for _ in range(MANY):
                answer = await peer.read()
                seen.add(answer["id"])
                outcomes.add(outcome_of(answer))
        answer = await peer.ask(WELL)
        grown = resident_bytes(peer.process.pid) - before

    assert seen == set(range(MANY))
    assert outcomes == {"ok"}
    assert outcome_of(answer) == "ok"
    assert grown < 4 * GROWTH_BYTES


async def test_a_client_that_goes_away_takes_everything_with_it(tmp_path: Path) -> None:
    async with served(workspace(tmp_path, "hangs")) as peer:
        await peer.send(call(1, "hangs"))
        await eventually(lambda: "tools/call" in methods(tmp_path / "hangs"))
        started = [*processes(tmp_path / "hangs"), *processes(tmp_path / "well")]
        assert peer.process.stdin is not None
        assert peer.process.stdout is not None
        await peer.process.stdin.aclose()
        await peer.process.stdout.aclose()
        with anyio.fail_after(SECONDS):
            status = await peer.process.wait()

    assert status == 0
    assert not any(map(is_running, started))


async def test_a_client_that_never_reads_its_answers_ends_only_itself(tmp_path: Path) -> None:
    text = "x" * 100_000

    async with served(workspace(tmp_path)) as peer:
        with anyio.move_on_after(SECONDS):
            for number in range(200):
                await peer.send(call(number, "well", {"text": text}))
        peer.process.send_signal(signal.SIGTERM)
        with anyio.fail_after(SECONDS):
            await peer.process.wait()
        started = processes(tmp_path / "well")

    assert started
    assert not any(map(is_running, started))


# --- HTTP


def posted(message: Any, *, close: bool = True) -> bytes:
    """Return the bytes of a request of the stateless era."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": LATEST_MODERN_VERSION,
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {**message["params"], "_meta": meta}
    body = json.dumps({**message, "params": params}).encode()
    named = str(message["params"].get("name", ""))
    return posted_body(body, message["method"], named, close=close)


def posted_body(body: bytes, method: str, name: str, *, close: bool = True) -> bytes:
    lines = [
        "POST /mcp HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        "Accept: application/json, text/event-stream",
        f"MCP-Protocol-Version: {LATEST_MODERN_VERSION}",
        f"Mcp-Method: {method}",
        *([f"Mcp-Name: {name}"] if name else []),
        f"Content-Length: {len(body)}",
        *(["Connection: close"] if close else []),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def exchange(url: str, data: bytes) -> tuple[int, bytes]:
    """Send bytes on a new connection; return status and body of what comes back."""
    place = urlsplit(url)
    assert place.hostname is not None
    assert place.port is not None
    received = b""
    with anyio.fail_after(SECONDS):
        async with await anyio.connect_tcp(place.hostname, place.port) as stream:
            try:
                await stream.send(data)
                async for chunk in stream:
                    received += chunk
            except anyio.BrokenResourceError:
                pass  # refused before all of it was read
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]) if head else 0, body


@pytest.mark.parametrize("name", BAD_REQUESTS)
async def test_a_bad_request_over_http_gets_a_protocol_error(name: str, tmp_path: Path) -> None:
    message, codes = BAD_REQUESTS[name]

    async with served_on_http(workspace(tmp_path)) as (url, _):
        status, body = await exchange(url, posted(message))
        well, _ = await exchange(url, posted(WELL))

    assert status in (200, 400, 404)
    assert json.loads(body)["error"]["code"] in codes
    assert well == 200


@pytest.mark.parametrize(
    ("data", "statuses"),
    [
        (b"what is this?\r\n\r\n", {400}),
        (posted_body(b"\xff\xfe not JSON", "tools/call", "x"), {400}),
        (posted_body(b"[" * 100_000, "tools/call", "x"), {400}),
        (posted_body(b"x" * HUGE, "tools/call", "x"), {413, 0}),  # 0: closed before it was read
    ],
    ids=["no HTTP", "no JSON", "deep JSON", "64 MB"],
)
async def test_garbage_over_http_is_refused_at_flat_memory(
    data: bytes, statuses: set[int], tmp_path: Path
) -> None:
    async with served_on_http(workspace(tmp_path)) as (url, pid):
        await exchange(url, posted(WELL))
        before = resident_bytes(pid)
        status, _ = await exchange(url, data)
        grown = resident_bytes(pid) - before
        well, _ = await exchange(url, posted(WELL))

    assert status in statuses
    assert grown < GROWTH_BYTES
    assert well == 200


async def test_more_connections_than_allowed_are_refused_and_the_others_served(
    tmp_path: Path,
) -> None:
    statuses: list[int] = []

    async def one() -> None:
        status, _ = await exchange(url, posted(WELL))
        statuses.append(status)

    async with served_on_http(workspace(tmp_path)) as (url, _):
        await exchange(url, posted(WELL))
        async with anyio.create_task_group() as tasks:
            for _ in range(BURST):
                tasks.start_soon(one)
        well, _ = await exchange(url, posted(WELL))

    assert len(statuses) == BURST
    assert set(statuses) <= {200, 503}
    assert statuses.count(200) > BURST // 3
    assert well == 200


async def test_a_client_that_hangs_up_cancels_its_call_and_no_other(tmp_path: Path) -> None:
    record = tmp_path / "hangs"

    async with served_on_http(workspace(tmp_path, "hangs")) as (url, _):
        place = urlsplit(url)
        assert place.hostname is not None
        assert place.port is not None
        async with await anyio.connect_tcp(place.hostname, place.port) as stream:
            await stream.send(posted(call(1, "hangs")))
            await eventually(lambda: "tools/call" in methods(record))
        await eventually(lambda: "notifications/cancelled" in methods(record))
        began = time.monotonic()
        well, _ = await exchange(url, posted(WELL))
        seconds = time.monotonic() - began

    assert well == 200
    assert seconds < 2


async def test_ten_thousand_calls_at_once_over_http_are_answered_or_told_to_come_back(
    tmp_path: Path,
) -> None:
    heads: list[bytes] = []

    async def some(port: int) -> None:
        wanted = b"".join(posted(call(number, "well"), close=False) for number in range(PIPELINED))
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            answers = BufferedByteReceiveStream(stream)
            async with anyio.create_task_group() as sending:
                sending.start_soon(stream.send, wanted)
                heads.extend([await answer_head(answers) for _ in range(PIPELINED)])

    async with served_on_http(workspace(tmp_path, http={"requests": 200})) as (url, pid):
        await exchange(url, posted(WELL))
        before = resident_bytes(pid)
        with anyio.fail_after(10 * SECONDS):
            async with anyio.create_task_group() as tasks:
                for _ in range(MANY // PIPELINED):
                    tasks.start_soon(some, urlsplit(url).port or 0)
        grown = resident_bytes(pid) - before
        well, _ = await exchange(url, posted(WELL))

    assert len(heads) == MANY
    refused = [head for head in heads if b" 503 " in head.splitlines()[0]]
    assert refused
    assert all(b"retry-after: 1" in head.lower() for head in refused)
    assert all(b" 200 " in head.splitlines()[0] for head in heads if head not in refused)
    assert grown < 4 * GROWTH_BYTES
    assert well == 200


async def answer_head(stream: BufferedByteReceiveStream) -> bytes:
    """Return the head of the next answer; its body is read and left."""
    head = await stream.receive_until(b"\r\n\r\n", 65_536)
    lines = (line.partition(b":") for line in head.lower().splitlines())
    length = next(int(value) for name, _, value in lines if name == b"content-length")
    await stream.receive_exactly(length)
    return head


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 0),
        (posted(WELL)[:40], 408),
        (posted(WELL)[:-10], 408),
        (posted(request(1, "tools/explode", {}))[:-10], 408),
    ],
    ids=["nothing", "half a head", "half a body", "half a body of another method"],
)
async def test_a_client_that_does_not_finish_its_request_is_let_go(
    data: bytes, status: int, tmp_path: Path
) -> None:
    async with served_on_http(workspace(tmp_path, http={"request_seconds": 0.5})) as (url, _):
        slow, _ = await exchange(url, data)
        well, _ = await exchange(url, posted(WELL))

    assert slow == status
    assert well == 200


async def test_headers_without_end_are_refused_over_http(tmp_path: Path) -> None:
    head = posted(WELL).partition(b"\r\n\r\n")[0] + b"\r\nX-Long: " + b"x" * 2_000_000

    async with served_on_http(workspace(tmp_path)) as (url, _):
        status, _ = await exchange(url, head)
        well, _ = await exchange(url, posted(WELL))

    assert status in (431, 0)  # 0: closed before it was read
    assert well == 200


async def test_a_client_that_only_listens_does_not_hold_up_the_end(tmp_path: Path) -> None:
    listen = request(1, "subscriptions/listen", {"notifications": {"toolsListChanged": True}})

    folder = workspace(tmp_path, health={"drain_seconds": 600})
    async with (
        served_on_http(folder) as (url, pid),
        await anyio.connect_tcp("127.0.0.1", urlsplit(url).port or 0) as stream,
    ):
        await stream.send(posted(listen, close=False))
        begun = await stream.receive()
        os.kill(pid, signal.SIGTERM)
        with anyio.fail_after(SECONDS):
            async for _ in stream:
                pass

    assert begun.startswith(b"HTTP/1.1 200")
