"""A folder that nothing leaves: path text in, the files and folders below it out.

A path is resolved first (links inside the folder may be used), then opened step by step from the
folder's own handle without following links, so that a path swapped meanwhile cannot lead outside.
Where the system has no such handles (Windows) only the first check remains.
"""

import errno
import json
import os
import re
import secrets
import stat
import sys
import time
import unicodedata
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from podium.domain.errors import PodiumError, WorkspaceError
from podium.domain.naming import nearest

EntryType = Literal["file", "directory", "other"]
Parts = tuple[str, ...]

MAX_DEPTH = 32  # levels that a walk goes down and a write makes; deeper trees are generated ones
MAX_ENTRIES = 100_000  # names one walk looks at, whatever it returns
WALK_SECONDS = 10.0  # a slow disk or a network mount must not hold a call for ever
SHOWN_CHARACTERS = 200  # of a path in an error

_HAS_HANDLES = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
# O_NONBLOCK: opening a pipe must not wait for its other end. O_BINARY: no newline translation.
_OPEN_FLAGS = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)
_SURROGATE = re.compile("[\ud800-\udfff]")  # stands for a byte of a name that is no UTF-8
_WINDOWS_PATH = re.compile(r"\\|^[A-Za-z]:/")


class FileError(PodiumError):
    """The folder cannot or will not do this with a path; the message names the path."""

    code = "file_refused"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in a folder; `path` is relative to the served folder, with `/`."""

    path: str
    name: str
    type: EntryType
    size: int
    modified: float


class Folder:
    """The served folder. Every method raises FileError for what it refuses or cannot do."""

    def __init__(self, root: Path) -> None:
        try:
            self._root = root.expanduser().resolve(strict=True)
            with os.scandir(self._root):
                pass  # proves that it is a folder that can be read
        except (OSError, RuntimeError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise WorkspaceError(
                f"{root}: cannot be served: {reason}",
                hint="name an existing folder that this program may read",
            ) from error

    def locate(self, path: str) -> Parts:
        """Return the parts of a path below the folder, links resolved; it need not exist."""
        _check_text(path)
        try:
            resolved = (self._root / path).resolve()
        except (OSError, RuntimeError):  # RuntimeError: a loop of links, before Python 3.13
            raise FileError(f"{shown(path)} is a link that leads nowhere") from None
        if not resolved.is_relative_to(self._root):
            raise _outside(path)
        return resolved.relative_to(self._root).parts

    def stat(self, path: str) -> tuple[Parts, os.stat_result]:
        """Return where a path leads and what is there."""
        parts = self.locate(path)
        with self._in_words(path, parts):
            return parts, self._stat(parts)

    def read(self, path: str, limit: int) -> tuple[Parts, bytes, os.stat_result]:
        """Return the first `limit` bytes of a regular file, and what it is."""
        parts = self.locate(path)
        with self._in_words(path, parts):
            status = self._stat(parts)
            _require_regular(path, status)
            with self._directory(parts[:-1]) as parent:
                descriptor = parent.open(parts[-1], os.O_RDONLY)
            with os.fdopen(descriptor, "rb") as file:
                _require_regular(path, os.fstat(descriptor))  # it may have been swapped
                return parts, file.read(limit), status

    def write(self, path: str, data: bytes, *, create_directories: bool, overwrite: bool) -> bool:
        """Put a whole file in place atomically; return whether it is new."""
        with self._to_write(path, create_directories=create_directories) as (parent, name):
            before = parent.find(name)
            if before is not None and not overwrite:
                raise FileError(
                    f"{shown(path)} exists already", hint="pass overwrite=true to replace it"
                )
            mode = 0o666 if before is None else stat.S_IMODE(before.st_mode)
            reserved = not overwrite
            if reserved:  # nobody else can take the name between the check and the replacement
                os.close(parent.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
            try:
                parent.replace(name, data, mode=mode, keep_mode=before is not None)
            except OSError:
                if reserved:
                    parent.remove(name)
                raise
            return before is None

    def append(self, path: str, data: bytes, *, create_directories: bool) -> bool:
        """Add to the end of a file; return whether it is new."""
        with self._to_write(path, create_directories=create_directories) as (parent, name):
            before = parent.find(name)
            descriptor = parent.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            with os.fdopen(descriptor, "ab") as file:
                _require_regular(path, os.fstat(descriptor))
                file.write(data)
            return before is None

    def walk(
        self, path: str, *, recursive: bool, hidden: bool, checkpoint: Callable[[], None]
    ) -> "Walk":
        """Return the walk through a folder; `checkpoint` is called often and may raise."""
        parts, status = self.stat(path)
        if not stat.S_ISDIR(status.st_mode):
            raise FileError(f"{shown(path)} is not a folder")
        return Walk(self, path, parts, recursive=recursive, hidden=hidden, checkpoint=checkpoint)

    def _stat(self, parts: Parts) -> os.stat_result:
        if not parts:
            return self._root.stat()
        with self._directory(parts[:-1]) as parent:
            return parent.stat(parts[-1])

    def _directory(self, parts: Parts, *, create: bool = False) -> "_Directory":
        here = _Directory.open_root(self._root)
        for name in parts:
            with here:
                if create:
                    here.make(name)
                below = here.enter(name)
            here = below
        return here

    @contextmanager
    def _to_write(
        self, path: str, *, create_directories: bool
    ) -> Iterator[tuple["_Directory", str]]:
        parts = self.locate(path)
        if not parts:
            raise FileError(f"{shown(path)} is a folder")
        if len(parts) > MAX_DEPTH:
            raise FileError(f"{shown(path)} is nested deeper than {MAX_DEPTH} levels")
        with (
            self._in_words(path, parts),
            self._directory(parts[:-1], create=create_directories) as parent,
        ):
            before = parent.find(parts[-1])
            if before is not None:
                _require_regular(path, before)
                if not before.st_mode & 0o222:  # renaming over it would get round that
                    raise FileError(f"{shown(path)} is write-protected")
            yield parent, parts[-1]

    @contextmanager
    def _in_words(self, path: str, parts: Parts) -> Iterator[None]:
        """Turn what the system says into an error that names the path as the caller wrote it."""
        try:
            yield
        except FileNotFoundError as error:
            raise FileError(f"{shown(path)} does not exist", hint=self._near(parts)) from error
        except OSError as error:
            reason = _REASONS.get(error.errno or 0, f"cannot be used: {error.strerror}")
            raise FileError(f"{shown(path)} {reason}") from error

    def _near(self, parts: Parts) -> str:
        with suppress(OSError), self._directory(parts[:-1]) as parent:
            names = [name for name in parent.names(1_000) if is_presentable(name)]
            if parts and (close := nearest(parts[-1], names)) is not None:
                return f"did you mean '{'/'.join((*parts[:-1], close))}'?"
        return ""


_REASONS = {
    errno.ENOTDIR: "cannot be used: part of it is a file, not a folder",
    errno.EISDIR: "is a folder",
    errno.EEXIST: "exists already",
    errno.EACCES: "may not be used by this program (permission denied)",
    errno.EPERM: "may not be used by this program (permission denied)",
    errno.ELOOP: "changed while it was being opened",
    errno.ENXIO: "is not a regular file",
    errno.ENOSPC: "cannot be written: the disk is full",
    errno.EROFS: "cannot be written: the disk is read-only",
    errno.ENAMETOOLONG: "has too long a name",
}


class Walk:
    """Entries of a folder in the order of their names, a folder before what is in it.

    `truncated` says that a bound ended the walk early, `skipped` counts what cannot be shown: links
    that lead outside or nowhere, folders that may not be read, names that are no text.
    """

    def __init__(
        self,
        folder: Folder,
        path: str,
        start: Parts,
        *,
        recursive: bool,
        hidden: bool,
        checkpoint: Callable[[], None],
    ) -> None:
        self._folder = folder
        self._path = path
        self._start = start
        self._recursive = recursive
        self._hidden = hidden
        self._checkpoint = checkpoint
        self._seen = 0
        self._deadline = time.monotonic() + WALK_SECONDS
        self.truncated = False
        self.skipped = 0

    @property
    def directory(self) -> str:
        """The folder where it begins, relative to the served one."""
        return "/".join(self._start) or "."

    def __iter__(self) -> Generator[Entry]:
        with (
            self._folder._in_words(self._path, self._start),  # noqa: SLF001 - one unit with Folder
            self._folder._directory(self._start) as here,  # noqa: SLF001
        ):
            yield from self._entries(here, self._start, 1)

    def _entries(self, here: "_Directory", parts: Parts, depth: int) -> Iterator[Entry]:
        names = here.names(MAX_ENTRIES - self._seen + 1)
        for name in sorted(names, key=lambda name: (comparable(name), name)):
            self._checkpoint()
            if self._seen >= MAX_ENTRIES or time.monotonic() > self._deadline:
                self.truncated = True
                return
            self._seen += 1
            if name.startswith(".") and not self._hidden:
                continue
            entry = self._entry(here, (*parts, name))
            if entry is None:
                self.skipped += 1
                continue
            yield entry
            if self._recursive and entry.type == "directory":
                yield from self._below(here, (*parts, name), depth + 1)

    def _below(self, here: "_Directory", parts: Parts, depth: int) -> Iterator[Entry]:
        if depth > MAX_DEPTH:
            self.truncated = True
            return
        try:
            below = here.enter(parts[-1])
        except OSError as error:
            # A link to a folder is shown and not followed: it may lead back to where we are.
            if error.errno not in {errno.ELOOP, errno.ENOTDIR}:
                self.skipped += 1
            return
        with below:
            yield from self._entries(below, parts, depth)

    def _entry(self, here: "_Directory", parts: Parts) -> Entry | None:
        name = parts[-1]
        if not is_presentable(name):
            return None
        try:
            status = here.stat(name)
            if stat.S_ISLNK(status.st_mode):
                _, status = self._folder.stat("/".join(parts))
        except (OSError, FileError):
            return None
        return Entry("/".join(parts), name, kind(status), status.st_size, status.st_mtime)


class _Directory:
    """An open folder; nothing that is done in it follows a link, where the system can do that."""

    def __init__(self, path: Path, handle: int | None) -> None:
        self._path = path
        self._handle = handle

    @classmethod
    def open_root(cls, root: Path) -> Self:
        handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY) if _HAS_HANDLES else None
        return cls(root, handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._handle is not None:
            os.close(self._handle)

    def enter(self, name: str) -> "_Directory":
        path = self._path / name
        if self._handle is None:
            if path.resolve() != path:  # a link, or a Windows junction
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            if not stat.S_ISDIR(path.stat().st_mode):
                raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            return _Directory(path, None)
        flags = os.O_RDONLY | os.O_DIRECTORY | _OPEN_FLAGS
        return _Directory(path, os.open(name, flags, dir_fd=self._handle))

    def names(self, limit: int) -> list[str]:
        with os.scandir(self._path if self._handle is None else self._handle) as entries:
            return [entry.name for entry in islice(entries, limit)]

    def stat(self, name: str) -> os.stat_result:
        return os.stat(self._at(name), dir_fd=self._handle, follow_symlinks=False)

    def find(self, name: str) -> os.stat_result | None:
        try:
            return self.stat(name)
        except FileNotFoundError:
            return None

    def open(self, name: str, flags: int) -> int:
        return os.open(self._at(name), flags | _OPEN_FLAGS, 0o666, dir_fd=self._handle)

    def make(self, name: str) -> None:
        with suppress(FileExistsError):
            os.mkdir(self._at(name), dir_fd=self._handle)

    def remove(self, name: str) -> None:
        with suppress(OSError):
            os.unlink(self._at(name), dir_fd=self._handle)

    def replace(self, name: str, data: bytes, *, mode: int, keep_mode: bool) -> None:
        """Write beside the file and rename, so that a reader sees the old or the new, no mix."""
        temporary = f".podium-{secrets.token_hex(8)}.tmp"
        descriptor = self.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
                if keep_mode and sys.platform != "win32":
                    os.fchmod(descriptor, mode)
            os.replace(
                self._at(temporary),
                self._at(name),
                src_dir_fd=self._handle,
                dst_dir_fd=self._handle,
            )
        except BaseException:
            self.remove(temporary)
            raise

    def _at(self, name: str) -> str | Path:
        return self._path / name if self._handle is None else name


def kind(status: os.stat_result) -> EntryType:
    """Return what a thing is."""
    if stat.S_ISREG(status.st_mode):
        return "file"
    return "directory" if stat.S_ISDIR(status.st_mode) else "other"


def comparable(name: str) -> str:
    """Return a name so that letter case and the two ways to write an accent make no difference."""
    return unicodedata.normalize("NFC", name).casefold()


def is_presentable(name: str) -> bool:
    """Return whether a name can be written in JSON and given back as a path."""
    return "\\" not in name and not _has_surrogates(name)


def shown(path: str) -> str:
    """Return a path for an error: quoted, cut, its control characters escaped."""
    text = path.encode("utf-8", "replace").decode()
    cut = text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
    return f"'{json.dumps(cut, ensure_ascii=False)[1:-1]}'"


def _has_surrogates(text: str) -> bool:
    return _SURROGATE.search(text) is not None


def _check_text(path: str) -> None:
    if "\0" in path or _has_surrogates(path):
        raise FileError(f"{shown(path)} is no path: it holds a NUL or broken characters")
    if os.sep == "/" and _WINDOWS_PATH.search(path):
        raise FileError(
            f"{shown(path)} is outside the served folder or not written for it",
            hint="write paths relative to the folder, with '/': notes/today.md",
        )


def _outside(path: str) -> FileError:
    return FileError(
        f"{shown(path)} is outside the served folder",
        hint="write paths relative to the folder; links must stay inside it as well",
    )


def _require_regular(path: str, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise FileError(f"{shown(path)} is a folder")
    if not stat.S_ISREG(status.st_mode):
        raise FileError(
            f"{shown(path)} is not a regular file (a pipe, a device, a socket or a link)"
        )
