"""Which wire of an upstream serves a client: the shared one, or one of its own.

The upstream's first connection serves Podium itself, every client that offers nothing, and, if it
is modern, all modern clients: there each request says what its client offers. Before that a
handshake said it once, so a client that offers something needs a wire whose handshake did. Over
HTTP that is a session for each session of a client. Over stdio it is the first process, which
offers what the clients offer that were there when it started; another one is started only for a
client that comes later and offers more.
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

import anyio
import orjson

from podium.domain.errors import UpstreamClosedError, UpstreamUnavailableError
from podium.domain.ports import Front
from podium.domain.relay import CAPABILITY_OF, Message
from podium.upstreams import sdk
from podium.upstreams.connection import Connection
from podium.upstreams.keeper import Keeper
from podium.upstreams.line import Line, offered_by, open_line
from podium.upstreams.results import failure
from podium.upstreams.sdk import RpcError
from podium.upstreams.settings import UpstreamSettings
from podium.upstreams.wire import NoticeHandler
from podium.upstreams.words import words_of

IDLE_SECONDS = 900.0  # after that an unused wire is closed; the next call opens another
MOST_PROCESSES = 8  # of one upstream, beside its first; clients seldom differ in what they offer
MOST_SESSIONS = 1_024  # of one upstream

QUESTIONS = frozenset(CAPABILITY_OF.values())

Spawn = Callable[[Callable[[], Coroutine[Any, Any, None]]], None]
Key = tuple[str, ...]


@dataclass(slots=True)
class _Opening:
    """A wire that is being opened, and what came of it."""

    done: anyio.Event = field(default_factory=anyio.Event)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    users: int = 0
    used_at: float = field(default_factory=anyio.current_time)
    line: Line | None = None
    fault: Exception | None = None

    def end(self) -> None:
        """Have it closed in an orderly way; an opening under way is given up."""
        if self.line is None:
            self.scope.cancel()
        else:
            self.line.ended.set()


class Lines:
    """The wires of one upstream beside its first connection."""

    def __init__(
        self, settings: UpstreamSettings, keeper: Keeper, spawn: Spawn, on_notice: NoticeHandler
    ) -> None:
        self._settings = settings
        self._keeper = keeper
        self._spawn = spawn
        self._on_notice = on_notice
        self._watched: set[str] = set()
        self._offer: dict[str, Any] = {}
        self._open: dict[Key, _Opening] = {}

    @asynccontextmanager
    async def lent(self, connection: Connection, front: Front) -> AsyncIterator[Line]:
        """Lend the wire that serves a client's request.

        Raises:
            UpstreamError: it cannot be opened.

        """
        key = self._key(connection, front)
        if key is None:
            yield connection.line
            return
        opening = self._opening(key, front)
        opening.users += 1  # before anything is waited for: it may not be given away meanwhile
        try:
            yield await self._opened(opening, connection)
        finally:
            opening.users -= 1
            opening.used_at = anyio.current_time()

    # --- what clients offer and watch

    def offer(self) -> Mapping[str, Any]:
        """Return what the first connection shall offer in its handshake."""
        return {} if self._settings.url is not None else self._offer

    def note_offer(self, capabilities: Mapping[str, Any]) -> None:
        """Have the next first process offer what a client offers."""
        if capabilities:
            self._offer = _merged(self._offer, _questions_in(capabilities))

    def wants_fresh_start(self, connection: Connection, front: Front) -> bool:
        """Whether the first process offers too little, and no client has used it so far."""
        if self._settings.url is not None or connection.era.is_modern or connection.line.was_used:
            return False
        return not _covers(connection.line.offered, _questions_of(front))

    async def watch(self, uris: set[str]) -> None:
        """Have other processes report changes of resources as well."""
        self._watched = uris
        if self._settings.url is None:
            for opening in list(self._open.values()):
                if opening.line is not None:
                    await opening.line.watch(set(uris), self._settings.start_seconds)

    async def tell(self, session: str, method: str, params: Message) -> None:
        """Pass a notification on, if there is a wire of that session."""
        opening = self._open.get(("session", session))
        if opening is not None and opening.line is not None:
            await opening.line.notify(method, params)

    def leave(self, session: str) -> None:
        """Close the wire of a client's session."""
        if (opening := self._open.pop(("session", session), None)) is not None:
            opening.end()

    def close(self) -> None:
        """Close them all."""
        for opening in self._open.values():
            opening.end()
        self._open.clear()

    # --- which one

    def _opening(self, key: Key, front: Front) -> _Opening:
        opening = self._open.get(key)
        if opening is None or (opening.line is not None and opening.line.ended.is_set()):
            return self._begin(key, front)
        return opening

    async def _opened(self, opening: _Opening, connection: Connection) -> Line:
        await opening.done.wait()
        if opening.line is not None:
            return opening.line
        if connection.era.is_modern:  # it does not speak the other era, and that can be bridged
            connection.is_modern_only = _is_lasting(opening.fault)
            return connection.line
        raise self._unusable(opening.fault)

    def _key(self, connection: Connection, front: Front) -> Key | None:
        if connection.era.is_modern and (front.is_modern or connection.is_modern_only):
            return None
        offered = _questions_of(front)
        if self._settings.url is None:
            known = not connection.era.is_modern and _covers(connection.line.offered, offered)
            return None if known or not offered else ("offer", _text(offered))
        if not front.is_modern:
            return ("session", front.session)
        return self._free_key(front.principal, _text(offered)) if offered else None

    def _free_key(self, principal: str, offer: str) -> Key:
        """Return the key of a session that nobody uses just now, the one used before if there is.

        A modern client has no session of its own; one call after the other gets the same session,
        and calls at once get several, so that it is clear which call a question is about.
        """
        keys = (("calls", principal, offer, str(number)) for number in count())
        return next(key for key in keys if self._is_free(key))

    def _is_free(self, key: Key) -> bool:
        opening = self._open.get(key)
        return opening is None or not opening.users

    def _begin(self, key: Key, front: Front) -> _Opening:
        most = MOST_PROCESSES if self._settings.url is None else MOST_SESSIONS
        if len(self._open) >= most:
            raise UpstreamUnavailableError(
                f"upstream '{self._settings.server_id}' has {most} connections for clients already",
                hint="close clients that are not needed, or try again later",
                sent=False,
            )
        opening = self._open[key] = _Opening()
        self._spawn(partial(self._own, key, opening, front))
        return opening

    # --- the life of one

    async def _own(self, key: Key, opening: _Opening, front: Front) -> None:
        """Own one wire from its opening to its end; everything is closed here."""
        try:
            with opening.scope:
                await self._live(opening, front)
        except Exception as error:  # noqa: BLE001 - the boundary of one wire: others go on
            opening.fault = error
        if opening.line is not None:
            opening.line.ended.set()
        if self._open.get(key) is opening:
            del self._open[key]
        opening.done.set()

    async def _live(self, opening: _Opening, front: Front) -> None:
        offered = _questions_of(front) if self._settings.url is None else offered_by(front)
        async with open_line(self._settings, self._keeper, front, offered, self._on_notice) as line:
            if line.fault is not None:
                opening.fault = line.fault
                return
            if self._watched and self._settings.url is None:
                await line.watch(set(self._watched), self._settings.start_seconds)
            opening.line = line
            opening.done.set()
            while not line.ended.is_set():
                with anyio.move_on_after(IDLE_SECONDS):
                    await line.ended.wait()
                if not opening.users and anyio.current_time() - opening.used_at >= IDLE_SECONDS:
                    return

    def _unusable(self, fault: Exception | None) -> Exception:
        name = f"upstream '{self._settings.server_id}'"
        if isinstance(fault, RpcError) and fault.code != sdk.CLOSED:
            return failure(name, fault)
        reason = words_of(str(fault)) if fault is not None else "the connection was closed"
        return UpstreamUnavailableError(
            f"{name} cannot be connected for this client: {reason}",
            hint="try again; `podium tools` shows how the upstream is",
            sent=False,
        )


def _is_lasting(fault: Exception | None) -> bool:
    """Whether the next attempt would fail as well, as far as that can be told."""
    unreachable = isinstance(fault, RpcError) and fault.code == sdk.UNREACHABLE
    return fault is not None and not unreachable


def _questions_of(front: Front) -> dict[str, Any]:
    """Return the capabilities with which a client can be asked something."""
    return _questions_in(front.capabilities)


def _questions_in(capabilities: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in capabilities.items() if name in QUESTIONS}


def _covers(offered: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return _merged(offered, wanted) == offered


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return what either offers, with the features of both."""
    merged = dict(one)
    for name, value in other.items():
        known = merged.get(name)
        if isinstance(known, Mapping) and isinstance(value, Mapping):
            merged[name] = _merged(known, value)
        else:
            merged.setdefault(name, value)
    return merged


def _text(offered: Mapping[str, Any]) -> str:
    return orjson.dumps(offered, option=orjson.OPT_SORT_KEYS).decode()


def line_failure(subject: str, line: Line, error: RpcError) -> Exception:
    """Return what the failure of a request on a wire of a client's own means."""
    if error.code == sdk.SESSION_LOST:
        line.ended.set()
        return UpstreamClosedError(
            f"{subject}: the server no longer knows the session",
            hint="call it again: a new session is then begun",
            sent=False,
        )
    if error.code == sdk.CLOSED:
        if line.child is not None:
            line.ended.set()
        words = line.child.last_words() if line.child is not None else ""
        return UpstreamClosedError(
            f"{subject}: the upstream went away during the call: "
            f"{words or words_of(error.message)}",
            hint="call it again: the upstream is then started anew",
        )
    if error.code == sdk.UNREACHABLE:
        line.ended.set()
    return failure(subject, error)
