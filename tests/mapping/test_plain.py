"""The glance at plain schemas never says yes where the validator says no or values change."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podium.mapping.coercion import _Coercion, coerce_arguments, schema_faults
from podium.mapping.plain import fits_plainly
from podium.mapping.schemas import errors_of, validator_of

NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
KINDS = st.sampled_from(
    ["string", "integer", "number", "boolean", "null", "object", "array", ["string", "null"]]
)


def _schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {},
        optional={
            "type": KINDS,
            "title": st.just("T"),
            "properties": st.dictionaries(NAMES, inner, max_size=3),
            "required": st.lists(NAMES, max_size=2, unique=True),
            "additionalProperties": inner,
            "items": inner,
            "minLength": st.just(2),
            "enum": st.just(["x"]),
        },
    )


SCHEMAS = st.recursive(st.booleans() | _schemas(st.booleans()), _schemas, max_leaves=5)


@given(value=VALUES, schema=SCHEMAS)
def test_what_fits_plainly_is_valid_and_stays_as_it_is(value: Any, schema: Any) -> None:
    if not fits_plainly(value, schema):
        return

    validator = validator_of(schema)

    assert validator is not None
    assert list(errors_of(validator, value)) == []
    assert repr(_Coercion(validator).coerce(value, schema, 64)) == repr(value)


@pytest.mark.parametrize(
    ("value", "schema", "fits"),
    [
        ({"text": "hi"}, {"type": "object", "properties": {"text": {"type": "string"}}}, True),
        ({"text": 7}, {"type": "object", "properties": {"text": {"type": "string"}}}, False),
        ({}, {"type": "object", "required": ["text"]}, False),
        ({"x": 1}, {"type": "object", "additionalProperties": False}, False),
        ({"x": [1, 2]}, {"properties": {"x": {"items": {"type": "integer"}}}}, True),
        ({"x": True}, {"properties": {"x": {"type": "integer"}}}, False),
        ({"x": 1}, {"minProperties": 1}, False),  # true, but not to be seen at a glance
    ],
)
def test_most_calls_are_told_at_a_glance(value: Any, schema: Any, *, fits: bool) -> None:
    assert fits_plainly(value, schema) is fits


def test_what_is_not_seen_at_a_glance_is_still_coerced_and_checked() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}

    assert coerce_arguments({"n": "12"}, schema) == {"n": 12}
    assert len(schema_faults({}, schema)) == 1
