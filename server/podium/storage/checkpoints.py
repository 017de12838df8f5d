"""Unfinished executions, one private file each, so that they can be played on after a restart."""

import json
import logging
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

import anyio
import orjson
from anyio import to_thread

from podium.domain.errors import JournalError
from podium.domain.execution import Checkpoint, Execution, Question, StepRecord
from podium.domain.redaction import SecretReferences, UnknownSecretError
from podium.storage.private import replace_private_file

FORMAT = 1
SWEEP_SECONDS = 60.0  # between two looks for what is too old or too many
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")

A = TypeVar("A")
T = TypeVar("T")

_logger = logging.getLogger(__name__)


class CheckpointFolder:
    """Satisfies `podium.domain.ports.Checkpoints`.

    A checkpoint is claimed by renaming its file, which only one process can do.
    """

    def __init__(
        self,
        folder: Path,
        *,
        references: SecretReferences,
        most: int,
        most_bytes: int,
        keep_seconds: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Keep at most `most` files of `most_bytes` each, for `keep_seconds` at most."""
        self._folder = folder
        self._references = references
        self._most = most
        self._most_bytes = most_bytes
        self._keep_seconds = keep_seconds
        self._now = now
        self._swept_at = float("-inf")
        self._threads = anyio.CapacityLimiter(1)  # one file at a time; they are rare

    async def save(self, checkpoint: Checkpoint) -> bool:
        """Keep it, on disk when this returns; False if it is too large or cannot be kept."""
        return await self._in_thread(self._save, checkpoint)

    async def load(self, execution_id: str) -> Checkpoint | None:
        """Return it, or None if there is none (any more).

        Raises:
            JournalError: it cannot be read, or a secret it refers to is no longer configured.

        """
        return await self._in_thread(self._load, execution_id)

    async def claim(self, execution_id: str) -> Checkpoint | None:
        """Take it to play it on, once; None if somebody else has (or it is gone).

        Raises:
            JournalError: as `load`; it is not taken then.

        """
        return await self._in_thread(self._claim, execution_id)

    async def discard(self, execution_id: str) -> None:
        """Forget it, claimed or not."""
        await self._in_thread(self._discard, execution_id)

    async def _in_thread(self, work: Callable[[A], T], argument: A) -> T:
        return await to_thread.run_sync(work, argument, limiter=self._threads)

    # --- in a thread

    def _save(self, checkpoint: Checkpoint) -> bool:
        path = self._path(checkpoint.execution.id)
        data = _dump(self._references.hide(_to_json(checkpoint)))
        if path is None or len(data) > self._most_bytes:
            return False
        try:
            self._sweep()
            replace_private_file(path, data, durable=True)
            path.with_suffix(".claimed").unlink(missing_ok=True)
        except OSError as error:
            _logger.warning("an execution cannot be kept to be played on: %s", error)
            return False
        return True

    def _load(self, execution_id: str) -> Checkpoint | None:
        path = self._path(execution_id)
        return None if path is None else self._read(path, execution_id)

    def _read(self, path: Path, execution_id: str) -> Checkpoint | None:
        try:
            if self._is_old(path):
                return None
            value = json.loads(path.read_bytes())
            return _from_json(self._references.show(value))
        except FileNotFoundError:
            return None
        except UnknownSecretError:
            raise JournalError(
                f"execution '{execution_id}' used a secret that is not configured any more",
                hint="set the same variables as before, or run it anew",
            ) from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise JournalError(
                f"what is kept of execution '{execution_id}' cannot be read: {error}",
                hint="run it anew; what it did so far: podium executions",
            ) from error

    def _claim(self, execution_id: str) -> Checkpoint | None:
        """Take the file and read it then: what was read before may be older than what is taken."""
        path = self._path(execution_id)
        if path is None:
            return None
        claimed = path.with_suffix(".claimed")
        try:
            path.rename(claimed)
        except OSError:
            return None
        try:
            return self._read(claimed, execution_id)
        except JournalError:
            with suppress(OSError):
                claimed.rename(path)
            raise

    def _discard(self, execution_id: str) -> None:
        path = self._path(execution_id)
        if path is not None:
            path.unlink(missing_ok=True)
            path.with_suffix(".claimed").unlink(missing_ok=True)

    def _path(self, execution_id: str) -> Path | None:
        """Return where it is kept; None for an id that we never gave."""
        if _ID.fullmatch(execution_id) is None:
            return None
        return self._folder / f"{execution_id}.json"

    def _is_old(self, path: Path) -> bool:
        return path.stat().st_mtime < self._now() - self._keep_seconds

    def _sweep(self) -> None:
        """Remove what is too old, and the oldest of what is too many."""
        if self._now() < self._swept_at + SWEEP_SECONDS:
            return
        self._swept_at = self._now()
        files = []
        for path in (*self._folder.glob("*.json"), *self._folder.glob("*.claimed")):
            try:
                files.append((path.stat().st_mtime, path))
            except FileNotFoundError:
                continue
        files.sort(reverse=True)
        oldest = self._now() - self._keep_seconds
        for number, (changed_at, path) in enumerate(files):
            if number >= self._most or changed_at < oldest:
                path.unlink(missing_ok=True)


def _dump(value: Any) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:  # integers of more than 64 bits, half characters: legal in Python's JSON
        return json.dumps(value).encode()


def _to_json(checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "execution": asdict(checkpoint.execution),
        "composition": checkpoint.composition,
        "context": checkpoint.context,
        "outcomes": checkpoint.outcomes,
        "choices": checkpoint.choices,
        "answers": checkpoint.answers,
        "in_doubt": list(checkpoint.in_doubt),
        "spent_seconds": checkpoint.spent_seconds,
    }


def _from_json(value: dict[str, Any]) -> Checkpoint:
    if value["format"] != FORMAT:
        raise ValueError(f"it is of format {value['format']}, this version reads {FORMAT}")
    kept = dict(value["execution"])
    kept["steps"] = {path: _record(step) for path, step in kept["steps"].items()}
    kept["question"] = Question(**kept["question"]) if kept["question"] else None
    kept["files"] = tuple(kept["files"])
    for name in ("went_without", "wrote", "in_doubt"):
        kept[name] = tuple(kept.get(name, ()))
    known = {each.name for each in fields(Execution)}
    return Checkpoint(
        execution=Execution(**{name: kept[name] for name in kept.keys() & known}),
        composition=value["composition"],
        context=value["context"],
        outcomes=value["outcomes"],
        choices=value["choices"],
        answers=value["answers"],
        in_doubt=tuple(value["in_doubt"]),
        spent_seconds=value["spent_seconds"],
    )


def _record(value: dict[str, Any]) -> StepRecord:
    known = {each.name for each in fields(StepRecord)}
    return StepRecord(**{name: value[name] for name in value.keys() & known})
