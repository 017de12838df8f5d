"""Everyday requests in French and English, against patterns that were written without them.

`corpus/patterns` is what an author writes who has read the documentation; `requests` is what
people say, with the params that must come of it; `none` is what must not be acted on; `several`
asks for more than one thing, or looks like it. The patterns were mended where an author would have
mended them after `requests` had been tried; they are not to be adapted to `unseen`.
"""

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest

from podium.compositions.checker import Checker
from podium.compositions.library import load_compositions
from podium.domain.conversation import ConversationBounds
from podium.domain.intent import Analysis
from podium.domain.limits import Limits
from podium.execution.runner import Runner, RunnerSettings
from podium.intents.checks import check_patterns
from podium.intents.library import PatternLibrary, load_patterns
from podium.intents.matcher import Matcher
from podium.intents.runtime_lists import RuntimeLists
from podium.mapping.expressions import Evaluator
from podium.mapping.transformers import Transformers
from podium.orchestrator import Orchestrator
from podium.stages import Stages
from podium.testing import (
    FakeClock,
    FakeRelay,
    FakeUpstreams,
    MemoryCheckpoints,
    MemoryConversations,
    MemoryJournal,
    SequentialIds,
)
from podium.workspace import understanding_of

CORPUS = Path(__file__).parent / "corpus"
NOW = datetime(2026, 11, 18, 10, 30, tzinfo=UTC)  # a Wednesday
BRANCHES = ("main", "develop", "feature/login", "release-2.1")
LANGUAGES = ("fr", "en")

PRECISION, RECALL = 0.99, 0.97
UNSEEN_RECALL = 0.8  # what templates cover of sayings that nobody has added to them yet


def _read(name: str) -> Any:
    return json.loads((CORPUS / name).read_text("utf-8"))


REQUESTS: dict[str, list[list[Any]]] = {
    language: [
        case
        for path in sorted((CORPUS / "requests").glob(f"*.{language}.json"))
        for case in json.loads(path.read_text("utf-8"))
    ]
    for language in LANGUAGES
}
NONE: dict[str, dict[str, list[str]]] = {
    language: _read(f"none/{language}.json") for language in LANGUAGES
}
UNSEEN: dict[str, dict[str, list[Any]]] = {
    language: _read(f"unseen/{language}.json") for language in LANGUAGES
}
SEVERAL, ONE = _read("several/requests.json"), _read("several/one.json")
ANSWERS: dict[str, dict[str, Any]] = _read("answers.json")


async def _branches(_: dict[str, Any]) -> Any:
    return {"branches": [{"name": name} for name in BRANCHES]}


@pytest.fixture(scope="module")
def library() -> PatternLibrary:
    return load_patterns(CORPUS / "patterns")


@pytest.fixture(scope="module")
def matcher(library: PatternLibrary) -> Matcher:
    """The patterns at a fixed time, with the lists that tools give."""
    upstreams, clock = FakeUpstreams(), FakeClock()
    upstreams.add("git.list_branches", _branches)
    evaluator = Evaluator(Transformers(), clock=clock, limits=Limits())
    lists = RuntimeLists(upstreams, evaluator, clock)
    anyio.run(lists.fill, library.queries)
    return Matcher(library, limits=Limits(), now=lambda: NOW, lists=lists)


def _meant(analysis: Analysis) -> list[tuple[str, dict[str, Any]]]:
    intents = analysis.plan or ((analysis.intent,) if analysis.intent else ())
    return [(intent.type, intent.params) for intent in intents]


# --- the corpus itself


def test_the_corpus_is_large_and_balanced(library: PatternLibrary) -> None:
    asked = [case for language in LANGUAGES for case in REQUESTS[language]]
    near = [text for language in LANGUAGES for text in NONE[language]["near"]]
    unasked = [
        text for language in LANGUAGES for texts in NONE[language].values() for text in texts
    ]
    ways = Counter("regex" if each.regexes else "sentence" for each in library.patterns)

    assert len({case[0] for case in asked}) == len(asked) >= 400
    assert all(len(REQUESTS[language]) >= len(asked) * 0.45 for language in LANGUAGES)
    assert len(set(unasked)) == len(unasked) >= 300
    assert len(near) >= len(unasked) / 2
    assert min(ways.values()) >= len(library.patterns) * 0.4
    assert {case[1] for case in asked} == set(ANSWERS) == {each.name for each in library.patterns}


def test_podium_check_finds_nothing_in_the_patterns(
    library: PatternLibrary, matcher: Matcher
) -> None:
    examples = [text for each in library.patterns for text in each.pattern.all_examples()]

    assert library.faults == ()
    assert len(examples) >= len(library.patterns)
    assert check_patterns(library, matcher) == []


# --- one intent


@dataclass(slots=True)
class Figures:
    """How requests came out; `misses` says which did not come out as they should."""

    asked: int = 0
    matched: int = 0  # the right intent
    right: int = 0  # with exactly its params
    acted: int = 0  # any intent, also where none was asked for
    misses: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float:
        return self.right / self.acted if self.acted else 0.0

    @property
    def recall(self) -> float:
        return self.right / self.asked if self.asked else 0.0

    def __str__(self) -> str:
        return "\n".join(
            (
                f"precision {self.precision:.3f}, recall {self.recall:.3f}, "
                f"slots {self.right} of {self.matched}",
                *self.misses,
            )
        )


def measured(matcher: Matcher, cases: Iterable[list[Any]], unasked: Iterable[str]) -> Figures:
    figures = Figures()
    for text, intent, params in cases:
        meant = _meant(matcher.analyse(text))
        figures.asked += 1
        figures.acted += bool(meant)
        figures.matched += [type_ for type_, _ in meant] == [intent]
        figures.right += meant == [(intent, params)]
        if meant != [(intent, params)]:
            figures.misses.append(f"{text!r}: {meant or 'nothing'}, not {(intent, params)}")
    for text in unasked:
        if meant := _meant(matcher.analyse(text)):
            figures.acted += 1
            figures.misses.append(f"{text!r}: {meant}, not nothing")
    return figures


def _unasked(language: str) -> Iterator[str]:
    for texts in NONE[language].values():
        yield from texts


@pytest.mark.parametrize("language", LANGUAGES)
def test_requests_are_understood_rightly_and_the_rest_is_left_alone(
    matcher: Matcher, language: str
) -> None:
    figures = measured(matcher, REQUESTS[language], _unasked(language))

    assert figures.precision >= PRECISION, str(figures)
    assert figures.recall >= RECALL, str(figures)
    assert figures.right == figures.matched, str(figures)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_the_patterns_were_not_adapted_to_is_understood_rightly_or_not_at_all(
    matcher: Matcher, language: str
) -> None:
    figures = measured(matcher, UNSEEN[language]["requests"], UNSEEN[language]["none"])

    assert figures.precision >= PRECISION, str(figures)
    assert figures.right == figures.matched, str(figures)
    assert figures.recall >= UNSEEN_RECALL, str(figures)


@pytest.mark.parametrize("language", LANGUAGES)
def test_capitals_blanks_and_missing_accents_change_no_intent(
    matcher: Matcher, language: str
) -> None:
    changed = [
        (text, other)
        for text, intent, _ in REQUESTS[language]
        for other in (text.upper(), f"  {text}\n", text.replace("é", "e").replace("à", "a"))
        if [type_ for type_, _ in _meant(matcher.analyse(other))] != [intent]
    ]

    assert len(changed) <= len(REQUESTS[language]) * 3 * (1 - RECALL), changed


# --- several intents


@pytest.mark.parametrize(("text", "plan"), SEVERAL, ids=[case[0] for case in SEVERAL])
def test_a_request_for_several_things_is_an_ordered_plan(
    matcher: Matcher, text: str, plan: list[list[Any]]
) -> None:
    analysis = matcher.analyse(text)

    assert [[intent.type, intent.params] for intent in analysis.plan] == plan


@pytest.mark.parametrize(("text", "intent", "params"), ONE, ids=[case[0] for case in ONE])
def test_what_only_looks_like_several_things_is_one(
    matcher: Matcher, text: str, intent: str, params: dict[str, Any]
) -> None:
    analysis = matcher.analyse(text)

    assert analysis.plan == ()
    assert _meant(analysis) == [(intent, params)]


# --- bad input

BAD = {
    "10 kB of one word": "lumière" * 1_500,
    "one word very often": "allume " * 1_500,
    "a request very often": "allume la lumière puis " * 400,
    "a million blanks": " " * 1_000_000,
    "blanks inside": "allume" + " " * 9_000 + "la lumière",
    "blanks behind": "crée une note : lait" + " " * 9_000 + "x",
    "mixed scripts": "allume 灯 la свет lumière אור ضوء",
    "zero width": "a\u200bl\u200bl\u200bu\u200bm\u200be la lu\u200dmière",
    "right to left": "\u202eallume la lumière\u202c",
    "only numbers": "12 " * 3_000,
    "only a date": "demain " * 1_500,
    "only connectives": "puis " * 2_000,
    "empty": "",
    "only punctuation": "?!… " * 2_500,
    "quotes": '"' * 10_000,
    "addresses": "a@" * 5_000,
    "paths": "a/" * 5_000,
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_bad_input_is_answered_soon_and_the_same_each_time(matcher: Matcher, text: str) -> None:
    began = time.thread_time()

    first, second = matcher.analyse(text), matcher.analyse(text)

    assert time.thread_time() - began < 5
    assert first == second
    json.dumps(first.to_dict())


# --- the whole way, with guessing


def _composition(intent: str, answer: dict[str, Any]) -> dict[str, Any]:
    params: dict[str, bool] = answer["params"]
    return {
        "id": f"do_{intent}",
        "name": answer["about"],
        "description": answer["about"],
        "intent_type": intent,
        "input_schema": {
            "type": "object",
            "properties": {name: {} for name in params},
            "required": [name for name, is_required in params.items() if is_required],
        },
        "steps": [
            {
                "id": "it",
                "server_id": "tools",
                "tool_id": answer.get("effects", "read"),
                "effects": answer.get("effects", "read"),
                "arguments": {"intent": intent},
                "input_mapping": {name: name for name in params},
            }
        ],
    }


class Household:
    """An orchestrator over the patterns, with a tool call for each intent."""

    def __init__(self, folder: Path, matcher: Matcher) -> None:
        templates = folder / "templates"
        templates.mkdir()
        for intent, answer in ANSWERS.items():
            text = json.dumps(_composition(intent, answer))
            (templates / f"{intent}.json").write_text(text, encoding="utf-8")
        compositions = load_compositions(folder)
        assert len(compositions.all()) == len(ANSWERS)
        self.upstreams, clock, limits = FakeUpstreams(), FakeClock(), Limits()
        for effects in ("read", "write", "destructive"):
            self.upstreams.add(f"tools.{effects}", self._done, effects=effects)
        transformers, journal = Transformers(), MemoryJournal()
        self.orchestrator = Orchestrator(
            Stages(
                matcher=matcher,
                understanding=understanding_of(matcher, compositions),
                compositions=compositions,
                checker=Checker(max_steps=10),
                runner=Runner(
                    upstreams=self.upstreams,
                    evaluator=Evaluator(transformers, clock=clock, limits=limits),
                    journal=journal,
                    clock=clock,
                    limits=limits,
                    settings=RunnerSettings(),
                ),
                upstreams=self.upstreams,
                relay=FakeRelay(),
                journal=journal,
                checkpoints=MemoryCheckpoints(),
                conversations=MemoryConversations(clock, ConversationBounds()),
                transformers=transformers,
                clock=clock,
                ids=SequentialIds(),
                limits=limits,
                default_intent_type="generic",
            )
        )

    async def _done(self, arguments: dict[str, Any]) -> Any:
        return {"done": arguments}

    async def played(self, text: str, conversation: str) -> list[dict[str, Any]]:
        """Return the arguments of the tools that a request calls."""
        before = len(self.upstreams.calls)
        await self.orchestrator.process_request(text, "ana", conversation)
        return [arguments for _, arguments in self.upstreams.calls[before:]]


@pytest.fixture
def household(tmp_path: Path, matcher: Matcher) -> Household:
    return Household(tmp_path, matcher)


@pytest.mark.anyio
@pytest.mark.parametrize("language", LANGUAGES)
async def test_guessing_plays_nothing_that_was_not_asked_for(
    household: Household, language: str
) -> None:
    unasked = (*_unasked(language), *UNSEEN[language]["none"])
    played = {
        text: calls
        for number, text in enumerate(unasked)
        if (calls := await household.played(text, f"c{number}"))
    }

    assert played == {}


@pytest.mark.anyio
@pytest.mark.parametrize("language", LANGUAGES)
async def test_where_no_pattern_matches_guessing_plays_what_was_meant_or_nothing(
    household: Household, matcher: Matcher, language: str
) -> None:
    unmatched = [
        (text, intent)
        for text, intent, _ in UNSEEN[language]["requests"]
        if matcher.analyse(text).intent is None
    ]
    wrong = {}
    for number, (text, intent) in enumerate(unmatched):
        calls = await household.played(text, f"c{number}")
        if any(call["intent"] != intent for call in calls):
            wrong[text] = calls

    assert unmatched
    assert wrong == {}


@pytest.mark.anyio
@pytest.mark.parametrize("language", LANGUAGES)
async def test_what_was_asked_for_is_played_with_its_params(
    household: Household, language: str
) -> None:
    first_of_each = {
        intent: (text, params) for text, intent, params in reversed(REQUESTS[language])
    }

    for number, (intent, (text, params)) in enumerate(first_of_each.items()):
        calls = await household.played(text, f"c{number}")

        assert calls == [{"intent": intent, **params}], text
