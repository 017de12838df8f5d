"""A request to the tools that probably serve it, from what served like requests and tools' texts.

Re-using what worked beats planning from descriptions by far, so past plans speak first; what tools
say of themselves decides between them, and alone where nothing alike was ever asked.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from podium.compositions.synthesizer.choosing import Tools, choose
from podium.compositions.synthesizer.likeness import TEXT_CHARACTERS, Listener, Said
from podium.compositions.synthesizer.memory import Memory, Near, likenesses
from podium.compositions.synthesizer.weighing import weigh
from podium.domain.synthesis import MAX_PAST_PLANS, PastPlan, Recalled, Sketch
from podium.domain.tool import Tool, ToolMatch
from podium.text.clauses import clauses
from podium.text.lexicon import Vocabulary, shipped_lexicon
from podium.text.tokens import tokens

Search = Callable[[str, int], Sequence[ToolMatch]]
"""The tools that fit a text, best first, at most so many."""

NEIGHBOURS = 24  # past plans that are heard; more cost more than they tell
SHOWN = 5  # past plans that a sketch names

FOUND = 8  # tools whose texts fit best, of which something is made
TEXT_WEIGHT = 2.0  # how far tools whose texts fit raise the plans that use them
GUESSED = 2  # tools that are taken where only their texts are known; most requests need two
GUESSED_RATIO = 0.5  # of the best one's score that the others must have
GUESS_WEIGHT = 0.2  # of that guess, beside past plans (a perfect one has about 0.8)
TORN_WEIGHT = 0.3  # of a past plan of which a tool is gone, by the share of tools that are left
UNKNOWN_WEIGHT = 1.0  # of a plan that nobody knows, beside past plans that are not alike at all

WELL_KNOWN = 0.9  # likeness from which a request is not looked at in halves
HALVED = 2  # times that a request is halved, its halves included: four requests in one
SPLITS = 4  # places where a request is tried to be halved
SPLIT_GAIN = 0.04  # of likeness, from which two halves of a request are taken for two requests
GLANCED = 3  # nearest past plans of a half, before it is known to be one

# How often a sketch has exactly the right tools, by the share of the evidence that agrees on them:
# a logistic curve, fitted by cross-validation on a public set (see benchmarks/synthesis.py).
CONFIDENCE_SLOPE = 8.6
CONFIDENCE_OFFSET = -2.6
FAR = 0.35  # likeness below which a request may be about something else altogether
NAMED_WEIGHT = 1 / 3  # of saying the tools' names, beside a likeness


class Sketcher:
    """What is remembered, and what tools say, to sketches; a changed list of tools needs a new one.

    It learns a plan in about a fifth of a millisecond and keeps the newest `limit`.
    """

    def __init__(
        self, tools: Sequence[Tool], search: Search, *, limit: int = MAX_PAST_PLANS
    ) -> None:
        texts = [f"{tool.name} {tool.description}"[:TEXT_CHARACTERS] for tool in tools]
        vocabulary = Vocabulary({stem for text in texts for stem in tokens(text)})
        self._listener = Listener(shipped_lexicon(), vocabulary)
        self._memory = Memory(self._listener, limit)
        self._names = {tool.full_name: frozenset(tokens(tool.name)) for tool in tools}
        self._search = search

    def learn(self, past: Iterable[PastPlan]) -> None:
        """Add past plans, the oldest first."""
        for plan in past:
            if plan.tools and plan.text.strip():
                self._memory.add(plan)

    def sketch(self, text: str) -> Sketch | None:
        """Return the tools that probably serve a request; None where nothing speaks for any.

        It is bounded in time however long the text: only its beginning is looked at.
        """
        return self._sketch(text[:TEXT_CHARACTERS], HALVED)

    def _sketch(self, text: str, halvings: int) -> Sketch | None:
        said = self._listener.hear(text)
        near = self._memory.nearest(said, NEIGHBOURS)
        halves = self._halves(text, near[0].likeness) if halvings and near else None
        if halves is not None:
            return _joined([self._sketch(half, halvings - 1) for half in halves])
        plans = self._plans(said, near, self._fitting(text))
        if not any(plans):
            return None
        choice = choose(plans)
        confidence = _rightness(choice.agreed) * self._nearness(choice.tools, said, near)
        used = [each for each in near if not set(choice.tools).isdisjoint(each.plan.tools)]
        nearest = tuple(Recalled(each.plan, each.likeness) for each in used[:SHOWN])
        return Sketch(choice.tools, confidence, nearest)

    # --- what a request says

    def _halves(self, text: str, likeness: float) -> tuple[str, str] | None:
        """Return a request in two, where both are better known than the whole; None otherwise."""
        said = clauses(text) if likeness < WELL_KNOWN else []
        best, found = likeness + SPLIT_GAIN, None
        for place in range(1, min(len(said), SPLITS + 1)):
            halves = ". ".join(said[:place]), ". ".join(said[place:])
            known = self._known(halves)
            if known > best:
                best, found = known, halves
        return found

    def _known(self, parts: Iterable[str]) -> float:
        """Return how like past requests the parts of a request are, each by what it says of it."""
        sizes = total = 0.0
        for part in parts:
            said = self._listener.hear(part)
            near = self._memory.nearest(said, GLANCED)
            sizes += len(said.concepts)
            total += len(said.concepts) * near[0].likeness if near else 0.0
        return total / sizes if sizes else 0.0

    def _fitting(self, text: str) -> dict[str, float]:
        """Return the tools whose texts fit, best first, by their score beside the best one's."""
        matches = self._search(text, FOUND) if text.strip() else ()
        best = max((match.score for match in matches), default=0.0)
        return {match.tool.full_name: match.score / best for match in matches if match.score > 0}

    # --- what speaks for which plan

    def _plans(
        self, said: Said, near: Sequence[Near], fitting: Mapping[str, float]
    ) -> dict[Tools, float]:
        """Return the weight of each plan that something speaks for; under (), that of no plan."""
        plans: dict[Tools, float] = defaultdict(float)
        plans[()] = UNKNOWN_WEIGHT * (1 - near[0].likeness if near else 1.0)
        weights = weigh([each.likeness for each in near], likenesses(near))
        for each, weight in zip(near, weights, strict=True):
            alive = tuple(tool for tool in each.plan.tools if tool in self._names)
            fit = sum(fitting.get(tool, 0.0) for tool in alive) / max(1, len(alive))
            raised = weight * (1 + TEXT_WEIGHT * fit)
            share = _believed(len(alive), len(each.plan.tools))
            plans[alive] += raised * share
            plans[()] += raised * (1 - share)
        if guess := self._guess(said, fitting):
            plans[guess] += GUESS_WEIGHT
        return {tools: weight for tools, weight in plans.items() if weight > 0}

    def _guess(self, said: Said, fitting: Mapping[str, float]) -> Tools:
        """Return the tools whose texts fit best, in the order in which they are spoken of."""
        best = [tool for tool, ratio in fitting.items() if ratio >= GUESSED_RATIO][:GUESSED]
        places = {stem: place for place, stem in enumerate(said.concepts)}
        return tuple(sorted(best, key=lambda tool: self._first_said(tool, places)))

    def _first_said(self, tool: str, places: Mapping[str, int]) -> int:
        said = [places[stem] for stem in self._names.get(tool, ()) if stem in places]
        return min(said, default=len(places))

    # --- how sure that is

    def _nearness(self, tools: Tools, said: Said, near: Sequence[Near]) -> float:
        """Return how surely a request is about what these tools do (0..1)."""
        stems = [stem for tool in tools for stem in self._names.get(tool, ())]
        named = sum(stem in said.concepts for stem in stems) / max(1, len(stems))
        likeness = near[0].likeness if near else 0.0
        return min(1.0, (likeness + NAMED_WEIGHT * named) / FAR)


def _believed(left: int, once: int) -> float:
    """Return which part of a past plan's weight is for the tools that are left of it."""
    return 1.0 if left == once else TORN_WEIGHT * left / once


def _rightness(agreed: float) -> float:
    """Return how often the tools are right on which so much of the evidence agrees."""
    return 1 / (1 + math.exp(-CONFIDENCE_OFFSET - CONFIDENCE_SLOPE * agreed))


def _joined(sketches: Sequence[Sketch | None]) -> Sketch | None:
    """Return the sketch of several requests in one, in the order in which they are said."""
    known = [each for each in sketches if each is not None]
    if not known:
        return None
    tools = dict.fromkeys(tool for each in known for tool in each.tools)
    # Where a part is not understood, these tools cannot be all that is needed.
    confidence = math.prod(each.confidence if each is not None else 0.0 for each in sketches)
    nearest = [near for each in known for near in each.nearest]
    nearest.sort(key=lambda near: -near.likeness)
    return Sketch(tuple(tools), confidence, tuple(nearest[:SHOWN]))
