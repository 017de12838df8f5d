"""What `tools/call` brings back, as it came, to a result or to the error that says why not."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from podium.domain.errors import (
    LoginRequiredError,
    ResultTooLargeError,
    UpstreamAnswerError,
    UpstreamClosedError,
    UpstreamError,
    UpstreamProtocolError,
    UpstreamUnavailableError,
)
from podium.domain.tool import ToolResult
from podium.upstreams import sdk
from podium.upstreams.sdk import RpcError
from podium.upstreams.words import words_of

_REFUSED_FOR_NOW = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_GATEWAY_LOST_IT = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT})
_NOT_LET_IN = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


def read_result(tool: str, raw: Mapping[str, Any], *, is_modern: bool) -> ToolResult:
    """Return the result; unknown kinds of content and unknown fields are let through.

    Raises:
        UpstreamProtocolError: it is a question to the client, a task, or no result at all.

    """
    kind = raw.get("resultType", "complete")
    if kind == "input_required":
        raise UpstreamAnswerError(
            f"{tool} asks for more input while it runs, which Podium cannot pass on",
            hint="give everything it needs in the arguments, or call it from a client of its own",
        )
    if kind != "complete":
        raise UpstreamAnswerError(
            f"{tool} answered with a '{words_of(str(kind), 40)}', which Podium does not know",
            hint="only complete results can be used",
        )
    content = raw.get("content")
    structured = raw.get("structuredContent")
    # Before 2026-07-28 it can only be an object, and careless servers send null for "none".
    has_structured = "structuredContent" in raw and (structured is not None or is_modern)
    if not isinstance(content, list) and not has_structured:
        raise UpstreamProtocolError(
            f"{tool} answered with neither content nor structuredContent",
            hint="the server does not keep to the protocol; report it to its authors",
        )
    return ToolResult(
        content=tuple(block for block in content if isinstance(block, dict))
        if isinstance(content, list)
        else (),
        structured=structured if has_structured else None,
        has_structured=has_structured,
        is_error=raw.get("isError") is True,
    )


def failure(subject: str, error: RpcError) -> UpstreamError:
    """Return what a failed request means; `subject` is the upstream, or its tool.

    Not for `CLOSED`: how a connection ended, only its owner knows.
    """
    words = words_of(error.message)
    if error.code == sdk.TOO_LARGE:
        return ResultTooLargeError(
            f"{subject}: {words}",
            hint="ask for less, or raise `limits.result_bytes` in config.yaml",
        )
    if error.code == sdk.BAD_MESSAGE:
        return UpstreamProtocolError(
            f"{subject}: {words}",
            hint="the server does not keep to the protocol; report it to its authors",
        )
    if error.code == sdk.UNREACHABLE:
        return UpstreamUnavailableError(
            f"{subject} cannot be reached: {words}",
            hint="check that the server runs and that `url` in config.yaml is right",
            sent=False,
        )
    if error.code == sdk.LOGIN_REQUIRED:
        hint = error.data.get("hint") if isinstance(error.data, Mapping) else None
        return LoginRequiredError(
            f"{subject} cannot be used without a login: {words}",
            hint=hint if isinstance(hint, str) else "podium login SERVER",
            sent=False,
        )
    if error.code == sdk.HTTP_STATUS:
        return _refusal(subject, words, error.data)
    return UpstreamAnswerError(f"{subject} answered with error {error.code}: {words}")


def _refusal(subject: str, words: str, data: Any) -> UpstreamError:
    status = data.get("status") if isinstance(data, Mapping) else None
    if status in _REFUSED_FOR_NOW:
        return UpstreamUnavailableError(
            f"{subject} refuses for now: {words}", hint="try again later", sent=False
        )
    if status in _GATEWAY_LOST_IT:
        return UpstreamClosedError(f"{subject} was lost on the way: {words}", hint="try again")
    hint = "check `url` in config.yaml"
    if status in _NOT_LET_IN:
        hint = "check `headers` (credentials), or `oauth.scopes`, in config.yaml"
    return UpstreamProtocolError(f"{subject} refuses: {words}", hint=hint)
