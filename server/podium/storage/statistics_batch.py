"""What one transaction writes: the counts of many executions gathered, each row written once."""

import json
import sqlite3
from collections import deque
from collections.abc import Mapping

from podium.domain.learning import Decide, Decision, Entry, Health
from podium.domain.tallies import Delta, Subject, Tally
from podium.storage import statistics_rows as rows
from podium.storage.database import clean

Parsed = dict[str, tuple[str, Health]]
"""By composition, what this process wrote last, and what it says."""


class Batch:
    """One transaction, from its beginning to before its commit."""

    def __init__(self, connection: sqlite3.Connection, now: float, parsed: Parsed) -> None:
        self._connection = connection
        self._now = now
        self._parsed = parsed
        self._tallies: dict[Subject, list[Tally]] = {}
        self._recent: dict[Subject, deque[tuple[Tally, Entry]]] = {}
        self._healths: dict[str, Health | None] = {}
        self._decided: dict[str, Health] = {}

    def count(self, entry: Entry) -> bool:
        """Count an execution; False if it was counted before."""
        if not rows.count_once(self._connection, entry):
            return False
        self.add(entry.delta)
        for subject, tally in entry.delta.items():
            latest = self._recent.setdefault(subject, deque(maxlen=rows.RECENT_RUNS))
            latest.append((tally, entry))
        return True

    def add(self, delta: Delta) -> None:
        """Add counts."""
        for subject, tally in delta.items():
            self._tallies.setdefault(subject, []).append(tally)

    def decide(self, composition_id: str, decide: Decide) -> Decision:
        """Change the health of a composition, and put on record what changed because of it."""
        id_ = clean(composition_id)
        before = self._health(id_)
        health, changes = decide(before)
        if health is not None and health != before:
            self._healths[id_] = self._decided[id_] = health
        return health, tuple(rows.keep(self._connection, change) for change in changes)

    def written(self) -> sqlite3.Connection:
        """Write what was gathered, and return the connection for whatever else is to be done."""
        rows.add(self._connection, _totals(self._tallies), self._now)
        for subject, latest in self._recent.items():
            rows.note_recent(self._connection, subject, latest)
        for id_, health in self._decided.items():
            data = json.dumps(health.to_dict())
            self._parsed[id_] = data, health
            rows.save_health(self._connection, id_, data, self._now)
        self._tallies, self._recent, self._decided = {}, {}, {}
        return self._connection

    def _health(self, id_: str) -> Health | None:
        if id_ not in self._healths:
            data = rows.health_data(self._connection, id_)
            self._healths[id_] = None if data is None else self._parsed_from(id_, data)
        return self._healths[id_]

    def _parsed_from(self, id_: str, data: str) -> Health | None:
        """Return what a row says; what this process wrote itself need not be parsed again."""
        known = self._parsed.get(id_)
        return known[1] if known is not None and known[0] == data else rows.health_of(data)


def _totals(tallies: Mapping[Subject, list[Tally]]) -> dict[Subject, Tally]:
    return {subject: Tally.total(parts) for subject, parts in tallies.items()}
