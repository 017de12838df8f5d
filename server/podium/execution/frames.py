"""Plays the steps of a frame: starts what the scheduler says is ready, keeps every record."""

import logging
from typing import Any

import anyio
from anyio.abc import TaskGroup

from podium.domain.composition import Default, PlannedStep, ToolStep
from podium.domain.errors import MissingValueError, PodiumError, StepTimeoutError
from podium.domain.execution import StepRecord, StepStatus
from podium.execution.binding import Spot
from podium.execution.blocks import KIND_OF, play_kind
from podium.execution.deadlines import TimeLimit
from podium.execution.joins import Join
from podium.execution.memory import Outcome
from podium.execution.scheduler import Scheduler
from podium.execution.scope import Blocks
from podium.execution.session import Inside, Result, Site
from podium.execution.step import internal_error
from podium.execution.stops import Stop, StoppedError, SuspendedError

logger = logging.getLogger("podium.execution")


async def play_frame(inside: Inside, steps: tuple[PlannedStep, ...], join: Join | None) -> None:
    """Play steps until all are over; their results are in the scope then.

    Without a `join`, all of them are wanted.

    Raises:
        PodiumError: a step has failed that may not; all others are over.
        SuspendedError: a step waits for a person; all that can go on without it is over.
        StoppedError: it was told to stop; what was under way is over.

    """
    await _Frame(inside, steps, join or Join(len(steps))).play()


class _Frame:
    """Steps that are played together."""

    def __init__(self, inside: Inside, steps: tuple[PlannedStep, ...], join: Join) -> None:
        self._inside = inside
        self._session = inside.session
        self._planned = {planned.step.id: planned for planned in steps}
        self._scheduler = Scheduler({id_: p.depends_on for id_, p in self._planned.items()})
        self._join = join
        self._stop = Stop(inside.stop)
        self._failure: PodiumError | None = None
        self._last_failure: PodiumError | None = None
        self._over = 0

    async def play(self) -> None:
        """Play the steps; raise what comes of it."""
        inside, reporter = self._inside, self._session.reporter
        if not inside.is_round and inside.prefix:  # the composition's own steps are counted already
            reporter.total += len(self._planned)
        try:
            ready = self._ready()
            while len(ready) == 1:  # by itself: a task costs as much as the rest of a step
                await self._play_to_end(ready[0])
                ready = self._ready()
            if ready:
                async with anyio.create_task_group() as tasks:
                    for planned in ready:
                        tasks.start_soon(self._play_chain, planned, tasks)
        finally:
            self._stop.close()
            self._scheduler.stop()
            if not inside.is_round:  # those that were never reached are over as well
                reporter.done += len(self._planned) - self._over
        self._conclude()

    def _conclude(self) -> None:
        verdict = self._join.verdict
        if self._failure is not None or verdict == "enough":
            self._session.drop_questions(self._inside.prefix)
        if self._failure is not None:
            raise self._failure
        if verdict == "enough":
            for step_id in self._planned:  # what the losers left in doubt stays on record
                self._session.settle_doubt(self._inside.prefix + step_id)
                self._inside.doubtful.discard(self._inside.prefix + step_id)
            return
        if self._inside.stop.is_stopping:
            raise StoppedError
        if self._scheduler.has_hold:
            raise SuspendedError
        if self._join.needed is not None:
            raise self._unmet()

    def _unmet(self) -> PodiumError:
        """Return the error for too few branches done."""
        if self._last_failure is not None:
            return self._last_failure
        join, path = self._join, self._inside.prefix.removesuffix(".")
        return MissingValueError(
            f"{self._inside.part.binder.place(path)}: {join.needed} of {join.total} branches "
            f"should be done, but {join.done} are: the others were skipped",
            step_id=path,
        )

    def _ready(self) -> list[PlannedStep]:
        if self._stop.is_stopping:
            return []
        return [self._planned[step_id] for step_id in self._scheduler.ready()]

    async def _play_chain(self, planned: PlannedStep | None, tasks: TaskGroup) -> None:
        """Play a step, and then one that has become ready with it; others get their own task."""
        while planned is not None:
            await self._play_to_end(planned)
            ready = self._ready()
            planned = ready[0] if ready else None
            for other in ready[1:]:
                tasks.start_soon(self._play_chain, other, tasks)

    async def _play_to_end(self, planned: PlannedStep) -> None:
        ending = await self._play_one(planned)
        if ending == "waiting":
            self._scheduler.hold(planned.step.id)
            return
        self._scheduler.finish(planned.step.id)
        self._judge(ending)

    def _judge(self, ending: str) -> None:
        """Stop the others once nothing they do can change what comes of the frame."""
        verdict = self._join.note(ending)
        if verdict == "open" or self._stop.is_stopping:
            return
        if verdict == "impossible":
            self._failure = self._last_failure or self._unmet()
        self._stop.stop()

    # --- one step

    async def _play_one(self, planned: PlannedStep) -> str:
        """Play a step and keep its record; return how it ended: as the record's status, or handled.

        `handled` is a failure that the frame goes on without.
        """
        inside, step = self._inside, planned.step
        path = inside.prefix + step.id
        memory = inside.memory.at(step.id)
        if memory.outcome is not None:
            return self._restored(step.id, memory.outcome)
        record = self._new_record(planned, path)
        stop = Stop(self._stop)
        limit = TimeLimit(step.timeout_seconds, inside.limit)
        site = Site(
            inside,
            Spot(path, planned, inside.scope, inside.bound),
            record,
            memory,
            limit,
            stop,
        )
        error: PodiumError | None = None
        is_broken_off = True
        try:
            with self._session.spans.step(record):
                try:
                    error = await self._ended(site)
                    is_broken_off = False
                finally:
                    stop.close()
                    self._close(site, error)
        finally:
            if is_broken_off and inside.is_round:  # others are written with the execution
                with anyio.CancelScope(shield=True):
                    await self._journal(record)
        await self._journal(record)
        if error is not None:
            return await self._failed(site, error)
        await self._report_end(record)
        return record.status

    async def _ended(self, site: Site) -> PodiumError | None:
        """Play a step to its end; return its failure."""
        record = site.record
        try:
            await self._session.reporter.step("step_started", record)
            await self._played(site)
        except SuspendedError:
            record.status = "waiting"
        except StoppedError:
            pass  # it closes as cancelled
        except PodiumError as error:
            return self._noted(site, error)
        except Exception as error:
            # The boundary round one step: a fault of ours must not cost the other steps' results.
            logger.exception("step failed unexpectedly", extra={"step": record.step_id})
            return self._noted(site, internal_error(error))
        return None

    async def _played(self, site: Site) -> None:
        step, limit, stop = site.spot.planned.step, site.limit, site.stop
        with limit.scope:
            if site.binder.is_wanted(site.spot):
                self._prepare(site)
                self._keep(site, await play_kind(site))
            else:
                site.record.status = "skipped"
                site.memory.finish(Outcome("skipped", has_value=False), is_whole=False)
        if not limit.scope.cancelled_caught:
            return
        if stop.is_stopping:
            raise StoppedError
        raise StepTimeoutError(
            f"{site.place}: took longer than its {step.timeout_seconds:g} s",
            hint="raise the step's timeout_seconds, or see with `podium tools` what holds it up",
            step_id=site.path,
        )

    def _prepare(self, site: Site) -> None:
        step = site.spot.planned.step
        if isinstance(step, ToolStep):
            # At once if nothing it does changes anything, else after the call under way.
            site.stop.then(lambda: None if site.out else site.limit.scope.cancel())
        elif KIND_OF[type(step)] == "ask":
            site.stop.then(site.limit.scope.cancel)
        elif step.timeout_seconds is not None:
            site.begin()
        else:
            site.began = self._session.outside.clock.monotonic()

    def _keep(self, site: Site, result: Result) -> None:
        """Put a result into the scope, and remember it."""
        step, record = site.spot.planned.step, site.record
        mapped = result.mapped
        if mapped is None:
            mapped = site.binder.mapped_fields(site.spot, result.value)
        record.output, record.status = result.value, "done"
        site.inside.scope.add(step.id, result.value, result.blocks, mapped)
        if result.blocks:
            self._session.files.extend(files_in(site.path, result.blocks))
        outcome = Outcome("done", result.value, result.blocks, mapped)
        site.memory.finish(outcome, is_whole=site.part.keeps_undo)

    def _noted(self, site: Site, error: PodiumError) -> PodiumError:
        """Write a failure into the record."""
        error = error.located("", step_id=site.path)
        site.record.error = error.to_dict()
        return error

    def _close(self, site: Site, error: PodiumError | None) -> None:
        """Bring the record to its end, whatever has ended the step."""
        record = site.record
        if record.status == "running":  # failed, or stopped: by the caller, by time, by another
            ended: StepStatus = "cancelled" if error is None else "failed"
            record.status = "in_doubt" if site.is_in_doubt else ended
        if record.status == "in_doubt":
            self._inside.doubtful.add(record.step_id)
            is_leaf = isinstance(site.spot.planned.step, ToolStep)
            if is_leaf and not any(path != record.step_id for path in site.doubtful | site.out):
                self._session.note_doubt(record.step_id)
        now = self._session.outside.clock.monotonic()
        record.duration_ms = milliseconds(now - (site.began or now))

    async def _failed(self, site: Site, error: PodiumError) -> str:
        """Decide what a failure means for the frame."""
        step, record = site.spot.planned.step, site.record
        if step.on_error == "fail" and step.required:
            await self._report_end(record)
            self._last_failure = error
            if self._join.needed is not None:
                self._session.go_without(site.path)
            return "failed"
        return await self._handled(site, error)

    async def _handled(self, site: Site, error: PodiumError) -> str:
        step, record = site.spot.planned.step, site.record
        outcome = Outcome("failed", has_value=False)
        if isinstance(step.on_error, Default):
            value = step.on_error.default
            try:
                mapped = site.binder.mapped_fields(site.spot, value)
            except PodiumError as fault:
                self._last_failure = fault
                return "failed"
            record.output = value
            site.inside.scope.add(step.id, value, (), mapped)
            outcome = Outcome("failed", value, (), mapped)
            await self._journal(record)
        site.memory.finish(outcome, is_whole=site.part.keeps_undo)
        self._inside.doubtful.discard(site.path)
        site.settle(site.path)
        self._session.go_without(site.path)
        logger.info("step failed, going on", extra={"step": site.path, "error": error.code})
        await self._report_end(record)
        return "handled"

    async def _report_end(self, record: StepRecord) -> None:
        if record.status == "waiting":
            return  # it has been said what for
        self._over += 1
        if not self._inside.is_round:
            self._session.reporter.done += 1
        await self._session.reporter.step("step_finished", record)

    # --- records

    def _new_record(self, planned: PlannedStep, path: str) -> StepRecord:
        record = new_record(planned, path)
        record.started_at = self._session.outside.clock.now()
        if not self._inside.is_round:
            self._session.execution.steps[path] = record
        return record

    async def _journal(self, record: StepRecord) -> None:
        """Write the record; of a round, if it is of a call that writes."""
        if self._inside.is_round and record.effects in (None, "read"):
            return
        await self._session.outside.recorder.step(self._session.execution.id, record)

    def _restored(self, step_id: str, known: Outcome) -> str:
        """Take a step that is over from an execution that is played on."""
        self._over += 1
        if not self._inside.is_round:
            self._session.reporter.done += 1
        if known.has_value:
            self._inside.scope.add(step_id, known.value, known.blocks, known.mapped)
        return "handled" if known.status == "failed" else known.status


def new_record(planned: PlannedStep, path: str) -> StepRecord:
    """Return the record of a step that begins."""
    step: Any = planned.step
    record = StepRecord(path, kind=KIND_OF[type(step)])
    if isinstance(step, ToolStep):
        record.server_id, record.tool_id = step.server_id, step.tool_id
        record.effects = step.effects
    return record


def files_in(path: str, blocks: Blocks) -> list[dict[str, Any]]:
    """Return the files that content blocks point to or carry, without their bytes."""
    files = []
    for block in blocks:
        source = block.get("resource") if block.get("type") == "resource" else block
        if block.get("type") in ("resource", "resource_link") and isinstance(source, dict):
            files.append(
                {
                    "step_id": path,
                    "uri": source.get("uri"),
                    "name": source.get("name"),
                    "mime_type": source.get("mimeType"),
                }
            )
    return files


def milliseconds(seconds: float) -> float:
    """Return a duration as records show it."""
    return round(seconds * 1000, 3)
