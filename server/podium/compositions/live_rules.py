"""Rules for calls against the tools as they are now."""

from collections.abc import Iterator
from typing import Any

from podium.compositions.facts import Facts, Issue, error, warning
from podium.compositions.places import Keys, Place
from podium.domain.composition import Call, ToolStep
from podium.domain.errors import PodiumError
from podium.domain.naming import did_you_mean
from podium.domain.tool import Tool


def live_issues(place: Place, facts: Facts) -> Iterator[Issue]:
    """Yield what does not fit the tools of a step: its own, its alternatives', its undo's."""
    if not isinstance(place.step, ToolStep) or facts.tools is None:
        return
    yield from _call(place.step, place.keys, facts)
    for number, other in enumerate(place.step.alternatives):
        yield from _call(other, (*place.keys, "alternatives", number), facts)
    if place.step.undo is not None:
        yield from _call(place.step.undo, (*place.keys, "undo"), facts)


def _call(call: Call, keys: Keys, facts: Facts) -> Iterator[Issue]:
    tool = facts.tool(call)
    if isinstance(tool, Tool):
        yield from _arguments(call, keys, tool)
    elif isinstance(tool, PodiumError):
        key = "server_id" if tool.code == "unknown_server" else "tool_id"
        # A server that is down today does not make a composition wrong.
        is_wrong = tool.code in ("unknown_server", "unknown_tool")
        say = error if is_wrong else warning
        yield say(tool.message, (*keys, key), tool.hint)


def _arguments(call: Call, keys: Keys, tool: Tool) -> Iterator[Issue]:
    properties: Any = tool.input_schema.get("properties")
    known = properties if isinstance(properties, dict) else {}
    given = dict.fromkeys(call.arguments, "arguments")
    given |= dict.fromkeys(call.input_mapping, "input_mapping")
    say = error if tool.input_schema.get("additionalProperties") is False else warning
    for argument, key in given.items():
        if argument in known or not known:
            continue
        message = f"{tool.full_name} has no argument '{argument}'"
        yield say(message, (*keys, key, argument), did_you_mean(argument, known))
    required = tool.input_schema.get("required")
    for argument in required if isinstance(required, list) else []:
        if argument not in given:
            yield error(f"{tool.full_name} needs the argument '{argument}'", keys)
