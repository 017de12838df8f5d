"""Results to the schema they all fit, and to an alarm when one does not."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.domain.redaction import Redactor
from podium.mapping.coercion import schema_faults
from podium.monitor.schemas import (
    MAX_FIELDS,
    MAX_PLACES,
    ObservedSchemas,
    Shape,
    observe,
    schema_of,
)
from podium.storage.traces import SqliteTraces
from podium.testing import FakeClock

LEAVES = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-2, 2) | st.text(max_size=3)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=8,
)


@settings(deadline=None)  # a busy machine is no fault
@given(st.lists(VALUES, min_size=1, max_size=6))
def test_every_value_fits_the_schema_of_all(values: list[Any]) -> None:
    schema = schema_of(values)

    assert [schema_faults(value, schema) for value in values] == [[] for _ in values]


@settings(deadline=None)
@given(st.lists(VALUES, max_size=5), st.lists(VALUES, max_size=5))
def test_a_shape_kept_and_loaded_goes_on_as_if_nothing_happened(
    before: list[Any], after: list[Any]
) -> None:
    whole, kept = Shape(), Shape()
    for value in before:
        whole.add(value)
        kept.add(value)
    loaded = Shape.from_dict(kept.to_dict())
    for value in after:
        whole.add(value)
        loaded.add(value)

    assert loaded.schema() == whole.schema()


def test_required_is_what_every_object_has_and_null_is_a_type() -> None:
    schema = schema_of([{"id": 1, "name": "a"}, {"id": 2, "name": None, "tags": ["x"]}])

    assert schema == {
        "type": "object",
        "properties": {
            "id": {"type": "integer"},
            "name": {"type": ["null", "string"]},
            "tags": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["id", "name"],
    }


def test_whole_and_broken_numbers_are_numbers() -> None:
    assert schema_of([1, 2.5]) == {"type": "number"}


def test_an_object_of_very_many_keys_is_a_map() -> None:
    schema = schema_of([{f"key {number}": number for number in range(MAX_FIELDS + 1)}])

    assert schema == {"type": "object"}


def test_what_five_results_fitted_and_the_sixth_does_not_is_an_alarm() -> None:
    shape = Shape()
    quiet = [observe(shape, "s.find", {"hits": [{"id": n}]}) for n in range(5)]

    alarm = observe(shape, "s.find", {"results": []})

    assert quiet == [None] * 5
    assert alarm is not None
    assert (alarm.tool, alarm.observations) == ("s.find", 5)
    assert alarm.message.startswith(
        "s.find returned something else than in 5 calls before: result: 'hits' is missing"
    )
    assert observe(shape, "s.find", {"results": []}) is None  # once is enough


def test_a_shape_describes_so_many_places_and_no_more() -> None:
    shape = Shape()
    for number in range(300):
        shape.add({"a": {f"k{number}-{n}": {"x": n} for n in range(20)}, "b": 1})

    assert shape.places() <= MAX_PLACES
    assert shape.schema()["properties"]["b"] == {"type": "integer"}


@pytest.mark.anyio
async def test_what_was_observed_survives_a_restart_until_the_definition_changes(
    tmp_path: Path,
) -> None:
    store = SqliteTraces(tmp_path / "traces.db", clock=FakeClock(), redactor=Redactor())
    first = ObservedSchemas(store)
    for number in range(5):
        assert first.observe("s.find", "v1", {"id": number}) is None
    await first.flush()

    again = ObservedSchemas(store)
    await again.load()

    assert again.schema("s.find", "v1") == first.schema("s.find", "v1") is not None
    assert again.observe("s.find", "v1", {"id": "text"}) is not None
    assert again.observe("s.find", "v2", {"id": "text"}) is None
    assert again.schema("s.find", "v2") is None
