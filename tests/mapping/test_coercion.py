"""Arguments coerced without loss, and what is wrong with them in sentences; the cases are data."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.mapping.coercion import coerce_arguments, schema_faults

FOLDER = Path(__file__).parent
COERCED = json.loads((FOLDER / "coercion.json").read_text(encoding="utf-8"))
FAULTY = json.loads((FOLDER / "faults.json").read_text(encoding="utf-8"))


def exactly(value: Any) -> str:
    """Return the value with its types: 1, 1.0 and true are equal for Python."""
    return json.dumps(value, sort_keys=True)


@pytest.mark.parametrize("case", COERCED, ids=range(len(COERCED)))
def test_arguments_are_coerced_as_the_case_says(case: dict[str, Any]) -> None:
    given_before = exactly(case["given"])

    coerced = coerce_arguments(case["given"], case["schema"])

    assert exactly(coerced) == exactly(case["coerced"])
    assert exactly(case["given"]) == given_before


@pytest.mark.parametrize("case", FAULTY, ids=range(len(FAULTY)))
def test_every_fault_is_said_in_a_sentence(case: dict[str, Any]) -> None:
    faults = schema_faults(case["value"], case["schema"], root=case.get("root", ""))

    found = [{"where": f.where, "message": f.message, "hint": f.hint} for f in faults]
    wanted = [{"hint": "", **fault} for fault in case["faults"]]
    assert sorted(found, key=exactly) == sorted(wanted, key=exactly)


def test_the_faults_are_bounded_in_number_and_length() -> None:
    value = {"x": ["long " * 10_000] * 1_000}

    faults = schema_faults(value, {"properties": {"x": {"items": {"type": "integer"}}}})

    assert len(faults) == 50
    assert all(len(str(fault)) < 200 for fault in faults)


def test_a_pattern_that_does_not_end_is_given_up() -> None:
    started = time.monotonic()

    faults = schema_faults("a" * 100 + "!", {"pattern": "^(a|aa)+$"})

    assert faults == []
    assert time.monotonic() - started < 2


def test_deep_values_and_schemas_do_not_crash() -> None:
    value: Any = "1"
    schema: Any = {"type": "integer"}
    for _ in range(400):
        value = {"x": value}
        schema = {"properties": {"x": schema}}

    assert coerce_arguments(value, schema) == value
    assert len(schema_faults(value, schema)) <= 1


@pytest.mark.parametrize(
    "schema",
    [
        {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]},
        {"allOf": [{"$ref": "#"}, {"$ref": "#"}]},
        {"properties": {"x": {"oneOf": [{"$ref": "#/properties/x"}, {"$ref": "#/properties/x"}]}}},
    ],
)
def test_a_schema_that_refers_to_itself_twice_over_costs_no_more_than_seconds(
    schema: dict[str, Any],
) -> None:
    started = time.monotonic()

    assert coerce_arguments({"x": "1"}, schema) == {"x": "1"}
    assert schema_faults({"x": "1"}, schema) == []

    assert time.monotonic() - started < 10


KINDS = st.sampled_from(
    ["string", "integer", "number", "boolean", "array", "object", "null", ["integer", "null"]]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.integers().map(str)
    | st.floats(allow_nan=False, allow_infinity=False).map(str),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=3), children)
    ),
    max_leaves=5,
)


@settings(max_examples=400, deadline=None)
@given(value=VALUES, kind=KINDS)
def test_what_fits_is_never_changed_and_what_is_changed_fits(value: Any, kind: Any) -> None:
    schema = {"properties": {"x": {"type": kind}}}

    coerced = coerce_arguments({"x": value}, schema)

    if not schema_faults({"x": value}, schema) and not isinstance(value, float):
        assert exactly(coerced) == exactly({"x": value})
    if exactly(coerced) != exactly({"x": value}):
        assert schema_faults(coerced, schema) == []


@settings(max_examples=300, deadline=None)
@given(number=st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_that_becomes_text_and_back_is_the_same_number(number: float) -> None:
    as_text = coerce_arguments({"x": number}, {"properties": {"x": {"type": "string"}}})
    back = coerce_arguments(as_text, {"properties": {"x": {"type": "number"}}})

    assert isinstance(as_text["x"], str)
    assert back == {"x": number}
