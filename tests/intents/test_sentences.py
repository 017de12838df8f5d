"""Sentence templates say what their authors mean, and nothing else."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from podium.intents.matcher import Matcher

MatcherFor = Callable[..., Matcher]

TABLE = json.loads((Path(__file__).parent / "sentences" / "templates.json").read_text("utf-8"))
CASES = [
    pytest.param(group, case, id=f"{group['about']}: {case[0]}")
    for group in TABLE["groups"]
    for case in group["cases"]
]


@pytest.mark.parametrize(("group", "case"), CASES)
def test_a_request_is_what_a_sentence_says_or_nothing(
    matcher_for: MatcherFor, group: dict[str, Any], case: list[Any]
) -> None:
    keys = {key: group[key] for key in ("rules", "slots", "skip", "language") if key in group}
    text, expected = case[0], tuple(case[1:])

    intent = matcher_for(*group["patterns"], **keys).analyse(text).intent

    assert (None if intent is None else (intent.type, intent.params)) == (
        None if expected == (None,) else expected
    )
