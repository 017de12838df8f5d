"""A regex is folded without changing what it says, and what is read from it is never wrong."""

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.intents.library import load_patterns
from podium.intents.regex_tokens import tokens_of
from podium.intents.regexes import FLAGS, Regex, RegexFaultError, compile_regex
from podium.intents.soundness import is_sound
from podium.resources import default_directory
from podium.text.folding import fold_text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (r"é", "E"),
        ("e\u0301te\u0301", "Été"),
        ("^e\u0301?te", "te"),
        (r"œuf", "OEUF"),
        (r"^œ?uf$", "uf"),
        (r"stra(ß)e", "STRASSE"),
        (r"^[éè]t[àa]$", "Éta"),
        (r"^[à-ÿ]+$", "Éà"),
        (r"^[a-zÀ-ÿ]+$", "zoé"),
        (r"^[\u00e0-\u00ff]+$", "Éà"),
        (r"caf\u00e9", "café"),
        (r"caf\N{LATIN SMALL LETTER E WITH ACUTE}", "café"),
        (r"caf\xe9", "cafe"),
        (r"l’été", "l'été"),
        (r"«(.+)»", "« oui »"),
        (r"fin….", "fin...!"),
        (r"\S+\s\W\D", "ab  x"),
        (r"^\p{L}+$", "été"),
        (r"^[[:alpha:]]+$", "été"),
        (r"\bété\b", "l'été, oui"),
        (r"(?i)LISTE", "liste"),
        (r"LISTE", "Liste"),
        (r"(?P<durée>\d+) (?P=durée)", "5 5"),
        (r"[]é]x", "]x"),
        (r"[^œ]x", "ax"),
        (r"a(?#é(x)?b", "b"),
        (r"[\u0301]?x", "x"),
    ],
)
def test_a_folded_regex_says_the_same_about_folded_text(source: str, text: str) -> None:
    assert compile_regex(source).compiled.search(fold_text(text))


@pytest.mark.parametrize(
    ("source", "text"),
    [(r"[^é]x", "ex"), (r"^\S+$", "a b"), (r"^\D+$", "1"), (r"….", "abcd"), (r"^[à-ÿ]+$", "zoo")],
)
def test_folding_a_regex_does_not_make_it_looser(source: str, text: str) -> None:
    assert not compile_regex(source).compiled.search(fold_text(text))


def test_an_accented_group_keeps_its_name() -> None:
    each = compile_regex(r"(?P<durée>\d+) (?<unité>h|min)")

    match = each.compiled.search("5 h")
    assert {name: match[each.groups[name]] for name in ("durée", "unité", 1, 2)} == {
        "durée": "5",
        "unité": "h",
        1: "5",
        2: "h",
    }


@pytest.mark.parametrize(
    ("source", "message", "position"),
    [
        ("liste (les", "missing )", 10),
        ("éé(œ", "missing )", 4),
        ("a**", "multiple repeat", 2),
        ("(" * 2_000 + ")" * 2_000, "it is nested too deeply", None),
    ],
)
def test_a_bad_regex_is_told_with_the_position_in_its_own_text(
    source: str, message: str, position: int | None
) -> None:
    with pytest.raises(RegexFaultError) as caught:
        compile_regex(source)

    assert (caught.value.message, caught.value.position) == (message, position)


@pytest.mark.parametrize(
    ("source", "needs"),
    [
        ("liste les fichiers", {"liste les fichiers"}),
        (r"^Liste(?:r|z)? les (.+)$", {"liste", " les "}),
        (r"(?:liste|affiche) (?:tout|rien)", {"affiche|liste", "rien|tout"}),
        (r"(?:liste|.+) x?", set()),
        (r"ab+c*d{2}e{0,3}", {"ab", "d"}),
        (r"(?=liste)(?!ab)x", {"x"}),
        (r"(?x) a b", set()),
        (r"(?:liste){e<=1}", set()),
        (r"été(?i) œuf", {"ete", " oeuf"}),
        (r"a(bc)\1", {"a", "bc"}),
        (r"a(?i)?b", set()),
        (r"été(?#saison)?s", {"et", "s"}),
        (r"\123x\0y", set()),
    ],
)
def test_the_words_that_every_match_holds_are_known(source: str, needs: set[str]) -> None:
    assert {"|".join(sorted(clause)) for clause in compile_regex(source).needs} == needs


# --- what is read from any regex holds for every match of it

LITERALS = st.sampled_from(["a", "b", "ab", "é", "œ", " ", "A", r"\.", "'", "ß", "\u0301", "1"])
CLASSES = st.sampled_from(
    [".", r"\w", r"\s", r"\d", "[ab]", "[^a]", "[é-ü]", "[a-c1]", r"[\w.]", "[]a]", "[[:alpha:]]"]
)
ANCHORS = st.sampled_from(["^", "$", r"\b", "(?i)", "(?#x)", "(?i)?", "(?#)*", ""])
QUANTIFIERS = st.sampled_from(["", "", "", "?", "*", "+", "*?", "+?", "{2}", "{0,2}", "{,2}", "?+"])
OPENINGS = st.sampled_from(["(", "(?:", "(?P<x>", "(?>", "(?=", "(?!", "(?<=", "(?i:"])


def _quantified(atoms: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(atoms, QUANTIFIERS).map("".join)


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    sequence = st.lists(inner, min_size=1, max_size=4).map("".join)
    choice = st.lists(sequence, min_size=1, max_size=3).map("|".join)
    return _quantified(st.tuples(OPENINGS, choice, st.just(")")).map("".join)) | sequence | choice


SENSIBLE = st.recursive(_quantified(LITERALS | CLASSES) | ANCHORS, _grown, max_leaves=12)
BOUNDED = st.tuples(
    st.sampled_from(
        ["a", r"\w", "(a)", "(?:ab|)", "()", "(?:)", "(?=a)", "[a-]", "é?", "œ", "^", "("]
    ),
    st.sampled_from(["{2,1}", "{0,999999}", "{1}{2}", "{2,}?", "*+", "++*", "{", "{3,", ")", "|*"]),
    st.text(alphabet="[]^\\-a-z0.dwp{}L&|~:é\u0301", max_size=8),
).map("".join)
WILD = st.text(alphabet="ab1éœ .*+?|()[]{}^$\\-:=!<>P#,i&~\u0301", max_size=14)
TEXTS = st.text(alphabet="aAb1éœ .c'ß]-", max_size=14)


def _compiled(source: str) -> Regex | None:
    try:
        return compile_regex(source)
    except RegexFaultError:
        return None


@settings(max_examples=300, deadline=None)
@given(SENSIBLE | WILD, st.lists(TEXTS, min_size=1, max_size=8))
def test_every_match_holds_what_the_regex_needs(source: str, texts: list[str]) -> None:
    if (each := _compiled(source)) is None:
        return

    for text in map(fold_text, texts):
        for match in (each.compiled.search(text), each.compiled.fullmatch(text)):
            if match is not None:
                assert all(any(x in match.string for x in clause) for clause in each.needs)


@settings(max_examples=300, deadline=None)
@given(SENSIBLE | WILD, st.lists(TEXTS, min_size=1, max_size=8))
def test_a_regex_with_captures_of_its_own_says_the_same(source: str, texts: list[str]) -> None:
    if (each := _compiled(source)) is None:
        return
    plain = regex.compile("".join(token.text for token in tokens_of(source)), FLAGS)

    for text in map(fold_text, texts):
        match, written = each.compiled.search(text), plain.search(text)

        assert (match and match.span()) == (written and written.span())
        if match is not None:
            groups = (*range(1, plain.groups + 1), *plain.groupindex)
            assert {key: match.spans(each.groups[key]) for key in groups} == {
                key: written.spans(key) for key in groups
            }


@settings(max_examples=500, deadline=None)
@given(SENSIBLE | WILD | BOUNDED)
def test_a_regex_that_is_taken_for_valid_compiles_at_its_first_use(source: str) -> None:
    if (each := _compiled(source)) is None:
        return

    each.prepare()
    assert each.compiled.search("") is None or not each.needs


def test_a_shipped_pattern_is_not_compiled_before_a_request_needs_it() -> None:
    sources = [each.source for each in load_patterns(default_directory("patterns")).regexes()]

    assert sources
    assert [source for source in sources if not is_sound(tokens_of(source))] == []
