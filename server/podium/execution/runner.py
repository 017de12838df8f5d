"""Plays a plan: starts what the scheduler says is ready and keeps the record of every step."""

import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import anyio
from anyio.abc import TaskGroup

from podium.domain.composition import Plan, PlannedStep
from podium.domain.errors import (
    ExecutionTimeoutError,
    PodiumError,
)
from podium.domain.execution import Event, EventKind, Execution, StepRecord, StepStatus
from podium.domain.limits import Limits
from podium.domain.ports import Clock, EventListener, Journal, ProgressCallback, Upstreams
from podium.domain.tool import Tool, ToolResult
from podium.execution import policy
from podium.execution.binding import Binder
from podium.execution.recorder import Recorder
from podium.execution.scheduler import Scheduler
from podium.execution.scope import Blocks, Scope
from podium.execution.step import (
    Outside,
    Shared,
    StepPlayer,
    StepResult,
    internal_error,
    tool_failure,
)
from podium.mapping.expressions import Evaluator

logger = logging.getLogger("podium.execution")

DIRECT_STEP = "call"  # the step id of a tool call that belongs to no composition


@dataclass(frozen=True, slots=True)
class RunnerSettings:
    """What the configuration says about playing compositions."""

    execution_seconds: float = 30.0
    is_parallel: bool = True
    max_retries: int = 3  # after the first attempt; 0 switches retrying off


class Runner:
    """Plays plans; holds no state between executions."""

    def __init__(
        self,
        *,
        upstreams: Upstreams,
        evaluator: Evaluator,
        journal: Journal,
        clock: Clock,
        limits: Limits,
        settings: RunnerSettings,
        source: random.Random | None = None,
    ) -> None:
        self.evaluator = evaluator
        self.settings = settings
        self.outside = Outside(
            upstreams=upstreams,
            recorder=Recorder(journal),
            clock=clock,
            limits=limits,
            random=source or random.Random(),  # noqa: S311 - jitter, not a secret
            max_retries=settings.max_retries,
        )

    async def run(
        self,
        plan: Plan,
        execution: Execution,
        context: Mapping[str, Any],
        listener: EventListener | None = None,
    ) -> None:
        """Play a plan and fill the execution's record; what goes wrong is in it, not raised.

        When the caller is cancelled the record is closed as `cancelled` and written, and the
        cancellation goes on.
        """
        await _Run(self, plan, execution, context, listener).play()

    async def call(
        self,
        tool: Tool,
        arguments: dict[str, Any],
        execution: Execution,
        *,
        on_progress: ProgressCallback | None = None,
        timeout_seconds: float | None = None,
    ) -> ToolResult:
        """Make one call on its own, journalled as an execution of one step, `call`; no retries.

        Raises:
            UpstreamTimeoutError: it took longer than `timeout_seconds` (default: as an execution).
            PodiumError: the upstream failed.

        """
        clock, recorder = self.outside.clock, self.outside.recorder
        record = StepRecord(DIRECT_STEP, tool.server_id, tool.name, effects=tool.effects)
        record.inputs, record.attempts, record.started_at = arguments, 1, clock.now()
        execution.started_at, execution.steps = clock.now(), {record.step_id: record}
        started = clock.monotonic()
        is_out = False
        try:
            if tool.effects != "read":  # an interrupted read leaves nothing in doubt
                await recorder.execution(execution)
                await recorder.intent(execution.id, record)
            is_out = True
            result = await self.outside.upstreams.call_tool(
                tool.server_id,
                tool.name,
                arguments,
                on_progress=on_progress,
                timeout_seconds=timeout_seconds or self.settings.execution_seconds,
            )
            record.output, record.status, execution.status = result.value(), "done", "success"
            if result.is_error:
                record.error = tool_failure(tool, result).to_dict()
                record.status, execution.status = "failed", "error"
        except PodiumError as error:
            is_out = policy.leaves_doubt(error, tool.effects)
            record.error, execution.status = error.to_dict(), "error"
            raise
        except Exception as error:
            # The boundary round one call.
            logger.exception("call failed unexpectedly", extra={"tool": tool.full_name})
            failure = internal_error(error)
            record.error, execution.status = failure.to_dict(), "error"
            raise failure from error
        finally:
            if record.status == "running":
                has_doubt = is_out and tool.effects != "read"
                ended: StepStatus = "cancelled" if record.error is None else "failed"
                record.status = "in_doubt" if has_doubt else ended
            if execution.status == "running":
                execution.status = "cancelled"
            execution.error, execution.result = record.error, record.output
            execution.duration_ms = record.duration_ms = _milliseconds(clock.monotonic() - started)
            with anyio.CancelScope(shield=True):
                await recorder.execution(execution)  # with its step
        return result


class _Run:
    """One execution while it runs."""

    def __init__(
        self,
        runner: Runner,
        plan: Plan,
        execution: Execution,
        context: Mapping[str, Any],
        listener: EventListener | None,
    ) -> None:
        self._outside = runner.outside
        self._execution = execution
        self._listener = listener
        self._seconds = plan.composition.timeout_seconds or runner.settings.execution_seconds
        self._planned = {planned.step.id: planned for planned in plan.steps}
        self._scheduler = Scheduler({id_: p.depends_on for id_, p in self._planned.items()})
        self._scope = Scope(plan.steps, execution.params, context)
        self._shared = Shared(
            execution_id=execution.id,
            binder=Binder(plan, self._scope, runner.evaluator),
            slots=anyio.CapacityLimiter(_width(plan, runner.settings)),
            budget=policy.RetryBudget(),
            report=self._report_step,
        )
        self._players: dict[str, StepPlayer] = {}
        self._failure: PodiumError | None = None
        self._files: list[dict[str, Any]] = []

    async def play(self) -> None:
        """Play every step, evaluate the output, close the record."""
        started = self._outside.clock.monotonic()
        self._execution.started_at = self._outside.clock.now()
        try:
            await self._outside.recorder.execution(self._execution)
            await self._report("execution_started")
            await self._play_in_time()
        except anyio.get_cancelled_exc_class():
            self._execution.status = "cancelled"
            raise
        finally:
            elapsed = self._outside.clock.monotonic() - started
            self._execution.duration_ms = _milliseconds(elapsed)
            with anyio.CancelScope(shield=True):
                await self._close()

    async def _play_in_time(self) -> None:
        with anyio.move_on_after(self._seconds) as deadline:
            async with anyio.create_task_group() as tasks:
                self._start_ready(tasks)
        if self._failure is None and deadline.cancelled_caught:
            self._failure = ExecutionTimeoutError(
                f"{self._shared.binder.place()}: took longer than {self._seconds:g} s",
                hint="give it timeout_seconds, or raise orchestrator.execution_timeout",
            )
        if self._failure is None:
            try:
                self._execution.result = self._shared.binder.output()
            except PodiumError as error:
                self._failure = error

    def _start_ready(self, tasks: TaskGroup) -> None:
        for step_id in self._scheduler.ready():
            tasks.start_soon(self._play_step, self._planned[step_id], tasks)

    async def _play_step(self, planned: PlannedStep, tasks: TaskGroup) -> None:
        record = _new_record(planned)
        player = StepPlayer(planned, record, self._outside, self._shared)
        self._execution.steps[record.step_id] = record
        self._players[record.step_id] = player
        record.started_at = self._outside.clock.now()
        try:
            await self._report("step_started", record)
            with player.scope:
                self._keep(record, await player.play())
        except PodiumError as error:
            self._fail(player, error)
        except Exception as error:
            # The boundary round one step: a fault of ours must not cost the other steps' results.
            logger.exception("step failed unexpectedly", extra={"step": record.step_id})
            self._fail(player, internal_error(error))
        finally:
            if record.status == "running":  # stopped by the caller, by time, by another's failure
                record.status = "in_doubt" if player.is_in_doubt else "cancelled"
            now = self._outside.clock.monotonic()
            record.duration_ms = _milliseconds(now - (player.began or now))
            del self._players[record.step_id]
            self._scheduler.finish(record.step_id)
        await self._outside.recorder.step(self._execution.id, record)
        await self._report("step_finished", record)
        if self._failure is None:
            self._start_ready(tasks)

    def _keep(self, record: StepRecord, result: StepResult | None) -> None:
        if result is None:
            record.status = "skipped"
            return
        record.status = "done"
        self._scope.add(record.step_id, result.value, result.blocks, result.mapped)
        self._files.extend(_files_in(record.step_id, result.blocks))

    def _fail(self, player: StepPlayer, error: PodiumError) -> None:
        record = player.record
        error = error.located("", step_id=record.step_id)
        record.error = error.to_dict()
        record.status = "in_doubt" if player.is_in_doubt else "failed"
        if self._failure is not None:
            return
        self._failure = error
        for other in self._players.values():
            other.stop()

    async def _close(self) -> None:
        """Bring every record to its end and write it down."""
        execution = self._execution
        self._scheduler.stop()
        for step_id, planned in self._planned.items():
            record = execution.steps.pop(step_id, None) or _new_record(planned)
            if record.status == "running":  # it was never reached
                record.status = "cancelled"
            execution.steps[step_id] = record  # taken out and put back: file order
        execution.files = tuple(self._files)
        if self._failure is not None:
            execution.status = "error"
            execution.error = self._failure.to_dict()
        if execution.status == "running":
            execution.status = "success"
        if execution.status != "success":
            execution.result = self._shared.binder.results()
        await self._outside.recorder.execution(execution)
        await self._report("execution_finished")

    async def _report_step(self, kind: EventKind, record: StepRecord, message: str) -> None:
        await self._report(kind, record, message)

    async def _report(
        self, kind: EventKind, record: StepRecord | None = None, message: str = ""
    ) -> None:
        if self._listener is None:
            return
        about = record or self._execution
        event = Event(
            kind=kind,
            execution_id=self._execution.id,
            composition_id=self._execution.composition_id,
            step_id=record.step_id if record else "",
            tool=f"{record.server_id}.{record.tool_id}" if record else "",
            status=about.status,
            message=message or (about.error["message"] if about.error else ""),
            done=self._scheduler.finished_count,
            total=len(self._planned),
            duration_ms=about.duration_ms,
        )
        try:
            with anyio.fail_after(policy.LISTENER_SECONDS):
                await self._listener(event)
        except TimeoutError:
            logger.warning("event listener is too slow and hears no more", extra={"event": kind})
            self._listener = None
        except Exception:
            # A watcher that fails must not fail the work it watches.
            logger.exception("event listener failed", extra={"event": kind})


def _width(plan: Plan, settings: RunnerSettings) -> int:
    """Return how many calls of an execution may be out at once."""
    strategy = plan.composition.strategy or "parallel_full"
    return policy.STRATEGY_LIMITS[strategy if settings.is_parallel else "serial"]


def _new_record(planned: PlannedStep) -> StepRecord:
    step = planned.step
    return StepRecord(step.id, step.server_id, step.tool_id, effects=step.effects)


def _files_in(step_id: str, blocks: Blocks) -> list[dict[str, Any]]:
    """Return the files that content blocks point to or carry, without their bytes."""
    files = []
    for block in blocks:
        source = block.get("resource") if block.get("type") == "resource" else block
        if block.get("type") in ("resource", "resource_link") and isinstance(source, dict):
            files.append(
                {
                    "step_id": step_id,
                    "uri": source.get("uri"),
                    "name": source.get("name"),
                    "mime_type": source.get("mimeType"),
                }
            )
    return files


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
