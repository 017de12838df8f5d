"""A sentence template to its tree: words, options, choices, slots, rules and permutations.

The text of the words is folded like the requests it will meet; hyphens count as blanks, and
punctuation that nobody says is left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from podium.text.folding import fold_text

MAX_TEMPLATE_CHARACTERS = 2_000  # nobody reads a longer one; rules take what is used often
MAX_NESTING = 30  # brackets in brackets; people write three
MAX_OPTIONS = 500  # of one ( | ) or [ | ]; more is a closed list of a slot
MAX_PERMUTED = 4  # parts of ( ; ); four make 24 orders

_AROUND = ".,;:!?…¿¡"
PUNCTUATION = frozenset(_AROUND)
"""What separates or ends what is said, without being said."""


@dataclass(frozen=True, slots=True)
class Word:
    """Letters that are said as they are; no blank is among them."""

    text: str


@dataclass(frozen=True, slots=True)
class Gap:
    """The border between two words."""


@dataclass(frozen=True, slots=True)
class Sequence:
    """Parts that follow one another."""

    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several; an option that is an empty sequence makes the others optional."""

    options: tuple[Sequence, ...]


@dataclass(frozen=True, slots=True)
class Permutation:
    """Parts that may come in any order."""

    parts: tuple[Sequence, ...]


@dataclass(frozen=True, slots=True)
class SlotUse:
    """A place where a value is said; `type` is what stands behind the colon, or empty.

    `at` is the 0-based character of the template where it stands.
    """

    name: str
    type: str
    at: int


@dataclass(frozen=True, slots=True)
class RuleUse:
    """A place where a rule's template stands for itself."""

    name: str
    at: int


Node = Word | Gap | Sequence | Choice | Permutation | SlotUse | RuleUse

GAP = Gap()
NOTHING = Sequence(())


class TemplateFaultError(Exception):
    """A template cannot be used; `position` is the 0-based character, or None if unknown."""

    def __init__(self, message: str, position: int | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.position = position
        self.hint = hint


def parse_template(source: str) -> Sequence:
    """Parse a template.

    Raises:
        TemplateFaultError: it is not well formed, or larger than a template may be.

    """
    if len(source) > MAX_TEMPLATE_CHARACTERS:
        message = f"it has {len(source)} characters, {MAX_TEMPLATE_CHARACTERS} at most"
        raise TemplateFaultError(message, None, "move parts of it into rules, or a list of a slot")
    return _Parser(source).whole()


def literal_text(text: str) -> str:
    """Return a text as it is said: folded, one blank between words, no punctuation around them."""
    words = [word.strip(_AROUND) for word in _unhyphenated(fold_text(text)).split()]
    return " ".join(filter(None, words))


def _unhyphenated(folded: str) -> str:
    if "-" not in folded:
        return folded
    return "".join(
        " " if char == "-" and is_joint(folded, place) else char
        for place, char in enumerate(folded)
    )


def is_joint(text: str, place: int) -> bool:
    """Whether the hyphen at a place joins two words: `peux-tu`."""
    around = text[place - 1 : place], text[place + 1 : place + 2]
    return place > 0 and around[0].isalnum() and around[1].isalnum()


class _Token(NamedTuple):
    kind: str  # "text", "escaped", or the character itself
    text: str
    at: int


_SPECIAL = frozenset("[](){}<>|;")
_CLOSING = {"[": "]", "(": ")"}


def _tokens(source: str) -> Iterator[_Token]:
    place = 0
    while place < len(source):
        char = source[place]
        if char == "\\":
            if place + 1 == len(source):
                raise TemplateFaultError(
                    "a backslash ends it", place, "write two for one that is said"
                )
            yield _Token("escaped", source[place + 1], place)
            place += 2
            continue
        yield _Token(char if char in _SPECIAL else "text", char, place)
        place += 1


class _Parser:
    """A recursive descent over the characters of one template."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._tokens = list(_tokens(source))
        self._next = 0
        self._depth = 0

    def whole(self) -> Sequence:
        sequence = self._sequence("")
        if self._next < len(self._tokens):
            token = self._tokens[self._next]
            raise TemplateFaultError(
                f"'{token.text}' closes nothing", token.at, f"write \\{token.text} for the sign"
            )
        return sequence

    def _peek(self) -> str:
        return self._tokens[self._next].kind if self._next < len(self._tokens) else ""

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        self._next += 1
        return token

    def _sequence(self, closing: str) -> Sequence:
        """Read up to what ends a part: the closing bracket, or within brackets `|` and `;`."""
        items: list[Node] = []
        while (kind := self._peek()) not in ("", "]", ")"):
            if kind in "|;" and (closing or kind == "|"):
                if not closing:
                    raise TemplateFaultError(
                        "'|' stands outside of brackets",
                        self._tokens[self._next].at,
                        "write (a|b), or several sentences",
                    )
                break
            items += self._items(kind)
        return Sequence(tuple(_tidied(items)))

    def _items(self, kind: str) -> Iterator[Node]:
        if kind in _CLOSING:
            yield self._brackets()
        elif kind == "{":
            yield self._slot()
        elif kind == "<":
            token = self._take()
            yield RuleUse(self._name(token, ">", "rule"), token.at)
        elif kind in ("}", ">"):
            token = self._take()
            raise TemplateFaultError(
                f"'{kind}' closes nothing", token.at, f"write \\{kind} for the sign"
            )
        else:
            yield from self._words()

    def _brackets(self) -> Node:
        opening = self._take()
        closing = _CLOSING[opening.kind]
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise TemplateFaultError(f"it nests more than {MAX_NESTING} brackets", opening.at)
        parts, separators = [self._sequence(closing)], set()
        while self._peek() in ("|", ";"):
            separators.add(self._take().kind)
            parts.append(self._sequence(closing))
        if self._peek() != closing:
            raise TemplateFaultError(
                f"'{opening.kind}' is never closed", opening.at, f"close it with '{closing}'"
            )
        self._take()
        self._depth -= 1
        return _bracketed(opening, parts, separators)

    def _slot(self) -> SlotUse:
        token = self._take()
        inside = self._name(token, "}", "slot", extra=":")
        name, _, type_ = inside.partition(":")
        name, type_ = name.strip(), type_.strip()
        for each in (name, type_) if ":" in inside else (name,):
            if not each.isidentifier():
                raise TemplateFaultError(
                    f"'{{{inside}}}' is no slot", token.at, "write {name} or {name:type}"
                )
        return SlotUse(name, type_, token.at)

    def _name(self, opening: _Token, closing: str, what: str, extra: str = "") -> str:
        name = ""
        while (kind := self._peek()) not in ("", closing):
            if kind != "text" and kind not in extra:
                break
            name += self._take().text
        if self._peek() != closing:
            raise TemplateFaultError(
                f"'{opening.kind}' begins a {what} that is never closed",
                opening.at,
                f"close it with '{closing}', or write \\{opening.kind} for the sign",
            )
        self._take()
        if not extra and not name.strip().isidentifier():
            raise TemplateFaultError(f"'{opening.kind}{name}{closing}' is no {what}", opening.at)
        return name.strip()

    def _words(self) -> Iterator[Node]:
        """Read characters up to the next special one."""
        start = self._next
        while self._peek() in ("text", "escaped") or self._is_loose_semicolon():
            self._next += 1
        word = ""
        for place in range(start, self._next):
            char = self._said(place)
            if char == " ":
                yield from _word(word)
                yield GAP
                word = ""
            else:
                word += char
        yield from _word(word)

    def _is_loose_semicolon(self) -> bool:
        return self._peek() == ";" and self._depth == 0

    def _said(self, place: int) -> str:
        """Return what is left of one character: nothing, a blank, or its folded letters."""
        token = self._tokens[place]
        before = self._tokens[place - 1] if place else None
        after = self._tokens[place + 1] if place + 1 < len(self._tokens) else None
        if token.text.isspace():
            return " "
        if token.kind == "escaped":
            return fold_text(token.text)
        if token.text in PUNCTUATION:
            is_inside = _touches(before, "}])>") and _touches(after, "{([<")
            return fold_text(token.text) if is_inside else ""
        if token.text == "-" and _touches(before, "}])>[(|") and _touches(after, "{([<])|"):
            return " "
        return fold_text(token.text)


def _touches(token: _Token | None, brackets: str) -> bool:
    return token is not None and (token.text.isalnum() or token.kind in tuple(brackets))


def _word(text: str) -> Iterator[Node]:
    if text:
        yield Word(text)


def _tidied(items: list[Node]) -> Iterator[Node]:
    """Join words that touch, and leave out gaps after gaps."""
    last: Node | None = None
    for item in items:
        if isinstance(item, Word) and isinstance(last, Word):
            last = Word(last.text + item.text)
            continue
        if last is not None and not (last == GAP and item == GAP):
            yield last
        last = item
    if last is not None:
        yield last


def _bracketed(opening: _Token, parts: list[Sequence], separators: set[str]) -> Node:
    if len(separators) > 1:
        raise TemplateFaultError(
            "'|' and ';' are mixed in one pair of brackets", opening.at, "put one in brackets"
        )
    if separators == {";"}:
        if len(parts) > MAX_PERMUTED:
            raise TemplateFaultError(
                f"{len(parts)} parts in any order are too many, {MAX_PERMUTED} at most", opening.at
            )
        permutation = Permutation(tuple(parts))
        if opening.kind == "[":
            return Choice((Sequence((permutation,)), NOTHING))
        return permutation
    if len(parts) > MAX_OPTIONS:
        raise TemplateFaultError(
            f"it offers {len(parts)} ways in one pair of brackets, {MAX_OPTIONS} at most",
            opening.at,
            "make it a slot with a list of values",
        )
    if opening.kind == "[":
        parts = [*(part for part in parts if part != NOTHING), NOTHING]
    return Choice(tuple(dict.fromkeys(parts)))
