"""The nearest intents to a request that none fits, by the letters its words share with theirs."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from podium.domain.intent import Suggestion
from podium.intents.library import LoadedPattern
from podium.text.language import guess_language
from podium.text.tokens import tokens

MAX_SUGGESTIONS = 3
MAX_CHARACTERS = 400  # of a request; a longer one resembles no example
MAX_RARE = 12  # letter groups of a request, the rarest ones, that are looked up
MAX_OF_GRAM = 64  # examples that share one of them, in file order
MAX_COMPARED = 16  # examples, those that share most of them; each takes a microsecond or two
LEAST_LIKENESS = 0.3  # of 0..1; below it the words have only endings in common
_GRAM = 3


@dataclass(frozen=True, slots=True)
class _Entry:
    """One way to ask for an intent. Without an example its name stands in for one."""

    type: str
    example: str
    language: str | None
    grams: frozenset[str]


class Suggester:
    """Examples and names of patterns, by the letter groups of their words."""

    def __init__(self, patterns: Sequence[LoadedPattern]) -> None:
        self._entries = [entry for pattern in patterns for entry in _entries(pattern)]
        self._by_gram: dict[str, list[int]] = {}
        self._by_type: dict[str, list[int]] = {}
        for position, entry in enumerate(self._entries):
            self._by_type.setdefault(entry.type, []).append(position)
            for gram in entry.grams:
                self._by_gram.setdefault(gram, []).append(position)

    def nearest(self, text: str, language: str) -> tuple[Suggestion, ...]:
        """Return up to three intents, nearest first; none when nothing is near."""
        likeness = self._likeness(_grams(text[:MAX_CHARACTERS]))
        by_type: dict[str, list[int]] = {}
        for position in sorted(likeness, key=lambda p: (-likeness[p], p)):
            by_type.setdefault(self._entries[position].type, []).append(position)
        return tuple(
            Suggestion(name, self._example(name, near, language))
            for name, near in islice(by_type.items(), MAX_SUGGESTIONS)
        )

    def _likeness(self, grams: frozenset[str]) -> dict[int, float]:
        """Return how much each entry that may be near resembles the request (Dice)."""
        likeness: dict[int, float] = {}
        count = len(grams)
        for position in self._comparable(grams):
            others = self._entries[position].grams
            value = 2 * len(grams & others) / (count + len(others))
            if value >= LEAST_LIKENESS:
                likeness[position] = value
        return likeness

    def _comparable(self, grams: frozenset[str]) -> list[int]:
        """Return the entries that share most of the request's rarest letter groups."""
        by_gram = self._by_gram
        known = sorted((len(by_gram[gram]), gram) for gram in grams & by_gram.keys())
        shared: Counter[int] = Counter()
        for _, gram in known[:MAX_RARE]:
            shared.update(by_gram[gram][:MAX_OF_GRAM])
        return [position for position, _ in shared.most_common(MAX_COMPARED)]

    def _example(self, name: str, near: Sequence[int], language: str) -> str:
        """Prefer the request's language, then the nearest, then the first in the files."""
        positions = (*near, *self._by_type[name])
        examples = [self._entries[p] for p in positions if self._entries[p].example]
        in_language = (entry for entry in examples if entry.language == language)
        best = next(in_language, examples[0] if examples else None)
        return best.example if best else ""


def _entries(loaded: LoadedPattern) -> Iterable[_Entry]:
    yield _Entry(loaded.name, "", None, _grams(loaded.name))
    for example in loaded.pattern.all_examples():
        language = loaded.language or guess_language(example.text)
        yield _Entry(loaded.name, example.text, language, _grams(example.text))


def _grams(text: str) -> frozenset[str]:
    """Return the groups of letters of the stems that say something."""
    padded = [f" {stem} " for stem in tokens(text)]
    return frozenset(
        word[start : start + _GRAM] for word in padded for start in range(len(word) - _GRAM + 1)
    )
