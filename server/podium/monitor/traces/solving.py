"""Where one argument came from: of all expressions that give it every time, the likeliest.

An observation is one call (in one trace, in one round of a loop). What varies with nothing to
explain it is a param; what never varies is a constant unless it would be a strange coincidence.
Evidence is counted in bits: those of the values that agree, less those of the places that were
looked at, plus what names say, less what a hypothesis costs by itself.
"""

import re
from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from itertools import islice, pairwise
from math import log2
from typing import Any

import regex

from podium.domain.redaction import REDACTED
from podium.mapping.references import MISSING
from podium.monitor.traces.enumerating import chosen_elements, separator, suggest
from podium.monitor.traces.hypotheses import (
    ISO_DATE,
    Hypothesis,
    array_of,
    as_list,
    chosen,
    concatenated,
    constant,
    equal_to,
    follow,
    mapped,
    object_of,
    reference,
    transformed,
)
from podium.monitor.traces.params import Params
from podium.monitor.traces.sources import HeadIndex, Sources, index_of
from podium.monitor.traces.values import (
    SHORT,
    Path,
    agreement,
    bits,
    canonical,
    is_identifier,
    is_written,
    name_words,
    same,
    similarity,
)
from podium.monitor.traces.wording import Asked, Words, asked

MOST_WORK = 3_000_000  # evaluations of one compilation; about ten seconds
MOST_SUGGESTIONS = 400  # of one argument
MOST_ARRAYS = 12  # lists that a list of objects may be made of, element by element
MOST_NAMED = 2_000  # elements of a list, one of which a person may mean
MOST_PARTS = 40  # of one argument that is a list or an object
NAME_BITS = 6.0  # what a perfect name is worth
ENOUGH = 2.0  # bits; a source with less is a coincidence
UNSAID = -5.0  # bits, as `ENOUGH`, for what varies and is not in the user's words
UNSAID_ONCE = 0.0  # the same, in one trace
ABSENCE = 4.0  # bits; an argument is left out just where an expression finds nothing
PLAIN = 3.0  # bits; a reference to a field, or to one of a first element
CERTAIN = 24.0  # bits; a value that never changes comes from where it stands
ALWAYS = 3  # requests that say the same thing; then nobody means it to change
CUT_SECONDS = 0.05  # one text by one skeleton; a healthy one takes microseconds
LONGEST_TEXT = 20_000  # characters of a text that is taken apart


class TooMuchWorkError(Exception):
    """The bound of a compilation's work is reached."""


@dataclass(slots=True)
class Budget:
    """What is left of the work that one compilation may do."""

    left: int = MOST_WORK

    def spend(self, amount: int = 1) -> None:
        """Take some of it.

        Raises:
            TooMuchWorkError: none is left.

        """
        self.left -= amount
        if self.left < 0:
            raise TooMuchWorkError


@dataclass(frozen=True, slots=True)
class Sight:
    """What was in sight of one call: the trace it is of, its values, and their indexes by head.

    `words` are the stems of the tool that each head is a result of.
    """

    trace: int
    view: Mapping[str, Any]
    indexes: Mapping[str, HeadIndex]
    recency: Mapping[str, float]
    words: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Argument:
    """What is asked for: an argument's name, its schema, and the stems of its tool."""

    name: str
    schema: Mapping[str, Any] | None = None
    tool_words: frozenset[str] = frozenset()

    def part(self, key: str | int) -> "Argument":
        """Return the argument for a part of this one."""
        schema = self.schema or {}
        if isinstance(key, int):
            items = schema.get("items")
            return Argument(self.name, items if isinstance(items, dict) else None, self.tool_words)
        properties = schema.get("properties")
        part = properties.get(key) if isinstance(properties, dict) else None
        words = self.tool_words | name_words(self.name)
        return Argument(key, part if isinstance(part, dict) else None, words)


@dataclass(frozen=True, slots=True)
class Solution:
    """The chosen hypothesis; `support` is its evidence in bits, `rivals` the next best texts."""

    hypothesis: Hypothesis
    support: float = 0.0
    rivals: tuple[str, ...] = ()


@dataclass(slots=True)
class Solver:
    """Solves the arguments of one compilation."""

    words: Sequence[Words]
    params: Params
    budget: Budget
    banned: frozenset[str] = frozenset()
    wanted: set[str] = field(default_factory=set)  # heads that must have been for something
    _element_indexes: dict[int, HeadIndex] = field(default_factory=dict)

    def solve(
        self, argument: Argument, values: Sequence[Any], sights: Sequence[Sight]
    ) -> Solution | None:
        """Return where an argument's values came from; None if it varies from round to round.

        `values` hold MISSING where the argument was not given.
        """
        return _Question(self, argument, list(values), list(sights)).answer()

    def index(self, value: Any) -> HeadIndex:
        """Return the index of an element, made once."""
        known = self._element_indexes.get(id(value))
        if known is None:
            known = self._element_indexes[id(value)] = index_of(value)
        return known


@dataclass(slots=True)
class _Question:
    solver: Solver
    argument: Argument
    values: list[Any]
    sights: list[Sight]
    depth: int = 0
    views: list[Mapping[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        live = self.solver.params.views
        self.views = [ChainMap(dict(s.view), live[s.trace]) for s in self.sights]

    # --- the decision

    def answer(self) -> Solution | None:
        present = self._present()
        if not present:
            return None
        if any(map(_is_secret, self._distinct())):
            return self._secret()
        ranked = self._ranked()
        if (reason := self._reason_of_a_call(ranked)) is not None:
            return reason
        if ranked and self._is_convincing(ranked[0]):
            return self._among(ranked)
        # What a person said as a whole is not taken apart.
        is_said = isinstance(self.values[present[0]], str) and self._said() is not None
        if not is_said and (part := self._by_parts()) is not None:
            return part
        return self._constant_or_param(ranked)

    def _reason_of_a_call(self, ranked: list[tuple[float, Hypothesis]]) -> Solution | None:
        """Return the reference to a result that nothing else would use, if there is one here."""
        for support, hypothesis in ranked:
            if hypothesis.kind == "result" and hypothesis.heads & self.solver.wanted:
                rivals = [h.text for _, h in ranked if h is not hypothesis]
                return Solution(hypothesis, support, tuple(rivals[:3]))
        return None

    def _secret(self) -> Solution | None:
        """Return the param that stands for a secret, which is never written down."""
        by_trace = self._by_trace()
        if by_trace is None:
            return None
        schema = self.argument.schema or {"type": "string"}
        name = self.solver.params.add(self.argument.name, by_trace, schema)
        return Solution(replace(reference(name, ()), kind="param"))

    def _present(self) -> list[int]:
        return [place for place, value in enumerate(self.values) if value is not MISSING]

    def _is_optional(self) -> bool:
        return len(self._present()) < len(self.values)

    def _distinct(self) -> list[Any]:
        return list({canonical(self.values[p]): self.values[p] for p in self._present()}.values())

    def _varies(self) -> bool:
        return len(self._distinct()) > 1

    def _is_one_trace(self) -> bool:
        return len({self.sights[place].trace for place in self._present()}) == 1

    def _by_trace(self) -> dict[int, Any] | None:
        """Return the one value of each trace; None if there are several."""
        found: dict[int, Any] = {}
        for place in self._present():
            trace = self.sights[place].trace
            if trace in found and not same(found[trace], self.values[place]):
                return None
            found[trace] = self.values[place]
        return found

    def _is_convincing(self, best: tuple[float, Hypothesis]) -> bool:
        support, hypothesis = best
        distinct = self._distinct()
        if len(distinct) > 1 or self._is_optional():
            # What varies and was not said came from somewhere.
            enough = UNSAID if self._is_unsaid() else 0.0
            return support >= enough or self._name_fit(hypothesis) >= 0.8
        evidence = bits(distinct[0])
        if self._is_fixed_by_schema(distinct[0]):
            return False
        if self._traces() > 1 and hypothesis.kind != "param":
            certain = evidence >= CERTAIN or is_identifier(distinct[0])
            is_plain = hypothesis.kind in ("result", "element") and hypothesis.cost < (
                PLAIN if self._traces() >= ALWAYS else PLAIN / 2
            )
            fits = is_plain and self._name_fit(hypothesis) >= 0.5
            return support >= ENOUGH and evidence >= 3 and (certain or fits)
        enough = UNSAID_ONCE if self._is_unsaid() else ENOUGH
        return support >= enough and evidence > 0 and not self._is_too_short(distinct[0])

    def _is_unsaid(self) -> bool:
        """Return whether the requests are known and do not hold the value."""
        traces = {self.sights[place].trace for place in self._present()}
        return all(self.solver.words[trace].count for trace in traces) and self._said() is None

    def _is_too_short(self, value: Any) -> bool:
        """Return whether one value alone is no evidence, whatever the names say."""
        if isinstance(value, str):
            return len(value) < SHORT and not is_identifier(value)
        return isinstance(value, int | float) and bits(value) < bits(10)

    def _is_fixed_by_schema(self, value: Any) -> bool:
        schema = self.argument.schema or {}
        allowed = schema.get("enum")
        if isinstance(allowed, list) and self._is_one_trace():
            return True
        return any(key in schema and same(schema[key], value) for key in ("const", "default"))

    def _traces(self) -> int:
        return len({self.sights[place].trace for place in self._present()})

    def _among(self, ranked: list[tuple[float, Hypothesis]]) -> Solution:
        """Return the best hypothesis, or the user's own words where they say it as well."""
        support, best = ranked[0]
        rivals = tuple(h.text for _, h in ranked[1:] if best.text not in h.text)[:3]
        if best.kind not in ("param", "element") and (said := self._said()) is not None:
            words = max((own.count for own in self.solver.words), default=1)
            evidence = self._evidence()
            if evidence - log2(1 + words) + NAME_BITS / 2 >= support and evidence > 0:
                return Solution(self._asked_param(said), support, (best.text, *rivals[:2]))
        return Solution(best, support, rivals)

    def _said(self) -> Asked | None:
        """Return what the requests say for this argument, if all of them do."""
        by_trace = self._by_trace()
        if by_trace is None or not by_trace:
            return None
        values = list(by_trace.values())
        if any(isinstance(value, dict | bool) or value is None for value in values):
            return None
        # One digit stands in a request for many reasons; only what varies along with it tells.
        least = 2 if self._varies() else 10
        if any(isinstance(value, int | float) and abs(value) < least for value in values):
            return None
        return asked([self.solver.words[trace] for trace in by_trace], values)

    def _asked_param(self, said: Asked, default: Any = MISSING) -> Hypothesis:
        by_trace = self._by_trace() or {}
        values = dict(zip(by_trace, said.spans, strict=True))
        schema = self.argument.schema
        if said.form is not None:  # the words, not what is made of them
            schema = {"type": "string"}
        name = self.solver.params.add(
            self.argument.name,
            values,
            schema,
            is_asked=True,
            is_optional=self._is_optional(),
            default=default,
        )
        plain = replace(reference(name, ()), kind="param")
        return plain if said.form is None else transformed(plain, said.form)

    def _constant_or_param(self, ranked: list[tuple[float, Hypothesis]]) -> Solution | None:
        rivals = tuple(h.text for _, h in ranked[:3])
        by_trace = self._by_trace()
        distinct = self._distinct()
        if by_trace is None:
            return None
        if len(distinct) > 1 or self._is_optional():
            said = self._said()
            if said is not None:
                return Solution(self._asked_param(said), 0.0, rivals)
            name = self.solver.params.add(
                self.argument.name,
                by_trace,
                self.argument.schema,
                is_optional=self._is_optional(),
            )
            return Solution(replace(reference(name, ()), kind="param"), 0.0, rivals)
        return Solution(self._fixed(distinct[0], by_trace), 0.0, rivals)

    def _fixed(self, value: Any, by_trace: dict[int, Any]) -> Hypothesis:
        """Return a constant, or the param that one value only happened to be in what was seen."""
        requests = {self.solver.words[trace].request for trace in by_trace}
        said = None if self._is_fixed_by_schema(value) else self._said()
        if said is not None and bits(value) > 0:
            if len(requests) == 1:
                return self._asked_param(said)
            # A date's default can be given as it is written in a call: $to_date reads it as well.
            if len(requests) < ALWAYS and (said.form is None or said.form is ISO_DATE):
                return self._asked_param(said, default=value)
            return constant(value)
        alone = len(by_trace) == 1
        if alone and not self._is_fixed_by_schema(value) and self._is_for_the_occasion(value):
            name = self.solver.params.add(self.argument.name, by_trace, self.argument.schema)
            return replace(reference(name, ()), kind="param")
        return constant(value)

    def _is_for_the_occasion(self, value: Any) -> bool:
        if isinstance(value, list):
            return bool(value) and all(map(self._is_for_the_occasion, value))
        return is_identifier(value) or is_written(value)

    # --- hypotheses, weighed

    def _ranked(self) -> list[tuple[float, Hypothesis]]:
        """Return what gives every value, the likeliest first."""
        return self._weighed(self._verified())

    def _evidence(self) -> float:
        if not self._varies() and not self._is_optional():
            return bits(self._distinct()[0])
        absent = len(self.values) - len(self._present())
        told = agreement([self.values[place] for place in self._present()])
        return told + ABSENCE * min(absent, 3)

    def _weighed(self, verified: list[Hypothesis]) -> list[tuple[float, Hypothesis]]:
        evidence = self._evidence()
        best = self._best_place()
        places = log2(2 + self._sources(best).count_like(self.values[best]))
        weighed = [
            (evidence - places - h.cost + NAME_BITS * self._name_fit(h), number, h)
            for number, h in enumerate(verified)
        ]
        weighed.sort(key=lambda entry: (-entry[0], entry[1]))
        return [(support, h) for support, _, h in weighed]

    def _verified(self) -> list[Hypothesis]:
        found: dict[str, Hypothesis] = {}
        for hypothesis in self._suggestions():
            if hypothesis.text in found or hypothesis.text in self.solver.banned:
                continue
            if self._holds(hypothesis):
                found[hypothesis.text] = hypothesis
        if (spoken := self._chosen_by_words()) is not None:
            found[spoken.text] = spoken
        return list(found.values())

    def _chosen_by_words(self) -> Hypothesis | None:
        """Return (a part of) the element that the request names, such as a person in a list."""
        best = self._best_place()
        sources = self._sources(best)
        said = self.solver.words[self.sights[best].trace]
        if not said.count or self._is_optional():
            return None
        for array, own_field, rest in chosen_elements(self.values[best], sources, said):
            values = self._named_by(array, own_field, rest)
            if values is None:
                continue
            before = set(self.solver.params.all)
            name = self.solver.params.add(own_field[-1], values, None, is_asked=True)
            choice = equal_to(own_field, replace(reference(name, ()), kind="param"), 0.8)
            hypothesis = chosen(array, choice, rest)
            if self._holds(hypothesis):
                return hypothesis
            self.solver.params.rollback(before)
        return None

    def _named_by(
        self, array: Hypothesis, field: tuple[str, ...], rest: Path
    ) -> dict[int, Any] | None:
        """Return what each request says for a field of the element that was taken."""
        values: dict[int, Any] = {}
        for sight, view, value in zip(self.sights, self.views, self.values, strict=True):
            words = self.solver.words[sight.trace]
            names = [
                follow(element, field)
                for element in as_list(array.evaluate(view))[:MOST_NAMED]
                if same(follow(element, rest), value)
            ]
            said = next((name for name in names if name and words.exactly(name)), MISSING)
            if said is MISSING or not same(values.setdefault(sight.trace, said), said):
                return None
        return values

    def _suggestions(self) -> Iterator[Hypothesis]:
        best = self._best_place()
        # In one trace a list may be too short to tell its first element from its last.
        others = [p for p in self._present() if self.sights[p].trace != self.sights[best].trace]
        for place in [best, *others[-1:]]:
            suggested = suggest(self.values[place], self._sources(place))
            for hypothesis in islice(suggested, MOST_SUGGESTIONS):
                is_param = hypothesis.heads and hypothesis.heads <= self.solver.params.all.keys()
                if is_param and hypothesis.kind == "result":
                    yield replace(hypothesis, kind="param")
                else:
                    yield hypothesis

    def _best_place(self) -> int:
        """Return the observation that tells most."""
        return max(self._present(), key=lambda place: bits(self.values[place]))

    def _sources(self, place: int) -> Sources:
        sight = self.sights[place]
        params = self.solver.params.views[sight.trace]
        indexes = {**sight.indexes, **{n: self.solver.index(v) for n, v in params.items()}}
        return Sources(self.views[place], indexes, sight.recency)

    def _holds(self, hypothesis: Hypothesis) -> bool:
        self.solver.budget.spend(len(self.values))
        return all(
            same(hypothesis.evaluate(view), value)
            for view, value in zip(self.views, self.values, strict=True)
        )

    def _name_fit(self, hypothesis: Hypothesis) -> float:
        if not hypothesis.last:
            return 0.0
        around = frozenset().union(*(name_words(name) for name in hypothesis.around))
        sight = self.sights[self._best_place()]
        for head in hypothesis.heads:
            around |= sight.words.get(head, frozenset())
        return similarity(self.argument.name, hypothesis.last, around)

    # --- lists, objects, texts in parts

    def _by_parts(self) -> Solution | None:
        present = [self.values[place] for place in self._present()]
        if self.depth > 3:
            return None
        if all(isinstance(value, dict) for value in present):
            return self._object()
        if all(isinstance(value, list) for value in present):
            return self._list()
        is_text = all(isinstance(value, str) and len(value) < LONGEST_TEXT for value in present)
        if is_text and self.depth < 3:
            return self._template()
        return None

    def _inner(self, argument: Argument, values: list[Any]) -> Solution | None:
        return _Question(self.solver, argument, values, self.sights, self.depth + 1).answer()

    def _object(self) -> Solution | None:
        names = list(dict.fromkeys(n for p in self._present() for n in self.values[p]))
        if not names or len(names) > MOST_PARTS or len(self._present()) < len(self.values):
            return None
        before = set(self.solver.params.all)
        parts: dict[str, Hypothesis] = {}
        for name in names:
            values = [value.get(name, MISSING) for value in self.values]
            solution = self._inner(self.argument.part(name), values)
            if solution is None:
                self.solver.params.rollback(before)
                return None
            parts[name] = solution.hypothesis
        if all(part.kind == "constant" for part in parts.values()):
            return None
        return Solution(object_of(parts))

    def _list(self) -> Solution | None:
        if len(self._present()) < len(self.values):
            return None
        if (from_list := self._mapped()) is not None:
            return from_list
        length = len(self.values[0])
        if any(len(value) != length for value in self.values) or not 0 < length <= MOST_PARTS:
            return None
        before = set(self.solver.params.all)
        parts: list[Hypothesis] = []
        for place in range(length):
            values = [value[place] for value in self.values]
            solution = self._inner(self.argument.part(place), values)
            if solution is None:
                break
            parts.append(solution.hypothesis)
        # A list of the user's own words is one param, not one for each element.
        derived = any(p.kind not in ("constant", "param") for p in parts)
        varies = any(p.kind != "constant" for p in parts)
        if len(parts) == length and varies and (derived or isinstance(self.values[0][0], dict)):
            return Solution(array_of(parts))
        self.solver.params.rollback(before)
        return None

    def _mapped(self) -> Solution | None:
        """Return a list whose elements are made of those of another one by one."""
        lengths = [len(value) for value in self.values]
        best = max(range(len(lengths)), key=lengths.__getitem__)
        if lengths[best] < 2 or self.depth > 1:
            return None
        sources = self._sources(best)
        arrays = [
            sources.refer(head, path)
            for head, path, values in sources.chains()
            if len(values) == lengths[best]
        ]
        for array in sorted(arrays, key=lambda a: a.cost)[:MOST_ARRAYS]:
            elements = [as_list(array.evaluate(view)) for view in self.views]
            if [len(items) for items in elements] != lengths:
                continue
            if (solution := self._mapped_from(array, elements)) is not None:
                return solution
        return None

    def _mapped_from(self, array: Hypothesis, elements: list[list[Any]]) -> Solution | None:
        before = set(self.solver.params.all)
        values, sights = [], []
        for sight, items, own in zip(self.sights, elements, self.values, strict=True):
            for item, value in zip(items, own, strict=True):
                values.append(value)
                sights.append(element_sight(sight, item, self.solver.index(item)))
        inner = _Question(self.solver, self.argument.part(0), values, sights, self.depth + 1)
        solution = inner.answer()
        if solution is not None and "$item" in solution.hypothesis.text:
            return Solution(mapped(array, solution.hypothesis), solution.support)
        self.solver.params.rollback(before)
        return None

    # --- texts

    def _template(self) -> Solution | None:
        """Return a text put together from pieces that stand in sight."""
        before = set(self.solver.params.all)
        for parts in self._segmentations():
            solution = self._filled(parts)
            if solution is not None:
                return solution
            self.solver.params.rollback(before)
        return None

    def _segmentations(self) -> Iterator[list[list[str]]]:
        """Yield ways to cut all texts: each part is its text in every observation."""
        place = self._best_place()
        text = self.values[place]
        marks = self._known_pieces(text, self._sources(place))
        if len(self._present()) < len(self.values):
            return
        for skeleton in (_skeleton(text, marks), self._common_skeleton(text)):
            if skeleton is None:
                continue
            # A sign that stands between two parts may stand in one of them as well.
            for greedy in (False, True):
                rows = [_cut(value, skeleton, text, greedy=greedy) for value in self.values]
                whole = [row for row in rows if row is not None]
                if len(whole) == len(rows):
                    yield [list(column) for column in zip(*whole, strict=True)]

    def _known_pieces(self, text: str, sources: Sources) -> list[str]:
        pieces = {
            piece
            for _, _, piece in sources.texts()
            if 3 <= len(piece) < len(text) and piece in text and not piece.isspace()
        }
        for _, _, values in sources.chains():
            if len(values) > 1 and isinstance(values[0], str) and values[0] in text and values[0]:
                start = text.find(values[0])
                if (sign := separator(text[start:], values)) is not None:
                    pieces.add(text[start : start + sign[1]])
        pieces.discard(text)
        if self._traces() == 1 or not self._varies():
            pieces |= self._asked_pieces(text)
        return sorted(pieces, key=len, reverse=True)[:200]

    def _asked_pieces(self, text: str) -> set[str]:
        words = self.solver.words[self.sights[self._best_place()].trace]
        found = re.findall(r"[\w.@+-]*\w{3,}[\w.@+-]*\w|\w{4,}", text)[:100]
        return {
            piece
            for piece in found
            if piece != text
            and words.exactly(piece)
            and (is_identifier(piece) or piece[0].isupper())
        }

    def _common_skeleton(self, text: str) -> "_Skeleton | None":
        """Return what two texts share, with holes where they differ; None if that is little."""
        others = [value for value in self.values if value != text]
        if not others:
            return None
        one, two = _tokens(text), _tokens(others[0])
        if len(one) * len(two) > 250_000:
            return None
        skeleton: _Skeleton = []
        done = 0
        for start, _, size in SequenceMatcher(None, one, two, autojunk=False).get_matching_blocks():
            if start > done or (size and skeleton and not skeleton[-1][0]):
                skeleton.append((True, "".join(one[done:start])))
            if size:
                skeleton.append((False, "".join(one[start : start + size])))
            done = start + size
        shared = any(not is_hole and part.strip() for is_hole, part in skeleton)
        return skeleton if shared and any(is_hole for is_hole, _ in skeleton) else None

    def _filled(self, columns: list[list[str]]) -> Solution | None:
        """Return the text whose parts are constants or have sources of their own."""
        parts: list[Hypothesis] = []
        derived = 0
        for column in columns:
            if len(set(column)) == 1 and not self._piece_is_known(column[0]):
                parts.append(constant(column[0]))
                continue
            part = self._piece(column)
            if part is None:
                return None
            derived += part.kind != "constant"
            parts.append(part)
        parts = _merged(parts)
        if not derived or len(parts) < 2:
            return None
        whole = concatenated(parts)
        return Solution(whole) if self._holds(whole) else None

    def _piece_is_known(self, piece: str) -> bool:
        return len(piece) >= 3 and piece.strip() != ""

    def _piece(self, column: list[str]) -> Hypothesis | None:
        argument = Argument(self.argument.name)
        question = _Question(self.solver, argument, list(column), self.sights, depth=9)
        ranked = []
        numbers = [_as_number(piece) for piece in column]
        if all(number is not None for number in numbers):  # `&` writes a number as a text
            as_numbers = _Question(self.solver, argument, list(numbers), self.sights, depth=9)
            ranked = as_numbers._ranked()
        ranked = ranked or question._ranked()
        varies = len(set(column)) > 1
        if ranked and (varies or ranked[0][0] >= ENOUGH):
            return ranked[0][1]
        if (said := question._said()) is not None and (
            varies or is_identifier(column[0]) or column[0][:1].isupper()
        ):
            return question._asked_param(said)
        return None if varies else constant(column[0])


def _is_secret(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(_is_secret, value.values() if isinstance(value, dict) else value))
    return isinstance(value, str) and REDACTED in value


def element_sight(sight: Sight, item: Any, index: HeadIndex) -> Sight:
    """Return what is in sight where `$item` is an element."""
    return replace(
        sight,
        view={**sight.view, "$item": item},
        indexes={**sight.indexes, "$item": index},
        recency={**sight.recency, "$item": -1.5},
    )


def _tokens(text: str) -> list[str]:
    return re.findall(r"\w+|\s+|[^\w\s]", text)[:2_000]


_Skeleton = list[tuple[bool, str]]
"""A text in parts: (whether it is a hole, what stands there in the text it was made of)."""


def _skeleton(text: str, pieces: list[str]) -> _Skeleton | None:
    """Return a text with holes where known pieces stand, the longest first."""
    taken: list[tuple[int, int]] = []
    for piece in pieces:
        start = text.find(piece)
        while start >= 0:
            end = start + len(piece)
            free = all(end <= a or start >= b for a, b in taken)
            torn = (start and text[start - 1].isalnum() and piece[0].isalnum()) or (
                end < len(text) and text[end].isalnum() and piece[-1].isalnum()
            )
            if free and not torn:
                taken.append((start, end))
            start = text.find(piece, end)
    if not taken or len(taken) > MOST_PARTS:
        return None
    skeleton: _Skeleton = []
    done = 0
    for start, end in sorted(taken):
        if start > done:
            skeleton.append((False, text[done:start]))
        skeleton.append((True, text[start:end]))
        done = end
    if done < len(text):
        skeleton.append((False, text[done:]))
    # Two holes side by side cannot be told apart in another text.
    adjacent = any(one[0] and two[0] for one, two in pairwise(skeleton))
    return None if adjacent or len(skeleton) < 2 else skeleton


def _cut(text: str, skeleton: _Skeleton, origin: str, *, greedy: bool) -> list[str] | None:
    """Return the parts of a text that has this skeleton; None if it has another."""
    if text == origin:
        return [part for _, part in skeleton]
    hole = "(.*)" if greedy else "(.*?)"
    pattern = "".join(hole if is_hole else f"({regex.escape(part)})" for is_hole, part in skeleton)
    try:
        found = regex.fullmatch(pattern, text, regex.DOTALL, timeout=CUT_SECONDS)
    except TimeoutError:
        return None
    return None if found is None else list(found.groups())


def _merged(parts: list[Hypothesis]) -> list[Hypothesis]:
    """Put neighbouring constants together, and leave empty ones out."""
    merged: list[Hypothesis] = []
    for part in parts:
        is_constant = part.kind == "constant"
        if is_constant and part.value == "":
            continue
        if is_constant and merged and merged[-1].kind == "constant":
            merged[-1] = constant(f"{merged[-1].value}{part.value}")
        else:
            merged.append(part)
    return merged


def _as_number(text: str) -> int | float | None:
    if not re.fullmatch(r"-?(?:0|[1-9]\d{0,17})(?:\.\d{1,12})?", text):
        return None
    return float(text) if "." in text else int(text)
