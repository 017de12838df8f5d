"""Plans grown backwards: a call is wanted, what it needs is found, and what that needs, and so on.

Cheapest first: what the request says, what earlier steps give, what a schema names, a reader that
gives it, and at last a question to the person. Only readers are ever added for a value.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from itertools import islice, pairwise

from podium.compositions.synthesizer.asked import Asked, Clause, Pick, Value, Word
from podium.compositions.synthesizer.filling import LAST_RESORT, LIKELY, Filler, Filling
from podium.compositions.synthesizer.known import KnownTool, Offer, Toolbox
from podium.compositions.synthesizer.names import likeness, name_words
from podium.compositions.synthesizer.plans import (
    FIRST,
    Again,
    Binding,
    Call,
    Constant,
    Given,
    Growing,
    How,
    Read,
    Source,
    Told,
    Wanted,
    span,
)
from podium.compositions.synthesizer.ports import Field, Port
from podium.compositions.synthesizer.targets import Targets
from podium.domain.synthesis import Flow

MAX_STEPS = 8
MAX_DEPTH = 4  # producers of what producers need
MAX_EXPANSIONS = 2_000  # of one request
WAYS = 3  # to fill one argument that are followed
BEAM = 6  # plans of one call that are followed
PRODUCERS = 3  # for one argument; one less for each level below
LEAST_LIKENESS = 0.45  # of a field and an argument
ASK, DEFAULT, PRODUCER, GUESS, SEEN, AGAIN, TELL = 2.0, 0.3, 0.45, 0.7, 0.05, 0.3, 0.3
SURE_OF_PRODUCER = 0.3  # cost of what it may take for an argument that it does not need
ANY = 1.6  # of the first of a list that nothing was said of
SCARCE = 0.8  # of a producer that would have to ask for something itself
LEAST_OBJECT = 0.5  # how well a reader must explain what is to be sent
_STRONG_KINDS = frozenset({"email", "url", "phone", "latlon", "timezone"})
_NAMES = frozenset(name_words("name_title_subject_label"))
_TEXT = frozenset({"string"})
_PEOPLE = frozenset({"person", "custom"})

Flows = Mapping[tuple[str, str], Sequence[Flow]]


def by_target(flows: Iterable[Flow]) -> Flows:
    """Return flows by the tool and the argument that they fill."""
    found: defaultdict[tuple[str, str], list[Flow]] = defaultdict(list)
    for flow in sorted(flows, key=lambda each: (each.source, each.path)):
        found[flow.target, flow.argument].append(flow)
    return found


@dataclass(frozen=True, slots=True)
class Candidate:
    """A field that may give an argument, and how well it fits, from 0 to 1."""

    offer: Offer
    likes: float
    is_seen: bool = False


@dataclass(frozen=True, slots=True)
class Wish:
    """A call that is wanted: of which tool, and for which clause.

    `depth` is how far below what was asked for; `chased` the argument that it is to give.
    """

    known: KnownTool
    clause: Clause
    number: int
    depth: int = 0
    chased: Port | None = None
    is_target: bool = False
    fit: float = 1.0

    def below(self, known: KnownTool, *, clause: Clause, chased: Port | None = None) -> "Wish":
        """Return the wish for a reader that this one needs."""
        return Wish(known, clause, self.number, self.depth + 1, chased)


Way = tuple[Growing, tuple[Binding, ...]]
"""A plan, and the arguments of its next call so far."""


@dataclass(slots=True)
class Chaining:
    """Grows plans for one request."""

    toolbox: Toolbox
    flows: Flows
    asked: Asked
    filler: Filler
    targets: Targets
    favoured: frozenset[str]  # tools that a sketch names
    left: int = MAX_EXPANSIONS
    _ranked: dict[tuple[str, str, int, int], list[Candidate]] = dataclass_field(
        default_factory=dict
    )

    def target(
        self, plan: Growing, known: KnownTool, number: int, fit: float, *, bare: bool = False
    ) -> list[Growing]:
        """Return the plan with a call that a clause asks for, in several ways, cheapest first.

        A `bare` call leaves to others what it does not need.
        """
        clause = self.asked.clauses[number]
        if bare:
            required = frozenset(port.name for port in known.required)
            values = self.filler.fill(known, clause, plan.used, most=LIKELY)
            lent = [each for each in values if each.port.name not in required]
            held = frozenset().union(*(each.taken for each in lent))
            kept = [v for v in clause.values if not any(t.startswith(f"{v.number}:") for t in held)]
            clause = replace(clause, values=tuple(kept))
        grown = self._call(plan, Wish(known, clause, number, is_target=True, fit=fit))
        return _cheapest([self._again(each, clause) for each in grown], BEAM)

    # --- one call

    def _call(self, plan: Growing, wish: Wish) -> list[Growing]:
        """Return the plan with a call, in several ways, cheapest first."""
        self.left -= 1
        if self.left < 0 or len(plan.calls) >= MAX_STEPS:
            return []
        grown: list[Growing] = []
        tried: set[frozenset[tuple[str, frozenset[str]]]] = set()
        for most in (LIKELY, LAST_RESORT):
            fillings = self._fillings(plan, wish, most)
            key = frozenset((each.port.name, each.taken) for each in fillings)
            if key not in tried:
                tried.add(key)
                grown += self._filled(plan, wish, fillings)
        return _cheapest(grown, BEAM)

    def _fillings(self, plan: Growing, wish: Wish, most: float) -> list[Filling]:
        found = self.filler.fill(wish.known, wish.clause, plan.used, most=most, chased=wish.chased)
        if wish.is_target:
            return found
        return [each for each in found if each.port.is_required or each.cost <= SURE_OF_PRODUCER]

    def _filled(self, plan: Growing, wish: Wish, fillings: Sequence[Filling]) -> list[Growing]:
        """Return the plan with a call whose other arguments are found, in several ways."""
        ways = [self._begun(plan, wish, fillings)]
        for port in _needed(wish, {filling.port.name for filling in fillings}):
            ways = [
                (further, (*bindings, *found))
                for grown, bindings in ways
                for further, found in self._ways(grown, port, wish, bindings)
            ]
            ways.sort(key=lambda way: way[0].cost)
            ways = ways[:BEAM]
        return [
            grown.with_call(Call(wish.known, wish.number, bindings, wish.is_target, wish.fit))
            for grown, bindings in ways
            if len(grown.calls) < MAX_STEPS
        ]

    def _begun(self, plan: Growing, wish: Wish, fillings: Sequence[Filling]) -> Way:
        """Return the arguments that the request gives, and the plan with what they use up."""
        spent = [self.filler.spent(wish.clause, filling) for filling in fillings]
        words = [filling.words for filling in fillings]
        start = replace(plan, used=plan.used.union(*spent), words=plan.words.union(*words))
        cost = sum(filling.cost for filling in fillings)
        return start.spending(cost), tuple(
            Binding(each.port, Given(each), each.cost) for each in fillings
        )

    # --- one argument

    def _ways(
        self, plan: Growing, port: Port, wish: Wish, bindings: Sequence[Binding]
    ) -> list[Way]:
        """Return the cheapest ways to fill an argument, each with the plan that it needs."""
        found = [
            _way(grown, port, source, cost)
            for grown, source, cost in self._at_hand(plan, port, wish, bindings)
        ]
        is_dear = not found or min(way[0].cost for way in found) > plan.cost + PRODUCER
        if wish.depth < MAX_DEPTH and not port.is_sink and is_dear:
            found += [
                _way(grown, port, read, cost)
                for grown, read, cost in self._produced(plan, port, wish)
            ]
        if port.is_required:
            found.append(_way(plan, port, Wanted(), ASK))
        elif not found:
            return [(plan, ())]
        found.sort(key=lambda way: way[0].cost)
        return found[:WAYS]

    def _at_hand(
        self, plan: Growing, port: Port, wish: Wish, bindings: Sequence[Binding]
    ) -> Iterator[tuple[Growing, Source, float]]:
        """Yield what fills an argument without a further reader of its own, each with its cost."""
        for read, cost in self._in_plan(plan, port, wish, bindings):
            if read.is_seen or not port.is_sink:  # else a text tells what nobody has read yet
                yield plan, read, cost
        for again, cost in () if port.is_sink else _repeated(plan, port, wish.clause):
            yield plan, again, cost
        if port.is_sink:
            for grown, told in self._telling(plan, wish):
                yield grown, told, TELL
        if port.choices and len(port.choices) == 1:
            yield plan, Constant(port.choices[0]), DEFAULT / 2
        elif "default" in port.schema:
            yield plan, Constant(port.schema["default"]), DEFAULT

    def _in_plan(
        self, plan: Growing, port: Port, wish: Wish, bindings: Sequence[Binding]
    ) -> Iterator[tuple[Read, float]]:
        """Yield the fields of earlier results that fit, each with its cost."""
        rounds = next(
            (b.source for b in bindings if isinstance(b.source, Read) and b.source.how == "each"),
            None,
        )
        last = len(plan.calls) - 1
        for index in range(last, -1, -1):
            source = plan.calls[index]
            away = 0.04 * (last - index)
            is_meant = wish.clause.has_pronoun and source.clause < wish.number
            nearer = 0.1 if is_meant else 0.0
            for field, likes, is_seen in self._fitting(source.known, port, wish.known):
                cost = SEEN if is_seen else 0.1 + 0.6 * (1 - likes)
                how, pick = self._lifted(field, port, wish.clause, source)
                if rounds is not None and how == "each" and rounds.call != index:
                    how = "pick"
                read = Read(index, field, how, pick, is_seen=is_seen)
                yield read, max(0.02, cost + away - nearer)
            if not self.toolbox.fields(source.known) and source.known.is_reader:
                yield from self._guessed(index, source, port, wish.known, away)

    def _guessed(
        self, index: int, source: Call, port: Port, known: KnownTool, away: float
    ) -> Iterator[tuple[Read, float]]:
        flows = self._flows(source.known, port, known)
        for flow in flows:
            path = tuple(each for each in flow.path.split(".") if each)
            field = Field(path, frozenset(), port.kind, port.words)
            yield Read(index, field, is_seen=True), SEEN + away
        if not flows and (port.words - {"id"}) & frozenset(source.known.nouns):
            field = Field((port.name,), frozenset(), port.kind, port.words)
            yield Read(index, field, is_guessed=True), GUESS + away

    def _fitting(
        self, source: KnownTool, port: Port, known: KnownTool
    ) -> list[tuple[Field, float, bool]]:
        """Return the two fields of a tool's results that fit an argument best, seen ones first."""
        seen = {flow.path for flow in self._flows(source, port, known)}
        found = []
        for field in self.toolbox.fields(source):
            is_seen = ".".join(field.path) in seen
            likes = 1.0 if is_seen else fitness(field, port)
            if likes >= LEAST_LIKENESS:
                found.append((field, likes, is_seen))
        found.sort(key=lambda each: (not each[2], -each[1], len(each[0].path), each[0].path))
        return found[:2]

    def _flows(self, source: KnownTool, port: Port, known: KnownTool) -> list[Flow]:
        flows = self.flows.get((known.name, port.name), ())
        return [flow for flow in flows if flow.source == source.name]

    def _lifted(self, field: Field, port: Port, clause: Clause, source: Call) -> tuple[How, Pick]:
        """Return what becomes of several values where one is wanted."""
        origin = self.asked.clauses[source.clause]
        is_many = field.is_many or source.rounds is not None
        if port.is_list:
            return ("list", FIRST) if is_many else ("one", FIRST)
        if not is_many:
            return "one", FIRST
        if source.rounds is not None and not field.is_many:
            return "each", FIRST
        if (pick := origin.pick or clause.pick) is not None:
            return "pick", pick
        things = frozenset(source.known.nouns) | field.words
        wants_each = any(
            each.wants_each and (not each.each_of or each.each_of & things)
            for each in (clause, origin)
        )
        plural = any(
            word.is_plural and word.stems & things for word in (*origin.words, *clause.words)
        )
        is_named = _is_named(source)
        if wants_each or (plural and not is_named):
            return "each", FIRST
        return "pick", FIRST

    # --- readers added for a value

    def _produced(
        self, plan: Growing, port: Port, wish: Wish
    ) -> Iterator[tuple[Growing, Read, float]]:
        """Yield the plan with a reader added that gives what an argument needs."""
        for candidate in self._producers(port, wish, plan):
            reader = wish.below(candidate.offer.source, clause=wish.clause, chased=port)
            for grown in self._call(plan, reader)[:2]:
                yield self._reading(grown, candidate, port, wish)

    def _reading(
        self, plan: Growing, candidate: Candidate, port: Port, wish: Wish
    ) -> tuple[Growing, Read, float]:
        """Return how an argument reads the last call of a plan, and what that costs."""
        clause = wish.clause
        offer, is_seen = candidate.offer, candidate.is_seen
        index = len(plan.calls) - 1
        made = plan.calls[index]
        lacks = sum(isinstance(each.source, Wanted) for each in made.bindings)
        cost = PRODUCER + (1 - candidate.likes) + SCARCE * lacks
        cost += 0.5 * (1 - self._said(offer.source, port, wish.known, clause))
        how, pick = self._lifted(offer.field, port, clause, made)
        named = None
        if how == "pick" and pick == FIRST:
            named = None if _is_named(made) else self._named(offer, clause, plan.used)
            if named is not None:
                plan = replace(plan, used=plan.used | self.filler.spent(clause, named[1]))
            elif not _is_led(made):
                cost += ANY
        cost -= 0.4 * is_seen + 0.5 * (offer.source.name in self.favoured)
        cost += GUESS * offer.is_guessed
        read = Read(
            index, offer.field, how, pick, named, is_seen=is_seen, is_guessed=offer.is_guessed
        )
        return plan, read, max(0.1, cost)

    def _said(self, source: KnownTool, port: Port, known: KnownTool, clause: Clause) -> float:
        """Return how far a clause speaks of a reader that is to give an argument.

        An address needs no word: whoever says a name in place of one wants it looked up.
        """
        if port.kind not in ("email", "phone"):
            return self.targets.relevance(source, clause)
        people = 0.8 if _PEOPLE & {*source.nouns, *source.objects} else 0.0
        return max(people, self.targets.beside(source, clause, known))

    def _named(
        self, offer: Offer, clause: Clause, used: frozenset[str]
    ) -> tuple[str, Filling] | None:
        """Return which field of a list's elements tells the one that the request names, and how."""
        length = offer.field.list_length
        for field in self.toolbox.fields(offer.source):
            beside = field.path[:length] == offer.field.path[:length]
            if not beside or len(field.path) != length + 1 or not field.words & _NAMES:
                continue
            port = Port(field.name, {"type": "string"}, _TEXT, "title", field.words, field.words)
            filling = self.filler.named(port, clause, used)
            if filling is not None:
                return field.name, filling
        return None

    def _producers(self, port: Port, wish: Wish, plan: Growing) -> list[Candidate]:
        """Return the readers most likely to give an argument, of those that the plan has not."""
        known, clause = wish.known, wish.clause
        key = known.name, port.name, clause.start, clause.end
        if key not in self._ranked:
            self._ranked[key] = self._candidates(port, known, clause)
        taken = {call.known.name for call in plan.calls}
        free = (each for each in self._ranked[key] if each.offer.source.name not in taken)
        return list(islice(free, max(1, PRODUCERS - wish.depth)))

    def _candidates(self, port: Port, known: KnownTool, clause: Clause) -> list[Candidate]:
        """Return the readers that can give an argument, each with its best field, best first."""
        best: dict[str, tuple[float, Candidate]] = {}
        for candidate in self._all_candidates(port, known, clause):
            source = candidate.offer.source
            rank = 2.0 * candidate.is_seen + candidate.likes
            rank += 0.3 * bool(frozenset(source.nouns) & port.words)
            rank += 0.5 * (source.name in self.favoured) - 0.15 * len(source.required)
            if source is not known and (source.name not in best or best[source.name][0] < rank):
                best[source.name] = rank, candidate
        said = {
            name: 0.6 * self._said(candidate.offer.source, port, known, clause)
            for name, (_, candidate) in best.items()
        }
        names = sorted(best, key=lambda name: (-best[name][0] - said[name], name))
        return [best[name][1] for name in names[: PRODUCERS + MAX_STEPS]]

    def _all_candidates(self, port: Port, known: KnownTool, clause: Clause) -> Iterator[Candidate]:
        """Yield the fields that were seen to fill an argument, that fit it, or may be there."""
        for flow in self.flows.get((known.name, port.name), ()):
            source = self.toolbox.tools.get(flow.source)
            if source is not None and source.is_reader:
                seen = _field_of(self.toolbox, source, flow, port)
                yield Candidate(Offer(source, seen), 1.0, is_seen=True)
        for offer in self.toolbox.offers(port):
            likes = fitness(offer.field, port)
            people = _PEOPLE & {*offer.source.nouns, *offer.source.objects}
            if port.kind in ("email", "phone") and people:
                likes = min(1.0, likes + 0.2)  # whose address it is
            if likes >= LEAST_LIKENESS:
                yield Candidate(offer, likes)
        guess = Field((port.name,), frozenset(), port.kind, port.words)
        for noun in sorted(port.words - {"id"}):
            for source in self.toolbox.unexplained.get(noun, ()):
                if self.targets.relevance(source, clause) >= LEAST_OBJECT:
                    yield Candidate(Offer(source, guess, is_guessed=True), LEAST_LIKENESS)

    # --- texts made of results

    def _telling(self, plan: Growing, wish: Wish) -> Iterator[tuple[Growing, Told]]:
        """Yield what a text can be made of: what this clause names, else what came before."""
        grown = self._objects(plan, wish)
        if grown is not None:
            yield grown, self._told(grown, range(len(plan.calls), len(grown.calls)))
        consumed = plan.consumed()
        before = [
            index
            for index, call in enumerate(plan.calls)
            if index not in consumed and call.clause <= wish.number and call.is_target
        ]
        if before:
            yield plan, self._told(plan, before)

    def _told(self, plan: Growing, indexes: Iterable[int]) -> Told:
        consumed = plan.consumed()
        calls = tuple(index for index in indexes if index not in consumed)
        picks = tuple(self.asked.clauses[plan.calls[index].clause].pick for index in calls)
        return Told(calls, picks)

    def _objects(self, plan: Growing, wish: Wish) -> Growing | None:
        """Return the plan with a reader for each thing that a clause wants told."""
        if wish.depth >= MAX_DEPTH:
            return None
        grown, count = plan, 0
        for part in _parts(self.asked.folded.text, wish.clause, wish.known):
            ways = [
                way.spending(0.5 * (1 - fit))
                for reader, fit in self.targets.readers_of(part, wish.known)
                for way in self._call(grown, wish.below(reader, clause=part))
            ]
            if ways:
                grown, count = self._again(_cheapest(ways, 1)[0], part), count + 1
        return grown if count else None

    # --- the same with other values

    def _again(self, plan: Growing, clause: Clause) -> Growing:
        """Return the plan with the last call made for further values of the same kind."""
        last = plan.calls[-1]
        for binding in last.bindings:
            if not isinstance(binding.source, Given) or not binding.source.filling.taken:
                continue
            first = binding.source.filling
            others = [
                filling
                for filling in self.filler.also(last.known, clause, plan.used, binding.port)
                if self._is_beside(first, filling, clause)
            ][: MAX_STEPS - len(plan.calls)]
            if not others:
                continue
            spent = [self.filler.spent(clause, filling) for filling in others]
            plan = replace(
                plan,
                used=plan.used.union(*spent),
                words=plan.words.union(*(filling.words for filling in others)),
            )
            if binding.port.is_list:
                return _with_last(plan, _given(last, binding.port, _joined(first, others)))
            for filling in others:
                plan = plan.with_call(_given(last, binding.port, filling)).spending(filling.cost)
            return plan
        return plan

    def _is_beside(self, one: Filling, other: Filling, clause: Clause) -> bool:
        """Return whether only words such as "and" stand between a value and those before it."""
        spans = {f"{v.number}": v.mention for v in clause.values}
        mine = [spans.get(token.partition(":")[0]) for token in one.taken]
        theirs = [spans.get(token.partition(":")[0]) for token in other.taken]
        if not mine or not theirs or mine[0] is None or theirs[0] is None:
            return False
        if mine[0].kind != theirs[0].kind or theirs[0].start < mine[0].end:
            return False
        between = self.asked.folded.text[mine[0].end : theirs[0].start].strip(" \"'")
        others = [each for each in spans.values() if each.kind == mine[0].kind]
        for each in others:  # a list: what stands between may be values like them
            if mine[0].end <= each.start and each.end <= theirs[0].start:
                between = self.asked.folded.text[each.end : theirs[0].start].strip(" \"'")
        joins = re.fullmatch(
            r"(?:,|et|and|puis|ou|or|,\s*(?:et|and))(?:\s+\w{1,4}){0,2}['\s\"]*", between
        )
        return joins is not None


def fitness(field: Field, port: Port) -> float:
    """Return from 0 to 1 how well a field fits an argument, by type, kind and name."""
    if not field.is_scalar or port.kind in ("object", "boolean") or "boolean" in field.types:
        return 0.0
    numbers = field.types & {"integer", "number"}
    if not port.takes_text and not numbers and port.kind != "id":
        return 0.0
    if numbers and port.kind in ("email", "url", "path", "date", "datetime", "city", "query"):
        return 0.0
    likes = likeness(port.words, field.words)
    own = frozenset(name_words(port.name))
    if not likes and own != port.words:
        likes = 0.9 * likeness(own, field.words)
    if field.kind == port.kind and port.kind in _STRONG_KINDS:
        return max(likes, 0.75)
    if port.kind in _STRONG_KINDS or field.kind in _STRONG_KINDS:
        return min(likes, 0.4)
    return likes


def _field_of(toolbox: Toolbox, source: KnownTool, flow: Flow, port: Port) -> Field:
    path = tuple(each for each in flow.path.split(".") if each)
    declared = (each for each in toolbox.fields(source) if each.path == path)
    return next(declared, Field(path, frozenset(), port.kind, port.words))


def _needed(wish: Wish, filled: Collection[str]) -> list[Port]:
    """Return the arguments that are still to be filled; what is told names its own values."""
    needed = [port for port in wish.known.required if port.name not in filled]
    if wish.is_target:
        needed += [port for port in wish.known.ports if _is_open_sink(port, wish.known, filled)]
    return sorted(needed, key=lambda port: not port.is_sink)


def _way(grown: Growing, port: Port, source: Source, cost: float) -> Way:
    return grown.spending(cost), (Binding(port, source, cost),)


def _is_open_sink(port: Port, known: KnownTool, filled: Iterable[str]) -> bool:
    """Return whether a text that may be left out is what a writing tool is there for."""
    is_first = next((each for each in known.ports if each.is_sink), None) is port
    return (
        port.is_sink
        and not port.is_required
        and port.name not in filled
        and is_first
        and not known.is_reader
    )


def _is_named(call: Call) -> bool:
    """Return whether a call looks for something by what it is called."""
    return any(
        isinstance(each.source, Given) and each.port.kind in ("title", "person", "id", "free")
        for each in call.bindings
    )


def _is_led(call: Call) -> bool:
    """Return whether something was said of what a call looks for."""
    return any(isinstance(each.source, Given | Read | Again) for each in call.bindings)


def _repeated(plan: Growing, port: Port, clause: Clause) -> Iterator[tuple[Again, float]]:
    """Yield what earlier calls were given for an argument like this one."""
    for index in range(len(plan.calls) - 1, -1, -1):
        for binding in plan.calls[index].bindings:
            same = binding.port.kind == port.kind and binding.port.is_list == port.is_list
            likes = likeness(port.words, binding.port.words)
            if isinstance(binding.source, Given) and same and likes >= LEAST_LIKENESS:
                if binding.source.filling.is_constant or port.choices:
                    continue
                yield (
                    Again(index, binding.port.name),
                    AGAIN - 0.1 * clause.has_pronoun + 0.4 * (1 - likes),
                )


def _parts(text: str, clause: Clause, target: KnownTool) -> list[Clause]:
    """Return what a clause names side by side: "the weather and my meetings" are two things.

    Whom the target goes to is no part of them.
    """
    verb = next((word for word in clause.words if word.is_verb), None)
    edges = [verb.end if verb else clause.start]
    for found in re.finditer(
        r",\s*(?:et|and)?\s+|\s(?:et|and|ainsi que|as well as)\s+", text[: clause.end]
    ):
        inside = any(
            value.mention.kind not in ("phrase", "deed")
            and value.mention.start < found.end()
            and found.start() < value.mention.end
            for value in clause.values
        )
        if found.start() > edges[-1] and not inside:
            edges.append(found.end())
    edges.append(clause.end)
    parts = [span(clause, start, end) for start, end in pairwise(edges)]
    if not any(port.kind in ("email", "person") or _GOES & port.words for port in target.ports):
        return parts
    return [
        replace(part, values=tuple(v for v in part.values if not _is_receiver(v, text, verb)))
        for part in parts
    ]


_GOES = frozenset(name_words("to_recipient_channel"))


def _is_receiver(value: Value, text: str, verb: Word | None) -> bool:
    """Return whether a value is whom something goes to: said right after the verb, or with "to"."""
    mention = value.mention
    if mention.kind not in ("name", "email", "id"):
        return False
    is_next = verb is not None and not text[verb.end : mention.start].strip()
    return is_next or value.place.preposition in ("to", "a", "au", "aux")


def _joined(first: Filling, others: Sequence[Filling]) -> Filling:
    """Return a list of values that were said one after the other."""
    every = [first, *others]
    return replace(
        first,
        value=[value for filling in every for value in filling.value],
        taken=frozenset().union(*(filling.taken for filling in every)),
        said=", ".join(filling.said for filling in every),
    )


def _with_last(plan: Growing, call: Call) -> Growing:
    return replace(plan, calls=(*plan.calls[:-1], call))


def _given(call: Call, port: Port, filling: Filling) -> Call:
    """Return a call with another value for an argument."""
    bindings = tuple(
        Binding(port, Given(filling), filling.cost) if each.port is port else each
        for each in call.bindings
    )
    return replace(call, bindings=bindings)


def _cheapest(plans: Sequence[Growing], most: int) -> list[Growing]:
    return sorted(plans, key=lambda plan: plan.cost)[:most]
