"""Calls of tools through the official client."""

from typing import Any

from mcp import Client


class Caller:
    """Calls the tools of one connected server."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def result(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Return the structured content of a call that must succeed."""
        answer = await self.client.call_tool(tool, arguments)
        assert not answer.is_error, answer.content
        structured: dict[str, Any] = answer.structured_content
        return structured

    async def text(self, tool: str, **arguments: Any) -> str:
        """Return the text block of a call that must succeed."""
        answer = await self.client.call_tool(tool, arguments)
        assert not answer.is_error, answer.content
        return self._only_text(answer)

    async def error(self, tool: str, **arguments: Any) -> str:
        """Return the text of a call that must be a tool error."""
        answer = await self.client.call_tool(tool, arguments)
        assert answer.is_error, answer.structured_content
        assert answer.structured_content is None
        return self._only_text(answer)

    def _only_text(self, answer: Any) -> str:
        (block,) = answer.content
        text: str = block.text
        return text
