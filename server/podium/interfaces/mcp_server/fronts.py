"""The client behind a request, as an upstream may know it; satisfies the `Front` port.

The SDK's private parts that this way in needs are touched here only.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
import mcp_types as types
from mcp.server import ServerRequestContext
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.connection import Connection
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from podium.domain.relay import Message, PeerError

HOME_SECONDS = 60.0  # for a client to answer outside of any request; it may not even be listening
TELL_SECONDS = 1.0  # a client that does not read must not hold up an upstream

Context = ServerRequestContext[Any, Any]

_STATE = "podium.session"


@dataclass(slots=True, eq=False)
class Session:
    """A client of the handshake era for as long as it is connected; a front outside of requests."""

    connection: Connection
    capabilities: Mapping[str, Any]
    session: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    principal: str = ""
    log_level: str | None = None
    watched: dict[str, tuple[str, str]] = field(default_factory=dict)
    is_modern: bool = False

    @property
    def home(self) -> "Session":
        """The session itself."""
        return self

    async def ask(self, method: str, params: Message) -> Message:
        """Ask the client on its listening stream.

        Raises:
            PeerError: it refused, or does not listen.

        """
        with anyio.move_on_after(HOME_SECONDS):
            return await _asked(self.connection, method, params)
        raise PeerError(types.INVALID_REQUEST, "the client did not answer in time")

    async def tell(self, method: str, params: Message | None = None) -> None:
        """Send the client a notification."""
        with anyio.move_on_after(TELL_SECONDS):
            await self.connection.notify(method, params)


@dataclass(slots=True, eq=False)
class RequestFront:
    """The client of one request."""

    context: Context
    session: str
    is_modern: bool
    principal: str
    capabilities: Mapping[str, Any]
    log_level: str | None
    home: Session | None

    async def ask(self, method: str, params: Message) -> Message:
        """Ask the client on the stream of its request.

        Raises:
            PeerError: it refused, or cannot be asked.

        """
        return await _asked(self.context.session._request_outbound, method, params)  # noqa: SLF001

    async def tell(self, method: str, params: Message) -> None:
        """Send the client a notification on the stream of its request."""
        with anyio.move_on_after(TELL_SECONDS):
            await self.context.session._request_outbound.notify(method, params)  # noqa: SLF001


@dataclass(slots=True, eq=False)
class CallFront:
    """The client of one plain call; `send` takes a notification to it."""

    send: Callable[[str, Message], Awaitable[None]]
    session: str
    is_modern: bool
    principal: str
    capabilities: Mapping[str, Any]
    log_level: str | None
    home: Session | None

    async def ask(self, method: str, params: Message) -> Message:
        """Ask the client.

        Raises:
            PeerError: it refused, or cannot be asked: that went with the handshake.

        """
        if self.home is None:
            raise PeerError(types.INVALID_REQUEST, f"the client cannot be asked {method} this way")
        return await _asked(self.home.connection.outbound, method, params)

    async def tell(self, method: str, params: Message) -> None:
        """Send the client a notification."""
        with anyio.move_on_after(TELL_SECONDS):
            await self.send(method, params)


def front_of_session(session: Session) -> CallFront:
    """Return the client of a plain call within a session."""
    return CallFront(
        session.connection.notify,
        session.session,
        is_modern=False,
        principal=session.principal,
        capabilities=session.capabilities,
        log_level=session.log_level,
        home=session,
    )


def modern_front(
    meta: Mapping[str, Any], send: Callable[[str, Message], Awaitable[None]]
) -> CallFront:
    """Return the client of a plain call that says for itself who it is."""
    offered, level = meta.get(types.CLIENT_CAPABILITIES_META_KEY), meta.get(_LEVEL)
    return CallFront(
        send,
        secrets.token_urlsafe(16),
        is_modern=True,
        principal=_principal(),
        capabilities=offered if isinstance(offered, Mapping) else {},
        log_level=level if isinstance(level, str) and level in _LEVELS else None,
        home=None,
    )


async def _asked(outbound: Any, method: str, params: Message) -> Message:
    try:
        answer: Message = await outbound.send_raw_request(method, params)
    except MCPError as error:
        raise PeerError(error.code, error.message, error.data) from None
    return answer


def begin_session(context: Context) -> Session:
    """Remember what a client said in its handshake."""
    connection = context.session._connection  # noqa: SLF001
    offered = (context.params or {}).get("capabilities")
    session = Session(
        connection, offered if isinstance(offered, Mapping) else {}, principal=_principal()
    )
    connection.state[_STATE] = session
    return session


def session_of(context: Context) -> Session | None:
    """Return the session of the handshake era that a message belongs to."""
    found = context.session._connection.state.get(_STATE)  # noqa: SLF001
    return found if isinstance(found, Session) else None


def front_of(context: Context) -> RequestFront:
    """Return the client of a request."""
    session = session_of(context)
    if session is not None:
        return RequestFront(
            context,
            session.session,
            is_modern=False,
            principal=session.principal,
            capabilities=session.capabilities,
            log_level=session.log_level,
            home=session,
        )
    meta = (context.params or {}).get("_meta")
    meta = meta if isinstance(meta, Mapping) else {}
    offered, level = meta.get(types.CLIENT_CAPABILITIES_META_KEY), meta.get(_LEVEL)
    return RequestFront(
        context,
        secrets.token_urlsafe(16),
        is_modern=is_modern(context),
        principal=_principal(),
        capabilities=offered if isinstance(offered, Mapping) else {},
        log_level=level if isinstance(level, str) and level in _LEVELS else None,
        home=None,
    )


_LEVEL = types.LOG_LEVEL_META_KEY
_LEVELS = frozenset(
    ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
)


def is_modern(context: Context) -> bool:
    """Whether the client speaks 2026-07-28."""
    return context.protocol_version in MODERN_PROTOCOL_VERSIONS


def _principal() -> str:
    token = get_access_token()
    return "" if token is None else f"{token.client_id}/{token.subject or ''}"
