"""Patterns, and what answers them, to what is known about each intent; see `heuristics`."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from podium.intents.heuristics import Asked, KnownIntent, Reader
from podium.intents.library import LoadedPattern
from podium.intents.slots import ListSlot, TypedSlot
from podium.text.folding import fold_text
from podium.text.values import NOT_A_VALUE, ValueType

_MARKUP = re.compile(r"\{[^}]*\}|<[^>]*>|[\[\]()|;\\]")  # of a sentence template, slots included


@dataclass(frozen=True, slots=True)
class Answer:
    """The composition that answers an intent, as far as understanding has to know it.

    `texts` are its name and description; `reads_only` says that playing it changes nothing.
    """

    texts: tuple[str, ...] = ()
    examples: tuple[Asked, ...] = ()
    schema: Mapping[str, Any] | None = None
    reads_only: bool = False


@dataclass(frozen=True, slots=True)
class Answers:
    """Every composition that may answer, by intent type and by composition id."""

    by_type: Mapping[str, Answer] = field(default_factory=dict)
    by_id: Mapping[str, Answer] = field(default_factory=dict)


def known_intents(patterns: Iterable[LoadedPattern], answers: Answers) -> Iterator[KnownIntent]:
    """Yield what is known about each intent that something answers, in file order."""
    by_type: dict[str, list[LoadedPattern]] = {}
    for pattern in patterns:
        by_type.setdefault(pattern.name, []).append(pattern)
    for name in dict.fromkeys((*by_type, *answers.by_type)):
        asked = by_type.get(name, [])
        composition = next((each.composition for each in asked if each.composition), None)
        answer = answers.by_id.get(composition) if composition else answers.by_type.get(name)
        if answer is not None:
            yield _known(name, asked, answer, composition)


def _known(
    name: str, patterns: list[LoadedPattern], answer: Answer, composition: str | None
) -> KnownIntent:
    examples = [asked for pattern in patterns for asked in _examples(pattern)]
    descriptions = [each.pattern.description for each in patterns if each.pattern.description]
    return KnownIntent(
        name,
        (*examples, *answer.examples),
        tuple(text for each in patterns for text in each.pattern.counterexamples),
        (name, *dict.fromkeys(descriptions), *answer.texts),
        answer.schema,
        answer.reads_only,
        composition,
        {name: reader for each in patterns for name, reader in _readers(each)},
    )


def _readers(pattern: LoadedPattern) -> Iterator[tuple[str, Reader]]:
    for name, slot in pattern.slots.items():
        if isinstance(slot.kind, TypedSlot):
            yield name, partial(_typed, slot.kind.type, pattern.language)
        elif isinstance(slot.kind, ListSlot):
            yield name, partial(_listed, slot.kind)


def _typed(type_: ValueType, language: str | None, said: str) -> Any:
    return type_.read(said, language=language, now=datetime.now().astimezone())


def _listed(slot: ListSlot, said: str) -> Any:
    """Return what one of a list means; a list that a tool gives is not known here."""
    return slot.forms.values.get(fold_text(said), NOT_A_VALUE)


def _examples(pattern: LoadedPattern) -> Iterator[Asked]:
    """Yield a pattern's examples; where it has none, the words of its sentences stand for them."""
    has_example = False
    for example in pattern.pattern.all_examples():
        has_example = True
        yield Asked(example.text, pattern.language, example.params or {})
    if not has_example:
        for template in pattern.pattern.sentence_sources():
            yield Asked(_MARKUP.sub(" ", template), pattern.language)
