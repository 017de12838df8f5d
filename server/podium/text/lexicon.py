"""A French request to what an English text about the same would say, by a small lexicon.

Tools are described in English nearly everywhere, and a French request shares hardly a word with
them. Each word becomes a `Concept`: its own stem, and the English stems that may stand for it. A
word that the lexicon does not hold is looked for among its cognates in the texts that are searched
(`securite` -> `security`). English requests are left as they are: a word that both languages write
alike (`chat`, `pain`) is only translated where the request speaks French.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType

from podium.text.folding import fold_text
from podium.text.language import ENGLISH_WORDS, guess_language
from podium.text.tokens import STOP_WORDS, all_words, stem, words

Concept = Mapping[str, float]
"""Stems that may stand for one word of a request, each with its weight (0..1)."""

LEXICON_FILE = Path(__file__).with_name("lexicon.json")
TRANSLATION_WEIGHT = 1.0
COGNATE_WEIGHT = 0.8  # of a word built by a rule: nearly always right
LIKENESS_WEIGHT = 0.6  # of a word that only looks alike
LEAST_LIKENESS = (
    0.75  # of 0..1, by pairs of letters; below it words have only their roots in common
)
SHORTEST_COGNATE = 5  # characters; shorter words are alike by chance
LONGEST_COGNATE = 30  # characters; a longer one is an id or a path
PREFIX = 4  # letters in which words that look alike must begin alike
MAX_WORDS = 400  # of a request that are looked at
MAX_EXPRESSION = 5  # words of an expression, stop words and elided ones among them

_FRENCH_ENDINGS = (  # how an English word ends that has the same root
    ("munaute", ("munity",)), ("logique", ("logical", "logic")), ("iques", ("ic", "ical", "ics")),
    ("ique", ("ic", "ical", "ics")), ("ites", ("ity", "ite")), ("ite", ("ity", "ite")),
    ("tes", ("ties", "ty")), ("te", ("ty", "t")), ("eurs", ("or", "er")), ("eur", ("or", "er")),
    ("trice", ("tor",)), ("aires", ("ary", "ar")), ("aire", ("ary", "ar")),
    ("ismes", ("ism",)), ("isme", ("ism",)), ("istes", ("ist",)), ("iste", ("ist",)),
    ("ies", ("y", "ies")), ("ie", ("y", "ia")), ("euses", ("ous",)), ("euse", ("ous",)),
    ("eux", ("ous",)), ("elles", ("al",)), ("elle", ("al",)), ("els", ("al",)), ("el", ("al",)),
    ("ales", ("al",)), ("ale", ("al",)), ("aux", ("al", "als")), ("ives", ("ive",)),
    ("ifs", ("ive",)), ("if", ("ive",)), ("iennes", ("ian",)), ("ienne", ("ian",)),
    ("iens", ("ian",)), ("ien", ("ian",)), ("oires", ("ory",)), ("oire", ("ory",)),
    ("iser", ("ize", "ise")), ("isez", ("ize", "ise")), ("ise", ("ize", "ise")),
    ("ifier", ("ify",)), ("ifie", ("ify",)), ("ifiez", ("ify",)), ("quer", ("cate", "c")),
    ("er", ("", "e", "ate")), ("ez", ("", "e", "ate")), ("ee", ("ed", "y")), ("e", ("", "e", "a")),
    ("re", ("er",)), ("es", ("", "e", "s")), ("", ("", "e")),
)  # fmt: skip
_FORMS = (  # feminine and plural forms to those that the lexicon lists
    ("ives", "if"), ("ive", "if"), ("euses", "eur"), ("euse", "eur"), ("rices", "eur"),
    ("rice", "eur"), ("elles", "el"), ("elle", "el"), ("ennes", "en"), ("enne", "en"),
    ("aux", "al"), ("ements", "er"), ("ement", "er"), ("ages", "er"), ("age", "er"),
    ("ations", "er"), ("ation", "er"), ("ants", "er"), ("ant", "er"), ("eraient", "er"),
    ("erait", "er"), ("erai", "er"), ("era", "er"), ("irez", "ir"), ("ees", "er"), ("e", ""),
)  # fmt: skip


class Vocabulary:
    """The stems of the texts that are searched, ready to be looked up by how they look."""

    def __init__(self, stems: Iterable[str]) -> None:
        self._stems = frozenset(stems)
        self._by_prefix: dict[str, list[str]] = {}
        for each in sorted(self._stems):
            if SHORTEST_COGNATE - 1 <= len(each) <= LONGEST_COGNATE and each.isalpha():
                self._by_prefix.setdefault(each[:PREFIX], []).append(each)

    def __contains__(self, each: object) -> bool:
        return each in self._stems

    def cognates(self, word: str) -> dict[str, float]:
        """Return the stems that a French word (folded) is likely to mean, with their weights."""
        if not SHORTEST_COGNATE <= len(word) <= LONGEST_COGNATE or not word.isalpha():
            return {}
        built = {stem(candidate) for candidate in _anglicised(word)}
        if known := built & self._stems:
            return dict.fromkeys(sorted(known), COGNATE_WEIGHT)
        return self._looking_alike(stem(word))

    def _looking_alike(self, own: str) -> dict[str, float]:
        pairs = _pairs(own)
        alike = {
            other: _likeness(pairs, _pairs(other))
            for other in self._by_prefix.get(own[:PREFIX], ())
        }
        best = max(alike, key=lambda other: (alike[other], other), default="")
        if not best or alike[best] < LEAST_LIKENESS:
            return {}
        return {best: LIKENESS_WEIGHT * alike[best]}


class Lexicon:
    """French forms and expressions with their English stems."""

    def __init__(
        self,
        entries: Mapping[str, str],
        expressions: Mapping[str, str] = MappingProxyType({}),
        fillers: str = "",
    ) -> None:
        self._fillers = STOP_WORDS | frozenset(fillers.split())
        self._by_word: dict[str, tuple[str, ...]] = {}
        self._by_stem: dict[str, tuple[str, ...]] = {}
        for forms, meaning in entries.items():
            stems = _stems(meaning)
            for form in forms.split():
                self._by_word[form] = _joined(self._by_word.get(form, ()), stems)
                own = stem(form)
                self._by_stem[own] = _joined(self._by_stem.get(own, ()), stems)
        self._expressions = {
            tuple(map(stem, all_words(each))): _stems(meaning)
            for each, meaning in expressions.items()
        }
        self._openings = frozenset(each[0] for each in self._expressions)
        self._french_only = frozenset(
            form for form in self._by_word if form not in ENGLISH_WORDS
        ) - {word for meaning in entries.values() for word in meaning.split()}

    def speaks_french(self, text: str) -> bool:
        """Return whether a request is French, or says nothing but words that only French has."""
        if guess_language(text) == "fr":
            return True
        said = set(fold_text(text).split())
        return not said & ENGLISH_WORDS and bool(self._french_only.intersection(words(text)))

    def translate(self, word: str) -> tuple[str, ...]:
        """Return the English stems of one folded French word; none if the lexicon lacks it."""
        if found := self._by_word.get(word) or self._by_stem.get(stem(word)):
            return found
        for ending, plainer in _FORMS:
            if word.endswith(ending):
                plain = word.removesuffix(ending) + plainer
                if found := self._by_word.get(plain) or self._by_stem.get(stem(plain)):
                    return found
        return ()

    def concepts(self, text: str, known: Vocabulary, *, french: bool) -> list[Concept]:
        """Return what a text asks for, a concept for each word or expression."""
        if not french:
            return [{stem(word): 1.0} for word in words(text)[:MAX_WORDS]]
        return list(self._french_concepts(all_words(text)[:MAX_WORDS], known))

    def fills(self, word: str) -> bool:
        """Return whether a folded French word says nothing by itself."""
        return word in self._fillers

    def phrases(self, said: Sequence[str]) -> Iterator[tuple[int, int, tuple[str, ...]]]:
        """Yield each word or expression of folded French words: its place, length and meaning."""
        stems = [stem(word) for word in said]
        place = 0
        while place < len(said):
            length, meaning = self._expression_at(stems, place)
            if length:
                yield place, length, meaning
            elif said[place] not in self._fillers:
                yield place, 1, self.translate(said[place])
            place += length or 1

    def _french_concepts(self, said: Sequence[str], known: Vocabulary) -> Iterator[Concept]:
        for place, length, meaning in self.phrases(said):
            if length == 1:
                yield self._concept(said[place], meaning, known)
            else:
                own = [
                    stem(word) for word in said[place : place + length] if word not in STOP_WORDS
                ]
                yield dict.fromkeys((*own, *meaning), TRANSLATION_WEIGHT)

    def _concept(self, word: str, meaning: Sequence[str], known: Vocabulary) -> Concept:
        own = stem(word)
        if meaning:
            return {own: 1.0, **dict.fromkeys(meaning, TRANSLATION_WEIGHT)}
        if own in known:
            return {own: 1.0}
        return {own: 1.0, **known.cognates(word)}

    def _expression_at(self, stems: Sequence[str], place: int) -> tuple[int, tuple[str, ...]]:
        if stems[place] in self._openings:
            for length in range(min(MAX_EXPRESSION, len(stems) - place), 1, -1):
                meaning = self._expressions.get(tuple(stems[place : place + length]))
                if meaning:
                    return length, meaning
        return 0, ()


@cache
def shipped_lexicon() -> Lexicon:
    """Return the lexicon that ships with Podium; it is read once."""
    data = json.loads(LEXICON_FILE.read_text(encoding="utf-8"))
    return Lexicon({**data["verbs"], **data["words"]}, data["expressions"], data["fillers"])


def _stems(meaning: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(stem, meaning.split())))


def _joined(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))


def _anglicised(word: str) -> Iterator[str]:
    for ending, others in _FRENCH_ENDINGS:
        root = word.removesuffix(ending)
        if word.endswith(ending) and len(root) >= PREFIX - 1:
            yield from (root + other for other in others)


def _pairs(word: str) -> frozenset[str]:
    padded = f" {word} "
    return frozenset(padded[at : at + 2] for at in range(len(padded) - 1))


def _likeness(pairs: frozenset[str], others: frozenset[str]) -> float:
    return 2 * len(pairs & others) / (len(pairs) + len(others))
