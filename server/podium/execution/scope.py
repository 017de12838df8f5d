"""The values an execution has so far, and how the names of an expression find them."""

from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from podium.domain.composition import PlannedStep
from podium.mapping.expressions import Expression

Blocks = tuple[dict[str, Any], ...]
Bound = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FrameNames:
    """The names that the steps of one frame give: ids, and those of `output_mapping`."""

    ids: frozenset[str]
    mapped: frozenset[str]


def names_of(steps: Sequence[PlannedStep]) -> FrameNames:
    """Return the names that the steps of a frame give."""
    return FrameNames(
        frozenset(planned.step.id for planned in steps),
        frozenset(name for planned in steps for name in planned.step.output_mapping.values()),
    )


@dataclass(frozen=True, slots=True)
class Given:
    """What a composition is given from outside."""

    params: Mapping[str, Any]
    context: Mapping[str, Any]


class Scope:
    """The results of the steps of one frame and the names mapped from them; and what is around.

    Names resolve in this order: iteration variables, step ids and mapped names (of the inmost frame
    first), params, `context`, fields of earlier steps.
    """

    __slots__ = ("_given", "around", "mapped", "names", "own_blocks", "results")

    def __init__(self, names: FrameNames, given: Given, around: "Scope | None" = None) -> None:
        self.names = names
        self._given = given
        self.around = around
        self.mapped: dict[str, Any] = {}
        self.own_blocks: dict[str, Blocks] = {}
        self.results: dict[str, Any] = {}

    def inside(self, names: FrameNames) -> "Scope":
        """Return the scope of a frame inside this one."""
        return Scope(names, self._given, self)

    def add(self, step_id: str, result: Any, blocks: Blocks, mapped: Mapping[str, Any]) -> None:
        """Add what a finished step gave."""
        self.results[step_id] = result
        if blocks:
            self.own_blocks[step_id] = blocks
        if mapped:
            self.mapped.update(mapped)

    def blocks(self) -> Mapping[str, Sequence[dict[str, Any]]]:
        """Return the raw content blocks of every finished step that can be seen."""
        if self.around is None:
            return self.own_blocks
        return ChainMap(*(scope.own_blocks for scope in self._outwards()))

    def for_expression(
        self, expression: Expression, field_sources: Mapping[str, tuple[str, ...]], bound: Bound
    ) -> dict[str, Any]:
        """Return the values of the names an expression reads; names without one are left out."""
        names = expression.names
        if expression.whole_scope:
            names = self._everything(bound) | names
        found = {}
        for name in names:
            holder = self._holder(name, field_sources, bound)
            if holder is not None:
                found[name] = holder[name]
        return found

    def _everything(self, bound: Bound) -> frozenset[str]:
        seen = {"context", *self._given.params, *bound}
        for scope in self._outwards():
            seen.update(scope.mapped, scope.results)
        return frozenset(seen)

    def _outwards(self) -> "list[Scope]":
        scopes: list[Scope] = []
        scope: Scope | None = self
        while scope is not None:
            scopes.append(scope)
            scope = scope.around
        return scopes

    def _holder(
        self, name: str, field_sources: Mapping[str, tuple[str, ...]], bound: Bound
    ) -> Mapping[str, Any] | None:
        """Return the mapping that holds a name."""
        if name in bound:
            return bound
        scope: Scope | None = self
        while scope is not None:
            # What a step gives never means a param of that name, even when the step was skipped.
            if name in scope.names.ids:
                return scope.results if name in scope.results else None
            if name in scope.names.mapped:
                return scope.mapped if name in scope.mapped else None
            scope = scope.around
        if name in self._given.params:
            return self._given.params
        if name == "context":
            return {"context": dict(self._given.context)}
        for step_id in field_sources.get(name, ()):
            result = self._result(step_id)
            if isinstance(result, dict) and name in result:
                return result
        return None

    def _result(self, step_id: str) -> Any:
        for scope in self._outwards():
            if step_id in scope.results:
                return scope.results[step_id]
        return None


def is_true(value: Any) -> bool:
    """Return whether a value counts as true, by JSONata's rule: a list does if an element does."""
    if isinstance(value, list):
        return any(is_true(element) for element in value)
    return bool(value)


def explain_missing(expression: Expression, values: Mapping[str, Any]) -> str:
    """Say why an expression may have found nothing, from the values it was given."""
    for name, field in sorted(expression.head_fields):
        value = values.get(name)
        if isinstance(value, dict) and field not in value:
            if set(value) == {"text"}:
                return f"'{name}' is plain text, it has no field '{field}'"
            fields = ", ".join(sorted(map(str, value))[:10]) or "none"
            return f"'{name}' has no field '{field}' (its fields: {fields})"
    absent = sorted(expression.names - values.keys())
    if absent:
        return f"nothing is called '{absent[0]}' here, or it has no value"
    return "it found nothing"


def round_bindings(bound: Bound, item: Any, index: int, name: str | None) -> dict[str, Any]:
    """Return the names bound in one round, as bare names and as `$` variables alike."""
    inner = {**bound, "item": item, "index": index, "i": index}
    if name:
        inner[name] = item
    return inner
