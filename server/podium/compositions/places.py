"""Where the expressions of a composition stand, nested ones included, and which names each sees."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from podium.domain.composition import (
    CATCH_VARIABLES,
    ITERATION_VARIABLES,
    REPEAT_VARIABLES,
    AskStep,
    BlockStep,
    Composition,
    CompositionStep,
    GroupStep,
    Iterating,
    OutputMap,
    ParallelStep,
    RepeatStep,
    Step,
    SwitchStep,
    ToolStep,
    TransformStep,
    TryStep,
    bodies,
)

Keys = tuple[str | int, ...]
Kind = Literal["step", "round", "undo", "inside"]
"""What an expression sees: what its step does; the round's variables too; the step's own result
too; what the steps inside the block gave."""


@dataclass(frozen=True, slots=True)
class View:
    """The names that the expressions of one place may read, beyond params and `context`.

    `steps` are visible by their ids, `mapped` leads from a name of an `output_mapping` to its step.
    `before` are the frames with how many of their steps stand before the place, its own frame
    first. `branches` are the other branches of a `parallel`, which must not be read.
    `bound` are the variables of the rounds and blocks around it.
    """

    steps: Mapping[str, Step]
    mapped: Mapping[str, str]
    before: tuple[tuple[tuple[Step, ...], int], ...] = ()
    branches: frozenset[str] = frozenset()
    bound: frozenset[str] = frozenset()

    def seeing(self, steps: tuple[Step, ...]) -> "View":
        """Return the view with the steps of one more frame."""
        mapped = {name: step.id for step in steps for name in step.output_mapping.values()}
        return replace(
            self,
            steps={**self.steps, **{step.id: step for step in steps}},
            mapped={**self.mapped, **mapped},
        )

    def after(self, steps: tuple[Step, ...], count: int | None = None) -> "View":
        """Return the view of a place that stands after these steps, or so many of them."""
        count = len(steps) if count is None else count
        return replace(self, before=((steps, count), *self.before)) if count else self

    def earlier(self) -> Iterator[Step]:
        """Yield the steps before the place, those of its own frame first, the latest first."""
        for steps, count in self.before:
            yield from reversed(steps[:count])

    def binding(self, names: frozenset[str]) -> "View":
        """Return the view with further variables bound."""
        return replace(self, bound=self.bound | names) if names else self

    @property
    def is_iterating(self) -> bool:
        """Whether `[i]` means the round's number here."""
        return "i" in self.bound


@dataclass(frozen=True, slots=True)
class Reading:
    """One expression: its key path in the file, its text, and what it sees."""

    keys: Keys
    source: str
    view: View
    kind: Kind = "step"


@dataclass(frozen=True, slots=True)
class Place:
    """A step with its key path in the file, what it sees, and the blocks that it is inside of."""

    step: Step
    keys: Keys
    view: View
    around: tuple[BlockStep, ...] = ()

    def readings(self) -> Iterator[Reading]:
        """Yield all that reads the scope, each after those that see less."""
        views = {"step": self.view}
        for keys, source, kind in _expressions(self.step):
            if kind not in views:
                views[kind] = _VIEWS[kind](self)
            yield Reading((*self.keys, *keys), source, views[kind], kind)

    def bodies(self) -> "Iterator[Body]":
        """Yield the nested lists of steps, empty ones too."""
        if not isinstance(self.step, BlockStep):
            return
        around = self.view.binding(bound_names(self.step))
        blocks = (*self.around, self.step)
        for key, steps in bodies(self.step):
            view = around
            if isinstance(self.step, TryStep) and key != "try":
                # What was tried is over by then: its results are there, nothing waits for them.
                view = around.seeing(self.step.try_).after(self.step.try_)
                if key != "finally":
                    view = view.binding(CATCH_VARIABLES)
            is_parallel = isinstance(self.step, ParallelStep)
            yield Body(key, steps, (*self.keys, *keys_of(key)), view, blocks, is_parallel)


@dataclass(frozen=True, slots=True)
class Body:
    """Steps that see each other, unless they are the branches of a `parallel`.

    `key` is its key path in its block, as `domain.composition.bodies` gives it.
    """

    key: str
    steps: tuple[Step, ...]
    keys: Keys
    view: View
    around: tuple[BlockStep, ...] = ()
    is_parallel: bool = False

    def places(self) -> Iterator[Place]:
        """Yield the place of each step."""
        view = self.view if self.is_parallel else self.view.seeing(self.steps)
        for position, step in enumerate(self.steps):
            keys = (*self.keys, position)
            if self.is_parallel:
                yield Place(step, keys, self._of_branch(step), self.around)
            else:
                yield Place(step, keys, view.after(self.steps, position), self.around)

    def _of_branch(self, step: Step) -> View:
        others = frozenset(other.id for other in self.steps if other is not step)
        view = self.view.seeing((step,))
        return replace(view, branches=view.branches | others)


def whole(composition: Composition) -> Body:
    """Return the composition's own steps as a body."""
    return Body("steps", composition.steps, ("steps",), View({}, {}))


def all_places(body: Body) -> Iterator[Place]:
    """Yield the place of each step, nested ones included, each before those inside it."""
    for place in body.places():
        yield place
        for inner in place.bodies():
            yield from all_places(inner)


def output_readings(composition: Composition) -> Iterator[Reading]:
    """Yield the expressions of the composition's output."""
    steps = composition.steps
    view = View({}, {}).seeing(steps).after(steps)
    for keys, source in _output("output", composition.output):
        yield Reading(keys, source, view)


def bound_names(step: Step) -> frozenset[str]:
    """Return the names bound in each round of a step."""
    if isinstance(step, RepeatStep):
        return REPEAT_VARIABLES
    if not isinstance(step, Iterating) or step.iterations is None:
        return frozenset()
    return ITERATION_VARIABLES | ({step.as_} if step.as_ else frozenset())


def keys_of(where: str) -> Keys:
    """Return `steps[2].id` as the key path ("steps", 2, "id")."""
    parts = where.replace("]", "").replace("[", ".").split(".")
    return tuple(int(part) if part.isdigit() else part for part in parts if part)


# --- what each kind of view sees


def _in_round(place: Place) -> View:
    return place.view.binding(bound_names(place.step))


def _when_undone(place: Place) -> View:
    return _in_round(place).after((place.step,))


def _inside(place: Place) -> View:
    view = _in_round(place)
    for key, steps in bodies(place.step):
        if key != "finally":  # it has no part in the result
            view = view.seeing(steps).after(steps)
    return view


_VIEWS = {"round": _in_round, "undo": _when_undone, "inside": _inside}


# --- the expressions of each kind of step

_Expression = tuple[Keys, str, Kind]


def _expressions(step: Step) -> Iterator[_Expression]:
    """Yield all that reads the scope, what is evaluated last in the end."""
    if step.when is not None:
        yield ("when",), step.when, "step"
    if isinstance(step, Iterating) and step.iterations is not None:
        yield ("iterations",), step.iterations, "step"
    match step:
        case ToolStep():
            yield from _tool_expressions(step)
        case CompositionStep():
            yield from _mapping(("input_mapping",), step.input_mapping, "round")
        case TransformStep():
            for keys, source in _output("transform", step.transform):
                yield keys, source, "step"
        case AskStep():
            yield ("ask",), step.ask, "step"
            if step.options is not None:
                yield ("options",), step.options, "step"
        case _:
            yield from _block_expressions(step)


def _tool_expressions(step: ToolStep) -> Iterator[_Expression]:
    yield from _mapping(("input_mapping",), step.input_mapping, "round")
    for number, other in enumerate(step.alternatives):
        keys = ("alternatives", number, "input_mapping")
        yield from _mapping(keys, other.input_mapping, "round")
    if step.undo is not None:
        yield from _mapping(("undo", "input_mapping"), step.undo.input_mapping, "undo")


def _block_expressions(step: BlockStep) -> Iterator[_Expression]:
    if isinstance(step, SwitchStep):
        for number, case in enumerate(step.switch):
            yield ("switch", number, "when"), case.when, "step"
    if isinstance(step, RepeatStep):
        yield ("until",), step.until, "inside"
    for keys, source in _output("output", step.output):
        yield keys, source, "inside"


def _mapping(keys: Keys, mapping: Mapping[str, str], kind: Kind) -> Iterator[_Expression]:
    for argument, source in mapping.items():
        yield (*keys, argument), source, kind


def _output(key: str, output: OutputMap | None) -> Iterator[tuple[Keys, str]]:
    if isinstance(output, str):
        yield (key,), output
    elif output is not None:
        for name, source in output.items():
            yield (key, name), source


# --- what a result may hold


def may_hold(step: Step, name: str) -> bool:
    """Return whether a bare name may be a top-level field of a step's result.

    Lists have no fields, and an `output_mapping` says which names there are. The result of a block
    without `output` has none either: its fields are the ids of steps that only the block sees.
    """
    if step.output_mapping or (isinstance(step, Iterating) and step.iterations is not None):
        return False
    if isinstance(step, AskStep):
        return name in ((step.answer_schema or {}).get("properties") or {})
    if isinstance(step, TransformStep):
        return not isinstance(step.transform, dict) or name in step.transform
    if isinstance(step, GroupStep | SwitchStep | ParallelStep | RepeatStep | TryStep):
        return step.output is not None and (isinstance(step.output, str) or name in step.output)
    return True
