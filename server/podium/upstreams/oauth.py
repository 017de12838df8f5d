"""The login of one upstream as its requests use it: a token, renewed when it has run out.

The SDK's provider makes the login (`login`), but does not renew it: it forgets where and when to
once the process ends, takes any refused token for a reason to ask a person again, and knows nothing
of other processes, which a server that replaces the refresh token at each use would lock out.
"""

import base64
import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import quote, urlsplit

import anyio
import httpx2
from mcp.client.auth.utils import (
    extract_field_from_www_auth,
    extract_scope_from_www_auth,
    union_scopes,
)
from mcp.shared.auth import OAuthToken
from pydantic import BaseModel, ConfigDict, ValidationError

from podium.domain.ports import Tokens
from podium.upstreams.addresses import AddressPolicy, is_loopback_host
from podium.upstreams.checked_http import CheckedTransport, Resolve, look_up
from podium.upstreams.words import words_of

EARLY_SECONDS = 2.0  # before its end a token is renewed: a call takes some time to arrive
ANSWER_SECONDS = 20.0  # for an authorization server, at each step of a login
RENEWAL_SECONDS = 8.0  # during which a renewal cannot be cancelled
LONGEST_ANSWER_BYTES = 1024 * 1024  # of an authorization server
CONNECTIONS = 4
MOST_SCOPES = 50  # that one refusal may name
INSUFFICIENT_SCOPE = "insufficient_scope"

_SCOPE = re.compile(r"[!#-\[\]-~]{1,200}")  # what the standard lets a scope consist of

_logger = logging.getLogger(__name__)


class LoginNeededError(Exception):
    """Why a person has to log in, or to log in again."""


class MoreRightsNeededError(LoginNeededError):
    """The login lacks scopes; those that the configuration leaves out have to be added there."""

    def __init__(self, scopes: Sequence[str], *, are_left_out: bool) -> None:
        named = " ".join(scopes)
        super().__init__(f"it wants rights that the login does not have: {named}")
        self.left_out = tuple(scopes) if are_left_out else ()


class Login(BaseModel):
    """What is kept of a login; it is good for this `url` only."""

    model_config = ConfigDict(frozen=True, strict=True)

    url: str
    token_endpoint: str
    client_id: str
    access_token: str
    client_secret: str | None = None
    auth_method: str | None = None
    resource: str | None = None
    scope: str | None = None
    refresh_token: str | None = None
    expires_at: float | None = None
    wanted: str | None = None  # scopes that the upstream missed, for the next login

    @classmethod
    def of(cls, kept: Mapping[str, Any] | None, url: str) -> Self | None:
        """Return the login that was kept for a URL, if it can be used."""
        try:
            login = cls.model_validate(kept)
        except ValidationError:
            return None
        return login if login.url == url else None

    def renewed(self, token: OAuthToken, now: float) -> Self:
        """Return the login with fresh tokens; what a server leaves out stays as it was."""
        fresh = {
            "access_token": token.access_token,
            "refresh_token": token.refresh_token or self.refresh_token,
            "scope": token.scope or self.scope,
            "expires_at": None if token.expires_in is None else now + token.expires_in,
        }
        return self.model_copy(update=fresh)

    def lacking(self, scopes: Iterable[str]) -> list[str]:
        """Return those of the scopes that the login was not given."""
        given = (self.scope or "").split()
        return [scope for scope in scopes if scope not in given]

    def wanting(self, scopes: Iterable[str]) -> Self:
        """Return the login with scopes that the next one is to ask for as well."""
        wanted = union_scopes(self.wanted, " ".join(scopes)) or ""
        latest = wanted.split()[-MOST_SCOPES:]
        return self.model_copy(update={"wanted": " ".join(latest)})

    def has_run_out(self, now: float) -> bool:
        """Whether the access token is no longer good."""
        return self.expires_at is not None and now > self.expires_at - EARLY_SECONDS


def checked_endpoint(url: str, policy: AddressPolicy) -> str:
    """Return an address of an authorization server, if a secret may be sent there.

    Raises:
        ValueError: it is neither https nor on loopback like the upstream itself.

    """
    parts = urlsplit(url)
    is_local = parts.scheme == "http" and is_loopback_host(parts.hostname or "")
    if parts.hostname and (parts.scheme == "https" or (is_local and policy.is_local)):
        return url
    raise ValueError(f"{words_of(url, 200)} is no https address")


def authorization_client(
    policy: AddressPolicy, *, resolve: Resolve = look_up, auth: httpx2.Auth | None = None
) -> httpx2.AsyncClient:
    """Return a client for authorization servers: checked addresses, bounded answers."""

    async def check(request: httpx2.Request) -> None:
        checked_endpoint(str(request.url), policy)

    return httpx2.AsyncClient(
        auth=auth,
        timeout=ANSWER_SECONDS,
        event_hooks={"request": [check]},
        transport=CheckedTransport(
            policy,
            most_connections=CONNECTIONS,
            resolve=resolve,
            longest_body_bytes=LONGEST_ANSWER_BYTES,
        ),
    )


def scopes_missed(response: httpx2.Response) -> tuple[str, ...]:
    """Return the scopes for want of which a request was refused, if the refusal names any."""
    if response.status_code != HTTPStatus.FORBIDDEN:
        return ()
    if extract_field_from_www_auth(response, "error") != INSUFFICIENT_SCOPE:
        return ()
    named = (extract_scope_from_www_auth(response) or "").split()
    fit = (scope for scope in named if _SCOPE.fullmatch(scope))
    return tuple(dict.fromkeys(fit))[:MOST_SCOPES]


class LoginSession:
    """The access token of one upstream at each moment, shared with other processes by `tokens`."""

    def __init__(
        self,
        server_id: str,
        policy: AddressPolicy,
        tokens: Tokens,
        *,
        has_fixed_scopes: bool = False,
        resolve: Resolve = look_up,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._has_fixed_scopes = has_fixed_scopes
        self._server_id = server_id
        self._policy = policy
        self._tokens = tokens
        self._resolve = resolve
        self._now = now
        self._login: Login | None = None

    async def token(self) -> str:
        """Return an access token that should be good.

        Raises:
            LoginNeededError: there is none, and none to be had without a person.
            httpx2.TransportError: the authorization server cannot be reached.

        """
        login = self._login
        if login is None or login.has_run_out(self._now()):
            login = await self._renewed(None)
        return login.access_token

    async def token_instead_of(self, refused: str) -> str:
        """Return another access token than one that the upstream has refused; raises as `token`."""
        return (await self._renewed(refused)).access_token

    async def token_allowing(self, scopes: Sequence[str], refused: str) -> str | None:
        """Return another access token than one that did not allow enough, None if there is none.

        There is one if somebody has logged in again since. Else the next login is to ask for what
        is missing; one that was given all of it already would only be repeated in vain.

        Raises:
            MoreRightsNeededError: another login may bring those scopes.
            LoginNeededError, httpx2.TransportError: as for `token`.

        """
        login = self._kept()
        if login.access_token != refused:
            return await self.token_instead_of(refused)
        missing = login.lacking(scopes)
        if not missing:
            return None
        if not self._has_fixed_scopes:
            await self._note(missing)
        raise MoreRightsNeededError(missing, are_left_out=self._has_fixed_scopes)

    async def _note(self, missing: Sequence[str]) -> None:
        try:
            async with self._tokens.locked(self._server_id):
                login = self._kept().wanting(missing)
                self._tokens.save(self._server_id, login.model_dump())
        except OSError as error:
            _logger.warning("what the login of '%s' lacks is lost: %s", self._server_id, error)

    async def _renewed(self, refused: str | None) -> Login:
        kept = self._usable(self._kept(), refused)
        if kept is None:
            async with self._tokens.locked(self._server_id):
                login = self._kept()  # another process may have been quicker
                kept = self._usable(login, refused)
                if kept is None:
                    kept = await self._renewed_for_good(login)
        self._login = kept
        return kept

    async def _renewed_for_good(self, login: Login) -> Login:
        """Renew a login and keep it, whoever stops waiting: the old one may be worth nothing."""
        try:
            with anyio.fail_after(RENEWAL_SECONDS, shield=True):
                kept = self._login = await self._renew(login)
        except TimeoutError as error:
            raise httpx2.ConnectTimeout("the login could not be renewed in time") from error
        try:
            self._tokens.save(self._server_id, kept.model_dump())
        except OSError as error:
            _logger.warning("the renewed login of '%s' cannot be kept: %s", self._server_id, error)
        return kept

    def _kept(self) -> Login:
        login = Login.of(self._tokens.load(self._server_id), self._policy.url)
        if login is None:
            raise LoginNeededError("nobody has logged in yet")
        return login

    def _usable(self, login: Login, refused: str | None) -> Login | None:
        is_good = login.access_token != refused and not login.has_run_out(self._now())
        return login if is_good else None

    async def _renew(self, login: Login) -> Login:
        if login.refresh_token is None:
            raise LoginNeededError("the login has ended")
        try:
            endpoint = checked_endpoint(login.token_endpoint, self._policy)
        except ValueError as error:
            raise LoginNeededError(f"the login cannot be renewed: {error}") from error
        form = {
            "grant_type": "refresh_token",
            "refresh_token": login.refresh_token,
            "client_id": login.client_id,
        }
        if login.resource:
            form["resource"] = login.resource
        async with authorization_client(self._policy, resolve=self._resolve) as client:
            answer = await client.post(endpoint, **_with_secret(login, form))
        if answer.status_code in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED):
            raise LoginNeededError("the login has ended, and could not be renewed")
        if answer.status_code != HTTPStatus.OK:
            raise httpx2.ConnectError(
                f"the login could not be renewed just now: HTTP {answer.status_code}"
            )
        try:
            token = OAuthToken.model_validate_json(answer.content)
        except ValidationError as error:
            raise LoginNeededError("the login could not be renewed") from error
        return login.renewed(token, self._now())


def _with_secret(login: Login, form: dict[str, str]) -> dict[str, Any]:
    """Return how a client proves who it is: by a header, in the form, or not at all."""
    if login.client_secret is None:
        return {"data": form}
    if login.auth_method == "client_secret_post":
        return {"data": {**form, "client_secret": login.client_secret}}
    pair = f"{quote(login.client_id, safe='')}:{quote(login.client_secret, safe='')}"
    header = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return {"data": form, "headers": {"Authorization": header}}
