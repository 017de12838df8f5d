"""Texts to what they are compared by: their concepts, and the words that follow each other.

French and English meet in the concepts: a French word stands for the English ones it may mean. Two
texts of one language are compared by the pairs of their words as well, small words among them, as
`cancel my`, `and then` say much about what is wanted. Numbers are values; they say nothing.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from podium.text.lexicon import Concept, Lexicon, Vocabulary
from podium.text.tokens import all_words, stem

Vector = Mapping[str, float]
"""Features with their weights, of length 1."""

TEXT_CHARACTERS = 4_000  # that are looked at
PAIR = " "  # between the two words of a pair; no stem holds one
CONCEPT_SHARE = 0.5  # of a likeness; the rest is that of the pairs

_NUMBERS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Said:
    """What a text says: each concept and each pair with the root of how often."""

    concepts: Mapping[str, float]
    pairs: Mapping[str, float]
    french: bool

    def features(self) -> Iterable[str]:
        """Return all that the text can be found by."""
        return (*self.concepts, *self.pairs)


class Listener:
    """Hears what texts of either language say."""

    def __init__(self, lexicon: Lexicon, vocabulary: Vocabulary) -> None:
        self._lexicon = lexicon
        self._vocabulary = vocabulary

    def hear(self, text: str) -> Said:
        """Return what a text says; of a very long one only how it begins."""
        text = _NUMBERS.sub(" ", text[:TEXT_CHARACTERS])
        french = self._lexicon.speaks_french(text)
        concepts = self._lexicon.concepts(text, self._vocabulary, french=french)
        stems = [stem(word) for word in all_words(text)]
        pairs = Counter(map(PAIR.join, pairwise(stems)))
        return Said(_rooted(_counted(concepts)), _rooted(pairs), french)


def vector(said: Said, rarity: Callable[[str], float]) -> Vector:
    """Return a text as weights of its features; `rarity` says how much a feature tells."""
    concepts = _weights(said.concepts, rarity)
    pairs = _weights(said.pairs, rarity)
    share = CONCEPT_SHARE if concepts and pairs else 1.0
    return {**_scaled(concepts, share), **_scaled(pairs, 1 - CONCEPT_SHARE if concepts else 1.0)}


def dot(one: Vector, other: Vector) -> float:
    """Return how much two texts share, between 0 and 1."""
    return math.fsum([one[each] * other[each] for each in one.keys() & other.keys()])


def _counted(concepts: Iterable[Concept]) -> dict[str, float]:
    """Return each stem with how often it is meant; one of several meanings counts as a part."""
    counts: dict[str, float] = {}
    for concept in concepts:
        part = 1 / math.sqrt(len(concept))
        for each, weight in concept.items():
            counts[each] = counts.get(each, 0.0) + weight * part
    return counts


def _rooted(counts: Mapping[str, float]) -> dict[str, float]:
    return {each: math.sqrt(count) for each, count in counts.items()}


def _weights(said: Mapping[str, float], rarity: Callable[[str], float]) -> dict[str, float]:
    return {each: often * rarity(each) for each, often in said.items()}


def _scaled(weights: Mapping[str, float], share: float) -> dict[str, float]:
    """Return weights of which the squares add up to a share."""
    length = math.sqrt(math.fsum([weight * weight for weight in weights.values()]))
    scale = math.sqrt(share) / length if length else 0.0
    return {each: weight * scale for each, weight in weights.items()}
