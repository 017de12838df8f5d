"""Results of reads that are used again: kept ones, and those that others are just waiting for."""

import hashlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import anyio
import orjson

from podium.domain.ports import ResultCache
from podium.domain.tool import Tool, ToolResult

logger = logging.getLogger("podium.execution")

Origin = Literal["called", "kept", "shared"]

_CANONICAL = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS


def result_key(user_id: str, tool: Tool, arguments: dict[str, Any]) -> str | None:
    """Return the name of a result: of whom, of which tool as it is defined now, of what call.

    None for arguments that have no canonical form, such as integers of more than 64 bits.
    """
    definition = tool.definition or {"inputSchema": tool.input_schema}
    try:
        parts = [user_id, tool.server_id, tool.name, definition, arguments]
        return hashlib.sha256(orjson.dumps(parts, option=_CANONICAL)).hexdigest()
    except (TypeError, ValueError, RecursionError):
        return None


@dataclass(slots=True)
class _Flight:
    """A call under way that others wait for."""

    over: anyio.Event = field(default_factory=anyio.Event)
    result: ToolResult | None = None


class Reuse:
    """Makes a call once for all who want the same at the same time, and keeps what it gave.

    `hits` were kept, `shared` came from a call of somebody else, `misses` were called for.
    """

    def __init__(self, cache: ResultCache | None) -> None:
        self._cache = cache
        self._flights: dict[str, _Flight] = {}
        self.hits = 0
        self.misses = 0
        self.shared = 0

    async def result(
        self,
        key: str,
        ttl_seconds: float,
        call: Callable[[], Awaitable[ToolResult]],
        *,
        on_wait: Callable[[], None],
    ) -> tuple[ToolResult, Origin]:
        """Return a result and where it is from; when the call of another fails, make it again.

        `on_wait` is called before waiting for another's call. Raises what `call` raises.
        """
        while (other := self._flights.get(key)) is not None:
            on_wait()
            await other.over.wait()
            if other.result is not None:
                self.shared += 1
                return other.result, "shared"
        flight = self._flights[key] = _Flight()
        try:
            kept = await self._kept(key)
            if kept is not None:
                self.hits += 1
                flight.result = kept
                return kept, "kept"
            self.misses += 1
            flight.result = result = await call()
        finally:
            del self._flights[key]
            flight.over.set()
        await self._keep(key, result, ttl_seconds)
        return result, "called"

    async def _kept(self, key: str) -> ToolResult | None:
        if self._cache is None:
            return None
        try:
            return await self._cache.get(key)
        except Exception:
            # A cache is no reason to fail: whatever goes wrong is a miss.
            logger.exception("the result cache cannot be read")
            return None

    async def _keep(self, key: str, result: ToolResult, ttl_seconds: float) -> None:
        if self._cache is None:
            return
        try:
            await self._cache.put(key, result, ttl_seconds)
        except Exception:
            # As above.
            logger.exception("the result cache cannot be written")
