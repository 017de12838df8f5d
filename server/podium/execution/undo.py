"""Takes finished steps back, last first, after a composition that says so has failed."""

import logging
from typing import Any

import anyio

from podium.domain.composition import PlannedStep, ToolStep
from podium.domain.errors import PodiumError
from podium.domain.execution import StepRecord
from podium.execution import policy
from podium.execution.binding import Spot
from podium.execution.deadlines import TimeLimit
from podium.execution.memory import Memory, segments
from podium.execution.scope import Bound, FrameNames
from podium.execution.session import Inside, Session, Site, is_inside
from podium.execution.step import Caller, internal_error
from podium.execution.stops import Stop

logger = logging.getLogger("podium.execution")

KEY = "undo"  # of the place in the memory, under the step's own


def note_undo(site: Site, path: str, key: str, bound: Bound, result: Any) -> None:
    """Keep what a finished call would be taken back with, if it may be: it is evaluated now.

    `key` is that of a round. Values never change once a step is done, so it is the same as later,
    and an execution that is played on after a restart has it still.
    """
    step = site.spot.planned.step
    if not isinstance(step, ToolStep) or step.undo is None or not site.part.keeps_undo:
        return
    own = FrameNames(frozenset({step.id}), frozenset())
    scope = site.spot.scope.inside(own)  # a round's own result hides that of the whole step
    scope.results[step.id] = result
    spot = Spot(path, site.spot.planned, scope, bound)
    kept: dict[str, Any] = {"server_id": step.undo.server_id, "tool_id": step.undo.tool_id}
    try:
        found = site.binder.mapping(spot, "undo.input_mapping", step.undo.input_mapping)
        kept["arguments"] = {**step.undo.arguments, **found}
    except PodiumError as error:  # what was done is done: its undo will say what is wrong
        kept["error"] = error.to_dict()
    site.session.undo_count += 1
    kept["number"] = site.session.undo_count
    memory = site.memory.at(key) if key else site.memory
    memory.at(KEY).choice = kept


async def take_back(inside: Inside, seconds: float) -> list[str]:
    """Undo what is done at or inside a place, the latest first; return what could not be undone.

    Nothing cancels it; it has so many seconds in all.
    """
    session = inside.session
    remaining: list[str] = []
    end = anyio.current_time() + seconds
    with anyio.CancelScope(shield=True):
        for path, memory in _latest_first(session, inside.prefix):
            if await _undone(inside, end - anyio.current_time(), path, memory):
                session.wrote.pop(path, None)
                _mark(session, path)
                _reopen(session, path)
            else:
                remaining.append(path)
    return remaining


def _latest_first(session: Session, prefix: str) -> list[tuple[str, Memory]]:
    """Return what can be undone, with the place of what would undo it."""
    found = []
    for path, choice in session.memory.choices().items():
        owner, _, last = path.rpartition(".")
        if last == KEY and isinstance(choice, dict) and owner.startswith(prefix):
            found.append((choice.get("number", 0), owner, session.memory.place(path)))
    return [(owner, memory) for _, owner, memory in sorted(found, key=lambda f: -f[0])]


async def _undone(inside: Inside, seconds: float, path: str, memory: Memory) -> bool:
    """Play one undo, with a record of its own; return whether it is done."""
    session, kept = inside.session, memory.choice
    limit = TimeLimit(max(seconds, 0.0))
    record = StepRecord(f"{path}.{KEY}", kept["server_id"], kept["tool_id"], kind=KEY)
    record.started_at = session.outside.clock.now()
    if not any(key.startswith("[") for key in segments(path)):
        session.execution.steps[record.step_id] = record
    site = _site(inside, limit, record, memory)
    await session.reporter.step("step_started", record)
    if "error" in kept:
        record.error, record.status = kept["error"], "failed"
    else:
        with limit.scope:
            limit.begin()
            await _play(site, kept["arguments"])
    if record.status == "running":
        record.status = "in_doubt" if site.is_in_doubt else "cancelled"
    now = session.outside.clock.monotonic()
    record.duration_ms = round(1000 * (now - (site.began or now)), 3)
    await session.outside.recorder.step(session.execution.id, record)
    await session.reporter.step("step_finished", record)
    if record.status == "done":
        memory.choice = None
        memory.forget()
    return record.status == "done"


async def _play(site: Site, arguments: dict[str, Any]) -> None:
    record = site.record
    step = ToolStep(id=KEY, server_id=record.server_id, tool_id=record.tool_id, arguments=arguments)
    rule = policy.retry_rule(None, site.session.outside.settings.max_retries)
    try:
        result = await Caller(site, step, rule, "high").call(record, {})
        record.status, record.output = "done", result.value()
    except PodiumError as error:
        record.error = error.to_dict()
        record.status = "in_doubt" if site.is_in_doubt else "failed"
    except Exception as error:
        # As round one step.
        logger.exception("undo failed unexpectedly", extra={"step": record.step_id})
        record.error = internal_error(error).to_dict()
        record.status = "in_doubt" if site.is_in_doubt else "failed"


def _site(inside: Inside, limit: TimeLimit, record: StepRecord, memory: Memory) -> Site:
    step = ToolStep(id=KEY, server_id=record.server_id, tool_id=record.tool_id)
    planned = PlannedStep(step, frozenset(), {})
    spot = Spot(record.step_id, planned, inside.scope, {})
    return Site(inside, spot, record, memory, limit, Stop())


def _reopen(session: Session, path: str) -> None:
    """Ask about writes in doubt it went on with, if they would be made again with what is undone.

    What a `catch` has handled is not played again.
    """
    for gone_without in list(session.went_without):
        if is_inside(path, gone_without):  # it will be tried again
            del session.went_without[gone_without]
    for doubtful in session.doubts.keys() - session.in_doubt.keys():
        if not session.memory.covers(doubtful) and _are_played_together(session, path, doubtful):
            session.in_doubt[doubtful] = None
            session.went_without.pop(doubtful, None)


def _are_played_together(session: Session, undone: str, doubtful: str) -> bool:
    """Return whether a block around both will be played again, and the second with it."""
    around, memory = session.memory.place(undone), session.memory.place(doubtful)
    blocks = []
    while around.around is not None:
        around = around.around
        blocks.append(around)
    while memory not in blocks and memory.around is not None:
        memory = memory.around
    is_caught = isinstance(memory.choice, dict) and "catch" in memory.choice
    return memory is not session.memory and not is_caught


def _mark(session: Session, path: str) -> None:
    """Have the record say that the step was undone; that of a loop once all its rounds are."""
    own = path if path in session.execution.steps else path.partition("[")[0]
    record = session.execution.steps.get(own)
    if record is None or record.status != "done":
        return
    left = (other for other, _ in _latest_first(session, ""))
    if not any(is_inside(other, own) for other in left):
        record.status = "undone"
