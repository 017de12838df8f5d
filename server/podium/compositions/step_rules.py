"""Rules for steps by their kind: options that contradict each other, or can never matter."""

from collections.abc import Callable, Iterator

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from podium.compositions.facts import Facts, Issue, error, warning
from podium.compositions.places import Body, Keys, Place
from podium.domain import errors
from podium.domain.composition import (
    AskStep,
    Call,
    CompositionStep,
    Iterating,
    ParallelStep,
    RepeatStep,
    ToolStep,
    TryStep,
)
from podium.domain.naming import did_you_mean
from podium.domain.tool import Tool

CODES = frozenset(
    kind.code
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.PodiumError)
)
"""The codes that an error can have."""


def step_issues(place: Place, facts: Facts) -> Iterator[Issue]:
    """Yield what the rules find about one step, whatever is inside it."""
    step, keys = place.step, place.keys
    if isinstance(step, ToolStep):
        for rule in _TOOL_RULES:
            yield from rule(step, keys, facts)
    elif isinstance(step, CompositionStep):
        yield from _twice_given(step, keys, facts)
    elif isinstance(step, ParallelStep):
        yield from _join(step, keys)
    elif isinstance(step, TryStep):
        yield from _catches(step, keys)
    elif isinstance(step, AskStep):
        yield from _question(step, keys)
    if isinstance(step, Iterating):
        yield from _without_iterations(step, keys)
    yield from _times(place, facts)


def body_issues(body: Body) -> Iterator[Issue]:
    """Yield what is wrong with steps side by side."""
    primary = [p for p in body.places() if isinstance(p.step, ToolStep) and p.step.primary]
    for place in primary[1:]:
        message = f"'{primary[0].step.id}' is `primary` too; only one step can be the first"
        yield warning(message, (*place.keys, "primary"), 'for the others: "priority": "high"')


def schema_issues(schema: object, keys: Keys) -> Iterator[Issue]:
    """Yield what keeps a value from being a JSON Schema."""
    if schema is None:
        return
    try:
        Draft202012Validator.check_schema(schema)  # type: ignore[arg-type] # anything at all
    except SchemaError as fault:
        yield error(f"is no JSON Schema: {fault.message}", (*keys, *fault.path))


# --- calls


def _calls(step: ToolStep | CompositionStep) -> Iterator[tuple[Keys, Call | CompositionStep]]:
    yield (), step
    if isinstance(step, ToolStep):
        for number, other in enumerate(step.alternatives):
            yield ("alternatives", number), other
        if step.undo is not None:
            yield ("undo",), step.undo


def _twice_given(step: ToolStep | CompositionStep, keys: Keys, _: Facts) -> Iterator[Issue]:
    for inner, call in _calls(step):
        for argument in sorted(call.input_mapping.keys() & call.arguments.keys()):
            where = (*keys, *inner, "input_mapping", argument)
            yield error(f"'{argument}' stands in arguments too", where)


def _alternatives(step: ToolStep, keys: Keys, _: Facts) -> Iterator[Issue]:
    seen: list[Call] = [_bare(step)]
    for number, other in enumerate(step.alternatives):
        call = _bare(other)
        if call in seen:
            message = "this is the same call again, not another way"
            hint = "to call again what failed, use `retry`"
            yield warning(message, (*keys, "alternatives", number), hint)
        seen.append(call)


def _bare(call: Call) -> Call:
    return Call(
        server_id=call.server_id,
        tool_id=call.tool_id,
        input_mapping=call.input_mapping,
        arguments=call.arguments,
    )


def _cache(step: ToolStep, keys: Keys, facts: Facts) -> Iterator[Issue]:
    if not step.cache:
        return
    effects, keys = facts.effects(step), (*keys, "cache")
    if effects in ("write", "destructive"):
        message = f"only reads can be cached; this step is '{effects}'"
        yield error(message, keys, "a cached write would not be done at all")
    elif facts.is_unsaid(step):
        yield warning("nothing says that this only reads, so it is never cached", keys, _SAY_READ)


_SAY_READ = 'say it, if it is so: "effects": "read"'


def _retry(step: ToolStep, keys: Keys, facts: Facts) -> Iterator[Issue]:
    if step.retry is None:
        return
    keys = (*keys, "retry")
    yield from _codes(step.retry.codes, (*keys, "codes"))
    effects = facts.effects(step)
    if step.retry.writes and effects == "destructive":
        message = "a destructive call may be made twice"
        yield warning(message, (*keys, "writes"), "is that harmless? else leave it out")
    if step.retry.first_seconds > step.retry.longest_seconds:
        message = "is longer than the longest wait, so every wait is cut to that"
        yield warning(message, (*keys, "first_seconds"))
    tool = facts.tool(step)
    is_harmless = isinstance(tool, Tool) and tool.is_idempotent
    if facts.is_unsaid(step) and not is_harmless and not step.retry.writes:
        message = "nothing says that this only reads, so it is hardly ever made again"
        yield warning(message, keys, _SAY_READ)


def _codes(codes: tuple[str, ...], keys: Keys) -> Iterator[Issue]:
    for number, code in enumerate(codes):
        if code not in CODES:
            message = f"there is no error code '{code}'"
            yield error(message, (*keys, number), did_you_mean(code, CODES))


def _undo(step: ToolStep, keys: Keys, facts: Facts) -> Iterator[Issue]:
    # One that plays this composition may say it: then what happens inside is taken back too.
    if step.undo is not None and not facts.composition.undo and not facts.is_played_by_another():
        message = "is never played: the composition does not say `undo: true`"
        yield warning(message, (*keys, "undo"))


def undo_issues(facts: Facts) -> Iterator[Issue]:
    """Yield a promise to undo where there is nothing that could be."""
    steps = [place.step for place in facts.places]
    if facts.composition.undo and not any(
        isinstance(step, CompositionStep) or (isinstance(step, ToolStep) and step.undo)
        for step in steps
    ):
        yield warning("no step has an `undo`", ("undo",))


# --- rounds and times


def _without_iterations(step: Iterating, keys: Keys) -> Iterator[Issue]:
    if step.iterations is not None:
        return
    given = {
        "as": step.as_ is not None,
        "concurrency": step.concurrency is not None,
        "tolerated_failures": step.tolerated_failures != 0,
    }
    for key in (key for key, is_given in given.items() if is_given):
        yield error(f"'{key}' needs 'iterations'", (*keys, key))


def _times(place: Place, facts: Facts) -> Iterator[Issue]:
    """Yield times that are longer than the time of what is around them."""
    around = [
        (block.timeout_seconds, f"block '{block.id}'")
        for block in place.around
        if block.timeout_seconds is not None
    ]
    if facts.composition.timeout_seconds is not None:
        around.append((facts.composition.timeout_seconds, "the composition"))
    own = place.step.timeout_seconds
    if own is not None and around and own > (least := min(around))[0]:
        message = f"is longer than {least[1]} has: {least[0]:g} s"
        yield warning(message, (*place.keys, "timeout_seconds"))
    if own is not None:
        around.append((own, "the step"))
    if around:
        yield from _inner_times(place, *min(around))


def _inner_times(place: Place, seconds: float, whose: str) -> Iterator[Issue]:
    step = place.step
    if isinstance(step, ToolStep):
        attempt = step.attempt_timeout_seconds
        if attempt is not None and attempt > seconds:
            message = f"is longer than {whose} has: {seconds:g} s"
            yield warning(message, (*place.keys, "attempt_timeout_seconds"))
    if isinstance(step, RepeatStep) and (step.max - 1) * step.interval_seconds > seconds:
        waits = (step.max - 1) * step.interval_seconds
        message = f"the waits of {step.max} rounds take {waits:g} s; {whose} has {seconds:g} s"
        yield warning(message, (*place.keys, "max"), "fewer rounds, shorter waits or more time")


# --- blocks and questions


def _join(step: ParallelStep, keys: Keys) -> Iterator[Issue]:
    join, branches = step.join, len(step.parallel)
    if isinstance(join, int) and join > branches:
        message = f"waits for {join} of {branches} branches"
        yield error(message, (*keys, "join"), '"all", or a number of them at most')


def _catches(step: TryStep, keys: Keys) -> Iterator[Issue]:
    if not step.catch and not step.finally_:
        hint = "without them it is a step with `steps`"
        yield warning("has neither `catch` nor `finally`", (*keys, "try"), hint)
    if "finally_" in step.model_fields_set and not step.finally_:
        yield warning("holds no steps", (*keys, "finally"), "leave it out")
    caught: set[str] = set()
    is_everything_caught = False
    for number, catch in enumerate(step.catch):
        here = (*keys, "catch", number)
        yield from _codes(catch.codes, (*here, "codes"))
        if is_everything_caught or (catch.codes and caught.issuperset(catch.codes)):
            message = "is never played: one before it catches the same"
            yield warning(message, here, "what names codes goes before what catches any")
        elif not catch.steps:
            message = "holds no steps: the error is dropped and the result is empty"
            yield warning(message, here, '"on_error": "continue" on the step says so more shortly')
        caught.update(catch.codes)
        is_everything_caught = is_everything_caught or not catch.codes


def _question(step: AskStep, keys: Keys) -> Iterator[Issue]:
    yield from schema_issues(step.answer_schema, (*keys, "answer_schema"))
    if step.options is not None and step.kind != "choice":
        hint = 'say "kind": "choice"'
        yield error("'options' are for a choice only", (*keys, "options"), hint)
    if step.kind == "choice" and step.options is None and not _lists_answers(step):
        hint = "an expression that yields the possible answers"
        yield error("a choice needs 'options'", (*keys, "kind"), hint)


def _lists_answers(step: AskStep) -> bool:
    return bool(step.answer_schema and {"enum", "oneOf", "anyOf"} & step.answer_schema.keys())


_TOOL_RULES: tuple[Callable[[ToolStep, Keys, Facts], Iterator[Issue]], ...] = (
    _twice_given,
    _alternatives,
    _cache,
    _retry,
    _undo,
)
