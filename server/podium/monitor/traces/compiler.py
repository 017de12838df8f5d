"""Traces of one task to the composition that makes the same calls, or to a clear refusal.

Accepted only if replaying it over the recorded results reproduces every observed argument.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from podium.domain.learning import Baseline
from podium.domain.trace import Trace
from podium.mapping.expressions import Evaluator
from podium.monitor.statistics import tokens_of
from podium.monitor.traces.cleaning import (
    CleanTrace,
    Refusal,
    RefusedError,
    argument_leaves,
    cleaned,
)
from podium.monitor.traces.composing import (
    Evidence,
    composition_of,
    evidence_of,
    unused,
    used_params,
)
from podium.monitor.traces.patterns import proposed_pattern
from podium.monitor.traces.replay import Mismatch, Recorded, replayed
from podium.monitor.traces.solving import Budget, TooMuchWorkError
from podium.monitor.traces.steps import Builder, StepMade
from podium.monitor.traces.values import bits, leaves, same

__all__ = ["Compiled", "Refusal", "compile_traces"]

MOST_TRACES = 8  # of one task; the latest ones, more add nothing but work
MOST_PASSES = 10  # each leaves out what nothing used, or an expression that the engine sees else
MOST_SUBSETS = 5  # for the leave-one-out check


@dataclass(frozen=True, slots=True)
class Compiled:
    """A composition made of traces.

    `composition` is the JSON of its file, `pattern` an entry of a pattern file or None, `params`
    hold the values that reproduce each trace, in the order of the traces.
    """

    composition: dict[str, Any]
    evidence: Evidence
    pattern: dict[str, Any] | None
    params: tuple[dict[str, Any], ...]


def compile_traces(
    traces: Sequence[Trace], evaluator: Evaluator, *, work: int | None = None
) -> Compiled | Refusal:
    """Return the composition that makes the calls of all these traces, or why there is none.

    `traces` are of one task, the oldest first; `work` bounds the evaluations.
    """
    recent = list(traces)[-MOST_TRACES:]
    if not recent:
        return Refusal("empty", "there is no trace")
    budget = Budget() if work is None else Budget(work)
    try:
        compiled = _compiled(recent, evaluator, budget)
        stable, subsets = _stability(recent, compiled.composition, evaluator, budget)
    except RefusedError as refused:
        return refused.refusal
    except TooMuchWorkError:
        return Refusal("too_much_work", "there are too many ways to explain these calls")
    except RecursionError:
        return Refusal("too_large", "a value is nested too deeply")
    cost = cost_of(recent)
    evidence = replace(
        compiled.evidence,
        stable=stable,
        subsets=subsets,
        client_calls=cost.calls,
        client_tokens=cost.tokens,
    )
    return replace(compiled, evidence=evidence)


def cost_of(traces: Sequence[Trace]) -> Baseline:
    """Return what a conversation had cost its client on average, failed calls included."""
    calls = [call for trace in traces for call in trace.calls]
    tokens = sum(tokens_of(call.arguments) + tokens_of(call.value) for call in calls)
    return Baseline(round(len(calls) / len(traces)), round(tokens / len(traces)))


def _stability(
    traces: Sequence[Trace], composition: dict[str, Any], evaluator: Evaluator, budget: Budget
) -> tuple[int, int]:
    """Return how often the composition stays the same when one trace is left out."""
    if len(traces) < 2:
        return 0, 0
    left_out = range(len(traces))[:MOST_SUBSETS]
    alike = 0
    for number in left_out:
        rest = [trace for place, trace in enumerate(traces) if place != number]
        try:
            other = _compiled(rest, evaluator, Budget(min(budget.left, 500_000))).composition
        except (RefusedError, TooMuchWorkError):
            continue
        alike += other["steps"] == composition["steps"]
    return alike, len(left_out)


def _compiled(traces: Sequence[Trace], evaluator: Evaluator, budget: Budget) -> Compiled:
    left_out: list[frozenset[int]] = [frozenset() for _ in traces]
    banned: frozenset[str] = frozenset()
    wanted: frozenset[int] = frozenset()
    mismatch: Mismatch | None = None
    for _ in range(MOST_PASSES):
        clean = [cleaned(t, out) for t, out in zip(traces, left_out, strict=True)]
        builder = Builder(clean, budget, banned, wanted)
        builder.build()
        if idle := _idle(builder, clean) - wanted:
            wanted |= idle
            continue
        places = _without_use(builder, clean)
        if any(places):
            left_out = [one | two for one, two in zip(left_out, places, strict=True)]
            continue
        compiled = _written(builder, clean)
        mismatch = _mismatch(compiled, builder, evaluator)
        if mismatch is None:
            return compiled
        if not mismatch.expression:
            break
        banned |= {mismatch.expression}
    what = f"{mismatch.step_id}.{mismatch.argument}: {mismatch.message}" if mismatch else ""
    raise RefusedError("not_reproduced", f"replaying it does not reproduce every call: {what}")


def _idle(builder: Builder, clean: Sequence[CleanTrace]) -> frozenset[int]:
    """Return the places, in the first trace, of calls without use whose result was used after all.

    All that such a call returned is one value, and a later call was given that value each time:
    what looks like a constant, or like something known before, is why the call was made.
    """
    read = frozenset().union(*(step.heads for step in builder.steps))
    return frozenset(
        builder.place_of(step)
        for step in builder.steps
        if step.id not in read
        and step.call.effects == "read"  # what a write is for is its effect
        and all(
            len(calls) == 1 and _is_given_on(calls[0].position, trace)
            for calls, trace in zip(step.calls, clean, strict=True)
        )
    )


def _is_given_on(position: int, trace: CleanTrace) -> bool:
    values = [leaf for _, leaf in leaves(trace.calls[position].value, 2)]
    if len(values) != 1 or not bits(values[0]):
        return False
    later = trace.calls[position + 1 :]
    return any(same(leaf, values[0]) for call in later for leaf in argument_leaves(call.arguments))


def _without_use(builder: Builder, clean: Sequence[CleanTrace]) -> list[frozenset[int]]:
    """Return, for each trace, the places of calls that did not help."""
    useless: list[set[int]] = [set() for _ in clean]
    for trace, place in builder.dropped:
        useless[trace].add(place)
    for step in unused(builder):
        for trace, calls in enumerate(step.calls):
            useless[trace] |= {clean[trace].places[placed.position] for placed in calls}
    return [frozenset(places) for places in useless]


def _written(builder: Builder, clean: Sequence[CleanTrace]) -> Compiled:
    composition = composition_of(builder, clean)
    params = used_params(builder)
    values = tuple(
        {param.name: param.values[trace] for param in params if trace in param.values}
        for trace in range(len(clean))
    )
    pattern = proposed_pattern(composition, builder.words, params)
    return Compiled(composition, evidence_of(builder, clean), pattern, values)


def _mismatch(compiled: Compiled, builder: Builder, evaluator: Evaluator) -> Mismatch | None:
    for trace, params in enumerate(compiled.params):
        recorded = {step.id: _recorded(step, trace) for step in builder.steps}
        found = replayed(compiled.composition, params, recorded, evaluator)
        if found is not None:
            return found
    return None


def _recorded(step: StepMade, trace: int) -> Recorded:
    calls = step.calls[trace]
    return Recorded(
        tuple(placed.call.arguments for placed in calls),
        tuple(placed.call.value for placed in calls),
        step.call.input_schema,
    )
