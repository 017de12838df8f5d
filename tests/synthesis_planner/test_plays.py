"""Drafts played by the real engine over scripted upstreams: the calls that they make."""

import json
from pathlib import Path
from typing import Any

import pytest

from podium.compositions.graph import build_plan
from podium.compositions.params import checked_params
from podium.domain.execution import Execution
from podium.domain.limits import Limits
from podium.execution.runner import Runner, RunnerSettings
from podium.mapping.expressions import Evaluator
from podium.mapping.transformers import Transformers
from podium.testing import FakeClock, FakeUpstreams, MemoryJournal
from tests.synthesis_planner.world import drafts_of, tools_of

pytestmark = pytest.mark.anyio
FILE = Path(__file__).parent / "plays" / "plays.json"
PLAYS = [pytest.param(case, id=case["name"]) for case in json.loads(FILE.read_text("utf-8"))]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("case", PLAYS)
async def test_a_draft_makes_the_calls_that_its_request_asks_for(case: dict[str, Any]) -> None:
    draft = drafts_of(case)[0]
    upstreams = scripted(case)
    runner = Runner(
        upstreams=upstreams,
        evaluator=Evaluator(Transformers(), clock=FakeClock(), limits=Limits()),
        journal=MemoryJournal(),
        clock=FakeClock(),
        limits=Limits(),
        settings=RunnerSettings(is_parallel=False),
    )
    params = checked_params(draft.composition, draft.params, is_strict=True)
    execution = Execution("exec_1", draft.composition.id, params)

    await runner.run(build_plan(draft.composition, params.keys()), execution, {}, None)

    assert execution.status == "success", execution.error
    assert [list(call) for call in upstreams.calls] == case["calls"]
    if "result" in case:
        assert execution.result == case["result"]


def scripted(case: dict[str, Any]) -> FakeUpstreams:
    """Return upstreams that give the answers of a case, one after the other."""
    upstreams = FakeUpstreams()
    for tool in tools_of(case):
        upstreams.add(
            tool.full_name,
            answering(list(case["answers"].get(tool.full_name, []))),
            input_schema=tool.input_schema,
            output_schema=tool.output_schema,
            effects=tool.effects,
        )
    return upstreams


def answering(answers: list[Any]) -> Any:
    """Return a tool that gives its answers in turn."""

    async def handle(_: dict[str, Any]) -> Any:
        return answers.pop(0)

    return handle
