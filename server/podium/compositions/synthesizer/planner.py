"""A request and tool schemas to compositions with their data flow, without a model.

Clauses find their tools, values of the request fill arguments, and what is still needed is found
backwards: in earlier results, in schemas, by a reader that gives it. Everything is decided by the
request, the tools and the time; the same gives the same, and nothing is called.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from podium.compositions.synthesizer.asked import Asked, Clause, Reader
from podium.compositions.synthesizer.chaining import Chaining, Flows, by_target
from podium.compositions.synthesizer.doubts import Doubt, doubts_of, remaining
from podium.compositions.synthesizer.drafting import Drafting, told_apart
from podium.compositions.synthesizer.filling import Filler
from podium.compositions.synthesizer.known import KnownTool, Toolbox, Toolboxes
from podium.compositions.synthesizer.plans import Binding, Call, Given, Growing, Read, Wanted, shape
from podium.compositions.synthesizer.targets import HEAD, Search, Targets
from podium.compositions.synthesizer.verbs import agreement
from podium.compositions.synthesizer.wording import Language, reason
from podium.domain.composition import Composition
from podium.domain.synthesis import Draft, Flow, Sketch
from podium.domain.tool import Tool
from podium.domain.versions import meaning_of

MAX_DRAFTS = 5
BEAM = 8  # plans that are followed from clause to clause
LEAST_CONFIDENCE = 0.15  # of a draft; below it there is none
SKIPPED = 1.5  # cost of a clause that nothing serves
UNUSED, UNSAID = 0.6, 1.0  # cost of a value, and of a word, that nothing explains
UNDONE = 0.8  # cost of a verb that no tool of a clause is named for, though others are
IDLE = 0.6  # cost of a remembered reader whose result nothing reads
FORGOTTEN = 0.8  # cost of a tool that a sketch names and a plan leaves out
_LOOSE = frozenset({"phrase", "deed"})  # values that may also be mere words


class Planner:
    """Makes drafts for requests; safe to use from one thread at a time."""

    def __init__(
        self,
        *,
        search: Search,
        now: Callable[[], datetime],
        schemas: Callable[[Tool], Mapping[str, Any] | None] = lambda tool: tool.output_schema,
        flows: Iterable[Flow] = (),
    ) -> None:
        """Take what is known round the tools.

        `search` finds tools by words; `now` is local time, which dates are relative to; `schemas`
        gives what a tool's results look like, declared or learnt; `flows` are uses of data that
        were seen to work.
        """
        self._search = search
        self._now = now
        self._flows: Flows = by_target(flows)
        self._toolboxes = Toolboxes(schemas)

    def plan(
        self, request: str, language: str, tools: Sequence[Tool], sketch: Sketch | None = None
    ) -> tuple[Draft, ...]:
        """Return at most five drafts for a request, best first; none where no tool serves it.

        `language` is that of the request, "fr" or "en". No draft was checked yet.
        """
        speaks: Language = "fr" if language == "fr" else "en"
        toolbox = self._toolboxes.of(tools)
        reader = Reader(toolbox.vocabulary, toolbox.servers, toolbox.deeds, speaks)
        asked = reader.read(request, self._now())
        if not asked.clauses or not toolbox.tools:
            return ()
        sketch = _of_known(sketch, toolbox)
        targets = Targets(toolbox, self._search, asked, sketch)
        favoured = frozenset(sketch.tools if sketch else ())
        chaining = Chaining(
            toolbox, self._flows, asked, Filler(asked, toolbox.nouns), targets, favoured
        )
        plans = [*_by_clauses(chaining), *_by_sketch(chaining, sketch)]
        weighed = [_weighed(plan, asked, toolbox, sketch) for plan in plans if plan.calls]
        return _drafts(weighed, asked, toolbox, speaks)


# --- plans


def _of_known(sketch: Sketch | None, toolbox: Toolbox) -> Sketch | None:
    """Return a sketch without the tools that are gone; the fewer are left, the less sure it is."""
    if sketch is None:
        return None
    tools = tuple(name for name in sketch.tools if name in toolbox.tools)
    if not tools:
        return None
    return replace(
        sketch, tools=tools, confidence=sketch.confidence * len(tools) / len(sketch.tools)
    )


def _by_clauses(chaining: Chaining) -> list[Growing]:
    """Return the plans that serve the clauses of a request one after the other."""
    plans = [Growing()]
    for number, clause in enumerate(chaining.asked.clauses):
        candidates = chaining.targets.of(clause)
        grown = [
            more
            for plan in plans
            for known, fit in candidates
            for more in chaining.target(plan, known, number, fit)
        ]
        grown = [plan.spending(1 - plan.calls[-1].fit) for plan in grown]
        grown += [plan.spending(SKIPPED) for plan in plans]
        plans = _best(grown, BEAM)
    return plans


def _by_sketch(chaining: Chaining, sketch: Sketch | None) -> list[Growing]:
    """Return the plans that use a sketch's tools in its order, each for its likeliest clause."""
    tools = chaining.toolbox.tools
    known = [tools[name] for name in (sketch.tools if sketch else ()) if name in tools]
    plans = [Growing()] if known else []
    at = 0
    for each in known:
        at = _clause_of(chaining, each, at)
        fit = _fit(chaining, each, at)
        grown = [
            more
            for plan in plans
            for bare in (False, True)
            for more in chaining.target(plan, each, at, fit, bare=bare)
        ]
        plans = _best(grown, BEAM)
    return plans


def _clause_of(chaining: Chaining, known: KnownTool, first: int) -> int:
    """Return the clause from `first` on that a tool fits best."""
    numbers = range(first, len(chaining.asked.clauses))
    return max(numbers, key=lambda number: (_fit(chaining, known, number), -number))


def _fit(chaining: Chaining, known: KnownTool, number: int) -> float:
    clause = chaining.asked.clauses[number]
    return agreement(clause.verb, known.tool, clause.action) * chaining.targets.relevance(
        known, clause
    )


def _best(plans: Iterable[Growing], most: int) -> list[Growing]:
    """Return the cheapest plans, of those that are the same only one."""
    kept: dict[Any, Growing] = {}
    for plan in sorted(plans, key=lambda each: each.cost):
        kept.setdefault(shape(plan), plan)
        if len(kept) >= most:
            break
    return list(kept.values())


# --- how good a plan is


@dataclass(frozen=True, slots=True)
class Weighed:
    """A plan with its confidence (0 to 1) and its cost, all that it leaves out included."""

    plan: Growing
    confidence: float
    cost: float
    doubts: tuple[Doubt, ...]


def _weighed(plan: Growing, asked: Asked, toolbox: Toolbox, sketch: Sketch | None) -> Weighed:
    covered, left = _coverage(plan, asked, toolbox)
    own = {call.known.name for call in plan.calls}
    trust = sketch.confidence if sketch is not None and own == set(sketch.tools) else 0.0
    covered, left = max(covered, trust), left * (1 - trust)
    if trust:  # what was read for nothing was remembered for something
        consumed = plan.consumed()
        readers = (at for at, call in enumerate(plan.calls[:-1]) if call.known.is_reader)
        left += sum(IDLE for at in readers if at not in consumed)
    targets = [call for call in plan.calls if call.is_target]
    verbs = min((_verb(call, asked.clauses[call.clause]) for call in targets), default=0.0)
    verbs = max(verbs, trust)
    fits = sum(max(call.fit, trust) for call in targets) / len(targets) if targets else 0.0
    sources = [_explained(binding) for call in plan.calls for binding in call.bindings]
    flow = sum(sources) / len(sources) if sources else 0.9
    served = len({call.clause for call in targets}) / len(asked.clauses)
    confidence = verbs * served * (0.35 * fits + 0.3 * flow + 0.35 * covered)
    if fits < 0.35 or covered < 0.35:
        confidence *= 0.5
    extra = sum(not call.is_target for call in plan.calls)
    confidence *= 0.97**extra
    cost = plan.cost + left
    if sketch is not None:
        cost += FORGOTTEN * sketch.confidence * len(set(sketch.tools) - own)
        if trust:
            confidence = 1 - (1 - confidence) * (1 - 0.6 * trust)
        else:
            confidence *= 1 - 0.4 * sketch.confidence
    doubts = doubts_of(plan, asked, toolbox)
    confidence *= 1 - (1 - remaining(doubts)) * (1 - trust)  # what served before is doubted less
    return Weighed(plan, round(min(confidence, 0.99), 3), cost, doubts)


def _verb(call: Call, clause: Clause) -> float:
    return max(agreement(clause.verb, call.known.tool, clause.action), 0.3)


def _explained(binding: Binding) -> float:
    match binding.source:
        case Wanted():
            return 0.35
        case Read(is_guessed=True):
            return 0.4
        case Given(filling):
            return 1 - 0.6 * min(1.0, filling.cost)
        case _:
            return max(0.4, 1 - 0.5 * binding.cost)


def _coverage(plan: Growing, asked: Asked, toolbox: Toolbox) -> tuple[float, float]:
    """Return the share of a request that a plan explains, and what the rest costs.

    Words weigh by how rare they are among the tools; a value that is not used, like a rare word.
    """
    total = explained = left = 0.0
    heavy = toolbox.rarity(())
    for number, clause in enumerate(asked.clauses):
        own = [index for index, call in enumerate(plan.calls) if call.clause == number]
        read = {each for index in own for each in plan.calls[index].reads()}
        tools = [plan.calls[index].known for index in {*own, *read} or range(len(plan.calls))]
        left += UNDONE * _is_undone(clause, tools, toolbox)
        texts = [value for value in clause.values if _is_used(value.number, plan)]
        for place, word in enumerate(clause.content):
            weight = toolbox.rarity(word.stems) * (HEAD if place == 0 else 1.0)
            inside = any(v.mention.start <= word.start < v.mention.end for v in texts)
            is_used = word.start in plan.words or (inside and not _is_phrase(word.start, texts))
            told = 1.0 if is_used else _told(word.stems, tools, toolbox)
            total += weight
            explained += weight * told
            left += UNSAID * (1 - told) * weight / heavy
        for value in clause.values:
            if value.mention.kind in _LOOSE or (
                value.mention.kind == "name" and _is_told(value.words, tools, toolbox)
            ):
                continue
            covered = _is_inside(value.mention.start, texts) or _is_used(value.number, plan)
            total += heavy
            explained += heavy * covered
            left += UNUSED * (not covered)
    return (explained / total if total else 0.5), left


def _is_undone(clause: Clause, tools: Sequence[KnownTool], toolbox: Toolbox) -> bool:
    """Return whether a verb that names what other tools do is none of what these do."""
    verb = next((word for word in clause.words if word.is_verb), None)
    if verb is None or clause.verb[:1] == ("read",) or not verb.stems & toolbox.verbs:
        return False
    return not any(verb.stems & tool.weights.keys() for tool in tools)


def _is_phrase(start: int, texts: Sequence[Any]) -> bool:
    return all(
        v.mention.kind == "phrase" for v in texts if v.mention.start <= start < v.mention.end
    )


def _is_inside(start: int, texts: Sequence[Any]) -> bool:
    return any(each.mention.start <= start < each.mention.end for each in texts)


def _is_used(number: int, plan: Growing) -> bool:
    return any(token.startswith(f"{number}:") for token in plan.used)


def _told(stems: frozenset[str], tools: Sequence[KnownTool], toolbox: Toolbox) -> float:
    named = max((tool.weights.get(each, 0.0) for tool in tools for each in stems), default=0.0)
    if named >= 0.6:
        return named
    fields = (f for tool in tools for f in toolbox.fields(tool))
    given = 0.3 if stems & toolbox.nouns else 0.7  # where a tool is named for it, a field is less
    return max(named, given) if any(stems & each.words for each in fields) else named


def _is_told(words: Sequence[Any], tools: Sequence[KnownTool], toolbox: Toolbox) -> bool:
    return bool(words) and all(_told(word.stems, tools, toolbox) >= 0.6 for word in words)


# --- drafts


def _drafts(
    weighed: Iterable[Weighed], asked: Asked, toolbox: Toolbox, language: Language
) -> tuple[Draft, ...]:
    ranked = sorted(weighed, key=lambda each: (each.cost - 2 * each.confidence, shape(each.plan)))
    kept: dict[str, tuple[Composition, Drafting, Weighed]] = {}
    for each in ranked:
        if each.confidence < LEAST_CONFIDENCE or len(kept) == MAX_DRAFTS:
            continue
        drafting = Drafting(each.plan, toolbox, asked, language)
        composition = drafting.composition()
        kept.setdefault(meaning_of(composition), (composition, drafting, each))
    named = told_apart([composition for composition, _, _ in kept.values()])
    return tuple(
        _draft(composition, drafting, each)
        for composition, (_, drafting, each) in zip(named, kept.values(), strict=True)
    )


def _draft(composition: Composition, drafting: Drafting, weighed: Weighed) -> Draft:
    params = drafting.params.values()
    doubted = [reason(each.kind, drafting.language, about=each.about) for each in weighed.doubts]
    return Draft(
        composition,
        {each.name: each.value for each in params if not each.is_missing},
        weighed.confidence,
        tuple(each.name for each in params if each.is_missing),
        (*drafting.reasons, *doubted),
    )
