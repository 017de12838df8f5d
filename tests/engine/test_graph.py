"""What each step of a composition waits for: cases as data, and random nested compositions."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.compositions.graph import build_plan
from podium.domain.composition import Composition, PlannedStep
from podium.domain.errors import CompositionInvalidError

CASES = json.loads((Path(__file__).parent / "checks" / "plans.json").read_text("utf-8"))
PLANS = [pytest.param(case, id=case["name"]) for case in CASES if "expect" in case]
FAULTY = [pytest.param(case, id=case["name"]) for case in CASES if "faults" in case]


def parsed(value: dict[str, Any]) -> Composition:
    return Composition.model_validate(value, by_alias=True, by_name=False)


def planned(steps: tuple[PlannedStep, ...], path: str = "") -> Iterator[tuple[str, PlannedStep]]:
    """Yield every planned step with its path: `block/key of the body/step`."""
    for step in steps:
        here = path + step.step.id
        yield here, step
        for key, frame in step.frames.items():
            yield from planned(frame.steps, f"{here}/{key}/")


@pytest.mark.parametrize("case", PLANS)
def test_a_plan_is_what_its_case_says(case: dict[str, Any]) -> None:
    plan = build_plan(parsed(case["composition"]), case["params"])

    steps = dict(planned(plan.steps))
    found: dict[str, Any] = {
        "waits": {path: sorted(step.depends_on) for path, step in steps.items()},
        "params": {path: sorted(step.params) for path, step in steps.items()},
        "fields": {
            path: {name: list(ids) for name, ids in step.field_sources.items()}
            for path, step in steps.items()
        },
        "frames": {path: list(step.frames) for path, step in steps.items()},
        "required": sorted(plan.required_params),
    }
    for key, expected in case["expect"].items():
        if isinstance(expected, dict):
            assert {path: found[key][path] for path in expected} == expected, key
        else:
            assert found[key] == expected, key


@pytest.mark.parametrize("case", FAULTY)
def test_every_fault_of_a_graph_is_listed_with_its_place(case: dict[str, Any]) -> None:
    with pytest.raises(CompositionInvalidError) as refused:
        build_plan(parsed(case["composition"]), case["params"])

    assert [str(fault) for fault in refused.value.faults] == case["faults"]


# --- random compositions

# Steps may be called as variables of rounds are, which then hide them.
NAMES = ["s0", "s1", "item", "s2", "error", "s3", "s4", "s5", "s6", "s7"]
# Mostly a param: with more reads nearly every drawn composition would have a circle.
READS = st.sampled_from([*["p"] * 30, *NAMES, "m0", "m1"])
MAPPED = st.dictionaries(st.just("field"), st.sampled_from(["m0", "m1"]), max_size=1)


@st.composite
def compositions(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a composition of nested steps that read any name, visible or not."""
    free = list(NAMES)
    return {"id": "c", "steps": draw_steps(draw, free, depth=2)}


def draw_steps(draw: st.DrawFn, free: list[str], depth: int) -> list[dict[str, Any]]:
    count = draw(st.integers(1, 3))
    return [draw_step(draw, free, depth) for _ in range(count) if free]


def draw_step(draw: st.DrawFn, free: list[str], depth: int) -> dict[str, Any]:
    step: dict[str, Any] = {"id": free.pop(0), "output_mapping": draw(MAPPED)}
    kinds = ["tool", "loop", "switch", "parallel", "repeat", "try", "try"]
    kind = draw(st.sampled_from(kinds)) if depth else "tool"
    inner = [draw_steps(draw, free, depth - 1) for _ in range(2)] if kind != "tool" else [[], []]
    if kind != "tool" and not inner[0]:
        kind = "tool"
        inner = [[], []]
    reads = draw(st.lists(READS, min_size=1, max_size=2))
    match kind:
        case "loop":
            step |= {"steps": inner[0], "iterations": draw(READS), "output": {"o": draw(READS)}}
        case "switch":
            step |= {"switch": [{"when": draw(READS), "steps": inner[0]}], "default": inner[1]}
        case "parallel":
            step |= {"parallel": inner[0] + inner[1]}
        case "repeat":
            step |= {"repeat": inner[0], "until": draw(READS)}
        case "try":
            step |= {"try": inner[0], "catch": [{"steps": inner[1]}]}
        case _:
            mapping = {f"a{number}": name for number, name in enumerate(reads)}
            step |= {"server_id": "s", "tool_id": "t", "input_mapping": mapping}
    return step


def reference(composition: dict[str, Any]) -> dict[str, set[str]] | None:
    """Return what each step waits for beside it, found naively; None where it is refused.

    The rules as a reader of the documentation would apply them: look for each name in the frames
    from the inside out, then climb from the step that has it to where both stand side by side.
    """
    home: dict[str, tuple[str, ...]] = {}  # the bodies that a step is in, from the outside in
    of_branch: set[str] = set()  # bodies that are a `parallel`
    edges: dict[str, set[str]] = {}
    refused: list[str] = []

    def bodies_of(step: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
        found = [(key, step[key]) for key in ("steps", "parallel", "repeat", "try") if key in step]
        found += [("case", case["steps"]) for case in step.get("switch", [])]
        found += [("default", step["default"])] if "default" in step else []
        return found + [("catch", each["steps"]) for each in step.get("catch", [])]

    def settle(steps: list[dict[str, Any]], body: tuple[str, ...]) -> None:
        for step in steps:
            home[step["id"]] = body
            edges[step["id"]] = set()
            for key, inner in bodies_of(step):
                name = f"{step['id']}.{key}"
                if key == "parallel":
                    of_branch.add(name)
                settle(inner, (*body, name))

    settle(composition["steps"], ())

    def find(name: str, frames: list[list[dict[str, Any]]], bound: set[str]) -> list[str]:
        """Return the steps that a name leads to from a place that sees these frames."""
        if name in bound:
            return []
        steps = [step for frame in frames for step in frame]
        if name in {step["id"] for step in steps}:
            return [name]
        for frame in reversed(frames):
            for step in reversed(frame):
                if name in step["output_mapping"].values():
                    return [step["id"]]
        return ["?"]

    def climb(reader: str, place: tuple[str, ...], target: str) -> None:
        """Note that whoever holds the reader beside the target waits for the target."""
        if home[target] == place[: len(home[target])] or home[target] == home[reader]:
            depth = len(home[target])
            waiting = place[depth].split(".")[0] if depth < len(place) else reader
            edges[waiting].add(target)

    def look(steps: list[dict[str, Any]], frames: list[Any], bound: set[str], body: Any) -> None:
        is_parallel = bool(body) and body[-1] in of_branch
        for step in steps:
            seen = [*frames, [step] if is_parallel else steps]
            others = {other["id"] for other in steps} - {step["id"]} if is_parallel else set()
            note_reads(step, seen, bound, body, others)
            inner_bound = bound | ({"item", "index", "i"} if "iterations" in step else set())
            for key, inner in bodies_of(step):
                around = [*seen, step["try"]] if key == "catch" else seen
                more = {"error"} if key == "catch" else set()
                more |= {"index", "i", "previous"} if key == "repeat" else set()
                name = f"{step['id']}.{key}"
                blocked.append(others)
                look(inner, around, inner_bound | more, (*body, name))
                blocked.pop()

    blocked: list[set[str]] = []

    def note_reads(
        step: dict[str, Any], seen: list[Any], bound: set[str], body: Any, others: set[str]
    ) -> None:
        in_round = bound | ({"item", "index", "i"} if "iterations" in step else set())
        in_round |= {"index", "i", "previous"} if "repeat" in step else set()
        inside = [*seen, *(inner for _, inner in bodies_of(step))]
        reads = [(step.get(key), seen, bound) for key in ("when", "iterations")]
        reads += [(case["when"], seen, bound) for case in step.get("switch", [])]
        reads += [(name, seen, bound) for name in step.get("input_mapping", {}).values()]
        reads += [(name, inside, in_round) for name in step.get("output", {}).values()]
        reads += [(step.get("until"), inside, in_round)]
        forbidden = others.union(*blocked)
        for name, frames, names in reads:
            if name is None:
                continue
            if name in forbidden and name not in names:
                refused.append(f"{name} is another branch")
            for target in find(name, frames, names):
                if target != "?" and target in edges:
                    within = any(part.split(".")[0] == step["id"] for part in home[target])
                    if not within:
                        climb(step["id"], body, target)

    look(composition["steps"], [], set(), ())
    if refused or any(step in waits for step, waits in edges.items()) or is_circular(edges):
        return None
    return edges


def is_circular(edges: dict[str, set[str]]) -> bool:
    left = dict(edges)
    while left:
        free = [step for step, waits in left.items() if not waits & left.keys()]
        if not free:
            return True
        for step in free:
            del left[step]
    return False


@settings(max_examples=300)
@given(compositions())
def test_every_name_leads_where_a_naive_reader_finds_it(composition: dict[str, Any]) -> None:
    expected = reference(composition)

    # Every name is supplied, so that none falls through to the fields of results.
    supplied = ["m0", "m1", "p", *NAMES]
    try:
        plan = build_plan(parsed(composition), supplied)
    except CompositionInvalidError:
        assert expected is None
        return

    steps = [step for _, step in planned(plan.steps)]
    assert expected == {step.step.id: set(step.depends_on) for step in steps}


@given(compositions())
def test_a_plan_has_no_circle_and_waits_within_its_frames(composition: dict[str, Any]) -> None:
    try:
        plan = build_plan(parsed(composition), ())
    except CompositionInvalidError:
        return  # the test above says when

    frames = [plan.steps, *(f.steps for _, s in planned(plan.steps) for f in s.frames.values())]
    for frame in frames:
        waits = {step.step.id: set(step.depends_on) for step in frame}
        assert all(names <= waits.keys() for names in waits.values())
        assert not is_circular(waits)
