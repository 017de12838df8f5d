"""What holds for every sentence template: it says what it is made of, and stays small."""

import string
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.domain.limits import Limits
from podium.intents.grammar import MAX_NESTING, TemplateFaultError, parse_template
from podium.intents.library import PatternLibrary
from podium.intents.matcher import Matcher
from podium.intents.needs import needs_of
from podium.intents.prefilter import WordFilter
from podium.intents.request import Request
from podium.intents.samples import samples
from podium.intents.sentences import Readings, Scope, Sentence, compile_sentence
from podium.intents.slots import Slot, slot_of
from podium.intents.spoken import Skips, Window, spoken

# --- faults


@pytest.mark.parametrize(
    ("template", "message", "position"),
    [
        ("liste (les", "'(' is never closed", 6),
        ("liste [les)", "'[' is never closed", 6),
        ("liste les]", "']' closes nothing", 9),
        ("a } b", "'}' closes nothing", 2),
        ("a > b", "'>' closes nothing", 2),
        ("a {b", "'{' begins a slot that is never closed", 2),
        ("a {b c}", "'{b c}' is no slot", 2),
        ("a {}", "'{}' is no slot", 2),
        ("a {b:}", "'{b:}' is no slot", 2),
        ("a {x:nmber}", "there is no slot type 'nmber'", 2),
        ("a <b c>", "'<b c>' is no rule", 2),
        ("a <b> c", "there is no rule <b>", 2),
        ("a | b", "'|' stands outside of brackets", 2),
        ("(a|b;c)", "'|' and ';' are mixed in one pair of brackets", 0),
        ("(a;b;c;d;e)", "5 parts in any order are too many, 4 at most", 0),
        ("a \\", "a backslash ends it", 2),
        ("?!", "it says nothing", None),
        ("(" * (MAX_NESTING + 1) + "a" + ")" * (MAX_NESTING + 1), "it nests more than 30", 30),
        ("(" + "|".join(map(str, range(501))) + ")", "it offers 501 ways in one pair", 0),
        ("a" * 2_001, "it has 2001 characters, 2000 at most", None),
        ("[a] " * 200, "more than 150 parts follow one another in it", None),
        ("<circle>", "its rules go round in a circle: <circle> -> <again> -> <circle>", 0),
        ("<many> <many>", "it has more than 4000 parts", None),
    ],
)
def test_a_template_that_cannot_be_used_is_told_with_the_place(
    template: str, message: str, position: int | None
) -> None:
    rules = {
        "circle": parse_template("a <again>"),
        "again": parse_template("<circle>"),
        "deep": parse_template("([a] [b] [c] [d];[e] [f] [g] [h];[i] [j] [k] [l];[m] [n])"),
        "many": parse_template("(<deep>;<deep>;<deep>;<deep>)"),
    }

    with pytest.raises(TemplateFaultError) as caught:
        compile_sentence(template, Scope(rules))

    assert caught.value.message.startswith(message)
    if position is not None and not template.startswith("<circle>"):
        assert caught.value.position == position


def test_a_bad_rule_or_slot_is_told_once_and_harms_only_those_who_use_it(
    load: Callable[..., PatternLibrary],
) -> None:
    library = load(
        {"name": "a", "sentences": "x <bad>"},
        {"name": "b", "sentences": "x {bad}"},
        {"name": "c", "sentences": "x {good}"},
        rules={"bad": "(a"},
        slots={"bad": {"type": "number", "min": "a"}, "good": "number"},
    )

    assert [each.name for each in library.patterns] == ["c"]
    assert [fault.faults[0].where for fault in library.faults] == [
        "rules.bad", "slots.bad.min", "patterns[0].sentences", "patterns[1].sentences",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("slot", "message"),
    [
        ({"type": "number", "values": ["a"]}, "type and values exclude one another"),
        ({"min": 1}, "'min' needs a 'type'"),
        ({"type": "path", "min": 1}, "has no option 'min'"),
        ({"type": "number", "min": 5, "max": 1}, "min 5.0 is greater than max 1.0"),
        ({"values": []}, "should have at least 1"),
        ({"values": [{"in": "{x}", "out": 1}]}, "'{x}' cannot stand here"),
        ({"values": ["(a|b|c)" * 6]}, "more than 200 ways"),
        ({"values": ["?"]}, "should be something that is said"),
        ({"from_tool": "git"}, "should match"),
        ({"from_tool": "git.x", "value": "a["}, "'value' is no expression"),
        ({"arguments": {"a": 1}}, "belong to 'from_tool'"),
    ],
)
def test_a_slot_that_cannot_be_used_is_a_fault(
    load: Callable[..., PatternLibrary], slot: Any, message: str
) -> None:
    [error] = load(slots={"x": slot}).faults

    assert message in str(error)


# --- what a template is made of, it says

NAMES = ("n", "place", "x")
PLACES = ("salon", "salle de bain", "l'entrée", "rez-de-chaussée")
SLOTS: dict[str, Slot] = {
    "n": slot_of("integer"),
    "place": Slot(slot_of("text").kind),
}
LETTERS = st.sampled_from(["liste", "été", "les", "l'", "d'", "allume", "r", "s", "peux-tu", "œuf"])
Made = tuple[str, str, tuple[tuple[str, Any], ...]]
"""A template, one request that it says, and what its slots are in that request."""


def _plain(word: str) -> Made:
    return word, word, ()


def _spaced(parts: list[Made]) -> Made:
    return (
        " ".join(template for template, _, _ in parts),
        " ".join(said for _, said, _ in parts if said),
        tuple(slot for _, _, slots in parts for slot in slots),
    )


def _optional(part: Made) -> st.SearchStrategy[Made]:
    template, said, slots = part
    return st.sampled_from([(f"[{template}]", said, slots), (f"[{template}]", "", ())])


def _choice(parts: list[Made]) -> st.SearchStrategy[Made]:
    template = f"({'|'.join(part[0] for part in parts)})"
    return st.sampled_from([(template, said, slots) for _, said, slots in parts])


def _permuted(parts: list[Made]) -> st.SearchStrategy[Made]:
    template = f"({';'.join(part[0] for part in parts)})"
    return st.permutations(parts).map(lambda order: (template, *_spaced(list(order))[1:]))


NUMBERS = st.integers(1, 99).map(lambda n: ("nombre {n}", f"nombre {n}", (("n", n),)))
WORD = LETTERS.map(lambda word: _plain(word.rstrip("'") or word))
PART = st.recursive(
    WORD | NUMBERS,
    lambda inner: st.one_of(
        inner.flatmap(_optional),
        st.lists(inner, min_size=2, max_size=3).map(_spaced),
        st.lists(inner, min_size=2, max_size=3).flatmap(_choice),
        st.lists(inner, min_size=2, max_size=3).flatmap(_permuted),
    ),
    max_leaves=8,
)
TEMPLATE = st.tuples(PART, PART).map(lambda two: _spaced([_plain("voici"), *two]))


def _match(sentence: Sentence, text: str) -> Any:
    request = Request.of(text)
    said = spoken(request.text)
    readings = Readings(request.said, _fixed_time)
    captures = sentence.match(Window(said, 0, len(said.text)), readings, language="fr")
    return (captures and tuple((each.slot.name, each.value) for each in captures)) or captures


def _fixed_time() -> datetime:
    return datetime(2026, 11, 21, 15, 0, tzinfo=UTC)


@settings(max_examples=120, deadline=None)
@given(TEMPLATE)
def test_a_request_made_of_a_template_matches_it_with_its_slots(made: Made) -> None:
    template, said, slots = made
    sentence = compile_sentence(template, Scope(slots={"n": SLOTS["n"]}))

    found = _match(sentence, said)

    assert found is not None
    assert sorted(value for _, value in found) == sorted(value for _, value in slots)


@settings(max_examples=120, deadline=None)
@given(st.lists(TEMPLATE, min_size=1, max_size=6), st.lists(LETTERS, max_size=5).map(" ".join))
def test_no_sentence_that_matches_is_filtered_out(made: list[Made], other: str) -> None:
    sentences = [compile_sentence(each[0], Scope(slots={"n": SLOTS["n"]})) for each in made]
    words = WordFilter([needs_of(sentence.tree) for sentence in sentences])

    for text in [*(each[1] for each in made), other, f"voici {other}"]:
        tried = words.candidates(spoken(Request.of(text).text).tokens)
        for position, sentence in enumerate(sentences):
            if _match(sentence, text) is not None:
                assert position in tried


GLUED = st.text(alphabet="ab'- [](|)", max_size=24)


@settings(max_examples=200, deadline=None)
@given(GLUED, st.text(alphabet="ab'- ", max_size=12))
def test_no_strange_sentence_that_matches_is_filtered_out_either(source: str, text: str) -> None:
    try:
        sentence = compile_sentence(source, Scope())
    except TemplateFaultError:
        return
    words = WordFilter([needs_of(sentence.tree)])

    for said in (text, *samples(sentence, None)):
        if _match(sentence, said) is not None:
            assert words.candidates(spoken(Request.of(said).text).tokens) == [0]


@settings(max_examples=120, deadline=None)
@given(st.text(alphabet=string.ascii_letters + "éœ '\"-.,:;!?¿…\t\n", max_size=40))
def test_the_way_back_from_what_is_said_leads_to_what_was_written(text: str) -> None:
    request = Request.of(text)
    for window in Skips.of(["s'il te plaît", "a b"]).windows(spoken(request.text)):
        said = window.spoken
        assert len(said.origins) == len(said.text) + 1
        for place, char in enumerate(said.typed):
            if char != " ":
                assert request.text[said.origins[place]] == char


# --- bounds

AMBIGUOUS = "{a} [x] {b} [x] {c} [x] {d} [x] {e} y"


@pytest.mark.parametrize(
    "text",
    ["x " * 30_000 + "z", "x" * 10_000, "a x " * 3_000, '" ' * 5_000, "x-" * 5_000, "'" * 9_000],
    ids=["words", "one word", "pairs", "quotes", "hyphens", "apostrophes"],
)
def test_an_ambiguous_sentence_cannot_hold_up_a_request(
    load: Callable[..., PatternLibrary], text: str
) -> None:
    patterns = [{"name": f"p{n}", "sentences": AMBIGUOUS} for n in range(30)]
    slots = {"a": "text", "b": "word", "c": "date", "d": "number", "e": "text"}
    matcher = Matcher(load(*patterns, slots=slots), limits=Limits())
    start = time.perf_counter()

    first = matcher.analyse(text + " y")

    assert time.perf_counter() - start < 20
    assert first == matcher.analyse(text + " y")
