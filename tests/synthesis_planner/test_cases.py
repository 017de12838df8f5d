"""Each case of `cases/*.json`: a request over tools, and the composition that is made of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from podium.compositions.checker import Checker
from podium.domain.composition import StoredComposition
from tests.synthesis_planner.world import drafts_of, plain, tools_of

CASES = [
    pytest.param(case, id=f"{path.stem}: {case['name']}")
    for path in sorted(Path(__file__).with_name("cases").glob("*.json"))
    for case in json.loads(path.read_text("utf-8"))
]
LIKELY = 0.5  # what a draft that serves a request is at least sure of
UNLIKELY = 0.3  # what a draft that serves nothing is at most sure of


@pytest.mark.parametrize("case", CASES)
def test_a_request_becomes_what_its_case_says(case: dict[str, Any]) -> None:
    drafts = drafts_of(case)

    expected = case["expect"]
    if expected.get("refused"):
        assert all(draft.confidence <= UNLIKELY for draft in drafts)
        return
    made = plain(drafts[0])
    assert {key: made[key] for key in expected} == expected
    silent = {"arguments", "iterations", "depends_on", "missing"} - expected.keys()
    assert not any(made[key] for key in silent)
    assert drafts[0].confidence >= LIKELY
    assert drafts[0].reasons


@pytest.mark.parametrize("case", CASES)
def test_every_draft_passes_the_checker_against_the_tools(case: dict[str, Any]) -> None:
    tools = tools_of(case)
    live = {(tool.server_id, tool.name): tool for tool in tools}

    drafts = drafts_of(case, tools)

    for draft in drafts:
        stored = StoredComposition(draft.composition, "learning", "draft")
        assert Checker(max_steps=10).check(stored, tools=live) == []


@pytest.mark.parametrize("case", CASES)
def test_drafts_are_best_first_few_and_told_apart(case: dict[str, Any]) -> None:
    drafts = drafts_of(case)

    assert len(drafts) <= 5
    assert len({draft.composition.id for draft in drafts}) == len(drafts)
    assert drafts == drafts_of(case)


def test_two_tools_that_serve_equally_well_are_two_drafts_equally_sure() -> None:
    case = {"request": "find Martin", "tools": ["crm.find_customer", "contacts.find_contact"]}

    first, second, *_ = drafts_of(case)

    assert {plain(first)["steps"][0], plain(second)["steps"][0]} == set(case["tools"])
    assert first.confidence == pytest.approx(second.confidence, abs=0.05)


def test_the_best_draft_has_a_plain_id_and_says_why_in_the_requests_language() -> None:
    (draft, *_) = drafts_of({"request": "envoie à Marie la météo de Paris", "language": "fr"})

    assert draft.composition.id == "send_email"
    assert draft.composition.name == "envoie à Marie la météo de Paris"
    assert "city = « Paris », comme vous l'avez dit" in draft.reasons
    assert "to : email de ce que donne find_contact" in draft.reasons


def test_there_are_cases_enough_and_no_two_have_one_name() -> None:
    names = [case.id for case in CASES]
    french = [case for case in CASES if case.values[0].get("language") == "fr"]

    assert len(names) == len(set(names))
    assert len(names) >= 100
    assert len(french) >= 45
