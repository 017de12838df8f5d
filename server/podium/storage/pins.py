"""The accepted definitions of upstream tools, in one file with a checksum over all of it.

A file that cannot be read, or whose checksum is wrong, holds every tool back: what was accepted is
not known then, and to accept everything anew is for a person to decide.
"""

import hashlib
import json
import logging
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

from podium.domain.errors import PinsInvalidError
from podium.domain.tool import Pin
from podium.storage.locks import locked
from podium.storage.private import replace_private_file

FORMAT = 1
MAX_FILE_BYTES = 256 * 1024 * 1024  # 100 servers with 2,000 tools of a kilobyte each
LONGEST_DEFINITION = 65_536  # characters; of a longer one only the hash is kept

_logger = logging.getLogger(__name__)

_Servers = dict[str, dict[str, dict[str, Any]]]


class PinFile:
    """Satisfies `podium.domain.ports.Pins`; processes may share the file.

    Where the file cannot be written (a full disk, a read-only folder) the pins of this process are
    kept in memory, so that a change is still held back while it runs.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_version: Hashable = None
        self._servers: _Servers = {}
        self._unwritten: _Servers = {}

    def of(self, server_id: str) -> Mapping[str, Pin]:
        """Return what is on record for a server.

        Raises:
            PinsInvalidError: the file is there but is not what was written.

        """
        entries = self._read().get(server_id, {}) | self._unwritten.get(server_id, {})
        return {
            name: Pin(entry["sha256"], entry.get("definition")) for name, entry in entries.items()
        }

    def keep(self, server_id: str, pins: Mapping[str, Pin], *, replace: bool) -> None:
        """Put definitions on record; unless `replace`, one that is there already stays.

        Raises:
            PinsInvalidError: the file is there but is not what was written.

        """
        fresh = {name: _entry(pin) for name, pin in pins.items()}
        try:
            with locked(self._path.with_name(f"{self._path.name}.lock")):
                self._write(server_id, fresh, replace=replace)
        except OSError as error:
            _logger.warning("tool definitions are not remembered beyond this run: %s", error)
            known = self._unwritten.get(server_id, {})
            self._unwritten[server_id] = known | fresh if replace else fresh | known

    def version(self) -> Hashable:
        """Return what tells one state of the file from another."""
        try:
            status = self._path.stat()
        except OSError as error:
            return error.errno
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _write(self, server_id: str, fresh: dict[str, dict[str, Any]], *, replace: bool) -> None:
        servers = self._read()
        known = servers.get(server_id, {})
        merged = known | fresh if replace else fresh | known
        if merged != known:
            data = _file_bytes({**servers, server_id: merged})
            replace_private_file(self._path, data, durable=True)
        if server_id in self._unwritten:
            for name in fresh:
                self._unwritten[server_id].pop(name, None)

    def _read(self) -> _Servers:
        version = self.version()
        if version != self._read_version:
            self._servers = self._parsed()
            self._read_version = version
        return self._servers

    def _parsed(self) -> _Servers:
        try:
            if self._path.stat().st_size > MAX_FILE_BYTES:
                raise self._invalid(f"it is larger than {MAX_FILE_BYTES:,} bytes")
            text = self._path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            raise self._invalid(error.strerror or str(error)) from error
        try:
            return _servers(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise self._invalid(str(error)) from error

    def _invalid(self, reason: str) -> PinsInvalidError:
        return PinsInvalidError(
            f"{self._path}: cannot be relied on ({reason}), so every tool is held back",
            hint="restore the file from a copy, or look at the tools of every server and remove "
            "the file: they are then all accepted anew, as they are at that moment",
        )


def _entry(pin: Pin) -> dict[str, Any]:
    entry: dict[str, Any] = {"sha256": pin.sha256}
    if pin.definition is not None and len(_text(pin.definition)) <= LONGEST_DEFINITION:
        entry["definition"] = pin.definition
    return entry


def _file_bytes(servers: _Servers) -> bytes:
    content = {"format": FORMAT, "servers": servers}
    return json.dumps({"sha256": _checksum(content), **content}, indent=1).encode()


def _servers(document: Any) -> _Servers:
    """Return the content of a file that was just parsed.

    Raises:
        ValueError: it is not what was written, and in what way.

    """
    if not isinstance(document, dict) or "servers" not in document:
        raise ValueError("it holds no pins")
    content = {name: value for name, value in document.items() if name != "sha256"}
    if document.get("sha256") != _checksum(content):
        raise ValueError("its checksum is wrong")
    if document.get("format") != FORMAT:
        raise ValueError("another version of Podium wrote it")
    servers: _Servers = document["servers"]
    return servers


def _checksum(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(_text(content).encode()).hexdigest()


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
