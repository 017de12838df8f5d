"""Clauses to the tools that may serve them, each with how well it fits, from 0 to 1."""

import heapq
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from podium.compositions.synthesizer.asked import Asked, Clause, Word
from podium.compositions.synthesizer.known import KnownTool, Toolbox
from podium.compositions.synthesizer.verbs import agreement, class_of_tool
from podium.domain.synthesis import Sketch
from podium.domain.tool import ToolMatch

Search = Callable[[str, int], Sequence[ToolMatch]]

FOUND = 16  # tools that a search is asked for
CANDIDATES = 5  # of one clause
LEAST_FIT = 0.2  # of a candidate
RECALL, PRECISION = 0.55, 0.45  # of the clause's words by the tool, and of its name by the clause
REMEMBERED = 0.5  # what a sketch adds to the tools that it names
LEAST_READER = 0.5
READERS = 2  # of one thing that are tried
HEAD = 1.6  # how much the first word says: what is asked for, before what it is of
LATER_OBJECT = 0.6  # the same of the second one
OBJECT = 0.9  # how well the first words of a description say what a tool is about
# What a value is about by its form.
_IMPLIED: Mapping[str, tuple[str, ...]] = {
    "path": ("fil",), "email": ("mail",), "url": ("url", "pag", "web"), "currency": ("currenci",),
    "language": ("languag",),
}  # fmt: skip


@dataclass(slots=True)
class Targets:
    """Finds tools for one request."""

    toolbox: Toolbox
    search: Search
    asked: Asked
    sketch: Sketch | None
    _whole: list[KnownTool] = field(default_factory=list)
    _relevance: dict[tuple[str, int, int], float] = field(default_factory=dict)

    def of(self, clause: Clause) -> list[tuple[KnownTool, float]]:
        """Return the tools that may be what a clause asks for, best first."""
        found: list[tuple[float, KnownTool]] = []
        for known in self._near(clause):
            agrees = agreement(clause.verb, known.tool, clause.action)
            fit = agrees * self.relevance(known, clause)
            if agrees and self.sketch and known.name in self.sketch.tools:
                fit += REMEMBERED * self.sketch.confidence
            if fit >= LEAST_FIT:
                found.append((fit, known))
        found.sort(key=lambda each: (-each[0], each[1].name))
        return [(known, min(1.0, fit)) for fit, known in found[:CANDIDATES]]

    def relevance(self, known: KnownTool, clause: Clause) -> float:
        """Return how well a tool's texts explain the words of a clause, and these its name."""
        key = known.name, clause.start, clause.end
        if key not in self._relevance:
            verb = next((word for word in clause.words if word.is_verb), None)
            words = list(clause.content)
            if verb is not None and verb.stems & known.weights.keys():
                words.append(verb)
            implied = {
                each for value in clause.values for each in _IMPLIED.get(value.mention.kind, ())
            }
            fit = self._explained(known, words, frozenset(implied))
            self._relevance[key] = max(fit, self._of_sink(known, clause))
        return self._relevance[key]

    def _of_sink(self, known: KnownTool, clause: Clause) -> float:
        """Return the least relevance of a tool that works on what others give, by its verb."""
        if not any(port.is_sink for port in known.ports):
            return 0.0
        kind = class_of_tool(known.tool)
        verb = next((word for word in clause.words if word.is_verb), None)
        if kind == "compute" and verb is not None and verb.stems & known.weights.keys():
            return 0.65
        if kind != "send" or "send" not in clause.verb:
            return 0.0
        kinds = {value.mention.kind for value in clause.values}
        goes = any(port.kind in kinds for port in known.required)
        return 0.75 if goes else 0.6

    def beside(self, known: KnownTool, clause: Clause, target: KnownTool) -> float:
        """Return how well a tool explains the words of a clause that are not about another one."""
        about = frozenset(target.nouns)
        words = [word for word in clause.content if not word.stems & about]
        return self._explained(known, words)

    def readers_of(self, clause: Clause, target: KnownTool) -> list[tuple[KnownTool, float]]:
        """Return the readers of what a part of a clause names, beside what the target is about."""
        about = frozenset(target.nouns) | frozenset({"to"})
        words = [
            word for word in clause.content if not word.stems & about and not _is_name(word, clause)
        ]
        implied = {
            each
            for value in clause.values
            if value.mention.kind in ("path", "url")
            for each in _IMPLIED[value.mention.kind]
        }
        if not words and not implied:
            return []
        found: list[tuple[KnownTool, float]] = []
        said = ({each for word in words for each in word.stems} | implied) - about
        for known in self._near(clause):
            if not known.is_reader or known is target or not said & frozenset(known.nouns):
                continue
            fit = self._explained(known, words, frozenset(implied))
            if self.sketch and known.name in self.sketch.tools:
                fit += REMEMBERED * self.sketch.confidence
            if fit >= LEAST_READER:
                found.append((known, min(1.0, fit)))
        found.sort(key=lambda each: (-each[1], each[0].name))
        return found[:READERS]

    def _explained(
        self, known: KnownTool, words: Sequence[Word], implied: frozenset[str] = frozenset()
    ) -> float:
        total = explained = 0.0
        said = set(implied)
        for place, word in enumerate(words):
            weight = self.toolbox.rarity(word.stems) * (HEAD if place == 0 else 1.0)
            total += weight
            explained += weight * max((_weight(known, each) for each in word.stems), default=0.0)
            said |= word.stems
        if not total:
            return 0.3 + 0.3 * bool(said & {*known.nouns, *known.objects})
        objects = (OBJECT if each in said else 0.0 for each in known.objects[:1])
        later = (LATER_OBJECT if each in said else 0.0 for each in known.objects[1:])
        named = max(self._named(known.nouns, said), *objects, *later, 0.0)
        return RECALL * explained / total + PRECISION * named

    def _named(self, nouns: Sequence[str], said: Collection[str]) -> float:
        """Return how much of what a tool is about was said."""
        whole = sum(self.toolbox.rarity((noun,)) for noun in nouns)
        named = sum(self.toolbox.rarity((noun,)) for noun in nouns if noun in said)
        return named / whole if whole else 0.5

    def _near(self, clause: Clause) -> list[KnownTool]:
        """Return the tools that a sketch names, or a search finds for a clause or the request."""
        if not self._whole:
            self._whole = self._found(self.asked.folded.source)
        names = self.sketch.tools if self.sketch else ()
        remembered = [self.toolbox.tools[name] for name in names if name in self.toolbox.tools]
        near = [
            *remembered,
            *self._indexed(clause),
            *self._found(self.asked.folded.original(clause.start, clause.end)),
            *self._whole,
        ]
        return list({known.name: known for known in near}.values())

    def _indexed(self, clause: Clause) -> list[KnownTool]:
        words = [word for word in clause.words if not word.is_empty]
        stems = {each for word in words for each in word.stems}
        stems |= {each for value in clause.values for each in _IMPLIED.get(value.mention.kind, ())}
        scores = self.toolbox.near(sorted(stems))
        best = heapq.nsmallest(FOUND, scores, key=lambda name: (-scores[name], name))
        return [self.toolbox.tools[name] for name in best]

    def _found(self, text: str) -> list[KnownTool]:
        return [
            self.toolbox.tools[match.tool.full_name]
            for match in self.search(text, FOUND)
            if match.tool.full_name in self.toolbox.tools
        ]


def _weight(known: KnownTool, each: str) -> float:
    weight = known.weights.get(each, 0.0)
    return max(weight, OBJECT) if each in known.objects else weight


def _is_name(word: Word, clause: Clause) -> bool:
    return any(
        value.mention.kind == "name" and value.mention.start <= word.start < value.mention.end
        for value in clause.values
    )
