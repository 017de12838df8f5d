"""A composition played over recorded results: the calls it makes beside those observed.

Expressions are evaluated by the real engine. Names are found as an execution finds them (DESIGN
5.3); every name of a learnt composition is a step, a param or an iteration variable, so that the
fields of earlier results are never searched.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from podium.domain.errors import PodiumError
from podium.mapping.coercion import coerce_arguments
from podium.mapping.expressions import MISSING, Evaluator, parse
from podium.monitor.traces.hypotheses import as_list
from podium.monitor.traces.values import canonical


@dataclass(frozen=True, slots=True)
class Mismatch:
    """What the replay gives another value for; `expression` is "" where it is no expression's."""

    step_id: str
    argument: str
    expression: str
    message: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """The calls of one step in one trace: arguments and results, in the order of the rounds."""

    arguments: tuple[dict[str, Any], ...]
    values: tuple[Any, ...]
    input_schema: Mapping[str, Any] | None = None


def replayed(
    composition: Mapping[str, Any],
    params: Mapping[str, Any],
    recorded: Mapping[str, Recorded],
    evaluator: Evaluator,
) -> Mismatch | None:
    """Return the first difference between what a composition calls and what was recorded.

    `recorded` holds the calls by step id.
    """
    scope: dict[str, Any] = {**_defaults(composition), **params}
    for step in composition["steps"]:
        calls = recorded[step["id"]]
        mismatch = _step_differs(step, calls, scope | _results(composition, recorded), evaluator)
        if mismatch is not None:
            return mismatch
    return None


def _defaults(composition: Mapping[str, Any]) -> dict[str, Any]:
    properties = (composition.get("input_schema") or {}).get("properties") or {}
    return {name: part["default"] for name, part in properties.items() if "default" in part}


def _results(composition: Mapping[str, Any], recorded: Mapping[str, Recorded]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for step in composition["steps"]:
        values = list(recorded[step["id"]].values)
        if "iterations" in step:
            found[step["id"]] = values
        elif values:
            found[step["id"]] = values[0]
    return found


def _step_differs(
    step: Mapping[str, Any], calls: Recorded, scope: Mapping[str, Any], evaluator: Evaluator
) -> Mismatch | None:
    rounds: Sequence[Mapping[str, Any]] = [{}]
    if (array := step.get("iterations")) is not None:
        items = as_list(_evaluated(array, scope, {}, evaluator))
        rounds = [{"item": item, "index": n, "i": n} for n, item in enumerate(items)]
    if len(rounds) != len(calls.arguments):
        return Mismatch(
            step["id"], "", array or "", f"{len(rounds)} calls, {len(calls.arguments)} observed"
        )
    for bound, observed in zip(rounds, calls.arguments, strict=True):
        arguments = dict(step.get("arguments", {}))
        for name, source in step.get("input_mapping", {}).items():
            value = _evaluated(source, {**scope, **bound}, bound, evaluator)
            if value is not MISSING:
                arguments[name] = value
        if (
            mismatch := _arguments_differ(step, arguments, observed, calls.input_schema)
        ) is not None:
            return mismatch
    return None


def _evaluated(
    source: str, scope: Mapping[str, Any], bound: Mapping[str, Any], evaluator: Evaluator
) -> Any:
    try:
        expression = parse(source, iterating=bool(bound))
        names = expression.names if not expression.whole_scope else scope.keys()
        values = {name: scope[name] for name in names if name in scope}
        return evaluator.evaluate(expression, values, variables=bound)
    except PodiumError:
        return MISSING


def _arguments_differ(
    step: Mapping[str, Any],
    arguments: dict[str, Any],
    observed: dict[str, Any],
    schema: Mapping[str, Any] | None,
) -> Mismatch | None:
    if canonical(arguments) == canonical(observed):
        return None
    made = coerce_arguments(arguments, dict(schema)) if schema else arguments
    wanted = coerce_arguments(observed, dict(schema)) if schema else observed
    for name in dict.fromkeys([*wanted, *made]):
        one, two = made.get(name, MISSING), wanted.get(name, MISSING)
        if (one is MISSING) != (two is MISSING) or (
            one is not MISSING and canonical(one) != canonical(two)
        ):
            source = step.get("input_mapping", {}).get(name, "")
            return Mismatch(step["id"], name, source, "it gives another value than was observed")
    return None
