"""What logins brought, a file for each server that only its owner may read."""

import json
import logging
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from podium.storage.locks import locked_async
from podium.storage.private import replace_private_file

MAX_FILE_BYTES = 1024 * 1024  # tokens of more than some kilobytes do not fit into a header
RENEWAL_SECONDS = 30.0  # another process may be renewing them over a slow network

_logger = logging.getLogger(__name__)


class TokenFolder:
    """Satisfies `podium.domain.ports.Tokens`; processes may share the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, server_id: str) -> dict[str, Any] | None:
        """Return what was kept; a file that cannot be used counts as none, and is logged."""
        path = self._path(server_id)
        try:
            is_ours = path.stat().st_size <= MAX_FILE_BYTES
            login = json.loads(path.read_bytes()) if is_ours else None
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, RecursionError) as error:
            _logger.warning("%s cannot be used: %s", path, error)
            return None
        return login if isinstance(login, dict) else None

    def save(self, server_id: str, login: Mapping[str, Any]) -> None:
        """Keep it.

        Raises:
            OSError: it cannot be written.

        """
        data = json.dumps(dict(login), indent=1).encode()
        replace_private_file(self._path(server_id), data, durable=True)

    def locked(self, server_id: str) -> AbstractAsyncContextManager[None]:
        """Keep other processes from renewing the same tokens inside the block."""
        return locked_async(self._path(server_id).with_suffix(".lock"), RENEWAL_SECONDS)

    def _path(self, server_id: str) -> Path:
        return self._folder / f"{server_id}.json"
