"""What each step waits for: the names it reads, resolved to params and earlier steps."""

from collections.abc import Collection, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from podium.domain.composition import (
    ITERATION_VARIABLES,
    Composition,
    Plan,
    PlannedStep,
    ToolStep,
)
from podium.domain.errors import CompositionInvalidError, Fault
from podium.mapping.expressions import Expression, parse


def step_expressions(step: ToolStep) -> Iterator[tuple[str, str, bool]]:
    """Yield (key, source, whether iteration variables are bound) of all that reads the scope."""
    if step.when is not None:
        yield "when", step.when, False
    if step.iterations is not None:
        yield "iterations", step.iterations, False
    for argument, source in step.input_mapping.items():
        yield f"input_mapping.{argument}", source, step.iterations is not None


def output_expressions(composition: Composition) -> Iterator[tuple[str, str]]:
    """Yield (key, source) of the composition's output."""
    if isinstance(composition.output, str):
        yield "output", composition.output
    elif composition.output is not None:
        for name, source in composition.output.items():
            yield f"output.{name}", source


def declared_params(composition: Composition) -> frozenset[str]:
    """Return the params that the input schema names."""
    properties = (composition.input_schema or {}).get("properties")
    return frozenset(properties) if isinstance(properties, dict) else frozenset()


def build_plan(composition: Composition, supplied: Collection[str]) -> Plan:
    """Resolve every name and return what each step waits for.

    `supplied` are the names of the params at hand: a param that is not supplied lets its name fall
    through to the fields of earlier steps.

    Raises:
        CompositionInvalidError: two steps with one id, an unknown step in `depends_on`, a cycle.
        ExpressionSyntaxError: an expression is no JSONata.

    """
    names = _Names(composition, supplied)
    planned = []
    for position, step in enumerate(composition.steps):
        earlier = composition.steps[:position]
        waits = set(step.depends_on)
        fields: dict[str, tuple[str, ...]] = {}
        for _, source, iterating in step_expressions(step):
            expression = parse(source, iterating=iterating)
            bound = iteration_names(step) if iterating else frozenset()
            reads, found = names.resolve(expression, bound, earlier)
            waits |= reads
            fields.update(found)
        planned.append(PlannedStep(step, frozenset(waits), fields))
    output_fields: dict[str, tuple[str, ...]] = {}
    for _, source in output_expressions(composition):
        _, found = names.resolve(parse(source), frozenset(), composition.steps)
        output_fields.update(found)
    _refuse_cycles(composition, planned)
    return Plan(composition, tuple(planned), output_fields, frozenset(names.required))


def iteration_names(step: ToolStep) -> frozenset[str]:
    """Return the names bound in each round of a step."""
    if step.iterations is None:
        return frozenset()
    return ITERATION_VARIABLES | ({step.as_} if step.as_ else frozenset())


class _Names:
    """The names of one composition, and where each leads."""

    def __init__(self, composition: Composition, supplied: Collection[str]) -> None:
        self._steps = _steps_by_id(composition)
        self._mapped = {
            name: step.id for step in composition.steps for name in step.output_mapping.values()
        }
        self._supplied = supplied
        self._has_schema = composition.input_schema is not None
        self.required: set[str] = set()

    def resolve(
        self, expression: Expression, bound: Collection[str], earlier: tuple[ToolStep, ...]
    ) -> tuple[set[str], Mapping[str, tuple[str, ...]]]:
        """Return the steps an expression waits for, and the earlier steps that may hold a field."""
        waits = {step.id for step in earlier} if expression.whole_scope else set()
        waits |= expression.blocks_of & self._steps.keys()
        fields = {}
        for name in sorted(expression.names - frozenset(bound)):
            if name in self._steps:
                waits.add(name)
            elif name in self._mapped:
                waits.add(self._mapped[name])
            elif name not in self._supplied and name != "context":
                holders = tuple(step.id for step in reversed(earlier) if _merges_fields(step))
                fields[name] = holders
                waits.update(holders)
                if not holders and not self._has_schema:
                    self.required.add(name)
        return waits, fields


def _merges_fields(step: ToolStep) -> bool:
    return step.iterations is None and not step.output_mapping


def _steps_by_id(composition: Composition) -> dict[str, ToolStep]:
    steps: dict[str, ToolStep] = {}
    for index, step in enumerate(composition.steps):
        if step.id in steps:
            raise _invalid(composition, f"two steps have the id '{step.id}'", f"steps[{index}].id")
        steps[step.id] = step
    for index, step in enumerate(composition.steps):
        for name in step.depends_on:
            if name not in steps:
                raise _invalid(
                    composition,
                    f"depends_on names no step: '{name}'",
                    f"steps[{index}].depends_on",
                )
    return steps


def _refuse_cycles(composition: Composition, planned: list[PlannedStep]) -> None:
    graph = {step.step.id: step.depends_on for step in planned}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = list(reversed(error.args[1]))
        message = f"the steps wait for each other in a circle: {' -> '.join(circle)}"
        if len(set(circle)) == 1:
            message = f"step '{circle[0]}' reads what it gives itself: its id, or a mapped name"
        raise _invalid(composition, message, "steps") from None


def _invalid(composition: Composition, message: str, where: str) -> CompositionInvalidError:
    return CompositionInvalidError(
        f"composition '{composition.id}': {message}", faults=[Fault(message, where=where)]
    )
