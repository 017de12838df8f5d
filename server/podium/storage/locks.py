"""A lock between processes: on a file, so that it falls with its holder, however that ends."""

import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import anyio

from podium.storage.private import PRIVATE_FILE, make_private_folder

if sys.platform != "win32":
    import fcntl

WAIT_SECONDS = 5.0  # what is done under a lock takes milliseconds, or one request over a network
POLL_SECONDS = 0.01


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock inside the block; after `WAIT_SECONDS` go on without it.

    The files that are written under it are replaced as a whole, so the worst that can come of
    going on is that one of two changes made at the same moment is lost.
    """
    descriptor = _opened(path)
    try:
        deadline = time.monotonic() + WAIT_SECONDS
        while not _is_taken(descriptor) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


@asynccontextmanager
async def locked_async(path: Path, wait_seconds: float) -> AsyncIterator[None]:
    """Hold the lock inside the block, as `locked`, letting other tasks run while it waits."""
    descriptor = _opened(path)
    try:
        with anyio.move_on_after(wait_seconds):
            while not _is_taken(descriptor):  # noqa: ASYNC110 - other processes set no event here
                await anyio.sleep(POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    make_private_folder(path.parent)
    return os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)


def _is_taken(descriptor: int) -> bool:
    if sys.platform == "win32":
        return True  # replacing a file as a whole has to do there
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True
