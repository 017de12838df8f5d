"""A step that fails again and again, and what is proposed in its place."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podium.compositions.checker import Checker
from podium.domain.composition import Composition, StoredComposition
from podium.domain.learning import Lifetime, Recent
from podium.domain.tallies import Subject, Tally
from podium.domain.tool import Tool
from podium.monitor.repair import Known, Trouble, propose, troubles

DATA = json.loads(Path(__file__).with_name("repairs.json").read_text("utf-8"))
COMPOSITION = Composition.model_validate(DATA["composition"])
HINTS = {
    "read": {"readOnlyHint": True},
    "write": {},
    "destructive": {"destructiveHint": True},
}


@pytest.mark.parametrize("case", DATA["cases"], ids=lambda case: case["name"])
def test_a_repair_is_what_its_case_says(case: dict[str, Any]) -> None:
    proposals = propose(COMPOSITION, Trouble(case["step"], case["code"], 3, 5), known_of(case))

    if case["kind"] is None:
        assert proposals == []
        return
    best = proposals[0]
    (step,) = (s for s in best.document["steps"] if s["id"] == case["step"])
    assert best.kind == case["kind"]
    assert f"{step['server_id']}.{step['tool_id']}" == case["tool"]
    assert step.get("input_mapping", {}) == case["input_mapping"]
    assert step.get("arguments", {}) == case.get("arguments", {})


@pytest.mark.parametrize("case", DATA["cases"], ids=lambda case: case["name"])
def test_what_is_proposed_passes_the_checker_and_differs_in_one_step(case: dict[str, Any]) -> None:
    proposals = propose(COMPOSITION, Trouble(case["step"], case["code"], 3, 5), known_of(case))

    for proposal in proposals:
        proposed = Composition.model_validate(proposal.document)
        Checker(max_steps=10).require(StoredComposition(proposed, "learning", "proposal"))
        changed = [
            after.id
            for before, after in zip(COMPOSITION.steps, proposed.steps, strict=True)
            if before != after
        ]
        assert changed == [case["step"]]


def known_of(case: dict[str, Any]) -> Known:
    tools = {**DATA["tools"], **case.get("tools", {})}
    kept = {name: value for name, value in tools.items() if name not in case.get("without", ())}
    others = [Composition.model_validate(other) for other in case.get("others", ())]
    return Known([tool_of(name, value) for name, value in kept.items()], others)


def tool_of(full_name: str, value: dict[str, Any]) -> Tool:
    server_id, _, name = full_name.partition(".")
    defaults = value.get("defaults", {})
    properties = {
        argument: {"type": "string"}
        | ({"default": defaults[argument]} if argument in defaults else {})
        for argument in value["required"]
    }
    return Tool(
        server_id,
        name,
        value.get("about", ""),
        {"type": "object", "properties": properties, "required": value["required"]},
        {"type": "object", "properties": {field: {} for field in value["gives"]}},
        HINTS[value.get("effects", "read")],
    )


NAMES = st.sampled_from(["read_file", "read", "file", "list_directory", "path", "text", "x"])


@given(
    tools=st.lists(
        st.builds(
            tool_of,
            st.builds("{}.{}".format, st.sampled_from(["files", "disk"]), NAMES),
            st.fixed_dictionaries(
                {
                    "required": st.lists(NAMES, max_size=3, unique=True),
                    "gives": st.lists(NAMES, max_size=3),
                    "effects": st.sampled_from(["read", "write", "destructive"]),
                }
            ),
        ),
        max_size=8,
        unique_by=lambda tool: tool.full_name,
    ),
    step=st.sampled_from(["list", "read"]),
    code=st.sampled_from(["tool_failed", "argument_invalid", "unknown_tool", "upstream_closed"]),
)
def test_whatever_tools_there_are_a_stand_in_does_to_the_world_what_the_old_tool_did(
    tools: list[Tool], step: str, code: str
) -> None:
    known = Known(tools)
    (before,) = (s for s in DATA["composition"]["steps"] if s["id"] == step)
    old = known.tool(f"{before['server_id']}.{before['tool_id']}")
    wanted = old.effects if old else "read"  # a tool that is gone is thought to have read only

    for proposal in propose(COMPOSITION, Trouble(step, code, 3, 5), known):
        (raw,) = (s for s in proposal.document["steps"] if s["id"] == step)
        chosen = f"{raw['server_id']}.{raw['tool_id']}"
        tool = known.tool(chosen)
        assert tool is not None
        if proposal.kind == "tool":
            assert tool.effects == wanted != "destructive"


# --- when a step is in trouble


def lifetime(codes: str) -> Lifetime:
    return Lifetime(Subject("step", "v", "read"), Tally(), tuple(runs_of(codes)))


def runs_of(codes: str) -> Iterator[Recent]:
    """Yield runs, newest first: `.` succeeded, `t` a tool's error, `m` missing, `o` an outage."""
    names = {"t": "tool_failed", "m": "missing_value", "o": "upstream_closed"}
    for number, code in enumerate(codes):
        name = names.get(code, "")
        yield Recent(f"e{number}", "failure" if name else "success", name, 1.0, 0.0)


@pytest.mark.parametrize(
    ("codes", "found"),
    [
        ("ttt", [("tool_failed", 3)]),
        ("t.t.t", [("tool_failed", 3)]),
        ("tt", []),
        (".ttt", []),  # it works again
        ("t.....t.....t", []),  # now and then
        ("ooo", []),  # an outage gets time to pass
        ("oooooooo..", [("upstream_closed", 8)]),
        ("ttmt", [("tool_failed", 3)]),
        ("", []),
    ],
)
def test_a_step_is_in_trouble_when_the_same_happens_again_and_again(
    codes: str, found: list[tuple[str, int]]
) -> None:
    assert [(t.code, t.times) for t in troubles([lifetime(codes)])] == found
