"""The tables of the statistics' SQLite file: made, written and read; nothing is decided here."""

import json
import logging
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from podium.domain.errors import StatisticsError
from podium.domain.learning import (  # fmt: skip
    Change,
    Counted,
    Entry,
    Health,
    Lifetime,
    Recent,
    Verdict,
)
from podium.domain.tallies import COUNTS, Delta, Histogram, Subject, Tally
from podium.storage.database import BUSY_SECONDS, WAL_BYTES, clean, opened_when_free

SCHEMA_VERSION = 2
RECENT_RUNS = 20  # of each subject
READ_AT_ONCE = 10_000  # rows of one question

_SUBJECT = "kind TEXT NOT NULL, version TEXT NOT NULL, name TEXT NOT NULL"
_TABLES = {
    "tallies": f"{_SUBJECT}, updated_at REAL NOT NULL, "
    + ", ".join(f"{name} INTEGER NOT NULL" for name in COUNTS)
    + ", PRIMARY KEY (kind, version, name)",
    "durations": f"{_SUBJECT}, bucket INTEGER NOT NULL, n INTEGER NOT NULL, "
    "PRIMARY KEY (kind, version, name, bucket)",
    "errors": f"{_SUBJECT}, code TEXT NOT NULL, n INTEGER NOT NULL, "
    "PRIMARY KEY (kind, version, name, code)",
    "recent": f"seq INTEGER PRIMARY KEY AUTOINCREMENT, {_SUBJECT}, execution_id TEXT NOT NULL, "
    "verdict TEXT NOT NULL, code TEXT NOT NULL, duration_ms REAL, at REAL NOT NULL",
    "counted": "execution_id TEXT PRIMARY KEY, composition_id TEXT NOT NULL, "
    "version TEXT NOT NULL, verdict TEXT NOT NULL, measured TEXT NOT NULL, at REAL NOT NULL, "
    "user_key TEXT NOT NULL, rating TEXT NOT NULL, is_redone INTEGER NOT NULL, "
    "comment TEXT NOT NULL",
    "healths": "composition_id TEXT PRIMARY KEY, data TEXT NOT NULL, updated_at REAL NOT NULL",
    "changes": "number INTEGER PRIMARY KEY AUTOINCREMENT, composition_id TEXT NOT NULL, "
    "data TEXT NOT NULL, is_open INTEGER NOT NULL, at REAL NOT NULL",
    "passed": "intent_type TEXT PRIMARY KEY, requests INTEGER NOT NULL, updated_at REAL NOT NULL",
}
_INDEXES = (
    "CREATE INDEX recent_by_subject ON recent (kind, version, name, seq)",
    "CREATE INDEX counted_by_time ON counted (at)",
    "CREATE INDEX changes_by_composition ON changes (composition_id, number)",
    "CREATE INDEX changes_open ON changes (is_open) WHERE is_open = 1",
    "CREATE INDEX tallies_by_time ON tallies (updated_at)",
)
# What brings a file of an earlier version to this one; 0 is a file that was just made.
_STEPS_FROM = {
    0: (*(f"CREATE TABLE {table} ({columns})" for table, columns in _TABLES.items()), *_INDEXES),
    1: (
        f"CREATE TABLE passed ({_TABLES['passed']})",
        "ALTER TABLE tallies ADD COLUMN rounds INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE tallies ADD COLUMN tokens INTEGER NOT NULL DEFAULT 0",
    ),
}

_THIS = "kind = :kind AND version = :version AND name = :name"
_ADD_TALLY = (
    f"INSERT INTO tallies (kind, version, name, updated_at, {', '.join(COUNTS)}) "  # noqa: S608
    f"VALUES (:kind, :version, :name, :now, {', '.join(f':{name}' for name in COUNTS)}) "
    "ON CONFLICT (kind, version, name) DO UPDATE SET updated_at = excluded.updated_at, "
    + ", ".join(f"{name} = {name} + excluded.{name}" for name in COUNTS)
)
_ADD_DURATIONS = """
INSERT INTO durations (kind, version, name, bucket, n) VALUES (:kind, :version, :name, :of, :n)
ON CONFLICT (kind, version, name, bucket) DO UPDATE SET n = n + excluded.n
"""
_ADD_ERRORS = """
INSERT INTO errors (kind, version, name, code, n) VALUES (:kind, :version, :name, :of, :n)
ON CONFLICT (kind, version, name, code) DO UPDATE SET n = n + excluded.n
"""
_ADD_RECENT = """
INSERT INTO recent (kind, version, name, execution_id, verdict, code, duration_ms, at)
VALUES (:kind, :version, :name, :execution_id, :verdict, :code, :duration_ms, :at)
"""
_TRIM_RECENT = f"""
DELETE FROM recent WHERE {_THIS} AND seq <= (
    SELECT seq FROM recent WHERE {_THIS} ORDER BY seq DESC LIMIT 1 OFFSET :keep)
"""  # noqa: S608 - constants only
_COUNT_ONCE = """
INSERT INTO counted (execution_id, composition_id, version, verdict, measured, at, user_key,
    rating, is_redone, comment)
VALUES (:execution_id, :composition_id, :version, :verdict, :verdict, :at, :user_key, '', 0, '')
ON CONFLICT (execution_id) DO NOTHING
"""
REVISE = """
UPDATE counted SET verdict = :verdict, rating = :rating, is_redone = :is_redone,
    comment = :comment
WHERE execution_id = :execution_id
"""
REVISE_RECENT = """
UPDATE recent SET verdict = :verdict
WHERE kind = 'composition' AND execution_id = :execution_id
"""
_SAVE_HEALTH = """
INSERT INTO healths (composition_id, data, updated_at) VALUES (:composition_id, :data, :now)
ON CONFLICT (composition_id) DO UPDATE SET data = excluded.data, updated_at = excluded.updated_at
"""
_SAVE_PASSED = """
INSERT INTO passed (intent_type, requests, updated_at) VALUES (:intent_type, :requests, :now)
ON CONFLICT (intent_type) DO UPDATE SET requests = excluded.requests,
    updated_at = excluded.updated_at
"""
_ADD_CHANGE = """
INSERT INTO changes (composition_id, data, is_open, at) VALUES (:composition_id, :data, :open, :at)
"""
_OVERTAKE = """
UPDATE changes SET is_open = 0 WHERE composition_id = :composition_id AND is_open = 1
"""
# What may be forgotten: the oldest beyond a bound, and the details of what is gone.
PRUNE = (
    """DELETE FROM counted WHERE execution_id IN (
        SELECT execution_id FROM counted ORDER BY at DESC LIMIT -1 OFFSET :executions)""",
    """DELETE FROM tallies WHERE updated_at < :before OR (kind, version, name) IN (
        SELECT kind, version, name FROM tallies ORDER BY updated_at DESC
        LIMIT -1 OFFSET :subjects)""",
    "DELETE FROM healths WHERE updated_at < :before",
    "DELETE FROM passed WHERE updated_at < :before",
    """DELETE FROM changes WHERE is_open = 0 AND number <= (
        SELECT number FROM changes ORDER BY number DESC LIMIT 1 OFFSET :changes)""",
    *(
        f"DELETE FROM {table} WHERE (kind, version, name) NOT IN "  # noqa: S608 - constants only
        "(SELECT kind, version, name FROM tallies)"
        for table in ("durations", "errors", "recent")
    ),
)

_logger = logging.getLogger(__name__)


def count_once(connection: sqlite3.Connection, entry: Entry) -> bool:
    """Take note that an execution is counted; False if it was before."""
    values = {
        "execution_id": clean(entry.execution_id),
        "composition_id": clean(entry.composition_id),
        "version": entry.version,
        "verdict": entry.verdict,
        "at": entry.at,
        "user_key": entry.user_key,
    }
    return connection.execute(_COUNT_ONCE, values).rowcount > 0


def add(connection: sqlite3.Connection, delta: Delta, now: float) -> None:
    """Add counts to what is there."""
    for subject, tally in delta.items():
        key = _key(subject)
        counts = {name: getattr(tally, name) for name in COUNTS}
        connection.execute(_ADD_TALLY, {**key, **counts, "now": now})
        for sql, details in ((_ADD_DURATIONS, tally.durations.counts), (_ADD_ERRORS, tally.errors)):
            connection.executemany(sql, ({**key, "of": of, "n": n} for of, n in details.items()))


def health_data(connection: sqlite3.Connection, composition_id: str) -> str | None:
    """Return what is on record of a composition's health, for `health_of`."""
    sql = "SELECT data FROM healths WHERE composition_id = ?"
    row = connection.execute(sql, (composition_id,)).fetchone()
    return None if row is None else row["data"]


def save_health(connection: sqlite3.Connection, id_: str, data: str, now: float) -> None:
    """Put the health of a composition on record."""
    connection.execute(_SAVE_HEALTH, {"composition_id": id_, "data": data, "now": now})


def keep(connection: sqlite3.Connection, change: Change) -> Change:
    """Put a change on record and return it with its number; a move is open until it is done."""
    values = {
        "composition_id": clean(change.composition_id),
        "data": json.dumps(change.to_dict(), default=str),
        "open": change.is_move,
        "at": change.at,
    }
    if change.is_move:  # what was to be done before it, and is not, is overtaken by it
        connection.execute(_OVERTAKE, values)
    number = connection.execute(_ADD_CHANGE, values).lastrowid
    return replace(change, number=number or 0)


def note_recent(
    connection: sqlite3.Connection, subject: Subject, runs: Iterable[tuple[Tally, Entry]]
) -> None:
    """Add runs to the latest ones of a subject, and forget the oldest of them."""
    key = _key(subject)
    connection.executemany(_ADD_RECENT, (key | _recent(tally, entry) for tally, entry in runs))
    connection.execute(_TRIM_RECENT, {**key, "keep": RECENT_RUNS})


def _recent(tally: Tally, entry: Entry) -> dict[str, Any]:
    verdict: Verdict = "success" if tally.successes else "uncounted"
    return {
        "execution_id": clean(entry.execution_id),
        "verdict": "failure" if tally.failures else verdict,
        "code": next(iter(tally.errors), ""),
        "duration_ms": tally.durations.percentile(1.0),
        "at": entry.at,
    }


def note_passed(
    intent_type: str, change: Callable[[int], int], now: float, connection: sqlite3.Connection
) -> int:
    """Change how many requests of an intent have passed, and return it; at first none has."""
    sql = "SELECT requests FROM passed WHERE intent_type = ?"
    row = connection.execute(sql, (intent_type,)).fetchone()
    before = 0 if row is None else int(row["requests"])
    requests = change(before)
    if requests != before:
        values = {"intent_type": intent_type, "requests": requests, "now": now}
        connection.execute(_SAVE_PASSED, values)
    return requests


# --- reading


def healths(connection: sqlite3.Connection) -> dict[str, Health]:
    """Return every health that can be read."""
    rows = connection.execute("SELECT composition_id, data FROM healths").fetchall()
    found = {row["composition_id"]: health_of(row["data"]) for row in rows}
    return {id_: health for id_, health in found.items() if health is not None}


def health_of(text: str) -> Health | None:
    """Return what a row says; None where it cannot be read, so that it is begun anew."""
    try:
        return Health.from_dict(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError):
        _logger.warning("a composition's record cannot be read; it proves itself anew")
        return None


def counted(ids: Sequence[str], connection: sqlite3.Connection) -> dict[str, Counted]:
    """Return those of the executions that have been counted."""
    sql = "SELECT * FROM counted WHERE execution_id = ?"
    rows = (connection.execute(sql, (id_,)).fetchone() for id_ in ids)
    return {row["execution_id"]: _counted_of(row) for row in rows if row is not None}


def _counted_of(row: sqlite3.Row) -> Counted:
    return Counted(
        execution_id=row["execution_id"],
        composition_id=row["composition_id"],
        version=row["version"],
        verdict=row["verdict"],
        at=row["at"],
        user_key=row["user_key"],
        rating=row["rating"],
        is_redone=bool(row["is_redone"]),
        measured=row["measured"],
        comment=row["comment"],
    )


def lifetimes(kind: str, version: str | None, connection: sqlite3.Connection) -> list[Lifetime]:
    """Return every subject of a kind with all that is known of it."""
    sql = (
        "SELECT * FROM tallies WHERE kind = :kind AND (:version IS NULL OR version = :version) "
        "ORDER BY name, version LIMIT :most"
    )
    values = {"kind": kind, "version": version, "most": READ_AT_ONCE}
    return [_lifetime(connection, row) for row in connection.execute(sql, values).fetchall()]


def _lifetime(connection: sqlite3.Connection, row: sqlite3.Row) -> Lifetime:
    subject = Subject(row["kind"], row["version"], row["name"])
    durations = _details(connection, "durations", "bucket", subject)
    tally = Tally(
        **{name: row[name] for name in COUNTS},
        durations=Histogram({int(bucket): n for bucket, n in durations}),
        errors=dict(_details(connection, "errors", "code", subject)),
    )
    sql = f"SELECT * FROM recent WHERE {_THIS} ORDER BY seq DESC LIMIT {RECENT_RUNS}"  # noqa: S608
    recent = tuple(
        Recent(r["execution_id"], r["verdict"], r["code"], r["duration_ms"], r["at"])
        for r in connection.execute(sql, _key(subject))
    )
    return Lifetime(subject, tally, recent)


def _details(
    connection: sqlite3.Connection, table: str, column: str, subject: Subject
) -> Iterable[Any]:
    sql = f"SELECT {column}, n FROM {table} WHERE {_THIS}"  # noqa: S608 - constants only
    return ((row[column], row["n"]) for row in connection.execute(sql, _key(subject)).fetchall())


def tallies(kind: str, connection: sqlite3.Connection) -> dict[Subject, Tally]:
    """Return the counts of every subject of a kind, the latest first, without its error codes."""
    histograms: dict[tuple[str, str], dict[int, int]] = {}
    sql = "SELECT version, name, bucket, n FROM durations WHERE kind = ?"
    for version, name, bucket, n in connection.execute(sql, (kind,)):
        histograms.setdefault((version, name), {})[bucket] = n
    sql = "SELECT * FROM tallies WHERE kind = ? ORDER BY updated_at DESC LIMIT ?"
    return {
        Subject(row["kind"], row["version"], row["name"]): Tally(
            **{name: row[name] for name in COUNTS},
            durations=Histogram(histograms.get((row["version"], row["name"]), {})),
        )
        for row in connection.execute(sql, (kind, READ_AT_ONCE)).fetchall()
    }


def changes(
    composition_id: str | None,
    limit: int,
    connection: sqlite3.Connection,
    *,
    only_open: bool,
) -> list[Change]:
    """Return the latest changes, newest first."""
    sql = (
        "SELECT number, data FROM changes WHERE (:id IS NULL OR composition_id = :id) "
        "AND (is_open = 1 OR NOT :only_open) ORDER BY number DESC LIMIT :limit"
    )
    values = {"id": composition_id, "only_open": only_open, "limit": limit}
    rows = connection.execute(sql, values).fetchall()
    return [change for row in rows if (change := _change(row)) is not None]


def _change(row: sqlite3.Row) -> Change | None:
    try:
        return Change(**{**json.loads(row["data"]), "number": row["number"]})
    except (ValueError, TypeError):
        _logger.warning("change %s on record cannot be read; it is left out", row["number"])
        return None


def _key(subject: Subject) -> dict[str, Any]:
    return {"kind": subject.kind, "version": subject.version, "name": clean(subject.name)}


# --- the file


def connect(path: Path) -> sqlite3.Connection:
    """Open the file, making it and its tables if need be.

    Raises:
        StatisticsError: a later version wrote it.
        sqlite3.Error, OSError: it cannot be opened.

    """
    return opened_when_free(path, _connect)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )  # used by one thread after another, never by two at once
    try:
        connection.row_factory = sqlite3.Row
        _make_tables(path, connection)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
    except BaseException:
        connection.close()
        raise
    return connection


def _make_tables(path: Path, connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        _refuse_later_version(path, version)
        for statement in _STEPS_FROM.get(version, ()):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        _refuse_other_tables(connection)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _refuse_later_version(path: Path, version: int) -> None:
    if version > SCHEMA_VERSION:
        raise StatisticsError(
            f"{path}: was written by a later version of Podium (schema {version}, "
            f"this one knows {SCHEMA_VERSION})",
            hint="update Podium, or move the file away to begin anew",
        )


def _refuse_other_tables(connection: sqlite3.Connection) -> None:
    """Raise as for a corrupt file when a table is missing or has lost a column."""
    fresh = sqlite3.connect(":memory:")
    try:
        for table, columns in _TABLES.items():
            fresh.execute(f"CREATE TABLE {table} ({columns})")
            info = f"PRAGMA table_info({table})"
            expected = {row[1] for row in fresh.execute(info)}
            if not expected <= {row[1] for row in connection.execute(info)}:
                error = sqlite3.DatabaseError(f"the table {table} is not what was written")
                error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
                raise error
    finally:
        fresh.close()
