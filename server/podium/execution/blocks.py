"""Plays one step of each kind: a table from the kind to what plays it."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio

from podium.domain.composition import (
    STEP_KINDS,
    AskStep,
    CompositionStep,
    GroupStep,
    OutputMap,
    ParallelStep,
    PlannedStep,
    RepeatStep,
    Step,
    StepBase,
    SwitchStep,
    ToolStep,
    TransformStep,
    TryStep,
    all_steps,
)
from podium.domain.errors import (
    CompositionInvalidError,
    ExecutionTimeoutError,
    LimitExceededError,
    PodiumError,
)
from podium.execution.asking import play_ask
from podium.execution.binding import Binder, Spot
from podium.execution.deadlines import TimeLimit
from podium.execution.iteration import iterate, play_tool
from podium.execution.joins import Join, join_of
from podium.execution.pool import Pool
from podium.execution.scope import Bound, Given, Scope
from podium.execution.session import Inside, Part, Result, Site
from podium.execution.stops import Stop, StoppedError, SuspendedError
from podium.execution.undo import take_back

PlayKind = Callable[[Site, Any], Awaitable[Result]]

_INDEXES = re.compile(r"\[\d+\]")


async def play_kind(site: Site) -> Result:
    """Play a step, whatever kind it is.

    Raises:
        PodiumError: it failed.
        SuspendedError: a person has to answer first.
        StoppedError: it was told to stop.

    """
    step = site.spot.planned.step
    return await PLAYERS[type(step)](site, step)


# --- bodies of blocks


async def _play_body(
    site: Site,
    key: str,
    stop: Stop,
    *,
    around: Scope | None = None,
    bound: Bound | None = None,
    join: Join | None = None,
    round_key: str = "",
) -> Scope:
    """Play one list of steps of a block; return the scope with their results."""
    steps = _steps(site, key)
    inside = site.frame(steps, stop=stop, scope=around, bound=bound, key=round_key)
    await site.session.play_frame(inside, steps, join)
    return inside.scope


def _steps(site: Site, key: str) -> tuple[PlannedStep, ...]:
    frame = site.spot.planned.frames.get(key)
    return frame.steps if frame is not None else ()


def _result(
    site: Site, output: OutputMap | None, scope: Scope, steps: tuple[PlannedStep, ...], bound: Bound
) -> Any:
    """Return the result of a block: its output, else each step's result under its id."""
    if output is not None:
        spot = Spot(site.path, site.spot.planned, scope, bound)
        return site.binder.built(spot, "output", output)
    results = scope.results
    return {p.step.id: results[p.step.id] for p in steps if p.step.id in results}


async def _play_group(site: Site, step: GroupStep) -> Result:
    async def play_round(number: int, bound: Bound, stop: Stop) -> Result:
        key = f"[{number}]"
        scope = await _play_body(site, "steps", stop, bound=bound, round_key=key)
        return Result(_result(site, step.output, scope, _steps(site, "steps"), bound))

    if step.iterations is not None:
        return await iterate(site, play_round)
    scope = await _play_body(site, "steps", site.stop)
    return Result(_result(site, step.output, scope, _steps(site, "steps"), site.spot.bound))


async def _play_switch(site: Site, step: SwitchStep) -> Result:
    if site.memory.choice is None:
        site.memory.choice = _case(site, step)
    key = site.memory.choice
    scope = await _play_body(site, key, site.stop)
    return Result(_result(site, step.output, scope, _steps(site, key), site.spot.bound))


def _case(site: Site, step: SwitchStep) -> str:
    """Return the key of the body that is played."""
    for number, case in enumerate(step.switch):
        if site.binder.holds(site.spot, f"switch[{number}].when", case.when):
            return f"switch[{number}].steps"
    return "default"


async def _play_parallel(site: Site, step: ParallelStep) -> Result:
    branches = _steps(site, "parallel")
    join = join_of(step.join, len(branches))
    scope = await _play_body(site, "parallel", site.stop, join=join)
    return Result(_result(site, step.output, scope, branches, site.spot.bound))


async def _play_repeat(site: Site, step: RepeatStep) -> Result:
    begun = site.memory.choice or {"rounds": 0}
    previous: dict[str, Any] = {k: begun[k] for k in ("previous",) if k in begun}
    for number in range(begun["rounds"], step.max):
        if site.stop.is_stopping:
            raise StoppedError
        if number and step.interval_seconds:
            await _pause(site, step.interval_seconds)
        # The bare names and the `$` variables alike, as in iterations.
        bound = {**site.spot.bound, "index": number, "i": number, **previous}
        if number == 0:
            bound.pop("previous", None)
        key = f"[{number}]"
        scope = await _play_body(site, "repeat", site.stop, bound=bound, round_key=key)
        value = _result(site, step.output, scope, _steps(site, "repeat"), bound)
        spot = Spot(site.path, site.spot.planned, scope, bound)
        if site.binder.holds(spot, "until", step.until):
            return Result(value)
        previous = {"previous": value}
        site.memory.choice = {"rounds": number + 1, **previous}
        if not site.part.keeps_undo:
            site.memory.drop(key)
    raise LimitExceededError(
        f"{site.place}: `{step.until}` does not hold after {step.max} rounds",
        hint="raise its `max` or `interval_seconds`, or see what its rounds return",
        step_id=site.path,
    )


async def _pause(site: Site, seconds: float) -> None:
    """Wait, unless it is told to stop."""
    stop = Stop(site.stop)
    try:
        with anyio.CancelScope() as scope:
            stop.then(scope.cancel)
            await site.session.outside.clock.sleep(seconds)
    finally:
        stop.close()
    if stop.is_stopping:
        raise StoppedError


async def _play_try(site: Site, step: TryStep) -> Result:
    tried = _steps(site, "try")
    scope = site.spot.scope.inside(site.part.names(tried))
    try:
        played, key, bound = await _tried(site, step, scope)
    except (StoppedError, SuspendedError):
        raise
    except PodiumError:
        await _play_finally(site, scope)
        raise
    value = _result(site, step.output, played, _steps(site, key), bound)
    await _play_finally(site, scope)
    return Result(value)


async def _tried(site: Site, step: TryStep, scope: Scope) -> tuple[Scope, str, Bound]:
    """Play the steps, and those of the `catch` that names their error; return what was played."""
    bound = site.spot.bound
    inside = site.frame(_steps(site, "try"), stop=site.stop)
    inside.scope = scope
    caught = site.memory.choice
    if caught is None:
        try:
            await site.session.play_frame(inside, _steps(site, "try"), None)
        except PodiumError as error:
            number = _catching(step, error)
            if number is None:
                raise
            caught = site.memory.choice = {"catch": number, "error": _caught(error)}
        else:
            return scope, "try", bound
    else:
        _recall(inside, _steps(site, "try"))
    for tried in _steps(site, "try"):
        site.settle(f"{site.path}.{tried.step.id}")
    key = f"catch[{caught['catch']}].steps"
    bound = {**bound, "error": caught["error"]}
    played = await _play_body(site, key, site.stop, around=scope, bound=bound)
    return played, key, bound


def _catching(step: TryStep, error: PodiumError) -> int | None:
    """Return the number of the first `catch` for an error."""
    for number, catch in enumerate(step.catch):
        if not catch.codes or error.code in catch.codes:
            return number
    return None


def _caught(error: PodiumError) -> dict[str, Any]:
    return {"code": error.code, "message": error.message, "step_id": error.step_id}


def _recall(inside: Inside, steps: tuple[PlannedStep, ...]) -> None:
    """Put the results of finished steps into a frame that is not played any more."""
    for planned in steps:
        known = inside.memory.known(planned.step.id)
        if known is not None and known.has_value and known.status != "skipped":
            inside.scope.add(planned.step.id, known.value, known.blocks, known.mapped)


async def _play_finally(site: Site, scope: Scope) -> None:
    if _steps(site, "finally"):
        await _play_body(site, "finally", site.stop, around=scope)


# --- other kinds


async def _play_transform(site: Site, step: TransformStep) -> Result:
    return Result(site.binder.built(site.spot, "transform", step.transform))


async def _play_composition(site: Site, step: CompositionStep) -> Result:
    async def play_round(number: int, bound: Bound, stop: Stop) -> Result:
        return await _play_part(site, step, bound, stop, f"[{number}]")

    if step.iterations is not None:
        return await iterate(site, play_round)
    return await _play_part(site, step, site.spot.bound, site.stop, "")


async def _play_part(
    site: Site, step: CompositionStep, bound: Bound, stop: Stop, key: str
) -> Result:
    """Play another composition with the params of the step."""
    spot = Spot(site.path, site.spot.planned, site.spot.scope, bound)
    mapped = site.binder.mapping(spot, "input_mapping", step.input_mapping)
    part, params = _part(site, step, {**step.arguments, **mapped}, f"{site.path}{key}")
    plan, composition = part.plan, part.plan.composition
    limit = TimeLimit(composition.timeout_seconds, site.limit)
    inside = Inside(
        session=site.session,
        part=part,
        prefix=f"{site.path}{key}.",
        scope=Scope(part.names(plan.steps), Given(params, site.session.context)),
        bound={},
        memory=site.memory.at(key) if key else site.memory,
        limit=limit,
        stop=stop,
        is_round=site.inside.is_round or bool(key),
        doubtful=site.doubtful,
    )
    try:
        with limit.scope:
            if composition.timeout_seconds is not None:
                limit.begin()
            await site.session.play_frame(inside, plan.steps, None)
        if limit.scope.cancelled_caught:
            raise ExecutionTimeoutError(
                f"{part.binder.place()}: took longer than {composition.timeout_seconds:g} s",
                hint="raise its timeout_seconds",
                step_id=site.path,
            )
        results = inside.scope.results
        named = {p.step.id: results[p.step.id] for p in plan.steps if p.step.id in results}
        return Result(part.binder.output(inside.scope, plan.output_field_sources, named))
    except PodiumError as error:
        if not composition.undo:
            raise
        seconds = composition.timeout_seconds or site.session.outside.settings.execution_seconds
        raise not_undone(error, await take_back(inside, seconds)) from None


def _part(
    site: Site, step: CompositionStep, given: dict[str, Any], path: str
) -> tuple[Part, dict[str, Any]]:
    """Return another composition, ready to be played, and its params.

    Raises:
        PodiumError: there is none, it cannot be played, or not with these params, or not so deep.

    """
    outside, settings = site.session.outside, site.session.outside.settings
    depth = site.part.depth + 1
    if depth > settings.max_depth:
        raise LimitExceededError(
            f"{site.place}: compositions are nested deeper than {settings.max_depth} levels",
            hint="does one play itself without end? orchestrator.max_depth is the bound",
            step_id=site.path,
        )
    if outside.plans is None:
        raise CompositionInvalidError(f"{site.place}: there are no other compositions to play")
    try:
        plan, params = outside.plans.plan(step.composition, given)
    except PodiumError as error:
        raise error.located(site.place, step_id=site.path) from None
    _count_steps(site, plan.composition.steps, path)
    return Part(
        plan,
        Binder(plan.composition, outside.evaluator),
        Pool(outside.width(plan.composition.strategy), around=site.part.pool),
        depth,
        site.part.keeps_undo or plan.composition.undo,
    ), params


def _count_steps(site: Site, steps: tuple[Step, ...], path: str) -> None:
    """Count the steps of a composition, once for all rounds that play it.

    Raises:
        LimitExceededError: they are too many, together with all that was played before.

    """
    counted = site.session.steps_by_part
    if not counted:
        counted[""] = sum(1 for _ in all_steps(site.session.own_steps))
    place = _INDEXES.sub("", path)
    if place in counted:
        return
    counted[place] = sum(1 for _ in all_steps(steps))
    together, most = sum(counted.values()), site.session.outside.settings.max_steps
    if together > most:
        raise LimitExceededError(
            f"{site.place}: with its steps there are {together}, {most} are allowed",
            hint="split the work, or raise orchestrator.max_steps_per_composition",
            step_id=site.path,
        )


def not_undone(error: PodiumError, paths: list[str]) -> PodiumError:
    """Return the error with a hint at what could not be taken back."""
    if not paths:
        return error
    error = error.located("")
    remains = f"what could not be undone remains: {', '.join(paths[:10])}"
    error.hint = f"{error.hint}; {remains}" if error.hint else remains
    return error


PLAYERS: Mapping[type[StepBase], PlayKind] = {
    ToolStep: play_tool,
    CompositionStep: _play_composition,
    TransformStep: _play_transform,
    AskStep: play_ask,
    SwitchStep: _play_switch,
    ParallelStep: _play_parallel,
    RepeatStep: _play_repeat,
    TryStep: _play_try,
    GroupStep: _play_group,
}

KIND_OF: Mapping[type[StepBase], str] = {model: key for key, model in STEP_KINDS.items()}
