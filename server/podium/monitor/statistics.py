"""A finished execution to what it adds to the counts. Pure."""

from collections.abc import Iterator, Sequence
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
    execution: Execution, verdict: Verdict, version: str, baseline: Baseline | None = None
) -> dict[Subject, Tally]:
    """Return what an execution adds: to its composition's version, its steps, its tools.

    `version` is empty for calls outside any composition; these count for their tools alone.
    """
    steps = list(execution.steps.values())[:MOST_STEPS]
    parts = [counts for step in steps for counts in _of_step(step, version)]
    if version:
        subject = Subject("composition", version, execution.composition_id)
        parts.append({subject: _of_composition(execution, steps, verdict, baseline)})
    return merged(parts)


def correction(before: Verdict, after: Verdict, version: str, name: str) -> dict[Subject, Tally]:
    """Return what turns a composition's run from one verdict into another."""
    old, new = _CORRECTED[before], _CORRECTED[after]
    successes, failures, uncounted = (b - a for a, b in zip(old, new, strict=True))
    changed = Tally(successes=successes, failures=failures, uncounted=uncounted)
    return {Subject("composition", version, name): changed}


def _of_composition(
    execution: Execution, steps: Sequence[StepRecord], verdict: Verdict, baseline: Baseline | None
) -> Tally:
    tokens = tokens_of(execution.result)
    saving = baseline if verdict == "success" else None
    return Tally(
        runs=1,
        successes=verdict == "success",
        failures=verdict == "failure",
        uncounted=verdict == "uncounted",
        calls=sum(map(_calls, steps)),
        rounds=sum(map(_rounds, steps)),
        tokens=tokens,
        retries=sum(map(_retries, steps)),
        cache_hits=sum(step.is_cached for step in steps),
        calls_saved=max(0, saving.calls - 1) if saving else 0,
        tokens_saved=max(0, saving.tokens - tokens) if saving else 0,
        durations=_durations(execution.duration_ms),
        errors=_errors(execution.error),
    )


def _of_step(step: StepRecord, version: str) -> Iterator[dict[Subject, Tally]]:
    if step.status not in _TOLD:
        return
    is_done = step.status == "done"
    tally = Tally(
        runs=1,
        successes=is_done,
        failures=not is_done,
        calls=_calls(step),
        rounds=_rounds(step),
        tokens=tokens_of(step.output),
        retries=_retries(step),
        cache_hits=step.is_cached,
        durations=_durations(step.duration_ms),
        errors=_errors(step.error),
    )
    if version:
        yield {Subject("step", version, step.step_id): tally}
    # A failure before the call (a wrong argument) tells nothing about the tool.
    if step.tool_id and (is_done or charge_of(code_of(step.error)) in _OF_TOOLS):
        yield {Subject("tool", "", f"{step.server_id}.{step.tool_id}"): tally}


def _calls(step: StepRecord) -> int:
    is_called = step.tool_id and step.attempts and not step.is_cached
    return _rounds(step) + _retries(step) if is_called else 0


def _rounds(step: StepRecord) -> int:
    """Return how often a tool was played: the arguments of a loop are a list with those of each."""
    if not step.tool_id:
        return 0
    return len(step.inputs) if isinstance(step.inputs, list) else 1


def _retries(step: StepRecord) -> int:
    return max(0, step.attempts - 1)


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
