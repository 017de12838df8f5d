"""What a person's next request, or word, says about an answer."""

import json
from pathlib import Path
from typing import Any

import pytest

from podium.monitor.feedback import Asked, Reaction, redo_reason, verdict_after

CASES = json.loads(Path(__file__).with_name("reactions.json").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_redo_is_told_from_the_next_question(case: dict[str, Any]) -> None:
    earlier = asked(case, "before", 1_000.0)
    later = asked(case, "after", 1_000.0 + case.get("seconds", 10))

    assert (redo_reason(earlier, later) is not None) == case["redo"]


def asked(case: dict[str, Any], when: str, at: float) -> Asked:
    return Asked(
        user_id=case.get(f"{when}_user", "u"),
        conversation_id=case.get(f"{when}_conversation", "c"),
        execution_id=when,
        intent_type=case.get(f"{when}_intent", "look"),
        request=case.get(when, "liste les notes"),
        at=at,
        params=case.get(f"{when}_params", {}),
    )


def test_the_same_execution_is_no_redo_of_itself() -> None:
    one = asked({}, "before", 1.0)

    assert redo_reason(one, one) is None


@pytest.mark.parametrize(
    ("measured", "rating", "is_redone", "verdict"),
    [
        ("success", "", False, "success"),
        ("success", "bad", False, "failure"),
        ("success", "", True, "failure"),
        ("success", "good", True, "success"),
        ("failure", "good", False, "failure"),
        ("uncounted", "bad", True, "uncounted"),
    ],
)
def test_what_is_said_outright_weighs_more_than_what_is_guessed(
    measured: Any, rating: Any, is_redone: Any, verdict: str
) -> None:
    assert verdict_after(measured, Reaction(rating, is_redone)) == verdict
