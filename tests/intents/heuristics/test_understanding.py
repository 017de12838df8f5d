"""Patterns decide; where none matches, the words do, and what is unsure becomes a question."""

from pathlib import Path

import pytest

from podium.domain.errors import JournalError
from podium.domain.intent import Analysis
from podium.domain.limits import Limits
from podium.domain.past import PastRequest
from podium.intents.heuristics import Asked, KnownIntent
from podium.intents.library import PatternLibrary, load_patterns
from podium.intents.matcher import Matcher
from podium.intents.understanding import PAST_SECONDS, Understanding
from podium.testing import FakeClock

pytestmark = pytest.mark.anyio

PATTERNS = """
{"patterns": [
  {"name": "sales_report", "language": "en", "regex": "^show the sales report$",
   "examples": ["show the sales report"]},
  {"name": "send_report", "language": "en", "regex": "^send the sales report$",
   "examples": ["send the sales report"]}
]}
"""


class Past:
    """A journal that counts how often it is asked."""

    def __init__(self, *requests: PastRequest) -> None:
        self.requests = list(requests)
        self.asked = 0
        self.error: JournalError | None = None

    async def past_requests(self, limit: int) -> list[PastRequest]:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return self.requests[:limit]


def library(folder: Path) -> PatternLibrary:
    (folder / "all.json").write_text(PATTERNS, encoding="utf-8")
    return load_patterns(folder)


def knows(patterns: PatternLibrary) -> list[KnownIntent]:
    return [
        KnownIntent(
            loaded.name,
            tuple(Asked(each.text, "en") for each in loaded.pattern.all_examples()),
            reads_only=loaded.name == "sales_report",
        )
        for loaded in patterns.patterns
    ]


def understanding(
    folder: Path, past: Past | None = None, clock: FakeClock | None = None
) -> Understanding:
    return Understanding(
        Matcher(library(folder), limits=Limits()), knows, past=past, clock=clock or FakeClock()
    )


def matched(analysis: Analysis) -> tuple[str, str] | None:
    return (analysis.intent.type, analysis.intent.matched_by) if analysis.intent else None


def test_a_pattern_that_matches_decides_alone(tmp_path: Path) -> None:
    analysis = understanding(tmp_path).analyse("send the sales report")

    assert matched(analysis) == ("send_report", "pattern")
    assert analysis.choices == ()


def test_a_sure_guess_is_the_intent_and_says_that_it_is_one(tmp_path: Path) -> None:
    analysis = understanding(tmp_path).analyse("please, let me see the sales report")

    assert matched(analysis) == ("sales_report", "heuristic")
    assert analysis.suggestions == ()
    assert [each.source for each in analysis.candidates] == ["(guessed)"]
    assert analysis.candidates[0].reason == (
        "no pattern matches; sales_report is asked for with 'sales', 'report'"
    )


def test_what_would_change_something_is_a_choice_of_one(tmp_path: Path) -> None:
    analysis = understanding(tmp_path).analyse("could you forward the sales report")

    assert analysis.intent is None
    assert [each.intent.type for each in analysis.choices] == ["send_report"]
    assert analysis.to_dict()["choices"][0]["matched_by"] == "heuristic"


def test_what_nothing_speaks_for_stays_unmatched(tmp_path: Path) -> None:
    analysis = understanding(tmp_path).analyse("burn the sales report")

    assert analysis.intent is None
    assert analysis.choices == ()


async def test_requests_of_before_are_looked_up_once_a_minute(tmp_path: Path) -> None:
    past, clock = Past(), FakeClock()
    understood = understanding(tmp_path, past, clock)

    for _ in range(3):
        await understood.remember()
    clock.time += PAST_SECONDS
    await understood.remember()

    assert past.asked == 2


async def test_what_was_asked_twice_before_is_understood(tmp_path: Path) -> None:
    said = ("the turnover sheet", "a turnover sheet please")
    past = Past(*(PastRequest(text, "sales_report") for text in said))
    understood = understanding(tmp_path, past)
    assert understood.analyse("show the turnover sheet").intent is None

    assert await understood.remember()

    assert matched(understood.analyse("show the turnover sheet")) == ("sales_report", "heuristic")


async def test_a_journal_that_cannot_be_read_changes_nothing(tmp_path: Path) -> None:
    past = Past()
    past.error = JournalError("it is gone")
    understood = understanding(tmp_path, past)

    await understood.remember()

    assert matched(understood.analyse("let me see the sales report")) == (
        "sales_report",
        "heuristic",
    )
