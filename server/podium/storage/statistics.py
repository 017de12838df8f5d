"""What the monitor counts, in one SQLite file: exact whoever writes, and each execution once.

Everything that one execution adds, and what is decided because of it, is one transaction; counts
are added in SQL, so processes that share the file lose nothing of each other's. Executions that end
at about the same time share a transaction, which writes each row once. A file that is corrupt is
set aside and begun anew: the compositions stay where they are and prove themselves again.
"""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anyio
from anyio import to_thread

from podium.domain.errors import StatisticsError
from podium.domain.learning import Change, Counted, Decide, Decision, Entry, Health, Lifetime
from podium.domain.ports import Clock
from podium.domain.redaction import Redactor
from podium.domain.tallies import Delta, Subject, Tally
from podium.storage import statistics_rows as rows
from podium.storage.database import clean, identity, is_corrupt, set_aside
from podium.storage.statistics_batch import Batch, Parsed

PRUNE_EVERY = 200  # executions

_OF_THE_FILE = (sqlite3.OperationalError, OSError, StatisticsError)

Work = Callable[[Batch], Any]


@dataclass(frozen=True, slots=True)
class Retention:
    """How much is kept; beyond it the oldest goes."""

    executions: int = 50_000  # so long a second count of one is recognised, and feedback possible
    subjects: int = 20_000  # versions, their steps, tools
    changes: int = 10_000
    seconds: float = 365 * 86_400.0  # after which what nothing was added to is forgotten


@dataclass(slots=True)
class _Job:
    work: Work
    is_done: bool = False
    value: Any = None
    error: Exception | None = None


class SqliteStatistics:
    """Satisfies `podium.domain.ports.Statistics`; opened by its first use."""

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock,
        redactor: Redactor | None = None,
        retention: Retention | None = None,
    ) -> None:
        self._path = path
        self._redactor = redactor or Redactor()
        self._clock = clock
        self._retention = retention or Retention()
        self._lock: anyio.Lock | None = None
        self._jobs: list[_Job] = []
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._since_prune = 0
        self._parsed: Parsed = {}  # one for each composition
        self.remark = ""  # what has become of the file

    async def close(self) -> None:
        """Close the file; another use opens it again."""
        async with self._turn():
            await to_thread.run_sync(self._disconnect)

    # --- writes

    async def apply(
        self, entries: Sequence[tuple[Entry, Decide]]
    ) -> list[Decision | StatisticsError | None]:
        """Count executions and decide what comes of each; None if it was counted before.

        An error says that nothing of that execution was counted.
        """
        jobs = [_Job(partial(_apply, entry, decide)) for entry, decide in entries]
        await self._do(jobs)
        return [_unavailable(self._path, job.error) if job.error else job.value for job in jobs]

    async def revise(
        self, execution_id: str, revise: Callable[[Counted], Counted],
        decide: Callable[[Counted, Counted], Decide], delta: Callable[[Counted, Counted], Delta],
    ) -> Decision | None:  # fmt: skip
        """Change how an execution counts; None if it is not known, or counts as it did.

        Raises:
            StatisticsError: nothing was changed.

        """
        work = partial(self._revise, execution_id, revise, decide, delta)
        decision: Decision | None = await self._perform(work)
        return decision

    async def update(self, composition_id: str, decide: Decide) -> Decision:
        """Change the health of a composition.

        Raises:
            StatisticsError: nothing was changed.

        """
        decision: Decision = await self._perform(lambda batch: batch.decide(composition_id, decide))
        return decision

    async def settle(self, number: int) -> None:
        """Take note that a change has been carried out, or cannot be.

        Raises:
            StatisticsError: it could not be noted.

        """
        sql = "UPDATE changes SET is_open = 0 WHERE number = ?"
        await self._on_rows(lambda connection: connection.execute(sql, (number,)).rowcount)

    async def note_passed(self, intent_type: str, change: Callable[[int], int]) -> int:
        """Change how many requests of an intent have passed since one on trial answered.

        Raises:
            StatisticsError: nothing was changed.

        """
        work = partial(rows.note_passed, clean(intent_type), change, self._clock.now())
        passed: int = await self._on_rows(work)
        return passed

    # --- reads

    async def healths(self) -> dict[str, Health]:
        """Return the health of every composition on record.

        Raises:
            StatisticsError: the file cannot be read.

        """
        healths: dict[str, Health] = await self._on_rows(rows.healths)
        return healths

    async def counted(self, execution_ids: Sequence[str]) -> dict[str, Counted]:
        """Return those of the executions that have been counted; `READ_AT_ONCE` at most.

        Raises:
            StatisticsError: the file cannot be read.

        """
        ids = [clean(id_) for id_ in execution_ids[: rows.READ_AT_ONCE]]
        found: dict[str, Counted] = await self._on_rows(partial(rows.counted, ids))
        return found

    async def lifetimes(self, kind: str, version: str | None = None) -> list[Lifetime]:
        """Return the counts of every subject of a kind (and version), by name.

        Raises:
            StatisticsError: the file cannot be read.

        """
        found: list[Lifetime] = await self._on_rows(partial(rows.lifetimes, kind, version))
        return found

    async def tallies(self, kind: str) -> dict[Subject, Tally]:
        """Return the counts of every subject of a kind, without its error codes.

        Raises:
            StatisticsError: the file cannot be read.

        """
        found: dict[Subject, Tally] = await self._on_rows(partial(rows.tallies, kind))
        return found

    async def changes(
        self, composition_id: str | None = None, limit: int = 100, *, only_open: bool = False
    ) -> list[Change]:
        """Return the latest changes, newest first; open ones are not carried out yet.

        Raises:
            StatisticsError: the file cannot be read.

        """
        most = max(0, min(limit, rows.READ_AT_ONCE))
        work = partial(rows.changes, composition_id, most, only_open=only_open)
        found: list[Change] = await self._on_rows(work)
        return found

    # --- one transaction

    def _turn(self) -> anyio.Lock:
        if self._lock is None:
            self._lock = anyio.Lock()
        return self._lock

    async def _on_rows(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        return await self._perform(lambda batch: work(batch.written()))

    async def _perform(self, work: Work) -> Any:
        job = _Job(work)
        await self._do([job])
        if job.error is not None:
            raise _unavailable(self._path, job.error) from job.error
        return job.value

    async def _do(self, jobs: Sequence[_Job]) -> None:
        self._jobs += jobs
        async with self._turn():
            if not all(job.is_done for job in jobs):  # else they went with others' transaction
                waiting, self._jobs = self._jobs, []
                await to_thread.run_sync(self._run, waiting)

    def _run(self, jobs: list[_Job]) -> None:
        try:
            self._transact(jobs)
        except _OF_THE_FILE as error:  # all would fail alike, each after its wait
            for job in jobs:
                job.error = error
        except Exception as error:  # noqa: BLE001 - each caller is told
            if len(jobs) > 1:  # one of them cannot be done; the others shall not go with it
                for job in jobs:
                    self._run([job])
                return
            jobs[0].error = error
        for job in jobs:
            job.is_done = True

    def _transact(self, jobs: list[_Job]) -> None:
        try:
            self._attempt(jobs)
        except sqlite3.DatabaseError as error:
            if not is_corrupt(error):
                raise
            said = set_aside(self._path, self._identity, "record of statistics")
            self.remark = said or self.remark
            self._attempt(jobs)

    def _attempt(self, jobs: list[_Job]) -> None:
        try:
            connection = self._connected()
            connection.execute("BEGIN IMMEDIATE")
            batch = Batch(connection, self._clock.now(), self._parsed)
            for job in jobs:
                job.value = job.work(batch)
            batch.written()
            self._prune_now_and_then(connection, len(jobs))
            connection.execute("COMMIT")
        except BaseException:
            self._disconnect()  # which rolls back
            raise

    def _connected(self) -> sqlite3.Connection:
        # Somebody may have removed the file, or another process set it aside as corrupt.
        if self._connection is not None and identity(self._path) != self._identity:
            self._disconnect()
        if self._connection is None:
            self._identity = identity(self._path)
            self._connection = rows.connect(self._path)
            self._identity = identity(self._path)
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _prune_now_and_then(self, connection: sqlite3.Connection, jobs: int) -> None:
        self._since_prune += jobs
        if self._since_prune < PRUNE_EVERY:
            return
        self._since_prune = 0
        bounds = {
            "executions": self._retention.executions,
            "subjects": self._retention.subjects,
            "changes": self._retention.changes,
            "before": self._clock.now() - self._retention.seconds,
        }
        for statement in rows.PRUNE:
            connection.execute(statement, bounds)

    def _revise(
        self, execution_id: str, revise: Callable[[Counted], Counted],
        decide: Callable[[Counted, Counted], Decide], delta: Callable[[Counted, Counted], Delta],
        batch: Batch,
    ) -> Decision | None:  # fmt: skip
        connection = batch.written()
        before = rows.counted([clean(execution_id)], connection).get(execution_id)
        if before is None or (after := revise(before)) == before:
            return None
        values = {
            "execution_id": execution_id,
            "verdict": after.verdict,
            "rating": after.rating,
            "is_redone": after.is_redone,
            "comment": clean(self._redactor.text(after.comment)),
        }
        connection.execute(rows.REVISE, values)
        if after.verdict == before.verdict:
            return None, ()
        connection.execute(rows.REVISE_RECENT, values)
        batch.add(delta(before, after))
        return batch.decide(before.composition_id, decide(before, after))


def _apply(entry: Entry, decide: Decide, batch: Batch) -> Decision | None:
    return batch.decide(entry.composition_id, decide) if batch.count(entry) else None


def _unavailable(path: Path, error: Exception) -> StatisticsError:
    if isinstance(error, StatisticsError):
        return error
    return StatisticsError(
        f"the record of statistics {path} is unavailable: {error}",
        hint="check that its folder can be written and that the disk is not full",
    )
