"""What was asked before and which tools served it: past plans to those that a request is like.

They are added one by one, and the oldest fall out; what is learnt in parts is what is learnt at
once. How much a word tells is counted when it is asked for, so nothing has to be built anew.
"""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from podium.compositions.synthesizer.likeness import (
    CONCEPT_SHARE,
    Listener,
    Said,
    Vector,
    dot,
    vector,
)
from podium.domain.synthesis import MAX_PAST_PLANS, PastPlan

PROBES = 2_000  # places in the lists of who says a feature that one search may look at
COMPARED = 1.5  # times as many as are wanted are compared exactly
KEPT_VECTORS = 2_000  # of entries, about 10 kB each, for as long as nothing is learnt

_Key = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Entry:
    """A past plan with what its request says."""

    plan: PastPlan
    said: Said


@dataclass(frozen=True, slots=True)
class Near:
    """A past plan that a request is like, from 0 (not at all) to 1."""

    entry: Entry
    likeness: float
    vector: Vector

    @property
    def plan(self) -> PastPlan:
        """The past plan itself."""
        return self.entry.plan


class Memory:
    """The past plans, found by what their requests say."""

    def __init__(self, listener: Listener, limit: int = MAX_PAST_PLANS) -> None:
        self._listener = listener
        self._limit = limit
        self._entries: dict[int, Entry] = {}  # by a number that grows, so the oldest come first
        self._numbers: dict[_Key, int] = {}
        self._newest = 0
        self._holders: dict[str, set[int]] = {}
        self._vectors: dict[int, Vector] = {}  # until something is learnt

    def add(self, plan: PastPlan) -> None:
        """Learn a plan; one that is known already becomes the newest."""
        known = self._numbers.get((plan.text, plan.tools))
        said = self._listener.hear(plan.text) if known is None else self._drop(known).said
        if len(self._entries) == self._limit:
            self._drop(next(iter(self._entries)))
        self._newest += 1
        self._entries[self._newest] = Entry(plan, said)
        self._numbers[plan.text, plan.tools] = self._newest
        for feature in said.features():
            self._holders.setdefault(feature, set()).add(self._newest)
        self._vectors.clear()

    def nearest(self, said: Said, limit: int) -> list[Near]:
        """Return the past plans that a request is likest to, the likest first."""
        own = vector(said, self.rarity)
        found = []
        for number in self._candidates(said, math.ceil(COMPARED * limit)):
            entry = self._entries[number]
            its = self._vector(number, entry)
            likeness = _between(dot(own, its), said, entry.said)
            found.append(Near(entry, likeness, its))
        return sorted(found, key=lambda near: -near.likeness)[:limit]

    def rarity(self, feature: str) -> float:
        """Return the weight of a feature: what few past requests say tells more than what many do.

        It is the root of an inverse document frequency, as what two texts share has both weights.
        """
        return _rarity(len(self._holders.get(feature, ())), len(self._entries))

    def _candidates(self, said: Said, limit: int) -> list[int]:
        """Return the entries that share most with a request by its rarest features, best first."""
        known = [(self._holders[each], each) for each in said.features() if each in self._holders]
        known.sort(key=lambda each: (len(each[0]), each[1]))
        scores: dict[int, float] = {}
        probes = 0
        for holders, feature in known:
            probes += len(holders)
            if probes > PROBES and len(scores) >= limit:
                break
            weight = self.rarity(feature) ** 2
            for number in holders:
                scores[number] = scores.get(number, 0.0) + weight
        if len(scores) > limit:
            least = heapq.nlargest(limit, scores.values())[-1]
            scores = {number: score for number, score in scores.items() if score >= least}
        return heapq.nlargest(limit, scores, key=lambda number: (scores[number], number))

    def _vector(self, number: int, entry: Entry) -> Vector:
        found = self._vectors.get(number)
        if found is None:
            if len(self._vectors) == KEPT_VECTORS:
                self._vectors.clear()
            found = self._vectors[number] = vector(entry.said, self.rarity)
        return found

    def _drop(self, number: int) -> Entry:
        entry = self._entries.pop(number)
        del self._numbers[entry.plan.text, entry.plan.tools]
        for feature in entry.said.features():
            holders = self._holders[feature]
            holders.discard(number)
            if not holders:
                del self._holders[feature]
        return entry


@lru_cache(maxsize=MAX_PAST_PLANS)
def _rarity(held: int, entries: int) -> float:
    return math.sqrt(1 + math.log((1 + entries) / (1 + held)))


def likenesses(found: Sequence[Near]) -> list[list[float]]:
    """Return how much past plans are like each other: for each, those before it and itself."""
    shared = [[0.0] * place + [1.0] for place in range(len(found))]
    holders: dict[str, list[tuple[int, float]]] = {}
    for place, near in enumerate(found):
        row = shared[place]
        for feature, weight in near.vector.items():
            others = holders.setdefault(feature, [])
            for other, its in others:
                row[other] += weight * its
            others.append((place, weight))
    for row, near in zip(shared, found, strict=True):
        for place in range(len(row) - 1):
            row[place] = _between(row[place], near.entry.said, found[place].entry.said)
    return shared


def _between(shared: float, said: Said, other: Said) -> float:
    """Return how alike two texts are; texts in two languages share nothing but concepts."""
    return min(1.0, shared if said.french == other.french else shared / CONCEPT_SHARE)
