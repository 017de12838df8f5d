"""Streamable HTTP: who may come in, what is refused, how it ends."""

import json
import signal
import socket
import sys
from contextlib import suppress

import anyio
import httpx2
import pytest
from mcp import Client

from podium.domain.errors import CannotListenError
from podium.domain.tool import Tool
from podium.interfaces.mcp_server import http_app, serve_http
from podium.interfaces.mcp_server.http import GRACE_SECONDS
from podium.interfaces.mcp_server.limits import MESSAGE_BYTES
from tests.mcp_server.conftest import ERAS
from tests.mcp_server.fake import COUNT, FakeOrchestrator, SilentRelay

pytestmark = pytest.mark.anyio

ACCEPT = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
MODERN = {**ACCEPT, "mcp-protocol-version": "2026-07-28"}
EVERYWHERE = "0.0.0.0"  # noqa: S104 - nothing listens
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


@pytest.fixture
def post(orchestrator):
    """Return a function that sends one request to an application bound to an address."""

    async def send(body, headers, *, host="127.0.0.1", allowed_hosts=(), method="POST", at="/mcp"):
        app = http_app(orchestrator, host=host, port=8321, allowed_hosts=allowed_hosts)
        async with app.router.lifespan_context(app):
            transport = httpx2.ASGITransport(app=app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://h") as client:
                return await client.request(method, at, content=body, headers=headers)

    return send


@pytest.mark.parametrize("headers", [ACCEPT, MODERN])
@pytest.mark.parametrize("bound", ["127.0.0.1", EVERYWHERE, "::", "192.0.2.7", "podium.example"])
async def test_a_foreign_host_name_is_refused_wherever_the_server_is_bound(post, bound, headers):
    answer = await post(json.dumps(PING), {**headers, "host": "evil.example:8321"}, host=bound)

    assert answer.status_code == 421


@pytest.mark.parametrize("path", ["/mcp", "/healthz"])
async def test_a_page_from_elsewhere_is_refused(post, path):
    headers = {**ACCEPT, "host": "localhost:8321", "origin": "http://evil.example"}

    answer = await post(None, headers, method="GET", at=path)

    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("bound", "named"),
    [
        ("127.0.0.1", "127.0.0.1:8321"),
        ("127.0.0.1", "localhost:9000"),
        ("::1", "[::1]:8321"),
        ("podium.example", "podium.example:8321"),
        (EVERYWHERE, "proxy.example"),
    ],
)
async def test_its_own_and_local_and_allowed_names_are_welcome(post, bound, named):
    headers = {"host": named, "origin": f"http://{named}"}

    answer = await post(
        None, headers, method="GET", at="/healthz", host=bound, allowed_hosts=["proxy.example"]
    )

    assert answer.status_code == 200


async def test_health_tells_version_and_upstreams(post):
    answer = await post(None, {"host": "localhost"}, method="GET", at="/healthz")

    health = answer.json()
    assert health["status"] == "ok"
    assert health["version"]
    assert health["upstreams"][0]["server_id"] == "files"
    assert health["upstreams"][0]["state"] == "ready"


@pytest.mark.parametrize("headers", [ACCEPT, MODERN])
@pytest.mark.parametrize("body", ["what is this", "[]", "7", '{"jsonrpc": "2.0", "id": 1}'])
async def test_garbage_is_a_protocol_error(post, headers, body):
    answer = await post(body, {**headers, "host": "localhost"})

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] in {-32700, -32600, -32602}


async def test_a_body_beyond_the_limit_is_refused(post):
    answer = await post("x" * (MESSAGE_BYTES + 1), {**ACCEPT, "host": "localhost"})

    assert answer.status_code == 413


class Counted:
    """A value in a definition that counts how often it is written."""

    def __init__(self):
        self.times = 0

    def __str__(self):
        self.times += 1
        return "counted"


class ListingRelay(SilentRelay):
    """An upstream with one prompt."""

    def __init__(self, prompt):
        self.prompts = [prompt]

    async def listed(self, _server_id, method):
        return self.prompts if method == "prompts/list" else []


async def test_a_list_is_written_once_until_it_changes(era, serve_on_http):
    prompt, tool = Counted(), Counted()
    orchestrator = FakeOrchestrator(expose=("*",))
    orchestrator.relay = ListingRelay({"name": "greet", "x-vendor": prompt})
    definition = {**COUNT, "x-vendor": tool}
    orchestrator.tools = (Tool("files", "count", "", {"type": "object"}, definition=definition),)
    lists = []

    async with serve_on_http(orchestrator) as url, Client(url, mode=ERAS[era]) as client:
        for _ in range(3):
            lists += [await client.list_prompts(cache_mode="bypass")]
            lists += [await client.list_tools(cache_mode="bypass")]
        before = (prompt.times, tool.times)
        orchestrator.relay.prompts = [{"name": "part", "x-vendor": prompt}]
        for _ in range(2):
            lists += [await client.list_prompts(cache_mode="bypass")]
            lists += [await client.list_tools(cache_mode="bypass")]

    assert before == (1, 1)
    assert (prompt.times, tool.times) == (2, 1)
    assert [one.prompts[0].name for one in lists[::2]] == ["files__greet"] * 3 + ["files__part"] * 2
    assert all(one == lists[1] for one in lists[1::2])


@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28"])
async def test_a_client_that_leaves_in_the_middle_of_a_body_is_no_error(
    orchestrator, serve_on_http, caplog, version
):
    head = f"POST /mcp HTTP/1.1\r\nhost: localhost\r\nmcp-protocol-version: {version}\r\n"
    rest = "".join(f"{name}: {value}\r\n" for name, value in ACCEPT.items())

    async with serve_on_http(orchestrator) as url:
        port = int(url.removesuffix("/mcp").rpartition(":")[2])
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(f'{head}{rest}content-length: 99\r\n\r\n{{"jsonrpc":'.encode())
        async with Client(url) as client:
            tools = await client.list_tools()

    assert tools.tools
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_port_that_is_taken_is_told_plainly(orchestrator):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListenError) as caught:
            await serve_http(orchestrator, "127.0.0.1", port)

    assert f"127.0.0.1:{port}" in caught.value.message
    assert caught.value.hint


async def when_closed(url, then):
    port = int(url.removesuffix("/mcp").rpartition(":")[2])
    with anyio.fail_after(GRACE_SECONDS), suppress(OSError):
        while True:
            await (await anyio.connect_tcp("127.0.0.1", port)).aclose()
    then()


async def test_a_stopped_server_finishes_the_call_it_is_in(orchestrator, serve_on_http):
    answers = []
    begun, may_end = anyio.Event(), anyio.Event()

    async def slowly(*_args, **_options):
        begun.set()
        await may_end.wait()
        return []

    async def ask(url):
        async with Client(url) as client:
            await (
                client.list_tools()
            )  # it checks answers against the schemas, and could not ask later
            answers.append(await client.call_tool("search_tools", {}))

    orchestrator.search_tools = slowly
    async with anyio.create_task_group() as tasks:
        with anyio.fail_after(10):
            async with serve_on_http(orchestrator) as url:
                tasks.start_soon(ask, url)
                await begun.wait()
                tasks.start_soon(when_closed, url, may_end.set)

    assert answers[0].structured_content == {"tools": []}


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_signal_ends_the_server_in_order_while_clients_are_connected(program, mode):
    command = [sys.executable, str(program), "--http"]
    async with await anyio.open_process(command) as child:
        url = (await child.stdout.receive()).decode().strip()
        async with Client(url, mode=mode) as client:
            await client.call_tool("process_request", {"request": "hello"})

            child.send_signal(signal.SIGTERM)

            with anyio.fail_after(GRACE_SECONDS):
                assert await child.wait() == 0
        complaints = b"".join([chunk async for chunk in child.stderr])

    assert complaints == b""
