"""All upstreams of a workspace behind the `Upstreams` port."""

import random
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Any, Self

import anyio
import anyio.abc

from podium.domain.breaker import BreakerRules
from podium.domain.errors import UnknownServerError, UpstreamUnavailableError
from podium.domain.limits import Limits
from podium.domain.naming import did_you_mean
from podium.domain.ports import Clock, EraMemory, Pins, ProgressCallback
from podium.domain.redaction import Redactor
from podium.domain.relay import ChangeKind, UpstreamChange
from podium.domain.tool import HeldTool, Tool, ToolMatch, ToolResult, UpstreamStatus
from podium.upstreams.catalog import Catalog
from podium.upstreams.keeper import Keeper
from podium.upstreams.names import warnings_of_names
from podium.upstreams.settings import UpstreamSettings
from podium.upstreams.upstream import Upstream

LONGEST_CALL_SECONDS = 600.0  # for a call whose caller sets no limit
CLOSE_SECONDS = 10.0  # for all upstreams together, at the end


class UpstreamPool:
    """The upstreams by their names; an async context manager, inside which they may be called.

    Leaving it ends every upstream and every process that one started.
    """

    def __init__(
        self,
        settings: Sequence[UpstreamSettings],
        *,
        eras: EraMemory,
        clock: Clock,
        limits: Limits | None = None,
        chance: Callable[[], float] | None = None,
        redactor: Redactor | None = None,
        rules: BreakerRules | None = None,
        pins: Pins | None = None,
    ) -> None:
        self._tasks: anyio.abc.TaskGroup | None = None
        self._is_open = False
        self._keeper = Keeper()
        self._listeners: list[Callable[[UpstreamChange], None]] = []
        self._upstreams = {
            one.server_id: Upstream(
                one,
                eras=eras,
                clock=clock,
                chance=chance or random.SystemRandom().random,
                redactor=redactor or Redactor(),
                longest_list=(limits or Limits()).tools_per_server,
                spawn=self.spawn,
                rules=rules or BreakerRules(),
                keeper=self._keeper,
                on_change=partial(self._announce, one.server_id),
                pins=pins,
            )
            for one in settings
        }
        self._catalog = Catalog(())
        self._named: tuple[tuple[Tool, ...], dict[str, tuple[str, ...]]] | None = None

    async def __aenter__(self) -> Self:
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._is_open = True
        return self

    async def __aexit__(
        self,
        _exc_type: type[BaseException] | None,
        _exc_value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._is_open = False
        if self._tasks is None:
            return
        for upstream in self._upstreams.values():
            upstream.close()
        self._tasks.cancel_scope.deadline = anyio.current_time() + CLOSE_SECONDS
        # The error that ends the block goes its own way: the group would wrap it in a group.
        try:
            await self._tasks.__aexit__(None, None, None)
        finally:
            await self._keeper.aclose()

    # --- the port

    def server_ids(self) -> tuple[str, ...]:
        """Return every configured upstream that is not disabled, in file order."""
        return tuple(
            server_id
            for server_id, upstream in self._upstreams.items()
            if not upstream.settings.disabled
        )

    async def tool(self, server_id: str, tool_id: str) -> Tool:
        """Return a tool's definition, starting its upstream if need be.

        Raises:
            UnknownServerError: no such upstream (the nearest name is in the hint).
            UnknownToolError: the upstream offers no such tool, or it is quarantined.
            UpstreamError: the upstream cannot be started.

        """
        return await self.find(server_id).tool(tool_id)

    async def call_tool(
        self,
        server_id: str,
        tool_id: str,
        arguments: dict[str, Any],
        *,
        timeout_seconds: float | None = None,
        on_progress: ProgressCallback | None = None,
    ) -> ToolResult:
        """Call a tool, starting its upstream if need be; an `isError` result is no exception.

        The time covers the start, the wait for a free place and the call. Cancelling the caller
        cancels the call at the upstream.

        Raises:
            UnknownServerError, UnknownToolError: as `tool`.
            ArgumentInvalidError: the arguments cannot be written as JSON.
            UpstreamError: a subclass says what went wrong and whether the call was sent.

        """
        seconds = LONGEST_CALL_SECONDS if timeout_seconds is None else timeout_seconds
        return await self.find(server_id).call(tool_id, arguments, seconds, on_progress)

    async def search(self, query: str, limit: int) -> list[ToolMatch]:
        """Return the tools that fit a query, best first; an empty query lists all tools.

        Waits for upstreams that were never tried; those that failed before are tried again beside
        it, so that a dead one does not hold up every search.
        """
        upstreams = [self._upstreams[server_id] for server_id in self.server_ids()]
        await self._start([upstream for upstream in upstreams if not upstream.was_settled])
        for upstream in upstreams:
            upstream.start_soon()
        tools = self.tools()
        if tools != self._catalog.tools:
            self._catalog = Catalog(tools)
        return self._catalog.search(query, limit)

    async def start_all(self) -> None:
        """Start every upstream concurrently; return when each is ready or has failed."""
        await self._start([self._upstreams[server_id] for server_id in self.server_ids()])

    def statuses(self) -> list[UpstreamStatus]:
        """Return the state of every configured upstream, in file order."""
        tools = self.tools()
        if self._named is None or self._named[0] != tools:
            self._named = tools, warnings_of_names(tools, tuple(self._upstreams))
        alike = self._named[1]
        return [
            replace(status, warnings=(*status.warnings, *alike.get(status.server_id, ())))
            for status in (upstream.status() for upstream in self._upstreams.values())
        ]

    async def held(self, server_id: str, tool_id: str | None = None) -> tuple[HeldTool, ...]:
        """Return the tools of an upstream, or the one, if held back; starts it if need be.

        Raises:
            UnknownServerError, UnknownToolError: no such upstream or tool.
            PinsInvalidError: what was accepted is not known.
            UpstreamError: the upstream cannot be started.

        """
        upstream = self.find(server_id)
        await upstream.ready()
        tools = upstream.tools_now()
        if tools.pins_fault is not None:
            raise tools.pins_fault
        if tool_id is None:
            return tools.held
        found = tuple(tool for tool in tools.held if tool.name == tool_id)
        if not found:
            await upstream.tool(tool_id)
        return found

    def accept(self, server_id: str, held: Sequence[HeldTool]) -> None:
        """Accept definitions that were held back, exactly as `held` returned them.

        Raises:
            PinsInvalidError: what was accepted is not known.

        """
        self.find(server_id).trust.accept(held)

    def tools(self) -> tuple[Tool, ...]:
        """Return the tools that are known now, by server in file order, then as it lists them."""
        return tuple(
            tool
            for upstream in self._upstreams.values()
            for tool in upstream.tools_now().tools.values()
        )

    # --- inside

    async def _start(self, upstreams: Sequence[Upstream]) -> None:
        async with anyio.create_task_group() as tasks:
            for upstream in upstreams:
                tasks.start_soon(upstream.start)

    # --- for the relay

    def upstreams(self) -> tuple[Upstream, ...]:
        """Return every configured upstream."""
        return tuple(self._upstreams.values())

    def listen(self, listener: Callable[[UpstreamChange], None]) -> Callable[[], None]:
        """Have a listener called with every change; return what ends that."""
        self._listeners.append(listener)

        def end() -> None:
            with suppress(ValueError):
                self._listeners.remove(listener)

        return end

    def _announce(self, server_id: str, kind: ChangeKind, uri: str) -> None:
        for listener in tuple(self._listeners):
            listener(UpstreamChange(server_id, kind, uri))

    def find(self, server_id: str) -> Upstream:
        """Return an upstream.

        Raises:
            UnknownServerError: no such upstream (the nearest name is in the hint).

        """
        if (upstream := self._upstreams.get(server_id)) is not None:
            return upstream
        raise UnknownServerError(
            f"no upstream is called '{server_id}'",
            hint=did_you_mean(
                server_id, self.server_ids(), otherwise="config.yaml has no mcpServers"
            ),
        )

    def spawn(self, task: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Start a task that ends with the pool at the latest.

        Raises:
            UpstreamUnavailableError: the pool is closed.

        """
        if self._tasks is None or not self._is_open:
            raise UpstreamUnavailableError(
                "the upstreams are closed",
                hint="call them inside `async with` of their pool",
                retryable=False,
                sent=False,
            )
        self._tasks.start_soon(task)
