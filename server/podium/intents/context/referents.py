"""A reference and the conversation to what it may stand for: one thing, several, or nothing.

The latest turn that mentions or lists something of the right kind decides; what is of exactly that
kind comes before what merely may be. Two different things in the same turn are ambiguous.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from podium.domain.conversation import Conversation, Entity, Item, Listing, Turn
from podium.domain.redaction import REDACTED
from podium.intents.context.items import label_of
from podium.intents.context.kinds import (
    NUMBER,
    TEXT,
    THING,
    fits,
    gender_of,
    is_told_by_value,
    key_class,
    kind_of_field,
    kind_of_param,
    seen_by_value,
)
from podium.intents.context.references import Reference

PRONOUN_TURNS = 3  # how far back "it" reaches; a noun reaches as far as the conversation


@dataclass(frozen=True, slots=True)
class Target:
    """The param that a reference is to fill."""

    name: str
    kind: str

    @property
    def key(self) -> str:
        """What it holds of its thing."""
        return key_class(self.name, self.kind)


@dataclass(frozen=True, slots=True)
class Referent:
    """Something a reference may stand for."""

    value: Any
    label: str
    kind: str
    is_given: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """What a reference may stand for: one of them, or (a group) all of them."""

    referents: tuple[Referent, ...] = ()
    is_group: bool = False


def target_of(name: str, schema: Any, intent_type: str) -> Target:
    """Return the target that a param is."""
    return Target(name, kind_of_param(name, schema, intent_type))


def find(reference: Reference, target: Target, conversation: Conversation) -> Found:
    """Return what a reference may stand for as the value of a param."""
    wanted = _wanted(reference, target)
    if wanted is None:
        return Found()
    return _FORMS[reference.form](reference, _Search(conversation, target, wanted))


def _wanted(reference: Reference, target: Target) -> str | None:
    """Return the kind that is looked for, or None if the reference means nothing here."""
    if reference.is_weak and target.kind == THING:
        return None  # "2" may be anything there
    if target.kind in (TEXT, NUMBER, "date", "time"):
        # Free text may be about "this file", but "it" in it is just a word; "le 3" is a day.
        return reference.kind if reference.form in ("noun", "same") else None
    if reference.kind is None or reference.kind == target.kind:
        return target.kind
    if not fits(reference.kind, target.kind):
        return None
    return reference.kind


class _Search:
    """The conversation, seen by somebody who looks for the value of one param."""

    def __init__(self, conversation: Conversation, target: Target, wanted: str) -> None:
        self.wanted = wanted
        self._target = target
        self._entities = conversation.entities
        self._turns = {turn.number: turn for turn in conversation.turns}
        numbers = {*self._turns, *(entity.turn for entity in conversation.entities)}
        self.numbers = sorted(numbers, reverse=True)
        self.latest = conversation.count

    def mentioned(self, number: int) -> list[Referent]:
        """Return what a turn itself was about."""
        referents = [
            referent
            for entity in self._entities
            if entity.turn == number and (referent := self._of_entity(entity)) is not None
        ]
        # What the caller merely knows of stands behind what the person spoke of.
        referents = [each for each in referents if not each.is_given] or referents
        single = self._single(number)
        if single is None:
            return referents
        # What a result says it made stands for what was said about it: its id for its title.
        held = [single.value, *single.fields.values()]
        made = self._of_item(single)
        return [*(each for each in referents if each.value not in held), *([made] if made else [])]

    def _single(self, number: int) -> Item | None:
        items = (each.items[0] for each in self._listings(number) if each.is_single)
        return next((item for item in items if self._of_item(item) is not None), None)

    def listed(self, number: int) -> list[Referent]:
        """Return all that a turn's result listed."""
        return [referent for each in self.lists(number) for referent in each]

    def lists(self, number: int) -> list[list[Referent]]:
        """Return the lists of a turn's result whose items can all be meant."""
        real = (each for each in self._listings(number) if not each.is_single)
        return [referents for referents in map(self._of_listing, real) if referents]

    def count(self, number: int) -> int:
        """Return how many things a turn's result listed, whatever they are."""
        return sum(len(each.items) for each in self._listings(number) if not each.is_single)

    def _listings(self, number: int) -> tuple[Listing, ...]:
        turn: Turn | None = self._turns.get(number)
        return turn.listings if turn else ()

    def _of_listing(self, listing: Listing) -> list[Referent]:
        referents = [self._of_item(item) for item in listing.items]
        whole = [referent for referent in referents if referent is not None]
        return whole if len(whole) == len(referents) else []

    def _of_item(self, item: Item) -> Referent | None:
        value = self._value_of(item)
        if value is None or not _is_whole(value):
            return None
        return Referent(value, item.label, item.kind)

    def _value_of(self, item: Item) -> Any:
        is_right = fits(self.wanted, item.kind)
        if not item.fields:
            return item.value if is_right else None
        if is_right and self._target.name in item.fields:
            return item.fields[self._target.name]
        if is_told_by_value(self.wanted):
            alike = (value for name, value in item.fields.items() if self._names(name, value))
            return next(alike, item.value if is_right else None)
        if not is_right:
            return None
        if self._target.key not in ("id", "name"):
            return item.value
        fields = item.fields.items()
        return next((v for n, v in fields if key_class(n, item.kind) == self._target.key), None)

    def _names(self, field: str, value: Any) -> bool:
        kind = seen_by_value(kind_of_field(field), value)
        return kind != THING and fits(self.wanted, kind)

    def _of_entity(self, entity: Entity) -> Referent | None:
        if not fits(self.wanted, entity.kind) or not _is_whole(entity.value):
            return None
        same_key = key_class(entity.key, entity.kind) == self._target.key
        if entity.key and not same_key and not is_told_by_value(entity.kind):
            return None
        return Referent(entity.value, entity.label, entity.kind, is_given=not entity.key)


def _is_whole(value: Any) -> bool:
    """Return whether a value is what it was, nothing of it taken out as a secret."""
    return not (isinstance(value, str) and REDACTED in value)


def _latest(reference: Reference, search: _Search) -> Found:
    """Return what the latest turn that fits mentions or lists: pronouns and nouns."""
    for number in search.numbers:
        if reference.form == "pronoun" and number <= search.latest - PRONOUN_TURNS:
            break
        referents = search.mentioned(number) + search.listed(number)
        if found := _likeliest(referents, reference, search.wanted):
            return Found(found)
    return Found()


def _likeliest(
    referents: list[Referent], reference: Reference, wanted: str
) -> tuple[Referent, ...]:
    exact = [each for each in referents if each.kind == wanted != THING]
    referents = exact or list(referents)
    if reference.gender is not None:
        agreeing = [each for each in referents if reference.gender in gender_of(each.kind)]
        referents = agreeing or referents
    return _distinct(referents)


def _distinct(referents: Iterable[Referent]) -> tuple[Referent, ...]:
    kept: list[Referent] = []
    for referent in referents:
        if not any(referent.value == other.value for other in kept):
            kept.append(referent)
    return tuple(kept)


def _group(reference: Reference, search: _Search) -> Found:
    """Return all of the latest list; else all that the latest turn mentions."""
    for number in search.numbers:
        lists = search.lists(number)
        if len(lists) > 1:
            return Found(_distinct(each for group in lists for each in group), is_group=True)
        referents = lists[0] if lists else search.mentioned(number)
        if found := _likeliest(referents, reference, search.wanted):
            if reference.kind is None and len(found) == 1 and search.count(number) > 1:
                return Found()  # "them" is not the one folder among the files
            return Found(found, is_group=True)
    return Found()


def _pronoun(reference: Reference, search: _Search) -> Found:
    return _group(reference, search) if reference.is_plural else _latest(reference, search)


def _same(reference: Reference, search: _Search) -> Found:
    for number in search.numbers:
        if referents := _likeliest(search.mentioned(number), reference, search.wanted):
            return Found(referents)
    return _latest(reference, search)


def _latest_lists(search: _Search) -> list[list[Referent]]:
    for number in search.numbers:
        lists = search.lists(number)
        exact = [each for each in lists if all(r.kind == search.wanted for r in each)]
        if lists:
            return exact or lists
    return []


def _ordinal(reference: Reference, search: _Search) -> Found:
    index = reference.position - 1 if reference.position > 0 else reference.position
    lists = _latest_lists(search)
    return Found(_distinct(each[index] for each in lists if -len(each) <= index < len(each)))


def _slice(reference: Reference, search: _Search) -> Found:
    lists = _latest_lists(search)
    count = reference.position
    if len(lists) != 1 or abs(count) > len(lists[0]):
        return Found()
    chosen = lists[0][:count] if count > 0 else lists[0][count:]
    return Found(_distinct(chosen), is_group=True)


def _beside(offset: int) -> Callable[[Reference, _Search], Found]:
    def neighbour(_reference: Reference, search: _Search) -> Found:
        focus = _foci(search)
        for each in _latest_lists(search):
            values = [referent.value for referent in each]
            if focus and focus[0].value in values:
                index = values.index(focus[0].value) + offset
                return Found((each[index],)) if 0 <= index < len(each) else Found()
        return Found((focus[1],)) if offset < 0 and len(focus) > 1 else Found()

    return neighbour


def _other(_reference: Reference, search: _Search) -> Found:
    focus = _foci(search)
    lists: list[Sequence[Referent]] = [*_latest_lists(search), focus]
    for each in lists:
        rest = [referent for referent in each if focus and referent.value != focus[0].value]
        if len(each) == 2 and len(rest) == 1:
            return Found((rest[0],))
    return Found()


def _foci(search: _Search) -> tuple[Referent, ...]:
    """Return what turns were about, the latest first."""
    return _distinct(each for number in search.numbers for each in search.mentioned(number))


_FORMS: dict[str, Callable[[Reference, _Search], Found]] = {
    "pronoun": _pronoun,
    "noun": _pronoun,
    "same": _same,
    "ordinal": _ordinal,
    "slice": _slice,
    "all": _group,
    "previous": _beside(-1),
    "next": _beside(1),
    "other": _other,
}


def options_label(referent: Referent) -> str:
    """Return how a referent is offered as a choice: its name, and its value if that differs."""
    value = label_of(referent.value)
    return referent.label if value in referent.label else f"{referent.label} ({value})"
