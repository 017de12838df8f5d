"""Which protocol era each upstream speaks, kept in a small file beside the journal.

The file is only a memory: if it is missing, broken or out of date, an upstream is asked again.
"""

import json
import logging
from pathlib import Path
from typing import Any

from podium.storage.private import replace_private_file

MAX_FILE_BYTES = 4 * 1024 * 1024  # a larger one is not ours
MAX_SERVERS = 1_000  # the oldest entries go first

_logger = logging.getLogger(__name__)


class EraFile:
    """Satisfies `podium.domain.ports.EraMemory`.

    The file is read at each call and replaced as a whole, so processes may share it; of two that
    remember at the same moment one entry may be lost and is then learnt again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def recall(self, server_id: str, fingerprint: str) -> dict[str, Any] | None:
        """Return what was remembered, if the server's definition (fingerprint) is unchanged."""
        entry = self._read().get(server_id)
        if not isinstance(entry, dict) or entry.get("fingerprint") != fingerprint:
            return None
        era = entry.get("era")
        return era if isinstance(era, dict) else None

    def remember(self, server_id: str, fingerprint: str, era: dict[str, Any]) -> None:
        """Keep it; failing to is not an error."""
        servers = self._read()
        entry = {"fingerprint": fingerprint, "era": era}
        if servers.get(server_id) == entry:
            return
        servers.pop(server_id, None)
        kept = [*servers.items(), (server_id, entry)][-MAX_SERVERS:]
        try:
            data = json.dumps(dict(kept), indent=1).encode()
            replace_private_file(self._path, data)
        except (OSError, TypeError, ValueError) as error:
            _logger.debug("the era of %s was not remembered: %s", server_id, error)

    def _read(self) -> dict[str, Any]:
        try:
            if self._path.stat().st_size > MAX_FILE_BYTES:
                return {}
            servers = json.loads(self._path.read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        return servers if isinstance(servers, dict) else {}
