"""Binds expressions to values: a step's arguments, its rounds, its mapped fields, the output."""

import functools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from podium.domain.composition import Call, Composition, Iterating, OutputMap, PlannedStep
from podium.domain.errors import (
    ArgumentInvalidError,
    ExpressionError,
    LimitExceededError,
    MissingValueError,
    OutputInvalidError,
    PodiumError,
)
from podium.domain.tool import Tool
from podium.execution.scope import Bound, Scope, explain_missing, is_true
from podium.mapping.coercion import coerce_arguments, schema_faults
from podium.mapping.expressions import MISSING, Evaluator, Expression, parse
from podium.mapping.plain import fits_plainly
from podium.text.clean import shortened

EXPRESSION_CHARACTERS = 200  # of an expression that an error shows
FAULTS_IN_MESSAGE = 3  # an error's message names these; `faults` has them all
REWRITTEN = 2_048  # expressions remembered whose list was replaced by its element

Fields = Mapping[str, tuple[str, ...]]


@dataclass(slots=True)
class Spot:
    """Where expressions are evaluated: a step under its path, and the names around it."""

    path: str
    planned: PlannedStep
    scope: Scope
    bound: Bound


class Binder:
    """Evaluates the expressions of one composition.

    Errors name composition, step, key and expression, and the position where it is known.
    """

    def __init__(self, composition: Composition, evaluator: Evaluator) -> None:
        self._composition = composition
        self._evaluator = evaluator

    def place(self, path: str = "") -> str:
        """Return how errors name a step of this composition."""
        place = f"composition '{self._composition.id}'"
        return f"{place}, step '{path}'" if path else place

    def is_wanted(self, spot: Spot) -> bool:
        """Return whether a step's `when` holds; true without one."""
        when = spot.planned.step.when
        return when is None or self.holds(spot, "when", when)

    def holds(self, spot: Spot, key: str, source: str) -> bool:
        """Return whether a condition holds; it does not when it finds nothing."""
        value = self.value(spot, key, source)
        return value is not MISSING and is_true(value)

    def value(self, spot: Spot, key: str, source: str) -> Any:
        """Return what an expression of a step finds, or MISSING."""
        return self._value(spot, key, source, spot.bound)

    def mapping(self, spot: Spot, key: str, sources: Mapping[str, str]) -> dict[str, Any]:
        """Return what each of several expressions finds; those that find nothing are left out."""
        found = {name: self.value(spot, f"{key}.{name}", each) for name, each in sources.items()}
        return {name: value for name, value in found.items() if value is not MISSING}

    def built(self, spot: Spot, key: str, sources: OutputMap) -> Any:
        """Return the value that an expression, or names with expressions, make; null if none."""
        if not isinstance(sources, str):
            return self.mapping(spot, key, sources)
        found = self.value(spot, key, sources)
        return None if found is MISSING else found

    def text(self, spot: Spot, key: str, source: str) -> str:
        """Return the text that an expression makes; another value as JSON.

        Raises:
            MissingValueError: it finds nothing.

        """
        found = self.value(spot, key, source)
        if found is MISSING or found is None:
            raise self._missing(spot, key, source, spot.bound, "a text is needed")
        return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)

    def items(self, spot: Spot, most: int) -> list[Any]:
        """Return the elements that a step iterates over: none if nothing is found, one if no list.

        Raises:
            LimitExceededError: there are more than `most`.

        """
        step = spot.planned.step
        source = step.iterations if isinstance(step, Iterating) else None
        value = self.value(spot, "iterations", source or "")
        if value is MISSING or value is None:
            return []
        items = value if isinstance(value, list) else [value]
        if len(items) > most:
            raise LimitExceededError(
                f"{self.place(spot.path)}: iterations: {len(items)} rounds, {most} at most",
                hint="filter the list, or raise limits.max_iterations",
                step_id=spot.path,
            )
        return items

    def arguments(
        self, spot: Spot, call: Call, tool: Tool, bound: Bound, key: str = ""
    ) -> dict[str, Any]:
        """Return the arguments of one call, coerced to the tool's input schema without loss.

        `key` is the call's key path in its step; empty for the step's own call.

        Raises:
            MissingValueError: an expression found nothing for a required argument.
            ArgumentInvalidError: they do not fit the schema; every fault is listed.

        """
        arguments = dict(call.arguments)
        for argument, source in call.input_mapping.items():
            where = f"{key}input_mapping.{argument}"
            value = self._value(spot, where, source, bound)
            if value is not MISSING:
                arguments[argument] = value
                continue
            required = tool.input_schema.get("required")
            if isinstance(required, list) and argument in required:
                what = "a required argument gets no value"
                raise self._missing(spot, where, source, bound, what)
        return self.fitting(spot.path, tool, arguments)

    def fitting(self, path: str, tool: Tool, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return arguments as a tool's input schema wants them.

        Raises:
            ArgumentInvalidError: they do not fit the schema; every fault is listed.

        """
        if fits_plainly(arguments, tool.input_schema):
            return arguments
        arguments = coerce_arguments(arguments, tool.input_schema)
        if faults := schema_faults(arguments, tool.input_schema):
            raise ArgumentInvalidError(
                f"{self.place(path)}: the arguments do not fit {tool.full_name}: "
                + "; ".join(map(str, faults[:FAULTS_IN_MESSAGE])),
                hint=f"its schema: podium tools {tool.full_name} --json",
                faults=faults,
                step_id=path,
            )
        return arguments

    def mapped_fields(self, spot: Spot, result: Any) -> dict[str, Any]:
        """Return the names that `output_mapping` takes from a result; absent ones are left out."""
        fields: dict[str, Any] = {}
        for source, name in spot.planned.step.output_mapping.items():
            try:
                value = self._field(source, result)
            except PodiumError as error:
                key = f"output_mapping.{name}"
                raise self._explained(error, key, source, spot.path) from None
            if value is not MISSING:
                fields[name] = value
        return fields

    def mapped_lists(self, spot: Spot, results: Sequence[Any]) -> dict[str, Any]:
        """Return the same of a list of results; one without the field leaves a null in its place.

        Positions stay in step with the list.
        """
        names = spot.planned.step.output_mapping.values()
        if not names:
            return {}
        each = [self.mapped_fields(spot, result) for result in results]
        return {name: [fields.get(name) for fields in each] for name in names}

    def _field(self, source: str, result: Any) -> Any:
        """Return what an expression over a result finds; the result is its whole scope."""
        if isinstance(result, dict):
            return self._evaluator.evaluate(source, result)
        found = self._evaluator.apply(parse(source), result)
        return MISSING if found is None else found

    def output(self, scope: Scope, fields: Fields, results: dict[str, Any]) -> Any:
        """Return the composition's evaluated output; without one, the results it is given.

        Raises:
            OutputInvalidError: it does not fit the composition's `output_schema`.

        """
        composition = self._composition
        if composition.output is None:
            value: Any = results
        elif isinstance(composition.output, str):
            found = self._output(scope, fields, "output", composition.output)
            value = None if found is MISSING else found
        else:
            each = {
                name: self._output(scope, fields, f"output.{name}", source)
                for name, source in composition.output.items()
            }
            value = {name: found for name, found in each.items() if found is not MISSING}
        if composition.output_schema is None:
            return value
        if faults := schema_faults(value, composition.output_schema, root="output"):
            raise OutputInvalidError(
                f"{self.place()}: the output does not fit its output_schema: "
                + "; ".join(map(str, faults[:FAULTS_IN_MESSAGE])),
                faults=faults,
            )
        return value

    def _output(self, scope: Scope, fields: Fields, key: str, source: str) -> Any:
        try:
            return self._evaluated(parse(source), scope, fields, {})
        except PodiumError as error:
            raise self._explained(error, key, source, "") from None

    def _value(self, spot: Spot, key: str, source: str, bound: Bound) -> Any:
        step = spot.planned.step
        evaluated = source
        if bound is not spot.bound and isinstance(step, Iterating) and step.iterations is not None:
            evaluated = _by_element(source, step.iterations)
        try:
            expression = parse(evaluated, iterating="i" in bound)
            return self._evaluated(expression, spot.scope, spot.planned.field_sources, bound)
        except PodiumError as error:
            raise self._explained(error, key, source, spot.path) from None

    def _evaluated(self, expression: Expression, scope: Scope, fields: Fields, bound: Bound) -> Any:
        values = scope.for_expression(expression, fields, bound)
        if expression.blocks_of:
            return self._evaluator.evaluate(
                expression, values, variables=bound, blocks=scope.blocks()
            )
        return self._evaluator.evaluate(expression, values, variables=bound)

    def _explained(self, error: PodiumError, key: str, source: str, path: str) -> PodiumError:
        # An expression's own errors show its text, and the position where that is known.
        is_shown = isinstance(error, ExpressionError)
        shown = "" if is_shown else f": `{shortened(source, EXPRESSION_CHARACTERS)}`"
        return error.located(f"{self.place(path)}, {key}{shown}", step_id=path)

    def _missing(self, spot: Spot, key: str, source: str, bound: Bound, what: str) -> PodiumError:
        expression = parse(source, iterating="i" in bound)
        values = spot.scope.for_expression(expression, spot.planned.field_sources, bound)
        error = MissingValueError(
            f"{what}: {explain_missing(expression, values)}",
            hint="look at what the steps before it returned: podium executions",
        )
        return self._explained(error, key, source, spot.path)


@functools.lru_cache(maxsize=REWRITTEN)
def _by_element(source: str, iterations: str) -> str:
    """Write `list.files[i]` as `$item` where the step iterates over `list.files`.

    It is the same value, but the engine is given one element and not the whole list each round.
    """
    if "[i]" not in source:
        return source
    element = rf"(?<![\w.$'\"]){re.escape(iterations.strip())}\[i\]"
    return re.sub(element, "$item", source)
