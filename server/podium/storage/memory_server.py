"""What conversations know, in an upstream MCP memory server: one entity each, holding JSON.

The tools are those of the official memory server: `create_entities`, `add_observations`,
`delete_observations`, `open_nodes`, `search_nodes`, `delete_entities`. They know no
compare-and-set, so saves are serialised in this process; another process that saves the same
conversation at the same moment is seen by its version, unless both write between the other's read
and write.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import anyio

from podium.domain.conversation import Conversation, ConversationBounds
from podium.domain.errors import ToolFailedError
from podium.domain.ports import Clock, Upstreams
from podium.domain.redaction import Redactor

ENTITY_TYPE = "podium_conversation"
CALL_SECONDS = 10.0  # one call of the server; a request waits for it
SWEEP_EVERY = 100  # new conversations
SWEPT_AT_ONCE = 500  # entities


class MemoryServerConversations:
    """Satisfies `podium.domain.ports.Conversations`."""

    def __init__(
        self,
        upstreams: Upstreams,
        server_id: str,
        *,
        clock: Clock,
        redactor: Redactor,
        bounds: ConversationBounds,
    ) -> None:
        self._upstreams = upstreams
        self._server_id = server_id
        self._clock = clock
        self._redactor = redactor
        self._bounds = bounds
        self._lock = anyio.Lock()
        self._since_sweep = 0

    async def load(self, user_id: str, conversation_id: str) -> tuple[Conversation, int]:
        """Return the state and its version; an old one counts as empty.

        Raises:
            PodiumError: the server cannot be reached, or fails.

        """
        kept = _newest(await self._observations(_name(user_id, conversation_id)))
        if kept is None:
            return Conversation(), 0
        if kept["updated_at"] < self._clock.now() - self._bounds.ttl_seconds:
            return Conversation(), kept["version"]
        return Conversation.from_dict(kept["state"]) or Conversation(), kept["version"]

    async def save(
        self, user_id: str, conversation_id: str, state: Conversation, version: int
    ) -> bool:
        """Keep the state, if this is still its version.

        Raises:
            PodiumError: the server cannot be reached, or fails.

        """
        name, user = _name(user_id, conversation_id), _digest(user_id) if user_id else ""
        text = json.dumps(
            {
                "version": version + 1,
                "updated_at": self._clock.now(),
                "user": user,
                "state": self._redactor.value(state.to_dict()),
            }
        )
        async with self._lock:
            observations = await self._observations(name)
            kept = _newest(observations)
            if (kept["version"] if kept else 0) != version:
                return False
            if observations is None:
                entity = {"name": name, "entityType": ENTITY_TYPE, "observations": [text]}
                await self._call("create_entities", {"entities": [entity]})
            else:
                # The new before the old goes: what happens in between loses nothing.
                added = {"entityName": name, "contents": [text]}
                await self._call("add_observations", {"observations": [added]})
                gone = {"entityName": name, "observations": observations}
                await self._call("delete_observations", {"deletions": [gone]})
        if observations is None:
            self._since_sweep += 1
            if self._since_sweep >= SWEEP_EVERY:
                await self.sweep()
        return True

    async def sweep(self) -> int:
        """Forget what has expired and what is too much, of one person and of all.

        Raises:
            PodiumError: the server cannot be reached, or fails.

        """
        self._since_sweep = 0
        found = await self._call("search_nodes", {"query": ENTITY_TYPE})
        rows = []
        for entity in _entities(found):
            if entity.get("entityType") == ENTITY_TYPE:
                kept = _newest(entity.get("observations"))
                at = kept["updated_at"] if kept else 0.0
                rows.append((at, str(kept.get("user", "")) if kept else "", str(entity["name"])))
        names = list(self._too_much(sorted(rows, reverse=True)))[:SWEPT_AT_ONCE]
        if names:
            await self._call("delete_entities", {"entityNames": names})
        return len(names)

    def _too_much(self, rows: Iterable[tuple[float, str, str]]) -> Iterable[str]:
        before = self._clock.now() - self._bounds.ttl_seconds
        of_users: dict[str, int] = {}
        kept = 0
        for at, user, name in rows:
            of_users[user] = of_users.get(user, 0) + 1
            if (
                at < before
                or kept >= self._bounds.in_all
                or (user and of_users[user] > self._bounds.per_user)
            ):
                yield name
            else:
                kept += 1

    async def _observations(self, name: str) -> list[str] | None:
        """Return what the server holds under a name; None if it has no such entity."""
        found = _entities(await self._call("open_nodes", {"names": [name]}))
        for entity in found:
            if entity.get("name") == name:
                return [text for text in entity.get("observations", ()) if isinstance(text, str)]
        return None

    async def _call(self, tool: str, arguments: dict[str, Any]) -> Any:
        result = await self._upstreams.call_tool(
            self._server_id, tool, arguments, timeout_seconds=CALL_SECONDS
        )
        if result.is_error:
            raise ToolFailedError(f"{self._server_id}.{tool} failed: {result.text[:200]}")
        return result.value()


def _entities(result: Any) -> list[dict[str, Any]]:
    entities = result.get("entities") if isinstance(result, dict) else None
    found = entities if isinstance(entities, list) else []
    return [entity for entity in found if isinstance(entity, dict) and "name" in entity]


def _newest(observations: Any) -> dict[str, Any] | None:
    """Return what was written last; a text that Podium has not written counts for nothing."""
    newest: dict[str, Any] | None = None
    for text in observations if isinstance(observations, list) else ():
        try:
            kept = json.loads(text)
            version, at = kept["version"], kept["updated_at"]
        except (ValueError, TypeError, KeyError, RecursionError):
            continue
        is_ours = isinstance(version, int) and isinstance(at, int | float) and "state" in kept
        if is_ours and (newest is None or version > newest["version"]):
            newest = kept
    return newest


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _name(user_id: str, conversation_id: str) -> str:
    """Return the entity's name; each id is digested, so no pair of ids can pose as another."""
    return f"podium:{_digest(user_id)[:32]}:{_digest(conversation_id)[:32]}"
