"""From a request to its intent and params, or to a refusal with what is near."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from podium.domain.intent import Analysis, Intent, Suggestion
from podium.domain.limits import Limits
from podium.intents.library import PatternLibrary
from podium.intents.matcher import BUDGET, Matcher

MatcherFor = Callable[..., Matcher]
Load = Callable[..., PatternLibrary]


def _intent(matcher: Matcher, text: str) -> Intent:
    intent = matcher.analyse(text).intent
    assert intent is not None
    return intent


# --- params


@pytest.mark.parametrize(
    ("pattern", "text", "params"),
    [
        (
            {"regex": r"send (\w+) to (\w+)", "params": {"what": "$1", "to": "$2"}},
            "Send FLOWERS to Zoé",
            {"what": "FLOWERS", "to": "Zoé"},
        ),
        ({"regex": r"liste (?P<path>\S+)"}, "LISTE Été/docs", {"path": "Été/docs"}),
        ({"regex": r"liste (?P<path>\S+)"}, "liste e\u0301te\u0301", {"path": "e\u0301te\u0301"}),
        ({"regex": r"ouvre (?P<quoi>.+)"}, "ouvre l’Œuvre d’été", {"quoi": "l’Œuvre d’été"}),
        ({"regex": r"(?P<durée>\d+) h"}, "5 h", {"durée": "5"}),
        (
            {"regex": r"(?P<a>\w+) (?P<b>\w+)", "params": {"a": "$b", "c": "$a"}},
            "x y",
            {"b": "y", "a": "y", "c": "x"},
        ),
        (
            {
                "regex": "x",
                "params": {"count": "10", "n": 10, "all": True, "no": None, "l": ["$1"]},
            },
            "x",
            {"count": "10", "n": 10, "all": True, "no": None, "l": ["$1"]},
        ),
        (
            {
                "regex": "x",
                "params": {"a": "$$5", "b": "$$$", "c": "$", "d": "$5.00", "e": "€ $1 x"},
            },
            "x",
            {"a": "$5", "b": "$$", "c": "$", "d": "$5.00", "e": "€ $1 x"},
        ),
        ({"regex": "say (.*)", "params": {"all": "$0"}}, "Say Hi", {"all": "Say Hi"}),
        ({"regex": r"list(?: (?P<path>\w+))?"}, "list", {}),
        ({"regex": r"list(?P<path>.*)"}, "list", {}),
        ({"regex": r"list(?: (\w+))?", "params": {"path": "$1"}}, "list", {}),
        (
            {"regex": r"note\s*:(?P<text>.*)"},
            "note :   acheter du lait  ",
            {"text": "acheter du lait"},
        ),
        (
            {"regex": ["to (?P<to>\\w+)", "from (?P<from>\\w+)"], "params": {"way": "$from"}},
            "from Paris",
            {"from": "Paris", "way": "Paris"},
        ),
        ({"regex": r"(?:in (?P<c>\w+)|(?P<c>\w+) time)"}, "tokyo time", {"c": "tokyo"}),
    ],
)
def test_params_are_the_words_of_the_request_or_constants(
    matcher_for: MatcherFor, pattern: dict[str, Any], text: str, params: dict[str, Any]
) -> None:
    matcher = matcher_for({"name": "it", **pattern})

    assert _intent(matcher, text).params == params


# --- what matches


@pytest.mark.parametrize(
    ("regex", "text", "part"),
    [
        ("^list files$", "list files", ((0, 10), True)),
        ("^list files$", "  LIST FILES \n", ((2, 12), True)),
        ("^list files$", "list files ?!", ((0, 10), True)),
        ("^liste$", " liste…", ((1, 6), True)),
        ("list", "please list", ((7, 11), False)),
        (r"\w+s\b", "is misses as", ((3, 9), False)),
        ("^list .+$", "list a?", ((0, 7), True)),
        ("œuf", "un ŒUF dur", ((3, 6), False)),
        ("(?<=un )bon$", "un bon", ((3, 6), False)),
        ("l'ete", "l’e\u0301te\u0301", ((0, 7), True)),
    ],
)
def test_the_whole_request_is_tried_first_then_the_longest_part(
    matcher_for: MatcherFor, regex: str, text: str, part: tuple[tuple[int, int], bool]
) -> None:
    [candidate] = matcher_for({"name": "it", "regex": regex}).analyse(text).candidates

    assert (candidate.span, candidate.whole) == part


def test_the_longest_match_among_the_regexes_of_one_pattern_counts(matcher_for: MatcherFor) -> None:
    regexes = ["files", r"list (\w+)", r"list files in (?P<path>\w+)"]
    matcher = matcher_for({"name": "it", "regex": regexes})

    [candidate] = matcher.analyse("please list files in docs").candidates

    assert (candidate.span, candidate.intent.params) == ((7, 25), {"path": "docs"})


def test_an_analysis_is_told_in_full(matcher_for: MatcherFor) -> None:
    matcher = matcher_for(
        {
            "name": "list_files",
            "regex": r"liste (?P<path>\w+)",
            "composition": "my-list",
            "priority": 3,
            "language": "fr",
        }
    )

    analysis = matcher.analyse("Liste DOCS !")

    assert analysis.to_dict() == {
        "intent": {
            "type": "list_files",
            "params": {"path": "DOCS"},
            "confidence": 1.0,
            "matched_by": "pattern",
            "language": "fr",
        },
        "candidates": [
            {
                "type": "list_files",
                "params": {"path": "DOCS"},
                "confidence": 1.0,
                "matched_by": "pattern",
                "language": "fr",
                "pattern": "list_files",
                "composition": "my-list",
                "span": [0, 10],
                "whole": True,
                "literal_characters": 5,
                "priority": 3,
                "source": "patterns.json:1",
                "reason": "the only pattern that matches (the whole request)",
            }
        ],
        "suggestions": [],
    }
    assert analysis.language == "fr"
    assert analysis.intent is not None
    assert analysis.intent.composition_id == "my-list"


@pytest.mark.parametrize(
    ("pattern", "text", "language"),
    [
        ({"regex": "ok", "language": "fr"}, "ok please do it", "fr"),
        ({"regex": "ok"}, "ok pour demain", "fr"),
        ({"regex": "ok"}, "ok for tomorrow", "en"),
        ({"regex": "never"}, "qui es-tu ?", "fr"),
        ({"regex": "never"}, "", "en"),
    ],
)
def test_the_language_is_the_winners_or_else_that_of_the_words(
    matcher_for: MatcherFor, pattern: dict[str, Any], text: str, language: str
) -> None:
    assert matcher_for({"name": "it", **pattern}).analyse(text).language == language


@pytest.mark.parametrize(
    ("regex", "text", "characters"),
    [
        ("list (.*)", "list the files", 4),
        ("list .* files", "list all my files", 9),
        ("(list|show) files", "show files", 9),
        (r"^(?:please )?list \w+$", "please list docs", 10),
        (r"list\s+[tT]he [a-z]+", "list    the files", 7),
        (r"(in (\w+))", "in docs", 2),
        (r"(?:\w+, )+end", "a, bb, ccc, end", 6),
        (r"(\w)\1 ok", "aa ok", 3),
        (r"(?x) list [ ] (.*)", "list all", 4),
        (".*", "anything", 0),
        (r"été", "e\u0301te\u0301", 3),
    ],
)
def test_prescribed_characters_are_those_that_no_wildcard_took(
    matcher_for: MatcherFor, regex: str, text: str, characters: int
) -> None:
    [candidate] = matcher_for({"name": "it", "regex": regex}).analyse(text).candidates

    assert candidate.literal_characters == characters


# --- refusal

TALKATIVE = (
    {
        "name": "list_files",
        "language": "fr",
        "regex": "^liste les fichiers$",
        "examples": ["liste les fichiers du dossier docs", "affiche les fichiers"],
    },
    {
        "name": "list_files",
        "language": "en",
        "regex": "^list files$",
        "examples": ["list the files in docs"],
    },
    {"name": "send_email", "regex": "^send$", "examples": [{"text": "send an email to Bob"}]},
    {"name": "city_time", "regex": "^time$", "examples": ["what time is it in Tokyo"]},
    {"name": "weather", "regex": "^weather$"},
)


@pytest.mark.parametrize(
    ("text", "suggestions"),
    [
        (
            "lister les fichers de mon dossier",
            [Suggestion("list_files", "liste les fichiers du dossier docs")],
        ),
        ("listing files please", [Suggestion("list_files", "list the files in docs")]),
        ("email Bob", [Suggestion("send_email", "send an email to Bob")]),
        ("Tokyo time now", [Suggestion("city_time", "what time is it in Tokyo")]),
        ("weather forecast", [Suggestion("weather", "")]),
        ("xyzzy plugh", []),
        ("", []),
        ("?", []),
    ],
)
def test_a_refusal_suggests_what_is_near_in_the_language_of_the_request(
    matcher_for: MatcherFor, text: str, suggestions: list[Suggestion]
) -> None:
    analysis = matcher_for(*TALKATIVE).analyse(text)

    assert analysis.intent is None
    assert list(analysis.suggestions) == suggestions


def test_what_is_near_is_looked_up_only_when_somebody_reads_it(matcher_for: MatcherFor) -> None:
    found = matcher_for(*TALKATIVE).analyse("weather forecast")
    looked_up: list[tuple[Suggestion, ...]] = []

    def nearest() -> tuple[Suggestion, ...]:
        looked_up.append(found.nearest())
        return looked_up[-1]

    analysis = replace(found, nearest=nearest)
    assert looked_up == []

    assert analysis.to_dict()["suggestions"] == [{"type": "weather", "example": ""}]
    assert analysis.suggestions == (Suggestion("weather", ""),)
    assert len(looked_up) == 1


def test_at_most_three_intents_are_suggested_each_once(matcher_for: MatcherFor) -> None:
    patterns = [
        {"name": f"read_note_{number}", "regex": "^never$", "examples": [f"read note {number}"] * 2}
        for number in range(6)
    ]

    analysis = matcher_for(*patterns).analyse("read notes")

    assert [each.type for each in analysis.suggestions] == [
        "read_note_0",
        "read_note_1",
        "read_note_2",
    ]


# --- hostile input


HOSTILE = {
    "one long word": "a" * 100_000,
    "one word many times": "liste " * 20_000,
    "blanks": " " * 1_000_000,
    "blanks between": "liste" + " " * 100_000 + "fichiers",
    "emoji": "😀👩‍👩‍👧❤️" * 2_000,
    "mixed scripts": "liste файлы ファイル קבצים ملفات " * 500,
    "zero width": "l\u200bi\u200bs\u200bt\u200be les fichiers",
    "right to left": "\u202eliste les fichiers\u202c",
    "NUL": "liste\x00les\x00fichiers",
    "a lone surrogate": "liste \ud800 fichiers",
    "only accents": "\u0301" * 10_000,
    "expanding": "ﷺ" * 5_000,
    "punctuation": "?!." * 30_000,
    "new lines": "liste\n" * 10_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_gets_the_same_analysis_each_time_and_soon(
    matcher_for: MatcherFor, text: str
) -> None:
    matcher = matcher_for(
        *TALKATIVE,
        {"name": "list_files", "regex": r"liste\s+(?P<what>.*?)\s*(?:fichiers|dossiers)"},
        {"name": "words", "regex": r"^(?:(?P<word>\w+)\s*)+$"},
        {
            "name": "say",
            "sentences": ["liste [les] {what} [fichiers]", "{when:datetime} {x} {path:path}"],
        },
        {"name": "any", "sentences": "[{a:number}] ({b};{c:duration};[{d:quoted}]) [liste] {e}"},
    )
    start = time.perf_counter()

    first, second = matcher.analyse(text), matcher.analyse(text)

    assert time.perf_counter() - start < 5
    assert first == second
    json.dumps(first.to_dict())


@pytest.mark.parametrize("way", [{"regex": r"do (\w+)"}, {"sentences": "do {what}"}])
def test_five_hundred_equal_intents_are_ranked_by_file_order(
    matcher_for: MatcherFor, way: dict[str, str]
) -> None:
    patterns = [{"name": f"intent_{number}", **way} for number in range(500)]

    candidates = matcher_for(*patterns).analyse("do it").candidates

    assert [each.intent.type for each in candidates] == [f"intent_{n}" for n in range(500)]


def test_a_regex_that_runs_out_of_time_is_told_and_harms_no_other(matcher_for: MatcherFor) -> None:
    matcher = matcher_for(
        {"name": "slow", "regex": r"(?:.*?x)(?:.*? )+(?:.*? )+(?:.*? )+y$"},
        {"name": "good", "regex": "xa b c"},
    )

    analysis = matcher.analyse("xa b c y " * 300 + "z")

    assert [each.intent.type for each in analysis.candidates] == ["good"]
    assert analysis.timed_out == ("slow (patterns.json:1)",)
    assert analysis.to_dict()["timed_out"] == ["slow (patterns.json:1)"]


def test_an_accidental_match_of_a_small_part_is_refused_with_what_is_near(
    matcher_for: MatcherFor,
) -> None:
    matcher = matcher_for(
        {"name": "time", "regex": "time", "examples": ["what time is it"]},
        {"name": "trip", "regex": "^never$", "examples": ["my trip to the mountains"]},
    )
    text = "the last time that we went on a trip to the mountains it rained for a whole week"

    analysis = matcher.analyse(text)

    assert analysis.intent is None
    assert analysis.suggestions == (Suggestion("trip", "my trip to the mountains"),)
    assert analysis.to_dict()["refusal"] == (
        "time only matches a part of the request, with a confidence of 0.14; 0.15 is the least"
    )


def test_what_is_not_said_is_a_default_or_comes_from_the_conversation(
    matcher_for: MatcherFor,
) -> None:
    matcher = matcher_for(
        {
            "name": "weather",
            "sentences": "weather [in {city}] [{day:date}]",
            "params": {"place": "$city"},
            "slots": {
                "city": {"from_context": "city", "default": "Paris"},
                "units": {"default": "metric"},
            },
        }
    )

    said, unsaid = _intent(matcher, "weather in Oslo"), _intent(matcher, "weather")

    assert (said.params, said.from_context) == (
        {"city": "Oslo", "place": "Oslo", "units": "metric"},
        {},
    )
    assert (unsaid.params, unsaid.from_context) == (
        {"city": "Paris", "place": "Paris", "units": "metric"},
        {"city": "city", "place": "city"},
    )


def test_a_date_is_relative_to_the_time_of_the_request(load: Load) -> None:
    library = load({"name": "agenda", "sentences": "agenda {day:date}", "language": "en"})
    now = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)

    intent = Matcher(library, limits=Limits(), now=lambda: now).analyse("agenda tomorrow").intent

    assert intent is not None
    assert intent.params == {"day": "2026-11-22"}


def test_an_explanation_tells_what_a_request_went_through(matcher_for: MatcherFor) -> None:
    matcher = matcher_for(
        {"name": "light", "sentences": ["turn on the {room} light", "switch on the {room} light"],
         "slots": {"room": {"values": [{"in": "living[ ]room", "out": "lounge"}]}}},
        {"name": "other", "regex": "something else"},
    )  # fmt: skip

    explained = matcher.explain("Please, turn on the living-room light !")

    assert (explained.spoken, explained.without_politeness) == (
        "please turn on the living room light",
        "turn on the living room light",
    )
    assert (explained.sentences, explained.regexes) == ((1, 2), (0, 1))
    [candidate] = explained.analysis.candidates
    assert candidate.to_explanation() | {"reason": ""} == {
        **candidate.to_dict(),
        "reason": "",
        "text": "turn on the {room} light",
        "slots": [
            {"name": "room", "type": "list", "value": "lounge", "text": "living-room",
             "span": [20, 31]}
        ],
    }  # fmt: skip


def test_many_slow_regexes_cannot_hold_up_a_request(matcher_for: MatcherFor) -> None:
    limits = Limits(regex_seconds=0.01)
    matcher = matcher_for(
        *(
            {"name": f"slow_{n}", "regex": r"(?:.*?x)(?:.*? )+(?:.*? )+(?:.*? )+y$"}
            for n in range(60)
        ),
        limits=limits,
    )
    start = time.perf_counter()

    analysis = matcher.analyse("xa b c y " * 300 + "z")

    assert time.perf_counter() - start < limits.regex_seconds * BUDGET * 10
    assert analysis.intent is None
    assert len(analysis.timed_out) == 60


def test_an_empty_library_answers_nothing(matcher_for: MatcherFor) -> None:
    assert matcher_for().analyse("liste les fichiers") == Analysis(None, language="fr")


def test_a_regex_sees_few_blanks_in_a_row_and_params_keep_all_that_were_written(
    matcher_for: MatcherFor,
) -> None:
    analysis = matcher_for({"name": "note", "regex": r"^note (?P<text>\S+\s{1,100}\S+)$"}).analyse(
        text := "Note Été" + " " * 9_000 + "Œuf"
    )

    assert analysis.timed_out == ()
    assert analysis.intent is not None
    assert analysis.intent.params == {"text": text.removeprefix("Note ")}
