"""French words to the English stems that may stand for them; English requests stay as they are."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podium.text.lexicon import LEXICON_FILE, Lexicon, Vocabulary, shipped_lexicon
from podium.text.tokens import stem, tokens

CASES = json.loads((Path(__file__).parent / "lexicon.json").read_text(encoding="utf-8"))
NOBODY = Vocabulary(())


@pytest.mark.parametrize(("french", "english"), CASES["meanings"])
def test_a_french_request_says_what_an_english_one_would(french: str, english: str) -> None:
    concepts = shipped_lexicon().concepts(french, NOBODY, french=True)

    meant = [stems.keys() for stems in concepts]
    for word in tokens(english):
        assert any(word in stems for stems in meant), (word, meant)


@pytest.mark.parametrize(("word", "known"), CASES["cognates"])
def test_a_word_that_looks_like_an_english_one_finds_it(word: str, known: str) -> None:
    vocabulary = Vocabulary([stem(known), "other", "words"])

    assert list(vocabulary.cognates(word)) == [stem(known)]


@pytest.mark.parametrize("word", CASES["no_cognates"])
def test_a_word_that_only_begins_alike_finds_nothing(word: str) -> None:
    vocabulary = Vocabulary(map(stem, ("complete", "information", "party", "transport")))

    assert vocabulary.cognates(word) == {}


@pytest.mark.parametrize(("text", "is_french"), CASES["languages"])
def test_a_request_of_few_words_is_told_to_be_french(text: str, *, is_french: bool) -> None:
    assert shipped_lexicon().speaks_french(text) is is_french


@given(st.text(max_size=100))
def test_an_english_text_is_its_own_words(text: str) -> None:
    concepts = shipped_lexicon().concepts(text, NOBODY, french=False)

    assert [list(concept) for concept in concepts] == [[each] for each in tokens(text)]


@given(st.text(max_size=100))
def test_any_text_read_as_french_gives_weights_up_to_one(text: str) -> None:
    concepts = shipped_lexicon().concepts(text, NOBODY, french=True)

    assert all(0 < weight <= 1 for concept in concepts for weight in concept.values())


def test_an_expression_counts_as_one_word() -> None:
    lexicon = Lexicon({"mot mots": "word", "passe": "pass"}, {"mot de passe": "password"})

    assert [list(each) for each in lexicon.concepts("mots de passe", NOBODY, french=True)] == [
        ["mot", "pass", "password"]
    ]


def test_every_entry_of_the_lexicon_is_folded_and_means_something() -> None:
    data = json.loads(LEXICON_FILE.read_text(encoding="utf-8"))
    entries = {**data["verbs"], **data["words"], **data["expressions"]}

    odd = [
        forms
        for forms, meaning in entries.items()
        if not forms.isascii() or forms != forms.casefold() or not meaning.split()
    ]

    assert odd == []
    assert len(data["verbs"]) >= 300
    assert len(data["words"]) >= 1_000
