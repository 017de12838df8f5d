"""What it takes to play an unfinished execution on: what it knows, and what may be changed."""

from collections.abc import Iterator, Mapping
from typing import Any

from podium.domain.composition import (
    CompositionStep,
    Iterating,
    Plan,
    PlannedStep,
    SwitchStep,
)
from podium.domain.errors import ResumeConflictError
from podium.domain.execution import Checkpoint
from podium.execution.memory import segments
from podium.mapping.expressions import MISSING, parse

Index = Mapping[str, PlannedStep]


def check_changes(plan: Plan, checkpoint: Checkpoint, params: Mapping[str, Any]) -> None:
    """Refuse params that finished steps would have to be played again for.

    Raises:
        ResumeConflictError: a finished step has read a param that is different now.

    """
    before = checkpoint.execution.params
    changed = frozenset(
        name
        for name in before.keys() | params.keys()
        if before.get(name, MISSING) != params.get(name, MISSING)
    )
    if not changed:
        return
    index = _steps_by_id(plan.steps)
    for path in checkpoint.outcomes:
        for step_id, read in _read_by(path, index):
            if both := sorted(read & changed):
                raise ResumeConflictError(
                    f"composition '{plan.composition.id}': step '{step_id}' is done and has read "
                    f"'{both[0]}', so this param cannot be changed any more",
                    hint="run the composition anew, or change other params only",
                    step_id=path,
                )


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
