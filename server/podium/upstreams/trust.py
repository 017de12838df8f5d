"""The tools that an upstream lists against those on record: what is new, what was changed.

A definition is put on record when it is first seen. One that is different later is held back,
neither offered nor callable, until a person accepts it: a server that was looked at when it was
added must not turn into another one afterwards.
"""

import hashlib
import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from podium.domain.errors import PinsInvalidError, PodiumError, ToolChangedError
from podium.domain.ports import Pins
from podium.domain.tool import HeldTool, Pin, Tool
from podium.upstreams.changes import LONGEST_SHOWN, SHOWN_CHANGES, changes
from podium.upstreams.definitions import ToolList

CHANGED = "its definition is no longer the accepted one"
MOST_CHANGES = 200  # that `podium trust` shows of one tool
LONGEST_CHANGE = 2_000  # characters of one value there
NOT_ON_RECORD = "what was accepted is not known"


class TrustGate:
    """Judges the lists of one upstream; without `pins` it lets everything through."""

    def __init__(self, server_id: str, pins: Pins | None) -> None:
        self._server_id = server_id
        self._pins = pins
        self._listed = self._judged = ToolList()
        self._version: Hashable = None

    def judged(self, listed: ToolList) -> ToolList:
        """Return the list without the tools that are held back, which it names in `held`.

        The record is looked at again as long as anything is held back, so that what a person
        accepts meanwhile is let through at once.
        """
        if self._pins is None:
            return listed
        if listed is self._listed and not self._judged.held:
            return self._judged
        version = self._pins.version()
        if listed is not self._listed or version != self._version:
            self._judged = self._judge(listed, self._pins)
            self._listed, self._version = listed, version
        return self._judged

    def accept(self, held: Sequence[HeldTool]) -> None:
        """Put the definitions of tools that were held back on record, exactly as they were shown.

        Raises:
            PinsInvalidError: the record cannot be relied on.

        """
        accepted = {tool.name: pin_of(tool.definition) for tool in held if tool.definition}
        if self._pins is not None and accepted:
            self._pins.keep(self._server_id, accepted, replace=True)

    def _judge(self, listed: ToolList, pins: Pins) -> ToolList:
        if not (listed.tools or listed.definitions):
            return listed
        found = {name: pin_of(definition) for name, definition in listed.definitions.items()}
        try:
            accepted = pins.of(self._server_id)
            fresh = {name: pin for name, pin in found.items() if name not in accepted}
            if fresh:
                pins.keep(self._server_id, fresh, replace=False)
                accepted = pins.of(self._server_id)  # another process may have been quicker
        except PinsInvalidError as error:
            reason = f"{NOT_ON_RECORD}: {error.message}; {error.hint}"
            held = tuple(HeldTool(name, reason) for name in listed.tools)
            return replace(listed, tools={}, held=held, pins_fault=error)
        admitted, held_back = _sorted_out(listed.tools, found, accepted)
        return replace(listed, tools=admitted, held=held_back)


def pin_of(definition: Mapping[str, Any]) -> Pin:
    """Return a definition's pin: a hash over all of it, whatever the order of its keys."""
    text = json.dumps(definition, sort_keys=True, separators=(",", ":"))
    return Pin(hashlib.sha256(text.encode()).hexdigest(), dict(definition))


def refusal(server_id: str, tools: ToolList, tool_id: str) -> PodiumError | None:
    """Return why a tool that is held back cannot be called; None if it is not held back."""
    held = next((each for each in tools.held if each.name == tool_id), None)
    if held is None:
        return None
    name = f"{server_id}.{tool_id}"
    if (fault := tools.pins_fault) is not None:
        return PinsInvalidError(f"tool '{name}' is held back: {fault.message}", hint=fault.hint)
    return ToolChangedError(
        f"tool '{name}' is held back: {held.reason} ({'; '.join(held.changes)})",
        hint=f"look at the change and accept it: podium trust {server_id} {tool_id}",
    )


def _sorted_out(
    tools: Mapping[str, Tool], found: Mapping[str, Pin], accepted: Mapping[str, Pin]
) -> tuple[dict[str, Tool], tuple[HeldTool, ...]]:
    admitted, held = {}, []
    for name, tool in tools.items():
        if found[name].sha256 == accepted[name].sha256:
            admitted[name] = tool
        else:
            held.append(_held(name, accepted[name], found[name]))
    return admitted, tuple(held)


def _held(name: str, old: Pin, new: Pin) -> HeldTool:
    held = HeldTool(name, CHANGED, (), new.definition, old.definition)
    return replace(held, changes=all_changes(held, most=SHOWN_CHANGES, longest=LONGEST_SHOWN))


def all_changes(
    held: HeldTool, *, most: int = MOST_CHANGES, longest: int = LONGEST_CHANGE
) -> tuple[str, ...]:
    """Return what is different in a tool that was changed, in full for a person to judge."""
    if held.on_record is None:
        return ("the accepted definition was too long to be kept, only its hash was",)
    found = changes(held.on_record, held.definition, most=most, longest=longest)
    return found or ("only the way its numbers are written",)
