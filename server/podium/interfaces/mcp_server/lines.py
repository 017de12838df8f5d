"""Lines to JSON-RPC messages, or to the errors that answer them, and messages to lines."""

import json
from functools import cached_property
from typing import Any

import mcp_types as types
import orjson
from mcp.shared.message import SessionMessage
from pydantic import ValidationError

from podium.interfaces.mcp_server.limits import MESSAGE_BYTES
from podium.upstreams.framing import DroppedLine


class Listing(list[Any]):
    """A list that many answers hold; its JSON is written once."""

    @cached_property
    def json(self) -> bytes:
        """The list as JSON."""
        return _json(list(self))


def decode(line: bytes | DroppedLine) -> SessionMessage | types.JSONRPCError | None:
    """Turn a line into a message, or into the error that answers it; None for an empty line."""
    if isinstance(line, DroppedLine):
        return _refusal(types.INVALID_REQUEST, f"the message is longer than {MESSAGE_BYTES} bytes")
    if not line.strip():
        return None
    try:
        wire = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return _refusal(types.PARSE_ERROR, f"the line is no valid JSON: {error}")
    try:
        message = types.jsonrpc_message_adapter.validate_python(wire, by_name=False)
    except ValidationError:
        return _refusal(types.INVALID_REQUEST, "this is no JSON-RPC message", _request_id(wire))
    if isinstance(message, types.JSONRPCNotification) and "id" in wire:
        return _refusal(types.INVALID_REQUEST, "the id is neither a text nor a whole number")
    return SessionMessage(message)


def encode(message: SessionMessage) -> bytes:
    """Turn a message into its line."""
    inner = message.message
    wire: dict[str, Any] = {"jsonrpc": "2.0"}
    if not isinstance(inner, types.JSONRPCNotification):
        wire["id"] = inner.id
    if isinstance(inner, types.JSONRPCResponse):
        wire["result"] = {
            key: orjson.Fragment(value.json) if isinstance(value, Listing) else value
            for key, value in inner.result.items()
        }
    elif isinstance(inner, types.JSONRPCError):
        wire["error"] = inner.error.model_dump(exclude_none=True)
    else:
        wire["method"] = inner.method
        if inner.params is not None:
            wire["params"] = inner.params
    return _json(wire) + b"\n"


def _json(value: Any) -> bytes:
    try:
        return orjson.dumps(value, default=str)
    except orjson.JSONEncodeError:  # integers beyond 64 bits, half a surrogate pair
        return json.dumps(value, default=str).encode()


def _refusal(code: int, message: str, request_id: int | str | None = None) -> types.JSONRPCError:
    error = types.ErrorData(code=code, message=message)
    return types.JSONRPCError(jsonrpc="2.0", id=request_id, error=error)


def _request_id(wire: Any) -> int | str | None:
    if not isinstance(wire, dict) or "method" not in wire:
        return None
    found = wire.get("id")
    return found if isinstance(found, int | str) and not isinstance(found, bool) else None
