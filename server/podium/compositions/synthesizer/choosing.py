"""Which tools to take, and in which order: the plan that is expected to agree most with the truth.

What is known are plans, each with a weight: how likely it is that the truth is this one. The best
guess need not be the likeliest: it is the one that has most in common with all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

Tools = tuple[str, ...]

LINKS_WEIGHT = 1.0  # of the agreement about what follows what, beside 1 for the tools
SAME_WEIGHT = 0.5  # of being right about all tools and no others
CANDIDATES = 40  # plans, the weightiest, that are compared with each other


@dataclass(frozen=True, slots=True)
class Choice:
    """The tools that were chosen, and which part (0..1) of all weight is of plans with the same."""

    tools: Tools
    agreed: float


def choose(plans: Mapping[Tools, float]) -> Choice:
    """Return the plan that agrees most with all of them, by their weights (all above 0).

    The weight of no tools at all, (), is that nobody knows; there must be another.
    """
    known = [(tools, weight) for tools, weight in plans.items() if tools]
    heaviest = sorted(known, key=lambda item: (-item[1], item[0]))[:CANDIDATES]
    seen = [(_Parts(tools), weight) for tools, weight in heaviest]
    scored = [sum([weight * _agreement(each, other) for other, weight in seen]) for each, _ in seen]
    best = seen[scored.index(max(scored))][0]
    same = sum(weight for each, weight in seen if each.nodes == best.nodes)
    return Choice(best.tools, same / sum(plans.values()))


class _Parts:
    __slots__ = ("links", "nodes", "tools")

    def __init__(self, tools: Tools) -> None:
        self.tools = tools
        self.nodes = frozenset(tools)
        self.links = frozenset(pairwise(tools))


def _agreement(one: _Parts, other: _Parts) -> float:
    nodes = _overlap(one.nodes, other.nodes)
    same = SAME_WEIGHT if one.nodes == other.nodes else 0.0
    return nodes + LINKS_WEIGHT * _overlap(one.links, other.links) + same


def _overlap(one: frozenset[object], other: frozenset[object]) -> float:
    """Return the F1 measure of two sets; two empty ones agree."""
    sizes = len(one) + len(other)
    return 2 * len(one & other) / sizes if sizes else 1.0
