"""What happened, in the wire form of a `tools/call` result."""

from collections.abc import Mapping
from typing import Any

from podium.domain.errors import PodiumError
from podium.domain.request import Reply
from podium.domain.tool import ToolResult

Result = dict[str, Any]
"""A `CallToolResult` as JSON: content, structuredContent, isError."""


def answer(structured: dict[str, Any], text: str, *, is_error: bool = False) -> Result:
    """Return a result with a structured answer and the same for people."""
    return {
        "content": [{"type": "text", "text": text}],
        "structuredContent": structured,
        "isError": is_error,
    }


def of_reply(reply: dict[str, Any]) -> Result:
    """Return a reply of the orchestrator; its text is the message, and what to do if it failed."""
    text = str(reply["data"]["message"])
    error = reply.get("error")
    if error:
        text = _with_hint(text, error)
    return answer(reply, text, is_error=reply["status"] == "error")


def of_failed_request(error: PodiumError, arguments: Mapping[str, Any]) -> Result:
    """Return an error as a reply: what a tool that answers with replies says when it cannot."""
    conversation_id = arguments.get("conversation_id")
    composition_id = arguments.get("composition_id")
    reply = Reply(
        status="error",
        message=error.message,
        composition_id=composition_id if isinstance(composition_id, str) else None,
        conversation_id=conversation_id if isinstance(conversation_id, str) else None,
        error=error.to_dict(),
    )
    return of_reply(reply.to_dict())


def of_error(error: PodiumError) -> Result:
    """Return an error on its own."""
    described = error.to_dict()
    return answer({"error": described}, _with_hint(error.message, described), is_error=True)


def of_relayed_error(error: PodiumError) -> Result:
    """Return an error in place of an upstream's result, whose output schema is not ours to fill."""
    result = of_error(error)
    del result["structuredContent"]
    return result


def of_tool_result(server_id: str, tool_id: str, result: ToolResult) -> Result:
    """Return an upstream's result: its content as it came, its value beside where it is from."""
    return {
        "content": list(result.content),
        "structuredContent": {
            "server_id": server_id,
            "tool_id": tool_id,
            "result": result.value(),
            "is_error": result.is_error,
        },
        "isError": result.is_error,
    }


def relayed(result: Result, *, any_value: bool) -> Result:
    """Return an upstream's result as it came.

    Without `any_value` (the eras before 2026-07-28) structured content that is no object stays
    out; the content blocks say the same.
    """
    if any_value or isinstance(result.get("structuredContent", {}), dict):
        return result
    return {key: value for key, value in result.items() if key != "structuredContent"}


def _with_hint(text: str, error: Mapping[str, Any]) -> str:
    hint = error.get("hint") or ""
    return f"{text}\n{hint}" if hint and hint not in text else text
