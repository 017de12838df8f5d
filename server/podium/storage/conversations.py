"""What conversations know, in the journal's SQLite file: one row each, written by its thread.

A row is keyed by digests of both ids, so a file that is read by others does not say who talked.
"""

import hashlib
import json
import sqlite3
from collections import OrderedDict
from copy import deepcopy
from functools import partial
from typing import Any, NamedTuple

from podium.domain.conversation import Conversation, ConversationBounds
from podium.domain.ports import Clock
from podium.domain.redaction import Redactor
from podium.storage.writer import Writer

SWEEP_EVERY = 100  # new conversations
SWEPT_AT_ONCE = 500  # rows; what is left waits for the next sweep
AT_HAND = 32  # conversations saved last, which need not be parsed again; some 100 kB each

_LOAD = """
SELECT version, updated_at,
    CASE WHEN version = :seen_version AND updated_at = :seen_at THEN NULL ELSE state END AS state
FROM conversations WHERE user_key = :user AND conversation_key = :conversation
"""
_INSERT = """
INSERT INTO conversations (user_key, conversation_key, version, updated_at, state)
VALUES (:user, :conversation, 1, :now, :state) ON CONFLICT DO NOTHING
"""
_UPDATE = """
UPDATE conversations SET version = version + 1, updated_at = :now, state = :state
WHERE user_key = :user AND conversation_key = :conversation AND version = :version
"""
_PRUNE_USER = """
DELETE FROM conversations WHERE rowid IN (
    SELECT rowid FROM conversations WHERE user_key = :user
    ORDER BY updated_at DESC, rowid DESC LIMIT :most OFFSET :keep)
"""
_EXPIRE = """
DELETE FROM conversations WHERE rowid IN (
    SELECT rowid FROM conversations WHERE updated_at < :before LIMIT :most)
"""
_PRUNE_ALL = """
DELETE FROM conversations WHERE rowid IN (
    SELECT rowid FROM conversations ORDER BY updated_at DESC, rowid DESC LIMIT :most OFFSET :keep)
"""


class _Seen(NamedTuple):
    """A state as it was saved, and what tells that it is still the one in the file."""

    version: int
    updated_at: float
    state: Conversation


class SqliteConversations:
    """Satisfies `podium.domain.ports.Conversations`.

    The file decides what is true; what this process saved last is only spared the parsing.
    """

    def __init__(
        self, writer: Writer, *, clock: Clock, redactor: Redactor, bounds: ConversationBounds
    ) -> None:
        self._writer = writer
        self._clock = clock
        self._redactor = redactor
        self._bounds = bounds
        self._since_sweep = 0
        self._at_hand: OrderedDict[tuple[str, str], _Seen] = OrderedDict()

    async def load(self, user_id: str, conversation_id: str) -> tuple[Conversation, int]:
        """Return the state and its version; an old one counts as empty.

        Raises:
            JournalError: the file cannot be read.

        """
        seen = self._at_hand.get((user_id, conversation_id))
        values = {
            **_key(user_id, conversation_id),
            "seen_version": seen.version if seen else None,
            "seen_at": seen.updated_at if seen else None,
        }
        row = await self._writer.perform(partial(_load, values), "read")
        if row is None:
            return Conversation(), 0
        version, updated_at, text = row
        if updated_at < self._clock.now() - self._bounds.ttl_seconds:
            return Conversation(), version
        if text is None and seen is not None:
            return _apart(seen.state), version
        return state_of(text), version

    async def save(
        self, user_id: str, conversation_id: str, state: Conversation, version: int
    ) -> bool:
        """Keep the state, if this is still its version.

        Raises:
            JournalError: the file cannot be written.

        """
        text = state.to_json()
        is_exact = not self._redactor.may_be_in(text)
        values: dict[str, Any] = {
            **_key(user_id, conversation_id),
            "version": version,
            "now": self._clock.now(),
            "state": text if is_exact else json.dumps(self._redactor.value(state.to_dict())),
        }
        key = user_id, conversation_id
        self._at_hand.pop(key, None)
        seen = _Seen(version + 1, values["now"], _apart(state)) if is_exact else None
        work = partial(_save, values, self._bounds.per_user if user_id else None)
        is_saved: bool = await self._writer.perform(work, "upkeep")
        if is_saved and seen is not None:
            self._at_hand[key] = seen
            if len(self._at_hand) > AT_HAND:
                self._at_hand.popitem(last=False)
        if is_saved and version == 0:
            self._since_sweep += 1
            if self._since_sweep >= SWEEP_EVERY:
                await self.sweep()
        return is_saved

    async def sweep(self) -> int:
        """Forget what has expired, and the oldest beyond the bound of all.

        Raises:
            JournalError: the file cannot be written.

        """
        self._since_sweep = 0
        before = self._clock.now() - self._bounds.ttl_seconds
        swept: int = await self._writer.perform(
            partial(_sweep, before, self._bounds.in_all), "upkeep"
        )
        return swept


def state_of(text: str) -> Conversation:
    """Return the state that the text holds; an empty one if it cannot be read."""
    try:
        return Conversation.from_dict(json.loads(text)) or Conversation()
    except (ValueError, RecursionError):
        return Conversation()


def digest(text: str) -> str:
    """Return what stands for an id; two ids never share one."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _apart(state: Conversation) -> Conversation:
    """Return the state with parts of its own wherever somebody could change one in place.

    The things of lists and those that were mentioned are texts and numbers: they are shared.
    """
    turns = (t.model_copy(update={"params": deepcopy(t.params)}) for t in state.turns)
    return state.changed(
        turns=tuple(turns),
        variables=deepcopy(state.variables),
        question=state.question and state.question.model_copy(deep=True),
    )


def _key(user_id: str, conversation_id: str) -> dict[str, Any]:
    return {"user": digest(user_id), "conversation": digest(conversation_id)}


def _load(key: dict[str, Any], connection: sqlite3.Connection) -> tuple[int, float, str] | None:
    row = connection.execute(_LOAD, key).fetchone()
    return None if row is None else (row["version"], row["updated_at"], row["state"])


def _save(values: dict[str, Any], keep: int | None, connection: sqlite3.Connection) -> bool:
    if values["version"] > 0:
        return connection.execute(_UPDATE, values).rowcount == 1
    is_new = connection.execute(_INSERT, values).rowcount == 1
    if is_new and keep is not None:
        bounds = {"user": values["user"], "most": SWEPT_AT_ONCE, "keep": keep}
        connection.execute(_PRUNE_USER, bounds)
    return is_new


def _sweep(before: float, keep: int, connection: sqlite3.Connection) -> int:
    expired = connection.execute(_EXPIRE, {"before": before, "most": SWEPT_AT_ONCE}).rowcount
    beyond = connection.execute(_PRUNE_ALL, {"keep": keep, "most": SWEPT_AT_ONCE}).rowcount
    return expired + beyond
