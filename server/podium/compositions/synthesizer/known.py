"""Tools as a planner sees them: words, ports and fields, indexed for the questions it asks."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from podium.compositions.synthesizer.names import canonical, name_words
from podium.compositions.synthesizer.ports import Field, Port, can_be_called, fields_of, ports_of
from podium.compositions.synthesizer.verbs import COMMON_VERBS, is_reader, says_class, verb_at
from podium.domain.tool import Tool
from podium.text.lexicon import Vocabulary
from podium.text.tokens import all_words, stem, tokens, words

Schemas = Callable[[Tool], Mapping[str, Any] | None]
DESCRIPTION_CHARACTERS = 600  # of one tool; what follows is manual
NAMED, DESCRIBED, SERVED, TAKEN = 1.0, 0.75, 0.6, 0.5  # how well a word explains a request's word
OBJECTS = 2  # words after a description's verb
FIRST_SENTENCE, LATER = 1.0, 0.6  # of a description: what the tool does, and what else it says
_AFTER_BY = frozenset({"by", "with", "from", "for", "in", "to", "as", "of"})
_NO_NOUNS = frozenset(
    stem(word)
    for word in [
        "all",
        "list",
        "current",
        "many",
        "by",
        "for",
        "from",
        "in",
        "to",
        "with",
        "of",
        "new",
        "tool",
        "data",
    ]
)


@dataclass(frozen=True, eq=False)
class KnownTool:
    """One tool: `nouns` are the words of its name that say what it is about.

    `objects` are the first words of its description that do.
    """

    tool: Tool
    nouns: tuple[str, ...]
    objects: tuple[str, ...]
    weights: Mapping[str, float]
    is_reader: bool

    @property
    def name(self) -> str:
        """The full name."""
        return self.tool.full_name

    @cached_property
    def ports(self) -> tuple[Port, ...]:
        """The arguments that it takes, required ones first."""
        return ports_of(self.tool.input_schema, self.nouns)

    @cached_property
    def required(self) -> tuple[Port, ...]:
        """The arguments that it needs."""
        return tuple(port for port in self.ports if port.is_required)


def known(tool: Tool) -> KnownTool:
    """Return what a tool says of itself."""
    said = all_words(tool.name[:200])
    nouns = tuple(
        dict.fromkeys(
            canonical(stem(word))
            for place, word in enumerate(said)
            if not _is_verb(said, place) and stem(word) not in _NO_NOUNS
        )
    )
    before = next((at for at, word in enumerate(said) if word in _AFTER_BY and at > 1), None)
    if before is not None:  # get_customer_by_email is about customers
        nouns = tuple(each for each in nouns if each in name_words("_".join(said[:before])))
    return KnownTool(tool, nouns, _objects(tool), _weights(tool), is_reader(tool))


def _objects(tool: Tool) -> tuple[str, ...]:
    said = [stem(word) for word in words(tool.description[:DESCRIPTION_CHARACTERS])[: OBJECTS + 1]]
    return tuple(canonical(each) for each in said[1:] if each not in _NO_NOUNS)


def _is_verb(said: list[str], place: int) -> bool:
    if place > 0:
        return False
    return len(said) > 1 and (says_class(said[0]) is not None or bool(verb_at(said, 0)))


def _weights(tool: Tool) -> dict[str, float]:
    """Return the stems of a tool's texts, each with how well it explains a request's word."""
    first, _, rest = tool.description[:DESCRIPTION_CHARACTERS].partition(". ")
    weights: dict[str, float] = {}
    texts = (
        (tool.name, NAMED),
        (first, DESCRIBED * FIRST_SENTENCE),
        (tool.server_id, SERVED),
        (rest, DESCRIBED * LATER),
    )
    for text, weight in texts:
        for each in tokens(text):
            weights.setdefault(canonical(each), weight)
    properties = tool.input_schema.get("properties")
    for name in list(properties)[:64] if isinstance(properties, Mapping) else ():
        for each in name_words(str(name)):
            weights.setdefault(each, TAKEN)
    return weights


@dataclass(frozen=True, slots=True)
class Offer:
    """A field of a reader's result; `is_guessed` where no schema promises it."""

    source: KnownTool
    field: Field
    is_guessed: bool = False


@dataclass(eq=False)
class Toolbox:
    """All tools at hand. `schema_of` are the output schemas that are known, by full name."""

    tools: Mapping[str, KnownTool]
    schema_of: Mapping[str, Mapping[str, Any]]
    _fields: dict[str, tuple[Field, ...]] = field(default_factory=dict)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The stems of all tools, to find cognates among."""
        return Vocabulary(self._holders)

    @cached_property
    def servers(self) -> frozenset[str]:
        """The stems of the servers' names."""
        return frozenset(
            canonical(each)
            for known_ in self.tools.values()
            for each in tokens(known_.tool.server_id)
        )

    @cached_property
    def _holders(self) -> Counter[str]:
        return Counter(each for known_ in self.tools.values() for each in known_.weights)

    @cached_property
    def nouns(self) -> frozenset[str]:
        """What the tools are about, all together."""
        return frozenset(noun for known_ in self.tools.values() for noun in known_.nouns)

    @cached_property
    def verbs(self) -> frozenset[str]:
        """The first words of the names of tools that act."""
        firsts = (
            all_words(known_.tool.name[:200])[:1]
            for known_ in self.tools.values()
            if not known_.is_reader
        )
        return frozenset(canonical(stem(word)) for words_ in firsts for word in words_)

    @cached_property
    def deeds(self) -> frozenset[str]:
        """The first words of the names of tools that act, where they are no common verbs."""
        common = {canonical(stem(word)) for word in COMMON_VERBS}
        return self.verbs - common

    def near(self, stems: Iterable[str]) -> dict[str, float]:
        """Return the tools that words are about, each with how much of them."""
        found: defaultdict[str, float] = defaultdict(float)
        for each in stems:
            for name, weight in self._postings.get(each, ()):
                found[name] += weight * self.rarity((each,))
        return found

    @cached_property
    def _postings(self) -> Mapping[str, list[tuple[str, float]]]:
        found: defaultdict[str, list[tuple[str, float]]] = defaultdict(list)
        for known_ in self.tools.values():
            for each, weight in known_.weights.items():
                if weight >= TAKEN:
                    found[each].append((known_.name, weight))
        return found

    def rarity(self, stems: Iterable[str]) -> float:
        """Return how much a word says, by the commonest of the stems it may mean; never 0."""
        held = max((self._holders[each] for each in stems), default=0)
        return math.log(2 + len(self.tools) / (held + 0.5))

    def fields(self, known_: KnownTool) -> tuple[Field, ...]:
        """Return the fields of a tool's results; () where nothing is known of them."""
        if known_.name not in self._fields:
            schema = self.schema_of.get(known_.name)
            self._fields[known_.name] = fields_of(schema, known_.nouns) if schema else ()
        return self._fields[known_.name]

    @cached_property
    def _offers(self) -> Mapping[str, list[Offer]]:
        """Every field of every reader, by each word of what it means, and by its kind."""
        found: defaultdict[str, list[Offer]] = defaultdict(list)
        for known_ in self.tools.values():
            if not known_.is_reader:
                continue
            for each in self.fields(known_):
                if each.is_scalar:
                    for key in {*each.words, f"kind:{each.kind}"}:
                        found[key].append(Offer(known_, each))
        return found

    def offers(self, port: Port) -> list[Offer]:
        """Return the fields of readers that have a word or the kind in common with a port."""
        keys = [*sorted(port.words), f"kind:{port.kind}"]
        found = {id(offer): offer for key in keys for offer in self._offers.get(key, ())}
        return list(found.values())

    @cached_property
    def unexplained(self) -> Mapping[str, list[KnownTool]]:
        """The readers whose results nobody describes, by the nouns of their names."""
        found: defaultdict[str, list[KnownTool]] = defaultdict(list)
        for known_ in self.tools.values():
            if known_.is_reader and not self.schema_of.get(known_.name):
                for noun in known_.nouns:
                    found[noun].append(known_)
        return found


class Toolboxes:
    """Makes toolboxes; what is known of a tool is kept as long as the tool is the same object."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas
        self._known: dict[str, KnownTool] = {}
        self._last: Toolbox | None = None

    def of(self, tools: Sequence[Tool]) -> Toolbox:
        """Return the toolbox of these tools; the last one, if nothing has changed."""
        kept = self._known
        self._known = {
            tool.full_name: kept[tool.full_name]
            if tool.full_name in kept and kept[tool.full_name].tool is tool
            else known(tool)
            for tool in tools
            if can_be_called(tool.input_schema)
        }
        schema_of = {tool.full_name: self._schemas(tool) for tool in tools}
        shapes = {name: schema for name, schema in schema_of.items() if schema}
        last = self._last
        is_same = last is not None and last.schema_of == shapes and last.tools == self._known
        if last is None or not is_same:
            last = self._last = Toolbox(dict(self._known), shapes)
        return last
