"""Who writes to a journal right now: a locked file for each process, which falls with it."""

import os
import secrets
import sys
from contextlib import suppress
from pathlib import Path

from podium.storage.private import PRIVATE_FILE

if sys.platform != "win32":
    import fcntl

ATTEMPTS = 10  # to lock a file that another process takes for a leftover at the same moment


class Owner:
    """This writer. The system drops the lock when the process ends, however it ends."""

    def __init__(self, journal: Path) -> None:
        self.id = secrets.token_hex(8)
        self._path = _lock_path(journal, self.id)
        self._descriptor: int | None = None

    def take(self) -> None:
        """Show that it lives; do nothing if it does already."""
        for _ in range(ATTEMPTS if self._descriptor is None else 0):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
            _lock(descriptor)
            if _is_file(self._path, descriptor):
                self._descriptor = descriptor
                return
            os.close(descriptor)  # swept away before it was locked

    def release(self) -> None:
        """Show that it has ended."""
        if self._descriptor is None:
            return
        # Windows removes no open file, so there it is closed first.
        if sys.platform == "win32":
            os.close(self._descriptor)
        with suppress(OSError):
            self._path.unlink()
        if sys.platform != "win32":
            os.close(self._descriptor)
        self._descriptor = None


def sweep(journal: Path) -> None:
    """Remove what ended processes left behind."""
    for path in journal.parent.glob(f"{journal.name}.owner-*"):
        with suppress(OSError):
            _remove_if_dead(path)


def is_alive(journal: Path, owner_id: str) -> bool:
    """Return whether a writer lives; leftovers must have been swept before."""
    return _lock_path(journal, owner_id).exists()


def _lock_path(journal: Path, owner_id: str) -> Path:
    return journal.with_name(f"{journal.name}.owner-{owner_id}")


def _is_file(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _lock(descriptor: int) -> bool:
    if sys.platform == "win32":
        return True  # an open file cannot be removed there, which says as much as a lock
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held by another; or a file system without locks, where all count as alive
        return False
    return True


def _remove_if_dead(path: Path) -> None:
    descriptor = None if sys.platform == "win32" else os.open(path, os.O_RDWR)
    try:
        if descriptor is None or (_lock(descriptor) and _is_file(path, descriptor)):
            path.unlink()
    finally:
        if descriptor is not None:
            os.close(descriptor)
