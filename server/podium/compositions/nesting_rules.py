"""Rules for compositions that play others: their params, how deep it goes, how many steps it is."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from podium.compositions.facts import Facts, Issue, error, warning
from podium.compositions.graph import build_plan
from podium.compositions.library import CompositionLibrary
from podium.compositions.params import closed_params, default_params
from podium.compositions.places import Place, all_places, whole
from podium.domain.composition import (
    Composition,
    CompositionStep,
    Iterating,
    ParallelStep,
    all_steps,
)
from podium.domain.errors import PodiumError
from podium.domain.naming import did_you_mean


@dataclass(frozen=True, slots=True)
class Bounds:
    """`max_steps_per_composition`, `max_depth` and `max_iterations`."""

    max_steps: int
    max_depth: int
    max_rounds: int


_RANGE = re.compile(r"\s*\[\s*(-?\d{1,15})\s*\.\.\s*(-?\d{1,15})\s*\]\s*")


# --- one step


def round_issues(place: Place, bounds: Bounds) -> Iterator[Issue]:
    """Yield the loop that has too many rounds, where the file alone says how many."""
    step = place.step
    if not isinstance(step, Iterating) or step.iterations is None:
        return
    if (stated := _RANGE.fullmatch(step.iterations)) is None:
        return
    rounds = int(stated[2]) - int(stated[1]) + 1
    if rounds > bounds.max_rounds:
        message = f"{rounds} rounds, {bounds.max_rounds} at most"
        hint = "loop over less, or raise limits.max_iterations"
        yield error(message, (*place.keys, "iterations"), hint)


def played_issues(place: Place, facts: Facts) -> Iterator[Issue]:
    """Yield what is wrong with the composition that a step names, or with its params."""
    step = place.step
    if not isinstance(step, CompositionStep):
        return
    keys = (*place.keys, "composition")
    if step.composition == facts.composition.id:
        message = "the composition plays itself; only max_depth is sure to end that"
        yield warning(message, keys, "let a `when` or `switch` before it end it")
        yield from _params(place, step, facts.composition)
        return
    try:
        played = facts.library.get(step.composition)
    except PodiumError as fault:
        yield error(fault.message, keys, fault.hint)
        return
    yield from _params(place, step, played.composition)


def _params(place: Place, step: CompositionStep, played: Composition) -> Iterator[Issue]:
    given = dict.fromkeys(step.arguments, "arguments")
    given |= dict.fromkeys(step.input_mapping, "input_mapping")
    if (known := closed_params(played)) is not None:
        for name in given.keys() - known:
            message = f"'{played.id}' has no param '{name}'"
            yield error(message, (*place.keys, given[name], name), did_you_mean(name, known))
    for name in sorted(_needed(played, frozenset(given)) - given.keys()):
        yield error(f"'{played.id}' needs the param '{name}'", place.keys)


def _needed(played: Composition, given: frozenset[str]) -> frozenset[str]:
    """Return the params that a composition cannot be played without."""
    if played.input_schema is None:
        try:
            return build_plan(played, given).required_params
        except PodiumError:  # a fault of its own file, and found there
            return frozenset()
    required = played.input_schema.get("required")
    names = required if isinstance(required, list) else []
    return frozenset(name for name in names if isinstance(name, str)) - default_params(played)


# --- the whole


@dataclass(frozen=True, slots=True)
class _Weight:
    """Steps and levels of a composition: those that are sure to be played, and all there may be."""

    sure_steps: int
    all_steps: int
    sure_depth: int = 0
    all_depth: int = 0


def too_many(size: int, bounds: Bounds) -> Issue:
    """Return the error for a composition that has too many steps of its own."""
    return error(f"{size} steps, {bounds.max_steps} at most", ("steps",), _STEPS_HINT)


def bound_issues(facts: Facts, bounds: Bounds) -> Iterator[Issue]:
    """Yield the bounds that a composition breaks, with what it plays; circles through others."""
    plays = _Plays(facts.library, facts.composition)
    root = facts.composition.id
    for play in plays.of(root):
        if play.played != root and root in plays.reached_from(play.played):
            message = "it plays this composition again; only max_depth is sure to end that"
            keys = (*facts.place_of[play.step_id].keys, "composition")
            yield warning(message, keys, "let a `when` or `switch` on the way end it")
    weight = plays.weight(root, bounds.max_depth + 1)
    if root in plays.reached_from(root, only_sure=True):
        message = f"plays itself without end: more than {bounds.max_depth} deep"
        yield error(message, ("steps",), "let a `when` or `switch` end it")
    elif weight.sure_depth > bounds.max_depth:
        message = f"compositions within compositions, more than {bounds.max_depth} deep"
        yield error(message, ("steps",), _DEPTH_HINT)
    elif weight.all_depth > bounds.max_depth:
        message = f"compositions within compositions, perhaps more than {bounds.max_depth} deep"
        yield warning(message, ("steps",), _DEPTH_HINT)
    yield from _step_bound(weight, bounds)


def _step_bound(weight: _Weight, bounds: Bounds) -> Iterator[Issue]:
    if weight.sure_steps > bounds.max_steps:
        message = f"{weight.sure_steps} steps with those of the compositions that it plays"
        yield error(f"{message}, {bounds.max_steps} at most", ("steps",), _STEPS_HINT)
    elif weight.all_steps > bounds.max_steps:
        message = f"up to {weight.all_steps} steps with those of the compositions that it may play"
        yield warning(f"{message}, {bounds.max_steps} at most", ("steps",), _STEPS_HINT)


_STEPS_HINT = "split it, or raise orchestrator.max_steps_per_composition"
_DEPTH_HINT = "play fewer within one another, or raise orchestrator.max_depth"


@dataclass(frozen=True, slots=True)
class _Play:
    """A step that plays a composition; `is_sure`: whenever nothing before it fails."""

    step_id: str
    played: str
    is_sure: bool


class _Plays:
    """Which composition plays which, from one of them on; it need not be in the library."""

    def __init__(self, library: CompositionLibrary, root: Composition) -> None:
        self._library = library
        self._root = root
        self._edges: dict[str, tuple[_Play, ...]] = {}
        self._reached: dict[tuple[str, bool], frozenset[str]] = {}
        self._weights: dict[tuple[str, int], _Weight] = {}

    def of(self, composition_id: str) -> tuple[_Play, ...]:
        """Return the steps of a composition that play others which there are."""
        if composition_id not in self._edges:
            self._edges[composition_id] = tuple(
                _Play(place.step.id, place.step.composition, _is_sure(place))
                for place in all_places(whole(self._composition(composition_id)))
                if isinstance(place.step, CompositionStep) and self._exists(place.step.composition)
            )
        return self._edges[composition_id]

    def _exists(self, composition_id: str) -> bool:
        return composition_id == self._root.id or self._library.knows(composition_id)

    def _composition(self, composition_id: str) -> Composition:
        if composition_id == self._root.id:
            return self._root
        return self._library.get(composition_id).composition

    def reached_from(self, composition_id: str, *, only_sure: bool = False) -> frozenset[str]:
        """Return all compositions that one may play, however indirectly."""
        key = (composition_id, only_sure)
        if key not in self._reached:
            reached: set[str] = set()
            to_do = [composition_id]
            while to_do:
                plays = [p for p in self.of(to_do.pop()) if p.is_sure or not only_sure]
                to_do += {play.played for play in plays} - reached
                reached.update(play.played for play in plays)
            self._reached[key] = frozenset(reached)
        return self._reached[key]

    def weight(self, composition_id: str, levels: int) -> _Weight:
        """Return what a composition weighs, so many levels down; circles are followed once."""
        key = (composition_id, levels)
        if key not in self._weights:
            self._weights[key] = self._weigh(composition_id, levels)
        return self._weights[key]

    def _weigh(self, composition_id: str, levels: int) -> _Weight:
        own = sum(1 for _ in all_steps(self._composition(composition_id).steps))
        weight = _Weight(own, own)
        for play in self.of(composition_id) if levels else ():
            if composition_id in self.reached_from(play.played) | {play.played}:
                continue
            inner = self.weight(play.played, levels - 1)
            sure = inner if play.is_sure else _Weight(0, 0, -1, -1)
            weight = _Weight(
                weight.sure_steps + sure.sure_steps,
                weight.all_steps + inner.all_steps,
                max(weight.sure_depth, sure.sure_depth + 1),
                max(weight.all_depth, inner.all_depth + 1),
            )
        return weight


_PERHAPS = frozenset({"switch", "default", "catch"})


def _is_sure(place: Place) -> bool:
    """Return whether a step is played whenever nothing before it fails."""
    steps = (*place.around, place.step)
    return not (
        _PERHAPS.intersection(place.keys)
        or any(step.when is not None for step in steps)
        or any(isinstance(step, Iterating) and step.iterations is not None for step in steps)
        or any(isinstance(step, ParallelStep) and step.join != "all" for step in place.around)
    )
