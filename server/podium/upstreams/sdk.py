"""The one place that touches the SDK's lower layers, whose interfaces may change in a 2.x release.

Out of it come plain dicts, messages to put on a stream, and `RpcError`; the SDK's typed layer is
left out because it drops unknown fields and lets one malformed tool spoil a whole upstream.
"""

import json
import logging
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Literal

import httpx2
import mcp_types as types
import orjson
from mcp.client.stdio import get_default_environment
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.inbound import (
    MCP_METHOD_HEADER,
    MCP_NAME_HEADER,
    MCP_PROTOCOL_VERSION_HEADER,
    NAME_BEARING_METHODS,
    encode_header_value,
    find_invalid_x_mcp_header,
    mcp_param_headers,
    x_mcp_header_map,
)
from mcp.shared.message import ClientMessageMetadata, SessionMessage
from mcp_types.version import (
    HANDSHAKE_PROTOCOL_VERSIONS,
    LATEST_HANDSHAKE_VERSION,
    LATEST_MODERN_VERSION,
    MODERN_PROTOCOL_VERSIONS,
)
from pydantic import ValidationError

from podium.domain.relay import Message, PeerError

__all__ = [
    "BAD_MESSAGE",
    "CLOSED",
    "HANDSHAKE_PROTOCOL_VERSIONS",
    "HTTP_STATUS",
    "INTERNAL_ERROR",
    "INVALID_PARAMS",
    "INVALID_REQUEST",
    "LATEST_HANDSHAKE_VERSION",
    "LATEST_MODERN_VERSION",
    "LOGIN_REQUIRED",
    "LOG_LEVEL_KEY",
    "METHOD_NOT_FOUND",
    "MODERN_PROTOCOL_VERSIONS",
    "OWN_CODES",
    "SESSION_LOST",
    "TIMED_OUT",
    "TOO_LARGE",
    "UNREACHABLE",
    "UNSUPPORTED_VERSION",
    "RpcError",
    "SessionMessage",
    "Unreadable",
    "answer_id",
    "answer_in_body",
    "body_of",
    "call_of",
    "cancelled_id",
    "decode",
    "encode",
    "error_answer",
    "find_invalid_x_mcp_header",
    "handshake_headers",
    "headers_of",
    "http_error_body",
    "http_streams",
    "is_error_body",
    "is_modern_call",
    "kind_of_body",
    "message_in_event",
    "modern_envelope",
    "notice",
    "notice_method",
    "outcome",
    "request",
    "request_id",
    "result_answer",
    "safe_environment",
    "without_envelope",
]

# Faults come back as errors; unless somebody sets up logging, the SDK's own account of them, with
# tracebacks, must not reach a person's terminal.
logging.getLogger("mcp").addHandler(logging.NullHandler())

INTERNAL_ERROR = types.INTERNAL_ERROR
INVALID_PARAMS = types.INVALID_PARAMS
INVALID_REQUEST = types.INVALID_REQUEST
METHOD_NOT_FOUND = types.METHOD_NOT_FOUND
TIMED_OUT = types.REQUEST_TIMEOUT
LOG_LEVEL_KEY = types.LOG_LEVEL_META_KEY
UNSUPPORTED_VERSION = types.UNSUPPORTED_PROTOCOL_VERSION

# Our own codes, for faults that Podium finds itself; outside the range JSON-RPC reserves.
CLOSED = -33_000
TOO_LARGE = -33_001
BAD_MESSAGE = -33_002
UNREACHABLE = -33_003
HTTP_STATUS = -33_004
SESSION_LOST = -33_005
LOGIN_REQUIRED = -33_006

# The rest is dropped unread: a flood of it must cost little.
_WANTED_NOTIFICATIONS = frozenset(
    {
        "notifications/cancelled",
        "notifications/elicitation/complete",
        "notifications/message",
        "notifications/progress",
        "notifications/prompts/list_changed",
        "notifications/resources/list_changed",
        "notifications/resources/updated",
        "notifications/tools/list_changed",
    }
)
_TRANSPORT_CLOSED = ("Connection closed", "SSE stream ")
_SSE_TOO_LARGE = "byte limit"

OWN_CODES = frozenset(
    {CLOSED, TOO_LARGE, BAD_MESSAGE, UNREACHABLE, HTTP_STATUS, SESSION_LOST, LOGIN_REQUIRED}
)


class RpcError(PeerError):
    """A request failed: the peer's JSON-RPC error, or one of our own codes above."""


def safe_environment() -> dict[str, str]:
    """Return the environment variables that a child may always inherit."""
    return get_default_environment()


# --- messages on a line


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that should be a message but is none; `id` is set if it surely answers a request."""

    reason: str
    id: int | str | None = None


def decode(line: bytes) -> SessionMessage | Unreadable | None:
    """Turn one line into a message; None for what nobody waits for (noise, log messages).

    What the dispatcher would stumble over (ids and params of the wrong type) never reaches it.
    """
    if not line.lstrip().startswith(b"{"):
        return None
    try:
        wire = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return Unreadable(f"its answer is no valid JSON: {error}")
    message = _message(wire)
    if isinstance(message, Unreadable) or message is None:
        return message
    return SessionMessage(message)


def _message(wire: dict[str, Any]) -> types.JSONRPCMessage | Unreadable | None:
    identifier = wire.get("id")
    if not isinstance(identifier, int | str) or isinstance(identifier, bool):
        identifier = None
    if "method" in wire:
        return _call(wire, identifier)
    if wire.get("error") is not None:
        return _error(identifier, wire["error"])
    if identifier is None:
        return None
    if "result" not in wire:  # without "jsonrpc" it is a log line in JSON, a common habit
        reason = "its answer holds neither a result nor an error"
        return Unreadable(reason, identifier) if "jsonrpc" in wire else None
    if not isinstance(wire["result"], dict):
        return Unreadable("its result is no JSON object", identifier)
    return types.JSONRPCResponse.model_construct(
        jsonrpc="2.0", id=identifier, result=wire["result"]
    )


def _call(wire: dict[str, Any], identifier: int | str | None) -> types.JSONRPCMessage | None:
    method, params = wire["method"], wire.get("params")
    if not isinstance(method, str) or not isinstance(params, dict | None):
        return None
    if identifier is not None:
        return types.JSONRPCRequest.model_construct(
            jsonrpc="2.0", id=identifier, method=method, params=params
        )
    if "id" in wire or method not in _WANTED_NOTIFICATIONS:
        return None
    return types.JSONRPCNotification.model_construct(jsonrpc="2.0", method=method, params=params)


def _error(identifier: int | str | None, error: Any) -> types.JSONRPCMessage | Unreadable:
    if not isinstance(error, dict):
        return Unreadable(
            f"it answered with an error that is no object: {error!r:.200}", identifier
        )
    code, message = error.get("code"), error.get("message")
    if not isinstance(code, int):
        code = 0
    if identifier is None:
        return Unreadable(f"it answered with error {code}: {message!s:.200}")
    return error_answer(identifier, code, str(message), error.get("data")).message


def error_answer(
    identifier: int | str, code: int, message: str, data: Any = None
) -> SessionMessage:
    """Return an error answer to a request of ours, as if the upstream had sent it."""
    error = types.ErrorData.model_construct(code=code, message=message, data=data)
    return SessionMessage(
        types.JSONRPCError.model_construct(jsonrpc="2.0", id=identifier, error=error)
    )


def encode(message: SessionMessage) -> bytes:
    """Turn a message into its line."""
    return orjson.dumps(_wire_of(message), option=orjson.OPT_APPEND_NEWLINE)


def _wire_of(message: SessionMessage) -> dict[str, Any]:
    inner = message.message
    wire: dict[str, Any] = {"jsonrpc": "2.0"}
    if not isinstance(inner, types.JSONRPCNotification):
        wire["id"] = inner.id
    if isinstance(inner, types.JSONRPCRequest | types.JSONRPCNotification):
        wire["method"] = inner.method
        if inner.params is not None:
            wire["params"] = inner.params
    elif isinstance(inner, types.JSONRPCResponse):
        wire["result"] = inner.result
    else:
        wire["error"] = inner.error.model_dump(exclude_none=True)
    return wire


def request_id(message: SessionMessage) -> int | str | None:
    """Return the id if the message is a request."""
    inner = message.message
    return inner.id if isinstance(inner, types.JSONRPCRequest) else None


def notice_method(message: SessionMessage) -> str | None:
    """Return the method if the message is a notification."""
    inner = message.message
    return inner.method if isinstance(inner, types.JSONRPCNotification) else None


def answer_id(message: SessionMessage) -> int | str | None:
    """Return the id of the request that the message answers, if it is an answer."""
    inner = message.message
    return inner.id if isinstance(inner, types.JSONRPCResponse | types.JSONRPCError) else None


def cancelled_id(message: SessionMessage) -> int | str | None:
    """Return the id of the request that the message cancels, if it cancels one."""
    inner = message.message
    if isinstance(inner, types.JSONRPCNotification) and inner.method == "notifications/cancelled":
        identifier = (inner.params or {}).get("requestId")
        return identifier if isinstance(identifier, int | str) else None
    return None


# --- the modern envelope


def modern_envelope(
    method: str,
    params: Mapping[str, Any],
    version: str,
    client: Mapping[str, Any],
    input_schema: Mapping[str, Any] | None = None,
    capabilities: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the params with the per-request `_meta`, and the HTTP headers that repeat them."""
    meta = {
        **(params.get("_meta") or {}),
        types.PROTOCOL_VERSION_META_KEY: version,
        types.CLIENT_INFO_META_KEY: dict(client),
        types.CLIENT_CAPABILITIES_META_KEY: dict(capabilities or {}),
    }
    headers = {MCP_PROTOCOL_VERSION_HEADER: version, MCP_METHOD_HEADER: method}
    name = params.get(NAME_BEARING_METHODS.get(method, ""))
    if isinstance(name, str):
        headers[MCP_NAME_HEADER] = encode_header_value(name)
    if input_schema is not None:
        places = x_mcp_header_map(input_schema)
        headers.update(mcp_param_headers(places, params.get("arguments") or {}))
    return {**params, "_meta": meta}, headers


def handshake_headers(version: str) -> dict[str, str]:
    """Return the HTTP headers of every request after a handshake."""
    return {MCP_PROTOCOL_VERSION_HEADER: version}


def without_envelope(params: Mapping[str, Any]) -> Message:
    """Return a client's params without what its own connection wrote into `_meta`."""
    meta = params.get("_meta")
    if not isinstance(meta, Mapping):
        return {key: value for key, value in params.items() if key != "_meta"}
    kept = {key: value for key, value in meta.items() if key not in _ENVELOPE}
    rest = {key: value for key, value in params.items() if key != "_meta"}
    return {**rest, "_meta": kept} if kept else rest


_ENVELOPE = frozenset(
    {
        types.PROTOCOL_VERSION_META_KEY,
        types.CLIENT_INFO_META_KEY,
        types.CLIENT_CAPABILITIES_META_KEY,
        "progressToken",
    }
)


# --- what is sent, and what comes back


def request(
    identifier: int | str,
    method: str,
    params: Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
) -> SessionMessage:
    """Return a request of ours; the headers are for a transport that has some."""
    inner = types.JSONRPCRequest.model_construct(
        jsonrpc="2.0", id=identifier, method=method, **_given(params)
    )
    return SessionMessage(inner, _with_headers(headers))


def notice(
    method: str, params: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> SessionMessage:
    """Return a notification of ours."""
    inner = types.JSONRPCNotification.model_construct(
        jsonrpc="2.0", method=method, **_given(params)
    )
    return SessionMessage(inner, _with_headers(headers))


def _given(params: Mapping[str, Any]) -> dict[str, Any]:
    # Over HTTP what is set is sent, and `"params": null` is no valid message.
    return {"params": dict(params)} if params else {}


def _with_headers(headers: Mapping[str, str] | None) -> ClientMessageMetadata | None:
    return ClientMessageMetadata(headers=dict(headers)) if headers else None


def result_answer(identifier: int | str, result: Message) -> SessionMessage:
    """Return our answer to a question of an upstream."""
    return SessionMessage(
        types.JSONRPCResponse.model_construct(jsonrpc="2.0", id=identifier, result=result)
    )


def call_of(message: SessionMessage) -> tuple[str, Message]:
    """Return method and params of a request or notification."""
    inner = message.message
    if isinstance(inner, types.JSONRPCRequest | types.JSONRPCNotification):
        return inner.method, dict(inner.params or {})
    return "", {}


def outcome(message: SessionMessage) -> Message | RpcError:
    """Return what an answer says: the result, or the error."""
    inner = message.message
    if isinstance(inner, types.JSONRPCError):
        return _translated(inner.error)
    return inner.result if isinstance(inner, types.JSONRPCResponse) else {}


def _translated(error: types.ErrorData) -> RpcError:
    """Tell what the SDK's own transport reports from what the peer says under the same code."""
    if error.code == types.CONNECTION_CLOSED and error.message.startswith(_TRANSPORT_CLOSED):
        code = TOO_LARGE if _SSE_TOO_LARGE in error.message else CLOSED
        return RpcError(code, error.message)
    if error.code == types.PARSE_ERROR and error.message.startswith("Failed to parse"):
        return RpcError(BAD_MESSAGE, "its answer is no valid JSON-RPC message")
    return RpcError(error.code, error.message, error.data)


# --- streamable HTTP


def http_streams(
    url: str, client: httpx2.AsyncClient, longest_event_bytes: int
) -> AbstractAsyncContextManager[tuple[Any, Any]]:
    """Open the two streams of a streamable HTTP connection over our own HTTP client."""
    return streamable_http_client(url, http_client=client, max_sse_event_size=longest_event_bytes)


def is_modern_call(method: str, headers: Mapping[str, str] | None) -> bool:
    """Whether a request calls a tool in the modern era."""
    version = (headers or {}).get(MCP_PROTOCOL_VERSION_HEADER)
    return method == "tools/call" and version in MODERN_PROTOCOL_VERSIONS


def headers_of(message: SessionMessage) -> Mapping[str, str]:
    """Return the HTTP headers that a message of ours wants."""
    metadata = message.metadata
    return (metadata.headers or {}) if isinstance(metadata, ClientMessageMetadata) else {}


def body_of(message: SessionMessage) -> bytes:
    """Return a message as the body of a POST."""
    wire = _wire_of(message)
    try:
        return orjson.dumps(wire)
    except orjson.JSONEncodeError:  # integers beyond 64 bits, half a surrogate pair
        return json.dumps(wire).encode()


def answer_in_body(body: bytes, identifier: int | str) -> SessionMessage:
    """Return the answer to a request that a body holds, or the error that it holds none."""
    answer = message_in_event(body, identifier)
    if answer_id(answer) is None:
        return error_answer(identifier, BAD_MESSAGE, "its answer holds no result and no error")
    return answer


def message_in_event(data: str | bytes, identifier: int | str) -> SessionMessage:
    """Return the message in an event of a request's stream; an answer there is to that request."""
    try:
        message = types.jsonrpc_message_adapter.validate_json(data, by_name=False)
    except ValidationError:
        text = "its answer is no valid JSON-RPC message"
        return error_answer(identifier, BAD_MESSAGE, text)
    if isinstance(message, types.JSONRPCResponse | types.JSONRPCError):
        message.id = identifier
    return SessionMessage(message)


def http_error_body(code: int, message: str, data: Any = None) -> bytes:
    """Return a JSON-RPC error that the transport hands to whoever waits for the request."""
    error = {"code": code, "message": message, "data": data}
    return orjson.dumps({"jsonrpc": "2.0", "id": None, "error": error})


def is_error_body(body: bytes) -> bool:
    """Whether the body of a refusal is a JSON-RPC error, which says more than its status."""
    try:
        types.JSONRPCError.model_validate_json(body)
    except ValueError:
        return False
    return True


def kind_of_body(body: bytes) -> Literal["request", "cancellation", "other"]:
    """Tell what a message that the SDK posts is: somebody waits for the answer of a request."""
    message = orjson.loads(body)
    method = message.get("method")
    if method == "notifications/cancelled":
        return "cancellation"
    return "request" if "id" in message and method is not None else "other"
