"""The values an execution has so far, and how the names of an expression find them."""

from collections.abc import Mapping, Sequence
from typing import Any

from podium.domain.composition import PlannedStep
from podium.mapping.expressions import Expression

Blocks = tuple[dict[str, Any], ...]


class Scope:
    """Params, context, the results of steps and the names mapped from them.

    Names resolve in this order: iteration variables, step ids, mapped names, params, `context`,
    fields of earlier steps.
    """

    def __init__(
        self, steps: Sequence[PlannedStep], params: Mapping[str, Any], context: Mapping[str, Any]
    ) -> None:
        self._step_ids = frozenset(planned.step.id for planned in steps)
        self._mapped_names = frozenset(
            name for planned in steps for name in planned.step.output_mapping.values()
        )
        self._params = params
        self._context = dict(context)
        self._mapped: dict[str, Any] = {}
        self.results: dict[str, Any] = {}
        self.blocks: dict[str, Blocks] = {}

    def add(self, step_id: str, result: Any, blocks: Blocks, mapped: Mapping[str, Any]) -> None:
        """Add what a finished step gave."""
        self.results[step_id] = result
        self.blocks[step_id] = blocks
        self._mapped.update(mapped)

    def for_expression(
        self,
        expression: Expression,
        field_sources: Mapping[str, tuple[str, ...]],
        bound: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Return the values of the names an expression reads; names without one are left out."""
        names = expression.names
        if expression.whole_scope:
            everything = {"context", *self._params, *self._mapped, *self.results, *bound}
            names = frozenset(everything) | names
        found = {}
        for name in names:
            holder = self._holder(name, field_sources, bound)
            if holder is not None:
                found[name] = holder[name]
        return found

    def _holder(
        self, name: str, field_sources: Mapping[str, tuple[str, ...]], bound: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        """Return the mapping that holds a name."""
        if name in bound:
            return bound
        # What a step gives never means a param of that name, even when the step was skipped.
        if name in self._step_ids:
            return self.results if name in self.results else None
        if name in self._mapped_names:
            return self._mapped if name in self._mapped else None
        if name in self._params:
            return self._params
        if name == "context":
            return {"context": self._context}
        for step_id in field_sources.get(name, ()):
            result = self.results.get(step_id)
            if isinstance(result, dict) and name in result:
                return result
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


def iteration_bindings(step: PlannedStep, items: list[Any], index: int) -> dict[str, Any]:
    """Return the names bound in one round, as bare names and as `$` variables alike."""
    bound = {"item": items[index], "index": index, "i": index}
    if step.step.as_:
        bound[step.step.as_] = items[index]
    return bound
