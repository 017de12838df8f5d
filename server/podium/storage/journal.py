"""The record of executions in a SQLite file that several processes may share.

Writes are lazy: redacted, made into rows and queued at once, committed by a thread of their own. A
durable write returns when it is on the disk. If the file cannot be written, executions go on:
what is lost is counted and logged once, and only durable writes raise.
"""

import sqlite3
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Self

from podium.domain.errors import JournalError, UnknownExecutionError
from podium.domain.execution import Execution, StepRecord, StepStatus
from podium.domain.limits import Limits
from podium.domain.past import MAX_PAST_REQUESTS, PastRequest
from podium.domain.redaction import Redactor
from podium.storage import rows
from podium.storage.database import NewerJournalError
from podium.storage.owners import Owner, is_alive, sweep
from podium.storage.private import make_private_folder
from podium.storage.writer import Writer

SHORTEST_PREFIX = 6  # characters of an id that may stand for the whole
MOST_RECENT = 1_000  # executions that one call returns
TRACKED_EXECUTIONS = 2_000  # running ones of which we know what is written
PRUNED_AT_ONCE = 500  # executions removed in one go; old ones wait for the next


class SqliteJournal:
    """Satisfies `podium.domain.ports.Journal`; made by `open`."""

    def __init__(self, path: Path, *, redactor: Redactor, limits: Limits) -> None:
        self._path = path
        self._keep = limits.journal_executions
        self._prune_every = max(1, min(self._keep // 10, PRUNED_AT_ONCE // 5))
        self._since_prune = 0
        self._encoder = rows.Encoder(redactor, limits.journal_value_bytes)
        self._owner = Owner(path)
        self._writer = Writer(path, self._before_connect)
        self._written: OrderedDict[str, dict[str, StepStatus]] = OrderedDict()

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
        """Write the execution's current state and its steps, lazily."""
        written = self._written.setdefault(execution.id, {})
        statements = [self._encoder.execution(execution, self._owner.id)]
        for step in execution.steps.values():
            if written.get(step.step_id) != step.status:  # most were written by `record_step`
                written[step.step_id] = step.status
                statements.append(self._encoder.step(execution.id, step))
        if execution.status != "running":
            del self._written[execution.id]
            statements.extend(self._prune_now_and_then())
        elif len(self._written) > TRACKED_EXECUTIONS:
            self._written.popitem(last=False)
        await self._writer.submit(partial(_execute, statements))

    async def record_step(
        self, execution_id: str, step: StepRecord, *, durable: bool = False
    ) -> None:
        """Write one step's current state; with `durable`, return only once it is on the disk.

        Raises:
            JournalError: a durable write failed.

        """
        statements = [self._encoder.step(execution_id, step)]
        written = self._written.get(execution_id)
        if written is None:
            values = {"execution_id": execution_id, "owner": self._owner.id}
            statements.insert(0, (rows.EXPECT_EXECUTION, values))
        else:
            written[step.step_id] = step.status
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
        execution_id = rows.clean(execution_id)
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
        connection.execute(*self._prune())

    def _prune_now_and_then(self) -> Iterator[rows.Statement]:
        self._since_prune += 1
        if self._since_prune >= self._prune_every:
            self._since_prune = 0
            yield self._prune()

    def _prune(self) -> rows.Statement:
        return rows.PRUNE, {"keep": self._keep, "most": PRUNED_AT_ONCE}


def _execute(statements: Sequence[rows.Statement], connection: sqlite3.Connection) -> None:
    for sql, values in statements:
        connection.execute(sql, values)
