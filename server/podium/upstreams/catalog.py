"""Find tools by what a person would say: BM25 over names, descriptions, parameters and servers."""

from collections.abc import Iterator, Sequence
from typing import Any

from podium.domain.tool import Tool, ToolMatch
from podium.text.bm25 import Bm25
from podium.text.tokens import tokens

NAME_WEIGHT = 3  # a word of the name counts as often as this in the rest
DESCRIPTION_CHARACTERS = 4_000  # of one description; a manual in it must not drown the others
PARAMETERS = 64  # of one tool


class Catalog:
    """An index over a list of tools; a changed list needs a new one."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self.tools = tuple(tools)
        self._index = Bm25(_words(tool) for tool in self.tools)

    def search(self, query: str, limit: int) -> list[ToolMatch]:
        """Return the tools that fit, best first; all of them in their order for an empty query."""
        if not query.strip():
            return [ToolMatch(tool, 0.0) for tool in self.tools[:limit]]
        ranked = self._index.rank(tokens(query))
        return [ToolMatch(self.tools[place], score) for place, score in ranked[:limit]]


def _words(tool: Tool) -> list[str]:
    words = NAME_WEIGHT * tokens(tool.name)
    words += tokens(tool.server_id)
    words += tokens(tool.description[:DESCRIPTION_CHARACTERS])
    for text in _parameter_texts(tool.input_schema):
        words += tokens(text)
    return words


def _parameter_texts(schema: dict[str, Any]) -> Iterator[str]:
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return
    for name, definition in list(properties.items())[:PARAMETERS]:
        yield name
        if isinstance(definition, dict) and isinstance(definition.get("description"), str):
            yield definition["description"][:DESCRIPTION_CHARACTERS]
