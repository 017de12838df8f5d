"""HTTP connections to checked addresses only: looked up once, judged, connected to; no redirects.

The name is looked up for each new connection, and the address that was judged is the one connected
to, so that a name whose records change in between leads nowhere else. The `Host` header and the
name in TLS stay those of the URL. A proxy of the environment is not used: it would look up the name
again, out of our sight.
"""

import select
import socket
import ssl
import sys
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from types import TracebackType
from typing import Any, Self, cast

import anyio
import httpcore2
import httpx2
from typing_extensions import override

from podium.upstreams.addresses import AddressPolicy, AddressRefusedError, literal
from podium.upstreams.words import words_of

KEEP_ALIVE_SECONDS = 30.0  # of an idle connection
SHORTEST_ATTEMPT_SECONDS = 2.0  # for one address of several
MOST_KEPT_BYTES = 65_536  # of a request before it is sent
MOST_ADDRESSES = 8  # of one name that are tried

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Looks up the addresses of a name; may raise OSError."""


class AddressNotAllowedError(httpx2.ConnectError):
    """The address behind a URL is not one that may be connected to; nothing was sent."""


class RedirectRefusedError(httpx2.TransportError):
    """The server answered with a redirect, and where to."""


async def look_up(host: str, port: int) -> list[str]:
    """Return the addresses of a name as the system knows them, in the order to try them."""
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class CheckedTransport(httpx2.AsyncBaseTransport):
    """The HTTP/1.1 transport of a client whose every connection obeys an address policy."""

    def __init__(
        self,
        policy: AddressPolicy,
        *,
        most_connections: int,
        resolve: Resolve = look_up,
        longest_body_bytes: int | None = None,
    ) -> None:
        self._longest = longest_body_bytes
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=httpx2.create_ssl_context(),
            max_connections=most_connections,
            max_keepalive_connections=most_connections,
            keepalive_expiry=KEEP_ALIVE_SECONDS,
            network_backend=_CheckedNetwork(policy, resolve),
        )

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request; a redirect is an error that says where it leads."""
        asked = httpcore2.Request(
            method=request.method,
            url=httpcore2.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=cast("AsyncIterable[bytes]", request.stream),
            extensions=request.extensions,
        )
        with _errors_of_httpx():
            answer = await self._pool.handle_async_request(asked)
        response = httpx2.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_Body(cast("AsyncIterable[bytes]", answer.stream), self._longest),
            extensions=answer.extensions,
        )
        if response.has_redirect_location:
            await response.aclose()
            where = words_of(response.headers["location"], 200)
            raise RedirectRefusedError(
                f"it redirects to {where}, and redirects are not followed; if that is right, put "
                "that address into `url`"
            )
        return response

    @override
    async def aclose(self) -> None:
        await self._pool.aclose()

    @override
    async def __aenter__(self) -> Self:
        await self._pool.__aenter__()
        return self

    @override
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self._pool.__aexit__(exc_type, exc_value, traceback)


class _CheckedNetwork(httpcore2.AsyncNetworkBackend):
    """Connects to the addresses that were judged, one after another."""

    def __init__(self, policy: AddressPolicy, resolve: Resolve) -> None:
        self._policy = policy
        self._resolve = resolve
        self._network = httpcore2.AnyIOBackend()

    @override
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        addresses = await self._addresses(host, port, timeout)
        share = max(SHORTEST_ATTEMPT_SECONDS, timeout / max(1, len(addresses))) if timeout else None
        failure: Exception = httpcore2.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                return _Gathering(
                    await self._network.connect_tcp(
                        address, port, share, local_address, socket_options
                    )
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    async def _addresses(self, host: str, port: int, timeout: float | None) -> list[str]:
        try:
            with anyio.fail_after(timeout):
                found = [host] if literal(host) else await self._resolve(host, port)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout(f"the name {host} was not looked up in time") from error
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(f"the name {host} cannot be looked up: {error}") from error
        try:
            return self._policy.check(host, found)[:MOST_ADDRESSES]
        except AddressRefusedError as error:
            raise AddressNotAllowedError(
                f"{error}; `allow_addresses` of the server in config.yaml can allow it"
            ) from error


class _Gathering(httpcore2.AsyncNetworkStream):
    """A connection that keeps what is written until it is read from, or until it is much.

    The library writes head and body of a request one after the other; so they leave in one packet.
    """

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream
        self._kept = b""
        self._timeout: float | None = None

    @override
    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._kept += buffer
        self._timeout = timeout
        if len(self._kept) > MOST_KEPT_BYTES:
            await self._leave()

    async def _leave(self) -> None:
        kept, self._kept = self._kept, b""
        await self._stream.write(kept, self._timeout)

    @override
    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._kept:
            # A server may answer, and close, before it has read all: that answer counts.
            with suppress(httpcore2.WriteError):
                await self._leave()
        return await self._stream.read(max_bytes, timeout)

    @override
    async def aclose(self) -> None:
        await self._stream.aclose()

    @override
    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        return _Gathering(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    @override
    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable" and sys.platform != "win32":
            return self._is_readable()
        return self._stream.get_extra_info(info)

    def _is_readable(self) -> bool:
        """Whether something has come, or the connection has gone.

        The pool asks that of every idle connection with every request, and the library's own answer
        is a tenth of the cost of a call: it first collects all that can be known of the socket.
        """
        asked, poll = self._asked
        return asked.fileno() < 0 or bool(poll.poll(0))

    @cached_property
    def _asked(self) -> tuple[Any, Any]:
        asked, poll = self._stream.get_extra_info("socket"), select.poll()
        poll.register(asked.fileno(), select.POLLIN)
        return asked, poll


class _Body(httpx2.AsyncByteStream):
    """The body of an answer, cut off with an error when it is longer than allowed."""

    def __init__(self, parts: AsyncIterable[bytes], longest: int | None) -> None:
        self._parts = parts
        self._longest = longest

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        with _errors_of_httpx():
            async for part in self._parts:
                size += len(part)
                if self._longest is not None and size > self._longest:
                    raise httpx2.ReadError(f"its answer is longer than {self._longest:,} bytes")
                yield part

    @override
    async def aclose(self) -> None:
        closing: Any = getattr(self._parts, "aclose", None)
        if closing is not None:
            await closing()


@contextmanager
def _errors_of_httpx() -> Iterator[None]:
    """Turn the errors of the lower library into those of the upper, which have the same names."""
    try:
        yield
    except _OF_HTTPCORE as error:
        kinds = (getattr(httpx2, kind.__name__, None) for kind in type(error).__mro__)
        known = next(kind for kind in kinds if kind is not None)
        raise known(str(error)) from error


_OF_HTTPCORE = (
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.UnsupportedProtocol,
)
