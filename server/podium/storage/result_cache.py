"""Results of reads on disk, as JSON; whatever is wrong with the file costs a call, never a request.

A small part is kept in memory as well: a hit there needs no thread and no disk.
"""

import logging
import shutil
import sqlite3
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import anyio
import orjson
from anyio import to_thread
from diskcache import Cache, JSONDisk
from diskcache.core import MODE_BINARY, MODE_RAW
from typing_extensions import override

from podium.domain.tool import ToolResult
from podium.storage.private import PRIVATE_FOLDER, make_private_folder

MEMORY_ENTRIES = 512
MEMORY_BYTES = 8 * 1024 * 1024
LOCK_SECONDS = 1.0  # how long another process may keep the file locked; then it is a miss
THREADS = 2

T = TypeVar("T")

_logger = logging.getLogger(__name__)


class _NotJsonError(ValueError):
    """An entry that Podium did not write."""


class _PlainDisk(JSONDisk):  # type: ignore[misc]  # diskcache has no types
    """JSON only: an entry that somebody else put there as a pickle is never loaded."""

    @override
    def get(self, key: Any, raw: Any) -> Any:
        if not raw:
            raise _NotJsonError("a key that is no JSON")
        return super().get(key, raw)

    @override
    def fetch(self, mode: int, filename: str | None, value: Any, read: Any) -> Any:
        if mode not in (MODE_RAW, MODE_BINARY):
            raise _NotJsonError("a value that is no JSON")
        return super().fetch(mode, filename, value, read)


# Of a damaged file, of one of another version, of what somebody else wrote into it.
_DAMAGE = (sqlite3.DatabaseError, ValueError, KeyError, TypeError, EOFError, OSError)


@dataclass(frozen=True, slots=True)
class _Kept:
    result: ToolResult
    size: int
    until: float  # wall-clock seconds


class DiskResultCache:
    """Satisfies `podium.domain.ports.ResultCache`; made by `open`."""

    def __init__(
        self,
        folder: Path,
        *,
        size_bytes: int,
        value_bytes: int,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._size_bytes = size_bytes
        self._value_bytes = value_bytes
        self._now = now
        self._disk: Any = None
        self._is_off = False
        self._threads = anyio.CapacityLimiter(THREADS)
        self._memory: OrderedDict[str, _Kept] = OrderedDict()
        self._memory_bytes = 0

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        folder: Path,
        *,
        size_bytes: int,
        value_bytes: int,
        now: Callable[[], float] = time.time,
    ) -> AsyncIterator[Self]:
        """Use a folder, made when the first result is kept; bounds in bytes, on disk and for one.

        `now` gives wall-clock seconds: what is kept must be old or young after a restart too.
        """
        cache = cls(folder, size_bytes=size_bytes, value_bytes=value_bytes, now=now)
        try:
            yield cache
        finally:
            cache.close()

    def close(self) -> None:
        """Close the file."""
        disk, self._disk = self._disk, None
        if disk is not None:
            with suppress(sqlite3.Error, OSError):
                disk.close()

    async def get(self, key: str) -> ToolResult | None:
        """Return what is kept and not too old; whatever goes wrong is a miss."""
        kept = self._memory.get(key)
        if kept is not None and kept.until > self._now():
            self._memory.move_to_end(key)
            return kept.result
        if kept is not None:
            self._forget(key)
        if self._disk is None and not self._folder.is_dir():
            return None  # nothing was ever kept: no need for a thread to find that out
        entry = await self._in_thread(lambda disk: disk.get(key))
        kept = _kept(entry)
        if kept is None or kept.until <= self._now():
            return None
        self._remember(key, kept)
        return kept.result

    async def put(self, key: str, result: ToolResult, ttl_seconds: float) -> None:
        """Keep a result, if it is not too large; whatever goes wrong is logged."""
        value = {
            "content": list(result.content),
            "structured": result.structured,
            "has_structured": result.has_structured,
        }
        try:
            size = len(orjson.dumps(value))
        except TypeError:  # integers of more than 64 bits, half characters: not worth the trouble
            return
        if size > self._value_bytes:
            return
        until = self._now() + ttl_seconds
        self._remember(key, _Kept(result, size, until))
        entry = {**value, "size": size, "until": until}
        await self._in_thread(lambda disk: disk.set(key, entry, expire=ttl_seconds))

    # --- the part in memory

    def _remember(self, key: str, kept: _Kept) -> None:
        self._forget(key)
        if kept.size > MEMORY_BYTES:
            return
        self._memory[key] = kept
        self._memory_bytes += kept.size
        while len(self._memory) > MEMORY_ENTRIES or self._memory_bytes > MEMORY_BYTES:
            self._forget(next(iter(self._memory)))

    def _forget(self, key: str) -> None:
        kept = self._memory.pop(key, None)
        if kept is not None:
            self._memory_bytes -= kept.size

    # --- the part on disk

    async def _in_thread(self, work: Callable[[Any], T]) -> T | None:
        if self._is_off:
            return None
        return await to_thread.run_sync(self._work, work, limiter=self._threads)

    def _work(self, work: Callable[[Any], T]) -> T | None:
        try:
            return work(self._opened())
        except sqlite3.OperationalError as error:  # locked or full: nothing is damaged
            _logger.warning("the result cache cannot be used just now: %s", error)
        except _DAMAGE as error:
            self._rebuild(error)
        return None

    def _opened(self) -> Any:
        if self._disk is None:
            make_private_folder(self._folder)
            self._folder.chmod(PRIVATE_FOLDER)  # whoever can write here decides what tools answer
            self._disk = Cache(
                str(self._folder),
                disk=_PlainDisk,
                size_limit=self._size_bytes,
                eviction_policy="least-recently-stored",
                timeout=LOCK_SECONDS,
            )
        return self._disk

    def _rebuild(self, error: Exception) -> None:
        _logger.warning(
            "the result cache in %s is damaged and begins anew: %s", self._folder, error
        )
        self.close()
        try:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._opened()
        except (sqlite3.Error, OSError) as again:
            self._is_off = True
            _logger.warning("the result cache stays off, results are not kept: %s", again)


def _kept(entry: Any) -> _Kept | None:
    if not isinstance(entry, dict):
        return None
    content = entry["content"]
    result = ToolResult(
        content=tuple(block for block in content if isinstance(block, dict)),
        structured=entry["structured"],
        has_structured=bool(entry["has_structured"]),
    )
    return _Kept(result, int(entry["size"]), float(entry["until"]))
