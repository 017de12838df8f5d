"""The journal's SQLite file: opened, given its tables, and replaced when it is corrupt."""

import logging
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from podium.domain.errors import JournalError
from podium.storage.private import make_private_file, make_private_folder

SCHEMA_VERSION = 3
BUSY_SECONDS = 5.0  # how long a write waits for another process
WAL_BYTES = 16 * 1024 * 1024  # size to which the write-ahead log is cut back
CONNECT_PAUSE_SECONDS = 0.05  # two processes that start together may find it locked for a moment

_TABLES = """
CREATE TABLE executions (
    id TEXT PRIMARY KEY,
    composition_id TEXT NOT NULL DEFAULT '',
    user_id TEXT NOT NULL DEFAULT '',
    conversation_id TEXT NOT NULL DEFAULT '',
    request TEXT NOT NULL DEFAULT '',
    intent_type TEXT,
    status TEXT NOT NULL DEFAULT 'running',
    started_at REAL NOT NULL DEFAULT 0,
    duration_ms REAL,
    params TEXT,
    result TEXT,
    files TEXT,
    error TEXT,
    step_order TEXT,
    owner TEXT NOT NULL
);
CREATE INDEX executions_by_time ON executions (started_at);
CREATE INDEX executions_running ON executions (owner) WHERE status = 'running';
CREATE TABLE steps (
    execution_id TEXT NOT NULL REFERENCES executions (id) ON DELETE CASCADE,
    step_id TEXT NOT NULL,
    server_id TEXT NOT NULL,
    tool_id TEXT NOT NULL,
    status TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    started_at REAL,
    duration_ms REAL,
    effects TEXT,
    inputs TEXT,
    output TEXT,
    error TEXT,
    PRIMARY KEY (execution_id, step_id)
);
"""
_CONVERSATIONS = """
CREATE TABLE conversations (
    user_key TEXT NOT NULL,
    conversation_key TEXT NOT NULL,
    version INTEGER NOT NULL,
    updated_at REAL NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (user_key, conversation_key)
);
CREATE INDEX conversations_by_time ON conversations (updated_at);
"""
_SINCE_2 = """
ALTER TABLE executions ADD COLUMN question TEXT;
ALTER TABLE executions ADD COLUMN went_without TEXT;
ALTER TABLE executions ADD COLUMN is_resumable INTEGER NOT NULL DEFAULT 0;
ALTER TABLE executions ADD COLUMN timeline TEXT;
ALTER TABLE steps ADD COLUMN kind TEXT NOT NULL DEFAULT 'tool_id';
ALTER TABLE steps ADD COLUMN is_cached INTEGER NOT NULL DEFAULT 0;
"""
# What brings a file of the version before to this one; a new file goes through all of them.
_STEPS_TO = {1: _TABLES, 2: _SINCE_2, 3: _CONVERSATIONS}

_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

_logger = logging.getLogger(__name__)


def clean(text: str) -> str:
    """Return text that SQLite can hold: half characters become question marks."""
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode()


class NewerJournalError(JournalError):
    """The file was written by a later version of Podium."""


def connect(path: Path) -> sqlite3.Connection:
    """Open the file, making it and its tables if need be.

    Raises:
        NewerJournalError: a later version wrote it.
        sqlite3.Error, OSError: it cannot be opened.

    """
    return opened_when_free(path, _connect)


def opened_when_free(path: Path, open_: Callable[[Path], sqlite3.Connection]) -> sqlite3.Connection:
    """Return what `open_` makes of a private file, tried again while another process has it.

    Raises:
        sqlite3.Error, OSError: it cannot be opened, or is still locked after `BUSY_SECONDS`.

    """
    make_private_folder(path.parent)
    make_private_file(path)
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return open_(path)
        except sqlite3.OperationalError as error:
            if _primary_code(error) not in _BUSY or time.monotonic() > deadline:
                raise
            time.sleep(CONNECT_PAUSE_SECONDS)


def is_corrupt(error: BaseException) -> bool:
    """Return whether an error says that the file is no usable database."""
    return isinstance(error, sqlite3.DatabaseError) and _primary_code(error) in _CORRUPT


def identity(path: Path) -> tuple[int, int] | None:
    """Return what tells one file at this path from another, or None when there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def set_aside(path: Path, corrupt: tuple[int, int] | None, what: str = "journal") -> str:
    """Rename a corrupt file, and return what to say of it; "" if another process has done so."""
    if corrupt is None or identity(path) != corrupt:
        return ""
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    aside = path.with_name(f"{path.name}.corrupt-{moment}")
    remark = f"the {what} {path} is corrupt; it is kept as {aside}, a new one begins"
    _logger.warning("%s", remark)
    for suffix in ("", "-wal", "-shm"):  # a log left behind would be played into the new file
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    return remark


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        connection.row_factory = sqlite3.Row
        _make_tables(path, connection)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
    except BaseException:
        connection.close()
        raise
    return connection


def _make_tables(path: Path, connection: sqlite3.Connection) -> None:
    if _version(path, connection) == SCHEMA_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Looked at again under the lock: another process may have been quicker.
        for version in range(_version(path, connection) + 1, SCHEMA_VERSION + 1):
            for statement in _STEPS_TO[version].split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _version(path: Path, connection: sqlite3.Connection) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA_VERSION:
        raise NewerJournalError(
            f"{path}: was written by a later version of Podium (schema {version}, "
            f"this one knows {SCHEMA_VERSION})",
            hint="update Podium, or move the file away to begin a new journal",
        )
    return version


def _primary_code(error: sqlite3.Error) -> int:
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
