"""How compositions of several kinds of steps are described as tools."""

from typing import Any

import pytest
from mcp import Client

from podium.domain.composition import Composition, StoredComposition
from podium.interfaces.mcp_server import mcp_server

pytestmark = pytest.mark.anyio


def call(id_: str, effects: str | None = "read", **more: Any) -> dict[str, Any]:
    return {"id": id_, "server_id": "s", "tool_id": id_, "effects": effects, **more}


OTHER = {"server_id": "s", "tool_id": "other"}


@pytest.mark.parametrize(
    ("steps", "calls", "reads", "destroys"),
    [
        ([{"id": "g", "steps": [call("a"), call("b")]}], " (calls s.a, s.b)", True, False),
        (
            [{"id": "g", "steps": [call("a"), call("b", "write")]}],
            " (calls s.a, s.b)",
            False,
            False,
        ),
        (
            [{"id": "t", "try": [call("a")], "catch": [{"steps": [call("b", "destructive")]}]}],
            " (calls s.a, s.b)",
            False,
            True,
        ),
        ([call("a"), call("b", None)], " (calls s.a, s.b)", False, True),
        ([call("a", alternatives=[OTHER])], " (calls s.a, s.other)", False, True),
        (
            [call("a", alternatives=[{**OTHER, "effects": "read"}])],
            " (calls s.a, s.other)",
            True,
            False,
        ),
        ([call("a", "write", undo=OTHER)], " (calls s.a, s.other)", False, True),
        ([call("a"), {"id": "k", "composition": "more"}], " (calls s.a, more)", False, True),
        ([{"id": "v", "transform": "1"}, {"id": "q", "ask": "'?'"}], "", True, False),
    ],
)
async def test_what_steps_inside_may_do_counts(
    orchestrator: Any, steps: list[dict[str, Any]], calls: str, *, reads: bool, destroys: bool
) -> None:
    value = {"id": "c", "description": "Does it.", "steps": steps, "tool": True}
    composition = Composition.model_validate(value, by_name=False)
    orchestrator.compositions = [StoredComposition(composition, "template", "c.json")]

    async with Client(mcp_server(orchestrator)) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}

    hints = tools["c"].annotations
    assert tools["c"].description == f"Does it.{calls}"
    assert (hints.read_only_hint, hints.destructive_hint) == (reads, destroys)
