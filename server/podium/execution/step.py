"""Plays one step: its condition, its rounds, each call with its retries; fills its record."""

import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
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
from podium.domain.ports import Clock, Journal, Upstreams
from podium.domain.tool import Tool, ToolResult
from podium.execution import policy
from podium.execution.binding import Binder
from podium.execution.scope import Blocks, iteration_bindings
from podium.text.clean import printable, shortened

TOOL_ERROR_CHARACTERS = 2000  # of a tool's own error text

Report = Callable[[EventKind, StepRecord, str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Outside:
    """The ports a step needs, and the bounds that hold for every execution."""

    upstreams: Upstreams
    journal: Journal
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
    """One step while it runs; `scope` stops it, `calls_out` counts its calls without an answer."""

    planned: PlannedStep
    record: StepRecord
    outside: Outside
    shared: Shared
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    calls_out: int = 0

    @property
    def may_stop_at_once(self) -> bool:
        """Whether stopping it leaves nothing in doubt: it only reads, or no call of it is out."""
        return self.record.effects == "read" or self.calls_out == 0

    async def play(self) -> StepResult | None:
        """Play the step within its time; None when `when` says to skip it.

        Raises:
            PodiumError: what went wrong, with composition and step.

        """
        seconds = self.planned.step.timeout_seconds
        if seconds is None:
            return await self._play()
        with anyio.move_on_after(seconds):
            return await self._play()
        raise StepTimeoutError(
            f"{self._place}: took longer than its {seconds:g} s",
            hint="raise the step's timeout_seconds, or see with `podium tools` what holds it up",
            step_id=self.planned.step.id,
        )

    async def _play(self) -> StepResult | None:
        if not self.shared.binder.is_wanted(self.planned):
            return None
        step = self.planned.step
        try:
            tool = await self.outside.upstreams.tool(step.server_id, step.tool_id)
        except PodiumError as error:
            raise error.located(self._place, step_id=step.id) from None
        self.record.effects = step.effects or tool.effects
        if step.iterations is not None:
            return await self._play_rounds(tool)
        result = await self._call(tool, {})
        self.record.output = result.value()
        mapped = self.shared.binder.mapped_fields(self.planned, self.record.output)
        return StepResult(self.record.output, result.content, mapped)

    async def _play_rounds(self, tool: Tool) -> StepResult:
        items = self.shared.binder.items(self.planned, self.outside.limits.max_iterations)
        rounds = _Rounds(items)
        workers = min(int(self.shared.slots.total_tokens), len(items))
        self.record.inputs = rounds.inputs
        try:
            async with anyio.create_task_group() as group:
                for _ in range(workers):
                    group.start_soon(self._play_each, rounds, tool, group.cancel_scope)
        finally:
            self.record.output = rounds.values
        if rounds.failure is not None:
            raise rounds.failure
        each = [self.shared.binder.mapped_fields(self.planned, value) for value in rounds.values]
        mapped = {
            name: [fields[name] for fields in each if name in fields]
            for name in self.planned.step.output_mapping.values()
        }
        return StepResult(rounds.values, rounds.all_blocks(), mapped)

    async def _play_each(self, rounds: "_Rounds", tool: Tool, stop: anyio.CancelScope) -> None:
        for index in rounds.remaining:
            bound = iteration_bindings(self.planned, rounds.items, index)
            try:
                result = await self._call(tool, bound, rounds)
            except PodiumError as error:
                rounds.fail(index, error, self._place)
                if self.record.effects == "read":  # a write under way runs to its known end
                    stop.cancel()
                return
            rounds.values[index] = result.value()
            rounds.blocks[index] = result.content

    async def _call(
        self, tool: Tool, bound: dict[str, Any], rounds: "_Rounds | None" = None
    ) -> ToolResult:
        """Make one call, again if it fails in passing and repeating is safe."""
        arguments = self.shared.binder.arguments(self.planned, tool, bound)
        if rounds is None:
            self.record.inputs = arguments
        else:
            rounds.inputs[bound["index"]] = arguments
        if self.record.effects != "read":
            # The intent is on disk before anything happens in the world.
            await self.outside.journal.record_step(
                self.shared.execution_id, self.record, durable=True
            )
        attempts = self.outside.max_retries + 1
        for attempt in range(1, attempts + 1):
            self.record.attempts = max(self.record.attempts, attempt)
            try:
                return await self._attempt(tool, arguments)
            except PodiumError as error:
                if attempt == attempts or not self._is_worth_repeating(error, tool):
                    raise error.located(self._place, step_id=self.record.step_id) from None
                await self.shared.report("step_retried", self.record, printable(error.message))
            await self.outside.clock.sleep(policy.backoff_seconds(attempt, self.outside.random))
        raise InternalError(f"{self._place}: no attempt was made")

    async def _attempt(self, tool: Tool, arguments: dict[str, Any]) -> ToolResult:
        async def on_progress(progress: float, total: float | None, message: str | None) -> None:
            share = f"{progress:g}" if total is None else f"{progress:g}/{total:g}"
            await self.shared.report("step_progress", self.record, printable(message or share))

        async with self.shared.slots:
            self.calls_out += 1  # stays up when the call is cancelled: its outcome is not known
            try:
                result = await self.outside.upstreams.call_tool(
                    tool.server_id, tool.name, arguments, on_progress=on_progress
                )
            except PodiumError:
                self.calls_out -= 1
                raise
            self.calls_out -= 1
        if result.is_error:
            words = shortened(printable(result.text).strip(), TOOL_ERROR_CHARACTERS)
            raise ToolFailedError(f"{tool.full_name} says: {words or 'it failed, and not why'}")
        return result

    def _is_worth_repeating(self, error: PodiumError, tool: Tool) -> bool:
        effects = self.record.effects or tool.effects
        repeatable = policy.may_repeat(error, effects, idempotent=tool.is_idempotent)
        return repeatable and self.shared.budget.take()

    @property
    def _place(self) -> str:
        return self.shared.binder.place(self.planned.step.id)


class _Rounds:
    """The rounds of one iterated step: what goes in, what came out, in the order of the list."""

    def __init__(self, items: list[Any]) -> None:
        self.items = items
        self.inputs: list[Any] = [None] * len(items)
        self.values: list[Any] = [None] * len(items)
        self.blocks: list[Blocks] = [()] * len(items)
        self.failure: PodiumError | None = None
        self.remaining: Iterator[int] = iter(range(len(items)))

    def fail(self, index: int, error: PodiumError, place: str) -> None:
        """Note the first failure; no further round starts."""
        self.remaining = iter(())
        if self.failure is None:
            rest = error.message.removeprefix(place).removeprefix(": ")
            self.failure = error.located("")
            self.failure.message = f"{place}, round {index + 1} of {len(self.items)}: {rest}"

    def all_blocks(self) -> Blocks:
        """Return the content blocks of every round, in order."""
        return tuple(block for blocks in self.blocks for block in blocks)
