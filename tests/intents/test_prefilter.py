"""The prefilter spares regexes that cannot match, and none that can."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from podium.intents.matcher import Matcher
from podium.intents.prefilter import Prefilter
from podium.intents.regexes import compile_regex
from podium.intents.spoken import words_of
from podium.text.folding import fold_text

WORDS = ["liste", "list", "les", "fichiers", "file", "été", "à", "du", "œuvre", "a", "xyz"]
WORDS += ["l'an", "a-b", "a: du", ":", "plan", "unlisted_", "isted"]
WORD = st.sampled_from(WORDS)
PIECE = st.one_of(
    WORD,
    WORD.map("(?:{})?".format),
    st.lists(WORD, min_size=1, max_size=3).map(lambda words: f"({'|'.join(words)})"),
    st.tuples(WORD, WORD).map(lambda two: f"(?:{two[0]} {two[1]}|{two[1]})"),
    st.sampled_from([r"\w+", r"(?P<x>.+?)", "[a-zé]*", r"(?=\w)", r"\b", "(?!xyz)", "s?"]),
)
REGEX = st.tuples(
    st.sampled_from(["", "^", r"\b"]),
    st.lists(PIECE, min_size=1, max_size=4).map(" ".join),
    st.sampled_from(["", "$", r"\b"]),
).map("".join)
TEXT = st.lists(WORD | st.sampled_from(["ETE", "files", "", "?"]), max_size=7).map(" ".join)


@settings(deadline=None)
@given(st.lists(REGEX, max_size=12), st.lists(TEXT, min_size=1, max_size=6))
def test_every_regex_that_matches_is_a_candidate(regexes: list[str], texts: list[str]) -> None:
    compiled = [compile_regex(regex) for regex in regexes]
    prefilter = Prefilter([each.needs for each in compiled])

    for text in map(fold_text, texts):
        candidates = prefilter.candidates(text, words_of(text))
        one_by_one = [
            position for position, each in enumerate(compiled) if each.compiled.search(text)
        ]

        assert set(one_by_one) <= set(candidates)
        assert candidates == sorted(set(candidates))


def test_patterns_whose_words_are_missing_are_not_tried() -> None:
    nouns = [f"noun{number}x" for number in range(2_000)]
    needs = [compile_regex(rf"(?:show|list) (?:the )?{noun}s? (.+)").needs for noun in nouns]

    text = "please show the noun77xs of today"

    assert Prefilter(needs).candidates(text, words_of(text)) == [77]


def test_a_regex_without_any_word_of_its_own_is_always_tried() -> None:
    needs = [compile_regex(regex).needs for regex in (r"\w+", "liste", "(?x) a b", "a|.*")]

    assert Prefilter(needs).candidates("zzz", words_of("zzz")) == [0, 2, 3]


def test_thousands_of_patterns_give_the_intent_that_one_gives(
    matcher_for: Callable[..., Matcher],
) -> None:
    patterns = [
        {
            "name": f"show_{n}",
            "regex": rf"(?:show|montre) (?:les |the )?noun{n}x(?: of (?P<w>\w+))?",
        }
        for n in range(2_000)
    ]

    intent = matcher_for(*patterns).analyse("Montre les noun1234x of Été").intent

    assert intent is not None
    assert (intent.type, intent.params) == ("show_1234", {"w": "Été"})
