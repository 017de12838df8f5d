"""The exact way of plain references gives what the JSONata engine gives."""

import contextlib
from typing import Any

import jsonatapy
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.domain.errors import PodiumError
from podium.domain.limits import Limits
from podium.mapping.expressions import MISSING, Evaluator, parse
from podium.mapping.transformers import Transformers
from podium.testing import FakeClock

EVALUATOR = Evaluator(Transformers(), clock=FakeClock(), limits=Limits())
KEYS = st.sampled_from(["a", "b", "c", "é🎉", "x y"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
    | st.sampled_from(["", "text", "é\u0000"])
)
VALUES = st.recursive(
    SCALARS,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(KEYS, children, max_size=3),
    max_leaves=12,
)
SCOPES = st.dictionaries(KEYS, VALUES, min_size=1, max_size=4)
INDEXES = st.sampled_from(["", "", "", "[0]", "[1]", "[-1]", "[$i]", "[5]"])
# The engine leaves out an index that follows `[$i]` (`a[$i][0]` of [[1]] gives it [1], where
# `a[0][0]` gives 1); plain references do what JSONata says.
STEPS = st.tuples(KEYS.map(lambda key: f"`{key}`"), INDEXES, INDEXES).map(
    lambda step: "".join(step[:2] if step[1] == "[$i]" else step)
)
PATHS = st.tuples(
    st.sampled_from(["", "", "$.", "$$.", "$item.", "$item[0]."]),
    st.lists(STEPS, min_size=1, max_size=4).map(".".join),
).map("".join)


def engine(source: str, scope: dict[str, Any], variables: dict[str, Any]) -> Any:
    return jsonatapy.compile(f'{{"v": ({source})}}').evaluate(scope, variables).get("v", MISSING)


@settings(max_examples=600, deadline=None)
@given(path=PATHS, scope=SCOPES, item=VALUES, index=st.integers(-3, 3))
def test_a_plain_reference_gives_what_the_engine_gives(
    path: str, scope: dict[str, Any], item: Any, index: int
) -> None:
    variables = {"item": item, "i": index}

    assert EVALUATOR.evaluate(path, scope, variables=variables) == engine(path, scope, variables)


@settings(max_examples=200, deadline=None)
@given(path=PATHS)
def test_every_path_of_names_and_indexes_takes_the_exact_way(path: str) -> None:
    assert parse(path).reference is not None


@settings(max_examples=300, deadline=None)
@given(value=VALUES)
def test_a_value_comes_through_the_engine_unchanged(value: Any) -> None:
    assert EVALUATOR.evaluate("{'v': [v]}", {"v": {"w": value}}) == {"v": [{"w": value}]}


@settings(max_examples=300, deadline=None)
@given(numbers=st.lists(st.integers(-(2**70), 2**70), min_size=2, max_size=4))
def test_whole_numbers_of_any_size_come_through_the_engine_unchanged(numbers: list[int]) -> None:
    assert EVALUATOR.evaluate("[numbers, {'n': numbers[0]}]", {"numbers": numbers}) == [
        *numbers,
        {"n": numbers[0]},
    ]


@settings(max_examples=300, deadline=None)
@given(text=st.text(alphabet="ab.$[]{}()'\"`*%^~>?:;,@#|&=!<+-/ i01\\\n", max_size=25))
def test_any_text_is_read_or_refused_with_a_typed_error(text: str) -> None:
    _read_or_refused(text)


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=40))
def test_any_template_is_filled_or_refused_with_a_typed_error(text: str) -> None:
    _read_or_refused(f"$template({text!r}, a)")


def _read_or_refused(text: str) -> None:
    with contextlib.suppress(PodiumError):
        EVALUATOR.evaluate(parse(text, iterating=True), {"a": {"b": [1]}}, variables={"i": 0})
