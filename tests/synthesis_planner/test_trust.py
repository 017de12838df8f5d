"""A wrong composition is worse than none: how drafts fare on requests that no tool serves.

The cases are in `trust/`; `tests.synthesis_planner.trusting` says what they are, and prints them.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.synthesis_planner.trusting import PARTS, Verdict, cases_of, figures, judged
from tests.synthesis_planner.world import drafts_of

MOST_PROPOSED, LEAST_RIGHT, LEAST_PLAYED = 0.05, 0.80, 0.50
DOUBTS = json.loads((Path(__file__).parent / "trust" / "doubts.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def verdicts() -> dict[str, list[Verdict]]:
    return {part: judged(cases_of(part)) for part in PARTS}


@pytest.mark.parametrize("part", PARTS)
def test_no_request_that_nothing_serves_is_played_at_once(
    verdicts: dict[str, list[Verdict]], part: str
) -> None:
    near = [each for each in verdicts[part] if "near_miss" in each.case]

    assert [str(each) for each in near if each.is_played] == []
    assert figures(verdicts[part]).near_misses_proposed <= MOST_PROPOSED


@pytest.mark.parametrize("part", PARTS)
def test_what_tools_serve_is_still_made_and_mostly_played(
    verdicts: dict[str, list[Verdict]], part: str
) -> None:
    found = figures(verdicts[part])

    assert found.served_right >= LEAST_RIGHT
    assert found.reads_played >= LEAST_PLAYED


@pytest.mark.parametrize("part", PARTS)
def test_no_wrong_draft_for_what_tools_serve_is_played_at_once(
    verdicts: dict[str, list[Verdict]], part: str
) -> None:
    served = [each for each in verdicts[part] if "near_miss" not in each.case]

    assert [str(each) for each in served if each.is_played and each.outcome == "wrong"] == []


def test_there_are_cases_enough_in_both_languages_and_over_several_sets_of_tools() -> None:
    cases = [case for part in PARTS for case in cases_of(part)]
    near = [case for case in cases if "near_miss" in case]
    requests = [(case["request"], case["tools"]) for case in cases]

    assert len(requests) == len(set(requests))
    assert len(cases) >= 200
    assert len(near) >= 120
    assert len({case["tools"] for case in cases}) == 4
    assert sum(case["language"] == "fr" for case in cases) >= 80


@pytest.mark.parametrize("case", DOUBTS, ids=lambda case: case["name"])
def test_what_speaks_against_a_draft_is_said_in_its_reasons(case: dict[str, Any]) -> None:
    reasons = drafts_of(case)[0].reasons

    said = [each for each in reasons if each.startswith(("but ", "mais "))]
    assert said == case["says"]
