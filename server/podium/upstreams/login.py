"""One login with OAuth: a person's consent in a browser becomes tokens that are kept.

The SDK's provider does the protocol (discovery, registration, PKCE, issuer checks); here are the
address to show, the listener that the browser is sent back to, and the bounds.
"""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from http import HTTPStatus
from secrets import compare_digest
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import anyio
import anyio.abc
import httpx2
from mcp.client.auth import OAuthClientProvider, OAuthFlowError
from mcp.client.auth.utils import (
    build_protected_resource_metadata_discovery_urls,
    handle_protected_resource_response,
    union_scopes,
)
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)
from pydantic import AnyUrl
from typing_extensions import override

from podium.domain.errors import CannotListenError, LoginFailedError
from podium.domain.ports import Tokens
from podium.domain.relay import Message
from podium.upstreams import sdk
from podium.upstreams.addresses import AddressPolicy
from podium.upstreams.era import CLIENT
from podium.upstreams.oauth import Login, authorization_client, checked_endpoint
from podium.upstreams.sdk import LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION
from podium.upstreams.settings import OAuthSettings, UpstreamSettings
from podium.upstreams.words import words_of

LOGIN_SECONDS = 300.0  # for a person to find the password
LOOPBACK = "127.0.0.1"
CALLBACK = "/callback"
LONGEST_REQUEST_BYTES = 16_384  # of the browser that comes back
REQUEST_SECONDS = 5.0

Show = Callable[[str], Awaitable[None]]
"""Shows the address at which a person gives consent."""

_ACCEPT = {"Accept": "application/json, text/event-stream"}
_HANDSHAKE: Message = {
    "protocolVersion": LATEST_HANDSHAKE_VERSION,
    "capabilities": {},
    "clientInfo": CLIENT,
}


async def log_in(
    settings: UpstreamSettings, tokens: Tokens, show: Show, *, seconds: float = LOGIN_SECONDS
) -> Login:
    """Have a person log in to an upstream, and keep what that brings.

    Raises:
        LoginFailedError: it was not completed, and why.
        CannotListenError: the configured port for the way back is taken.

    """
    oauth = settings.oauth or OAuthSettings()
    scopes = " ".join(oauth.scopes) or await _missed_scopes(settings, tokens)
    listener = await _listener(oauth.redirect_port)
    returning = _Returning(listener.extra(anyio.abc.SocketAttribute.local_port))  # noqa: S610
    outcome: Login | LoginFailedError = LoginFailedError(
        f"nobody completed the login to '{settings.server_id}' within {seconds:g} s",
        hint=f"try again: podium login {settings.server_id}",
    )
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, returning.serve)
        with anyio.move_on_after(seconds):
            outcome = await _outcome(settings, oauth, returning, show, scopes)
        tasks.cancel_scope.cancel()
    if isinstance(outcome, LoginFailedError):
        raise outcome
    try:
        async with tokens.locked(settings.server_id):  # somebody may be renewing the one before
            tokens.save(settings.server_id, outcome.model_dump())
    except OSError as error:
        raise LoginFailedError(
            f"the login to '{settings.server_id}' cannot be kept: {error.strerror or error}",
            hint="check `.podium/tokens/` in the workspace: rights, space",
        ) from error
    return outcome


async def _missed_scopes(settings: UpstreamSettings, tokens: Tokens) -> str | None:
    """Return the scopes of the login before with those that were missed since, if any were.

    They are asked for once: a server that refuses to give them must not make every login fail.
    """
    before = _kept(settings, tokens)
    if before is None or before.wanted is None:
        return None
    with suppress(OSError):  # the login that follows says so if nothing can be kept
        async with tokens.locked(settings.server_id):  # somebody may be renewing it
            before = _kept(settings, tokens) or before
            without = before.model_copy(update={"wanted": None})
            tokens.save(settings.server_id, without.model_dump())
    return union_scopes(before.scope, before.wanted)


def _kept(settings: UpstreamSettings, tokens: Tokens) -> Login | None:
    return Login.of(tokens.load(settings.server_id), settings.url or "")


async def _outcome(
    settings: UpstreamSettings,
    oauth: OAuthSettings,
    returning: "_Returning",
    show: Show,
    scopes: str | None,
) -> Login | LoginFailedError:
    """Return what came of a login; an error that is raised would leave wrapped in a group."""
    policy = AddressPolicy(settings.url or "", settings.allow_addresses)
    try:
        provider = _provider(settings, oauth, policy, returning, show, scopes)
        status = await _let_in(settings, policy, provider)
        if provider.context.current_tokens is None:
            return LoginFailedError(
                f"'{settings.server_id}' asked for no login: HTTP {status}",
                hint="if it lets Podium in like that, remove `oauth` from its entry",
            )
        return _login_of(provider, settings.url or "")
    except _FAULTS as error:
        return LoginFailedError(
            f"the login to '{settings.server_id}' failed: {words_of(str(error))}",
            hint="check `url` and `oauth` in config.yaml, then try again",
        )


_FAULTS = (OAuthFlowError, httpx2.HTTPError, httpx2.InvalidURL, ValueError)


async def _listener(port: int) -> anyio.abc.Listener[anyio.abc.SocketStream]:
    try:
        return await anyio.create_tcp_listener(local_host=LOOPBACK, local_port=port)
    except OSError as error:
        raise CannotListenError(
            f"port {port} of {LOOPBACK}, where the browser should come back, is taken",
            hint="choose another `oauth.redirect_port`, or leave it out",
        ) from error


async def _let_in(
    settings: UpstreamSettings, policy: AddressPolicy, provider: OAuthClientProvider
) -> int:
    """Ask the upstream for something; its refusal is what sets the login going.

    Some let a handshake in and refuse what follows, so the list of tools comes first. Some refuse
    calls only; these say where one logs in to whoever asks for that.
    """
    url = checked_endpoint(settings.url or "", policy)
    listing = sdk.modern_envelope("tools/list", {}, LATEST_MODERN_VERSION, CLIENT)
    async with authorization_client(policy) as client:

        async def ask(
            method: str, params: Message, headers: Mapping[str, str], auth: httpx2.Auth
        ) -> int:
            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            headers = {**settings.headers, **_ACCEPT, **headers}
            async with client.stream("POST", url, json=body, headers=headers, auth=auth) as answer:
                return answer.status_code

        status = await ask("tools/list", *listing, provider)
        if provider.context.current_tokens is None:
            status = await ask("initialize", _HANDSHAKE, {}, provider)
        if provider.context.current_tokens is None and await _says_where(client, url):
            status = await ask("tools/list", *listing, _AsIfRefused(provider))
    return status


async def _says_where(client: httpx2.AsyncClient, url: str) -> bool:
    """Whether the upstream publishes which authorization server lets one in."""
    for place in build_protected_resource_metadata_discovery_urls(None, url):
        with suppress(httpx2.TransportError):
            if await handle_protected_resource_response(await client.get(place)) is not None:
                return True
    return False


class _AsIfRefused(httpx2.Auth):
    """Logs in for a request as if it had been refused; it is sent with the login only."""

    requires_response_body = True

    def __init__(self, provider: OAuthClientProvider) -> None:
        self._provider = provider

    @override
    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        async with aclosing(self._provider.async_auth_flow(request)) as flow:
            await anext(flow)
            answer = httpx2.Response(HTTPStatus.UNAUTHORIZED, request=request)
            with suppress(StopAsyncIteration):
                while True:
                    answer = yield await flow.asend(answer)


def _provider(
    settings: UpstreamSettings,
    oauth: OAuthSettings,
    policy: AddressPolicy,
    returning: "_Returning",
    show: Show,
    scopes: str | None,
) -> OAuthClientProvider:
    async def lead_there(address: str) -> None:
        returning.expect(parse_qs(urlsplit(address).query)["state"][0])
        await show(checked_endpoint(address, policy))

    redirect = AnyUrl(returning.url)
    metadata = _FixedScopes if oauth.scopes else _AddedScopes
    return OAuthClientProvider(
        settings.url or "",
        metadata(
            client_name="Podium",
            redirect_uris=[redirect],
            scope=scopes,
            token_endpoint_auth_method="none",  # noqa: S106 - no password, the name of a method
        ),
        _Memory(_configured_client(oauth, redirect)),
        redirect_handler=lead_there,
        callback_handler=returning.result,
        client_metadata_url=oauth.client_metadata_url,
    )


def _configured_client(oauth: OAuthSettings, redirect: AnyUrl) -> OAuthClientInformationFull | None:
    if oauth.client_id is None:
        return None
    return OAuthClientInformationFull(
        client_id=oauth.client_id,
        client_secret=oauth.client_secret,
        redirect_uris=[redirect],
        token_endpoint_auth_method="client_secret_basic" if oauth.client_secret else "none",
    )


class _FixedScopes(OAuthClientMetadata):
    """What Podium says of itself; configured scopes are not replaced by what a server suggests."""

    @override
    def __setattr__(self, name: str, value: Any) -> None:
        if name != "scope":
            super().__setattr__(name, value)


class _AddedScopes(OAuthClientMetadata):
    """What Podium says of itself; what a server suggests is added to the scopes there were."""

    @override
    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, union_scopes(self.scope, value) if name == "scope" else value)


class _Memory:
    """The SDK's token storage for the time of one login, which always begins afresh."""

    def __init__(self, client: OAuthClientInformationFull | None) -> None:
        self._client = client

    async def get_tokens(self) -> OAuthToken | None:
        return None

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """Let them be: the provider's context holds them."""

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self._client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Let it be: the provider's context holds it."""


def _login_of(provider: OAuthClientProvider, url: str) -> Login:
    context = provider.context
    tokens, client, metadata = context.current_tokens, context.client_info, context.oauth_metadata
    if tokens is None or client is None or client.client_id is None:
        raise ValueError("the server gave no tokens")
    origin = context.get_authorization_base_url(url)
    return Login(
        url=url,
        token_endpoint=str(metadata.token_endpoint) if metadata else urljoin(origin, "/token"),
        client_id=client.client_id,
        client_secret=client.client_secret,
        auth_method=client.token_endpoint_auth_method,
        resource=(
            context.get_resource_url()
            if context.should_include_resource_param(context.protocol_version)
            else None
        ),
        access_token=tokens.access_token,
    ).renewed(tokens, time.time())


# --- the way back


class _Returning:
    """Waits for the browser that comes back with the state that it was sent away with."""

    def __init__(self, port: int) -> None:
        self.url = f"http://{LOOPBACK}:{port}{CALLBACK}"
        self._host = f"{LOOPBACK}:{port}"
        self._state = ""
        self._query: dict[str, str] = {}
        self._came = anyio.Event()

    def expect(self, state: str) -> None:
        """Note the state; whoever comes without it is somebody else."""
        self._state = state

    async def result(self) -> AuthorizationCodeResult:
        """Return what the authorization server gave the browser to bring back.

        Raises:
            OAuthFlowError: it refused, in its words.

        """
        await self._came.wait()
        query = self._query
        if "code" not in query:
            told = ": ".join(
                query[name] for name in ("error", "error_description") if name in query
            )
            raise OAuthFlowError(f"consent was not given ({words_of(told) or 'no code came back'})")
        return AuthorizationCodeResult(
            code=query["code"], state=query.get("state"), iss=query.get("iss")
        )

    async def serve(self, stream: anyio.abc.ByteStream) -> None:
        """Answer one connection; only the browser that is waited for ends the wait."""
        async with stream:
            with anyio.move_on_after(REQUEST_SECONDS):
                try:
                    request = await _head(stream)
                    is_it = self._takes(request)
                    await stream.send(_page(is_it=is_it))
                except (anyio.EndOfStream, anyio.BrokenResourceError):
                    return

    def _takes(self, request: str) -> bool:
        lines = request.split("\r\n")
        method, _, rest = lines[0].partition(" ")
        target = urlsplit(rest.partition(" ")[0])
        hosts = [line.partition(":")[2].strip() for line in lines if line[:5].lower() == "host:"]
        query = {name: values[0] for name, values in parse_qs(target.query).items()}
        is_ours = method == "GET" and target.path == CALLBACK and hosts == [self._host]
        state = query.get("state", "")
        if not (is_ours and self._state and compare_digest(state.encode(), self._state.encode())):
            return False
        if not self._came.is_set():
            self._query = query
            self._came.set()
        return True


async def _head(stream: anyio.abc.ByteStream) -> str:
    """Return the head of a request; a longer one is cut, and is then none of ours."""
    head = b""
    while b"\r\n\r\n" not in head and len(head) < LONGEST_REQUEST_BYTES:
        head += await stream.receive()
    return head.partition(b"\r\n\r\n")[0].decode("latin-1")


def _page(*, is_it: bool) -> bytes:
    text = "Done. You may close this window." if is_it else "Nobody waits for this."
    status = "200 OK" if is_it else "400 Bad Request"
    head = (
        f"HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\n"
        f"content-length: {len(text)}\r\nconnection: close\r\ncache-control: no-store\r\n"
        "referrer-policy: no-referrer\r\n\r\n"
    )
    return (head + text).encode()
