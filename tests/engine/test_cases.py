"""Each case of `cases/*.json`: a composition over scripted tools, and what comes of it."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from podium.compositions.checker import Checker
from podium.compositions.graph import build_plan
from podium.compositions.params import checked_params, missing_params
from podium.domain.composition import Composition, StoredComposition
from podium.domain.errors import PodiumError
from podium.domain.execution import Execution
from podium.domain.limits import Limits
from podium.execution.runner import Runner, RunnerSettings
from podium.mapping.expressions import Evaluator
from podium.mapping.transformers import Transformers
from podium.testing import FakeClock, MemoryJournal
from tests.engine.scripted import upstreams_of

pytestmark = pytest.mark.anyio

CASES = [
    pytest.param(case, id=f"{path.stem}: {case['name']}")
    for path in sorted(Path(__file__).with_name("cases").glob("*.json"))
    for case in json.loads(path.read_text("utf-8"))
]


@pytest.mark.parametrize("case", CASES)
async def test_a_composition_comes_to_what_its_case_says(case: dict[str, Any]) -> None:
    expected = case["expect"]

    outcome = await play(case)

    assert {key: outcome[key] for key in expected} == expected


async def play(case: dict[str, Any]) -> dict[str, Any]:
    """Play a case and return everything that a case may expect."""
    upstreams = upstreams_of(case["tools"])
    journal, clock = MemoryJournal(), FakeClock()
    transformers = Transformers()
    limits = Limits(**case.get("limits", {}))
    runner = Runner(
        upstreams=upstreams,
        evaluator=Evaluator(transformers, clock=clock, limits=limits),
        journal=journal,
        clock=clock,
        limits=limits,
        settings=RunnerSettings(**case.get("settings", {})),
        source=random.Random(7),
    )
    execution = Execution("exec_1", case["composition"].get("id", ""), {})
    try:
        composition = Composition.model_validate(case["composition"])
        Checker(max_steps=10).require(StoredComposition(composition, "template", "case"))
        params = checked_params(composition, case.get("params", {}), is_strict=True)
        execution.params = params
        plan = build_plan(composition, params.keys())
        if plan.required_params:
            raise missing_params(composition, plan.required_params)
    except PodiumError as error:
        return {"refused": error.code, "message": error.message, "hint": error.hint}
    context = case.get("context", {"language": "en"})
    await runner.run(plan, execution, context)
    written = await journal.get("exec_1")
    assert written is not None
    assert written.to_dict() == execution.to_dict()
    error = execution.error or {}
    calls = len(upstreams.calls)
    return {
        "status": execution.status,
        "result": execution.result,
        "error": error.get("code"),
        "error_step": error.get("step_id"),
        "message": error.get("message"),
        "steps": {id_: record.status for id_, record in execution.steps.items()},
        "attempts": {id_: record.attempts for id_, record in execution.steps.items()},
        "outputs": {id_: record.output for id_, record in execution.steps.items()},
        "calls": [[name, arguments] for name, arguments in upstreams.calls],
        "most_running": upstreams.most_running,
        "durable": journal.durable,
        "files": list(execution.files),
        "naps": len(clock.slept),
        "call_count": calls,
        "fewer_calls_than": next(
            (n for n in [case["expect"].get("fewer_calls_than", 0)] if calls < n), None
        ),
        "rounds": {path: [record.status, record.inputs] for path, record in journal.rounds.items()},
    }
