"""Streamable HTTP as a pair of message streams, every failure told to the request it belongs to.

The SDK's transport ends the whole connection on a network error and hides the status of a refusal;
our client turns both into JSON-RPC errors, and reads no body beyond the bound.
"""

from collections.abc import AsyncIterator, Sequence
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
from podium.upstreams.addresses import AddressPolicy
from podium.upstreams.checked_http import (
    CheckedTransport,
    RedirectRefusedError,
    Resolve,
    look_up,
)
from podium.upstreams.oauth import (
    LoginNeededError,
    LoginSession,
    MoreRightsNeededError,
    scopes_missed,
)
from podium.upstreams.posts import Posts
from podium.upstreams.settings import UpstreamSettings

CONNECT_SECONDS = 10.0
SEND_SECONDS = 30.0
NOTIFY_SECONDS = 5.0  # for a server to take a notification
END_SESSION_SECONDS = 2.0  # for the goodbye to a server with sessions
SPARE_CONNECTIONS = 8  # beside the calls: listening, cancelling, ending
SESSION_HEADER = "mcp-session-id"
AUTHORIZATION = "authorization"
LONGEST_ERROR_BYTES = 65_536  # read of the body of a refusal

_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


class TooLargeError(Exception):
    """A body is longer than allowed."""


class TellingClient(httpx2.AsyncClient):
    """An HTTP client that answers a POST with a JSON-RPC error where the exchange failed."""

    def __init__(
        self,
        server_id: str,
        longest_body_bytes: int,
        login: LoginSession | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.background: anyio.abc.TaskGroup | None = None
        self._server_id = server_id
        self._longest = longest_body_bytes
        self._login = login

    @override
    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Send a request; a POST never raises for what is wrong with network or server."""
        if request.method == "DELETE":
            with anyio.fail_after(END_SESSION_SECONDS):
                return await self._sent_or_refused(request, **options)
        if request.method != "POST":
            return await self._sent_or_refused(request, **options)
        kind = sdk.kind_of_body(request.content)
        if kind == "request":
            return await self._told_send(request, **options)
        if kind == "cancellation" and self.background is not None:
            # The SDK posts notifications one after another; a server that hangs must not make
            # whoever gave up on it wait for that as well.
            self.background.start_soon(partial(self._notify, request, **options))
            return httpx2.Response(HTTPStatus.ACCEPTED, request=request)
        return await self._notify(request, **options)

    async def ask(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request whose answer is waited for; the body of a stream is left to be read."""
        return await self._told_send(request, stream=True)

    async def _notify(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        with anyio.move_on_after(NOTIFY_SECONDS):
            response = await self._told_send(request, **options)
            await response.aclose()
            return response
        return httpx2.Response(HTTPStatus.GATEWAY_TIMEOUT, request=request)

    async def _told_send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        try:
            return await self._checked(request, await self._sent(request, **options))
        except LoginNeededError as error:
            left_out = error.left_out if isinstance(error, MoreRightsNeededError) else ()
            return self._asks_for_login(request, str(error), left_out)
        except RedirectRefusedError as error:
            return _told(request, HTTPStatus.BAD_GATEWAY, sdk.HTTP_STATUS, str(error))
        except httpx2.TransportError as error:
            code = sdk.UNREACHABLE if isinstance(error, _NOT_SENT) else sdk.CLOSED
            return _told(request, HTTPStatus.BAD_GATEWAY, code, str(error) or type(error).__name__)
        except TooLargeError as error:
            return _told(request, HTTPStatus.BAD_GATEWAY, sdk.TOO_LARGE, str(error))
        except httpx2.DecodingError as error:
            text = f"its answer is not as it says: {error}"
            return _told(request, HTTPStatus.BAD_GATEWAY, sdk.BAD_MESSAGE, text)

    async def _sent(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Send a request with the login, if there is one; a refused token is replaced once."""
        if self._login is None:
            return await super().send(request, **options)
        token = await self._login.token()
        response = await self._sent_with(token, request, **options)
        missed = scopes_missed(response)
        if response.status_code != HTTPStatus.UNAUTHORIZED and not missed:
            return response
        await response.aclose()
        if not missed:
            another = await self._login.token_instead_of(token)
        elif (found := await self._login.token_allowing(missed, token)) is not None:
            another = found
        else:
            return httpx2.Response(response.status_code, request=request)
        response = await self._sent_with(another, request, **options)
        if response.status_code != HTTPStatus.UNAUTHORIZED:
            return response
        await response.aclose()
        raise LoginNeededError("it refuses the login, although that was just renewed")

    async def _sent_with(
        self, token: str, request: httpx2.Request, **options: Any
    ) -> httpx2.Response:
        request.headers[AUTHORIZATION] = f"Bearer {token}"
        return await super().send(request, **options)

    async def _sent_or_refused(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        try:
            return await self._sent(request, **options)
        except LoginNeededError:
            return httpx2.Response(HTTPStatus.UNAUTHORIZED, request=request)

    def _asks_for_login(
        self, request: httpx2.Request, reason: str, left_out: Sequence[str] = ()
    ) -> httpx2.Response:
        command = f"podium login {self._server_id}"
        hint = f"log in: {command}"
        if left_out:
            hint = (
                f"if that is right, add them to `oauth.scopes` of mcpServers.{self._server_id} in "
                f"config.yaml, then log in again: {command}"
            )
        if self._login is None:
            hint = (
                f"if it wants OAuth, add `oauth: {{}}` to mcpServers.{self._server_id} in "
                f"config.yaml, then: {command}; else give credentials in `headers`"
            )
        status = HTTPStatus.UNAUTHORIZED
        told = f"{reason} ({command})"
        return _told(request, status, sdk.LOGIN_REQUIRED, told, {"hint": hint})

    async def _checked(self, request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        is_json = response.headers.get("content-type", "").lower().startswith("application/json")
        is_refusal = response.status_code >= HTTPStatus.BAD_REQUEST
        if response.status_code == HTTPStatus.UNAUTHORIZED and AUTHORIZATION not in request.headers:
            await response.aclose()
            return self._asks_for_login(request, "it wants a login")
        if not (is_json or is_refusal):
            return response  # a stream of events, each bounded, or nothing to read
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
async def open_http(
    settings: UpstreamSettings, resolve: Resolve = look_up
) -> AsyncIterator[tuple[Any, Any, Posts]]:
    """Yield the ways to a streamable HTTP upstream; it is connected to with the first message.

    They are the stream to read, the stream to write, and the short way of modern calls.

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
    policy = AddressPolicy(settings.url or "", settings.allow_addresses)
    connections = settings.concurrent_calls + SPARE_CONNECTIONS
    login = None
    if settings.oauth is not None and settings.tokens is not None:
        login = LoginSession(
            settings.server_id,
            policy,
            settings.tokens,
            has_fixed_scopes=bool(settings.oauth.scopes),
            resolve=resolve,
        )
    client = TellingClient(
        settings.server_id,
        settings.result_bytes,
        login,
        headers=headers,
        timeout=timeout,
        transport=CheckedTransport(policy, most_connections=connections, resolve=resolve),
    )
    url, longest = settings.url or "", settings.result_bytes
    posts = Posts(url, client, client.ask, longest)
    async with client, anyio.create_task_group() as client.background:
        async with sdk.http_streams(url, client, longest) as (read, write):
            yield read, write, posts
        client.background.cancel_scope.cancel()
