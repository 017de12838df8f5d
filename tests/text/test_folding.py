"""Folding touches case, accents and quotes only, and every span finds its way back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.text.folding import fold, fold_text

LETTERS = "aZéÉàœŒßçÿıİﬁ ’«»“”'\"-\u0301\u0327\u200b\u00ad😀漢е한ñ½²…١\x00\u202e"
TEXTS = st.text(max_size=60) | st.text(alphabet=LETTERS, max_size=60)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Éléphant", "elephant"),
        ("E\u0301le\u0301phant", "elephant"),
        ("ŒUVRE, œuf", "oeuvre, oeuf"),
        ("Straße, STRASSE", "strasse, strasse"),
        ("l’été à 15 h !", "l'ete a 15 h !"),
        ("« oui » “yes”", '" oui " "yes"'),
        ("liste\u200b les\ufeff fichiers", "liste les fichiers"),
        ("a  b\tc\n", "a  b\tc\n"),
        ("(x) [y] {z} a.b-c_d?!", "(x) [y] {z} a.b-c_d?!"),
        ("😀 漢字 \x00", "😀 漢字 \x00"),
        ("", ""),
    ],
)
def test_only_case_accents_and_quotes_are_folded(text: str, folded: str) -> None:
    assert fold_text(text) == folded


@pytest.mark.parametrize(
    ("text", "word", "original"),
    [
        ("Dossier Été", "ete", "Été"),
        ("dossier e\u0301te\u0301 !", "ete", "e\u0301te\u0301"),
        ("un Œuf dur", "oeuf", "Œuf"),
        ("un Œuf dur", "uf", "uf"),
        ("un Œuf dur", "o", "Œ"),
        ("😀 Straße 7", "strasse", "Straße"),
        ("a\u200bb c", "ab", "a\u200bb"),
    ],
)
def test_a_folded_span_gives_the_words_as_they_were_written(
    text: str, word: str, original: str
) -> None:
    folded = fold(text)
    start = folded.text.index(word)

    assert folded.original(start, start + len(word)) == original


@settings(deadline=None)
@given(TEXTS)
def test_folding_twice_changes_nothing(text: str) -> None:
    once = fold_text(text)

    assert fold_text(once) == once


@settings(deadline=None)
@given(TEXTS)
def test_both_ways_of_folding_agree(text: str) -> None:
    assert fold(text).text == fold_text(text)


@settings(deadline=None)
@given(st.text(alphabet=LETTERS, max_size=60))
def test_case_and_accents_never_matter(text: str) -> None:
    assert fold_text(text.upper()) == fold_text(fold_text(text).upper())


@settings(deadline=None)
@given(TEXTS, st.data())
def test_every_span_maps_to_a_span_of_the_source(text: str, data: st.DataObject) -> None:
    folded = fold(text)
    position = st.integers(0, len(folded.text))
    start, end = sorted((data.draw(position), data.draw(position)))

    first, last = folded.span(start, end)

    assert 0 <= first <= last <= len(text)
    assert folded.text[start:end] in fold_text(folded.original(start, end))


@settings(deadline=None)
@given(TEXTS)
def test_origins_never_run_backwards(text: str) -> None:
    folded = fold(text)

    assert list(folded.origins) == sorted(folded.origins)
    assert len(folded.origins) == len(folded.text) + 1
    assert folded.origins[-1] == len(text)
