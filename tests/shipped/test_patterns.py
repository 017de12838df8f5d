"""The shipped patterns: their own examples, further requests, near misses, hostile texts."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from podium.compositions.library import CompositionLibrary
from podium.intents.checks import check_patterns
from podium.intents.library import PatternLibrary
from podium.intents.matcher import Matcher

REQUESTS = json.loads((Path(__file__).parent / "requests.json").read_text("utf-8"))
MANY = 20_000  # characters; a request may have 65,536 bytes


def test_every_file_loads_and_every_example_and_counterexample_holds(
    patterns: PatternLibrary, matcher: Matcher
) -> None:
    assert check_patterns(patterns, matcher) == []


def test_every_pattern_carries_enough_examples_and_counterexamples(
    patterns: PatternLibrary,
) -> None:
    scarce = [
        loaded.source
        for loaded in patterns.patterns
        if len(loaded.pattern.examples) < 6 or len(loaded.pattern.counterexamples) < 4
    ]

    assert scarce == []


def test_french_and_english_know_the_same_intents(patterns: PatternLibrary) -> None:
    known = {
        language: {loaded.name for loaded in patterns.patterns if loaded.language == language}
        for language in ("fr", "en")
    }

    assert known["fr"] == known["en"]


def test_every_intent_has_a_template_and_every_template_an_intent(
    patterns: PatternLibrary, compositions: CompositionLibrary
) -> None:
    asked = {loaded.name for loaded in patterns.patterns}
    answered = {stored.composition.intent_type for stored in compositions.all()}

    assert asked == answered


@pytest.mark.parametrize("case", REQUESTS["understood"], ids=lambda case: case["text"])
def test_a_request_yields_its_intent_and_params(matcher: Matcher, case: dict[str, object]) -> None:
    analysis = matcher.analyse(str(case["text"]))

    assert analysis.intent is not None
    assert (analysis.intent.type, analysis.intent.params) == (case["intent"], case["params"])


@pytest.mark.parametrize("case", REQUESTS["understood"], ids=lambda case: case["text"])
def test_no_request_fits_two_intents(matcher: Matcher, case: dict[str, object]) -> None:
    candidates = matcher.analyse(str(case["text"])).candidates

    assert {candidate.intent.type for candidate in candidates} == {case["intent"]}


@pytest.mark.parametrize("text", REQUESTS["not_understood"])
def test_what_nothing_here_can_answer_matches_nothing(matcher: Matcher, text: str) -> None:
    assert matcher.analyse(text).candidates == ()


def test_the_language_of_a_note_is_that_of_its_words(matcher: Matcher) -> None:
    languages = [
        matcher.analyse(text).language for text in ("note : acheter du lait", "note: buy milk")
    ]

    assert languages == ["fr", "en"]


@pytest.mark.parametrize(
    "stretch",
    [
        lambda text: text + " " * MANY + "x",
        lambda text: text.replace(" ", " " * (MANY // 10)),
        lambda text: text.rpartition(" ")[0] + " a" * MANY,
        lambda text: text.rpartition(" ")[0] + " " + "a" * MANY,
        lambda text: text.rpartition(" ")[0] + ' "' + "a' " * (MANY // 3),
        lambda text: text + "!?." * (MANY // 3) + "x",
        lambda text: f"{text} " * (MANY // len(text)),
    ],
    ids=["trailing blanks", "blanks", "words", "one word", "quotes", "full stops", "repeated"],
)
def test_no_stretched_request_runs_a_regex_out_of_time(
    patterns: PatternLibrary, matcher: Matcher, stretch: Callable[[str], str]
) -> None:
    examples = [next(loaded.pattern.all_examples()).text for loaded in patterns.patterns]

    timed_out = {name for text in examples for name in matcher.analyse(stretch(text)).timed_out}

    assert timed_out == set()
