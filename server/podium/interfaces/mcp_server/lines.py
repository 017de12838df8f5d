"""Lines to JSON-RPC messages, or to the errors that answer them, and messages to lines."""

import json
import secrets
from collections.abc import Mapping
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

    @cached_property
    def stand_in(self) -> str:
        """A text that stands for the list where the SDK writes the answer; nobody can guess it."""
        return secrets.token_hex(16)


def with_stand_ins(result: Mapping[str, Any], lists: dict[str, "Listing"]) -> dict[str, Any]:
    """Return a result with a text in place of each list, and put down what each stands for."""
    shown = dict(result)
    for key, value in result.items():
        if isinstance(value, Listing):
            lists[value.stand_in] = value
            shown[key] = value.stand_in
    return shown


def without_stand_ins(data: bytes, lists: Mapping[str, "Listing"]) -> bytes:
    """Return bytes with the lists where their stand-ins are."""
    for text, listing in lists.items():
        data = data.replace(b'"%b"' % text.encode(), listing.json)
    return data


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
    if isinstance(inner, types.JSONRPCResponse):
        return answer_line(inner.id, inner.result)
    if isinstance(inner, types.JSONRPCError):
        return error_line(inner.id, inner.error)
    wire: dict[str, Any] = {"jsonrpc": "2.0"}
    if isinstance(inner, types.JSONRPCRequest):
        wire["id"] = inner.id
    wire["method"] = inner.method
    if inner.params is not None:
        wire["params"] = inner.params
    return _json(wire) + b"\n"


def answer_line(identifier: int | str, result: Mapping[str, Any]) -> bytes:
    """Return the line of an answer."""
    return answer_json(identifier, result) + b"\n"


def answer_json(identifier: int | str, result: Mapping[str, Any]) -> bytes:
    """Return an answer as JSON; the lists in it were written before."""
    written = {
        key: orjson.Fragment(value.json) if isinstance(value, Listing) else value
        for key, value in result.items()
    }
    return _json({"jsonrpc": "2.0", "id": identifier, "result": written})


def error_line(identifier: int | str | None, error: types.ErrorData) -> bytes:
    """Return the line of an error that answers a request."""
    return error_json(identifier, error) + b"\n"


def error_json(identifier: int | str | None, error: types.ErrorData) -> bytes:
    """Return an error that answers a request as JSON."""
    told = error.model_dump(exclude_none=True)
    return _json({"jsonrpc": "2.0", "id": identifier, "error": told})


def notice_line(method: str, params: Mapping[str, Any]) -> bytes:
    """Return the line of a notification."""
    return _json({"jsonrpc": "2.0", "method": method, "params": dict(params)}) + b"\n"


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
