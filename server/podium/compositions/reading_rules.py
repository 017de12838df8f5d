"""Rules for expressions: names, variables, functions and fields that nothing gives."""

import re
from collections.abc import Iterator

from podium.compositions.facts import (
    Facts,
    Issue,
    error,
    is_object,
    lists_in,
    warning,
)
from podium.compositions.graph import declared_params
from podium.compositions.places import Keys, Place, Reading, View, may_hold, output_readings
from podium.domain.composition import STEP_ID, BlockStep, Iterating, Step
from podium.domain.errors import ExpressionSyntaxError
from podium.domain.naming import did_you_mean
from podium.mapping.expressions import Expression, parse
from podium.mapping.syntax import JSONATA_FUNCTIONS


def syntax_issues(facts: Facts) -> Iterator[Issue]:
    """Yield the expressions that cannot be read."""
    for keys, source, iterating in _all_expressions(facts):
        try:
            parse(source, iterating=iterating)
        except ExpressionSyntaxError as fault:
            yield error(fault.message, keys, fault.hint)


def _all_expressions(facts: Facts) -> Iterator[tuple[Keys, str, bool]]:
    for place in facts.places:
        for reading in place.readings():
            yield reading.keys, reading.source, reading.view.is_iterating
        for source in place.step.output_mapping:
            yield (*place.keys, "output_mapping", source), source, False
    for reading in output_readings(facts.composition):
        yield reading.keys, reading.source, False


def reading_issues(
    reading: Reading, facts: Facts, blocks: frozenset[str] = frozenset()
) -> Iterator[Issue]:
    """Yield what an expression reads or calls that is not there; it stands in these blocks."""
    expression = parse(reading.source, iterating=reading.view.is_iterating)
    yield from function_issues(expression, reading.keys, facts)
    yield from _fields(expression, reading, facts)
    yield from _variables(expression, reading)
    yield from _names(expression, reading, facts, blocks)
    if reading.keys[-1] == "iterations" and expression.reference is not None:
        schema = facts.schema_at(expression.reference, reading.view)
        if is_object(schema):
            lists = " or ".join(f"`{reading.source}.{name}`" for name in lists_in(schema)[:3])
            hint = f"did you mean {lists}?" if lists else "iterate over a list"
            yield error(f"`{reading.source}`: is an object, not a list", reading.keys, hint)


def function_issues(expression: Expression, keys: Keys, facts: Facts) -> Iterator[Issue]:
    """Yield the functions that there are not."""
    if facts.functions is None:
        return
    for name in sorted(expression.functions - facts.functions):
        hint = did_you_mean(name, facts.functions)
        yield error(f"`{expression.source}`: there is no function ${name}", keys, hint)


def _fields(expression: Expression, reading: Reading, facts: Facts) -> Iterator[Issue]:
    """Yield what an expression reads of results that, by what is known, they do not have."""
    for name, field in sorted(expression.head_fields):
        step = reading.view.steps.get(name)
        if step is None or name in reading.view.bound:
            continue
        fields = facts.fields(step)
        if fields is not None and field not in fields:
            yield warning(
                f"`{expression.source}`: the result of '{name}' has no field '{field}'",
                reading.keys,
                did_you_mean(field, fields),
            )


_BOUND_WHERE = {
    "previous": "$previous is bound in a `repeat`",
    "error": "$error is bound in a `catch`",
}


def _variables(expression: Expression, reading: Reading) -> Iterator[Issue]:
    for name in sorted(expression.variables - reading.view.bound):
        yield error(
            f"`{expression.source}`: nothing binds ${name} here",
            reading.keys,
            _BOUND_WHERE.get(
                name,
                "$item, $index, $i and the name given by 'as' are bound in the rounds of a step "
                "with 'iterations'",
            ),
        )


# --- names


def _names(
    expression: Expression, reading: Reading, facts: Facts, blocks: frozenset[str]
) -> Iterator[Issue]:
    view = reading.view
    declared = declared_params(facts.composition)
    known = {*view.steps, *view.mapped, *view.bound, *declared, "context"}
    for name in sorted(expression.names - known - view.branches):
        if (hidden := facts.place_of.get(name) or facts.mapped_in.get(name)) is not None:
            yield _not_visible(name, hidden, expression, reading, blocks)
        elif facts.composition.input_schema is not None:
            yield from _unknown_name(name, expression, reading, facts, known)


def _unknown_name(
    name: str, expression: Expression, reading: Reading, facts: Facts, known: set[str]
) -> Iterator[Issue]:
    holders = [step for step in reading.view.earlier() if may_hold(step, name)]
    fields = [facts.fields(step) for step in holders]
    message = f"`{expression.source}`: nothing is called '{name}'"
    hint = did_you_mean(name, known)
    if any(names is not None and name in names for names in fields):
        return
    if any(names is None for names in fields):
        yield warning(f"{message}, unless an earlier result holds it", reading.keys, hint)
    else:
        yield error(message, reading.keys, hint)


def _not_visible(
    name: str,
    hidden: Place,
    expression: Expression,
    reading: Reading,
    blocks: frozenset[str],
) -> Issue:
    """Return the error for a name that exists, but inside a block that the place is not in."""
    is_step = hidden.step.id == name
    what = f"'{name}'" if is_step else f"'{name}', which step '{hidden.step.id}' maps,"
    around = f"is inside block '{hidden.around[-1].id}'" if hidden.around else "is not visible here"
    hint = _way_to(hidden, reading.view, blocks) if is_step else _OUTPUT_HINT
    return error(f"`{expression.source}`: {what} {around}", reading.keys, hint)


_OUTPUT_HINT = "give the block an `output` that holds it, and read that"


def _way_to(hidden: Place, view: View, blocks: frozenset[str]) -> str:
    """Return how a step in blocks is read from outside of them, where it can be."""
    for number, block in enumerate(hidden.around):
        if block.id in blocks:
            continue  # the reader is inside too, but in another part
        path = (*hidden.around[number:], hidden.step)
        if view.steps.get(block.id) is not block:
            break
        if any(isinstance(part, BlockStep) and part.output for part in path[:-1]):
            return _OUTPUT_HINT
        return f"read it as {'.'.join(part.id for part in path)}"
    return "only what is played together can be read: move it, or the reader"


# --- names that results are given


def mapped_issues(place: Place, facts: Facts) -> Iterator[Issue]:
    """Yield what is wrong with the names that a step maps its result to."""
    step = place.step
    own: set[str] = set()
    for source, name in step.output_mapping.items():
        keys: Keys = (*place.keys, "output_mapping", source)
        expression = parse(source)
        yield from function_issues(expression, keys, facts)
        for variable in sorted(expression.variables):
            yield error(f"`{source}`: nothing binds ${variable} here", keys)
        if re.fullmatch(STEP_ID, name) is None:
            yield error(f"'{name}' is no name: letters, digits and '_'", keys)
        elif name in facts.place_of:
            yield error(f"'{name}' is the id of a step", keys, "choose another name")
        elif name == "context":
            yield error("'context' has a meaning of its own", keys, "choose another name")
        elif name in own:
            yield error(f"this step maps to '{name}' too", keys)
        elif (first := facts.mapped_first[place.keys[:-1], name]) is not step:
            yield error(f"step '{first.id}' maps to '{name}' too", keys)
        elif name in declared_params(facts.composition):
            yield warning(f"'{name}' hides the param of that name", keys)
        own.add(name)
        yield from _mapped_field(expression, step, keys, facts)


def _mapped_field(expression: Expression, step: Step, keys: Keys, facts: Facts) -> Iterator[Issue]:
    """Yield the fields of the step's own result that it does not have."""
    if isinstance(step, Iterating) and step.iterations is not None:
        # Each round's result is looked at, so it is the tool's schema that counts.
        step = step.model_copy(update={"iterations": None})
    fields = facts.fields(step)
    for name in sorted(expression.names - fields) if fields is not None else ():
        hint = did_you_mean(name, fields or ())
        yield warning(f"the result has no field '{name}'", keys, hint)


def bound_issues(place: Place) -> Iterator[Issue]:
    """Yield ids that a variable of the rounds around hides."""
    step = place.step
    if step.id in place.view.bound:
        message = f"'{step.id}' means a variable of the rounds here, not this step"
        yield warning(message, (*place.keys, "id"), "choose another id")
    name = step.as_ if isinstance(step, Iterating) else None
    if name in JSONATA_FUNCTIONS:
        message = f"'${name}' is a function of JSONata"
        yield error(message, (*place.keys, "as"), "choose another name")
    elif name is not None and name in place.view.steps:
        yield warning(f"'{name}' hides the step of that name in the rounds", (*place.keys, "as"))
