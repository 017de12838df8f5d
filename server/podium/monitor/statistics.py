"""A finished execution to what it adds to the counts. Pure."""

from collections.abc import Collection, Iterator
from typing import Any

import orjson

from podium.domain.execution import Execution, StepRecord, StepStatus
from podium.domain.learning import Baseline, Verdict
from podium.domain.tallies import Histogram, Subject, Tally, merged
from podium.monitor.blame import charge_of, code_of, known_code

CHARACTERS_PER_TOKEN = 4  # a rough measure; the same on both sides of a comparison
MOST_STEPS = 100  # of one execution; compositions have ten

_TOLD: frozenset[StepStatus] = frozenset({"done", "failed"})
_CORRECTED: dict[Verdict, tuple[int, int, int]] = {
    "success": (1, 0, 0),
    "failure": (0, 1, 0),
    "uncounted": (0, 0, 1),
}
_OF_TOOLS = frozenset({"tool", "both"})


def delta_of(
    execution: Execution,
    verdict: Verdict,
    version: str,
    baseline: Baseline | None = None,
    cached: Collection[str] = (),
) -> dict[Subject, Tally]:
    """Return what an execution adds: to its composition's version, its steps, its tools.

    `version` is empty for calls outside any composition; these count for their tools alone.
    `cached` are the ids of steps whose result was that of an earlier call.
    """
    parts: list[dict[Subject, Tally]] = []
    steps = list(execution.steps.values())[:MOST_STEPS]
    for step in steps:
        parts += _of_step(step, version, is_cached=step.step_id in cached)
    if version:
        own = _of_composition(execution, verdict, baseline)
        steps_total = _calls(steps, cached)
        parts.append({Subject("composition", version, execution.composition_id): own + steps_total})
    return merged(parts)


def correction(before: Verdict, after: Verdict, version: str, name: str) -> dict[Subject, Tally]:
    """Return what turns a composition's run from one verdict into another."""
    old, new = _CORRECTED[before], _CORRECTED[after]
    successes, failures, uncounted = (b - a for a, b in zip(old, new, strict=True))
    changed = Tally(successes=successes, failures=failures, uncounted=uncounted)
    return {Subject("composition", version, name): changed}


def _of_composition(execution: Execution, verdict: Verdict, baseline: Baseline | None) -> Tally:
    is_saved = verdict == "success" and baseline is not None
    tokens = tokens_of(execution.result)
    return Tally(
        runs=1,
        successes=verdict == "success",
        failures=verdict == "failure",
        uncounted=verdict == "uncounted",
        calls_saved=max(0, baseline.calls - 1) if is_saved and baseline else 0,
        tokens=tokens,
        tokens_saved=max(0, baseline.tokens - tokens) if is_saved and baseline else 0,
        durations=_durations(execution.duration_ms),
        errors=_errors(execution.error),
    )


def _of_step(step: StepRecord, version: str, *, is_cached: bool) -> Iterator[dict[Subject, Tally]]:
    if step.status not in _TOLD:
        return
    is_done = step.status == "done"
    made = _made(step, is_cached=is_cached)
    tally = made + Tally(
        runs=1, successes=is_done, failures=not is_done, tokens=tokens_of(step.output),
        durations=_durations(step.duration_ms), errors=_errors(step.error),
    )  # fmt: skip
    if version:
        yield {Subject("step", version, step.step_id): tally}
    # A failure before the call (a wrong argument) tells nothing about the tool.
    if step.tool_id and (is_done or charge_of(code_of(step.error)) in _OF_TOOLS):
        yield {Subject("tool", "", f"{step.server_id}.{step.tool_id}"): tally}


def _made(step: StepRecord, *, is_cached: bool) -> Tally:
    rounds = _rounds(step)
    retries = max(0, step.attempts - 1)
    return Tally(
        calls=0 if is_cached or not step.tool_id or not step.attempts else rounds + retries,
        rounds=rounds if step.tool_id else 0,
        retries=retries,
        cache_hits=int(is_cached),
    )


def _rounds(step: StepRecord) -> int:
    """Return how often it was played: the arguments of a loop are a list with those of each."""
    return len(step.inputs) if isinstance(step.inputs, list) else 1


def _calls(steps: list[StepRecord], cached: Collection[str]) -> Tally:
    total = Tally()
    for step in steps:
        total += _made(step, is_cached=step.step_id in cached)
    return total


def _durations(duration_ms: float | None) -> Histogram:
    return Histogram() if duration_ms is None else Histogram.of([duration_ms])


def _errors(error: dict[str, Any] | None) -> dict[str, int]:
    code = known_code(code_of(error))
    return {code: 1} if code else {}


def tokens_of(value: Any) -> int:
    """Return about how many tokens a JSON value costs a model that reads it."""
    if value is None:
        return 0
    try:
        size = len(orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS))
    except (TypeError, RecursionError):
        size = len(repr(value))
    return size // CHARACTERS_PER_TOKEN
