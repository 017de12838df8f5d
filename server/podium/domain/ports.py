"""What the stages need from the outside world; adapters satisfy it without inheriting."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from podium.domain.execution import Event, Execution, StepRecord
from podium.domain.tool import Tool, ToolMatch, ToolResult, UpstreamStatus

ProgressCallback = Callable[[float, float | None, str | None], Awaitable[None]]
"""Called with (progress, total, message) as an upstream reports them."""

EventListener = Callable[[Event], Awaitable[None]]
"""Called with each event of an execution; what it raises is logged and otherwise ignored."""


class Clock(Protocol):
    """Time, so that tests can set it."""

    def now(self) -> float:
        """Return wall-clock seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never jump; for durations and deadlines."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class Ids(Protocol):
    """Fresh identifiers."""

    def new(self, prefix: str) -> str:
        """Return an unguessable id such as `exec_…` (at least 128 random bits)."""
        ...


class Upstreams(Protocol):
    """The MCP servers that Podium calls."""

    def server_ids(self) -> tuple[str, ...]:
        """Return every configured upstream that is not disabled, in file order."""
        ...

    async def tool(self, server_id: str, tool_id: str) -> Tool:
        """Return a tool's definition, starting its upstream if need be.

        Raises:
            UnknownServerError: no such upstream (the nearest name is in the hint).
            UnknownToolError: the upstream offers no such tool, or it is quarantined.
            UpstreamError: the upstream cannot be started.

        """
        ...

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

        Cancelling the caller cancels the call at the upstream.

        Raises:
            UnknownServerError, UnknownToolError: as `tool`.
            UpstreamError: a subclass says what went wrong and whether the call was sent.
            ArgumentInvalidError: the arguments cannot be written as JSON; nothing was sent.

        """
        ...

    async def search(self, query: str, limit: int) -> list[ToolMatch]:
        """Return the tools that fit a query, best first, of every upstream that can be started.

        An empty query lists all tools, by server in file order, then as the server lists them.
        """
        ...

    async def start_all(self) -> None:
        """Start every upstream concurrently; return when each is ready or has failed."""
        ...

    def statuses(self) -> list[UpstreamStatus]:
        """Return the state of every configured upstream, in file order."""
        ...


class Journal(Protocol):
    """The record of executions."""

    async def record_execution(self, execution: Execution) -> None:
        """Write the execution's state, and each step's that is not yet written, lazily."""
        ...

    async def record_step(
        self, execution_id: str, step: StepRecord, *, durable: bool = False
    ) -> None:
        """Write one step's current state; with `durable`, return only once it is committed."""
        ...

    async def get(self, execution_id: str) -> Execution | None:
        """Return one execution with its steps, or None."""
        ...

    async def recent(self, limit: int) -> list[Execution]:
        """Return the latest executions, newest first, with their steps."""
        ...


class EraMemory(Protocol):
    """Which protocol era each upstream speaks, so that no start has to find out again."""

    def recall(self, server_id: str, fingerprint: str) -> dict[str, Any] | None:
        """Return what was remembered, if the server's definition (fingerprint) is unchanged."""
        ...

    def remember(self, server_id: str, fingerprint: str, era: dict[str, Any]) -> None:
        """Keep it; failing to is not an error."""
        ...
