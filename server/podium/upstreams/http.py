"""Streamable HTTP as a pair of message streams, every failure told to the request it belongs to.

The SDK's transport ends the whole connection on a network error and hides the status of a refusal;
our client turns both into JSON-RPC errors, and reads no body beyond the bound.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import Any

import anyio
import anyio.abc
import httpx2
from typing_extensions import override

from podium.domain.errors import UpstreamUnavailableError
from podium.upstreams import sdk
from podium.upstreams.settings import UpstreamSettings

CONNECT_SECONDS = 10.0
SEND_SECONDS = 30.0
NOTIFY_SECONDS = 5.0  # for a server to take a notification
END_SESSION_SECONDS = 2.0  # for the goodbye to a server with sessions
SPARE_CONNECTIONS = 8  # beside the calls: listening, cancelling, ending
SESSION_HEADER = "mcp-session-id"
LONGEST_ERROR_BYTES = 65_536  # read of the body of a refusal

_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


class TooLargeError(Exception):
    """A body is longer than allowed."""


class TellingClient(httpx2.AsyncClient):
    """An HTTP client that answers a POST with a JSON-RPC error where the exchange failed."""

    def __init__(self, longest_body_bytes: int, **options: Any) -> None:
        super().__init__(**options)
        self.background: anyio.abc.TaskGroup | None = None
        self._longest = longest_body_bytes

    @override
    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Send a request; a POST never raises for what is wrong with network or server."""
        if request.method == "DELETE":
            with anyio.fail_after(END_SESSION_SECONDS):
                return await super().send(request, **options)
        if request.method != "POST":
            return await super().send(request, **options)
        kind = sdk.kind_of_body(request.content)
        if kind == "request":
            return await self._told_send(request, **options)
        if kind == "cancellation" and self.background is not None:
            # The SDK posts notifications one after another; a server that hangs must not make
            # whoever gave up on it wait for that as well.
            self.background.start_soon(partial(self._notify, request, **options))
            return httpx2.Response(HTTPStatus.ACCEPTED, request=request)
        return await self._notify(request, **options)

    async def _notify(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        with anyio.move_on_after(NOTIFY_SECONDS):
            response = await self._told_send(request, **options)
            await response.aclose()
            return response
        return httpx2.Response(HTTPStatus.GATEWAY_TIMEOUT, request=request)

    async def _told_send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        try:
            return await self._checked(request, await super().send(request, **options))
        except httpx2.TransportError as error:
            code = sdk.UNREACHABLE if isinstance(error, _NOT_SENT) else sdk.CLOSED
            return _told(request, HTTPStatus.BAD_GATEWAY, code, str(error) or type(error).__name__)
        except TooLargeError as error:
            return _told(request, HTTPStatus.BAD_GATEWAY, sdk.TOO_LARGE, str(error))

    async def _checked(self, request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        is_json = response.headers.get("content-type", "").lower().startswith("application/json")
        is_refusal = response.status_code >= HTTPStatus.BAD_REQUEST
        if response.next_request is not None or not (is_json or is_refusal):
            return response  # a redirect, or a stream of events, each bounded, or nothing to read
        bound = min(self._longest, LONGEST_ERROR_BYTES) if is_refusal else self._longest
        try:
            body = await _bounded_body(response, bound)
        except TooLargeError:
            if not is_refusal:
                raise
            body = b""
        finally:
            await response.aclose()
        if response.status_code == HTTPStatus.NOT_FOUND and SESSION_HEADER in request.headers:
            text = "the server no longer knows the session"
            return _told(request, response.status_code, sdk.SESSION_LOST, text)
        if is_refusal and not (is_json and sdk.is_error_body(body)):
            status, phrase = response.status_code, response.reason_phrase
            text = f"HTTP {status} {phrase}".rstrip()
            return _told(request, status, sdk.HTTP_STATUS, text, {"status": status})
        kept = {
            name: value
            for name, value in response.headers.items()
            if name in ("content-type", SESSION_HEADER)
        }
        return httpx2.Response(response.status_code, headers=kept, content=body, request=request)


async def _bounded_body(response: httpx2.Response, longest: int) -> bytes:
    parts, size = [], 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > longest:
            raise TooLargeError(f"its answer is longer than {longest:,} bytes")
        parts.append(part)
    return b"".join(parts)


def _told(
    request: httpx2.Request, status: int, code: int, message: str, data: Any = None
) -> httpx2.Response:
    return httpx2.Response(
        status,
        headers={"content-type": "application/json"},
        content=sdk.http_error_body(code, message, data),
        request=request,
    )


@asynccontextmanager
async def open_http(settings: UpstreamSettings) -> AsyncIterator[tuple[Any, Any]]:
    """Yield the read and write stream of a streamable HTTP upstream; connects with the first send.

    Calls have time limits of their own and a stream of events may be silent for long, so reading
    has none here.

    Raises:
        UpstreamUnavailableError: the address or a header is malformed.

    """
    try:
        httpx2.URL(settings.url or "")
        headers = httpx2.Headers(dict(settings.headers))
    except (httpx2.InvalidURL, UnicodeEncodeError) as error:
        raise UpstreamUnavailableError(
            f"its address or headers cannot be used: {error}",
            hint="correct `url` and `headers` in config.yaml",
            retryable=False,
            sent=False,
        ) from error
    timeout = httpx2.Timeout(SEND_SECONDS, connect=CONNECT_SECONDS, read=None)
    connections = settings.concurrent_calls + SPARE_CONNECTIONS
    client = TellingClient(
        settings.result_bytes,
        headers=headers,
        timeout=timeout,
        limits=httpx2.Limits(max_connections=connections),
    )
    async with client, anyio.create_task_group() as client.background:
        async with sdk.http_streams(settings.url or "", client, settings.result_bytes) as streams:
            yield streams
        client.background.cancel_scope.cancel()
