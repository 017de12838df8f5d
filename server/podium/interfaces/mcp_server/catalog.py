"""The tools that clients see, in their order, and what each name means when it is called."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from mcp.shared.inbound import x_mcp_header_map

from podium.domain.composition import (
    Alternative,
    Composition,
    CompositionStep,
    StoredComposition,
    ToolStep,
    all_calls,
    all_steps,
)
from podium.domain.errors import PodiumError
from podium.domain.ports import Front
from podium.domain.tool import Effects, Tool
from podium.interfaces.mcp_server import results, schemas
from podium.interfaces.mcp_server.asking import Talk
from podium.interfaces.mcp_server.definitions import Definition
from podium.interfaces.mcp_server.lines import Listing
from podium.interfaces.mcp_server.own_tools import (
    OWN_TOOLS,
    Arguments,
    OwnTool,
    checked,
    play_composition,
)
from podium.interfaces.mcp_server.passthrough import exposed_names, passed_on, without_open_output
from podium.interfaces.mcp_server.progress import Progress
from podium.interfaces.mcp_server.results import Result
from podium.orchestrator import Orchestrator

MAX_PASSED_THROUGH = 5_000  # tools of upstreams that one list may hold

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Call:
    """One `tools/call`; its `params` are as the client sent them.

    `connection_id` is the connection or session that it came by, None if it stands alone.
    """

    orchestrator: Orchestrator
    params: Mapping[str, Any]
    progress: Progress
    wants_progress: bool
    front: Front
    connection_id: str | None = None

    @property
    def arguments(self) -> Arguments:
        """The tool's arguments."""
        return self.params.get("arguments") or {}


@dataclass(frozen=True, slots=True)
class Entry:
    """One tool as clients see it, what a call of it does, and how it tells of a failure."""

    definition: Definition
    run: Callable[[Call], Awaitable[Result]]
    failed: Callable[[PodiumError, Arguments], Result]
    mirrors_arguments: bool = False  # in HTTP headers


@dataclass(slots=True)
class Catalog:
    """Podium's own tools, then the compositions offered as tools, then upstreams' tools.

    What was built is kept for as long as compositions and upstream tools stay the same.
    """

    orchestrator: Orchestrator
    _compositions: list[StoredComposition] = field(default_factory=list)
    _upstream_tools: list[Tool] = field(default_factory=list)
    _entries: dict[str, Entry] = field(default_factory=dict)
    _lists: dict[bool, Listing] = field(default_factory=dict)

    async def listing(self, *, any_value: bool) -> Listing:
        """Return every definition in the order of the list, the same object until it changes.

        With `any_value` the client takes structured content of any shape.
        """
        entries = (await self.entries()).values()
        if any_value not in self._lists:
            definitions = (entry.definition for entry in entries)
            self._lists[any_value] = Listing(
                definitions if any_value else map(without_open_output, definitions)
            )
        return self._lists[any_value]

    async def entries(self) -> dict[str, Entry]:
        """Return every tool by its name, in the order of the list."""
        self._build(await self._exposed_tools())
        return self._entries

    async def find(self, name: str) -> Entry | None:
        """Return the tool of that name; upstreams are asked only if nothing known has it."""
        if (entry := self.known(name)) is not None:
            return entry
        if self.orchestrator.config_expose:
            return (await self.entries()).get(name)
        return None

    def known(self, name: str) -> Entry | None:
        """Return the tool of that name as far as it is known without asking upstreams."""
        if name in _OWN:
            return _OWN[name]
        self._build(self._upstream_tools)
        return self._entries.get(name)

    async def _exposed_tools(self) -> list[Tool]:
        globs = self.orchestrator.config_expose
        if not globs:
            return []
        found = await self.orchestrator.search_tools("", MAX_PASSED_THROUGH)
        return [
            match.tool
            for match in found
            if any(fnmatchcase(match.tool.full_name, glob) for glob in globs)
        ]

    def _build(self, upstream_tools: list[Tool]) -> None:
        compositions = self.orchestrator.tool_compositions()
        if (
            self._entries
            and compositions == self._compositions
            and upstream_tools == self._upstream_tools
        ):
            return
        entries = dict(_OWN)
        for stored in compositions:
            _add(entries, stored.id, _composition(stored), f"the composition '{stored.id}'")
        prefix = self.orchestrator.config_prefix
        for name, tool in exposed_names(upstream_tools, prefix, taken=entries):
            _add(entries, name, _passed_through(tool, name), tool.full_name)
        self._compositions, self._upstream_tools = list(compositions), upstream_tools
        self._entries, self._lists = entries, {}


def _add(entries: dict[str, Entry], name: str, entry: Entry, what: str) -> None:
    if name in entries:
        _log.warning("%s is not offered as a tool: the name '%s' is taken", what, name)
        return
    entries[name] = entry


# --- Podium's own tools


async def _run_own(tool: OwnTool, call: Call) -> Result:
    return await tool.run(
        call.orchestrator,
        checked(tool, call.arguments),
        call.progress,
        Talk(call.front, call.params, call.connection_id),
    )


_OWN = {
    tool.name: Entry(tool.definition, partial(_run_own, tool), tool.failed) for tool in OWN_TOOLS
}


# --- compositions


def _composition(stored: StoredComposition) -> Entry:
    def failed(error: PodiumError, arguments: Arguments) -> Result:
        return results.of_failed_request(error, {**arguments, "composition_id": stored.id})

    return Entry(_composition_definition(stored), partial(_play, stored.id), failed)


async def _play(composition_id: str, call: Call) -> Result:
    return await play_composition(
        composition_id,
        dict(call.arguments),
        call.orchestrator,
        {},
        call.progress,
        Talk(call.front, call.params),
    )


def _composition_definition(stored: StoredComposition) -> Definition:
    composition = stored.composition
    title = composition.name or composition.id
    calls, effects = _calls(composition)
    about = composition.description or title
    reads = effects <= {"read"}
    destroys = not effects <= {"read", "write"}
    return {
        "name": composition.id,
        "title": title,
        "description": f"{about} (calls {', '.join(calls)})" if calls else about,
        "inputSchema": {**(composition.input_schema or {}), "type": "object"},
        "outputSchema": schemas.REPLY,
        "annotations": {
            "title": title,
            "readOnlyHint": reads,
            "destructiveHint": destroys,
            "idempotentHint": reads,
            "openWorldHint": True,
        },
    }


def _calls(composition: Composition) -> tuple[list[str], set[Effects | None]]:
    """Return all that a composition may call, each once, and what it says that those do."""
    calls: dict[str, None] = {}
    effects: set[Effects | None] = set()
    for call in all_calls(composition.steps):
        calls[f"{call.server_id}.{call.tool_id}"] = None
        effects.add(call.effects if isinstance(call, ToolStep | Alternative) else None)
    for step in all_steps(composition.steps):
        if isinstance(step, CompositionStep):
            calls[step.composition] = None
            effects.add(None)  # what that one does is not said here
    return list(calls), effects


# --- tools of upstreams


def _passed_through(tool: Tool, name: str) -> Entry:
    def failed(error: PodiumError, _arguments: Arguments) -> Result:
        return results.of_relayed_error(error)

    definition = passed_on(tool, name)
    mirrored = bool(x_mcp_header_map(definition.get("inputSchema")))
    return Entry(definition, partial(_relay, tool), failed, mirrors_arguments=mirrored)


async def _relay(tool: Tool, call: Call) -> Result:
    result = await call.orchestrator.pass_on(
        tool,
        dict(call.params),
        call.front,
        on_progress=call.progress.on_progress if call.wants_progress else None,
        connection_id=call.connection_id,
    )
    return results.relayed(result, any_value=call.front.is_modern)
