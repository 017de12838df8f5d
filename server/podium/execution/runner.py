"""Plays a plan: everything around its steps, from the first record to the checkpoint at its end."""

import logging
import random
from collections.abc import Callable, Mapping
from typing import Any

import anyio

from podium.domain.composition import Plan
from podium.domain.errors import (
    ExecutionTimeoutError,
    LimitExceededError,
    PodiumError,
    UpstreamTimeoutError,
)
from podium.domain.execution import Checkpoint, Execution, Question, StepRecord, StepStatus
from podium.domain.limits import Limits
from podium.domain.ports import (
    Asker,
    Checkpoints,
    Clock,
    EventListener,
    Journal,
    Plans,
    Profiles,
    ProgressCallback,
    ResultCache,
    Upstreams,
)
from podium.domain.tool import Tool, ToolResult
from podium.execution import policy
from podium.execution.asking import SKIP, answer_to, doubt_question
from podium.execution.binding import Binder
from podium.execution.blocks import not_undone
from podium.execution.deadlines import TimeLimit
from podium.execution.frames import milliseconds, new_record, play_frame
from podium.execution.memory import Memory, Outcome, remembered
from podium.execution.pool import Held, Pool, give
from podium.execution.recorder import Recorder
from podium.execution.reporting import Reporter
from podium.execution.resuming import check_changes, kept_choices, planned_tool
from podium.execution.reuse import Reuse
from podium.execution.scope import Given, Scope
from podium.execution.session import Inside, Outside, Part, RunnerSettings, Session
from podium.execution.spans import Spans
from podium.execution.step import internal_error, tool_failure
from podium.execution.stops import Stop, StoppedError, SuspendedError
from podium.execution.undo import take_back
from podium.mapping.expressions import Evaluator

__all__ = ["Runner", "RunnerSettings"]

logger = logging.getLogger("podium.execution")

DIRECT_STEP = "call"  # the step id of a tool call that belongs to no composition
LEAST_SECONDS = 1.0  # that an execution gets when it is played on after a question


class Runner:
    """Plays plans; holds nothing between executions but the slots and the results under way."""

    def __init__(
        self,
        *,
        upstreams: Upstreams,
        evaluator: Evaluator,
        journal: Journal,
        clock: Clock,
        limits: Limits,
        settings: RunnerSettings,
        pool: Pool | None = None,
        plans: Plans | None = None,
        checkpoints: Checkpoints | None = None,
        cache: ResultCache | None = None,
        cache_seconds: Callable[[Tool], float | None] | None = None,
        profiles: Profiles | None = None,
        source: random.Random | None = None,
        on_result: Callable[[Tool, ToolResult], None] | None = None,
    ) -> None:
        """Make a runner.

        `plans` are the compositions that steps may play; without `checkpoints` no execution can be
        played on; `cache_seconds` says for how long the result of a tool may be used again (None:
        not at all) where the step does not; `profiles` tell how long calls are expected to take.
        `on_result` is handed each result of a call as it came, and must not take long.
        """
        self.settings = settings
        self.checkpoints = checkpoints
        self.reuse = Reuse(cache)
        self.pool = pool or Pool(settings.process_slots, monotonic=clock.monotonic)
        self.outside = Outside(
            upstreams=upstreams,
            evaluator=evaluator,
            recorder=Recorder(journal),
            clock=clock,
            limits=limits,
            settings=settings,
            random=source or random.Random(),  # noqa: S311 - jitter, not a secret
            pool=self.pool,
            plans=plans,
            reuse=self.reuse,
            cache_seconds=cache_seconds or (lambda _: None),
            profiles=profiles,
            on_result=on_result or (lambda _tool, _result: None),
        )

    async def run(
        self,
        plan: Plan,
        execution: Execution,
        context: Mapping[str, Any],
        listener: EventListener | None = None,
        *,
        asker: Asker | None = None,
        checkpoint: Checkpoint | None = None,
        answers: Mapping[str, Any] | None = None,
    ) -> None:
        """Play a plan and fill the execution's record; what goes wrong is in it, not raised.

        With a `checkpoint` the execution is played on: what is finished is not played again, and
        `answers` are to its questions, by their ids. An `asker` is used for questions meanwhile.
        When the caller is cancelled the record is closed as `cancelled` and written, and the
        cancellation goes on.

        Raises:
            ResumeConflictError: a finished step has read a param that is different now; nothing was
                played.

        """
        if checkpoint is not None:
            check_changes(plan, checkpoint, execution.params)
        run = _Run(self, plan, execution, context, listener, asker, checkpoint)
        run.session.answers |= answers or {}
        with run.session.spans.execution():
            await run.play()

    def active_worker_count(self) -> int:
        """Return how many calls are out at this moment, of all executions and direct calls."""
        return self.pool.used

    def capacity_score(self) -> float:
        """Return how much of the process's slots is free in the next second: 1 all, 0 none.

        Calls that are out or wait count with the time that they are expected to take.
        """
        return self.pool.room

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
        seconds = timeout_seconds or self.settings.execution_seconds
        is_out = False
        held: Held = []
        try:
            held = await self._slot(tool, seconds)
            if tool.effects != "read":  # an interrupted read leaves nothing in doubt
                await recorder.execution(execution)
                await recorder.intent(execution.id, record)
            is_out = True
            result = await self.outside.upstreams.call_tool(
                tool.server_id,
                tool.name,
                arguments,
                on_progress=on_progress,
                timeout_seconds=seconds,
            )
            self.outside.on_result(tool, result)
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
            give(held)
            if record.status == "running":
                has_doubt = is_out and tool.effects != "read"
                ended: StepStatus = "cancelled" if record.error is None else "failed"
                record.status = "in_doubt" if has_doubt else ended
            if execution.status == "running":
                execution.status = "cancelled"
            execution.error, execution.result = record.error, record.output
            execution.duration_ms = record.duration_ms = milliseconds(clock.monotonic() - started)
            with anyio.CancelScope(shield=True):
                await recorder.execution(execution)  # with its step
        return result

    async def _slot(self, tool: Tool, seconds: float) -> Held:
        try:
            with anyio.fail_after(seconds):
                return await self.pool.take("normal", self.outside.profile(tool))
        except TimeoutError:
            raise UpstreamTimeoutError(
                f"{tool.full_name}: all {self.pool.limit} workers are busy for {seconds:g} s",
                hint="try again later, or raise execution.workers in config.yaml",
                sent=False,
            ) from None


class _Run:
    """One execution while it runs."""

    def __init__(
        self,
        runner: Runner,
        plan: Plan,
        execution: Execution,
        context: Mapping[str, Any],
        listener: EventListener | None,
        asker: Asker | None,
        checkpoint: Checkpoint | None,
    ) -> None:
        outside, settings = runner.outside, runner.settings
        self._checkpoints = runner.checkpoints
        self._outside = outside
        self._plan = plan
        self._execution = execution
        self._checkpoint = checkpoint
        self._seconds = plan.composition.timeout_seconds or settings.execution_seconds
        self._limit = TimeLimit(_seconds_left(self._seconds, checkpoint))
        self._began = outside.clock.monotonic()
        earlier = (checkpoint.execution.duration_ms or 0.0) / 1000 if checkpoint else 0.0
        self._since = self._began - earlier
        binder = Binder(plan.composition, outside.evaluator)
        width = outside.width(plan.composition.strategy)
        part = Part(plan, binder, Pool(width, around=outside.pool))
        part.keeps_undo = plan.composition.undo
        memory = Memory()
        if checkpoint is not None:
            memory = remembered(
                checkpoint.outcomes, kept_choices(plan, checkpoint, execution.params)
            )
        self.session = Session(
            outside=outside,
            execution=execution,
            context=context,
            reporter=Reporter(execution, listener, outside.clock, self._since),
            spans=Spans(execution),
            budget=policy.RetryBudget(settings.retry_budget),
            memory=memory,
            play_frame=play_frame,
            asker=asker,
            is_kept=runner.checkpoints is not None,
            own_steps=plan.composition.steps,
        )
        self.session.reporter.total = len(plan.steps)
        if checkpoint is not None:
            self._take_over(checkpoint)
        scope = Scope(part.names(plan.steps), Given(execution.params, context))
        self._inside = Inside(self.session, part, "", scope, {}, memory, self._limit, Stop())
        self._failure: PodiumError | None = None
        self._is_refused = False

    def _take_over(self, checkpoint: Checkpoint) -> None:
        session, execution = self.session, self._execution
        session.answers |= checkpoint.answers
        session.files = list(execution.files)
        session.went_without = dict.fromkeys(execution.went_without)
        session.in_doubt = dict.fromkeys(checkpoint.in_doubt)
        session.doubts = dict.fromkeys((*execution.in_doubt, *checkpoint.in_doubt))
        session.wrote = dict.fromkeys(execution.wrote)
        numbers = [c["number"] for c in session.memory.choices().values() if _is_undo(c)]
        session.undo_count = max(numbers, default=0)
        execution.timeline = list(execution.timeline)
        execution.steps = {
            path: record
            for path, record in execution.steps.items()
            if record.kind == "undo" or session.memory.covers(path)
        }

    async def play(self) -> None:
        """Play every step, evaluate the output, close the record."""
        execution, session = self._execution, self.session
        if self._checkpoint is None:
            execution.started_at = self._outside.clock.now()
        try:
            await self._outside.recorder.execution(execution)
            await session.reporter.execution("execution_started")
            await self._play_in_time()
            if self._failure is not None and self._plan.composition.undo:
                remaining = await take_back(self._inside, self._seconds)
                self._failure = not_undone(self._failure, remaining)
        except anyio.get_cancelled_exc_class():
            execution.status = "cancelled"
            raise
        finally:
            elapsed = self._outside.clock.monotonic() - self._since
            execution.duration_ms = milliseconds(elapsed)
            with anyio.CancelScope(shield=True):
                await self._close()

    async def _play_in_time(self) -> None:
        try:
            with self._limit.scope:
                self._limit.begin()
                if not await self._may_begin():
                    self._execution.status = "cancelled"
                    self._is_refused = True
                    return
                await self._settle_doubts()
                await play_frame(self._inside, self._plan.steps, None)
        except SuspendedError:
            self._execution.status = "needs_input"
            return
        except (PodiumError, StoppedError) as error:
            self._failure = error if isinstance(error, PodiumError) else internal_error(error)
            return
        if self._limit.scope.cancelled_caught:
            self._failure = ExecutionTimeoutError(
                f"{self._place}: took longer than {self._seconds:g} s",
                hint="give it timeout_seconds, or raise orchestrator.execution_timeout",
            )
            return
        inside, plan = self._inside, self._plan
        try:
            self._execution.result = inside.part.binder.output(
                inside.scope, plan.output_field_sources, self._results()
            )
        except PodiumError as error:
            self._failure = error

    async def _may_begin(self) -> bool:
        """Ask whether the plan may be played, where it wants a yes; what was said once counts."""
        if self._plan.confirm is None:
            return True
        self._limit.pause()
        try:
            return bool(await answer_to(self.session, self._plan.confirm))
        finally:
            self._limit.go_on()

    async def _settle_doubts(self) -> None:
        """Ask about each write whose outcome nobody knows: a repetition is no decision of ours."""
        session = self.session
        is_open = False
        for path in list(session.in_doubt):
            self._limit.pause()
            try:
                answer = await answer_to(session, doubt_question(path, self._tool_of(path)))
            except SuspendedError:
                is_open = True
                continue
            finally:
                self._limit.go_on()
            session.end_doubt(path)
            del session.answers[path]  # another doubt about the same call is another question
            if answer == SKIP:
                session.memory.place(path).outcome = Outcome("done")
                session.go_without(path)
        if is_open:
            raise SuspendedError

    def _tool_of(self, path: str) -> str:
        """Return the tool of a call, or of the loop whose round it is."""
        steps = self._checkpoint.execution.steps if self._checkpoint is not None else {}
        record = steps.get(path) or steps.get(path.rpartition("[")[0])
        if record is not None and record.tool_id:
            return f"{record.server_id}.{record.tool_id}"
        return planned_tool(self._plan, path) or "the tool"

    @property
    def _place(self) -> str:
        return self._inside.part.binder.place()

    def _results(self) -> dict[str, Any]:
        """Return the results of the finished steps, in file order."""
        results = self._inside.scope.results
        ids = (planned.step.id for planned in self._plan.steps)
        return {step_id: results[step_id] for step_id in ids if step_id in results}

    # --- the end

    async def _close(self) -> None:
        """Bring every record to its end and write it down."""
        execution, session = self._execution, self.session
        if self._failure is not None:
            execution.status = "error"
            execution.error = self._failure.to_dict()
        if execution.status == "running":
            execution.status = "success"
        if execution.status != "success":
            execution.result = self._results()
        if execution.status == "needs_input":
            execution.question = next(iter(session.questions.values()), None)
        self._close_steps()
        execution.files = tuple(session.files)
        execution.went_without = tuple(session.went_without)
        execution.wrote, execution.in_doubt = tuple(session.wrote), tuple(session.doubts)
        session.reporter.note_end()
        await self._keep()
        await self._outside.recorder.execution(execution)
        await session.reporter.execution("execution_finished")

    def _close_steps(self) -> None:
        """Put the records into file order, and add those of steps that were never reached."""
        execution = self._execution
        played = execution.steps
        by_step: dict[str, dict[str, StepRecord]] = {}
        for path, record in played.items():
            step_id = path.partition(".")[0].partition("[")[0]
            by_step.setdefault(step_id, {})[path] = record
        execution.steps = {}
        if execution.status != "needs_input":
            for record in played.values():
                if record.status == "waiting":  # for an answer that is not needed any more
                    record.status = "cancelled"
        for planned in self._plan.steps:
            step_id = planned.step.id
            records = by_step.get(step_id, {})
            if step_id not in records:
                record = records[step_id] = new_record(planned, step_id)
                # What waits for a step that waits for a person waits as well.
                record.status = "waiting" if execution.status == "needs_input" else "cancelled"
            execution.steps[step_id] = records.pop(step_id)
            execution.steps.update(records)

    async def _keep(self) -> None:
        """Make a checkpoint of what can be played on."""
        execution, session = self._execution, self.session
        execution.is_resumable = False
        if self._checkpoints is None:
            return
        if execution.status == "success" or self._is_refused:
            if self._checkpoint is not None:
                await self._checkpoints.discard(execution.id)
            return
        checkpoint = Checkpoint(
            execution=execution,
            composition=self._plan.composition.model_dump(
                mode="json", by_alias=True, exclude_unset=True
            ),
            context=dict(session.context),
            outcomes=session.memory.outcomes(),
            choices=session.memory.choices(),
            answers=dict(session.answers),
            in_doubt=tuple(path for path in session.in_doubt if not session.memory.covers(path)),
            spent_seconds=max(0.0, self._seconds - self._limit.own_left(anyio.current_time())),
        )
        execution.is_resumable = True  # the kept record says so too
        try:
            execution.is_resumable = await self._checkpoints.save(checkpoint)
        except Exception:
            # Work that cannot be played on later is still the work that was done.
            logger.exception("execution cannot be kept", extra={"execution": execution.id})
            execution.is_resumable = False
        if execution.question is not None and not execution.is_resumable:
            self._end_unanswerable(execution.question)

    def _end_unanswerable(self, question: Question) -> None:
        """Fail: no answer could ever reach an execution that cannot wait for it."""
        execution = self._execution
        error = LimitExceededError(
            f"{self._place}: it cannot wait for the answer to '{question.id}': what it has done so "
            "far cannot be kept",
            hint="Podium's log says why; if it is too large, pass less from step to step, "
            "or raise execution.resume_bytes",
            step_id=question.id,
        )
        execution.status, execution.error, execution.question = "error", error.to_dict(), None
        execution.timeline[-1]["note"] = execution.status


def _seconds_left(seconds: float, checkpoint: Checkpoint | None) -> float:
    """Return the time of an execution: all of it, unless it only waited for an answer."""
    if checkpoint is None or checkpoint.execution.status != "needs_input":
        return seconds
    return max(seconds - checkpoint.spent_seconds, min(LEAST_SECONDS, seconds))


def _is_undo(choice: Any) -> bool:
    return isinstance(choice, dict) and "number" in choice
