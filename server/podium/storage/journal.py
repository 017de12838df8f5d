"""The record of executions in a SQLite file that several processes may share.

Writes are lazy: redacted, made into rows, queued, and committed by a thread of their own. That an
execution runs, and what it has only read, is held back for a moment: most executions end before it
is over and are written once, as they ended. A durable write returns when it is on the disk, with
all that its execution did before. If the file cannot be written, executions go on: what is lost is
counted and logged once, and only durable writes raise.
"""

import logging
import sqlite3
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Self

import anyio

from podium.domain.errors import JournalError, UnknownExecutionError
from podium.domain.execution import Execution, StepRecord, StepStatus
from podium.domain.limits import Limits
from podium.domain.past import MAX_PAST_REQUESTS, PastRequest
from podium.domain.redaction import Redactor
from podium.domain.synthesis import MAX_PAST_PLANS, PastPlan
from podium.storage import rows
from podium.storage.database import NewerJournalError, clean
from podium.storage.owners import Owner, is_alive, sweep
from podium.storage.private import make_private_folder
from podium.storage.writer import Work, Writer

SHORTEST_PREFIX = 6  # characters of an id that may stand for the whole
MOST_RECENT = 1_000  # executions that one call returns
TRACKED_EXECUTIONS = 2_000  # running ones of which we know what is written
PRUNED_AT_ONCE = 500  # executions removed in one go; old ones wait for the next
HELD_SECONDS = 0.2  # how long what a running execution has done may wait for its end
HELD_STEPS = 32  # of one execution that wait; their values are in memory

_HELD_EFFECTS = (None, "read")  # whatever may have changed something is queued at once

_logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Running:
    """What is written of a running execution, and what is held back since when."""

    id: str
    written: dict[str, StepStatus] = field(default_factory=dict)
    execution: Execution | None = None
    steps: dict[str, StepRecord] = field(default_factory=dict)
    since: float = 0.0


class SqliteJournal:
    """Satisfies `podium.domain.ports.Journal`; made by `open`."""

    def __init__(self, path: Path, *, redactor: Redactor, limits: Limits) -> None:
        self._path = path
        self._keep = limits.journal_executions
        self._prune_every = max(1, min(self._keep // 10, PRUNED_AT_ONCE // 5))
        self._since_prune = 0
        self._encoder = rows.Encoder(redactor, limits.journal_value_bytes)
        self._owner = Owner(path)
        self._writer = Writer(path, self._before_connect, self._write_old)
        self._running: OrderedDict[str, _Running] = OrderedDict()
        self._holding: dict[str, _Running] = {}  # those that hold something back, oldest first

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path, *, redactor: Redactor, limits: Limits) -> AsyncIterator[Self]:
        """Open the file, close what dead processes left running in it, and flush at the end.

        Raises:
            JournalError: a later version of Podium wrote the file. Nothing else keeps it shut.

        """
        journal = cls(path, redactor=redactor, limits=limits)
        journal._writer.start()
        try:
            await journal._begin()
            yield journal
        finally:
            with anyio.CancelScope(shield=True):
                await journal._write_held()
            await journal._writer.close()
            journal._owner.release()

    @property
    def writer(self) -> Writer:
        """The thread that owns the file, for what else is kept in it."""
        return self._writer

    @property
    def lost_writes(self) -> int:
        """How many writes did not reach the file."""
        return self._writer.lost_writes

    async def record_execution(self, execution: Execution) -> None:
        """Write the execution's state and its steps, lazily.

        Of one that runs it is its state at the moment of writing, which may be a later one.
        """
        if execution.status == "running":
            await self._track(execution)
            return
        running = self._running.pop(execution.id, None) or _Running(execution.id)
        self._holding.pop(execution.id, None)
        steps = {**running.steps, **_unwritten(execution, running.written)}
        statements = [
            self._encoder.execution(execution, self._owner.id),
            self._encoder.steps(execution.id, steps.values()),
            *self._prune_now_and_then(),
        ]
        await self._writer.submit(partial(_execute, statements))

    async def record_step(
        self, execution_id: str, step: StepRecord, *, durable: bool = False
    ) -> None:
        """Write one step's state; with `durable`, return only once it is on the disk.

        A read of a running execution is written as it is at the moment of writing.

        Raises:
            JournalError: a durable write failed.

        """
        running = self._running.get(execution_id)
        if running is not None and not durable and step.effects in _HELD_EFFECTS:
            self._hold(running)
            running.steps[step.step_id] = step
            if len(running.steps) >= HELD_STEPS:
                await self._write(running)
            return
        if running is not None:
            await self._write(running)
            running.written[step.step_id] = step.status
        statements = [
            (rows.EXPECT_EXECUTION, [(execution_id, self._owner.id)]),
            self._encoder.steps(execution_id, [step]),
        ]
        work = partial(_execute, statements)
        if durable:
            await self._writer.perform(work, "durable")
        else:
            await self._writer.submit(work)

    async def get(self, execution_id: str) -> Execution | None:
        """Return one execution with its steps, or None; the start of an id will do.

        Raises:
            UnknownExecutionError: several ids begin like this.
            JournalError: the file cannot be read.

        """
        execution_id = clean(execution_id)
        await self._write_held(execution_id)
        found: list[Execution] = await self._writer.perform(
            partial(rows.find, execution_id=execution_id), "read"
        )
        if not found or found[0].id == execution_id:
            return found[0] if found else None
        if len(execution_id) < SHORTEST_PREFIX:
            return None
        if len(found) > 1:
            raise UnknownExecutionError(
                f"several executions begin with '{execution_id}'", hint="give more of the id"
            )
        return found[0]

    async def recent(self, limit: int) -> list[Execution]:
        """Return the latest executions, newest first, with their steps; `MOST_RECENT` at most.

        Raises:
            JournalError: the file cannot be read.

        """
        await self._write_held()
        most = max(0, min(limit, MOST_RECENT))
        executions: list[Execution] = await self._writer.perform(
            partial(rows.recent, limit=most), "read"
        )
        return executions

    async def past_requests(self, limit: int) -> list[PastRequest]:
        """Return the latest requests that were answered, newest first; `MAX_PAST_REQUESTS` at most.

        Raises:
            JournalError: the file cannot be read.

        """
        most = max(0, min(limit, MAX_PAST_REQUESTS))
        past: list[PastRequest] = await self._writer.perform(
            partial(rows.past_requests, limit=most), "read"
        )
        return past

    async def past_plans(self, limit: int) -> list[PastPlan]:
        """Return the latest requests that were served, newest first, with the tools of each.

        Looks at `limit` executions, `MAX_PAST_PLANS` at most.

        Raises:
            JournalError: the file cannot be read.

        """
        most = max(0, min(limit, MAX_PAST_PLANS))
        past: list[PastPlan] = await self._writer.perform(
            partial(rows.past_plans, limit=most), "read"
        )
        return past

    # --- what is held back

    async def _track(self, execution: Execution) -> None:
        running = self._running.get(execution.id)
        if running is None:
            running = self._running[execution.id] = _Running(execution.id)
        self._hold(running)
        running.execution = execution
        if len(self._running) > TRACKED_EXECUTIONS:
            _, oldest = self._running.popitem(last=False)
            await self._write(oldest)

    def _hold(self, running: _Running) -> None:
        if running.id not in self._holding:
            running.since = time.monotonic()
            self._holding[running.id] = running
            self._writer.nudge()

    async def _write(self, running: _Running) -> None:
        """Queue what is held back of an execution."""
        if running.id in self._holding:
            await self._writer.submit(self._taken(running))

    async def _write_held(self, prefix: str = "") -> None:
        """Queue what is held back of all executions whose ids begin so."""
        for running in tuple(self._holding.values()):
            if running.id.startswith(prefix):
                await self._write(running)

    def _write_old(self) -> None:
        """Queue what has been held back for long enough; runs after every batch."""
        before = time.monotonic() - HELD_SECONDS
        for running in tuple(self._holding.values()):
            if running.since > before or not self._writer.has_room:
                break
            self._writer.submit_now(self._taken(running))
        if self._holding:
            self._writer.nudge()

    def _taken(self, running: _Running) -> Work:
        """Return what writes all that is held back of an execution, which is not held any more."""
        del self._holding[running.id]
        execution, steps = running.execution, running.steps
        running.execution, running.steps = None, {}
        try:
            statements = self._of_running(running, execution, steps)
        except Exception:
            # Neither the writer's thread nor the write that comes next may fail of it.
            _logger.exception("not journalled", extra={"execution": running.id})
            self._writer.lost_writes += 1
            statements = []
        return partial(_execute, statements)

    def _of_running(
        self, running: _Running, execution: Execution | None, steps: dict[str, StepRecord]
    ) -> list[rows.Statement]:
        statements: list[rows.Statement] = []
        if execution is not None:
            # A crash before its end is recorded must find it running.
            statements.append(self._encoder.execution(execution, self._owner.id, status="running"))
            unwritten = _unwritten(execution, running.written).items()
            # What is under way would look like a write in doubt, if nobody knows its effects yet.
            steps |= {id_: step for id_, step in unwritten if step.status != "running"}
        running.written |= {id_: step.status for id_, step in steps.items()}
        statements.append(self._encoder.steps(running.id, steps.values()))
        return statements

    async def _begin(self) -> None:
        try:
            await self._writer.perform(self._tidy, "upkeep")
        except JournalError as error:
            if isinstance(error, NewerJournalError):
                raise  # any other failure is logged, and the next write tries again

    def _before_connect(self) -> None:
        make_private_folder(self._path.parent)
        self._owner.take()

    def _tidy(self, connection: sqlite3.Connection) -> None:
        sweep(self._path)
        owners = rows.running_owners(connection)
        rows.interrupt(connection, [owner for owner in owners if not is_alive(self._path, owner)])
        _execute([self._prune()], connection)

    def _prune_now_and_then(self) -> Iterator[rows.Statement]:
        self._since_prune += 1
        if self._since_prune >= self._prune_every:
            self._since_prune = 0
            yield self._prune()

    def _prune(self) -> rows.Statement:
        return rows.PRUNE, [(PRUNED_AT_ONCE, self._keep)]


def _unwritten(execution: Execution, written: Mapping[str, StepStatus]) -> dict[str, StepRecord]:
    """Return the steps whose present status is not written."""
    steps = execution.steps.items()
    return {id_: step for id_, step in steps if written.get(id_) != step.status}


def _execute(statements: Sequence[rows.Statement], connection: sqlite3.Connection) -> None:
    for sql, values in statements:
        connection.executemany(sql, values)
