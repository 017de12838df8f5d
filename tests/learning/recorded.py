"""Recorded traces of a case file, and tools that answer again what they answered then."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from podium.compositions.graph import build_plan
from podium.domain.composition import Composition
from podium.domain.execution import Execution
from podium.domain.limits import Limits
from podium.domain.tool import ToolResult
from podium.domain.trace import Trace, TracedCall
from podium.execution.runner import Runner, RunnerSettings
from podium.mapping.expressions import Evaluator
from podium.mapping.transformers import Transformers
from podium.testing import FakeClock, FakeUpstreams, MemoryJournal


def new_evaluator() -> Evaluator:
    """Return an evaluator over the built-in transformers."""
    return Evaluator(Transformers(), clock=FakeClock(), limits=Limits())


def trace_of(data: Mapping[str, Any], number: int) -> Trace:
    """Return a trace as a case writes it."""
    return Trace(
        f"t{number}",
        tuple(call_of(call) for call in data["calls"]),
        "u",
        f"c{number}",
        data.get("request", ""),
        data.get("is_whole", True),
    )


def call_of(data: Mapping[str, Any]) -> TracedCall:
    """Return a call as a case writes it; a read unless it says otherwise."""
    server_id, _, tool_id = data["tool"].partition(".")
    return TracedCall(
        server_id,
        tool_id,
        data["arguments"],
        data["returns"],
        data.get("error", False),
        data.get("effects", "read"),
        data.get("input_schema"),
        request=data.get("request", ""),
        is_cut=data.get("cut", False),
    )


async def called(
    composition: Mapping[str, Any], params: Mapping[str, Any], trace: Trace
) -> list[str]:
    """Play a composition with the real engine over a trace's answers; return its calls."""
    upstreams = FakeUpstreams()
    calls = [call for call in trace.calls if not call.is_error]
    for name in dict.fromkeys(call.full_name for call in calls):
        own = [call for call in calls if call.full_name == name]
        upstreams.add(
            name, _answering(own), effects=own[0].effects, input_schema=own[0].input_schema
        )
    clock, limits = FakeClock(), Limits()
    runner = Runner(
        upstreams=upstreams,
        evaluator=Evaluator(Transformers(), clock=clock, limits=limits),
        journal=MemoryJournal(),
        clock=clock,
        limits=limits,
        settings=RunnerSettings(max_retries=0),
    )
    model = Composition.model_validate(composition)
    execution = Execution("exec_1", model.id, dict(params))
    await runner.run(build_plan(model, params.keys()), execution, {})
    assert execution.status == "success", execution.error
    return sorted(spelled(name, arguments) for name, arguments in upstreams.calls)


def spelled(name: str, arguments: Mapping[str, Any]) -> str:
    """Return a call as one text."""
    return f"{name} {json.dumps(arguments, sort_keys=True, ensure_ascii=False)}"


def _answering(calls: Sequence[TracedCall]) -> Any:
    async def handle(arguments: dict[str, Any]) -> Any:
        for call in calls:
            if call.arguments == arguments:
                return call.value
        text = f"it was never called with {arguments}"
        return ToolResult(content=({"type": "text", "text": text},), is_error=True)

    return handle
