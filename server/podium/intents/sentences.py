"""A sentence template, its rules and slots in place, to a matcher of spoken requests.

A match walks the template as it is and tries what each part stands for at a place in the text, then
what follows. A template has no repetition, so the walk is no circle, and what failed at a place
once is not tried there again; what remains is bounded by `MAX_STEPS`. So a match takes no regex, no
compiling beforehand, and no clock to stop it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from podium.domain.naming import did_you_mean
from podium.intents.grammar import (
    GAP,
    Choice,
    Gap,
    Node,
    Permutation,
    RuleUse,
    Sequence,
    SlotUse,
    TemplateFaultError,
    Word,
    parse_template,
)
from podium.intents.slots import (
    FreeSlot,
    ListSlot,
    ListSource,
    Slot,
    SlotKind,
    TypedSlot,
    built_in,
    orders,
)
from podium.intents.spoken import Spoken, Window

MAX_SIZE = 4_000  # parts of one template, its rules in place and permutations written out
MAX_PATH = 150  # parts that follow one another; each is a call within a call
SIGNS = "%€$£°+=&"  # may touch the word before, as in 20%
MAX_RULES_DEPTH = 20  # rules in rules
MAX_STEPS = 5_000  # places tried for one template in one request; a healthy one takes dozens


@dataclass(frozen=True, slots=True)
class BoundSlot:
    """A place where a value is said, with what may be said there."""

    name: str
    kind: SlotKind


Part = Word | Gap | Sequence | Choice | BoundSlot
"""What a template is made of when its rules are in place."""


class Capture(NamedTuple):
    """What a slot took: a span of the spoken request, and the value it means.

    The value of one that is free is what was written there.
    """

    slot: BoundSlot
    start: int
    end: int
    value: Any = None
    is_free: bool = False


class TooManyStepsError(Exception):
    """A template tried `MAX_STEPS` places in one request."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The rules and slots that a template sees; rules are parsed, faulty ones are not there."""

    rules: Mapping[str, Sequence] = field(default_factory=dict)
    slots: Mapping[str, Slot] = field(default_factory=dict)
    faulty: frozenset[str] = frozenset()
    """Names of rules and slots that have faults of their own, told elsewhere."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A template that can be matched. `slots` are those it mentions, in the order of the text."""

    source: str
    tree: Sequence
    slots: Mapping[str, SlotKind]

    def match(
        self,
        window: Window,
        readings: "Readings",
        *,
        language: str | None = None,
        lists: ListSource | None = None,
    ) -> list[Capture] | None:
        """Return what the slots took of a part of a request that fits as a whole, or None.

        Raises:
            TooManyStepsError: it is too ambiguous for this request.

        """
        run = _Run(window, readings, language, lists)
        return run.captures if run.fits(self.tree.items, 0, None, window.start) else None


def compile_sentence(source: str, scope: Scope) -> Sentence:
    """Return a template with its rules and slots in place.

    Raises:
        TemplateFaultError: it is not well formed, names what does not exist, or is too large.

    """
    binding = _Binding(scope)
    bound = binding.sequence(parse_template(source), ())
    if not bound.items:
        raise TemplateFaultError("it says nothing")
    if _path(bound) > MAX_PATH:
        raise TemplateFaultError(
            f"more than {MAX_PATH} parts follow one another in it", None, "split the sentence"
        )
    return Sentence(source, bound, binding.slots)


class Readings:
    """The typed values that were read in one request, so that each is read once."""

    def __init__(
        self, original: Callable[[Spoken, int, int], str], now: Callable[[], datetime]
    ) -> None:
        self._original = original
        self._clock = now
        self._now: datetime | None = None  # the same for all that is read
        self._values: dict[tuple[int, str, str | None], Any] = {}

    def value(
        self, slot: TypedSlot, language: str | None, said: Spoken, start: int, end: int
    ) -> Any:
        """Return what a type makes of the original text of a span, or NOT_A_VALUE."""
        return self.read(slot, language, self._original(said, start, end))

    def read(self, slot: TypedSlot, language: str | None, text: str) -> Any:
        """Return what a type makes of an original text, or NOT_A_VALUE."""
        key = (id(slot.type), text, language)
        if key not in self._values:
            self._now = self._now or self._clock()
            self._values[key] = slot.type.read(text, language=language, now=self._now)
        return self._values[key]


_Rest = tuple[tuple[Any, ...], int, Any]
"""What is still to be said after a part: items, from an index on, and the rest that follows them.

None in its place is the end of the request.
"""


class _Run:
    """One try of one template on one part of a request."""

    __slots__ = (
        "captures", "end", "failed", "language", "left", "lists", "readings", "rests", "said",
        "start", "text",
    )  # fmt: skip

    def __init__(
        self,
        window: Window,
        readings: "Readings",
        language: str | None,
        lists: ListSource | None,
    ) -> None:
        self.said = window.spoken
        self.text = window.spoken.text
        self.start = window.start
        self.end = window.end
        self.readings = readings
        self.language = language
        self.lists = lists
        self.captures: list[Capture] = []
        self.rests: dict[tuple[int, int, int], _Rest] = {}
        self.failed: set[tuple[int, int]] = set()
        self.left = MAX_STEPS

    def value(self, slot: TypedSlot, start: int, end: int) -> Any:
        return self.readings.value(slot, self.language, self.said, start, end)

    def fits(self, items: tuple[Any, ...], first: int, after: _Rest | None, place: int) -> bool:
        """Whether the items from the first one on, and what follows them, are said at a place.

        A last option that is empty is not tried: it is to go on with what follows.
        """
        text = self.text
        for index in range(first, len(items)):
            item = items[index]
            if type(item) is Word:
                if not text.startswith(item.text, place):
                    return False
                place += len(item.text)
            elif type(item) is Gap:
                if place < self.end and text[place] == " ":
                    place += 1
                elif self._is_inside_word(place):
                    return False
            elif type(item) is Choice:
                *options, last = item.options
                for option in options if not last.items else item.options:
                    start = option.items[0] if option.items else None
                    if type(start) is Word and not text.startswith(start.text, place):
                        continue  # so do most, and here it costs no call
                    if self.fits(option.items, 0, self._rest(items, index + 1, after), place):
                        return True
                if last.items:
                    return False
            else:
                return self._slot_fits(item, items, index + 1, after, place)
        return self._rest_fits(after, place)

    def _is_inside_word(self, place: int) -> bool:
        """Whether no gap can be at a place that has no blank.

        Elsewhere it is between words already: what stood here was optional, or ended with an
        apostrophe, or a sign follows that touches its number.
        """
        text = self.text
        return (
            self.start < place < self.end
            and text[place - 1] not in " '"
            and (text[place] not in SIGNS)
        )

    def _rest(self, items: tuple[Any, ...], index: int, after: _Rest | None) -> _Rest | None:
        """Return what follows an item; the same object whenever it is the same."""
        if index == len(items):
            return after
        key = (id(items), index, id(after))
        found = self.rests.get(key)
        if found is None:
            found = self.rests[key] = (items, index, after)
        return found

    def _rest_fits(self, rest: _Rest | None, place: int) -> bool:
        """Do not try again where it failed: what follows depends on nothing but the place."""
        if rest is None:
            return place == self.end
        key = (id(rest), place)
        if key in self.failed:
            return False
        if self.fits(*rest, place):
            return True
        self.failed.add(key)
        self._spend()
        return False

    def _slot_fits(
        self, slot: BoundSlot, items: tuple[Any, ...], index: int, after: _Rest | None, place: int
    ) -> bool:
        if place >= self.end or self.text[place] == " ":
            return False
        kind = slot.kind
        rest = self._rest(items, index, after)
        if isinstance(kind, FreeSlot):
            return self._free_fits(slot, rest, _glued(items, index), place, is_word=kind.is_word)
        if isinstance(kind, ListSlot) and kind.current(self.lists) is None:
            return self._free_fits(slot, rest, _glued(items, index), place)
        for read in kind.reads(self, place):
            if self._takes(Capture(slot, place, read.end, read.value), rest):
                return True
            self._spend()
        return False

    def _free_fits(
        self, slot: BoundSlot, rest: _Rest | None, glued: str, place: int, *, is_word: bool = False
    ) -> bool:
        """Take words, as few as what follows allows; all of them at once where nothing follows.

        `glued` is what follows without a gap, such as the `'s` of `{name}'s`.
        """
        text, last, border = self.said.typed, self.end, glued or " "
        end = last if rest is None and not is_word else _border(text, border, place, last)
        if text[place] == '"':  # what is quoted is one
            closing = text.find('"', place + 1, last)
            end = max(end, closing + 1)
        while True:
            if self._takes(Capture(slot, place, end, is_free=True), rest):
                return True
            if end >= last or is_word:
                return False
            self._spend()
            end = _border(text, border, end + 1, last)

    def _takes(self, capture: Capture, rest: _Rest | None) -> bool:
        """Whether what follows fits where a slot took something; if so, it keeps that."""
        self.captures.append(capture)
        if self._rest_fits(rest, capture.end):
            return True
        self.captures.pop()
        return False

    def _spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise TooManyStepsError


def _glued(items: tuple[Any, ...], index: int) -> str:
    following = items[index] if index < len(items) else None
    return following.text if isinstance(following, Word) else ""


def _border(text: str, border: str, place: int, last: int) -> int:
    found = text.find(border, place, last)
    return found if found >= 0 else last


# --- rules and slots put in place


class _Binding:
    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.slots: dict[str, SlotKind] = {}
        self._size = 0

    def sequence(self, tree: Sequence, inside: tuple[str, ...]) -> Sequence:
        items: list[Any] = []
        for item in tree.items:
            part = self._part(item, inside)
            if isinstance(part, Sequence):
                items += part.items
            else:
                items.append(part)
        return Sequence(tuple(_merged(items)))

    def _part(self, node: Node, inside: tuple[str, ...]) -> Any:
        self._size += 1
        if self._size > MAX_SIZE:
            raise TemplateFaultError(
                f"it has more than {MAX_SIZE} parts, with its rules and orders written out",
                None,
                "make it several sentences, or a list of a slot",
            )
        match node:
            case Choice(options):
                return Choice(tuple(self.sequence(option, inside) for option in options))
            case Permutation(parts):
                return self._permutation(parts, inside)
            case RuleUse(name):
                return self._rule(node, name, inside)
            case SlotUse(name):
                kind = self._kind(node)
                self.slots.setdefault(name, kind)
                return BoundSlot(name, kind)
            case _:
                return node

    def _permutation(self, parts: tuple[Sequence, ...], inside: tuple[str, ...]) -> Choice:
        bound = tuple(self.sequence(part, inside) for part in parts)
        found = []
        for order in orders(bound):
            self._size += sum(_size(item) for item in order.items)
            if self._size > MAX_SIZE:
                break  # refused at the next part, or here below
            found.append(order)
        if self._size > MAX_SIZE:
            raise TemplateFaultError(
                f"it has more than {MAX_SIZE} parts, with its rules and orders written out",
                None,
                "put fewer parts in any order",
            )
        return Choice(tuple(Sequence(tuple(_flat(order))) for order in found))

    def _rule(self, node: RuleUse, name: str, inside: tuple[str, ...]) -> Sequence:
        if name in inside:
            circle = " -> ".join(f"<{each}>" for each in (*inside[inside.index(name) :], name))
            raise TemplateFaultError(f"its rules go round in a circle: {circle}", node.at)
        if len(inside) >= MAX_RULES_DEPTH:
            raise TemplateFaultError(f"its rules nest deeper than {MAX_RULES_DEPTH}", node.at)
        if name in self._scope.faulty:
            raise TemplateFaultError(f"uses the rule <{name}>, which cannot be used", node.at)
        if name not in self._scope.rules:
            hint = did_you_mean(name, list(self._scope.rules))
            raise TemplateFaultError(f"there is no rule <{name}>", node.at, hint)
        return self.sequence(self._scope.rules[name], (*inside, name))

    def _kind(self, use: SlotUse) -> SlotKind:
        wanted = use.type or use.name
        if wanted in self._scope.faulty:
            raise TemplateFaultError(f"uses the slot '{wanted}', which cannot be used", use.at)
        if wanted in self._scope.slots:
            return self._scope.slots[wanted].kind
        if not use.type:
            return FreeSlot()
        try:
            kind: SlotKind = built_in(use.type, self._scope.slots)
        except TemplateFaultError as error:
            raise TemplateFaultError(error.message, use.at, error.hint) from None
        return kind


def _flat(sequence: Sequence) -> list[Any]:
    items: list[Any] = []
    for item in sequence.items:
        items += _flat(item) if isinstance(item, Sequence) else [item]
    return _merged(items)


def _merged(items: list[Any]) -> list[Any]:
    """Join words that touch since a rule stands between them, and leave out doubled gaps."""
    found: list[Any] = []
    for item in items:
        last = found[-1] if found else None
        if isinstance(item, Word) and isinstance(last, Word):
            found[-1] = Word(last.text + item.text)
        elif not (item == GAP and last == GAP):
            found.append(item)
    return found


def _size(part: Any) -> int:
    match part:
        case Sequence(items):
            return sum(map(_size, items))
        case Choice(options):
            return 1 + sum(map(_size, options))
        case _:
            return 1


def _path(part: Any) -> int:
    match part:
        case Sequence(items):
            return sum(map(_path, items))
        case Choice(options):
            return 2 + max(map(_path, options), default=0)
        case _:
            return 1
