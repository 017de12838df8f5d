"""Which tools a request needs, from what was asked before: cases as data, and what always holds."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.compositions.synthesizer.sketching import Sketcher
from podium.domain.synthesis import PastPlan, Sketch
from podium.domain.tool import Tool
from podium.upstreams.catalog import Catalog

DATA = json.loads(Path(__file__).with_name("cases.json").read_text(encoding="utf-8"))
PAST = [PastPlan(text, tuple(tools)) for text, tools in DATA["past"]]
NAMES = tuple(DATA["tools"])
CASES = {case["name"]: case for case in DATA["cases"]}


def tools_without(gone: Sequence[str] = ()) -> list[Tool]:
    return [
        Tool(*name.split("."), description)
        for name, description in DATA["tools"].items()
        if name not in gone and "*" not in gone
    ]


def sketcher_of(
    past: Iterable[PastPlan] = (), gone: Sequence[str] = (), **options: Any
) -> Sketcher:
    tools = tools_without(gone)
    sketcher = Sketcher(tools, Catalog(tools).search, **options)
    sketcher.learn(past)
    return sketcher


def sketched(sketcher: Sketcher, text: str) -> Sketch:
    sketch = sketcher.sketch(text)
    assert sketch is not None
    return sketch


@pytest.mark.parametrize("name", CASES)
def test_a_request_is_sketched_as_the_case_says(name: str) -> None:
    case = CASES[name]
    past = (
        [PastPlan(text, tuple(tools)) for text, tools in case["past"]] if "past" in case else PAST
    )
    sketcher = sketcher_of(past, case.get("gone", ()))

    sketch = sketcher.sketch(case["request"])

    if case.get("none"):
        assert sketch is None
        return
    confidence = sketch.confidence if sketch else 0.0
    assert case.get("at_least", 0.0) <= confidence <= case.get("at_most", 1.0)
    if "tools" in case:
        assert sketch is not None
        assert sketch.tools == tuple(case["tools"])


def test_a_sketch_names_the_past_requests_it_rests_on_the_likest_first() -> None:
    sketch = sketched(sketcher_of(PAST), "Give me the weather forecast for Nice on Friday.")

    assert sketch.nearest[0].plan.text == "Give me the weather forecast for Nice tomorrow."
    likenesses = [each.likeness for each in sketch.nearest]
    assert likenesses == sorted(likenesses, reverse=True)
    assert all("weather.get_forecast" in each.plan.tools for each in sketch.nearest)


def test_a_sketch_from_texts_alone_rests_on_no_past_request() -> None:
    assert sketched(sketcher_of(), "Delete a file from the disk").nearest == ()


def test_a_missing_tool_lowers_what_is_thought_of_its_plan() -> None:
    text = "Send the latest commits of the repository to Marc by email."

    whole = sketched(sketcher_of(PAST), text)
    torn = sketched(sketcher_of(PAST, gone=["git.list_commits"]), text)

    assert torn.confidence < whole.confidence / 2


def test_seeing_a_plan_work_raises_the_confidence_in_it() -> None:
    sketcher = sketcher_of(PAST)
    text = "Archive what the accountant wrote in a file."
    before = sketched(sketcher, text)

    sketcher.learn([PastPlan(text, ("mail.search_emails", "files.write_file"))])

    after = sketched(sketcher, text)
    assert after.tools == ("mail.search_emails", "files.write_file")
    assert after.confidence > before.confidence


def test_a_past_plan_of_a_hundred_tools_is_recalled_whole() -> None:
    names = [f"tool_{number}" for number in range(100)]
    tools = [Tool("many", name, f"Does the thing number {name}") for name in names]
    sketcher = Sketcher(tools, Catalog(tools).search)
    plan = PastPlan("Run the whole nightly maintenance", tuple(f"many.{name}" for name in names))
    sketcher.learn([plan])

    sketch = sketched(sketcher, "Run the whole nightly maintenance now")

    assert sketch.tools == plan.tools


def test_only_the_beginning_of_a_text_of_100_kb_is_looked_at() -> None:
    sketcher = sketcher_of(PAST)
    long = "Please cancel my flight ticket. " + "lorem \u0000 ipsum. " * 7_000
    sketcher.learn([PastPlan(long, ("files.delete_file",))])

    assert len(long) > 100_000
    assert sketcher.sketch(long) == sketcher.sketch(long[:4_000])


def test_the_oldest_are_forgotten_beyond_the_limit() -> None:
    few = sketcher_of(PAST, limit=3)
    newest = sketcher_of(PAST[-3:])

    for text in (PAST[0].text, PAST[-1].text, "Book a room in a hotel"):
        assert few.sketch(text) == newest.sketch(text)


def test_what_is_asked_again_counts_once_and_is_not_the_oldest_any_more() -> None:
    first, second, third = PAST[3], PAST[13], PAST[6]
    sketcher = sketcher_of([first, second, first, third], limit=2)

    assert sketched(sketcher, first.text).nearest[0].plan == first
    assert all(each.plan != second for each in sketched(sketcher, second.text).nearest)


def test_a_past_request_without_words_or_tools_is_not_learnt() -> None:
    nothing = [PastPlan("", ("files.read_file",)), PastPlan("  ", NAMES[:1]), PastPlan("hello", ())]

    assert sketcher_of(nothing).sketch("hello") is None


plans = st.builds(
    PastPlan,
    st.one_of(st.sampled_from([plan.text for plan in PAST]), st.text(max_size=40)),
    st.lists(st.sampled_from(NAMES), max_size=4).map(tuple),
)


@settings(max_examples=30, deadline=None)
@given(st.lists(plans, max_size=12), st.data())
def test_learning_in_parts_is_learning_at_once(past: list[PastPlan], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(past)))
    request = data.draw(st.sampled_from([plan.text for plan in [*past, *PAST]]))
    in_parts = sketcher_of(past[:cut], limit=8)
    in_parts.sketch(request)
    in_parts.learn(past[cut:])

    assert in_parts.sketch(request) == sketcher_of(past, limit=8).sketch(request)


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=200))
def test_whatever_is_asked_the_tools_exist_once_each_and_the_confidence_is_a_share(
    text: str,
) -> None:
    sketch = sketcher_of(PAST).sketch(text)

    if sketch is not None:
        assert set(sketch.tools) <= set(NAMES)
        assert len(set(sketch.tools)) == len(sketch.tools) > 0
        assert 0 <= sketch.confidence <= 1
        assert all(0 <= each.likeness <= 1 for each in sketch.nearest)
