"""What comes of a `tools/call`, by whichever way it came in: params in, a JSON result out."""

import logging
from collections.abc import Mapping
from typing import Any

import anyio
import mcp_types as types
from mcp.shared.exceptions import MCPError

from podium.domain.errors import InternalError, PodiumError
from podium.domain.naming import did_you_mean
from podium.domain.ports import Front
from podium.domain.relay import Message, PeerError
from podium.interfaces.mcp_server.catalog import Call, Catalog, Entry
from podium.interfaces.mcp_server.passing import in_era_of
from podium.interfaces.mcp_server.progress import Progress
from podium.orchestrator import Orchestrator

CONCURRENT_CALLS = 256  # tool calls that run at once; more wait their turn
SHOWN_NAME = 100  # characters of an unknown tool's name that are repeated to the client

_SILENT = Progress(None)

_log = logging.getLogger(__name__)


class Calls:
    """Answers `tools/call` for every client of one server."""

    def __init__(
        self,
        orchestrator: Orchestrator,
        catalog: Catalog,
        stamp: Mapping[str, Any],
        connection_id: str | None = None,
    ) -> None:
        """`connection_id` stands for the one client that there is, where there is only one."""
        self._orchestrator = orchestrator
        self._catalog = catalog
        self._connection_id = connection_id
        self._stamp = {types.SERVER_INFO_META_KEY: dict(stamp)}
        self._places = anyio.Semaphore(CONCURRENT_CALLS, fast_acquire=True)

    async def answer(
        self,
        params: Mapping[str, Any],
        front: Front,
        progress: Progress = _SILENT,
        *,
        wants_progress: bool = False,
    ) -> Message:
        """Return the result in the era of the client; failures of a tool are results as well.

        Raises:
            MCPError: there is no such tool, or the upstream answered with a JSON-RPC error.

        """
        entry = await self._entry(params["name"])
        call = Call(
            self._orchestrator,
            params,
            progress,
            wants_progress=wants_progress,
            front=front,
            connection_id=self._connection_id if front.is_modern else front.session,
        )
        async with self._places:
            result = in_era_of(await _outcome(entry, call), is_modern=front.is_modern)
        return self.stamped(result) if front.is_modern else result

    def stamped(self, result: Message) -> Message:
        """Return a result with who answers, as the modern era wants it."""
        meta = result.get("_meta")
        return {
            **result,
            "_meta": {**self._stamp, **meta} if isinstance(meta, dict) else self._stamp,
        }

    async def _entry(self, name: str) -> Entry:
        entry = await self._catalog.find(name)
        if entry is not None:
            return entry
        shown = name[:SHOWN_NAME]
        hint = did_you_mean(shown, await self._catalog.entries())
        raise MCPError(types.INVALID_PARAMS, f"Unknown tool: {shown} ({hint})")


async def _outcome(entry: Entry, call: Call) -> dict[str, Any]:
    try:
        return await entry.run(call)
    except PeerError as error:
        raise MCPError(error.code, error.message, error.data) from None
    except PodiumError as error:
        return entry.failed(error, call.arguments)
    except Exception:  # noqa: BLE001 - the boundary: one request must not end the others
        _log.exception("a call of the tool '%s' failed", entry.definition["name"])
        fault = InternalError("Podium failed on this request", hint="its log says more")
        return entry.failed(fault, call.arguments)
