"""Binds expressions to values: a step's arguments, its rounds, its mapped fields, the output."""

import re
from collections.abc import Mapping
from typing import Any

from podium.domain.composition import Plan, PlannedStep, ToolStep
from podium.domain.errors import (
    ArgumentInvalidError,
    ExpressionError,
    LimitExceededError,
    MissingValueError,
    OutputInvalidError,
    PodiumError,
)
from podium.domain.tool import Tool
from podium.execution.scope import Scope, explain_missing, is_true
from podium.mapping.coercion import coerce_arguments, schema_faults
from podium.mapping.expressions import MISSING, Evaluator, parse
from podium.text.clean import shortened

EXPRESSION_CHARACTERS = 200  # of an expression that an error shows
FAULTS_IN_MESSAGE = 3  # an error's message names these; `faults` has them all


class Binder:
    """Evaluates the expressions of one plan over the scope of one execution.

    Errors name composition, step, key and expression, and the position where it is known.
    """

    def __init__(self, plan: Plan, scope: Scope, evaluator: Evaluator) -> None:
        self._plan = plan
        self._scope = scope
        self._evaluator = evaluator

    def place(self, step_id: str = "") -> str:
        """Return how errors name a step of this composition."""
        place = f"composition '{self._plan.composition.id}'"
        return f"{place}, step '{step_id}'" if step_id else place

    def is_wanted(self, planned: PlannedStep) -> bool:
        """Return whether a step's `when` holds; true without one."""
        if planned.step.when is None:
            return True
        value = self._evaluate(planned, "when", planned.step.when, {})
        return value is not MISSING and is_true(value)

    def items(self, planned: PlannedStep, most: int) -> list[Any]:
        """Return the elements that a step iterates over: none if nothing is found, one if no list.

        Raises:
            LimitExceededError: there are more than `most`.

        """
        value = self._evaluate(planned, "iterations", planned.step.iterations or "", {})
        if value is MISSING or value is None:
            return []
        items = value if isinstance(value, list) else [value]
        if len(items) > most:
            raise LimitExceededError(
                f"{self.place(planned.step.id)}: iterations: {len(items)} rounds, {most} at most",
                hint="filter the list, or raise limits.max_iterations",
                step_id=planned.step.id,
            )
        return items

    def arguments(
        self, planned: PlannedStep, tool: Tool, bound: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the arguments of one call, coerced to the tool's input schema without loss.

        Raises:
            MissingValueError: an expression found nothing for a required argument.
            ArgumentInvalidError: they do not fit the schema; every fault is listed.

        """
        step = planned.step
        required = tool.input_schema.get("required")
        arguments = dict(step.arguments)
        for argument, source in step.input_mapping.items():
            key = f"input_mapping.{argument}"
            value = self._evaluate(planned, key, source, bound)
            if value is not MISSING:
                arguments[argument] = value
            elif isinstance(required, list) and argument in required:
                raise self._missing(planned, key, source, bound)
        arguments = coerce_arguments(arguments, tool.input_schema)
        if faults := schema_faults(arguments, tool.input_schema):
            raise ArgumentInvalidError(
                f"{self.place(step.id)}: the arguments do not fit {tool.full_name}: "
                + "; ".join(map(str, faults[:FAULTS_IN_MESSAGE])),
                hint=f"its schema: podium tools {tool.full_name} --json",
                faults=faults,
                step_id=step.id,
            )
        return arguments

    def mapped_fields(self, planned: PlannedStep, result: Any) -> dict[str, Any]:
        """Return the names that `output_mapping` takes from a result; absent ones are left out."""
        fields = {}
        for source, name in planned.step.output_mapping.items():
            try:
                value = self._field(source, result)
            except PodiumError as error:
                key = f"output_mapping.{name}"
                raise self._explained(error, key, source, planned.step.id) from None
            if value is not MISSING:
                fields[name] = value
        return fields

    def _field(self, source: str, result: Any) -> Any:
        """Return what an expression over a result finds; the result is its whole scope."""
        if isinstance(result, dict):
            return self._evaluator.evaluate(source, result)
        found = self._evaluator.apply(parse(source), result)
        return MISSING if found is None else found

    def output(self) -> Any:
        """Return the evaluated output; without one, each step's result under its id.

        Raises:
            OutputInvalidError: it does not fit the composition's `output_schema`.

        """
        composition = self._plan.composition
        if composition.output is None:
            value: Any = self.results()
        elif isinstance(composition.output, str):
            found = self._evaluate_output("output", composition.output)
            value = None if found is MISSING else found
        else:
            each = {
                name: self._evaluate_output(f"output.{name}", source)
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

    def results(self) -> dict[str, Any]:
        """Return the results of the finished steps, in file order."""
        results = self._scope.results
        ids = (planned.step.id for planned in self._plan.steps)
        return {step_id: results[step_id] for step_id in ids if step_id in results}

    def _evaluate(
        self, planned: PlannedStep, key: str, source: str, bound: Mapping[str, Any]
    ) -> Any:
        evaluated = _by_element(source, planned.step) if bound else source
        try:
            return self._value(evaluated, planned.field_sources, bound)
        except PodiumError as error:
            raise self._explained(error, key, source, planned.step.id) from None

    def _evaluate_output(self, key: str, source: str) -> Any:
        try:
            return self._value(source, self._plan.output_field_sources, {})
        except PodiumError as error:
            raise self._explained(error, key, source, "") from None

    def _value(
        self, source: str, fields: Mapping[str, tuple[str, ...]], bound: Mapping[str, Any]
    ) -> Any:
        expression = parse(source, iterating=bool(bound))
        values = self._scope.for_expression(expression, fields, bound)
        return self._evaluator.evaluate(
            expression, values, variables=bound, blocks=self._scope.blocks
        )

    def _explained(self, error: PodiumError, key: str, source: str, step_id: str) -> PodiumError:
        # An expression's own errors show its text, and the position where that is known.
        is_shown = isinstance(error, ExpressionError)
        shown = "" if is_shown else f": `{shortened(source, EXPRESSION_CHARACTERS)}`"
        return error.located(f"{self.place(step_id)}, {key}{shown}", step_id=step_id)

    def _missing(
        self, planned: PlannedStep, key: str, source: str, bound: Mapping[str, Any]
    ) -> PodiumError:
        expression = parse(source, iterating=bool(bound))
        values = self._scope.for_expression(expression, planned.field_sources, bound)
        error = MissingValueError(
            f"a required argument gets no value: {explain_missing(expression, values)}",
            hint="look at what the steps before it returned: podium executions",
        )
        return self._explained(error, key, source, planned.step.id)


def _by_element(source: str, step: ToolStep) -> str:
    """Write `list.files[i]` as `$item` where the step iterates over `list.files`.

    It is the same value, but the engine is given one element and not the whole list each round.
    """
    if step.iterations is None or "[i]" not in source:
        return source
    element = rf"(?<![\w.$'\"]){re.escape(step.iterations.strip())}\[i\]"
    return re.sub(element, "$item", source)
