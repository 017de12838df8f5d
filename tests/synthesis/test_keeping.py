"""What is kept of a request where others read it has none of its values."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podium.compositions.keeping import holds_values, repeats_values, without_values

CASES = json.loads(Path(__file__).with_name("keeping.json").read_text("utf-8"))
VALUES = st.text("abcdefghéÉœ ABZ.,-", min_size=1).filter(str.strip)


@pytest.mark.parametrize(("request_", "params", "kept"), CASES["requests"])
def test_values_of_a_request_are_replaced(request_: str, params: dict[str, Any], kept: str) -> None:
    assert without_values(request_, params) == kept


@pytest.mark.parametrize(("sentence", "params", "holds"), CASES["sentences"])
def test_a_sentence_is_known_to_hold_values(
    sentence: str, params: dict[str, Any], *, holds: bool
) -> None:
    assert holds_values(sentence, params) is holds


@given(VALUES, VALUES)
def test_whatever_the_values_are_they_are_gone(one: str, other: str) -> None:
    request = f"please forward {one} to {other} now"

    kept = without_values(request, {"§": one, "¤": other})

    rest = kept.replace("{§}", "").replace("{¤}", "")
    assert one.strip() not in rest.replace("please forward", "").replace(" to ", "")


@pytest.mark.parametrize(
    ("request_", "repeats"),
    [
        ("mail the notes to ana@x.org", True),
        ("lis c:\\notes\\été.md", True),
        ("send 'see you at ANA@x.org' to Tom", False),
        ("the 5 newest notes", False),
    ],
)
def test_a_plan_that_repeats_a_value_of_its_request_is_known(
    request_: str, *, repeats: bool
) -> None:
    steps = [{"arguments": {"to": ["Ana@X.org"], "in": "C:\\notes\\Été.md", "limit": 5}}]

    assert repeats_values(steps, request_) is repeats
