"""A plan to what speaks against it: verbs nobody does, words left over, values out of place.

Confidence says how well the words and the tools go together; a doubt says that something was asked
for which the plan does not do. One grave doubt is enough for a plan not to be proposed.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from typing import Literal

from podium.compositions.synthesizer.asked import OBJECTS, PREPOSITIONS, Asked, Clause, Value, Word
from podium.compositions.synthesizer.filling import Filling, plays_role
from podium.compositions.synthesizer.known import KnownTool, Toolbox
from podium.compositions.synthesizer.names import canonical, listed, name_words
from podium.compositions.synthesizer.plans import Call, Given, Growing, Wanted
from podium.compositions.synthesizer.ports import Port, described
from podium.compositions.synthesizer.verbs import class_of_tool
from podium.text.actions import KEEPING, READING, action_of
from podium.text.tokens import all_words, stem, words

Kind = Literal[
    "undone", "unasked", "off_topic", "unheard", "unused", "misplaced", "malformed", "unsought",
    "miscounted",
]  # fmt: skip
LEAVES: Mapping[Kind, float] = {  # how much of the confidence a doubt leaves
    "undone": 0.4,  # a verb that no tool of the plan does
    "unasked": 0.55,  # a question, and a tool that acts
    "off_topic": 0.42,  # the first word of a clause, what it is about, that nothing explains
    "unheard": 0.65,  # another word that nothing explains
    "unused": 0.5,  # a value that no argument takes
    "misplaced": 0.5,  # a value in an argument that nothing but its type speaks for
    "malformed": 0.4,  # a value that is not written as the argument's examples are
    "unsought": 0.6,  # a search, where nobody said what for
    "miscounted": 0.35,  # a count of something else than what is counted
}
LEAST_TOLD = 0.45  # how well a tool has to explain a word for it not to be left over
DEAR = 0.5  # cost of a value from which on it is out of place
TYPED = frozenset({"quoted", "url", "email", "path", "id", "datetime"})
_FOLDERS = frozenset(name_words("folder_repository"))
_FILE_NAME = re.compile(r"[^/\\]\.[a-zA-Z]\w{0,7}$")
_EXACT = frozenset({"path", "id", "timezone", "url", "email", "phone"})
_TIMES = frozenset({"date", "time", "datetime"})
_SILENT = PREPOSITIONS | OBJECTS  # words that say nothing of what is asked for
_BEING = listed("is are was were be est sont etait has have fait")  # a sentence is no value
_TOPICS = listed("""
    about sur on for pour de du of d containing contenant mentioning concernant regarding named
    with avec
    """)
_TOLD = frozenset({"text", "deed"})
# Verbs for which it is enough that the tool is of their class: people use them for one another.
_BROAD = (
    READING
    | KEEPING
    | {"create", "update", "send", "count", "who", "when", "where", "why", "remind"}
)
_LUMPED = frozenset({"publish_code", "transfer", "pack"})  # actions of which one is not another
_LIKE = {"stop": "delete"}  # what is cancelled is deleted
_PRECISE = listed("""
    rename renomme renommer renommez archive archiver archivez clone merge fusionne fusionner
    review analyze analyse analyser verifie verifier verifiez track
    """)
_COUNTED = re.compile(
    r"(?:combien d(?:e\s+|')|how (?:many|much)\s+|(?:number of|nombre d(?:e |'))\s*)(\w+)"
)
_LASTING = listed("temps time long heures hours")
_DURATION = frozenset({canonical(stem("duration"))})
_EXAMPLES = re.compile(r"(?:such as|e\.g\.,?|for example|like|par exemple|comme)\s+(.{1,80})", re.I)
_EXAMPLE = re.compile(r"""['"`]([^'"`\s]{2,40})['"`]|([A-Za-z0-9]+(?:[/_:-][A-Za-z0-9_]+)+)""")
_NAMED_CHOICE = re.compile(r"\(['\"](\w+)['\"]\)")
LEAST_CHOICES = 2  # in a description, from which on they are taken for all there are
_MARKS = "/_:"
_ZONES = frozenset({"UTC", "GMT"})  # without an area


@dataclass(frozen=True, slots=True)
class Doubt:
    """One thing that speaks against a plan, and the words or the argument that it is about."""

    kind: Kind
    about: str


def remaining(doubts: Iterable[Doubt]) -> float:
    """Return how much of a plan's confidence doubts leave, from 0 to 1."""
    return math.prod(LEAVES[doubt.kind] for doubt in doubts)


def doubts_of(plan: Growing, asked: Asked, toolbox: Toolbox) -> tuple[Doubt, ...]:
    """Return what speaks against a plan, each thing once, in the order of the request."""
    found: list[Doubt] = []
    for number, clause in enumerate(asked.clauses):
        calls = _calls_of(number, plan)
        found += _of_verb(clause, calls)
        found += _of_words(clause, calls, plan, toolbox)
        found += _of_count(clause, calls, toolbox, asked)
    values = {value.number: value for clause in asked.clauses for value in clause.values}
    for call in plan.calls:
        found += _of_arguments(call, asked.clauses[call.clause], values)
    return tuple(dict.fromkeys(found))


def _calls_of(number: int, plan: Growing) -> list[Call]:
    """Return the calls of a clause, and those whose results they read; all, if it has none."""
    own = [index for index, call in enumerate(plan.calls) if call.clause == number]
    read = {each for index in own for each in plan.calls[index].reads()}
    return [plan.calls[index] for index in sorted({*own, *read})] or list(plan.calls)


# --- what is to be done


def _of_verb(clause: Clause, calls: Sequence[Call]) -> Iterator[Doubt]:
    targets = [call.known for call in calls if call.is_target]
    verb = next((word for word in clause.words if word.is_verb), None)
    if verb is None:
        acting = [known.tool.name for known in targets if not known.is_reader]
        if acting:
            yield Doubt("unasked", acting[0])
    elif not any(_does(known, verb, clause.action) for known in targets):
        yield Doubt("undone", verb.text)


def _does(known: KnownTool, verb: Word, action: str) -> bool:
    """Return whether a tool does what a verb says: by that word, one like it, or of its class."""
    is_classed = known.is_reader or class_of_tool(known.tool) is not None
    if is_classed and (not action or action in _BROAD) and verb.text not in _PRECISE:
        return True
    deeds = _deeds(known)
    if verb.stems & deeds.stems:
        return True
    return action not in _LUMPED and bool({action, _LIKE.get(action)} & deeds.actions)


@dataclass(frozen=True, slots=True)
class _Deeds:
    stems: frozenset[str]
    actions: frozenset[str]


@lru_cache(maxsize=4_096)
def _deeds(known: KnownTool) -> _Deeds:
    """Return what a tool does: by the verb of its name, and by what its description says first."""
    own = all_words(known.tool.name[:200])
    server = set(all_words(known.tool.server_id))
    named = [word for word in own if word not in server][:1] or own[:1]
    first = words(known.tool.description[:300].partition(". ")[0])
    things = {noun for noun in known.nouns if noun not in {canonical(stem(each)) for each in named}}
    said = [*named, *(word for word in first if canonical(stem(word)) not in things)]
    stems = frozenset(canonical(stem(word)) for word in said)
    return _Deeds(stems, frozenset(action_of([word], 0) for word in {*said, *stems}) - {""})


# --- what it is about


def _of_words(
    clause: Clause, calls: Sequence[Call], plan: Growing, toolbox: Toolbox
) -> Iterator[Doubt]:
    tools = [call.known for call in calls]
    used = [value for value in clause.values if _is_used(value, plan)]
    for place, word in enumerate(clause.content):
        is_used = word.start in plan.words or any(_holds(value, word) for value in used)
        if not is_used and word.text not in _SILENT and not _explains(tools, word, toolbox):
            yield Doubt("unheard" if place else "off_topic", word.text)
    for value in clause.values:
        if value.mention.kind in TYPED and not any(_overlap(value, each) for each in used):
            yield Doubt("unused", value.mention.text)


def _explains(tools: Sequence[KnownTool], word: Word, toolbox: Toolbox) -> bool:
    stems = word.stems - _not_meant(word)
    if any(tool.weights.get(each, 0.0) >= LEAST_TOLD for tool in tools for each in stems):
        return True
    return any(stems & field.words for tool in tools for field in toolbox.fields(tool))


def _not_meant(word: Word) -> frozenset[str]:
    """Return what a word never stands for, although a dictionary says so.

    French "temps" is the weather, or how long something lasts, and never what a clock shows.
    """
    return frozenset({"tim"}) if word.text == "temps" else frozenset()


def _is_used(value: Value, plan: Growing) -> bool:
    return any(token.startswith(f"{value.number}:") for token in plan.used)


def _holds(value: Value, word: Word) -> bool:
    return value.mention.start <= word.start < value.mention.end


def _overlap(one: Value, other: Value) -> bool:
    return one.mention.start < other.mention.end and other.mention.start < one.mention.end


def _of_count(
    clause: Clause, calls: Sequence[Call], toolbox: Toolbox, asked: Asked
) -> Iterator[Doubt]:
    """Yield a doubt where something else is counted than what is asked for."""
    found = _COUNTED.search(asked.folded.text, clause.start, clause.end)
    if found is None:
        return
    after = [word for word in clause.words if word.start >= found.start(1)]
    counted = list(takewhile(lambda word: not word.is_empty or word is after[0], after))
    wanted = frozenset(each for word in counted for each in word.stems)
    if after and after[0].text in _LASTING:
        wanted = _DURATION
    if not any(wanted & _countable(call.known, toolbox) for call in calls if call.is_target):
        yield Doubt("miscounted", found[1])


def _countable(known: KnownTool, toolbox: Toolbox) -> frozenset[str]:
    """Return what a tool's results say how many there are of: its lists, or its numbers."""
    fields = toolbox.fields(known)
    lists = [field for field in fields if field.list_length >= 0]
    if lists:
        return frozenset(each for name in lists[0].path for each in name_words(name))
    numbers = [field for field in fields if field.types & {"integer", "number"}]
    said = frozenset(each for field in numbers for each in {*field.words, *name_words(field.name)})
    return said | known.weights.keys()


# --- what it is given


def _of_arguments(call: Call, clause: Clause, values: Mapping[int, Value]) -> Iterator[Doubt]:
    for binding in call.bindings:
        match binding.source:
            case Given(filling):
                yield from _of_filling(filling, binding.port, call, clause, values)
            case Wanted() if binding.port.kind == "query" and clause.action != "search":
                yield Doubt("unsought", binding.port.name)
            case _:
                pass


def _of_filling(
    filling: Filling, port: Port, call: Call, clause: Clause, values: Mapping[int, Value]
) -> Iterator[Doubt]:
    taken = [values[int(token.partition(":")[0])] for token in filling.taken]
    if any(_is_misplaced(value, filling, call, clause) for value in taken):
        yield Doubt("misplaced", f"{port.name} = {filling.said}")
    if taken and not filling.is_constant and not _is_like_examples(filling.value, port):
        yield Doubt("malformed", f"{port.name} = {filling.said}")


def _is_misplaced(value: Value, filling: Filling, call: Call, clause: Clause) -> bool:
    """Return whether nothing but its type speaks for a value in an argument, if that does."""
    kind, port = value.mention.kind, filling.port
    names = frozenset(name_words(port.name)) | port.words
    is_introduced = _is_introduced(value, filling)
    if kind in _TIMES and port.kind in ("query", "free"):
        return True
    if kind == "path" and names & _FOLDERS:
        return _FILE_NAME.search(value.mention.text) is not None
    if kind == "url" and port.kind == "path":
        return True
    if kind in ("path", "url") and port.kind in ("query", "title", "id"):
        return not is_introduced
    if kind == "id" and port.kind == "query" and value.place.before:
        return not value.place.before & frozenset(call.known.nouns)
    if kind in _TOLD and port.kind == "free":
        return not is_introduced
    if kind != "phrase":
        return filling.cost > DEAR and not is_introduced
    if _BEING & {word.text for word in value.words if word.start in filling.words}:
        return True
    if value.mention.start == clause.start and not any(word.is_verb for word in clause.words):
        return True
    if port.kind == "query":
        is_sought = clause.action == "search" or value.place.preposition in _TOPICS
        return call.is_target and not is_sought and not is_introduced
    is_of_it = port.is_required and bool(value.place.before & frozenset(call.known.nouns))
    is_plain = port.kind not in _EXACT and (filling.cost <= DEAR or is_of_it)
    return not is_plain and not is_introduced


def _is_introduced(value: Value, filling: Filling) -> bool:
    """Return whether words beside a value, or that belong to it, say that it is that argument."""
    names = frozenset(name_words(filling.port.name)) | filling.port.words
    beside = [word for word in value.words if word.start not in filling.words]
    return (
        bool(value.place.before & names)
        or any(word.stems & names for word in beside)
        or plays_role(value.place.preposition, filling.port)
    )


def _is_like_examples(value: object, port: Port) -> bool:
    """Return whether a text has the marks of all examples (`Area/City`), or is a named choice."""
    if not isinstance(value, str) or (port.kind == "timezone" and value in _ZONES):
        return True
    about = described(port.schema)
    named = _NAMED_CHOICE.findall(about)
    return _marks_of(about) <= set(value) and (len(named) < LEAST_CHOICES or value in named)


@lru_cache(maxsize=4_096)
def _marks_of(description: str) -> frozenset[str]:
    examples = [
        quoted or plain
        for found in _EXAMPLES.finditer(description)
        for quoted, plain in _EXAMPLE.findall(found[1])
    ]
    marked = [frozenset(_MARKS) & frozenset(each) | _hyphen_of(each) for each in examples]
    return frozenset.intersection(*marked) if marked else frozenset()


def _hyphen_of(example: str) -> frozenset[str]:
    """Return the hyphen of a number or an id: that of a name is chance."""
    is_coded = "-" in example and any(each.isdigit() for each in example)
    return frozenset("-" if is_coded else "")
