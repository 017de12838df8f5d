"""Rank documents for a query by Okapi BM25; documents and queries are lists of tokens."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

SATURATION = 1.2  # k1: how soon a repeated word stops adding
LENGTH_WEIGHT = 0.75  # b: how much a long document is held back
ENOUGH = 250  # documents by the rarest tokens, after which common ones only re-rank them
FEW_HOLDERS = 80  # a token that so few documents hold always brings them in

_Alternative = tuple[Mapping[int, float], float]
_NOTHING: Mapping[int, float] = {}


class Bm25:
    """An index over documents that stay as they are; a change means a new index."""

    def __init__(
        self,
        documents: Iterable[Sequence[str]],
        *,
        saturation: float = SATURATION,
        length_weight: float = LENGTH_WEIGHT,
    ) -> None:
        counts = [Counter(document) for document in documents]
        lengths = [count.total() for count in counts]
        average = (sum(lengths) / len(lengths) if lengths else 0.0) or 1.0
        damping = [
            saturation * (1 - length_weight + length_weight * length / average)
            for length in lengths
        ]
        held: dict[str, dict[int, int]] = {}
        for place, count in enumerate(counts):
            for token, times in count.items():
                held.setdefault(token, {})[place] = times
        self._rarity = {
            token: math.log(1 + (len(counts) - len(places) + 0.5) / (len(places) + 0.5))
            for token, places in held.items()
        }
        # Token by token: what is read together then lies together in memory.
        self._postings = {
            token: {
                place: self._rarity[token] * times * (saturation + 1) / (times + damping[place])
                for place, times in places.items()
            }
            for token, places in held.items()
        }

    @property
    def tokens(self) -> Iterable[str]:
        """Every token that a document holds."""
        return self._postings.keys()

    def rarity(self, token: str) -> float:
        """Return how much a token says (its inverse document frequency); 0 if nobody holds it."""
        return self._rarity.get(token, 0.0)

    def rank(self, query: Iterable[str]) -> list[tuple[int, float]]:
        """Return (place of the document, score), best first, for those that hold a query token.

        Equal scores keep the order of the documents. A token counts once, however often it is said.
        """
        scores: dict[int, float] = {}
        for token in dict.fromkeys(query):
            for place, weight in self._postings.get(token, _NOTHING).items():
                scores[place] = scores.get(place, 0.0) + weight
        return sorted(scores.items(), key=lambda item: (-item[1], item[0]))

    def best(self, concepts: Iterable[Mapping[str, float]], limit: int) -> dict[int, float]:
        """Return the scores of the `limit` best documents (more if some tie), in no order.

        Of a concept (tokens that stand for the same, with weights up to 1) a document's best token
        counts. Tokens that many documents hold do not bring a document in where rare ones do, so
        that a long list of them costs little.
        """
        held = [self._of(concept) for concept in concepts]
        held.sort(key=_commonness)
        rare = _rare(held)
        scores = dict(_joined(held[rare - 1])) if rare else {}  # the longest, copied at once
        for alternatives in held[: rare - 1] if rare else ():
            for place, weight in _joined(alternatives).items():
                scores[place] = scores.get(place, 0.0) + weight
        for alternatives in held[rare:]:
            _add(scores, alternatives)
        if len(scores) > limit:
            least = sorted(scores.values())[-limit]  # quicker than a heap, as it has a few hundred
            scores = {place: score for place, score in scores.items() if score >= least}
        return scores

    def _of(self, concept: Mapping[str, float]) -> list[_Alternative]:
        """Return the postings of each token of a concept, with the token's weight."""
        known = ((self._postings.get(token), weight) for token, weight in concept.items())
        return [(postings, weight) for postings, weight in known if postings]


def _rare(held: Sequence[Sequence[_Alternative]]) -> int:
    """Return how many concepts, the rarest first, bring documents in."""
    found = 0
    for count, alternatives in enumerate(held):
        holders = _commonness(alternatives)
        if found >= ENOUGH and holders > FEW_HOLDERS:
            return count
        found += holders
    return len(held)


def _commonness(alternatives: Sequence[_Alternative]) -> int:
    return sum([len(postings) for postings, _ in alternatives])


def _joined(alternatives: Sequence[_Alternative]) -> Mapping[int, float]:
    """Return each document's best score among tokens that stand for the same."""
    if len(alternatives) == 1 and alternatives[0][1] == 1.0:
        return alternatives[0][0]
    joined: dict[int, float] = {}
    for postings, weight in alternatives:
        for place, score in postings.items():
            if weight * score > joined.get(place, 0.0):
                joined[place] = weight * score
    return joined


def _add(scores: dict[int, float], alternatives: Sequence[_Alternative]) -> None:
    """Add the best of some tokens to the documents that are there already."""
    if len(alternatives) == 1:
        postings, weight = alternatives[0]
        for place in scores:
            if place in postings:
                scores[place] += weight * postings[place]
        return
    for place in scores:
        scores[place] += max([w * postings.get(place, 0.0) for postings, w in alternatives])
