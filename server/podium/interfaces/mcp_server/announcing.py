"""Changes at upstreams to the clients that want to hear of them, in both eras."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
    ToolsListChanged,
)

from podium.domain.ports import Relay
from podium.domain.relay import UpstreamChange
from podium.interfaces.mcp_server.directory import Directory
from podium.interfaces.mcp_server.fronts import Session

SETTLE_SECONDS = 0.05  # several changes in a row are announced once
MOST_UPDATES = 1_024  # of resources that wait to be announced; more are dropped

_LISTS: dict[str, tuple[ServerEvent, str]] = {
    "tools": (ToolsListChanged(), "notifications/tools/list_changed"),
    "prompts": (PromptsListChanged(), "notifications/prompts/list_changed"),
    "resources": (ResourcesListChanged(), "notifications/resources/list_changed"),
}

Look = Callable[[], Awaitable[Any]]


class Announcer:
    """Tells clients; `sessions` are those of the handshake era, `bus` leads to the modern ones."""

    def __init__(self, directory: Directory, looks: dict[str, Look]) -> None:
        self.sessions: dict[Session, None] = {}
        self.bus = InMemorySubscriptionBus()
        self._directory = directory
        self._looks = looks
        self._seen: dict[str, Any] = {}
        self._changed: set[str] = set()
        self._suspected = False
        self._updated: dict[tuple[str, str], None] = {}
        self._stirred = anyio.Event()

    def saw(self, kind: str, listed: Any) -> None:
        """Take note of what a client was shown, since only that can have changed for it."""
        self._seen[kind] = listed

    @asynccontextmanager
    async def listening(
        self, relay: Relay, on_tools_changed: Callable[[Callable[[], None]], Callable[[], None]]
    ) -> AsyncIterator[None]:
        """Announce changes inside the block.

        `on_tools_changed` has a function called when compositions became or stopped being tools,
        and returns what ends that.
        """
        end, end_of_tools = relay.listen(self._on_change), on_tools_changed(self._on_tools)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._announce)
                yield
                tasks.cancel_scope.cancel()
        finally:
            end()
            end_of_tools()

    def _on_tools(self) -> None:
        self._changed.add("tools")
        self._stirred.set()

    def _on_change(self, change: UpstreamChange) -> None:
        if not self._directory.may_expose(change.server_id):
            return
        if change.kind == "ready":
            self._suspected = True
        elif change.kind == "updated":
            if len(self._updated) < MOST_UPDATES:
                self._updated[change.server_id, change.uri] = None
        else:
            self._changed.add(change.kind)
        self._stirred.set()

    async def _announce(self) -> None:
        while True:
            await self._stirred.wait()
            await anyio.sleep(SETTLE_SECONDS)
            self._stirred = anyio.Event()
            updated, self._updated = self._updated, {}
            for server_id, uri in updated:
                await self._tell_of_update(self._directory.shown_uri(server_id, uri))
            changed, self._changed = self._changed, set()
            if self._suspected:
                self._suspected = False
                changed |= await self._kinds_that_differ()
            for kind in sorted(changed):
                await self._tell_of_list(kind)

    async def _kinds_that_differ(self) -> set[str]:
        """Return the lists that are not as clients last saw them, now that an upstream is there."""
        return {
            kind
            for kind, look in self._looks.items()
            if kind in self._seen and self._seen[kind] != await look()
        }

    async def _tell_of_list(self, kind: str) -> None:
        event, method = _LISTS[kind]
        await self.bus.publish(event)
        async with anyio.create_task_group() as tasks:
            for session in tuple(self.sessions):
                tasks.start_soon(session.tell, method)

    async def _tell_of_update(self, uri: str) -> None:
        await self.bus.publish(ResourceUpdated(uri))
        async with anyio.create_task_group() as tasks:
            for session in tuple(self.sessions):
                if uri in session.watched:
                    tasks.start_soon(session.tell, "notifications/resources/updated", {"uri": uri})
