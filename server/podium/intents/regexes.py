r"""A regex as its author wrote it, to one that runs on folded text and is known inside out.

The source is folded like the requests it will meet: accents only, and only outside of what has a
meaning of its own (`\S`, `\p{L}`, group names, flags). A ligature becomes its letters (`œ?` ->
`(?:oe)?`); a range of a set keeps its end points and gains the plain letters of the accented
characters in it (`[à-ÿ]` also takes `a`, `c`, `e`, ...).

The folded source is then read for two things. `needs` are literals that every match must hold, so
that a regex need not run at all where they are missing. And what is compiled has a capture of its
own around each wildcard, so that a match can tell what the author prescribed from what was left
open. A regex that uses more than the reader knows is *opaque*: it has no needs (it always runs)
and is compiled as it is (its own groups count as wildcards); it matches all the same.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import regex

from podium.text.folding import fold_text

FLAGS = regex.IGNORECASE
MAX_NESTING = 150  # nested groups; compiling takes the interpreter several calls for each
MAX_DEPTH = 50  # nested groups the reader follows; deeper ones make the regex opaque
MAX_RANGE = 1_024  # characters of a range searched for accented ones; alphabets are smaller

Clause = frozenset[str]
"""Literals of which a match holds at least one."""


@dataclass(frozen=True, slots=True)
class Regex:
    """A compiled regex, and what every match of it holds.

    `groups` maps the author's groups, by number and name, to those of the compiled regex; `free`
    are the compiled groups that took what was left open.
    """

    source: str
    compiled: Any
    needs: tuple[Clause, ...]
    groups: Mapping[int | str, int]
    free: tuple[int, ...]


class RegexFaultError(Exception):
    """A regex cannot be compiled; `position` is the 0-based character, or None if unknown."""

    def __init__(self, message: str, position: int | None) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


def compile_regex(source: str) -> Regex:
    """Fold, compile and read a regex.

    Raises:
        RegexFaultError: it is not valid; the position is that in the source as it was written.

    """
    tokens = list(_tokens(source))
    _refuse_deep_nesting(tokens)
    reader = _Reader(tokens)
    try:
        part = reader.whole()
    except _OpaqueError:
        return _as_it_is(source, tokens, ())
    needs = tuple(sorted(set(part.needs), key=sorted))
    if any(token.kind == "back" for token in tokens):
        # A reference to a group by number would point elsewhere between more groups.
        return _as_it_is(source, tokens, needs)
    try:
        compiled = _compile(part.measuring)
    except RegexFaultError:
        _as_it_is(source, tokens, needs)  # raises with the author's position
        raise
    return Regex(source, compiled, needs, reader.groups, tuple(reader.free))


def _as_it_is(source: str, tokens: Sequence["_Token"], needs: tuple[Clause, ...]) -> Regex:
    folded = "".join(token.text for token in tokens)
    try:
        compiled = _compile(folded)
    except RegexFaultError:
        if folded != source:
            _compile(source)  # raises with the author's position, unless folding broke it
        raise
    numbers = range(1, compiled.groups + 1)
    groups: dict[int | str, int] = {number: number for number in numbers}
    return Regex(source, compiled, needs, groups | dict(compiled.groupindex), tuple(numbers))


def _refuse_deep_nesting(tokens: Sequence["_Token"]) -> None:
    """Refuse what would use up the interpreter's stack, however much of that there is."""
    depth = 0
    for token in tokens:
        depth += token.kind in _OPENING or token.text == "("
        depth -= token.kind == "close"
        if depth > MAX_NESTING:
            raise RegexFaultError("it is nested too deeply", None)


def _compile(source: str) -> Any:
    try:
        return regex.compile(source, FLAGS)
    except regex.error as error:
        raise RegexFaultError(error.msg, error.pos) from None
    except RecursionError:
        raise RegexFaultError("it is nested too deeply", None) from None
    except (ValueError, OverflowError) as error:
        raise RegexFaultError(str(error), None) from None


# --- source to folded tokens

Kind = Literal[
    "literal",  # characters that a match holds as they are
    "choice",  # white space, or one of a few characters spelt out: prescribed, but not fixed
    "wild",  # anything else that takes one character
    "anchor",
    "flags",
    "capture",
    "group",
    "look",
    "close",
    "or",
    "quantifier",
    "back",  # a reference to a group by number or name
    "opaque",
]


_OPENING = frozenset({"capture", "group", "look"})


class _Token(NamedTuple):
    kind: Kind
    text: str
    literal: str = ""


_SYNTAX = re.compile(
    r"""
      (?P<plain>   [A-Za-z0-9\ '",;:!@%_/=-]+ (?![*+?{]) )
    | (?P<code>    \\x[0-9a-fA-F]{2} | \\u[0-9a-fA-F]{4} | \\U[0-9a-fA-F]{8} | \\N\{[^}]*\} )
    | (?P<class>   \\[pP]\{[^}]*\} )
    | (?P<back>    \\[1-9][0-9]* | \\g<[^>]*> | \(\?P=[^)]*\) )
    | (?P<escape>  \\. )
    | (?P<set>     \[\^?\]? (?: \[:\^?\w+:\] | \\. | [^\]\\] )* \] )
    | (?P<comment> \(\?\#[^)]*\) )
    | (?P<flags>   \(\?[imsu]+\) )
    | (?P<look>    \(\?<?[=!] )
    | (?P<capture> \(\?P?<[^>]*> | \((?![?*]) )
    | (?P<group>   \(\?(?: [imsu]*(?:-[imsu]+)?: | > ) )
    | (?P<other>   \( | \\ )
    | (?P<close>   \) )
    | (?P<or>      \| )
    | (?P<quantifier> (?: [*+?] | \{(?:\d+,?\d*|,\d+)\} ) [+?]? )
    | (?P<brace>   \{ )
    | (?P<anchor>  [\^$] )
    | (?P<dot>     \. )
    | (?P<char>    . )
    """,
    re.VERBOSE | re.DOTALL,
)

_KINDS: dict[str, Kind] = {
    "class": "wild",
    "back": "back",
    "flags": "flags",
    "look": "look",
    "capture": "capture",
    "group": "group",
    "other": "opaque",
    "close": "close",
    "or": "or",
    "quantifier": "quantifier",
    "brace": "opaque",  # a fuzzy match such as {e<=1}
    "anchor": "anchor",
    "dot": "wild",
}

_ESCAPES: dict[str, Kind] = {
    **dict.fromkeys("AZbBmM", "anchor"),
    **dict.fromkeys("stnrfvh", "choice"),
    **dict.fromkeys("wWdDSa", "wild"),
}


def _tokens(source: str) -> Iterator[_Token]:
    for found in _SYNTAX.finditer(source):
        name, text = found.lastgroup or "", found.group()
        if name == "plain":  # most of a regex by far, hence in one go
            yield _Token("literal", text, fold_text(text))
        elif name == "set":
            yield _folded_set(text)
        elif name == "char":
            token = _folded_character(text)
            if token.text:  # an accent on its own vanishes, and what follows is about its letter
                yield token
        elif name == "code":
            yield _folded_code(text)
        elif name == "escape":
            yield _folded_escape(text)
        elif name != "comment":
            yield _Token(_KINDS[name], text)


def _folded_character(char: str) -> _Token:
    literal = fold_text(char)
    if char.isascii():  # as it stands: letter case in a regex may mean something
        return _Token("literal", char, literal)
    text = regex.escape(literal)
    return _Token("literal", f"(?:{text})" if len(literal) > 1 else text, literal)


def _folded_code(text: str) -> _Token:
    char = _character_of(text)
    if char is None or char.isascii():
        return _Token("wild", text)
    return _folded_character(char)


def _folded_escape(text: str) -> _Token:
    char = text[1]
    if char.isascii() and char.isalnum():
        return _Token(_ESCAPES.get(char, "opaque"), text)
    return _Token("literal", text, char) if char.isascii() else _folded_character(char)


def _character_of(code: str) -> str | None:
    try:
        return unicodedata.lookup(code[3:-1]) if code[1] == "N" else chr(int(code[2:], 16))
    except (KeyError, ValueError, OverflowError):
        return None


_SET_ITEM = re.compile(
    r"""
      (?P<class> \[:\^?\w+:\] | \\[pP]\{[^}]*\} | \\[wWdDSsh] )
    | (?P<code>  \\x[0-9a-fA-F]{2} | \\u[0-9a-fA-F]{4} | \\U[0-9a-fA-F]{8} | \\N\{[^}]*\} )
    | (?P<escape> \\. )
    | (?P<char>  . )
    """,
    re.VERBOSE | re.DOTALL,
)


def _folded_set(text: str) -> _Token:
    opening = re.match(r"\[\^?", text)
    start = opening.end() if opening else 1
    items = [(found.lastgroup or "", found.group()) for found in _SET_ITEM.finditer(text[start:-1])]
    is_open = start > 1 or any(name == "class" and item != r"\s" for name, item in items)
    pieces: list[str] = []
    position = 0
    while position < len(items):
        low, high = items[position], items[position + 2 : position + 3]
        is_range = bool(high) and items[position + 1] == ("char", "-")
        if is_range and low[0] != "class" and high[0][0] != "class":
            pieces.append(_folded_range(low[1], high[0][1]))
            is_open = True
            position += 3
        else:
            pieces.append(_folded_item(*low))
            position += 1
    if any(pieces):  # a set of accents alone stays as it is: nothing folded is in it
        text = f"{text[:start]}{''.join(pieces)}]"
    return _Token("wild" if is_open else "choice", text)


def _folded_item(name: str, item: str) -> str:
    char = _set_character(item)
    if name == "class" or char is None or char.isascii():
        return item
    return "".join(dict.fromkeys(_set_escape(c) for c in fold_text(char)))


def _folded_range(low: str, high: str) -> str:
    first, last = _set_character(low), _set_character(high)
    if first is None or last is None or last.isascii():
        return f"{low}-{high}"
    codes = range(ord(first), min(ord(last), ord(first) + MAX_RANGE) + 1)
    plain = dict.fromkeys(c for code in codes for c in fold_text(chr(code)))
    added = "".join(_set_escape(c) for c in plain if not first <= c <= last)
    return f"{low}-{high}{added}"


def _set_character(item: str) -> str | None:
    if len(item) == 1:
        return item
    if len(item) > 2:
        return _character_of(item) if item[1] in "xuUN" else None
    return None if item[1].isascii() and item[1].isalnum() else item[1]


def _set_escape(char: str) -> str:
    return f"\\{char}" if char in r"\]^-[&~|" else char


# --- tokens to needs and measure


class _OpaqueError(Exception):
    """The regex uses something that the reader does not know."""


class _Part(NamedTuple):
    needs: list[Clause]
    measuring: str


class _Quantifier(NamedTuple):
    text: str = ""
    is_optional: bool = False


class _Reader:
    """A recursive descent over the tokens of one regex that is known to compile."""

    def __init__(self, tokens: Sequence[_Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self._depth = 0
        self._looking = 0  # inside look-arounds nothing is consumed, so nothing is measured
        self._authored = 0
        self._compiled = 0
        self.groups: dict[int | str, int] = {}
        self.free: list[int] = []

    def whole(self) -> _Part:
        part = self._alternatives()
        if self._next < len(self._tokens):
            raise _OpaqueError
        return part

    def _peek(self) -> Kind | None:
        return self._tokens[self._next].kind if self._next < len(self._tokens) else None

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        self._next += 1
        return token

    def _alternatives(self) -> _Part:
        branches = [self._sequence()]
        while self._peek() == "or":
            self._take()
            branches.append(self._sequence())
        if len(branches) == 1:
            return branches[0]
        needs: list[Clause] = []
        if all(branch.needs for branch in branches):  # one branch without needs frees the whole
            needs = [frozenset[str]().union(*(_best(branch.needs) for branch in branches))]
        return _Part(needs, "|".join(branch.measuring for branch in branches))

    def _sequence(self) -> _Part:
        needs: list[Clause] = []
        measuring: list[str] = []
        run = ""  # literal characters that follow one another
        while self._peek() not in (None, "or", "close"):
            token = self._take()
            if token.kind == "wild" and not self._looking:
                self._compiled += 1
                self.free.append(self._compiled)
            part = self._item(token)
            quantifier = self._quantifier()
            if token.kind == "flags" and quantifier.text:
                raise _OpaqueError  # the engine takes it to be about what stands before the flags
            measuring.append(self._measured(token, part, quantifier))
            if token.literal and not quantifier.text:
                run += token.literal
                continue
            if not quantifier.is_optional:
                run += token.literal
                needs += part.needs
            needs += _literal_clause(run)
            run = ""
        return _Part(needs + _literal_clause(run), "".join(measuring))

    def _item(self, token: _Token) -> _Part:
        if token.kind in ("opaque", "quantifier"):
            raise _OpaqueError
        if token.kind in ("capture", "group", "look"):
            return self._group(token)
        return _Part([], token.text)

    def _group(self, token: _Token) -> _Part:
        looks = token.kind == "look"
        if token.kind == "capture":
            self._count(token.text)
        self._depth += 1
        self._looking += looks
        if self._depth > MAX_DEPTH:
            raise _OpaqueError
        body = self._alternatives()
        if self._peek() != "close":
            raise _OpaqueError
        self._take()
        self._depth -= 1
        self._looking -= looks
        return _Part([] if looks else body.needs, f"{token.text}{body.measuring})")

    def _count(self, opening: str) -> None:
        """Take down a capture's numbers, the author's and the engine's; equal names are one."""
        name = opening.partition("<")[2].removesuffix(">")
        if name and name in self.groups:
            return
        self._authored += 1
        self._compiled += 1
        self.groups[self._authored] = self._compiled
        if name:
            self.groups[name] = self._compiled

    def _quantifier(self) -> _Quantifier:
        if self._peek() != "quantifier":
            return _Quantifier()
        text = self._take().text
        if self._peek() == "quantifier":
            raise _OpaqueError
        repeats = text[0] == "+" or (text[0] == "{" and text[1] not in "0,")
        return _Quantifier(text, is_optional=not repeats)

    def _measured(self, token: _Token, part: _Part, quantifier: _Quantifier) -> str:
        text = part.measuring + quantifier.text
        return f"({text})" if token.kind == "wild" and not self._looking else text


def _literal_clause(run: str) -> list[Clause]:
    return [frozenset([run])] if run.strip() else []


def _best(needs: Sequence[Clause]) -> Clause:
    """Return the clause that says most: the one whose shortest literal is the longest."""
    return max(needs, key=lambda clause: (min(map(len, clause)), sorted(clause)))
