"""The wire of a real child process, byte by byte."""

import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from subprocess import PIPE

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from podium.interfaces.mcp_server.limits import MESSAGE_BYTES

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


class Peer:
    """A client that speaks in lines."""

    def __init__(self, process):
        self.process = process
        self._lines = BufferedByteReceiveStream(process.stdout)

    async def write(self, data):
        await self.process.stdin.send(data)

    async def send(self, *messages):
        await self.write(b"".join(json.dumps(m).encode() + b"\n" for m in messages))

    async def read(self):
        with anyio.fail_after(10):
            return json.loads(await self._lines.receive_until(b"\n", 16 * 1024 * 1024))

    async def call(self, id_, name, arguments, **params):
        params = {"name": name, "arguments": arguments, **params}
        await self.send({"jsonrpc": "2.0", "id": id_, "method": "tools/call", "params": params})
        return await self.read()

    async def shake_hands(self):
        await self.send(INITIALIZE)
        answer = await self.read()
        await self.send(INITIALIZED)
        return answer

    async def rest(self):
        """Return what else comes until the server closes its end."""
        rest = self._lines.buffer
        with anyio.fail_after(10):
            async for chunk in self.process.stdout:
                rest += chunk
        return rest


@pytest.fixture
def spawn(program):
    @asynccontextmanager
    async def spawned(*options):
        command = [sys.executable, str(program), *options]
        async with await anyio.open_process(command, stdin=PIPE, stdout=PIPE, stderr=PIPE) as child:
            yield Peer(child)

    return spawned


@pytest.mark.parametrize(
    ("garbage", "code", "id_"),
    [
        (b"what is this\n", -32700, None),
        (b"\xff\xfe\x00\n", -32700, None),
        (b"[" * 100_000 + b"\n", -32700, None),
        (b"[1, 2]\n", -32600, None),
        (b'{"jsonrpc": "2.0", "id": 7, "method": 3}\n', -32600, 7),
        (b'{"jsonrpc": "2.0", "id": true, "method": "ping"}\n', -32600, None),
        (b'{"id": "' + b"x" * (MESSAGE_BYTES + 1) + b'"}\n', -32600, None),
    ],
)
async def test_garbage_is_answered_and_the_next_request_is_served(spawn, garbage, code, id_):
    async with spawn() as peer:
        await peer.shake_hands()

        await peer.write(garbage)
        refusal = await peer.read()
        answer = await peer.call(1, "process_request", {"request": "hello"})

    assert (refusal["error"]["code"], refusal["id"]) == (code, id_)
    assert answer["result"]["structuredContent"]["status"] == "success"


async def test_empty_lines_are_no_messages(spawn):
    async with spawn() as peer:
        await peer.write(b"\n\r\n  \n")
        answer = await peer.shake_hands()

    assert answer["result"]["serverInfo"]["name"] == "podium"


async def test_only_the_protocol_reaches_stdout(spawn):
    async with spawn() as peer:
        await peer.shake_hands()
        answer = await peer.call(1, "process_request", {"request": "print"})
        await peer.process.stdin.aclose()
        rest = await peer.rest()
        noise = b"".join([chunk async for chunk in peer.process.stderr])

    assert answer["id"] == 1
    assert rest == b""
    assert b"noise from a tool" in noise


async def test_a_call_before_the_handshake_is_refused(spawn):
    async with spawn() as peer:
        refusal = await peer.call(1, "process_request", {"request": "hello"})
        answer = await peer.shake_hands()

    assert refusal["error"]["code"] == -32602
    assert answer["result"]["protocolVersion"] == "2025-11-25"


async def test_a_call_without_a_name_is_a_protocol_error(spawn):
    async with spawn() as peer:
        await peer.shake_hands()
        answer = await peer.call(1, None, {})

    assert answer["error"]["code"] == -32602


async def test_fields_that_the_sdk_does_not_know_are_passed_through(spawn):
    async with spawn("--expose", "*") as peer:
        await peer.shake_hands()
        await peer.send({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
        listed = await peer.read()
        called = await peer.call(2, "files__read_file", {"path": "a"})

    tools = {tool["name"]: tool for tool in listed["result"]["tools"]}
    assert tools["files__read_file"]["x-vendor"] == {"kept": True}
    assert called["result"] == {
        "content": [{"type": "text", "text": '{"lines": 7}', "x-vendor": {"kept": True}}],
        "_meta": {"vendor": 1},
    }


async def test_an_answer_larger_than_the_pipe_arrives_whole(spawn):
    text = "é" * 500_000

    async with spawn() as peer:
        await peer.shake_hands()
        answer = await peer.call(1, "process_request", {"request": text})

    assert answer["result"]["structuredContent"]["data"]["result"]["request"] == text


async def test_numbers_beyond_64_bits_survive(spawn):
    async with spawn() as peer:
        await peer.shake_hands()
        await peer.write(
            b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"process_request",'
            b'"arguments":{"request":"hello","context":{"n":123456789012345678901234567890}}}}\n'
        )
        answer = await peer.read()

    assert answer["result"]["isError"] is False


async def test_a_line_cut_off_by_the_end_is_not_carried_out(spawn):
    async with spawn() as peer:
        await peer.shake_hands()
        await peer.write(b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}')
        await peer.process.stdin.aclose()

        assert await peer.rest() == b""
        with anyio.fail_after(5):
            assert await peer.process.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_server_in_order(spawn, number):
    async with spawn() as peer:
        await peer.shake_hands()
        peer.process.send_signal(number)

        with anyio.fail_after(5):
            assert await peer.process.wait() == 0


async def test_a_file_serves_as_stdin_too(program, tmp_path):
    requests = tmp_path / "requests"
    requests.write_text(json.dumps(INITIALIZE) + "\n", encoding="utf-8")

    with requests.open("rb") as stdin, anyio.fail_after(10):
        done = await anyio.run_process([sys.executable, str(program)], stdin=stdin)

    assert json.loads(done.stdout)["result"]["serverInfo"]["name"] == "podium"


async def test_an_interrupt_from_the_terminal_ends_the_server_at_once(program):
    keyboard, terminal = os.openpty()
    command = [sys.executable, str(program)]
    async with await anyio.open_process(command, stdin=terminal, stderr=None) as child:
        os.write(keyboard, json.dumps(INITIALIZE).encode() + b"\n")
        assert b'"serverInfo"' in await child.stdout.receive()

        child.send_signal(signal.SIGINT)

        with anyio.fail_after(5):
            assert await child.wait() == 0
    os.close(keyboard)
    os.close(terminal)
