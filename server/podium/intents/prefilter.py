"""Which of many regexes can match a text at all, from the literals that each needs.

Every regex is filed under its rarest clause (the literals of which a match holds at least one), so
a request touches only regexes whose rarest words it holds; the other clauses are then checked with
`in`. Measured at 10,000 patterns: hundreds of times faster than trying each.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from podium.intents.regexes import Clause

_GRAM = 3  # characters of a literal by which it is looked up


class Prefilter:
    """An index over the needs of regexes, by their position in the given sequence."""

    def __init__(self, needs: Sequence[Sequence[Clause]]) -> None:
        frequency = Counter(literal for each in needs for clause in each for literal in clause)
        index: dict[str, list[int]] = {}
        self._others: list[tuple[tuple[str, ...], ...]] = []
        self._always: list[int] = []
        for position, clauses in enumerate(needs):
            rarest = min(clauses, key=lambda c: _commonness(c, frequency), default=frozenset[str]())
            for literal in sorted(rarest):
                index.setdefault(literal, []).append(position)
            if not clauses:
                self._always.append(position)
            self._others.append(tuple(tuple(sorted(c)) for c in clauses if c != rarest))
        self._by_gram, self._short = _by_gram(index)

    def candidates(self, text: str) -> list[int]:
        """Return, in order, every position whose regex may match the folded text."""
        found = set(self._always)
        grams = {text[start : start + _GRAM] for start in range(len(text) - _GRAM + 1)}
        for gram in grams & self._by_gram.keys():
            for literal, positions in self._by_gram[gram]:
                if literal in text:
                    found.update(positions)
        for literal, positions in self._short:
            if literal in text:
                found.update(positions)
        return sorted(position for position in found if self._is_plausible(position, text))

    def _is_plausible(self, position: int, text: str) -> bool:
        return all(any(literal in text for literal in clause) for clause in self._others[position])


def _commonness(clause: Clause, frequency: Mapping[str, int]) -> tuple[int, int, list[str]]:
    shortest = min(map(len, clause))
    return sum(frequency[literal] for literal in clause), -shortest, sorted(clause)


_Entry = tuple[str, list[int]]


def _by_gram(index: Mapping[str, list[int]]) -> tuple[dict[str, list[_Entry]], list[_Entry]]:
    by_gram: dict[str, list[_Entry]] = {}
    short: list[_Entry] = []
    for literal, positions in index.items():
        if len(literal) < _GRAM:
            short.append((literal, positions))
        else:
            by_gram.setdefault(literal[:_GRAM], []).append((literal, positions))
    return by_gram, short
