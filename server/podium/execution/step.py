"""Plays one step: its condition, its rounds, each call with its retries; fills its record."""

import logging
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import anyio

from podium.domain.composition import PlannedStep
from podium.domain.errors import (
    InternalError,
    PodiumError,
    StepTimeoutError,
    ToolFailedError,
)
from podium.domain.execution import EventKind, StepRecord
from podium.domain.limits import Limits
from podium.domain.ports import Clock, Upstreams
from podium.domain.tool import Tool, ToolResult
from podium.execution import policy
from podium.execution.binding import Binder
from podium.execution.recorder import Recorder
from podium.execution.scope import Blocks, iteration_bindings
from podium.text.clean import printable, shortened

logger = logging.getLogger("podium.execution")

TOOL_ERROR_CHARACTERS = 2000  # of a tool's own error text

Report = Callable[[EventKind, StepRecord, str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Outside:
    """The ports a step needs, and the bounds that hold for every execution."""

    upstreams: Upstreams
    recorder: Recorder
    clock: Clock
    limits: Limits
    random: random.Random
    max_retries: int


@dataclass(frozen=True, slots=True)
class Shared:
    """What the steps of one execution share."""

    execution_id: str
    binder: Binder
    slots: anyio.CapacityLimiter
    budget: policy.RetryBudget
    report: Report


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a finished step adds to the scope."""

    value: Any
    blocks: Blocks
    mapped: dict[str, Any]


@dataclass(slots=True)
class StepPlayer:
    """One step while it runs.

    `scope` stops it at once, `is_stopping` before its next call. `calls_out` counts the calls
    whose answer is still to come, or never came because the call was broken off; `has_doubt`
    says that a call failed in a way that may have changed something all the same.
    """

    planned: PlannedStep
    record: StepRecord
    outside: Outside
    shared: Shared
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    limit: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    is_stopping: bool = False
    calls_out: int = 0
    has_doubt: bool = False
    is_idempotent: bool = False
    began: float | None = None

    @property
    def is_in_doubt(self) -> bool:
        """Whether something may have been changed without a word about it."""
        return self.record.effects != "read" and (self.has_doubt or self.calls_out > 0)

    def stop(self) -> None:
        """Let it go: at once if nothing it does changes anything, else after the call under way."""
        self.is_stopping = True
        if not self.is_in_doubt:
            self.scope.cancel()

    async def play(self) -> StepResult | None:
        """Play the step within its time; None when `when` says to skip it.

        Raises:
            PodiumError: what went wrong, with composition and step.

        """
        with self.limit:
            return await self._play()
        raise StepTimeoutError(
            f"{self._place}: took longer than its {self.planned.step.timeout_seconds:g} s",
            hint="raise the step's timeout_seconds, or see with `podium tools` what holds it up",
            step_id=self.planned.step.id,
        )

    async def _play(self) -> StepResult | None:
        if not self.shared.binder.is_wanted(self.planned):
            return None
        if self.planned.step.iterations is not None:
            return await self._play_rounds()
        result = await self._call(self.record, {})
        self.record.output = result.value()
        mapped = self.shared.binder.mapped_fields(self.planned, self.record.output)
        return StepResult(self.record.output, result.content, mapped)

    async def _play_rounds(self) -> StepResult:
        items = self.shared.binder.items(self.planned, self.outside.limits.max_iterations)
        rounds = _Rounds(items)
        workers = min(int(self.shared.slots.total_tokens), len(items))
        self.record.inputs = rounds.inputs
        try:
            async with anyio.create_task_group() as group:
                for _ in range(workers):
                    group.start_soon(self._play_each, rounds, group.cancel_scope)
        finally:
            self.record.output = rounds.values
        if rounds.failure is not None:
            raise rounds.failure
        each = [self.shared.binder.mapped_fields(self.planned, value) for value in rounds.values]
        mapped = {  # a round without the field leaves a null, so that positions stay in step
            name: [fields.get(name) for fields in each]
            for name in self.planned.step.output_mapping.values()
        }
        return StepResult(rounds.values, rounds.all_blocks(), mapped)

    async def _play_each(self, rounds: "_Rounds", stop: anyio.CancelScope) -> None:
        for index in rounds.indexes:
            if rounds.failure is not None or self.is_stopping:
                return
            try:
                result = await self._play_round(rounds, index)
            except PodiumError as error:
                rounds.fail(index, error, self._place, writes=self.record.effects != "read")
            except Exception as error:
                # As round one step: a fault of ours is one failed round.
                logger.exception("round failed unexpectedly", extra={"step": self.record.step_id})
                rounds.fail(index, internal_error(error), self._place, writes=True)
            else:
                rounds.finish(index, result)
                continue
            if self.record.effects == "read":  # a write under way runs to its known end
                stop.cancel()
            return

    async def _play_round(self, rounds: "_Rounds", index: int) -> ToolResult:
        """Play one round; one that writes has a record of its own, so a crash loses none."""
        path = f"{self.record.step_id}[{index}]"
        record = replace(self.record, step_id=path, inputs=None, output=None, attempts=0)
        result = None
        try:
            result = await self._call(record, iteration_bindings(self.planned, rounds.items, index))
            record.status, record.output = "done", result.value()
        except PodiumError as error:
            record.status, record.error = "failed", error.to_dict()
            raise
        finally:
            rounds.inputs[index] = record.inputs
            self.record.attempts = max(self.record.attempts, record.attempts)
            if result is None and self.is_in_doubt:
                record.status = "in_doubt"
            elif result is None and record.error is None:
                record.status = "cancelled"
            if record.effects not in (None, "read"):
                with anyio.CancelScope(shield=True):
                    await self.outside.recorder.step(self.shared.execution_id, record)
        return result

    async def _call(self, record: StepRecord, bound: dict[str, Any]) -> ToolResult:
        """Make one call, again if it fails in passing and repeating is safe."""
        is_doubtful = False
        result = None
        try:
            for attempt in range(1, self.outside.max_retries + 2):
                record.attempts = attempt
                try:
                    result = await self._attempt(record, bound)
                except PodiumError as error:
                    effects = record.effects or "write"
                    is_doubtful = is_doubtful or policy.leaves_doubt(error, effects)
                    if not self._is_worth_repeating(error, effects, attempt):
                        raise error.located(self._place, step_id=self.planned.step.id) from None
                    await self.shared.report("step_retried", self.record, printable(error.message))
                else:
                    return result
                wait = policy.backoff_seconds(attempt, self.outside.random)
                await self.outside.clock.sleep(wait)
            raise InternalError(f"{self._place}: no attempt was made")
        finally:
            self.has_doubt = self.has_doubt or (is_doubtful and result is None)

    async def _attempt(self, record: StepRecord, bound: dict[str, Any]) -> ToolResult:
        async with self.shared.slots:
            self._start_clock()
            tool = await self._find_tool(record)
            record.inputs = self.shared.binder.arguments(self.planned, tool, bound)
            if record.effects != "read" and record.attempts == 1:
                # The intent is on disk before anything happens in the world.
                await self.outside.recorder.intent(self.shared.execution_id, record)
            return await self._send(tool, record.inputs)

    async def _find_tool(self, record: StepRecord) -> Tool:
        step = self.planned.step
        tool = await self.outside.upstreams.tool(step.server_id, step.tool_id)
        self.record.effects = record.effects = step.effects or tool.effects
        self.is_idempotent = tool.is_idempotent
        return tool

    async def _send(self, tool: Tool, arguments: dict[str, Any]) -> ToolResult:
        async def on_progress(progress: float, total: float | None, message: str | None) -> None:
            share = f"{progress:g}" if total is None else f"{progress:g}/{total:g}"
            await self.shared.report("step_progress", self.record, printable(message or share))

        self.calls_out += 1  # stays up when the call is broken off: its outcome is not known
        try:
            result = await self.outside.upstreams.call_tool(
                tool.server_id, tool.name, arguments, on_progress=on_progress
            )
        except PodiumError:
            self.calls_out -= 1
            raise
        self.calls_out -= 1
        if result.is_error:
            raise tool_failure(tool, result)
        return result

    def _start_clock(self) -> None:
        """Begin the step's time with its first call: waiting for a slot is not its fault."""
        if self.began is None:
            self.began = self.outside.clock.monotonic()
            if self.planned.step.timeout_seconds is not None:
                self.limit.deadline = anyio.current_time() + self.planned.step.timeout_seconds

    def _is_worth_repeating(self, error: PodiumError, effects: Any, attempt: int) -> bool:
        return (
            attempt <= self.outside.max_retries
            and not self.is_stopping
            and policy.may_repeat(error, effects, idempotent=self.is_idempotent)
            and self.shared.budget.take()
        )

    @property
    def _place(self) -> str:
        return self.shared.binder.place(self.planned.step.id)


def tool_failure(tool: Tool, result: ToolResult) -> ToolFailedError:
    """Return the error for a result that reports one, with the tool's own words."""
    words = shortened(printable(result.text).strip(), TOOL_ERROR_CHARACTERS)
    return ToolFailedError(f"{tool.full_name} says: {words or 'it failed, and not why'}")


def internal_error(error: Exception) -> InternalError:
    """Return the error for a fault of ours."""
    return InternalError(f"{type(error).__name__}: {error}")


class _Rounds:
    """The rounds of one iterated step: what goes in, what came out, in the order of the list."""

    def __init__(self, items: list[Any]) -> None:
        self.items = items
        self.inputs: list[Any] = [None] * len(items)
        self.values: list[Any] = [None] * len(items)
        self.blocks: list[Blocks] = [()] * len(items)
        self.failure: PodiumError | None = None
        self.done = 0
        self.indexes: Iterator[int] = iter(range(len(items)))  # shared by the workers

    def finish(self, index: int, result: ToolResult) -> None:
        """Keep the result of a round."""
        self.values[index] = result.value()
        self.blocks[index] = result.content
        self.done += 1

    def fail(self, index: int, error: PodiumError, place: str, *, writes: bool) -> None:
        """Note the first failure; no further round starts."""
        if self.failure is not None:
            return
        rest = error.message.removeprefix(place).removeprefix(": ")
        done = f" ({self.done} rounds were done)" if writes and self.done else ""
        message = f"{place}, round {index + 1} of {len(self.items)}: {rest}{done}"
        self.failure = error.located("")
        self.failure.message = message

    def all_blocks(self) -> Blocks:
        """Return the content blocks of every round, in order."""
        return tuple(block for blocks in self.blocks for block in blocks)
