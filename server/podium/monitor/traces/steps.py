"""Calls to steps: which calls of several traces are one step, and which are rounds of a loop."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from podium.domain.trace import TracedCall
from podium.mapping.references import MISSING
from podium.monitor.traces.cleaning import CleanTrace, RefusedError, argument_leaves
from podium.monitor.traces.enumerating import arrays, selections
from podium.monitor.traces.hypotheses import Hypothesis, as_list, follow, reference
from podium.monitor.traces.params import Params
from podium.monitor.traces.solving import Argument, Budget, Sight, Solution, Solver, element_sight
from podium.monitor.traces.sources import HeadIndex, Sources, index_of
from podium.monitor.traces.values import canonical, fold_key, leaves, name_words
from podium.monitor.traces.wording import Words

MOST_STEPS = 40
MOST_ARRAYS = 16  # lists that one loop may go over, that are tried
ENOUGH_LOOPS = 4  # of them that explain everything; the best is taken
SHORTEST_LIST = 3  # the user's own words named one by one, in one trace
_RECENCY = 0.3  # bits for each step in between
_OLDEST = 2.4


@dataclass(frozen=True, slots=True)
class Placed:
    """One call with where it stands: the trace, and its position among the calls that count."""

    trace: int
    position: int
    call: TracedCall
    is_repeat: bool = False


@dataclass(slots=True)
class StepMade:
    """One step of the composition in the making: its calls in each trace, its arguments solved."""

    id: str
    calls: list[list[Placed]]
    solutions: dict[str, Solution] = field(default_factory=dict)
    array: Hypothesis | None = None

    @property
    def call(self) -> TracedCall:
        """Any call of the step."""
        return next(placed.call for calls in self.calls for placed in calls)

    @property
    def heads(self) -> frozenset[str]:
        """The names that its expressions read."""
        used = [solution.hypothesis for solution in self.solutions.values()]
        return frozenset().union(*(h.heads for h in [*used, *([self.array] if self.array else [])]))


class Builder:
    """Builds the steps of one compilation; `steps` are those that are done."""

    def __init__(
        self,
        traces: Sequence[CleanTrace],
        budget: Budget,
        banned: frozenset[str],
        wanted: frozenset[int] = frozenset(),
    ) -> None:
        """`wanted` are places, in the first trace, of calls that must have been for something."""
        self._traces = traces
        self._wanted = wanted
        self.steps: list[StepMade] = []
        self.dropped: list[tuple[int, int]] = []  # (trace, place as recorded)
        calls = [call for trace in traces for call in trace.calls]
        tools = {call.tool_id for call in calls}
        taken = {name for tool in tools for name in _ids(tool)}
        fields = {key for call in calls if isinstance(call.value, dict) for key in call.value}
        self.params = Params(len(traces), taken, fields)
        self.words = [Words(trace.request) for trace in traces]
        self._solver = Solver(self.words, self.params, budget, banned)
        self._indexes: dict[int, HeadIndex] = {}
        self._lists: dict[tuple[str, int], list[Any]] = {}
        self._open = [
            [
                Placed(number, position, call, position in trace.repeats)
                for position, call in enumerate(trace.calls)
            ]
            for number, trace in enumerate(traces)
        ]

    def build(self) -> None:
        """Make steps of all calls.

        Raises:
            RefusedError: the traces contradict one another, or there are too many steps.
            TooMuchWorkError: the bound of the work is reached.

        """
        while any(self._open):
            if len(self.steps) >= MOST_STEPS:
                raise RefusedError("too_many_steps", f"it would need more than {MOST_STEPS} steps")
            tool, lead = self._next()
            step = self._loop(tool) or self._list_loop(tool) or self._single(tool, lead)
            if step is None:
                continue
            self.steps.append(step)
            if self.place_of(step) in self._wanted:
                self._solver.wanted.add(step.id)

    def place_of(self, step: StepMade) -> int:
        """Return where the first trace, as recorded, has the first call of a step; -1: nowhere."""
        calls = step.calls[0]
        return self._traces[0].places[calls[0].position] if calls else -1

    def _next(self) -> tuple[str, int]:
        """Return the tool to go on with, and a trace that has it next.

        Preferably one that all traces have next, or no longer: a list that is empty in one trace
        is gone round in the others.
        """
        by_length = sorted(
            (trace for trace, calls in enumerate(self._open) if calls),
            key=lambda trace: -len(self._traces[trace].calls),
        )
        heads = {trace: self._open[trace][0].call.full_name for trace in by_length}
        for trace in by_length:
            tool = heads[trace]
            if all(heads[o] == tool or not self._of_tool(tool, o) for o in by_length):
                return tool, trace
        return heads[by_length[0]], by_length[0]

    # --- calls

    def _of_tool(self, tool: str, trace: int) -> list[Placed]:
        return [placed for placed in self._open[trace] if placed.call.full_name == tool]

    def _take(self, calls: Sequence[Placed]) -> None:
        for placed in calls:
            self._open[placed.trace].remove(placed)

    def _leave_out(self, placed: Placed) -> None:
        """Leave out a call that other traces do not have, if nothing came of it.

        Raises:
            RefusedError: something did.

        """
        trace = self._traces[placed.trace]
        if placed.is_repeat:
            self.dropped.append((placed.trace, trace.places[placed.position]))
            self._open[placed.trace].remove(placed)
            return
        is_used = _is_used(placed.call, trace.calls[placed.position + 1 :])
        if placed.call.effects != "read" or is_used or placed.position == len(trace.calls) - 1:
            raise RefusedError(
                "contradictory",
                f"trace '{trace.id}' calls {placed.call.full_name} where other traces do not",
                "these are two tasks, or one that depends on what was found; they cannot be one "
                "composition",
            )
        self.dropped.append((placed.trace, trace.places[placed.position]))
        self._open[placed.trace].remove(placed)

    # --- one call in each trace

    def _single(self, tool: str, lead: int) -> StepMade | None:
        first = self._open[lead][0]
        if first.is_repeat:
            self._leave_out(first)
            return None
        calls: list[list[Placed]] = []
        for trace in range(len(self._traces)):
            open_calls = self._of_tool(tool, trace)
            # Two calls of a task may happen to be the same one in one trace.
            same_tool = [placed for placed in open_calls if not placed.is_repeat] or open_calls
            if not same_tool:
                self._leave_out(first)
                return None
            calls.append([first if trace == lead else _most_alike(first, same_tool)])
        step = StepMade(self._new_id(first.call.tool_id), calls)
        rounds = [placed for own in calls for placed in own]
        sights = [self._sight(placed) for placed in rounds]
        solved = self._solve(step, rounds, sights)
        if solved is None:  # cannot be: one value for each trace is a param at least
            raise RefusedError("unexplained", f"{tool}: its arguments cannot be explained")
        step.solutions = solved
        self._take(rounds)
        return step

    def _solve(
        self, step: StepMade, rounds: Sequence[Placed], sights: Sequence[Sight]
    ) -> dict[str, Solution] | None:
        names = dict.fromkeys(name for placed in rounds for name in placed.call.arguments)
        schema = step.call.input_schema or {}
        properties = schema.get("properties")
        words = name_words(step.call.tool_id)
        solved: dict[str, Solution] = {}
        for name in names:
            part = properties.get(name) if isinstance(properties, dict) else None
            argument = Argument(name, part if isinstance(part, dict) else None, words)
            values = [placed.call.arguments.get(name, MISSING) for placed in rounds]
            solution = self._solver.solve(argument, values, sights)
            if solution is None:
                return None
            solved[name] = solution
        return solved

    def _new_id(self, tool_id: str) -> str:
        known = {step.id for step in self.steps}
        return next(name for name in _ids(tool_id) if name not in known)

    # --- what is in sight

    def _sight(
        self, placed: Placed, *, first: int | None = None, number: int = -1, rounds: int = 0
    ) -> Sight:
        """Return what is in sight of a call; `first` is where the loop begins that it is of.

        In a loop, `number` is its round of so many `rounds`: results of the same round of other
        loops are then in sight as `step[$i]`.
        """
        view: dict[str, Any] = {}
        recency: dict[str, float] = {}
        words: dict[str, frozenset[str]] = {}
        before = placed.position if first is None else first
        for age, step in enumerate(reversed(self.steps)):
            calls = step.calls[placed.trace]
            stems = name_words(step.call.tool_id)
            cost = min(_OLDEST, _RECENCY * age)
            if step.array is None:
                if calls and calls[0].position < before:
                    view[step.id] = calls[0].call.value
            elif all(call.position < before for call in calls):
                view[step.id] = self._list_of(step, placed.trace)
            is_beside = step.array is not None and 0 <= number < len(calls) == rounds
            if is_beside and calls[number].position < placed.position:
                view[f"{step.id}[$i]"] = calls[number].call.value
            for head in (step.id, f"{step.id}[$i]"):
                recency[head] = cost
            words[step.id] = stems
        indexes = {head: self._index(value) for head, value in view.items()}
        return Sight(placed.trace, view, indexes, recency, words)

    def _list_of(self, step: StepMade, trace: int) -> list[Any]:
        # One list per loop and trace, since indexes are remembered by identity.
        key = (step.id, trace)
        if key not in self._lists:
            self._lists[key] = [placed.call.value for placed in step.calls[trace]]
        return self._lists[key]

    def _index(self, value: Any) -> HeadIndex:
        known = self._indexes.get(id(value))
        if known is None:
            known = self._indexes[id(value)] = index_of(value)
        return known

    def _end(self, trace: int) -> Placed:
        """Return a place behind all calls of a trace, for a loop that has no rounds there."""
        calls = self._traces[trace].calls
        return Placed(trace, len(calls), calls[-1])

    # --- rounds over a list that was returned

    def _loop(self, tool: str) -> StepMade | None:
        open_calls = [self._of_tool(tool, trace) for trace in range(len(self._traces))]
        counts = [len(calls) for calls in open_calls]
        lead = max(range(len(counts)), key=counts.__getitem__)
        least = 2 if len(set(map(_count_once, open_calls))) == 1 else 1
        if counts[lead] < least or _are_repeats(open_calls):
            return None
        best: tuple[float, StepMade, set[str]] | None = None
        found = 0
        for array in self._arrays(open_calls[lead], least):
            before = set(self.params.all)
            step = self._over(array, open_calls)
            after = set(self.params.all) - before
            if step is None:
                self.params.rollback(before)
                continue
            found += 1
            calls = sum(map(len, step.calls))
            cost = array.cost + sum(s.hypothesis.cost for s in step.solutions.values())
            score = cost + 2.0 * len(after) - 8.0 * calls
            if best is None or score < best[0]:
                best = (score, step, after)
            self.params.rollback(before)
            if found >= ENOUGH_LOOPS:
                break
        if best is None or best[1].array is None:
            return None
        # Solved once more, so that its params (forgotten in between) are there.
        step = self._over(best[1].array, open_calls)
        if step is not None:
            self._take([placed for calls in step.calls for placed in calls])
        return step

    def _arrays(self, calls: Sequence[Placed], least: int) -> Iterator[Hypothesis]:
        """Yield lists whose elements may be what successive calls are about."""
        first = calls[0]
        sight = self._sight(first)
        views = self.params.views[first.trace]
        indexes = {**sight.indexes, **{n: self._index(v) for n, v in views.items()}}
        sources = Sources({**views, **sight.view}, indexes, sight.recency)
        tried = 0
        parallel = [step.array for step in self.steps if step.array is not None]
        yield from dict.fromkeys(parallel)
        candidates = [*arrays(sources, least), *self._still_open(calls, least)]
        for array, values in sorted(candidates, key=lambda pair: pair[0].cost):
            if len(values) <= len(calls):
                own = _in_step(values, calls) or calls
                if all(_is_about(values[n], own[n].call) for n in (0, len(values) - 1)):
                    tried += 1
                    yield array
            else:
                for chosen in self._selected(array, values, calls, sources):
                    tried += 1
                    yield chosen
            if tried >= MOST_ARRAYS:
                return

    def _selected(
        self,
        array: Hypothesis,
        values: list[Any],
        calls: Sequence[Placed],
        sources: Sources,
    ) -> Iterator[Hypothesis]:
        places: list[int] = []
        start = 0
        for placed in calls:
            found = next(
                (n for n in range(start, len(values)) if _is_about(values[n], placed.call)), None
            )
            if found is None:
                break
            places.append(found)
            start = found + 1
        if len(places) >= 2 or (places and len(calls) == 1):
            yield from selections(array, values, places, sources)

    def _still_open(
        self, calls: Sequence[Placed], least: int
    ) -> Iterator[tuple[Hypothesis, list[Any]]]:
        """Yield lists in the results of a loop that goes on between these calls."""
        first = calls[0]
        for step in self.steps:
            rounds = step.calls[first.trace]
            if step.array is None or not rounds or rounds[-1].position < first.position:
                continue
            values = self._list_of(step, first.trace)
            for path, found in self._index(values).chains:
                if not path or any(isinstance(s, int) for s in path) or len(found) < least:
                    continue
                origins = [
                    placed.position
                    for placed in rounds
                    for _ in as_list(follow(placed.call.value, path))
                ]
                in_time = len(origins) == len(found) <= len(calls) and all(
                    origin < placed.position for origin, placed in zip(origins, calls, strict=False)
                )
                if in_time:
                    yield reference(step.id, path, 0.5), found

    def _over(self, array: Hypothesis, open_calls: Sequence[Sequence[Placed]]) -> StepMade | None:
        """Return the step that calls a tool for each element; None if that explains nothing."""
        rounds: list[list[Placed]] = []
        items: list[list[Any]] = []
        for trace, calls in enumerate(open_calls):
            view = self._full_view(calls[0] if calls else self._end(trace), array)
            values = as_list(array.evaluate(view))
            own = _in_step(values, calls)
            if own is None:
                return None
            rounds.append(own)
            items.append(values)
        if max(map(len, rounds)) < 2 and any(
            len(own) != _count_once(calls) for own, calls in zip(rounds, open_calls, strict=True)
        ):
            return None  # one element here and there is no loop, unless there never is another call
        if max(map(len, rounds)) > 1 and all(len(_distinct_calls(own)) < 2 for own in rounds):
            return None  # the same call twice says nothing of a list
        step = StepMade(self._new_id(_any(rounds).call.tool_id), rounds, array=array)
        sights = [
            element_sight(
                self._sight(placed, first=own[0].position, number=number, rounds=len(own)),
                item,
                self._index(item),
            )
            for own, elements in zip(rounds, items, strict=True)
            for number, (placed, item) in enumerate(zip(own, elements, strict=True))
        ]
        solved = self._solve(step, [placed for own in rounds for placed in own], sights)
        if solved is None or not any(_is_of_round(s.hypothesis) for s in solved.values()):
            return None
        step.solutions = solved
        return step

    def _full_view(self, placed: Placed, array: Hypothesis) -> Mapping[str, Any]:
        """Return what a list is evaluated over: loops that still go on included."""
        view = {**self.params.views[placed.trace], **self._sight(placed).view}
        for step in self.steps:
            if step.array is not None and step.id in array.heads:
                view.setdefault(step.id, self._list_of(step, placed.trace))
        return view

    # --- rounds over the user's own list

    def _list_loop(self, tool: str) -> StepMade | None:
        """Return the step that calls a tool for each of several things that a person named."""
        rounds = [self._of_tool(tool, trace) for trace in range(len(self._traces))]
        counts = set(map(_count_once, rounds))
        varies = len(counts) > 1
        if max(counts) < (2 if varies else SHORTEST_LIST):
            return None
        if not all(map(_is_in_a_row, rounds)) or _are_repeats(rounds):
            return None
        name = self._one_varying(rounds)
        if name is None:
            return None
        values = {
            trace: [placed.call.arguments[name] for placed in calls]
            for trace, calls in enumerate(rounds)
        }
        is_said = all(self.words[trace].loosely(list(own)) for trace, own in values.items() if own)
        if not varies and not is_said:
            return None
        schema = ((_any(rounds).call.input_schema or {}).get("properties") or {}).get(name)
        param = self.params.add(
            _plural(name),
            values,
            {"type": "array", "items": schema} if isinstance(schema, dict) else None,
            is_asked=is_said,
        )
        return self._over_param(param, rounds)

    def _over_param(self, param: str, rounds: Sequence[Sequence[Placed]]) -> StepMade | None:
        step = self._over(replace(reference(param, ()), kind="param"), rounds)
        if step is not None:
            self._take([placed for calls in step.calls for placed in calls])
        return step

    def _one_varying(self, rounds: Sequence[Sequence[Placed]]) -> str | None:
        """Return the argument that differs from call to call, if it is one and a scalar."""
        names = {name for calls in rounds for placed in calls for name in placed.call.arguments}
        varying = [
            name
            for name in sorted(names)
            if any(
                len({canonical(p.call.arguments.get(name)) for p in calls}) > 1 for calls in rounds
            )
        ]
        if len(varying) != 1:
            return None
        values = [
            placed.call.arguments.get(varying[0], MISSING) for calls in rounds for placed in calls
        ]
        is_plain = all(isinstance(value, str | int) for value in values)
        # What stands in an earlier result has a better explanation than the user's own list.
        found = any(self._stands(placed, varying[0]) for calls in rounds for placed in calls)
        return varying[0] if is_plain and not found else None

    def _stands(self, placed: Placed, name: str) -> bool:
        wanted = canonical(placed.call.arguments.get(name))
        return any(wanted in index.exact for index in self._sight(placed).indexes.values())


def _any(rounds: Sequence[Sequence[Placed]]) -> Placed:
    return next(placed for calls in rounds for placed in calls)


def _count_once(calls: Sequence[Placed]) -> int:
    """Return the number of calls but for reads that were made twice."""
    return sum(not placed.is_repeat for placed in calls)


def _distinct_calls(calls: Sequence[Placed]) -> set[str]:
    return {canonical(placed.call.arguments) for placed in calls}


def _are_repeats(rounds: Sequence[Sequence[Placed]]) -> bool:
    return all(placed.is_repeat for calls in rounds for placed in calls)


def _in_step(values: Sequence[Any], calls: Sequence[Placed]) -> list[Placed] | None:
    """Return the calls for these elements, with or without reads that were made twice."""
    once = [placed for placed in calls if not placed.is_repeat]
    if len(once) == len(values):
        return once
    own: list[Placed] = []
    waiting = iter(calls)
    for value in values:
        placed = next((p for p in waiting if _is_about(value, p.call) or not p.is_repeat), None)
        if placed is None:
            break
        own.append(placed)
    if len(own) == len(values) and all(map(_is_about, values, (placed.call for placed in own))):
        return own
    # What the calls are about may stand in the results of another loop.
    return list(calls[: len(values)]) if len(calls) >= len(values) else None


def _is_in_a_row(calls: Sequence[Placed]) -> bool:
    positions = [placed.position for placed in calls]
    return not positions or positions[-1] - positions[0] == len(positions) - 1


def _is_of_round(hypothesis: Hypothesis) -> bool:
    return "$item" in hypothesis.text or "[$i]" in hypothesis.text


def _is_about(element: Any, call: TracedCall) -> bool:
    """Return whether a call's arguments hold something of an element."""
    found = list(leaves(call.arguments, 2_000))
    # A list among the arguments may hold every element, and says nothing of this one.
    own = [leaf for path, leaf in found if not any(isinstance(stage, int) for stage in path)]
    own = own or [leaf for _, leaf in found]
    exact = {canonical(leaf) for leaf in own}
    texts = [fold_key(str(leaf)) for leaf in own if isinstance(leaf, str | int)]
    for _, leaf in leaves(element, 200):
        if leaf is None or isinstance(leaf, bool) or leaf == "":
            continue
        if canonical(leaf) in exact:
            return True
        key = fold_key(str(leaf))
        if len(key) > 2 and any(key in text for text in texts):
            return True
        if any(len(text) > 2 and text in key for text in texts):
            return True
    return False


def _is_used(call: TracedCall, later: Sequence[TracedCall]) -> bool:
    """Return whether something of a result may be in a later argument."""
    arguments = [leaf for other in later for leaf in argument_leaves(other.arguments)]
    keys = {canonical(leaf) for leaf in arguments}
    own = {canonical(leaf) for leaf in argument_leaves(call.arguments)}
    joined = "\n".join(leaf for leaf in arguments if isinstance(leaf, str))
    for _, leaf in leaves(call.value, 5_000):
        if leaf in (None, "", True, False) or canonical(leaf) in own:
            continue
        if canonical(leaf) in keys or (isinstance(leaf, str) and len(leaf) > 3 and leaf in joined):
            return True
    return False


def _most_alike(placed: Placed, others: Sequence[Placed]) -> Placed:
    """Return the call of another trace whose arguments agree most; the first of equals."""

    def agreement(other: Placed) -> float:
        one, two = placed.call.arguments, other.call.arguments
        if not one.keys() & two.keys():
            return -inf if one.keys() | two.keys() else 0.0
        return sum(canonical(one[name]) == canonical(two[name]) for name in one.keys() & two.keys())

    return max(others, key=agreement)


def _plural(name: str) -> str:
    if name.endswith(("s", "x", "z")):
        return name
    return f"{name[:-1]}ies" if name.endswith("y") and name[-2:-1] not in "aeiou" else f"{name}s"


def _ids(tool_id: str) -> list[str]:
    base = re.sub(r"\W+", "_", tool_id, flags=re.ASCII).strip("_")[:50] or "call"
    base = (
        f"step_{base}" if base[0].isdigit() or base in {"item", "index", "i", "context"} else base
    )
    return [base, *(f"{base}_{number}" for number in range(2, MOST_STEPS + 2))]
