"""What it takes to play an unfinished execution on: what it knows, and what may be changed."""

from collections.abc import Iterator, Mapping
from typing import Any

from podium.domain.composition import (
    CompositionStep,
    Iterating,
    Plan,
    PlannedStep,
    SwitchStep,
    ToolStep,
)
from podium.domain.errors import ResumeConflictError
from podium.domain.execution import Checkpoint
from podium.execution.memory import segments
from podium.execution.session import is_inside
from podium.mapping.expressions import MISSING, parse

Index = Mapping[str, PlannedStep]


def check_changes(plan: Plan, checkpoint: Checkpoint, params: Mapping[str, Any]) -> None:
    """Refuse params that finished steps would have to be played again for.

    Raises:
        ResumeConflictError: a finished step has read a param that is different now.

    """
    changed = _changed(checkpoint, params)
    if not changed:
        return
    index = _steps_by_id(plan.steps)
    begun = (path for path, choice in checkpoint.choices.items() if _has_played(choice))
    for path in (*checkpoint.outcomes, *begun):
        for step_id, read in _read_by(path, index):
            if both := sorted(read & changed):
                raise ResumeConflictError(
                    f"composition '{plan.composition.id}': step '{step_id}' is done and has read "
                    f"'{both[0]}', so this param cannot be changed any more",
                    hint="run the composition anew, or change other params only",
                    step_id=path,
                )


def kept_choices(
    plan: Plan, checkpoint: Checkpoint, params: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Return what blocks had decided, without what changed params may decide otherwise now.

    A block with something finished or in doubt inside keeps to its decision.
    """
    changed = _changed(checkpoint, params)
    if not changed:
        return checkpoint.choices
    index = _steps_by_id(plan.steps)
    kept_by = (*checkpoint.outcomes, *checkpoint.execution.in_doubt)
    return {
        path: choice
        for path, choice in checkpoint.choices.items()
        if not _reads(path, index) & changed or any(is_inside(other, path) for other in kept_by)
    }


def planned_tool(plan: Plan, path: str) -> str:
    """Return the tool that a step of the plan calls; "" inside of another composition."""
    index = _steps_by_id(plan.steps)
    found = [index.get(segment) for segment in segments(path) if not segment.startswith("[")]
    steps = [planned.step for planned in found if planned is not None]
    if len(steps) < len(found) or any(isinstance(step, CompositionStep) for step in steps):
        return ""
    last = steps[-1]
    return f"{last.server_id}.{last.tool_id}" if isinstance(last, ToolStep) else ""


def _changed(checkpoint: Checkpoint, params: Mapping[str, Any]) -> frozenset[str]:
    before = checkpoint.execution.params
    return frozenset(
        name
        for name in before.keys() | params.keys()
        if before.get(name, MISSING) != params.get(name, MISSING)
    )


def _has_played(choice: Any) -> bool:
    """Return whether work stands behind it: rounds of a repeat, a call whose result is kept."""
    return isinstance(choice, dict) and ("value" in choice or bool(choice.get("rounds")))


def _reads(path: str, index: Index) -> frozenset[str]:
    """Return the params that the innermost known block of a path reads."""
    known = [index[segment].params for segment in segments(path) if segment in index]
    return known[-1] if known else frozenset()


def _read_by(path: str, index: Index) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield what has been read of the params: by the finished step, and by the blocks around it."""
    ids = [segment for segment in segments(path) if not segment.startswith("[")]
    for number, step_id in enumerate(ids):
        planned = index.get(step_id)
        if planned is None:
            return  # inside of another composition, whose params come from the step around
        is_last = number == len(ids) - 1
        is_composition = isinstance(planned.step, CompositionStep)
        yield step_id, planned.params if is_last or is_composition else _own_reads(planned)
        if is_composition:
            return


def _own_reads(planned: PlannedStep) -> frozenset[str]:
    """Return the params that a block has read itself to begin with what is inside it."""
    step = planned.step
    sources = [step.when]
    if isinstance(step, Iterating):
        sources.append(step.iterations)
    if isinstance(step, SwitchStep):
        sources += [case.when for case in step.switch]
    expressions = [parse(source) for source in sources if source is not None]
    if any(expression.whole_scope for expression in expressions):
        return planned.params
    return planned.params & frozenset().union(*(e.names for e in expressions))


def _steps_by_id(steps: tuple[PlannedStep, ...]) -> dict[str, PlannedStep]:
    found: dict[str, PlannedStep] = {}
    waiting = list(steps)
    while waiting:
        planned = waiting.pop()
        found[planned.step.id] = planned
        for frame in planned.frames.values():
            waiting.extend(frame.steps)
    return found
