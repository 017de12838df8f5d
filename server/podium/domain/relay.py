"""Words of what Podium passes between a client and an upstream as it is, in plain JSON."""

from dataclasses import dataclass
from typing import Any, Literal

Message = dict[str, Any]
"""The params or the result of a JSON-RPC request, nothing dropped."""

ChangeKind = Literal["ready", "tools", "prompts", "resources", "updated"]

CAPABILITY_OF = {
    "elicitation/create": "elicitation",
    "sampling/createMessage": "sampling",
    "roots/list": "roots",
}
"""What an upstream may ask a client, and the capability with which the client offers it."""


class PeerError(Exception):
    """A JSON-RPC error as the other side sent it, or as it shall be sent to the other side."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


@dataclass(frozen=True, slots=True)
class UpstreamChange:
    """An upstream is there (again), a list of it changed, or one of its resources did."""

    server_id: str
    kind: ChangeKind
    uri: str = ""
