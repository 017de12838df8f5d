"""Rank documents for a query by Okapi BM25; documents and queries are lists of tokens."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

SATURATION = 1.2  # k1: how soon a repeated word stops adding
LENGTH_WEIGHT = 0.75  # b: how much a long document is held back


class Bm25:
    """An index over documents that stay as they are; a change means a new index."""

    def __init__(self, documents: Iterable[Sequence[str]]) -> None:
        counts = [Counter(document) for document in documents]
        lengths = [count.total() for count in counts]
        average = (sum(lengths) / len(lengths) if lengths else 0.0) or 1.0
        holders = Counter(token for count in counts for token in count)
        rarity = {
            token: math.log(1 + (len(counts) - held + 0.5) / (held + 0.5))
            for token, held in holders.items()
        }
        self._postings: dict[str, list[tuple[int, float]]] = {token: [] for token in holders}
        for place, count in enumerate(counts):
            damping = SATURATION * (1 - LENGTH_WEIGHT + LENGTH_WEIGHT * lengths[place] / average)
            for token, times in count.items():
                weight = rarity[token] * times * (SATURATION + 1) / (times + damping)
                self._postings[token].append((place, weight))

    def rank(self, query: Iterable[str]) -> list[tuple[int, float]]:
        """Return (place of the document, score), best first, for those that hold a query token.

        Equal scores keep the order of the documents. A token counts once, however often it is said.
        """
        scores: dict[int, float] = {}
        for token in dict.fromkeys(query):
            for place, weight in self._postings.get(token, ()):
                scores[place] = scores.get(place, 0.0) + weight
        return sorted(scores.items(), key=lambda item: (-item[1], item[0]))
