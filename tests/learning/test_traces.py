"""Each case of `traces/*.json`: recorded traces, and the composition (or refusal) they come to."""

import json
from pathlib import Path
from typing import Any

import pytest

from podium.compositions.checker import Checker
from podium.domain.composition import Composition, StoredComposition
from podium.domain.trace import Trace
from podium.monitor.traces.compiler import Compiled, Refusal, compile_traces
from tests.learning.recorded import called, new_evaluator, spelled, trace_of

pytestmark = pytest.mark.anyio

CASES = [
    pytest.param(case, id=f"{path.stem}: {case['name']}")
    for path in sorted(Path(__file__).with_name("traces").glob("*.json"))
    for case in json.loads(path.read_text("utf-8"))
]


def compiled_from(case: dict[str, Any]) -> tuple[list[Trace], Compiled | Refusal]:
    """Return a case's traces and what they compile to."""
    traces = [trace_of(data, number) for number, data in enumerate(case["traces"])]
    return traces, compile_traces(traces, new_evaluator())


@pytest.mark.parametrize("case", CASES)
async def test_traces_come_to_what_their_case_says(case: dict[str, Any]) -> None:
    _, compiled = compiled_from(case)

    assert observed(compiled, case["expect"]) == case["expect"]


@pytest.mark.parametrize("case", [c for c in CASES if "refusal" not in c.values[0]["expect"]])
async def test_the_real_engine_makes_the_very_calls_of_each_trace(case: dict[str, Any]) -> None:
    traces, compiled = compiled_from(case)
    assert isinstance(compiled, Compiled)
    model = Composition.model_validate(compiled.composition)
    Checker(max_steps=10).require(StoredComposition(model, "learning", "case"))
    tools = {(step.server_id, step.tool_id) for step in model.steps}

    for trace, params in zip(traces, compiled.params, strict=True):
        made = await called(compiled.composition, params, trace)

        wanted = {
            spelled(call.full_name, call.arguments)
            for call in trace.calls
            if not call.is_error and (call.server_id, call.tool_id) in tools
        }
        left_out = {name for name in compiled.evidence.dropped if "nothing used" in name}
        assert set(made) <= wanted
        assert left_out or set(made) == wanted


def observed(compiled: Compiled | Refusal, expected: dict[str, Any]) -> dict[str, Any]:
    """Return what a case may expect, of the same keys."""
    if isinstance(compiled, Refusal):
        return {"refusal": compiled.code}
    composition = compiled.composition
    steps = composition["steps"]
    if "ignore_depends" in expected:
        steps = [{k: v for k, v in step.items() if k != "depends_on"} for step in steps]
    pattern = compiled.pattern
    seen = {
        "steps": steps,
        "params": compiled.params[0],
        "title": composition["name"],
        "output": composition["output"],
        "dropped": list(compiled.evidence.dropped),
        "required": composition["input_schema"].get("required", []),
        "schema": composition["input_schema"]["properties"],
        "pattern": None if pattern is None else pattern["regex"],
        "language": None if pattern is None else pattern["language"],
        "ignore_depends": True,
    }
    return {key: seen.get(key) for key in expected}
