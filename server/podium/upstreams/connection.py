"""One living connection to one upstream: its era, its tools, the calls on it."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from typing import Any

import anyio
import anyio.abc
import orjson

from podium.domain.errors import (
    ArgumentInvalidError,
    UpstreamClosedError,
    UpstreamError,
    UpstreamProtocolError,
)
from podium.domain.ports import Clock, ProgressCallback
from podium.domain.relay import ChangeKind, Message
from podium.domain.tool import Noise, QuarantinedTool, Tool, ToolResult
from podium.upstreams import sdk
from podium.upstreams.definitions import ToolList, read_tools
from podium.upstreams.era import Era, ProbeEndedError, negotiate, remembered_era
from podium.upstreams.http import open_http
from podium.upstreams.keeper import Keeper
from podium.upstreams.line import Line
from podium.upstreams.results import failure, read_result
from podium.upstreams.sdk import RpcError
from podium.upstreams.settings import UpstreamSettings
from podium.upstreams.stdio import ChildProcess, open_child
from podium.upstreams.wire import Wire
from podium.upstreams.words import words_of

LONGEST_PAGES = 200  # pages of one tools/list; a server that never ends its list is cut there
ADOPTED_LIST_SECONDS = 8.0  # a remembered era may be wrong, and a wrong one may meet silence
SETTLE_SECONDS = 0.2  # several changes of the list in a row are fetched once
LISTEN_AGAIN_SECONDS = 5.0
LISTEN_ATTEMPTS = 5  # in a row that end at once; then changes show at the next start only
WATCHED_RESOURCES = 256  # of one upstream, for all clients together

ChangeListener = Callable[[ChangeKind, str], None]
"""Called with what changed; for `updated` with the URI of the resource."""

Offer = Callable[[], Mapping[str, Any]]
"""Returns the capabilities that a handshake declares, as late as possible."""

_CHANGES: Mapping[str, ChangeKind] = {
    "notifications/prompts/list_changed": "prompts",
    "notifications/resources/list_changed": "resources",
}


class Connection:
    """A started upstream; `child` is its process, None over HTTP.

    `ended` is set when the connection is gone, whoever ended it.
    """

    def __init__(
        self,
        settings: UpstreamSettings,
        clock: Clock,
        wire: Wire,
        *,
        longest_list: int,
        on_change: ChangeListener,
        offer: Offer,
        child: ChildProcess | None = None,
    ) -> None:
        self.ended = anyio.Event()
        self.line = Line(wire, child=child)
        self.is_modern_only = False
        self.tool_list = ToolList()
        self._settings = settings
        self._clock = clock
        self._wire = wire
        self._longest_list = longest_list
        self._child = child
        self._cause = ""
        # Places for calls at once; whoever finds one does not let others go first.
        self.slots = anyio.Semaphore(settings.concurrent_calls, fast_acquire=True)
        self._changed = anyio.Event()
        self._on_change = on_change
        self._offer = offer
        self._watched: set[str] = set()
        self._watched_anew = anyio.Event()

    @property
    def era(self) -> Era:
        """The revision that was settled, with what the server declared."""
        return self.line.era

    # --- starting

    async def prepare(self, memory: Mapping[str, Any] | None) -> None:
        """Settle the era and fetch the tools; a remembered modern era costs no round trip.

        Raises:
            RpcError, ProbeEndedError, UpstreamError: it cannot be used, and why.

        """
        remembered = remembered_era(memory)
        if remembered is not None and await self._adopted(remembered):
            return
        self.line.era, self.line.offered = await negotiate(
            self._wire, None if remembered is not None else memory, self._offer
        )
        self.tool_list = await self._fetch_tools()

    async def _adopted(self, era: Era) -> bool:
        """Whether the remembered era still holds, shown by listing the tools in it."""
        self.line.era = era
        with anyio.move_on_after(ADOPTED_LIST_SECONDS):
            try:
                self.tool_list = await self._fetch_tools()
            except RpcError as error:
                if error.code == sdk.CLOSED:
                    raise ProbeEndedError from error
                if error.code == sdk.UNREACHABLE:
                    raise
                return False
            return True
        return False

    async def _fetch_tools(self) -> ToolList:
        """Fetch all pages of the list, bounded; a server without tools has an empty one."""
        definitions: list[Any] = []
        seen: set[str] = set()
        cut = ""
        params: dict[str, Any] = {}
        while True:
            page = await self._list_page(params)
            if page is None:
                break
            definitions.extend(page["tools"])
            cursor = page.get("nextCursor")
            if len(definitions) > self._longest_list:
                cut = f"the upstream lists more than {self._longest_list} tools"
            elif not isinstance(cursor, str) or not cursor:
                break
            elif cursor in seen or len(seen) >= LONGEST_PAGES:
                cut = "the upstream's list of tools does not end"
            if cut:
                break
            seen.add(str(cursor))
            params = {"cursor": cursor}
        kept = definitions[: self._longest_list]
        listed = read_tools(self._settings, kept, is_modern=self.era.is_modern)
        if not cut:
            return listed
        rest = QuarantinedTool("(the rest)", f"{cut}; what follows is left out")
        return replace(listed, quarantined=(*listed.quarantined, rest))

    async def _list_page(self, params: Mapping[str, Any]) -> dict[str, Any] | None:
        stamped, headers = self.era.stamped("tools/list", params)
        try:
            page = await self._wire.request("tools/list", stamped, headers=headers)
        except RpcError as error:
            if error.code == sdk.METHOD_NOT_FOUND and "tools" not in self.era.capabilities:
                return None  # a server of prompts or resources only
            raise
        if not isinstance(page.get("tools"), list):
            raise UpstreamProtocolError(
                "its tools/list holds no list of tools",
                hint="the server does not keep to the protocol; report it to its authors",
                sent=False,
            )
        return page

    # --- living

    def notice(self, method: str, params: Message) -> None:
        """Take a notification of a change."""
        if method == "notifications/tools/list_changed":
            self._changed.set()
        elif method in _CHANGES:
            self._on_change(_CHANGES[method], "")
        elif method == "notifications/resources/updated" and isinstance(params.get("uri"), str):
            self._on_change("updated", params["uri"])

    async def keep_tools_fresh(self) -> None:
        """Fetch the tools again whenever the upstream says that they changed."""
        while True:
            await self._changed.wait()
            await self._clock.sleep(SETTLE_SECONDS)
            self._changed = anyio.Event()
            with anyio.move_on_after(self._settings.start_seconds):
                try:
                    self.tool_list = await self._fetch_tools()
                except (RpcError, UpstreamError):
                    continue  # the known list stays; calls tell what is wrong with the upstream
                self._on_change("tools", "")

    async def listen(self) -> None:
        """Keep a stream of changes open, which is how a modern server announces them.

        Nothing is replayed, so the tools are fetched again after each interruption.
        """
        if not (self.era.is_modern and self.era.announced):
            return
        failures = 0
        for number in count(1):
            began = self._clock.monotonic()
            if not await self._listen_once(self.era.announced, f"listen-{number}"):
                return
            lasted = self._clock.monotonic() - began > LISTEN_AGAIN_SECONDS
            failures = 0 if lasted else failures + 1
            if failures == LISTEN_ATTEMPTS:
                return
            await self._clock.sleep(LISTEN_AGAIN_SECONDS)
            self._changed.set()
            for kind in _CHANGES.values():
                self._on_change(kind, "")

    async def _listen_once(self, wanted: Mapping[str, Any], identifier: str) -> bool:
        """Listen until the server ends it; False if it never will be of use."""
        method = "subscriptions/listen"
        params, headers = self.era.stamped(method, {"notifications": wanted})
        try:
            await self._wire.request(method, params, headers=headers, identifier=identifier)
        except RpcError as error:
            return error.code != sdk.METHOD_NOT_FOUND
        return True

    # --- resources that clients watch

    async def watch(self, uris: set[str]) -> None:
        """Have changes of exactly these resources reported."""
        uris = set(sorted(uris)[:WATCHED_RESOURCES])
        if not self.era.is_modern:
            await self.line.watch(uris, self._settings.start_seconds)
        elif uris != self._watched:
            self._watched = uris
            self._watched_anew.set()

    async def keep_watching(self) -> None:
        """Keep a stream of changes of the watched resources open; for modern servers."""
        for number in count(1):
            self._watched_anew = anyio.Event()
            async with anyio.create_task_group() as tasks:
                if self._watched:
                    tasks.start_soon(self._watch_on, sorted(self._watched), number)
                await self._watched_anew.wait()
                tasks.cancel_scope.cancel()

    async def _watch_on(self, uris: list[str], number: int) -> None:
        for attempt in range(LISTEN_ATTEMPTS):
            wanted = {"resourceSubscriptions": uris}
            if not await self._listen_once(wanted, f"watch-{number}-{attempt}"):
                return
            await self._clock.sleep(LISTEN_AGAIN_SECONDS)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep messages moving inside the block."""
        async with anyio.create_task_group() as tasks:
            await tasks.start(self._run)
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()

    async def _run(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        try:
            await self._wire.run(
                self.notice, self.line.word, self.line.question, task_status=task_status
            )
        finally:
            self.ended.set()

    def end(self, cause: str) -> None:
        """Give the connection up; open calls fail for this cause. The first cause counts."""
        if not self.ended.is_set():
            self._cause = cause
            self.ended.set()

    async def cause(self) -> str:
        """Say why the connection ended."""
        if self._cause or self._child is None:
            return self._cause or "the connection was closed"
        return await self._child.obituary()

    def noise(self) -> Noise:
        """Return how much was dropped of what the process said; nothing over HTTP."""
        return Noise() if self._child is None else self._child.noise()

    def last_words(self) -> str:
        """Return what the process last wrote to stderr; empty over HTTP."""
        return "" if self._child is None else self._child.last_words()

    # --- calling

    async def call(
        self, tool: Tool, arguments: Mapping[str, Any], on_progress: ProgressCallback | None
    ) -> ToolResult:
        """Call a tool and wait as long as the caller does; giving up cancels it at the upstream.

        Raises:
            UpstreamError: a subclass says what went wrong and whether the call was sent.
            ArgumentInvalidError: the arguments cannot be written as JSON.

        """
        params = {"name": tool.name, "arguments": _checked(tool, arguments)}
        stamped, headers = self.era.stamped("tools/call", params, tool.input_schema)
        progress = None if on_progress is None else _cleaned_progress(on_progress)
        try:
            self.line.was_used = True
            with self.line.serving(None):
                raw = await self._wire.request(
                    "tools/call", stamped, headers=headers, on_progress=progress
                )
        except RpcError as error:
            raise await self.call_failure(tool.full_name, error) from None
        return read_result(tool.full_name, raw, is_modern=self.era.is_modern)

    async def call_failure(self, subject: str, error: RpcError) -> UpstreamError:
        """Return what the failure of a request means, `subject` being what was asked for."""
        if error.code == sdk.CLOSED:
            if self._child is not None:
                self.ended.set()  # open calls hear of it first; the next one must not come here
            return UpstreamClosedError(
                f"{subject}: the upstream went away during the call: "
                f"{await self._closed_cause(error)}",
                hint="call it again: the upstream is then started anew",
            )
        if error.code == sdk.SESSION_LOST:
            self.end("the server no longer knew the session")
            return UpstreamClosedError(
                f"{subject}: the server no longer knows Podium's session",
                hint="call it again: a new session is then begun",
                sent=False,
            )
        if error.code == sdk.UNREACHABLE:
            self.end(f"the server cannot be reached: {words_of(error.message)}")
        return failure(subject, error)

    async def _closed_cause(self, error: RpcError) -> str:
        # Over HTTP one answer may break off while the server goes on, and that has no obituary.
        if self._child is None and not self.ended.is_set():
            return words_of(error.message)
        return await self.cause()


def _checked(tool: Tool, arguments: Mapping[str, Any]) -> dict[str, Any]:
    try:
        orjson.dumps(arguments)
    except orjson.JSONEncodeError as error:
        raise ArgumentInvalidError(
            f"the arguments of {tool.full_name} cannot be written as JSON: {error}",
            hint="only objects, lists, texts, numbers of 64 bits, true, false and null can be sent",
        ) from None
    return dict(arguments)


def _cleaned_progress(callback: ProgressCallback) -> ProgressCallback:
    async def report(progress: float, total: float | None, message: str | None) -> None:
        await callback(progress, total, None if message is None else words_of(message))

    return report


@asynccontextmanager
async def connect(
    settings: UpstreamSettings,
    clock: Clock,
    *,
    longest_list: int,
    keeper: Keeper,
    on_change: ChangeListener,
    offer: Offer,
) -> AsyncIterator[Connection]:
    """Open an upstream's transport and keep its messages moving; leaving closes everything.

    Raises:
        UpstreamUnavailableError: it cannot even be started.

    """
    if settings.url is not None:
        async with open_http(settings) as (read, write, posts):
            connection = Connection(
                settings,
                clock,
                Wire(read, write, posts),
                longest_list=longest_list,
                on_change=on_change,
                offer=offer,
            )
            async with connection.running():
                yield connection
        return
    async with open_child(settings, keeper) as child:
        connection = Connection(
            settings,
            clock,
            Wire(child, child),
            longest_list=longest_list,
            on_change=on_change,
            offer=offer,
            child=child,
        )
        async with connection.running():
            yield connection
