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

from podium.interfaces.mcp_server.lane import OPEN_BYTES
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
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
UNSUPPORTED_VERSION = -32022
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


async def test_a_call_that_is_taken_back_gets_no_answer_and_the_next_one_does(spawn):
    async with spawn() as peer:
        await peer.shake_hands()
        await peer.send(waiting(1))
        cancelled = {"requestId": 1, "reason": "enough"}
        await peer.send(
            {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancelled}
        )
        answer = await peer.call(2, "process_request", {"request": "hello"})

    assert answer["id"] == 2
    assert answer["result"]["isError"] is False


async def test_calls_that_are_open_when_the_client_closes_its_end_are_told_so(spawn):
    async with spawn() as peer:
        await peer.shake_hands()
        await peer.send(waiting(1), waiting("two"))
        await peer.process.stdin.aclose()
        answers = [json.loads(line) for line in (await peer.rest()).splitlines()]

    assert {answer["id"] for answer in answers} == {1, "two"}
    assert all("error" in answer for answer in answers)


@pytest.mark.parametrize("wait_between", [False, True])
async def test_the_first_request_settles_the_era_of_the_calls_that_follow(spawn, wait_between):
    modern = {"name": "process_request", "arguments": {"request": "hello"}, "_meta": ENVELOPE}
    calls = [
        {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": modern}
        for number in (1, 2)
    ]
    async with spawn() as peer:
        answers = []
        for call in calls:
            await peer.send(call)
            if wait_between:
                answers.append(await peer.read())
        while len(answers) < len(calls):
            answers.append(await peer.read())
        await peer.send({**INITIALIZE, "id": 3})
        refused = await peer.read()

    assert [answer["result"]["resultType"] for answer in answers] == ["complete", "complete"]
    assert all("serverInfo" in str(answer["result"]["_meta"]) for answer in answers)
    assert refused["error"]["code"] == UNSUPPORTED_VERSION


async def test_a_call_of_the_other_era_is_refused_after_a_handshake(spawn):
    async with spawn() as peer:
        await peer.shake_hands()
        other = await peer.call(1, "process_request", {"request": "hello"}, _meta=ENVELOPE)
        own = await peer.call(2, "process_request", {"request": "hello"})

    assert other["error"]["code"] == -32600
    assert "resultType" not in own["result"]


def waiting(id_):
    params = {"name": "process_request", "arguments": {"request": "wait"}}
    return {"jsonrpc": "2.0", "id": id_, "method": "tools/call", "params": params}


async def test_more_open_calls_than_can_be_held_are_refused(spawn):
    padding = b'"' + b"x" * (MESSAGE_BYTES - 1_000) + b'"'
    line = json.dumps(waiting("ID") | {"x": "PAD"}).encode() + b"\n"
    async with spawn() as peer:
        await peer.shake_hands()
        for number in range(OPEN_BYTES // len(padding) + 1):
            numbered = line.replace(b'"ID"', str(number).encode())
            await peer.write(numbered.replace(b'"PAD"', padding))
        refusal = await peer.read()

    assert refusal["id"] == number
    assert "too many" in refusal["error"]["message"]
