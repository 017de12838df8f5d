"""Files and folders that only their owner may read."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700


def make_private_folder(path: Path) -> None:
    """Make a folder if it is missing; one that exists keeps its mode, it may not be ours."""
    path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)


def make_private_file(path: Path) -> None:
    """Make an empty file if it is missing, and close an existing one to others."""
    # An existing one is not opened: closing it again would drop SQLite's locks of this process.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE))
    with suppress(OSError):  # it may belong to somebody else who lets us write
        path.chmod(PRIVATE_FILE)


def replace_private_file(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Put a whole file in place, so that a reader sees the old or the new, no mix.

    With `durable` that holds after a power cut as well.
    """
    make_private_folder(path.parent)
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(descriptor)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
