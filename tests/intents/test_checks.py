"""A library is tried on the examples that its own files give."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from podium.domain.findings import Finding
from podium.domain.limits import Limits
from podium.intents.checks import check_patterns
from podium.intents.library import PatternLibrary, load_patterns
from podium.intents.matcher import Matcher

Load = Callable[..., PatternLibrary]


def _check(library: PatternLibrary) -> list[Finding]:
    return check_patterns(library, Matcher(library, limits=Limits()))


def test_patterns_that_keep_their_word_yield_no_finding(load: Load) -> None:
    library = load(
        {
            "name": "list_files",
            "regex": r"liste les fichiers(?: de (?P<path>\S+))?",
            "examples": [
                "liste les fichiers",
                {"text": "liste les fichiers de docs", "params": {"path": "docs"}},
                {"text": "liste les fichiers de docs"},
            ],
            "counterexamples": ["envoie un mail à bob: liste les fichiers"],
        },
        {"name": "send_email", "regex": r"envoie un mail à (\S+): (.*)"},
    )

    assert _check(library) == []


def test_each_broken_promise_is_a_finding_that_says_what_won_instead(tmp_path: Path) -> None:
    pattern = {
        "name": "list_files",
        "regex": r"liste (?P<path>\w+)",
        "examples": [
            "affiche les fichiers",
            "liste tout de suite",
            {"text": "liste docs", "params": {"path": "src"}},
        ],
        "counterexamples": ["liste noire", "autre chose"],
    }
    other = {"name": "hurry", "regex": "liste tout de suite"}
    text = json.dumps({"patterns": [other, pattern]}, indent=1)
    (tmp_path / "own.json").write_text(text, encoding="utf-8")

    findings = _check(load_patterns(tmp_path))

    assert findings == [
        Finding(
            "error",
            "own.json",
            "'affiche les fichiers' matches no pattern",
            where="patterns[1].examples[0]",
            line=11,
        ),
        Finding(
            "error",
            "own.json",
            "'liste tout de suite' is taken for hurry: hurry fits the whole request in its own "
            "words, list_files only a part or with few of them (own.json:3)",
            where="patterns[1].examples[1]",
            line=12,
        ),
        Finding(
            "error",
            "own.json",
            '\'liste docs\' yields the params {"path": "docs"}, not {"path": "src"}',
            where="patterns[1].examples[2]",
            line=13,
        ),
        Finding(
            "error",
            "own.json",
            "'liste noire' must not be list_files, but is: the only pattern that matches (the "
            "whole request) (own.json:7)",
            where="patterns[1].counterexamples[0]",
            line=21,
        ),
    ]


def test_warnings_of_the_library_are_findings_too(load: Load) -> None:
    [finding] = _check(load({"name": "anything", "regex": ".*"}))

    assert (finding.severity, finding.where) == ("warning", "patterns[0].regex")


def test_an_example_whose_regex_runs_out_of_time_says_so(load: Load) -> None:
    text = "xa b c y " * 300 + "z"
    slow = r"(?:.*?x)(?:.*? )+(?:.*? )+(?:.*? )+y$"

    example, regex = _check(load({"name": "slow", "regex": slow, "examples": [text]}))

    assert example.message.endswith("matches no pattern (slow (patterns.json:1) ran out of time)")
    assert (regex.severity, regex.where) == ("warning", "patterns[0].regex")
    assert regex.message.startswith("the regex can take for ever, as on ")


@pytest.mark.parametrize(
    "regex", [r"^(a+)+$", r"(?:\w+ ?)+!", r"^(?:\w+\s*)+$", r"x(.*?,)+(.*?,)+y$"]
)
def test_a_regex_that_can_take_for_ever_is_found_without_an_example(load: Load, regex: str) -> None:
    [finding] = _check(load({"name": "slow", "regex": regex}))

    assert finding.message.startswith("the regex can take for ever, as on ")


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        (
            [
                {"name": "a", "sentences": "go [to] {place}"},
                {"name": "b", "sentences": "go [to] {place}"},
            ],
            ["b never wins: a (patterns.json:1) says the same"],
        ),
        (
            [{"name": "a", "sentences": "go"}, {"name": "b", "sentences": "go", "priority": 1}],
            ["a never wins: b (patterns.json:1) says the same"],
        ),
        (
            [{"name": "a", "regex": "aller à (\\w+)"}, {"name": "b", "regex": "Aller a (\\w+)"}],
            ["b never wins: a (patterns.json:1) says the same"],
        ),
        (
            [
                {"name": "a", "sentences": "go {n:integer}"},
                {"name": "b", "sentences": "go {n:number}"},
            ],
            ["b never wins: a (patterns.json:1) wins 'go 12'"],
        ),
        ([{"name": "a", "sentences": "go {x}"}, {"name": "a", "sentences": "go {x}"}], []),
        (
            [{"name": "a", "sentences": "go {x}"}, {"name": "b", "sentences": ["go {x}", "leave"]}],
            [],
        ),
        (
            [
                {
                    "name": "a",
                    "regex": "(?:go to (\\w+)|leave for (\\w+))",
                    "params": {"place": "$2"},
                    "examples": ["go to Rome", "go to Paris", "go to Oslo"],
                }
            ],
            ["$2 takes part in none of the examples, so that 'place' is never set"],
        ),
    ],
)
def test_what_a_pattern_says_in_vain_is_a_warning(
    load: Load, patterns: list[dict[str, object]], found: list[str]
) -> None:
    findings = _check(load(*patterns))

    assert [each.message for each in findings] == found
    assert {each.severity for each in findings} <= {"warning"}


SHIPPED = Path(__file__).parents[2] / "patterns"


@pytest.fixture(scope="module")
def shipped() -> PatternLibrary:
    return load_patterns(SHIPPED)


def test_every_shipped_pattern_loads_and_keeps_its_word(shipped: PatternLibrary) -> None:
    assert shipped.faults == ()
    assert _check(shipped) == []


def test_every_shipped_pattern_says_what_it_takes_and_what_it_does_not(
    shipped: PatternLibrary,
) -> None:
    silent = [
        loaded.source
        for loaded in shipped.patterns
        if not (loaded.pattern.examples and loaded.pattern.counterexamples)
    ]

    assert silent == []
