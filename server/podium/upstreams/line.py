"""One wire to an upstream as clients use it: their requests up, its questions and words down.

Before 2026-07-28 a question names no request. So it goes to the only client that has calls under
way on the wire, and is refused when there are several: never to another user.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import anyio
import anyio.abc

from podium.domain.errors import UpstreamError
from podium.domain.ports import Front, ProgressCallback
from podium.domain.relay import CAPABILITY_OF, Message, PeerError
from podium.upstreams import sdk
from podium.upstreams.era import Era, handshake
from podium.upstreams.http import open_http
from podium.upstreams.keeper import Keeper
from podium.upstreams.sdk import RpcError
from podium.upstreams.settings import UpstreamSettings
from podium.upstreams.stdio import ChildProcess, open_child
from podium.upstreams.wire import NoticeHandler, Wire

LOG_LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
TASKS = "io.modelcontextprotocol/tasks"


class Line:
    """A wire and the clients that have calls under way on it.

    `offered` is what was declared for them in the handshake; in the modern era each request says
    that for itself.
    """

    def __init__(
        self,
        wire: Wire,
        *,
        child: ChildProcess | None = None,
        offered: Mapping[str, Any] | None = None,
        home: Front | None = None,
        on_notice: NoticeHandler | None = None,
    ) -> None:
        self.era = Era("", is_modern=False)
        self.ended = anyio.Event()
        self.fault: RpcError | UpstreamError | None = None
        self.child = child
        self._wire = wire
        self.offered = offered or {}
        self.was_used = False
        self._home = home
        self._on_notice = on_notice or _unheard
        self._watched: set[str] = set()
        self._callers: dict[object, Front | None] = {}
        self._log_level: int | None = None
        if child is not None:
            child.settle = wire.settle

    # --- up

    @contextmanager
    def serving(self, front: Front | None) -> Iterator[None]:
        """Hold a client's place among those with calls under way; None is Podium itself."""
        place = object()
        self._callers[place] = front
        try:
            yield
        finally:
            del self._callers[place]

    async def request(
        self,
        method: str,
        params: Message,
        front: Front,
        *,
        on_progress: ProgressCallback | None = None,
        input_schema: Mapping[str, Any] | None = None,
    ) -> Message:
        """Send a client's request in the era of the wire and return the result as it came.

        Raises:
            RpcError: the upstream answered with an error, or went away.

        """
        # Only HTTP repeats arguments in headers; the search for them would cost each call.
        schema = input_schema if self.child is None else None
        stamped, headers = self.era.stamped(
            method, self._asking_for_logs(params, front), schema, offered_by(front)
        )
        self.was_used = True
        with self.serving(front):
            await self._set_log_level(front)
            return await self._wire.request(
                method, stamped, headers=headers, on_progress=on_progress
            )

    async def own_request(self, method: str, params: Message) -> Message:
        """Send a request of Podium's own, for which nobody can be asked anything.

        Raises:
            RpcError: the upstream answered with an error, or went away.

        """
        stamped, headers = self.era.stamped(method, params)
        with self.serving(None):
            return await self._wire.request(method, stamped, headers=headers)

    async def notify(self, method: str, params: Message) -> None:
        """Send a notification of a client."""
        stamped, headers = self.era.stamped(method, params)
        await self._wire.notify(method, stamped, headers)

    def _asking_for_logs(self, params: Message, front: Front) -> Message:
        """Return params that ask for logs, for a modern upstream of a client that set a level."""
        if not self.era.is_modern or front.is_modern or front.log_level is None:
            return params
        meta = {**(params.get("_meta") or {}), sdk.LOG_LEVEL_KEY: front.log_level}
        return {**params, "_meta": meta}

    async def _set_log_level(self, front: Front) -> None:
        """Have an upstream of the older era log what the client wants, if it logs less so far."""
        if self.era.is_modern or not self.era.declares("logging") or front.log_level is None:
            return
        wanted = LOG_LEVELS.index(front.log_level)
        if self._log_level is not None and self._log_level <= wanted:
            return
        self._log_level = wanted
        stamped, headers = self.era.stamped("logging/setLevel", {"level": front.log_level})
        try:
            await self._wire.request("logging/setLevel", stamped, headers=headers)
        except RpcError as error:
            if error.code in sdk.OWN_CODES:
                raise

    async def watch(self, uris: set[str], seconds: float) -> None:
        """Have changes of exactly these resources reported; for the older era."""
        gone, fresh = self._watched - uris, uris - self._watched
        self._watched = uris
        if not self.era.declares("resources", "subscribe"):
            return
        for method, some in (("resources/unsubscribe", gone), ("resources/subscribe", fresh)):
            for uri in sorted(some):
                # What cannot be watched is not: that is all that a client could be told anyway.
                with anyio.move_on_after(seconds), suppress(RpcError):
                    await self.own_request(method, {"uri": uri})

    # --- down

    async def question(self, method: str, params: Message) -> Message:
        """Pass a question of the upstream to the client it surely works for.

        Raises:
            PeerError: there is no such client, or it does not offer that.

        """
        needed = CAPABILITY_OF.get(method)
        if needed is None or needed not in self.offered:
            raise PeerError(sdk.METHOD_NOT_FOUND, f"the client does not offer {method}")
        if (front := self._only_client()) is None:
            text = f"{method}: it cannot be told which client this is for"
            raise PeerError(sdk.INVALID_REQUEST, text)
        if needed not in front.capabilities:
            raise PeerError(sdk.METHOD_NOT_FOUND, f"the client does not offer {method}")
        return await front.ask(method, params)

    async def word(self, method: str, params: Message) -> None:
        """Pass a word of the upstream to the client it surely works for; else nobody hears it."""
        front = self._only_client()
        if front is not None and _is_wanted(method, params, front):
            await front.tell(method, params)

    def _only_client(self) -> Front | None:
        if not self._callers:
            return self._home
        fronts = list(self._callers.values())
        sessions = {None if front is None else front.session for front in fronts}
        return fronts[-1] if len(sessions) == 1 else None

    async def greet(self, seconds: float) -> None:
        """Shake hands; what goes wrong is noted as the line's fault."""
        try:
            with anyio.fail_after(seconds):
                self.era = await handshake(self._wire, self.offered)
        except TimeoutError:
            text = f"it did not answer the handshake within {seconds:g} s"
            self.fault = RpcError(sdk.CLOSED, text)
        except (RpcError, UpstreamError) as error:
            self.fault = error

    async def run(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        """Move messages until the wire ends; for a wire that has no other owner."""
        try:
            await self._wire.run(self._on_notice, self.word, self.question, task_status=task_status)
        finally:
            self.ended.set()


def offered_by(front: Front) -> dict[str, Any]:
    """Return a client's capabilities without that of tasks, which Podium does not pass on."""
    offered = {key: value for key, value in front.capabilities.items() if key != "tasks"}
    extensions = offered.get("extensions")
    if isinstance(extensions, Mapping) and TASKS in extensions:
        offered["extensions"] = {key: item for key, item in extensions.items() if key != TASKS}
    return offered


def _unheard(_method: str, _params: Message) -> None:
    """Leave it: somebody else listens on the wire."""


def _is_wanted(method: str, params: Message, front: Front) -> bool:
    if method != "notifications/message":
        return True
    level = params.get("level")
    if front.log_level is None or level not in LOG_LEVELS:
        return not front.is_modern
    return LOG_LEVELS.index(level) >= LOG_LEVELS.index(front.log_level)


@asynccontextmanager
async def open_line(
    settings: UpstreamSettings,
    keeper: Keeper,
    front: Front,
    offered: Mapping[str, Any],
    on_notice: NoticeHandler,
) -> AsyncIterator[Line]:
    """Open a wire of the handshake era that offers what a client offers; leaving closes it.

    Its `fault` says whether the upstream cannot be used so; raised, it would leave in groups.

    Raises:
        UpstreamUnavailableError: the upstream cannot even be started.

    """
    if settings.url is not None:
        async with open_http(settings) as (read, write, posts):
            wire = Wire(read, write, posts)
            line = Line(wire, offered=offered, home=front.home, on_notice=on_notice)
            async with _running(line, front, settings.start_seconds):
                yield line
        return
    async with open_child(settings, keeper) as child:
        line = Line(Wire(child, child), child=child, offered=offered, on_notice=on_notice)
        async with _running(line, front, settings.start_seconds):
            yield line


@asynccontextmanager
async def _running(line: Line, front: Front, seconds: float) -> AsyncIterator[None]:
    async with anyio.create_task_group() as tasks:
        await tasks.start(line.run)
        with line.serving(front):  # it may ask as soon as it knows what it may ask
            await line.greet(seconds)
        yield
        tasks.cancel_scope.cancel()
