"""Uses of data that were seen to work: read from compositions, or from traces of calls.

What was seen outweighs names: a field called `ref` that was passed on as `customer` twice is one.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from podium.domain.composition import Composition, ToolStep, all_steps
from podium.domain.errors import ExpressionSyntaxError
from podium.domain.synthesis import Flow
from podium.domain.trace import Trace, TracedCall
from podium.mapping.expressions import parse
from podium.text.folding import fold_text

LEAST_VALUES = 2  # different ones that a field and an argument must have had in common
SHORTEST_VALUE = 5  # characters; a shorter one is the same by chance
LEAST_NUMBER = 10_000  # a smaller whole number is the same by chance
MAX_LEAVES = 2_000  # of one result
MAX_CALLS = 100  # of one trace
MAX_LEVELS = 12  # of a result


def flows_of(compositions: Iterable[Composition]) -> frozenset[Flow]:
    """Return the data flows of existing compositions: what their arguments read of earlier steps.

    Only plain paths count; what an expression computes is another value.
    """
    return frozenset(flow for each in compositions for flow in _flows(each))


def _flows(composition: Composition) -> Iterator[Flow]:
    steps = [step for step in all_steps(composition.steps) if isinstance(step, ToolStep)]
    tool_of = {step.id: f"{step.server_id}.{step.tool_id}" for step in steps}
    for step in steps:
        element = _place(step.iterations, iterating=False) if step.iterations else None
        for argument, source in step.input_mapping.items():
            place = _place(source, iterating=step.iterations is not None)
            if place is not None and place[0] in ("$item", f"${step.as_}"):
                place = element and (element[0], (*element[1], *place[1]))
            if place is not None and place[0] in tool_of:
                yield Flow(tool_of[place[0]], ".".join(place[1]), tool_of[step.id], argument)


def _place(source: str, *, iterating: bool) -> tuple[str, tuple[str, ...]] | None:
    """Return what a plain reference reads: a step (or `$variable`), and the path below it."""
    try:
        reference = parse(source, iterating=iterating).reference
    except ExpressionSyntaxError:
        return None
    if reference is None:
        return None
    head = f"${reference.head}" if reference.is_variable else reference.head
    return head, tuple(stage for stage in reference.stages if isinstance(stage, str))


def flows_of_traces(traces: Iterable[Trace]) -> frozenset[Flow]:
    """Return the data flows that calls show: fields and arguments that had the same values.

    At least two different values that are the same by no chance; what the request said, or an
    earlier argument, is no proof: a result only echoes it. Of several fields that explain an
    argument equally well, the shortest path counts.
    """
    seen: defaultdict[Flow, set[str]] = defaultdict(set)
    for trace in traces:
        for flow, value in _shared(trace):
            seen[flow].add(value)
    best: dict[tuple[str, str, str], tuple[int, int, str, Flow]] = {}
    for flow, values in seen.items():
        if len(values) >= LEAST_VALUES:
            key = flow.source, flow.target, flow.argument
            rank = -len(values), flow.path.count("."), flow.path, flow
            best[key] = min(best.get(key, rank), rank, key=lambda each: each[:3])
    return frozenset(flow for _, _, _, flow in best.values())


def _shared(trace: Trace) -> Iterator[tuple[Flow, str]]:
    """Yield each flow that a value of a trace speaks for, with the value."""
    request = fold_text(trace.request)
    given: set[str] = set()
    holders: defaultdict[str, dict[tuple[str, str], None]] = defaultdict(dict)
    for call in trace.calls[:MAX_CALLS]:
        for argument, value in _informative(_arguments(call)):
            if fold_text(value) not in request:
                for source, path in holders.get(value, ()):
                    yield Flow(source, path, call.full_name, argument), value
        given |= {value for _, value in _informative(_arguments(call))}
        if call.is_error or call.is_cut:
            continue
        for path, value in _informative(_leaves(call.value, "", 0)):
            if value not in given:
                holders[value][call.full_name, path] = None


def _arguments(call: TracedCall) -> Iterator[tuple[str, Any]]:
    for name, value in call.arguments.items():
        for part in value if isinstance(value, list) else [value]:
            yield name, part


def _leaves(value: Any, path: str, depth: int) -> Iterator[tuple[str, Any]]:
    """Yield the plain values of a result by the path that an expression reads all of them with."""
    if depth > MAX_LEVELS:
        return
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _leaves(part, f"{path}.{name}" if path else str(name), depth + 1)
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(part, path, depth + 1)
    else:
        yield path, value


def _informative(pairs: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, str]]:
    for count, (name, value) in enumerate(pairs):
        if count >= MAX_LEAVES:
            return
        if isinstance(value, str) and len(value.strip()) >= SHORTEST_VALUE:
            yield name, value.strip()
        elif isinstance(value, int) and abs(value) >= LEAST_NUMBER:
            yield name, json.dumps(value)
