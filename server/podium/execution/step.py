"""Makes the calls of one step: cached or sent, again if that is safe, else the alternatives."""

import math
from dataclasses import dataclass
from typing import Any

from anyio.lowlevel import checkpoint

from podium.domain.composition import CacheRule, Call, ToolStep
from podium.domain.errors import (
    InternalError,
    JournalError,
    PodiumError,
    ToolFailedError,
    UpstreamTimeoutError,
)
from podium.domain.execution import StepRecord
from podium.domain.tool import Effects, Tool, ToolResult
from podium.execution import policy
from podium.execution.reuse import result_key
from podium.execution.scope import Bound
from podium.execution.session import Site
from podium.execution.slots import Rank
from podium.execution.stops import StoppedError
from podium.text.clean import printable, shortened

TOOL_ERROR_CHARACTERS = 2000  # of a tool's own error text


@dataclass(slots=True)
class Caller:
    """The calls of one step: one, or one for each of its rounds."""

    site: Site
    step: ToolStep
    rule: policy.RetryRule
    rank: Rank

    async def call(self, record: StepRecord, bound: Bound) -> ToolResult:
        """Make one call; if it fails for good, those of the alternatives, in their order.

        `record` is the step's, or the round's.

        Raises:
            PodiumError: the step's own failure, located; it names those of the alternatives.

        """
        try:
            return await self._own(record, bound)
        except PodiumError as error:
            if not self.step.alternatives or not self._may_go_on(error):
                raise
            return await self._alternatives(record, bound, error)

    async def _own(self, record: StepRecord, bound: Bound) -> ToolResult:
        return await _Attempts(self, record, bound, self.step, self.step.effects).made()

    async def _alternatives(
        self, record: StepRecord, bound: Bound, failure: PodiumError
    ) -> ToolResult:
        own = record.server_id, record.tool_id, record.effects
        said = [failure.message]
        for number, call in enumerate(self.step.alternatives):
            await self.site.session.reporter.step(
                "step_retried", self.site.record, f"{call.server_id}.{call.tool_id} instead"
            )
            self._name(record, call.server_id, call.tool_id)
            try:
                return await _Attempts(self, record, bound, call, call.effects, number).made()
            except PodiumError as error:
                said.append(error.message.removeprefix(f"{self.site.place}: "))
                if not self._may_go_on(error):
                    break
        self._name(record, *own[:2])
        failure = failure.located("")
        failure.message = "; then, instead of it, ".join(said)
        raise failure

    def _name(self, record: StepRecord, server_id: str, tool_id: str) -> None:
        for each in (record, self.site.record):
            each.server_id, each.tool_id = server_id, tool_id

    def _may_go_on(self, error: PodiumError) -> bool:
        """Return whether another tool may be tried: not after a write in doubt."""
        return not (
            self.site.is_in_doubt or self.site.stop.is_stopping or isinstance(error, JournalError)
        )


def caller_of(site: Site, step: ToolStep) -> Caller:
    """Return what makes the calls of a tool step."""
    rule = policy.retry_rule(step.retry, site.session.outside.settings.max_retries)
    rank: Rank = "primary" if step.primary else step.priority or "normal"
    return Caller(site, step, rule, rank)


@dataclass(slots=True)
class _Attempts:
    """The attempts at one call of one tool."""

    caller: Caller
    record: StepRecord
    bound: Bound
    to: Call
    effects: Effects | None  # as the file says; else the tool's annotations decide
    number: int | None = None  # of the alternative
    is_idempotent: bool = False
    is_intended: bool = False

    async def made(self) -> ToolResult:
        """Call, and again if that is useful and safe.

        Raises:
            PodiumError: the last attempt's, located.

        """
        site, rule = self.caller.site, self.caller.rule
        is_doubtful = False
        result = None
        try:
            for attempt in range(1, rule.attempts + 1):
                self.record.attempts += 1
                try:
                    result = await self._attempt()
                except PodiumError as error:
                    is_doubtful = is_doubtful or policy.leaves_doubt(error, self._known_effects)
                    wait = self._wait_after(error, attempt)
                    if wait is None:
                        raise error.located(site.place, step_id=site.path) from None
                    await site.session.reporter.step(
                        "step_retried", site.record, printable(error.message)
                    )
                    await site.session.outside.clock.sleep(wait)
                else:
                    return result
            raise InternalError(f"{site.place}: no attempt was made")
        finally:
            if is_doubtful and result is None:
                site.doubtful.add(self.record.step_id)

    @property
    def _known_effects(self) -> Effects:
        return self.record.effects or self.effects or "write"

    async def _attempt(self) -> ToolResult:
        site = self.caller.site
        tool = await site.session.outside.upstreams.tool(self.to.server_id, self.to.tool_id)
        self.record.effects = site.record.effects = effects = self.effects or tool.effects
        self.is_idempotent = tool.is_idempotent
        self.record.inputs = arguments = self._arguments(tool)
        if effects == "read" and (ttl := self._ttl(tool)) is not None:
            return await self._reused(tool, arguments, ttl)
        return await self._called(tool, arguments)

    def _arguments(self, tool: Tool) -> dict[str, Any]:
        key = "" if self.number is None else f"alternatives[{self.number}]."
        site = self.caller.site
        return site.binder.arguments(site.spot, self.to, tool, self.bound, key)

    # --- reuse

    def _ttl(self, tool: Tool) -> float | None:
        """Return for how long the result may be used again; None: not at all."""
        rule = self.caller.step.cache
        if rule is False:
            return None
        if isinstance(rule, CacheRule):
            return rule.ttl_seconds
        outside = self.caller.site.session.outside
        seconds = outside.cache_seconds(tool)
        if seconds is None and rule is True:
            return outside.settings.default_cache_seconds
        return seconds

    async def _reused(self, tool: Tool, arguments: dict[str, Any], ttl: float) -> ToolResult:
        site = self.caller.site
        key = result_key(site.session.execution.user_id, tool, arguments)
        if key is None:
            return await self._called(tool, arguments)
        result, origin = await site.session.outside.reuse.result(
            key, ttl, lambda: self._called(tool, arguments), on_wait=site.begin
        )
        if origin != "called":
            self.record.attempts -= 1  # nothing was called
            self.record.is_cached = site.record.is_cached = True
            note = "the same call was under way" if origin == "shared" else ""
            await site.session.reporter.step("step_cached", site.record, note)
        return result

    # --- the call

    async def _called(self, tool: Tool, arguments: dict[str, Any]) -> ToolResult:
        site, outside = self.caller.site, self.caller.site.session.outside
        async with site.part.pool.hold(self.caller.rank, outside.profile(tool)):
            site.begin()
            if site.stop.is_stopping:
                raise StoppedError
            if self.record.effects != "read" and not self.is_intended:
                # The intent is on disk before anything happens in the world.
                await outside.recorder.intent(site.session.execution.id, self.record)
                self.is_intended = True
            return await self._sent(tool, arguments)

    async def _sent(self, tool: Tool, arguments: dict[str, Any]) -> ToolResult:
        site = self.caller.site

        async def on_progress(progress: float, total: float | None, message: str | None) -> None:
            share = f"{progress:g}" if total is None else f"{progress:g}/{total:g}"
            await site.session.reporter.step(
                "step_progress", site.record, printable(message or share)
            )

        seconds = await self._seconds()
        path = self.record.step_id
        if self.record.effects != "read":
            site.out.add(path)  # and stays when the call is broken off: its outcome is not known
        try:
            result = await site.session.outside.upstreams.call_tool(
                tool.server_id,
                tool.name,
                arguments,
                timeout_seconds=seconds,
                on_progress=on_progress,
            )
        except UpstreamTimeoutError:
            await self._unless_over()
            site.out.discard(path)
            raise
        except PodiumError:
            site.out.discard(path)
            raise
        site.out.discard(path)
        site.session.outside.on_result(tool, result)
        if result.is_error:
            raise tool_failure(tool, result)
        if self.record.effects != "read":
            site.session.note_write(path)
        return result

    async def _seconds(self) -> float | None:
        """Return the time that the call may take: the attempt's, the step's, the execution's."""
        left = self.caller.site.limit.left()
        if left <= 0:
            await self._unless_over()
        own = self.caller.step.attempt_timeout_seconds
        seconds = left if own is None else min(left, own)
        return None if seconds == math.inf else max(seconds, 0.0)

    async def _unless_over(self) -> None:
        """Go on only if no deadline around the call has passed: it is that one's timeout then."""
        limit = self.caller.site.limit
        if limit.left() <= 0:
            limit.end()
            await checkpoint()

    def _wait_after(self, error: PodiumError, attempt: int) -> float | None:
        """Return how long to wait before the next attempt; None: there is none."""
        site, rule = self.caller.site, self.caller.rule
        if (
            attempt >= rule.attempts
            or site.stop.is_stopping
            or not policy.may_repeat(
                error, self._known_effects, rule, idempotent=self.is_idempotent
            )
        ):
            return None
        wait = policy.wait_seconds(error, attempt, rule, site.session.outside.random)
        # What would come after the deadline need not be waited for.
        if wait >= site.limit.left() or not site.session.budget.take():
            return None
        return wait


def tool_failure(tool: Tool, result: ToolResult) -> ToolFailedError:
    """Return the error for a result that reports one, with the tool's own words."""
    words = shortened(printable(result.text).strip(), TOOL_ERROR_CHARACTERS)
    return ToolFailedError(f"{tool.full_name} says: {words or 'it failed, and not why'}")


def internal_error(error: Exception) -> InternalError:
    """Return the error for a fault of ours."""
    return InternalError(f"{type(error).__name__}: {error}")
