"""Where the URL of an upstream may lead, and that the connection goes where the check looked."""

import datetime
import ipaddress
import json
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import anyio.abc
import httpx2
import pytest
import yaml
from anyio.streams.tls import TLSListener
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from podium.config import config_text
from podium.domain.errors import ConfigError, UpstreamUnavailableError
from podium.upstreams.addresses import AddressPolicy, AddressRefusedError, network_of
from podium.upstreams.checked_http import (
    AddressNotAllowedError,
    CheckedTransport,
    RedirectRefusedError,
)
from podium.upstreams.settings import UpstreamSettings
from tests.trust.conftest import PoolMaker, write_config

pytestmark = pytest.mark.anyio

HERE = Path(__file__).parent
CASES = yaml.safe_load((HERE / "addresses.yaml").read_text())
PODIUM = [sys.executable, "-m", "podium"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(map(str, case.values())))
def test_an_address_is_allowed_or_refused_for_its_reason(case: dict[str, Any]) -> None:
    policy = AddressPolicy(case["url"], tuple(map(network_of, case.get("allow", ()))))
    host = case.get("host") or urlsplit(case["url"]).hostname
    found = case.get("found") or [host]

    refused = refusal_of(policy, host, found)

    assert case.get("refused", "nothing") in refused


def refusal_of(policy: AddressPolicy, host: str, found: list[str]) -> str:
    try:
        checked = policy.check(host, found)
    except AddressRefusedError as error:
        return str(error)
    assert [ipaddress.ip_address(each) for each in checked] == [
        ipaddress.ip_address(each) for each in found
    ]
    return "nothing"


def test_allow_addresses_takes_addresses_and_networks_only() -> None:
    text = "mcpServers: {a: {url: 'https://a/', allow_addresses: [10.0.0.0/8, intern.corp]}}"

    with pytest.raises(ConfigError) as caught:
        config_text(text, HERE, {})

    assert "'intern.corp' should be an address or a network" in str(caught.value.faults[0])


# --- what is connected to


@asynccontextmanager
async def plain_server(answer: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Answer every request on a port of its own; yields the port and what was received."""
    received: list[bytes] = []

    async def handle(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            received.append(await stream.receive())
            await stream.send(answer)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, handle)
        yield port_of(listener), received
        tasks.cancel_scope.cancel()


def port_of(listener: Any) -> int:
    return listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610 - anyio's, not Django's


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"


def answers(*lists: list[str]) -> tuple[Callable[[str, int], Awaitable[list[str]]], list[str]]:
    """Return a resolver that gives one list after another, and the names it was asked for."""
    asked: list[str] = []

    async def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return lists[len(asked) - 1]

    return resolve, asked


def client_of(policy: AddressPolicy, resolve: Any) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        transport=CheckedTransport(policy, most_connections=2, resolve=resolve)
    )


async def test_the_checked_address_is_the_connected_one_and_the_host_stays_that_of_the_url() -> (
    None
):
    resolve, asked = answers(["127.0.0.1"])
    async with plain_server(OK) as (port, received):
        url = f"http://flips.example:{port}/mcp"
        policy = AddressPolicy(url, (network_of("127.0.0.1"),))

        async with client_of(policy, resolve) as client:
            answer = await client.get(url)

    assert answer.text == "ok"
    assert asked == ["flips.example"]
    assert f"host: flips.example:{port}".encode() in received[0].lower()


async def test_a_name_whose_address_flips_is_checked_again_for_each_connection() -> None:
    resolve, asked = answers(["127.0.0.1"], ["127.0.0.2"])
    async with plain_server(OK) as (port, received):
        url = f"http://flips.example:{port}/mcp"
        policy = AddressPolicy(url, (network_of("127.0.0.1"),))

        async with client_of(policy, resolve) as client:
            await client.get(url)
            with pytest.raises(
                AddressNotAllowedError, match=r"flips\.example leads to 127\.0\.0\.2"
            ):
                await client.get(url)

    assert len(asked) == 2
    assert len(received) == 1


async def test_the_next_address_of_a_name_is_tried_when_one_does_not_answer() -> None:
    resolve, _asked = answers(["127.0.0.2", "127.0.0.1"])
    async with plain_server(OK) as (port, _received):
        url = f"http://two.example:{port}/mcp"

        async with client_of(AddressPolicy(url, (network_of("127.0.0.0/8"),)), resolve) as client:
            answer = await client.get(url)

    assert answer.text == "ok"


async def test_a_name_without_addresses_and_a_failed_lookup_are_connection_errors() -> None:
    async def fails(_host: str, _port: int) -> list[str]:
        raise OSError("no such name")

    resolve, _asked = answers([])
    for each in (fails, resolve):
        async with client_of(AddressPolicy("http://gone.example/"), each) as client:
            with pytest.raises(httpx2.ConnectError, match=r"gone\.example"):
                await client.get("http://gone.example/")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed_not_even_within_the_server(status: int) -> None:
    answer = f"HTTP/1.1 {status} Moved\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n".encode()
    resolve, _asked = answers()
    async with plain_server(answer) as (port, received):
        url = f"http://127.0.0.1:{port}/mcp"

        async with client_of(AddressPolicy(url), resolve) as client:
            with pytest.raises(RedirectRefusedError, match="redirects to /other"):
                await client.post(url, follow_redirects=True)

    assert len(received) == 1


async def test_tls_asks_for_the_name_of_the_url_and_checks_it_although_an_address_is_dialled(
    tmp_path: Path,
) -> None:
    names: list[str | None] = []
    context = server_context(tmp_path, names)
    resolve, _asked = answers(["127.0.0.1"])
    tcp = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with TLSListener(tcp, context) as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, close)
        port = port_of(tcp)
        url = f"https://named.example:{port}/"

        async with client_of(AddressPolicy(url, (network_of("127.0.0.1"),)), resolve) as client:
            with pytest.raises(httpx2.ConnectError, match="certificate"):
                await client.get(url)
        tasks.cancel_scope.cancel()

    assert names == ["named.example"]


async def close(stream: anyio.abc.ByteStream) -> None:
    await stream.aclose()


def server_context(folder: Path, names: list[str | None]) -> ssl.SSLContext:
    """Return a context with a certificate that nobody signed; it notes the names asked for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "named.example")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "both.pem").write_bytes(private + certificate.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    context.sni_callback = lambda _socket, asked, _context: names.append(asked)
    return context


# --- through the door


@asynccontextmanager
async def started(command: list[str], **options: Any) -> AsyncIterator[anyio.abc.Process]:
    process = await anyio.open_process(command, **options)
    try:
        yield process
    finally:
        process.terminate()
        with anyio.move_on_after(10):
            await process.wait()
        await process.aclose()


async def first_line(stream: Any) -> str:
    text = b""
    with anyio.fail_after(30):
        while b"\n" not in text:
            text += await stream.receive()
    return text.decode().splitlines()[0]


@pytest.fixture
async def echo_port() -> AsyncIterator[int]:
    async with started([sys.executable, str(HERE / "echo_server.py")], stderr=None) as process:
        yield int(await first_line(process.stdout))


@pytest.mark.slow
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
async def test_a_loopback_url_of_the_configuration_is_called(
    pool_of: PoolMaker, echo_port: int, host: str
) -> None:
    settings = UpstreamSettings(
        "remote", url=f"http://{host}:{echo_port}/mcp", headers={"Authorization": "Bearer ours"}
    )

    async with pool_of(settings) as pool:
        answer = await pool.call_tool("remote", "headers", {})

    assert answer.structured["headers"]["authorization"] == "Bearer ours"
    assert answer.structured["headers"]["host"] == f"{host}:{echo_port}"


@pytest.mark.slow
@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0177.0.0.1", "169.254.169.254", "[::]"])
async def test_odd_ways_to_this_machine_are_refused_with_the_reason(
    pool_of: PoolMaker, echo_port: int, host: str
) -> None:
    async with pool_of(UpstreamSettings("remote", url=f"http://{host}:{echo_port}/mcp")) as pool:
        with pytest.raises(UpstreamUnavailableError, match=r"which is|Invalid IPv4 address"):
            await pool.call_tool("remote", "headers", {})


async def test_a_redirecting_upstream_is_named_with_where_it_leads(pool_of: PoolMaker) -> None:
    answer = (
        b"HTTP/1.1 307 Moved\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n"
        b"connection: close\r\n\r\n"
    )
    async with plain_server(answer) as (port, _received):
        pool = pool_of(UpstreamSettings("remote", url=f"http://127.0.0.1:{port}/mcp"))
        async with pool:
            with pytest.raises(UpstreamUnavailableError) as caught:
                await pool.tool("remote", "headers")

    assert "it redirects to http://169.254.169.254/" in caught.value.message


@pytest.mark.slow
@pytest.mark.parametrize("entry", [{}, {"headers": {"Authorization": "Bearer ours"}}])
async def test_what_a_client_authorises_itself_with_never_travels_upstream(
    workspace: Path, echo_port: int, entry: dict[str, Any]
) -> None:
    url = f"http://127.0.0.1:{echo_port}/mcp"
    write_config(workspace, mcpServers={"remote": {"url": url, **entry}}, expose="all")
    serve = [*PODIUM, "serve", "--http", "--port", "0", "--workspace", str(workspace)]
    secret = {"Authorization": "Bearer inbound-secret", "Cookie": "session=inbound-secret"}

    async with started(serve, stdout=None) as process:
        address = (await first_line(process.stderr)).split()[-1]
        async with httpx2.AsyncClient(headers=secret) as inbound:
            transport = streamable_http_client(address, http_client=inbound)
            async with Client(transport) as client:
                through = await client.call_tool("remote__headers", {})
                by_name = await client.call_tool(
                    "call_tool", {"server_id": "remote", "tool_id": "headers"}
                )

    heard = json.dumps([through.structured_content, by_name.structured_content])
    assert "heard" in through.content[0].text
    assert "inbound-secret" not in heard
    assert ("Bearer ours" in heard) == bool(entry)
