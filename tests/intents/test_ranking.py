"""Among the patterns that fit a request the specific one wins."""

import json
from pathlib import Path
from typing import Any

import pytest

from podium.domain.limits import Limits
from podium.intents.library import load_patterns
from podium.intents.matcher import Matcher

TABLE = Path(__file__).parent / "ranking.json"
CASES = json.loads(TABLE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def matcher(tmp_path_factory: pytest.TempPathFactory) -> Matcher:
    folder = tmp_path_factory.mktemp("patterns")
    text = json.dumps({"patterns": CASES["patterns"]})
    (folder / "ranking.json").write_text(text, encoding="utf-8")
    library = load_patterns(folder)
    assert library.faults == ()
    return Matcher(library, limits=Limits())


@pytest.mark.parametrize(("text", "name", "params"), CASES["cases"])
def test_the_specific_beats_the_general(
    matcher: Matcher, text: str, name: str, params: dict[str, Any]
) -> None:
    intent = matcher.analyse(text).intent

    assert intent is not None
    assert (intent.type, intent.params) == (name, params)


@pytest.mark.parametrize("text", [text for text, _, _ in CASES["cases"]])
def test_no_candidate_is_surer_than_the_one_before(matcher: Matcher, text: str) -> None:
    confidences = [each.intent.confidence for each in matcher.analyse(text).candidates]

    assert confidences == sorted(confidences, reverse=True)
    assert all(0 < confidence <= 1 for confidence in confidences)


@pytest.mark.parametrize(
    ("text", "confidence"),
    [
        ("liste les fichiers du dossier docs", 1.0),
        ("liste les fichiers du dossier docs ?", 1.0),
        ("liste mes rendez-vous et mes tâches de la semaine prochaine", 0.4),
        ("tell me a joke", 0.1),
    ],
)
def test_confidence_is_full_for_a_whole_request_in_the_patterns_own_words(
    matcher: Matcher, text: str, confidence: float
) -> None:
    assert matcher.analyse(text).candidates[0].intent.confidence == confidence


def test_the_winner_says_why_it_won_and_each_other_why_it_lost(matcher: Matcher) -> None:
    candidates = matcher.analyse("envoie un mail à bob: liste les fichiers de docs").candidates

    assert [(each.intent.type, each.reason) for each in candidates] == [
        ("send_email", "list_files only matches inside the free text of a larger match"),
        ("list_files", "list_files only matches inside the free text of a larger match"),
        ("generic_list", "list_files prescribes 18 characters of the request, generic_list 5"),
        ("anything", "generic_list asks for words of its own, anything takes any text"),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("equal x", "high has priority 2, low 1; they fit equally well"),
        ("twin x", "first_of_two comes first in the files; they fit equally well"),
        (
            "show me the files of docs, please, and be quick about it",
            "list_files prescribes 16 characters of the request, generic_show 4",
        ),
        (
            "liste les fichiers du dossier docs",
            "list_files fits the whole request in its own words, "
            "generic_list only a part or with few of them",
        ),
    ],
)
def test_the_first_rule_that_tells_two_apart_is_the_reason(
    matcher: Matcher, text: str, reason: str
) -> None:
    assert matcher.analyse(text).candidates[0].reason == reason


def test_a_lone_candidate_says_so(matcher: Matcher) -> None:
    assert matcher.analyse("tell me a joke").candidates[0].reason == (
        "nothing else matches; it takes any text"
    )
