"""Requests that no pattern was written for: guessed where the words say enough, never wrongly."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.intents.heuristics import (
    ACT,
    ASK,
    MARGIN,
    Asked,
    Decision,
    Guess,
    Heuristics,
    KnownIntent,
    decide,
)
from podium.intents.library import PatternLibrary
from podium.text.language import guess_language
from podium.text.values import NOT_A_VALUE

FOLDER = Path(__file__).parent
PARAPHRASES: list[tuple[str, str, dict[str, Any] | None]] = json.loads(
    (FOLDER / "paraphrases.json").read_text("utf-8")
)
UNRELATED: list[str] = json.loads((FOLDER / "unrelated.json").read_text("utf-8"))
LEAST_PRECISION = 0.97
LEAST_RECALL = 0.3  # of what is played at once, without a question
LEAST_OFFERED = 0.5  # of what is played or asked about with the right intent among the choices
MOST_IDLE_QUESTIONS = 0.04  # of unrelated requests that are asked about


@dataclass
class Tally:
    played: int = 0
    offered: int = 0
    wrong: list[str] = field(default_factory=list)


def decided(heuristics: Heuristics, text: str) -> Decision:
    return decide(heuristics.guess(text, guess_language(text)))


def tally(heuristics: Heuristics) -> Tally:
    """Count what is played of the paraphrases; wrong is also a right intent with wrong params."""
    found = Tally()
    for text, type_, params in PARAPHRASES:
        decision = decided(heuristics, text)
        best = decision.guesses[0] if decision.guesses else None
        if decision.step == "act" and best is not None:
            found.played += 1
            if (best.type, best.params) != (type_, params):
                found.wrong.append(f"{text}: {best}")
        found.offered += type_ in [guess.type for guess in decision.guesses]
    return found


def test_what_is_played_is_right_and_a_fair_share_is_understood(heuristics: Heuristics) -> None:
    found = tally(heuristics)
    idle = [text for text in UNRELATED if decided(heuristics, text).step == "act"]
    total = found.played + len(idle)
    precision = (found.played - len(found.wrong)) / total
    recall = (found.played - len(found.wrong)) / len(PARAPHRASES)
    offered = found.offered / len(PARAPHRASES)

    summary = f"precision {precision:.3f}, recall {recall:.3f}, offered {offered:.3f}"
    assert precision >= LEAST_PRECISION, f"{summary}: {found.wrong + idle}"
    assert recall >= LEAST_RECALL, summary
    assert offered >= LEAST_OFFERED, summary


def test_few_unrelated_requests_are_asked_about(heuristics: Heuristics) -> None:
    asked = [text for text in UNRELATED if decided(heuristics, text).step != "refuse"]

    assert len(asked) <= MOST_IDLE_QUESTIONS * len(UNRELATED), asked


def test_the_cases_are_new_to_the_patterns_and_many(patterns: PatternLibrary) -> None:
    known = {
        example.text.casefold()
        for loaded in patterns.patterns
        for example in loaded.pattern.all_examples()
    }
    cases = [text.casefold() for text, _, _ in PARAPHRASES] + [t.casefold() for t in UNRELATED]

    assert not known.intersection(cases)
    assert len(cases) == len(set(cases))
    assert len(PARAPHRASES) >= 150
    assert len(UNRELATED) >= 150


def counterexamples(patterns: PatternLibrary) -> Iterator[tuple[str, str]]:
    for loaded in patterns.patterns:
        for text in loaded.pattern.counterexamples:
            yield loaded.name, text


def test_no_counterexample_is_played_as_what_it_must_not_be(
    heuristics: Heuristics, patterns: PatternLibrary
) -> None:
    played = [
        (name, text)
        for name, text in counterexamples(patterns)
        for decision in [decided(heuristics, text)]
        if decision.step == "act" and decision.guesses[0].type == name
    ]

    assert played == []


@pytest.mark.parametrize(
    "text",
    [
        "delete the file README.md",
        "please remove every file in the folder docs",
        "supprime tous les fichiers du dossier docs",
        "list the files in docs and delete them",
        "liste les fichiers du dossier docs puis efface-les",
        "rename the files in the docs folder",
        "envoie la liste des fichiers à Paul",
        "do not list the files",
        "ne lis pas le fichier README.md",
        "n'affiche jamais mes notes",
        "how many notes do I have?",
        "combien de fichiers y a-t-il dans docs ?",
        "why is the file README.md so long?",
        "who made the last commit?",
    ],
)
def test_another_action_or_question_is_refused_however_many_words_are_shared(
    heuristics: Heuristics, text: str
) -> None:
    assert decided(heuristics, text) == Decision("refuse")


@pytest.mark.parametrize(
    "text", ["écris dans mes notes : du lait", "write a note: water the plants"]
)
def test_what_changes_something_is_confirmed_first(heuristics: Heuristics, text: str) -> None:
    decision = decided(heuristics, text)

    assert decision.step == "confirm"
    assert decision.guesses[0].type == "remember_note"


def guess(type_: str, confidence: float, **options: Any) -> Guess:
    return Guess(type_, {}, confidence, (), **{"reads_only": True, **options})


SURE = ACT + 0.1


@pytest.mark.parametrize(
    ("guesses", "step", "about"),
    [
        ([], "refuse", []),
        ([guess("a", ASK - 0.01)], "refuse", []),
        ([guess("a", ASK)], "confirm", ["a"]),
        ([guess("a", ACT)], "act", ["a"]),
        ([guess("a", SURE, reads_only=False)], "confirm", ["a"]),
        ([guess("a", SURE, is_certain=False)], "confirm", ["a"]),
        ([guess("a", SURE), guess("b", SURE - MARGIN)], "act", ["a"]),
        ([guess("a", SURE), guess("b", SURE - MARGIN / 2)], "choose", ["a", "b"]),
        ([guess("a", ASK + 0.01), guess("b", ASK - 0.01)], "confirm", ["a"]),
    ],
)
def test_the_decision_follows_the_thresholds(
    guesses: list[Guess], step: str, about: list[str]
) -> None:
    decision = decide(guesses)

    assert (decision.step, [each.type for each in decision.guesses]) == (step, about)


LIGHTS = KnownIntent(
    "dim_lights",
    (
        Asked("dim the lights in the kitchen", "en", {"room": "kitchen"}),
        Asked("dim the lights", "en"),
        Asked("please dim the lamps in the bedroom", "en", {"room": "bedroom"}),
    ),
    reads_only=True,
)
REPORT = KnownIntent(
    "sales_report",
    (Asked("show the sales report", "en"), Asked("give me the sales report for May", "en")),
    texts=("Sales report", "What was sold, by month"),
    reads_only=True,
)


def test_a_way_to_ask_counts_once_it_was_used_twice() -> None:
    heuristics = Heuristics([LIGHTS, REPORT])
    text = "show the turnover sheet"
    assert heuristics.guess(text) == ()

    heuristics.learn([("sales_report", Asked("turnover sheet please"))])
    assert heuristics.guess(text) == ()

    heuristics.learn([("sales_report", Asked("let me see the turnover sheet"))])
    assert decide(heuristics.guess(text)).guesses[0].type == "sales_report"


def test_a_past_request_of_an_unknown_intent_changes_nothing() -> None:
    heuristics = Heuristics([REPORT])

    heuristics.learn([("gone", Asked("turnover sheet")), ("gone", Asked("a turnover sheet"))])

    assert heuristics.guess("turnover sheet") == ()


def test_english_patterns_alone_understand_french() -> None:
    found = Heuristics([LIGHTS, REPORT]).guess("montre le rapport des ventes", "fr")

    assert found[0].type == "sales_report"
    assert found[0].why == ("rapport", "ventes")


def test_a_typed_slot_reads_what_is_said_and_refuses_what_it_cannot() -> None:
    rooms = {"kitchen": "kitchen", "lounge": "living_room"}
    lights = replace(LIGHTS, readers={"room": lambda said: rooms.get(said, NOT_A_VALUE)})

    known = Heuristics([lights, REPORT]).guess("would you dim all lights in the lounge")
    unknown = Heuristics([lights, REPORT]).guess("would you dim all lights in the cellar")

    assert [each.params for each in known] == [{"room": "living_room"}]
    assert unknown == ()


def test_a_value_nobody_wants_makes_a_guess_uncertain() -> None:
    found = Heuristics([LIGHTS, REPORT]).guess("show the sales report budget.xlsx")

    assert [each.is_certain for each in found if each.type == "sales_report"] == [False]


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=600))
def test_any_text_gets_the_same_guesses_twice_best_first(text: str) -> None:
    heuristics = Heuristics([LIGHTS, REPORT])

    found = heuristics.guess(text)

    assert found == heuristics.guess(text)
    assert all(0 <= each.confidence <= 1 for each in found)
    assert [each.confidence for each in found] == sorted(
        (each.confidence for each in found), reverse=True
    )


@pytest.mark.parametrize(
    "text",
    ["", "   ", "a" * 10_000, "sales " * 1_000, "\u200b\u200b", "مرحبا كيف حالك", "?!… — «»"],
)
def test_texts_that_are_no_requests_get_no_guess(text: str) -> None:
    assert Heuristics([LIGHTS, REPORT]).guess(text) == ()
