"""Executions and steps to rows, redacted and cut, and back."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from podium.domain.errors import InterruptedExecutionError
from podium.domain.execution import Execution, ExecutionStatus, Question, StepRecord
from podium.domain.past import PastRequest
from podium.domain.redaction import Redactor
from podium.domain.synthesis import PastPlan
from podium.storage.database import clean

PREVIEW_CHARACTERS = 2_000  # of a value too long to keep
HIGHEST_CHARACTER = "\U0010ffff"

Statement = tuple[str, Sequence[tuple[Any, ...]]]
"""SQL, and the rows of values it is executed with."""

SAVE_EXECUTION = """
INSERT INTO executions (id, composition_id, user_id, conversation_id, request, intent_type, status,
    started_at, duration_ms, params, result, files, error, step_order, owner, question,
    went_without, is_resumable, timeline)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET composition_id = excluded.composition_id,
    user_id = excluded.user_id, conversation_id = excluded.conversation_id,
    request = excluded.request, intent_type = excluded.intent_type, status = excluded.status,
    started_at = excluded.started_at, duration_ms = excluded.duration_ms,
    params = excluded.params, result = excluded.result, files = excluded.files,
    error = excluded.error, step_order = excluded.step_order, owner = excluded.owner,
    question = excluded.question, went_without = excluded.went_without,
    is_resumable = excluded.is_resumable, timeline = excluded.timeline
"""
EXPECT_EXECUTION = """
INSERT INTO executions (id, owner) VALUES (?, ?) ON CONFLICT (id) DO NOTHING
"""
SAVE_STEP = """
INSERT INTO steps (execution_id, step_id, server_id, tool_id, status, attempts, started_at,
    duration_ms, effects, inputs, output, error, kind, is_cached)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (execution_id, step_id) DO UPDATE SET server_id = excluded.server_id,
    tool_id = excluded.tool_id, status = excluded.status, attempts = excluded.attempts,
    started_at = excluded.started_at, duration_ms = excluded.duration_ms,
    effects = excluded.effects, inputs = excluded.inputs, output = excluded.output,
    error = excluded.error, kind = excluded.kind, is_cached = excluded.is_cached
"""
PRUNE = """
DELETE FROM executions WHERE status <> 'running' AND rowid IN (
    SELECT rowid FROM executions ORDER BY started_at DESC, rowid DESC LIMIT ? OFFSET ?)
"""
_RUNNING_OWNERS = "SELECT DISTINCT owner FROM executions WHERE status = 'running'"
_INTERRUPT_STEPS = """
UPDATE steps SET status = CASE effects WHEN 'read' THEN 'cancelled' ELSE 'in_doubt' END,
    error = :error
WHERE status = 'running' AND execution_id IN (
    SELECT id FROM executions WHERE status = 'running' AND owner = :owner)
"""
_INTERRUPT_EXECUTIONS = """
UPDATE executions SET status = 'error', error = :error, is_resumable = 0
WHERE status = 'running' AND owner = :owner
"""
_BY_ID = "SELECT * FROM executions WHERE id = :id"
_BY_PREFIX = "SELECT * FROM executions WHERE id >= :id AND id < :end ORDER BY id LIMIT 2"
_RECENT = "SELECT * FROM executions ORDER BY started_at DESC, rowid DESC LIMIT :limit"
_PAST_REQUESTS = """
SELECT request, intent_type, params FROM executions
WHERE status = 'success' AND request <> '' AND intent_type IS NOT NULL
ORDER BY started_at DESC, rowid DESC LIMIT :limit
"""
_PAST_PLANS = """
SELECT e.id, e.composition_id, e.user_id, e.conversation_id, e.request, e.params,
    s.server_id, s.tool_id, MIN(s.started_at) AS first_at, MIN(s.rowid) AS first_row
FROM (SELECT id, composition_id, user_id, conversation_id, request, params, started_at
    FROM executions WHERE status = 'success' AND request <> ''
    ORDER BY started_at DESC, rowid DESC LIMIT :limit) AS e
JOIN steps AS s ON s.execution_id = e.id
WHERE s.tool_id <> '' AND s.status = 'done' AND s.kind <> 'undo'
GROUP BY e.id, s.server_id, s.tool_id
ORDER BY e.started_at DESC, e.id, first_at, first_row
"""
_STEPS = "SELECT * FROM steps WHERE execution_id = :id ORDER BY rowid"


class Encoder:
    """Makes rows of what an execution holds; nothing configured as secret gets past it."""

    def __init__(self, redactor: Redactor, value_bytes: int) -> None:
        self._redactor = redactor
        self._value_bytes = value_bytes

    def execution(
        self, execution: Execution, owner_id: str, *, status: ExecutionStatus | None = None
    ) -> Statement:
        """Return what saves an execution without its steps; with the `status` given, if any."""
        text, json_of = self._text, self._json
        values = (
            execution.id,
            text(execution.composition_id),
            text(execution.user_id),
            text(execution.conversation_id),
            text(execution.request),
            execution.intent_type and text(execution.intent_type),
            status or execution.status,
            execution.started_at,
            execution.duration_ms,
            json_of(execution.params),
            json_of(execution.result),
            json_of(execution.files),
            json_of(execution.error),
            self._dump(list(execution.steps)).decode(),
            owner_id,
            json_of(execution.question and execution.question.to_dict()),
            json_of(list(execution.went_without) or None),
            execution.is_resumable,
            json_of(execution.timeline or None),
        )
        return SAVE_EXECUTION, [values]

    def steps(self, execution_id: str, steps: Iterable[StepRecord]) -> Statement:
        """Return what saves steps."""
        return SAVE_STEP, [self._step(execution_id, step) for step in steps]

    def _step(self, execution_id: str, step: StepRecord) -> tuple[Any, ...]:
        text, json_of = self._text, self._json
        return (
            execution_id,
            step.step_id,
            text(step.server_id),
            text(step.tool_id),
            step.status,
            step.attempts,
            step.started_at,
            step.duration_ms,
            step.effects,
            json_of(step.inputs),
            json_of(step.output),
            json_of(step.error),
            step.kind,
            step.is_cached,
        )

    def _text(self, text: str) -> str:
        kept = self._redactor.text(clean(text))
        cut = kept[: self._value_bytes]
        return kept if len(cut) == len(kept) else cut + "…"

    def _json(self, value: Any) -> str | None:
        if value is None:
            return None
        try:
            data = self._redacted(value)
        except (TypeError, ValueError, RecursionError):
            data = orjson.dumps({"unwritable": True, "type": type(value).__name__})
        if len(data) > self._value_bytes:
            preview = data[: min(PREVIEW_CHARACTERS, self._value_bytes)].decode("utf-8", "ignore")
            data = orjson.dumps({"truncated": True, "bytes": len(data), "preview": preview})
        return data.decode()

    def _redacted(self, value: Any) -> bytes:
        data = self._dump(value)
        if self._redactor.may_be_in(data.decode()):  # most hold none, and are not taken apart
            return self._dump(self._redactor.value(value))
        return data

    def _dump(self, value: Any) -> bytes:
        try:
            return orjson.dumps(value, default=self._plain, option=_PLAIN_ONLY)
        except TypeError:  # half characters, integers of more than 64 bits: legal in Python's JSON
            return json.dumps(value, default=self._plain).encode()

    def _plain(self, value: Any) -> Any:
        for plain in _PLAIN_TYPES:
            if isinstance(value, plain):  # of a class of its own
                return plain(value)
        return list(value) if isinstance(value, tuple) else self._redactor.text(str(value))


_PLAIN_TYPES: tuple[type[Any], ...] = (dict, list, str, int, float)
# Whatever is of no plain type itself goes through `Encoder._plain`.
_PLAIN_ONLY = (
    orjson.OPT_NON_STR_KEYS
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)


def interrupt(connection: sqlite3.Connection, dead_owners: Iterable[str]) -> None:
    """Close what writers that ended left running; writes among it are in doubt."""
    error = InterruptedExecutionError(
        "the process that ran this ended before it was done",
        hint="steps in doubt may have done their work: look before you run it again",
    )
    for owner_id in dead_owners:
        values = {"owner": owner_id, "error": json.dumps(error.to_dict())}
        connection.execute(_INTERRUPT_STEPS, values)
        connection.execute(_INTERRUPT_EXECUTIONS, values)


def running_owners(connection: sqlite3.Connection) -> list[str]:
    """Return every writer that has a running execution, alive or not."""
    return [row["owner"] for row in connection.execute(_RUNNING_OWNERS)]


def find(connection: sqlite3.Connection, execution_id: str) -> list[Execution]:
    """Return the execution of this id; else up to two whose ids begin so."""
    values = {"id": execution_id, "end": execution_id + HIGHEST_CHARACTER}
    rows = connection.execute(_BY_ID, values).fetchall()
    return _executions(connection, rows or connection.execute(_BY_PREFIX, values).fetchall())


def recent(connection: sqlite3.Connection, limit: int) -> list[Execution]:
    """Return the latest executions, newest first."""
    return _executions(connection, connection.execute(_RECENT, {"limit": limit}).fetchall())


def past_requests(connection: sqlite3.Connection, limit: int) -> list[PastRequest]:
    """Return the latest requests that were answered, newest first."""
    return [
        PastRequest(row["request"], row["intent_type"], _params(row["params"]))
        for row in connection.execute(_PAST_REQUESTS, {"limit": limit})
    ]


def past_plans(connection: sqlite3.Connection, limit: int) -> list[PastPlan]:
    """Return the latest requests that were served, newest first, with the tools of each.

    What a client called itself, for the same words in the same conversation, is one plan.
    """
    found: dict[tuple[str, ...], list[sqlite3.Row]] = {}
    for row in connection.execute(_PAST_PLANS, {"limit": limit}):
        is_of_client = not row["composition_id"] and bool(row["conversation_id"])
        said = (row["user_id"], row["conversation_id"], row["request"])
        found.setdefault(said if is_of_client else (row["id"],), []).append(row)
    return [_past_plan(rows) for rows in found.values()]


def _past_plan(rows: list[sqlite3.Row]) -> PastPlan:
    first = rows[0]
    in_order = sorted(rows, key=lambda row: (row["first_at"] or 0.0, row["first_row"]))
    tools = dict.fromkeys(f"{row['server_id']}.{row['tool_id']}" for row in in_order)
    params = _params(first["params"])
    return PastPlan(first["request"], tuple(tools), first["composition_id"], params)


def _params(text: str | None) -> dict[str, Any]:
    params = _value(text)
    return params if isinstance(params, dict) else {}


def _executions(connection: sqlite3.Connection, rows: Iterable[sqlite3.Row]) -> list[Execution]:
    return [_execution(row, connection.execute(_STEPS, {"id": row["id"]})) for row in rows]


def _execution(row: sqlite3.Row, step_rows: Iterable[sqlite3.Row]) -> Execution:
    steps = {step_row["step_id"]: _step(step_row) for step_row in step_rows}
    order = [step_id for step_id in _value(row["step_order"]) or () if step_id in steps]
    return Execution(
        id=row["id"],
        composition_id=row["composition_id"],
        params=_value(row["params"]) or {},
        user_id=row["user_id"],
        conversation_id=row["conversation_id"],
        request=row["request"],
        intent_type=row["intent_type"],
        status=row["status"],
        started_at=row["started_at"],
        duration_ms=row["duration_ms"],
        steps={step_id: steps[step_id] for step_id in dict.fromkeys([*order, *steps])},
        result=_value(row["result"]),
        files=_files(_value(row["files"])),
        error=_value(row["error"]),
        question=_question(_value(row["question"])),
        went_without=tuple(_list(_value(row["went_without"]))),
        is_resumable=bool(row["is_resumable"]),
        timeline=_list(_value(row["timeline"])),
    )


def _step(row: sqlite3.Row) -> StepRecord:
    return StepRecord(
        step_id=row["step_id"],
        server_id=row["server_id"],
        tool_id=row["tool_id"],
        status=row["status"],
        attempts=row["attempts"],
        started_at=row["started_at"],
        duration_ms=row["duration_ms"],
        effects=row["effects"],
        inputs=_value(row["inputs"]),
        output=_value(row["output"]),
        error=_value(row["error"]),
        kind=row["kind"],
        is_cached=bool(row["is_cached"]),
    )


def _question(value: Any) -> Question | None:
    if not isinstance(value, dict) or "kind" not in value:  # none, or cut as too long
        return None
    return Question(**value)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _files(value: Any) -> tuple[dict[str, Any], ...]:
    if isinstance(value, dict):  # cut: what is kept says so
        return (value,)
    return tuple(value or ())


def _value(text: str | None) -> Any:
    return None if text is None else json.loads(text)
