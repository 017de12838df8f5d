"""Plans of a library's compositions: checked, resolved, remembered."""

from typing import Any

import pytest

from podium.compositions.checker import Checker
from podium.compositions.library import CompositionLibrary
from podium.compositions.plans import MAX_PLANS, LibraryPlans
from podium.domain.composition import Composition, StoredComposition
from podium.domain.errors import (
    CompositionInvalidError,
    InvalidParamsError,
    UnknownCompositionError,
)


def stored(id_: str, expression: str, **more: Any) -> StoredComposition:
    value = {"id": id_, "steps": [{"id": "t", "transform": expression}], **more}
    return StoredComposition(Composition.model_validate(value, by_name=False), "template", id_)


SIZED = {"type": "object", "properties": {"n": {"type": "integer", "default": 3}}}
LIBRARY = CompositionLibrary(
    [
        stored("sized", "n", input_schema=SIZED),
        stored("free", "who"),
        stored("wrong", "t"),
    ]
)


@pytest.fixture
def plans() -> LibraryPlans:
    return LibraryPlans(LIBRARY, Checker(max_steps=10, library=LIBRARY))


def test_the_params_come_back_as_the_schema_wants_them(plans: LibraryPlans) -> None:
    plan, params = plans.plan("sized", {"n": "12"})

    assert (plan.composition.id, params) == ("sized", {"n": 12})
    assert plans.plan("sized", {})[1] == {"n": 3}
    assert plan.steps[0].params == {"n"}


@pytest.mark.parametrize(
    ("composition_id", "params", "error", "says"),
    [
        ("size", {}, UnknownCompositionError, "no composition 'size'"),
        ("sized", {"n": "many"}, InvalidParamsError, "n"),
        ("sized", {"m": 1}, InvalidParamsError, "there is no param 'm'"),
        ("free", {}, InvalidParamsError, "'who' is missing"),
        ("wrong", {}, CompositionInvalidError, "reads what it gives itself"),
    ],
)
def test_what_cannot_be_played_is_refused(
    plans: LibraryPlans, composition_id: str, params: dict[str, Any], error: Any, says: str
) -> None:
    for _ in range(2):  # the second time as the first
        with pytest.raises(error, match=says):
            plans.plan(composition_id, params)


def test_a_plan_is_made_once_for_the_same_params(plans: LibraryPlans) -> None:
    first, _ = plans.plan("free", {"who": 1})
    again, _ = plans.plan("free", {"who": 2})
    other, _ = plans.plan("free", {"who": 1, "more": 1})

    assert first is again
    assert other is not first


def test_only_so_many_plans_are_remembered(plans: LibraryPlans) -> None:
    first, _ = plans.plan("free", {"who": 1})
    for number in range(MAX_PLANS):
        plans.plan("free", {"who": 1, f"other_{number}": 1})

    assert plans.plan("free", {"who": 1})[0] is not first


def test_a_composition_from_elsewhere_is_not_taken_for_that_of_the_library(
    plans: LibraryPlans,
) -> None:
    kept = plans.of(LIBRARY.get("sized"), {"n"})
    given = stored("sized", "n & 'other'", input_schema=SIZED)

    plan = plans.of(given, {"n"})

    assert plan.composition is given.composition
    assert plans.of(LIBRARY.get("sized"), {"n"}) is kept
    with pytest.raises(CompositionInvalidError):
        plans.of(stored("sized", "t"), set())
