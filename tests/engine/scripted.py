"""Tools whose behaviour is data: what a case says is what they do, call after call."""

from collections.abc import Mapping, Sequence
from typing import Any

import anyio

from podium.domain import errors
from podium.domain.tool import ToolResult
from podium.testing import FakeUpstreams

ERRORS = {
    error.code: error
    for error in vars(errors).values()
    if isinstance(error, type) and issubclass(error, errors.PodiumError)
}


def upstreams_of(tools: Mapping[str, Mapping[str, Any]]) -> FakeUpstreams:
    """Return upstreams with the tools of a case."""
    upstreams = FakeUpstreams()
    for full_name, tool in tools.items():
        behaviours = tool["does"] if isinstance(tool["does"], list) else [tool["does"]]
        upstreams.add(
            full_name,
            _handler(behaviours),
            input_schema=tool.get("input_schema"),
            output_schema=tool.get("output_schema"),
            effects=tool.get("effects", "read"),
            idempotent=tool.get("idempotent", False),
        )
        upstreams.failing_starts[full_name.partition(".")[0]] = tool.get("starts_at_try", 1) - 1
    return upstreams


def _handler(behaviours: Sequence[Mapping[str, Any]]) -> Any:
    remaining = list(behaviours)

    async def handle(arguments: dict[str, Any]) -> Any:
        # The last behaviour stays for all later calls.
        behaviour = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        for key, value in behaviour.items():
            return await BEHAVIOURS[key](value, arguments)
        raise AssertionError("an empty behaviour")

    return handle


async def _return(value: Any, _: dict[str, Any]) -> Any:
    await anyio.lowlevel.checkpoint()
    return value


async def _echo(_: Any, arguments: dict[str, Any]) -> Any:
    await anyio.lowlevel.checkpoint()
    return arguments


async def _look_up(table: Mapping[str, Any], arguments: dict[str, Any]) -> Any:
    """Answer by the only argument's value; a text that begins with `!` is a tool error."""
    (key,) = arguments.values()
    value = table[str(key)]
    if isinstance(value, str) and value.startswith("!"):
        return await _tool_error(value[1:], arguments)
    return value


async def _text(text: str, _: dict[str, Any]) -> ToolResult:
    return ToolResult(content=({"type": "text", "text": text},))


async def _blocks(blocks: Sequence[dict[str, Any]], _: dict[str, Any]) -> ToolResult:
    return ToolResult(content=tuple(blocks))


async def _tool_error(message: str, _: dict[str, Any]) -> ToolResult:
    return ToolResult(content=({"type": "text", "text": message},), is_error=True)


async def _raise(what: Mapping[str, Any], _: dict[str, Any]) -> Any:
    error = ERRORS[what["code"]]
    raise error(what.get("message", "as scripted"), **what.get("fields", {}))


async def _hang(_: Any, __: dict[str, Any]) -> Any:
    await anyio.sleep_forever()


async def _wait(seconds: float, _: dict[str, Any]) -> Any:
    await anyio.sleep(seconds)
    return {"waited": seconds}


async def _crash(message: str, _: dict[str, Any]) -> Any:
    raise RuntimeError(message)


BEHAVIOURS = {
    "returns": _return,
    "echoes": _echo,
    "looks_up": _look_up,
    "text": _text,
    "blocks": _blocks,
    "tool_error": _tool_error,
    "raises": _raise,
    "hangs": _hang,
    "waits": _wait,
    "crashes": _crash,
}
