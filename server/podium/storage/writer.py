"""One thread that owns the connection: jobs in, each batch of them one transaction.

Committing costs the same for one job as for five hundred, so whatever has gathered while one batch
was written becomes the next one.
"""

import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any, Literal

import anyio
from anyio import from_thread, to_thread
from anyio.lowlevel import EventLoopToken, current_token

from podium.domain.errors import JournalError
from podium.storage.database import connect, identity, is_corrupt, set_aside

QUEUED_JOBS = 1_024  # what may wait before callers do; a job holds some values of 64 kB at most
BATCH_JOBS = 512
GATHER_SECONDS = 0.05  # for more lazy writes: waking the thread for each costs more than writing it
ROOM_SECONDS = 5.0  # how long a caller waits for room in the queue
ANSWER_SECONDS = 30.0  # how long a caller waits for its job; several batches on a slow disk
CLOSE_SECONDS = 10.0  # how long closing waits for what is queued

Work = Callable[[sqlite3.Connection], Any]
JobKind = Literal["lazy", "durable", "upkeep", "read", "nudge"]

_UNHURRIED = frozenset({"lazy", "nudge"})
_WRITES_NOTHING = frozenset({"read", "nudge"})
_OF_THE_FILE = (sqlite3.OperationalError, OSError, JournalError)  # every job would fail alike

_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Job:
    work: Work
    kind: JobKind
    done: anyio.Event | None = None  # where somebody waits
    value: Any = None
    error: Exception | None = None

    @property
    def is_record(self) -> bool:
        return self.kind in {"lazy", "durable"}


class Writer:
    """The thread and the way to it. Made, used and closed in one event loop."""

    def __init__(
        self, path: Path, before_connect: Callable[[], None], after_batch: Callable[[], None]
    ) -> None:
        """Remember the file; `before_connect` runs in the thread before each opening of it.

        `after_batch` runs in the event loop after each batch, and soon after a `nudge`.
        """
        self._path = path
        self._before_connect = before_connect
        self._after_batch = after_batch
        self._is_nudged = False
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._room = anyio.Semaphore(QUEUED_JOBS)
        self._is_urgent = Event()
        self._thread = Thread(target=self._run, name="podium-journal", daemon=True)
        self._token: EventLoopToken | None = None
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._is_failing = False
        self._is_closed = False
        self.lost_writes = 0

    def start(self) -> None:
        """Begin; needs a running event loop."""
        self._token = current_token()
        self._thread.start()

    async def close(self) -> None:
        """Write what is queued, for `CLOSE_SECONDS` at most, and end."""
        self._is_closed = True
        self._jobs.put(None)
        self._is_urgent.set()
        with anyio.CancelScope(shield=True):
            limiter = anyio.CapacityLimiter(1)  # no queueing behind other people's threads
            await to_thread.run_sync(self._thread.join, CLOSE_SECONDS, limiter=limiter)
        if self._thread.is_alive():
            _logger.warning("the journal %s was closed before all was written", self._path)

    async def submit(self, work: Work) -> None:
        """Queue a write and return; if it fails, it is counted in `lost_writes`."""
        if not self.submit_now(work):
            await self._queue(_Job(work, "lazy"))

    def submit_now(self, work: Work) -> bool:
        """Queue a write as `submit` does, if there is room; return whether it is queued."""
        if self._is_closed or not self._takes_room():
            return False
        self._put(_Job(work, "lazy"))
        return True

    @property
    def has_room(self) -> bool:
        """Whether `submit_now` would queue a write."""
        return not self._is_closed and self._room.value > 0

    def nudge(self) -> None:
        """Have `after_batch` called within a few times `GATHER_SECONDS`."""
        # If there is no room, then there is a batch after which it is called.
        if not self._is_nudged and not self._is_closed and self._takes_room():
            self._is_nudged = True
            self._put(_Job(_nothing, "nudge"))

    async def perform(self, work: Work, kind: JobKind) -> Any:
        """Return what the work returns, once it is committed (and on the disk, if `durable`).

        Raises:
            JournalError: it could not be done.

        """
        done = anyio.Event()
        job = _Job(work, kind, done)
        if not await self._queue(job):
            raise _unavailable(self._path, "it is closed or its queue is full")
        with anyio.move_on_after(ANSWER_SECONDS):
            await done.wait()
        if not done.is_set():
            raise _unavailable(self._path, f"no answer within {ANSWER_SECONDS:g} s")
        if isinstance(job.error, JournalError):
            raise job.error
        if job.error is not None:
            raise _unavailable(self._path, str(job.error)) from job.error
        return job.value

    async def _queue(self, job: _Job) -> bool:
        if not self._is_closed and await self._has_room():
            self._put(job)
            return True
        self.lost_writes += job.is_record
        return False

    def _put(self, job: _Job) -> None:
        self._jobs.put(job)
        if job.kind not in _UNHURRIED or self._room.value < QUEUED_JOBS // 2:
            self._is_urgent.set()

    def _takes_room(self) -> bool:
        try:
            self._room.acquire_nowait()
        except anyio.WouldBlock:
            return False
        return True

    async def _has_room(self) -> bool:
        if self._takes_room():
            return True
        if self._is_failing:  # room will not come soon, and executions go on
            return False
        with anyio.move_on_after(ROOM_SECONDS):
            await self._room.acquire()
            return True
        return False

    def _finish(self, jobs: Sequence[_Job]) -> None:
        """Tell the callers; runs in the event loop."""
        for job in jobs:
            self.lost_writes += job.error is not None and job.is_record
            self._is_nudged = self._is_nudged and job.kind != "nudge"
            if job.done is not None:
                job.done.set()
            self._room.release()
        if not self._is_closed:
            self._after_batch()

    # --- in the thread

    def _run(self) -> None:
        is_open = True
        while is_open:
            batch, is_open = self._next_batch()
            self._write([job for job in batch if job.kind not in _WRITES_NOTHING])
            self._read([job for job in batch if job.kind == "read"])
            if nudges := [job for job in batch if job.kind == "nudge"]:
                self._tell(nudges)
        self._disconnect()

    def _next_batch(self) -> tuple[list[_Job], bool]:
        batch: list[_Job] = []
        try:
            job = self._jobs.get()
            if job is not None and job.kind in _UNHURRIED:
                self._is_urgent.wait(GATHER_SECONDS)
            self._is_urgent.clear()
            while job is not None:
                batch.append(job)
                if len(batch) == BATCH_JOBS:
                    return batch, True
                job = self._jobs.get_nowait()
        except Empty:
            return batch, True
        return batch, False

    def _write(self, jobs: list[_Job]) -> None:
        if not jobs:
            return
        try:
            self._transact(jobs, is_write=True)
        except Exception as error:  # noqa: BLE001 - the thread must outlive it and tell the callers
            if len(jobs) > 1 and not isinstance(error, _OF_THE_FILE):
                for job in jobs:  # one of them cannot be written; the others shall not go with it
                    self._write([job])
                return
            for job in jobs:
                job.error = error
            self._note_failure(error)
        else:
            self._is_failing = False
        self._tell(jobs)

    def _read(self, jobs: list[_Job]) -> None:
        for job in jobs:
            try:
                self._transact([job], is_write=False)
            except Exception as error:  # noqa: BLE001 - as for writes
                job.error = error
            self._tell([job])

    def _transact(self, jobs: list[_Job], *, is_write: bool) -> None:
        try:
            self._attempt(jobs, is_write=is_write)
        except sqlite3.DatabaseError as error:
            if not is_corrupt(error):
                raise
            set_aside(self._path, self._identity)
            self._attempt(jobs, is_write=is_write)

    def _attempt(self, jobs: list[_Job], *, is_write: bool) -> None:
        try:
            connection = self._connected()
            if is_write:
                # In a crash of the machine only FULL keeps the last commits; it costs one sync.
                is_durable = any(job.kind == "durable" for job in jobs)
                connection.execute(f"PRAGMA synchronous = {'FULL' if is_durable else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE" if is_write else "BEGIN")
            for job in jobs:
                job.value = job.work(connection)
            connection.execute("COMMIT")
        except BaseException:
            self._disconnect()  # which rolls back; the next batch begins with a fresh view
            raise

    def _connected(self) -> sqlite3.Connection:
        # Somebody may have removed the file, or another process set it aside as corrupt.
        if self._connection is not None and identity(self._path) != self._identity:
            self._disconnect()
        if self._connection is None:
            self._before_connect()
            self._identity = identity(self._path)
            self._connection = connect(self._path)
            self._identity = identity(self._path)
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _note_failure(self, error: Exception) -> None:
        if not self._is_failing:
            self._is_failing = True
            _logger.warning(
                "the journal %s cannot be written, what happens now is not recorded: %s",
                self._path,
                error,
            )

    def _tell(self, jobs: list[_Job]) -> None:
        try:
            from_thread.run_sync(self._finish, jobs, token=self._token)
        except RuntimeError:  # the event loop has ended before us; nobody waits any more
            _logger.debug("the event loop ended before the journal %s was closed", self._path)


def _nothing(_connection: sqlite3.Connection) -> None:
    """Be the work of a nudge."""


def _unavailable(path: Path, reason: str) -> JournalError:
    return JournalError(
        f"the journal {path} is unavailable: {reason}",
        hint="check that its folder can be written and that the disk is not full",
    )
