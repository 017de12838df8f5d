"""Text files read and written as a whole; what the system refuses becomes a typed error."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from podium.domain.errors import WorkspaceError


def read_text(path: Path) -> str:
    """Return a file's text with its line ends as they are.

    Raises:
        WorkspaceError: it cannot be read.

    """
    with _worded(path, "cannot be read"):
        return path.read_bytes().decode("utf-8-sig")


def write_text(path: Path, text: str) -> None:
    """Replace a file in one stroke: a reader sees the old text or the new one, never a part.

    Raises:
        WorkspaceError: it cannot be written.

    """
    with _worded(path, "cannot be written"):
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text.encode())
            Path(temporary).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def add_file(path: Path, data: bytes) -> None:
    """Write a new file, and the folders to it; one that is there already stays as it is.

    Raises:
        WorkspaceError: it cannot be written.

    """
    with _worded(path, "cannot be written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("xb") as file:
                file.write(data)
        except FileExistsError:
            if not path.is_file():
                raise


@contextmanager
def _worded(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WorkspaceError(f"{path}: {what}: {error.strerror or error}") from error
    except UnicodeError as error:
        raise WorkspaceError(f"{path}: {what}: {error}") from error
