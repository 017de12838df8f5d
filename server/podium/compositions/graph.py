"""What each step waits for: the names it reads, resolved to params and to other steps."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

from podium.compositions.places import (
    Body,
    Keys,
    Place,
    Reading,
    View,
    all_places,
    may_hold,
    output_readings,
    whole,
)
from podium.documents import dotted
from podium.domain.composition import Composition, Frame, Plan, PlannedStep, bodies
from podium.domain.errors import CompositionInvalidError, Fault
from podium.domain.naming import did_you_mean
from podium.mapping.expressions import parse

Sources = dict[str, tuple[str, ...]]


def declared_params(composition: Composition) -> frozenset[str]:
    """Return the params that the input schema names."""
    properties = (composition.input_schema or {}).get("properties")
    return frozenset(properties) if isinstance(properties, dict) else frozenset()


def build_plan(composition: Composition, supplied: Collection[str]) -> Plan:
    """Resolve every name and return what each step waits for, in every frame.

    `supplied` are the names of the params at hand: a param that is not supplied lets its name fall
    through to the fields of earlier steps. A block waits for what anything inside it reads.

    Raises:
        CompositionInvalidError: two steps with one id, an unknown step in `depends_on`, branches of
            a `parallel` that read each other, a cycle; every such fault is listed.
        ExpressionSyntaxError: an expression is no JSONata.

    """
    return _Planner(composition, supplied).plan()


@dataclass(slots=True)
class _Reads:
    """What one or more expressions read: other steps, fields that steps may hold, params."""

    steps: set[str] = field(default_factory=set)
    fields: Sources = field(default_factory=dict)
    params: set[str] = field(default_factory=set)

    def add(self, other: "_Reads") -> None:
        self.steps |= other.steps
        self.fields.update(other.fields)
        self.params |= other.params


class _Planner:
    """One composition on its way to a plan."""

    def __init__(self, composition: Composition, supplied: Collection[str]) -> None:
        self._composition = composition
        self._supplied = frozenset(supplied)
        self._declared = declared_params(composition) | self._supplied
        self._has_schema = composition.input_schema is not None
        self._required: set[str] = set()
        self._faults: list[Fault] = []

    def plan(self) -> Plan:
        composition = self._composition
        body = whole(composition)
        self._faults += _double_ids(body)
        steps, _ = self._frame(body)
        output = _Reads()
        for reading in output_readings(composition):
            output.add(self._reads(reading))
        if self._faults:
            message = f"composition '{composition.id}': {self._faults[0].message}"
            raise CompositionInvalidError(message, hint=self._faults[0].hint, faults=self._faults)
        return Plan(composition, steps, output.fields, frozenset(self._required))

    def _frame(self, body: Body) -> tuple[tuple[PlannedStep, ...], _Reads]:
        """Return the steps of a frame as planned, and what they read of the frames around it."""
        together = _Reads()
        planned = []
        beside = {step.id for step in body.steps}
        for place in body.places():
            one, reads = self._step(place, beside, body)
            planned.append(one)
            together.add(reads)
        together.steps -= beside
        self._faults += _circles(planned, body.keys)
        return tuple(planned), together

    def _step(self, place: Place, beside: set[str], body: Body) -> tuple[PlannedStep, _Reads]:
        step = place.step
        reads = _Reads()
        for reading in place.readings():
            found = self._reads(reading)
            if reading.kind == "undo":
                found.steps.discard(step.id)  # it is over when it is undone
            elif reading.kind == "inside":
                found.steps -= _inner_ids(place)
            reads.add(found)
        fields = dict(reads.fields)
        frames: dict[str, Frame] = {}
        for inner in place.bodies():
            steps, outward = self._frame(inner)
            frames[inner.key] = Frame(steps)
            reads.steps |= outward.steps
            reads.params |= outward.params
        reads.steps -= _inner_ids(place)  # a `catch` reads what its `try` gave
        reads.steps.update(self._depends_on(place, beside, body))
        if step.id in reads.steps:
            self._faults.append(
                Fault(
                    f"step '{step.id}' reads what it gives itself: its id, or a mapped name",
                    where=dotted(place.keys),
                )
            )
        waits = frozenset(reads.steps & beside - {step.id})
        return PlannedStep(step, waits, fields, frozenset(reads.params), frames), reads

    def _depends_on(self, place: Place, beside: set[str], body: Body) -> Iterator[str]:
        where = dotted((*place.keys, "depends_on"))
        for name in place.step.depends_on:
            if name in beside and not body.is_parallel:
                yield name
            elif name in beside:
                message = f"branches of a parallel start together: '{name}' cannot be waited for"
                self._faults.append(Fault(message, where=where, hint=_SERIAL_HINT))
            elif name in place.view.steps:
                message = f"depends_on names steps beside it; '{name}' is outside of this block"
                hint = f'let the block itself wait: "depends_on": ["{name}"]'
                self._faults.append(Fault(message, where=where, hint=hint))
            else:
                message = f"depends_on names no step: '{name}'"
                if any(name == other.step.id for other in all_places(whole(self._composition))):
                    message = f"depends_on names steps beside it; '{name}' is inside a block"
                hint = did_you_mean(name, beside - {place.step.id})
                self._faults.append(Fault(message, where=where, hint=hint))

    # --- names

    def _reads(self, reading: Reading) -> _Reads:
        expression = parse(reading.source, iterating=reading.view.is_iterating)
        reads = _Reads()
        view = reading.view
        if expression.whole_scope:
            reads.steps.update(step.id for step in view.earlier())
            reads.params.update(self._supplied)
        reads.steps.update(name for name in expression.blocks_of if name in view.steps)
        for name in sorted(expression.names - view.bound):
            if name in view.branches:
                self._faults.append(_between_branches(reading, name))
            elif name in view.steps:
                reads.steps.add(name)
            elif name in view.mapped:
                reads.steps.add(view.mapped[name])
            else:
                self._note_outer(name, view, reads)
        return reads

    def _note_outer(self, name: str, view: View, reads: _Reads) -> None:
        """Note a name that no step has: a param, `context`, or a field of an earlier result."""
        if name in self._declared or (not self._has_schema and name != "context"):
            reads.params.add(name)
        if name in self._supplied or name == "context":
            return
        holders = tuple(step.id for step in view.earlier() if may_hold(step, name))
        reads.fields[name] = holders
        reads.steps.update(holders)
        if not holders and not self._has_schema:
            self._required.add(name)


_SERIAL_HINT = "steps that need each other stand one after the other in a step with `steps`"


def _between_branches(reading: Reading, name: str) -> Fault:
    message = f"`{reading.source}`: branches of a parallel do not see each other; '{name}' is one"
    return Fault(message, where=dotted(reading.keys), hint=_SERIAL_HINT)


def _inner_ids(place: Place) -> set[str]:
    return {step.id for _, steps in bodies(place.step) for step in steps}


def _double_ids(body: Body) -> Iterator[Fault]:
    seen: set[str] = set()
    for place in all_places(body):
        if place.step.id in seen:
            hint = "ids are unique in the whole composition, in blocks too"
            where = dotted((*place.keys, "id"))
            yield Fault(f"two steps have the id '{place.step.id}'", where=where, hint=hint)
        seen.add(place.step.id)


def _circles(planned: list[PlannedStep], keys: Keys) -> Iterator[Fault]:
    if _is_in_order(planned):
        return
    try:
        TopologicalSorter({step.step.id: step.depends_on for step in planned}).prepare()
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        message = f"the steps wait for each other in a circle: {circle}"
        yield Fault(message, where=dotted(keys))


def _is_in_order(planned: list[PlannedStep]) -> bool:
    """Return whether every step waits for steps before it only, as in most files."""
    before: set[str] = set()
    for step in planned:
        if not step.depends_on <= before:
            return False
        before.add(step.step.id)
    return True
