"""Traces and what was made of them, in one SQLite file; and the folder of learnt compositions.

Traces end seldom (once a conversation), so each use opens the file, works and closes it. What is
written has no secrets: the recorder takes them out, and this does once more. A corrupt file is set
aside and begun anew; the compositions that were learnt are files of their own.
"""

import hashlib
import json
import re
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from anyio import to_thread

from podium.domain.errors import TracesError
from podium.domain.ports import Clock
from podium.domain.redaction import Redactor
from podium.domain.trace import Learnt, Trace, TracedCall
from podium.storage.database import BUSY_SECONDS, identity, is_corrupt, set_aside
from podium.storage.locks import locked
from podium.storage.private import make_private_file, make_private_folder, replace_private_file

SCHEMA_VERSION = 1
STATUS_FOLDERS = ("templates", "validated", "deprecated")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_T = TypeVar("_T")

_TABLES = """
CREATE TABLE traces (
    id TEXT PRIMARY KEY,
    task TEXT NOT NULL,
    kept_at REAL NOT NULL,
    bytes INTEGER NOT NULL,
    data TEXT NOT NULL
);
CREATE INDEX traces_by_task ON traces (task, kept_at);
CREATE TABLE learnt (
    task TEXT PRIMARY KEY,
    updated_at REAL NOT NULL,
    data TEXT NOT NULL
);
CREATE TABLE shapes (
    tool TEXT PRIMARY KEY,
    definition TEXT NOT NULL,
    data TEXT NOT NULL
);
"""
_KEEP_SHAPE = """
INSERT INTO shapes (tool, definition, data) VALUES (?, ?, ?)
ON CONFLICT (tool) DO UPDATE SET definition = excluded.definition, data = excluded.data
"""
_ADD = """
INSERT INTO traces (id, task, kept_at, bytes, data) VALUES (:id, :task, :now, :bytes, :data)
ON CONFLICT (id) DO UPDATE SET task = excluded.task, kept_at = excluded.kept_at,
    bytes = excluded.bytes, data = excluded.data
"""
_PRUNE_TASK = """
DELETE FROM traces WHERE task = :task AND rowid IN (
    SELECT rowid FROM traces WHERE task = :task
    ORDER BY kept_at DESC, rowid DESC LIMIT -1 OFFSET :keep)
"""
_EXPIRE = "DELETE FROM traces WHERE kept_at < :before"
_PRUNE_BYTES = """
DELETE FROM traces WHERE rowid IN (
    SELECT rowid FROM (
        SELECT rowid, SUM(bytes) OVER (ORDER BY kept_at DESC, rowid DESC) AS total FROM traces)
    WHERE total > :bytes)
"""
_PRUNE_LEARNT = """
DELETE FROM learnt WHERE rowid IN (
    SELECT rowid FROM learnt ORDER BY updated_at DESC, rowid DESC LIMIT -1 OFFSET :keep)
"""
_KEEP = """
INSERT INTO learnt (task, updated_at, data) VALUES (:task, :now, :data)
ON CONFLICT (task) DO UPDATE SET updated_at = excluded.updated_at, data = excluded.data
"""


@dataclass(frozen=True, slots=True)
class TraceRetention:
    """How much is kept; beyond it the oldest goes."""

    per_task: int = 20  # more tell nothing new
    bytes: int = 64 * 1024 * 1024
    seconds: float = 90 * 86_400.0
    learnt: int = 2_000  # tasks


class SqliteTraces:
    """Satisfies `TraceStore` and `ShapeStore` of `podium.domain.trace`; processes may share it."""

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock,
        redactor: Redactor,
        retention: TraceRetention | None = None,
    ) -> None:
        self.path = path
        self._clock = clock
        self._redactor = redactor
        self._retention = retention or TraceRetention()

    async def add(self, key: str, trace: Trace) -> None:
        """Keep a trace under the key of its task only, and forget what is beyond the bounds.

        Raises:
            TracesError: the file cannot be written.

        """
        await self._perform(partial(self._add, key, trace))

    async def of_task(self, key: str, limit: int) -> list[Trace]:
        """Return the latest traces of a task, the oldest first; unreadable ones are left out.

        Raises:
            TracesError: the file cannot be read.

        """
        query = "SELECT data FROM traces WHERE task = ? ORDER BY kept_at DESC, rowid DESC LIMIT ?"
        rows = await self._perform(lambda c: c.execute(query, (key, limit)).fetchall())
        traces = [_trace(row[0]) for row in reversed(rows)]
        return [trace for trace in traces if trace is not None]

    async def keep(self, learnt: Learnt) -> None:
        """Keep what was made of a task, in place of what was there.

        Raises:
            TracesError: the file cannot be written.

        """
        data = _dumped(self._redactor.value(asdict(learnt)))
        values = {"task": learnt.key, "now": self._clock.now(), "data": data}
        await self._perform(partial(self._keep, values))

    async def learnt(self, key: str | None = None) -> list[Learnt]:
        """Return what is on record of one task, or of all, the latest first.

        Raises:
            TracesError: the file cannot be read.

        """
        where, values = ("", ()) if key is None else (" WHERE task = ?", (key,))
        query = f"SELECT data FROM learnt{where} ORDER BY updated_at DESC, rowid DESC"  # noqa: S608 - two constants
        rows = await self._perform(lambda c: c.execute(query, values).fetchall())
        entries = [_learnt(row[0]) for row in rows]
        return [entry for entry in entries if entry is not None]

    async def forget(self, key: str) -> None:
        """Forget a task's traces and what was made of them.

        Raises:
            TracesError: the file cannot be written.

        """

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM traces WHERE task = ?", (key,))
            connection.execute("DELETE FROM learnt WHERE task = ?", (key,))

        await self._perform(work)

    async def shapes(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Return what tools returned, as it was kept.

        Raises:
            TracesError: the file cannot be read.

        """
        query = "SELECT tool, definition, data FROM shapes"
        rows = await self._perform(lambda c: c.execute(query).fetchall())
        return [(tool, definition, json.loads(data)) for tool, definition, data in rows]

    async def keep_shapes(self, rows: Sequence[tuple[str, str, dict[str, Any]]]) -> None:
        """Keep what tools returned.

        Raises:
            TracesError: the file cannot be written.

        """
        written = [
            (tool, definition, _dumped(self._redactor.value(data)))
            for tool, definition, data in rows
        ]
        await self._perform(lambda c: c.executemany(_KEEP_SHAPE, written))

    # --- in the worker thread

    def _add(self, key: str, trace: Trace, connection: sqlite3.Connection) -> None:
        kept, now = self._retention, self._clock.now()
        data = _dumped(self._redactor.value(_plain(trace)))  # here: it may be megabytes
        values = {"id": trace.id, "task": key, "now": now, "bytes": len(data), "data": data}
        connection.execute(_ADD, values)
        connection.execute(_PRUNE_TASK, {"task": key, "keep": kept.per_task})
        connection.execute(_EXPIRE, {"before": now - kept.seconds})
        connection.execute(_PRUNE_BYTES, {"bytes": kept.bytes})

    def _keep(self, values: dict[str, Any], connection: sqlite3.Connection) -> None:
        connection.execute(_KEEP, values)
        connection.execute(_PRUNE_LEARNT, {"keep": self._retention.learnt})

    async def _perform(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        return await to_thread.run_sync(self._performed, work)

    def _performed(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        before = identity(self.path)
        try:
            return self._once(work)
        except sqlite3.Error as error:
            if not is_corrupt(error):
                raise self._unavailable(error) from error
            set_aside(self.path, before, "record of traces")
        except OSError as error:
            raise self._unavailable(error) from error
        try:
            return self._once(work)
        except (sqlite3.Error, OSError) as error:
            raise self._unavailable(error) from error

    def _once(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        make_private_folder(self.path.parent)
        make_private_file(self.path)
        opened = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
        with closing(opened) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                self._make_tables(connection)
                value = work(connection)
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
            return value

    def _make_tables(self, connection: sqlite3.Connection) -> None:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version > SCHEMA_VERSION:
            raise TracesError(
                f"{self.path}: was written by a later version of Podium",
                hint="update Podium, or move the file away to begin a new one",
            )
        if version == 0:
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _unavailable(self, error: Exception) -> TracesError:
        return TracesError(
            f"{self.path}: the record of traces cannot be used: {error}",
            hint="look at the folder's rights and the free space; nothing else depends on it",
        )


def _dumped(value: Any) -> str:
    # Half characters are escaped, so that SQLite holds them.
    return json.dumps(value)


def _plain(trace: Trace) -> dict[str, Any]:
    return {**asdict(trace), "calls": [asdict(call) for call in trace.calls]}


def _trace(text: str) -> Trace | None:
    try:
        data = json.loads(text)
        calls = tuple(TracedCall(**call) for call in data.pop("calls"))
        return Trace(**data, calls=calls)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None  # a later version wrote it, or somebody


def _learnt(text: str) -> Learnt | None:
    try:
        return Learnt(**json.loads(text))
    except (ValueError, TypeError, RecursionError):
        return None


class LearntFolder:
    """Satisfies `podium.domain.trace.LearntFiles` in a workspace's folders."""

    def __init__(self, compositions: Path, patterns: Path) -> None:
        self._compositions = compositions
        self._patterns = patterns

    def read(self, composition_id: str) -> str | None:
        """Return a learning file's text, or None if there is none that can be read."""
        return _text_of(self._path(composition_id))

    def read_pattern(self, composition_id: str) -> str | None:
        """Return the text of a composition's pattern file, or None if there is none."""
        return _text_of(self._pattern_path(composition_id))

    def write(self, composition_id: str, content: str, sha256: str) -> bool:
        """Write a file in place of the one with this hash; "" where there must be none.

        Raises:
            TracesError: it cannot be written.

        """
        is_elsewhere = partial(self._is_elsewhere, composition_id)
        return self._write(self._path(composition_id), content, sha256, is_elsewhere)

    def write_pattern(self, composition_id: str, content: str, sha256: str) -> bool:
        """Write a pattern file in place of the one with this hash; "" where there must be none.

        Raises:
            TracesError: it cannot be written.

        """
        return self._write(self._pattern_path(composition_id), content, sha256, lambda: False)

    def _write(
        self, path: Path, content: str, sha256: str, is_elsewhere: Callable[[], bool]
    ) -> bool:
        try:
            with locked(self._compositions / ".learnt.lock"):
                there = _text_of(path)
                known = "" if there is None else _sha256(there)
                if known != sha256 or is_elsewhere():
                    return False
                replace_private_file(path, content.encode("utf-8", "replace"), durable=True)
                return True
        except OSError as error:
            raise TracesError(f"{path}: cannot be written: {error.strerror or error}") from error

    def _pattern_path(self, composition_id: str) -> Path:
        return self._patterns / self._path(composition_id).name

    def _path(self, composition_id: str) -> Path:
        if not _ID.fullmatch(composition_id):
            raise TracesError(f"'{composition_id[:80]}' is no id of a composition")
        return self._compositions / "learning" / f"{composition_id}.json"

    def _is_elsewhere(self, composition_id: str) -> bool:
        return any(
            (self._compositions / folder / f"{composition_id}.json").exists()
            for folder in STATUS_FOLDERS
        )


def _text_of(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return None


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
