"""Lists that slots take from tools: asked for before a request is analysed, kept for a while."""

import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import anyio

from podium.domain.errors import PodiumError
from podium.domain.ports import Clock, Upstreams
from podium.intents.slots import Forms, ToolQuery, plain_forms
from podium.mapping.expressions import Evaluator, parse

FETCH_SECONDS = 5.0  # one list; a request waits for a list that was never there
RETRY_SECONDS = 30.0  # after a failure, before the tool is asked again
MAX_LISTS = 200  # of one workspace
MAX_ENTRIES = 20_000  # of one list; the rest is left out and told

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Kept:
    """A list as it was last given, and when the tool is asked again (monotonic seconds)."""

    forms: Forms
    until: float


class RuntimeLists:
    """The lists that tools give, as a matcher reads them (`ListSource`).

    `fill` asks for those that are missing or too old, each by one call at a time, whoever waits for
    it. A tool that fails leaves its last list in place, or an empty one, and the log says why.
    """

    def __init__(
        self,
        upstreams: Upstreams,
        evaluator: Evaluator,
        clock: Clock,
        *,
        fetch_seconds: float = FETCH_SECONDS,
    ) -> None:
        self._upstreams = upstreams
        self._evaluator = evaluator
        self._clock = clock
        self._fetch_seconds = fetch_seconds
        self._kept: dict[ToolQuery, _Kept] = {}
        self._locks: dict[ToolQuery, anyio.Lock] = {}

    def current(self, query: ToolQuery) -> Forms | None:
        """Return a list; None when nobody has asked for it yet."""
        kept = self._kept.get(query)
        return None if kept is None else kept.forms

    async def fill(self, queries: Iterable[ToolQuery]) -> None:
        """Ask the tools for the lists that are missing or too old; never raises for a failure."""
        due = [query for query in list(queries)[:MAX_LISTS] if self._is_due(query)]
        if not due:
            return
        async with anyio.create_task_group() as group:
            for query in due:
                group.start_soon(self._fill_one, query)

    def _is_due(self, query: ToolQuery) -> bool:
        kept = self._kept.get(query)
        return kept is None or self._clock.monotonic() >= kept.until

    async def _fill_one(self, query: ToolQuery) -> None:
        async with self._locks.setdefault(query, anyio.Lock()):
            if not self._is_due(query):
                return  # somebody else has asked meanwhile
            try:
                with anyio.fail_after(self._fetch_seconds):
                    forms = await self._fetched(query)
            except (PodiumError, TimeoutError, ValueError) as error:
                self._keep_old(query, str(error) or type(error).__name__)
            else:
                until = self._clock.monotonic() + query.ttl_seconds
                self._kept[query] = _Kept(forms, until)

    def _keep_old(self, query: ToolQuery, reason: str) -> None:
        logger.warning(
            "a tool did not give the list of a slot", extra={"tool": query.tool, "reason": reason}
        )
        before = self.current(query) or Forms()
        self._kept[query] = _Kept(before, self._clock.monotonic() + RETRY_SECONDS)

    async def _fetched(self, query: ToolQuery) -> Forms:
        server_id, _, tool_id = query.tool.partition(".")
        tool = await self._upstreams.tool(server_id, tool_id)
        if tool.effects == "destructive":
            raise ValueError(f"{query.tool} destroys something: it is not called for a list")
        result = await self._upstreams.call_tool(server_id, tool_id, json.loads(query.arguments))
        if result.is_error:
            raise ValueError(f"{query.tool} answered with an error")
        value = result.value()
        if query.value:
            value = self._evaluator.apply(parse(query.value), value)
        entries = list(entries_of(value))
        if len(entries) > MAX_ENTRIES:
            logger.warning(
                "the list of a slot is cut",
                extra={"tool": query.tool, "entries": len(entries), "kept": MAX_ENTRIES},
            )
        return plain_forms(entries[:MAX_ENTRIES])


def entries_of(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield how each value of a list is said and what it means.

    Raises:
        ValueError: it is no list of texts, numbers, or objects of `in` and `out`.

    """
    for item in _as_list(value):
        match item:
            case str():
                yield item, item
            case bool() | None:
                raise ValueError(f"a list of a slot holds {item!r}, which nobody can say")
            case int() | float():
                yield str(item), item
            case {"in": str() as said}:
                yield said, item.get("out", said)
            case {"in": list() as ways}:
                for said in ways:
                    if isinstance(said, str):
                        yield said, item.get("out", ways[0])
            case _:
                raise ValueError("a list of a slot holds something else than texts or in/out pairs")


def _as_list(value: Any) -> list[Any]:
    """Return the list that a result is, or the only list in it; JSONata unwraps lists of one."""
    if value is None:
        return []
    if isinstance(value, list):
        return value
    if isinstance(value, str | int | float) or "in" in value:
        return [value]
    lists = [each for each in value.values() if isinstance(each, list)]
    if len(lists) != 1:
        raise ValueError("the tool gave no list; say with 'value' where it is in the result")
    return lists[0]
