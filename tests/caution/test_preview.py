"""What a composition would do is told beforehand, call by call."""

import json
from pathlib import Path
from typing import Any

import pytest

from podium.domain.composition import Composition
from podium.domain.deed import Deed
from podium.domain.limits import Limits
from podium.execution.preview import MOST_DEEDS, foresee
from podium.mapping.expressions import Evaluator
from podium.mapping.transformers import Transformers
from podium.testing import FakeClock, FakeUpstreams

pytestmark = pytest.mark.anyio

HERE = Path(__file__).parent
CASES = json.loads((HERE / "deeds.json").read_text("utf-8"))
KNOWN = json.loads((HERE / "compositions.json").read_text("utf-8"))["learning"]


async def foreseen(steps: list[Any], params: dict[str, Any], **known: Any) -> tuple[Deed, ...]:
    async def nothing(_: dict[str, Any]) -> Any:
        raise AssertionError("nothing may be called")

    upstreams = FakeUpstreams()
    tools = (("s.echo", "read"), ("s.write", "destructive"), ("tasks.create", "write"))
    for name, effects in tools:
        upstreams.add(name, nothing, effects=effects)
    compositions = {each["id"]: each for each in (*KNOWN, *known.values())}

    def find(composition_id: str) -> Composition | None:
        document = compositions.get(composition_id)
        return None if document is None else Composition.model_validate(document)

    return await foresee(
        Composition.model_validate({"id": "c", "steps": steps}),
        params,
        upstreams=upstreams,
        evaluator=Evaluator(Transformers(), clock=FakeClock(), limits=Limits()),
        find=find,
        max_depth=3,
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["about"])
async def test_each_call_is_told(case: dict[str, Any]) -> None:
    deeds = await foreseen(case["steps"], case["params"])

    assert deeds == tuple(
        Deed(**{**deed, "circumstances": tuple(deed.get("circumstances", ()))})
        for deed in case["deeds"]
    )


async def test_compositions_that_play_one_another_come_to_an_end() -> None:
    ring = {"id": "ring", "steps": [{"id": "it", "composition": "ring"}]}

    deeds = await foreseen([{"id": "it", "composition": "ring"}], {}, ring=ring)

    assert [(deed.tool, deed.effects) for deed in deeds] == [("ring", "write")]


async def test_what_goes_beyond_the_bound_counts_as_writing() -> None:
    steps = [{"id": f"s{n}", "server_id": "s", "tool_id": "echo"} for n in range(MOST_DEEDS + 5)]

    deeds = await foreseen(steps, {})

    assert {deed.effects for deed in deeds[:-1]} == {"read"}
    assert (len(deeds), deeds[-1].effects) == (MOST_DEEDS + 1, "write")
