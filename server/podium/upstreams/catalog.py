"""Find tools by what a person would say: BM25 over names, descriptions, parameters and servers.

A request of several sentences often needs a tool for each: every clause is ranked by itself as well
as all of them together. French requests are ranked by the English words that they stand for.
"""

import heapq
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from podium.domain.tool import Tool, ToolMatch
from podium.text.bm25 import Bm25
from podium.text.clauses import clauses
from podium.text.lexicon import Concept, Lexicon, Vocabulary, shipped_lexicon
from podium.text.tokens import tokens

NAME_WEIGHT = 3  # a word of the name counts as often as this in the rest
DESCRIPTION_CHARACTERS = 4_000  # of one description; a manual in it must not drown the others
PARAMETERS = 64  # of one tool
QUERY_CHARACTERS = 4_000  # of a query that are looked at
FOUND_IN_CLAUSE = 30  # tools of each clause that are compared with those of the others
WHOLE_WEIGHT = 0.5  # of all clauses together, beside the one that fits best
LITERAL_WEIGHT = 0.3  # of words between quotation marks: values, seldom what a tool is about
NAMED_WEIGHT = 0.15  # what a tool gains whose name is said as a whole

_NOTHING: Mapping[int, float] = {}
_ADDRESSES = re.compile(r"\b[a-z]+://\S+|\S+@\S+\.\S+")
_QUOTED = re.compile(r'"[^"]*"|«[^»]*»|“[^”]*”|(?<![^\s(])\'[^\']+\'(?![^\s.,;:!?)])')


class Catalog:
    """An index over a list of tools; a changed list needs a new one."""

    def __init__(self, tools: Sequence[Tool], lexicon: Lexicon | None = None) -> None:
        self.tools = tuple(tools)
        self._lexicon = lexicon or shipped_lexicon()
        self._index = Bm25(_words(tool) for tool in self.tools)
        self._shares: dict[str, dict[int, float]] = {}  # by stem, then by place of the tool
        for place, tool in enumerate(self.tools):
            for stem, share in self._shares_of(tool.name).items():
                self._shares.setdefault(stem, {})[place] = share
        self._vocabulary = Vocabulary(self._index.tokens)

    def search(self, query: str, limit: int) -> list[ToolMatch]:
        """Return the tools that fit, best first; all of them in their order for an empty query."""
        if not query.strip():
            return [ToolMatch(tool, 0.0) for tool in self.tools[:limit]]
        scores = self._scores(query[:QUERY_CHARACTERS])
        best = heapq.nsmallest(limit, scores.items(), key=lambda item: (-item[1], item[0]))
        return [ToolMatch(self.tools[place], score) for place, score in best]

    def _scores(self, query: str) -> dict[int, float]:
        french = self._lexicon.speaks_french(query)
        best: dict[int, float] = {}
        whole: dict[int, float] = {}
        for clause in clauses(query):
            concepts = self._concepts(clause, french=french)
            for place, score in self._of_clause(concepts).items():
                if score > best.get(place, 0.0):
                    best[place] = score
                whole[place] = whole.get(place, 0.0) + score
        return {place: score + WHOLE_WEIGHT * whole[place] for place, score in best.items()}

    def _of_clause(self, concepts: Mapping[str, Concept]) -> dict[int, float]:
        scores = self._index.best(concepts.values(), FOUND_IN_CLAUSE)
        named: dict[int, float] = {}
        for stem in dict.fromkeys(stem for concept in concepts.values() for stem in concept):
            shares = self._shares.get(stem, _NOTHING)
            for place in shares.keys() & scores.keys():
                named[place] = named.get(place, 0.0) + shares[place]
        for place, share in named.items():
            scores[place] *= 1 + NAMED_WEIGHT * share
        return scores

    def _shares_of(self, name: str) -> dict[str, float]:
        """Return how much of what a name says each of its stems does; together 1."""
        rarity = {stem: self._index.rarity(stem) for stem in tokens(name)}
        total = sum(rarity.values())
        return {stem: each / total for stem, each in rarity.items()}

    def _concepts(self, clause: str, *, french: bool) -> dict[str, Concept]:
        """Return a clause's concepts by their first stems, each once."""
        plain = _ADDRESSES.sub(" ", clause)
        literals = _QUOTED.findall(plain)
        rest = _QUOTED.sub(" ", plain) if literals else plain
        own = self._lexicon.concepts(rest, self._vocabulary, french=french)
        found = {next(iter(concept)): concept for concept in reversed(own)}
        if not literals:
            return found
        for concept in self._lexicon.concepts(" ".join(literals), self._vocabulary, french=french):
            weaker = {stem: weight * LITERAL_WEIGHT for stem, weight in concept.items()}
            found.setdefault(next(iter(concept)), weaker)
        return found


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
