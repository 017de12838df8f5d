"""Plays the rounds of an iteration: so many at once, in order, with the failures it tolerates."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import anyio

from podium.domain.composition import ToolStep
from podium.domain.errors import PodiumError
from podium.domain.execution import StepRecord
from podium.execution.memory import Outcome
from podium.execution.rounds import Rounds
from podium.execution.scope import Bound, round_bindings
from podium.execution.session import Result, Site
from podium.execution.step import Caller, caller_of, internal_error
from podium.execution.stops import Stop, StoppedError, SuspendedError
from podium.execution.undo import note_undo

logger = logging.getLogger("podium.execution")

PROGRESS_SECONDS = 1.0  # between two reports of how far the rounds are

PlayRound = Callable[[int, Bound, Stop], Awaitable[Result]]


async def iterate(site: Site, play_round: PlayRound) -> Result:
    """Play a step once per element of its list; return the results in the order of the list.

    Raises:
        PodiumError: a round has failed that may not.
        SuspendedError: a round waits for a person; all others are over.

    """
    step: Any = site.spot.planned.step
    items = site.binder.items(site.spot, site.session.outside.limits.max_iterations)
    loop = _Loop(site, items, play_round, Rounds(len(items), step.tolerated_failures))
    await loop.play(min(step.concurrency or len(items), site.part.pool.limit, len(items)))
    results = [result or _NOTHING for result in loop.rounds.results]
    values = [result.value for result in results]
    blocks = tuple(block for result in results for block in result.blocks)
    return Result(values, blocks, site.binder.mapped_lists(site.spot, values))


_NOTHING = Result(None)  # a round that failed, and that the iteration goes on without


@dataclass(slots=True)
class _Loop:
    """The rounds of one step while they are played."""

    site: Site
    items: list[Any]
    play_round: PlayRound
    rounds: Rounds[Result]
    is_suspended: bool = False
    reported_at: float = 0.0

    async def play(self, workers: int) -> None:
        """Play all rounds with so many tasks."""
        site = self.site
        is_of_calls = isinstance(site.spot.planned.step, ToolStep)
        stop = Stop(site.stop)
        self.reported_at = site.session.outside.clock.monotonic()
        try:
            if workers <= 1:
                await self._work(stop)
            else:
                async with anyio.create_task_group() as tasks:
                    if is_of_calls:
                        # A write under way runs to its known end; a frame sees to its own steps.
                        stop.then(lambda: None if site.out else tasks.cancel_scope.cancel())
                    for _ in range(workers):
                        tasks.start_soon(self._work, stop)
        finally:
            stop.close()
            if is_of_calls:
                results = self.rounds.results
                site.record.output = [None if r is None else r.value for r in results]
        if self.rounds.failure is not None:
            raise self._explained(self.rounds.failure)
        if site.stop.is_stopping:
            raise StoppedError
        if self.is_suspended:
            raise SuspendedError

    async def _work(self, stop: Stop) -> None:
        while not stop.is_stopping and (number := self.rounds.begin()) is not None:
            key = f"[{number}]"
            known = self.site.memory.known(key)
            if known is not None:  # of an execution that is played on
                self._restore(number, known)
                continue
            try:
                await self._play_one(number, key, stop)
            except StoppedError:
                return
            except SuspendedError:
                self.is_suspended = True
            except PodiumError as error:
                self._fail(number, key, error, stop)
            except Exception as error:
                # As round one step: a fault of ours is one failed round.
                logger.exception("round failed unexpectedly", extra={"step": self.site.path})
                self._fail(number, key, internal_error(error), stop)
            await self._report()

    async def _play_one(self, number: int, key: str, stop: Stop) -> None:
        site = self.site
        name = getattr(site.spot.planned.step, "as_", None)
        bound = round_bindings(site.spot.bound, self.items[number], number, name)
        result = await self.play_round(number, bound, stop)
        self.rounds.finish(number, result)
        if site.session.is_kept:
            outcome = Outcome("done", result.value, result.blocks)
            site.memory.at(key).finish(outcome, is_whole=site.part.keeps_undo)
        elif not site.part.keeps_undo:
            site.memory.drop(key)

    def _restore(self, number: int, known: Outcome) -> None:
        if known.status == "failed":
            self.rounds.failed.append(number)
        else:
            self.rounds.finish(number, Result(known.value, known.blocks))

    def _fail(self, number: int, key: str, error: PodiumError, stop: Stop) -> None:
        site = self.site
        if not self.rounds.fail(number, error):
            stop.stop()
            return
        path = f"{site.path}{key}"
        site.settle(path)
        site.session.go_without(path)
        if site.session.is_kept:
            outcome = Outcome("failed", has_value=False)
            site.memory.at(key).finish(outcome, is_whole=site.part.keeps_undo)

    def _explained(self, error: PodiumError) -> PodiumError:
        """Say which round has failed, unless its own steps have said so."""
        site, rounds = self.site, self.rounds
        if error.step_id not in ("", site.path):
            return error
        rest = error.message.removeprefix(site.place).removeprefix(": ")
        is_read = site.record.effects == "read" and error.code != "internal_error"
        done = f" ({rounds.done} rounds were done)" if rounds.done and not is_read else ""
        number = rounds.failed_at + 1
        error = error.located("")
        error.message = f"{site.place}, round {number} of {rounds.count}: {rest}{done}"
        return error

    async def _report(self) -> None:
        now = self.site.session.outside.clock.monotonic()
        if now - self.reported_at >= PROGRESS_SECONDS:
            self.reported_at = now
            over = self.rounds.done + len(self.rounds.failed)
            await self.site.session.reporter.step(
                "step_progress", self.site.record, f"{over}/{self.rounds.count}"
            )


# --- tool steps


async def play_tool(site: Site, step: ToolStep) -> Result:
    """Call a tool, once or once per element."""
    caller = caller_of(site, step)
    if step.iterations is not None:
        return await iterate(site, _ToolRounds(site, caller).play)
    if site.memory.choice is not None:  # it was called, and what came of it could not be mapped
        return Result(site.memory.choice["value"], tuple(site.memory.choice["blocks"]))
    result = await caller.call(site.record, site.spot.bound)
    value = result.value()
    if step.output_mapping and site.record.effects != "read":
        site.memory.choice = {"value": value, "blocks": list(result.content)}
    note_undo(site, site.path, "", site.spot.bound, value)
    return Result(value, result.content)


class _ToolRounds:
    """The rounds of a tool step; one that writes has a record of its own, so a crash loses none."""

    def __init__(self, site: Site, caller: Caller) -> None:
        self._site = site
        self._caller = caller
        self._inputs: list[Any] = []
        site.record.inputs = self._inputs

    async def play(self, number: int, bound: Bound, _stop: Stop) -> Result:
        """Play one round."""
        step = self._caller.step
        record = StepRecord(f"{self._site.path}[{number}]", step.server_id, step.tool_id)
        record.effects = self._site.record.effects
        record.started_at = self._site.session.outside.clock.now()
        try:
            result = await self._caller.call(record, bound)
            record.status, record.output = "done", result.value()
        except PodiumError as error:
            record.status, record.error = "failed", error.to_dict()
            raise
        finally:
            self._note(number, record)
            if record.effects not in (None, "read"):
                await self._close(record)
        note_undo(self._site, record.step_id, f"[{number}]", bound, record.output)
        return Result(record.output, result.content)

    def _note(self, number: int, record: StepRecord) -> None:
        while len(self._inputs) <= number:
            self._inputs.append(None)
        self._inputs[number] = record.inputs
        own = self._site.record
        own.attempts = max(own.attempts, record.attempts)

    async def _close(self, record: StepRecord) -> None:
        """Journal a round that writes, however it ended."""
        path = record.step_id
        if record.status != "done" and (path in self._site.out or path in self._site.doubtful):
            record.status = "in_doubt"
            self._site.session.note_doubt(path)
        elif record.status == "running":
            record.status = "cancelled"
        with anyio.CancelScope(shield=True):
            await self._site.session.outside.recorder.step(self._site.session.execution.id, record)
