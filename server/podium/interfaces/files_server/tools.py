"""The five tools: checked arguments and the served folder in, a result and its text form out."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from anyio.from_thread import check_cancelled

from podium.domain.errors import InvalidParamsError
from podium.interfaces.files_server.folder import Entry, FileError, Folder, Walk, kind, shown
from podium.interfaces.files_server.reading import (
    count_lines,
    decode,
    find_lines,
    matches_glob,
)
from podium.text.folding import fold_text

Outcome = tuple[dict[str, Any], str]
Run = Callable[..., Outcome]
"""Called with the folder and the arguments by name; those that walk need a worker thread."""

MAX_READ_BYTES = 4 * 1024 * 1024  # the text travels twice in one message of at most 16 MiB
MAX_WRITE_CHARACTERS = 4 * 1024 * 1024
LIST_LIMIT = 1_000
MAX_LIST_LIMIT = 10_000
SEARCH_LIMIT = 100
MAX_SEARCH_LIMIT = 1_000
SEARCH_FILES = 5_000  # files one search reads
SEARCH_BYTES = 64 * 1024 * 1024  # bytes one search reads
SEARCH_FILE_BYTES = 4 * 1024 * 1024  # of one file; what stands behind is not searched
LINE_CHARACTERS = 300  # of one matching line

_EARLIEST, _LATEST = -62_135_596_800, 253_402_300_799  # the years 1 and 9999


def list_directory(
    folder: Folder,
    *,
    directory: str = ".",
    pattern: str = "",
    recursive: bool = False,
    hidden: bool = False,
    limit: int = LIST_LIMIT,
) -> Outcome:
    """List a folder in the order of names."""
    walk = folder.walk(directory, recursive=recursive, hidden=hidden, checkpoint=check_cancelled)
    with closing(iter(walk)) as found:
        fitting = (entry for entry in found if _fits(entry, walk.directory, pattern))
        entries = list(islice(fitting, limit))
        truncated = next(fitting, None) is not None or walk.truncated
    result = {
        "directory": walk.directory,
        "files": [entry.path for entry in entries if entry.type == "file"],
        "directories": [entry.path for entry in entries if entry.type == "directory"],
        "entries": [
            {
                "path": entry.path,
                "name": entry.name,
                "type": entry.type,
                "size": entry.size,
                "modified": _iso(entry.modified),
            }
            for entry in entries
        ],
        "truncated": truncated,
        "skipped": walk.skipped,
    }
    lines = [entry.path + ("/" if entry.type == "directory" else "") for entry in entries]
    return result, _listing(lines, nothing="(nothing)", truncated=truncated)


def read_file(folder: Folder, *, file_path: str, max_bytes: int = MAX_READ_BYTES) -> Outcome:
    """Read a text file."""
    parts, data, status = folder.read(file_path, max_bytes + 1)
    complete = len(data) <= max_bytes
    decoded = decode(data[:max_bytes], complete=complete)
    if decoded is None:
        raise FileError(f"{shown(file_path)} is binary, not text", hint="file_info describes it")
    text, encoding = decoded
    return {
        "file_path": "/".join(parts),
        "text": text,
        "size": status.st_size,
        "encoding": encoding,
        "truncated": not complete,
    }, text


def search_files(
    folder: Folder,
    *,
    query: str,
    directory: str = ".",
    pattern: str = "",
    case_sensitive: bool = False,
    limit: int = SEARCH_LIMIT,
) -> Outcome:
    """Search the lines of the text files in a folder and below it."""
    if not fold_text(query).strip() or "\n" in query:
        raise InvalidParamsError("query: should be one line with something to search for")
    walk = folder.walk(directory, recursive=True, hidden=False, checkpoint=check_cancelled)
    search = _Search(folder, walk, pattern)
    matches: list[dict[str, Any]] = []
    with closing(search.lines(query, case_sensitive=case_sensitive)) as found:
        for match in found:
            if len(matches) == limit:
                search.truncated = True
                break
            matches.append(match)
    truncated = search.truncated or walk.truncated
    result = {
        "query": query,
        "directory": walk.directory,
        "matches": matches,
        "files": list(dict.fromkeys(match["file_path"] for match in matches)),
        "searched": search.searched,
        "skipped": walk.skipped + search.unreadable,
        "truncated": truncated,
    }
    lines = [f"{match['file_path']}:{match['line']}: {match['text']}" for match in matches]
    nothing = f"(no match in {search.searched} text files)"
    return result, _listing(lines, nothing=nothing, truncated=truncated)


class _Search:
    """Reads one text file after another until there is no more, or a bound is reached."""

    def __init__(self, folder: Folder, walk: Walk, pattern: str) -> None:
        self._folder = folder
        self._walk = walk
        self._pattern = pattern
        self._bytes = 0
        self._files = 0
        self.searched = 0
        self.unreadable = 0
        self.truncated = False

    def lines(self, query: str, *, case_sensitive: bool) -> Generator[dict[str, Any]]:
        for path, text in self._texts():
            found = find_lines(text, query, case_sensitive=case_sensitive, width=LINE_CHARACTERS)
            for number, line in found:
                yield {"file_path": path, "line": number, "text": line}

    def _texts(self) -> Iterator[tuple[str, str]]:
        for entry in self._walk:
            if entry.type != "file" or not _fits(entry, self._walk.directory, self._pattern):
                continue
            if self._files >= SEARCH_FILES or self._bytes >= SEARCH_BYTES:
                self.truncated = True
                return
            self._files += 1
            try:
                _, data, _ = self._folder.read(entry.path, SEARCH_FILE_BYTES)
            except FileError:
                self.unreadable += 1
                continue
            self._bytes += len(data)
            complete = len(data) == entry.size
            if (decoded := decode(data, complete=complete)) is not None:
                self.searched += 1
                self.truncated = self.truncated or not complete
                yield entry.path, decoded[0]


def file_info(folder: Folder, *, file_path: str) -> Outcome:
    """Describe a file or a folder without returning what is in it."""
    parts, status = folder.stat(file_path)
    result: dict[str, Any] = {
        "file_path": "/".join(parts) or ".",
        "type": kind(status),
        "size": status.st_size,
        "modified": _iso(status.st_mtime),
    }
    created = getattr(status, "st_birthtime", None)
    if created is not None:
        result["created"] = _iso(created)
    if result["type"] == "file" and status.st_size <= MAX_READ_BYTES:
        _, data, _ = folder.read(file_path, MAX_READ_BYTES)
        if (decoded := decode(data, complete=True)) is not None:
            result["lines"] = count_lines(decoded[0])
    return result, "\n".join(f"{key}: {value}" for key, value in result.items())


def write_file(
    folder: Folder,
    *,
    file_path: str,
    text: str,
    append: bool = False,
    create_directories: bool = True,
    overwrite: bool = True,
) -> Outcome:
    """Write a UTF-8 text file."""
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise InvalidParamsError("text: holds broken characters that cannot be written") from None
    if append:
        created = folder.append(file_path, data, create_directories=create_directories)
    else:
        created = folder.write(
            file_path, data, create_directories=create_directories, overwrite=overwrite
        )
    parts, status = folder.stat(file_path)
    result = {
        "file_path": "/".join(parts),
        "size": status.st_size,
        "created": created,
        "appended": append,
    }
    verb = "created" if created else "appended to" if append else "replaced"
    return result, f"{verb} {result['file_path']} ({status.st_size} bytes)"


def _fits(entry: Entry, directory: str, pattern: str) -> bool:
    if not pattern:
        return True
    prefix = "" if directory == "." else directory + "/"
    return matches_glob(entry.path.removeprefix(prefix).split("/"), pattern)


def _listing(lines: list[str], *, nothing: str, truncated: bool) -> str:
    more = ["(there is more)"] if truncated else []
    return "\n".join([*(lines or [nothing]), *more])


def _iso(seconds: float) -> str:
    moment = datetime.fromtimestamp(min(max(seconds, _EARLIEST), _LATEST), UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
