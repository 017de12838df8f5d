"""All upstreams of a workspace behind the `Upstreams` port."""

import random
from collections.abc import Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Self

import anyio
import anyio.abc

from podium.domain.errors import UnknownServerError, UpstreamUnavailableError
from podium.domain.limits import Limits
from podium.domain.naming import did_you_mean
from podium.domain.ports import Clock, EraMemory, ProgressCallback
from podium.domain.redaction import Redactor
from podium.domain.tool import Tool, ToolMatch, ToolResult, UpstreamStatus
from podium.upstreams.catalog import Catalog
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
    ) -> None:
        self._tasks: anyio.abc.TaskGroup | None = None
        self._is_open = False
        self._upstreams = {
            one.server_id: Upstream(
                one,
                eras=eras,
                clock=clock,
                chance=chance or random.SystemRandom().random,
                redactor=redactor or Redactor(),
                longest_list=(limits or Limits()).tools_per_server,
                spawn=self._spawn,
            )
            for one in settings
        }
        self._catalog = Catalog(())

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
        await self._tasks.__aexit__(None, None, None)

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
        return await self._upstream(server_id).tool(tool_id)

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
        return await self._upstream(server_id).call(tool_id, arguments, seconds, on_progress)

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
        return [upstream.status() for upstream in self._upstreams.values()]

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

    def _upstream(self, server_id: str) -> Upstream:
        if (upstream := self._upstreams.get(server_id)) is not None:
            return upstream
        raise UnknownServerError(
            f"no upstream is called '{server_id}'",
            hint=did_you_mean(
                server_id, self.server_ids(), otherwise="config.yaml has no mcpServers"
            ),
        )

    def _spawn(self, task: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if self._tasks is None or not self._is_open:
            raise UpstreamUnavailableError(
                "the upstreams are closed",
                hint="call them inside `async with` of their pool",
                retryable=False,
                sent=False,
            )
        self._tasks.start_soon(task)
