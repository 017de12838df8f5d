"""Whatever tools and requests say: no exception, bounded work, valid drafts or none."""

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.compositions.checker import Checker
from podium.compositions.synthesizer.planner import Planner
from podium.domain.composition import StoredComposition, ToolStep
from podium.domain.synthesis import Draft
from podium.domain.tool import Tool
from podium.upstreams.catalog import Catalog
from tests.synthesis_planner.world import NOW, SHARED, tool_of, tools_of

LONGEST_SECONDS = 5.0  # far more than it takes: it must not hang
RECURSIVE = {
    "type": "object",
    "properties": {"city": {"$ref": "#/properties/city"}, "node": {"$ref": "#/$defs/node"}},
    "$defs": {"node": {"type": "object", "properties": {"city": {"$ref": "#/$defs/node"}}}},
    "required": ["city", "node"],
}
HOSTILE: dict[str, Any] = {
    "recursive references": RECURSIVE,
    "no properties": {"type": "object"},
    "properties that are a list": {"type": "object", "properties": ["city"], "required": ["city"]},
    "true and false": {"properties": {"city": True, "day": False}, "required": ["city", "day"]},
    "required that is no list": {"properties": {"city": {"type": "string"}}, "required": "city"},
    "required that is not declared": {"properties": {}, "required": ["city", 3, None]},
    "ten thousand choices": {
        "properties": {"city": {"enum": [f"town {n}" for n in range(10_000)]}},
        "required": ["city"],
    },
    "ten thousand arguments": {
        "properties": {f"city_{n}": {"type": "string"} for n in range(10_000)},
    },
    "names that are no names": {
        "properties": {
            "": {}, "a b": {}, "`": {"type": "string"}, "and": {}, "ville é": {}, "$x": {},
        },
        "required": ["", "a b", "`", "and", "ville é", "$x"],
    },
    "types that are none": {"properties": {"city": {"type": 3}, "x": {"type": ["nope", None]}}},
    "a regex that never ends": {
        "properties": {"city": {"type": "string", "pattern": "^(a+)+$"}}, "required": ["city"],
    },
    "a huge description": {
        "properties": {"city": {"type": "string", "description": "city " * 50_000}},
        "required": ["city"],
    },
}  # fmt: skip
REQUESTS = (
    "weather in Paris", "météo à Lyon demain", "send the weather in Paris to bob@example.org",
    "weather " * 300, "a\x00b\x1b[31m weather", "« " * 500, "et puis " * 200, "🙂 weather in 東京?",
    "weather in Paris, " * 60,
)  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("side", ["arguments", "result"])
def test_a_hostile_schema_makes_valid_drafts_or_none(name: str, side: str) -> None:
    given_schema = HOSTILE[name] if side == "arguments" else {"type": "object"}
    result = HOSTILE[name] if side == "result" else None
    hints = {"readOnlyHint": True}
    hostile = Tool("odd", "get_weather", "Weather in a city.", given_schema, result, hints)
    tools = [hostile, *tools_of({"tools": ["weather.*", "mail.*"]})]

    for request in REQUESTS:
        began = time.perf_counter()
        drafts = planned(request, tools)
        assert time.perf_counter() - began < LONGEST_SECONDS
        assert faults(drafts, tools) == []


def test_a_huge_description_costs_no_more_than_its_beginning() -> None:
    tools = [Tool("odd", "get_weather", "Weather in a city. " * 20_000, {"type": "object"})]

    assert faults(planned("weather in Paris", tools), tools) == []


def test_no_tools_are_no_drafts() -> None:
    assert planned("weather in Paris", []) == ()


def test_five_hundred_tools_hide_nothing() -> None:
    crowd = [
        Tool(f"s{n % 25}", f"{verb}_{noun}_{n}", f"{verb.title()} the {noun} number {n}.",
             {"properties": {f"{noun}_id": {"type": "string"}}, "required": [f"{noun}_id"]},
             None, {"readOnlyHint": verb == "get"})
        for n, (verb, noun) in enumerate(
            (verb, noun) for verb in ("get", "update", "delete", "create")
            for noun in [f"{a}{b}" for a in ("red", "blue", "dark", "old", "new") for b in (
                "widget", "ledger", "server", "vessel", "garden", "engine", "statue", "bridge",
                "parcel", "ticket", "museum", "planet", "lesson", "recipe", "camera", "guitar",
                "jacket", "window", "harbor", "forest", "castle", "rocket", "market", "bottle",
                "carpet")]
        )
    ]  # fmt: skip
    tools = [*crowd, *tools_of({})]

    drafts = planned("list the orders of customer Dupont", tools)

    steps = [step for step in drafts[0].composition.steps if isinstance(step, ToolStep)]
    assert len(tools) > 500
    assert [step.tool_id for step in steps] == ["find_customer", "list_orders"]


WORDS = """
    get list create send delete weather orders customer id name email to bob@example.org Paris
    demain et puis and then « x » 42 #7 a.txt le la it les tous each latest moins cher , . : ? en
    dans for
"""
_WORDS = st.sampled_from(WORDS.split())
_SCHEMAS = st.recursive(
    st.sampled_from(
        [{}, True, {"type": "string"}, {"type": "integer"}, {"type": "string", "format": "email"},
         {"enum": ["open", "closed"]}, {"type": ["string", "null"]}, {"type": "boolean"},
         {"const": 3}]
    ),
    lambda inner: st.one_of(
        st.builds(lambda part: {"type": "array", "items": part}, inner),
        st.builds(
            lambda parts, required: {"type": "object", "properties": parts, "required": required},
            st.dictionaries(
                st.sampled_from(["id", "name", "email", "city", "order_id", "x-y"]),
                inner,
                max_size=4,
            ),
            st.lists(st.sampled_from(["id", "name", "email", "gone"]), max_size=3, unique=True),
        ),
    ),
    max_leaves=6,
)  # fmt: skip
_TOOLS = st.lists(
    st.builds(
        lambda verb, noun, given, result, hint: Tool(
            "s", f"{verb}_{noun}", f"{verb} the {noun}.",
            given if isinstance(given, dict) else {"type": "object"},
            result if isinstance(result, dict) else None, hint,
        ),
        st.sampled_from(["get", "list", "send", "delete", "create", "refund"]),
        st.sampled_from(["order", "customer", "weather", "mail", "file"]),
        _SCHEMAS, _SCHEMAS,
        st.sampled_from([{}, {"readOnlyHint": True}, {"destructiveHint": True}]),
    ),
    max_size=8, unique_by=lambda tool: tool.full_name,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    request=st.lists(_WORDS, max_size=25).map(" ".join),
    tools=_TOOLS,
    language=st.sampled_from(["fr", "en", "xx"]),
)
def test_any_request_over_any_tools_is_planned_without_a_fault(
    request: str, tools: list[Tool], language: str
) -> None:
    drafts = planned(request, tools, language)

    assert len(drafts) <= 5
    assert faults(drafts, tools) == []
    for draft in drafts:
        assert 0 <= draft.confidence <= 1
        assert len(draft.composition.steps) <= 8


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=300))
def test_any_text_at_all_is_planned_without_a_fault(request: str) -> None:
    tools = [tool_of(name, short) for name, short in SHARED.items() if name.startswith("m")]

    assert faults(planned(request, tools), tools) == []


def planned(request: str, tools: list[Tool], language: str = "en") -> tuple[Draft, ...]:
    """Return the drafts for a request."""
    return Planner(search=Catalog(tools).search, now=lambda: NOW).plan(request, language, tools)


def faults(drafts: tuple[Draft, ...], tools: list[Tool]) -> list[str]:
    """Return what the checker finds wrong with drafts."""
    live = {(tool.server_id, tool.name): tool for tool in tools}
    checker = Checker(max_steps=10)
    return [
        finding.message
        for draft in drafts
        for finding in checker.check(
            StoredComposition(draft.composition, "learning", "x"), tools=live
        )
        if finding.severity == "error"
    ]
