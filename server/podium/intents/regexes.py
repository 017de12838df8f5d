r"""A regex as its author wrote it, to one that runs on folded text and is known inside out.

What `regex_tokens` made of the source is read for two things. `needs` are literals that every match
must hold, so that a regex need not run at all where they are missing. And what is compiled has a
capture of its own around each wildcard, so that a match can tell what the author prescribed from
what was left open. A regex that uses more than the reader knows is *opaque*: it has no needs (it
always runs) and is compiled as it is (its own groups count as wildcards); it matches all the same.

Compiling takes milliseconds, and most of a library meets no request of a short run. So a regex made
of nothing but what `soundness` vouches for is compiled at its first use; any other one at once, so
that its faults are told when it is read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import regex

from podium.intents.regex_tokens import OPENING, Kind, Token, tokens_of
from podium.intents.soundness import is_sound

FLAGS = regex.IGNORECASE
MAX_NESTING = 150  # nested groups; compiling takes the interpreter several calls for each
MAX_DEPTH = 50  # nested groups the reader follows; deeper ones make the regex opaque

Clause = frozenset[str]
"""Literals of which a match holds at least one."""


@dataclass(slots=True)
class Regex:
    """A valid regex, and what every match of it holds.

    `measuring` is what is compiled. `groups` maps the author's groups, by number and name, to those
    of the compiled regex; `free` are the compiled groups that took what was left open.
    """

    source: str
    measuring: str
    needs: tuple[Clause, ...]
    groups: Mapping[int | str, int]
    free: tuple[int, ...]
    _compiled: Any = field(default=None, repr=False, compare=False)

    @property
    def compiled(self) -> Any:
        """What runs."""
        self.prepare()
        return self._compiled

    def prepare(self) -> None:
        """Compile it, unless that has been done."""
        if self._compiled is None:
            self._compiled = _compile(self.measuring)


class RegexFaultError(Exception):
    """A regex cannot be compiled; `position` is the 0-based character, or None if unknown."""

    def __init__(self, message: str, position: int | None) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


def compile_regex(source: str) -> Regex:
    """Fold and read a regex, and compile it unless it is certain to be valid.

    Raises:
        RegexFaultError: it is not valid; the position is that in the source as it was written.

    """
    tokens = list(tokens_of(source))
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
    each = Regex(source, part.measuring, needs, reader.groups, tuple(reader.free))
    if is_sound(tokens):
        return each
    try:
        return replace(each, _compiled=_compile(part.measuring))
    except RegexFaultError:
        _as_it_is(source, tokens, needs)  # raises with the author's position
        raise


def _as_it_is(source: str, tokens: Sequence[Token], needs: tuple[Clause, ...]) -> Regex:
    folded = "".join(token.text for token in tokens)
    try:
        compiled = _compile(folded)
    except RegexFaultError:
        if folded != source:
            _compile(source)  # raises with the author's position, unless folding broke it
        raise
    numbers = range(1, compiled.groups + 1)
    groups: dict[int | str, int] = {number: number for number in numbers}
    groups |= compiled.groupindex
    return Regex(source, folded, needs, groups, tuple(numbers), compiled)


def _refuse_deep_nesting(tokens: Sequence[Token]) -> None:
    """Refuse what would use up the interpreter's stack, however much of that there is."""
    depth = 0
    for token in tokens:
        depth += token.kind in OPENING or token.text == "("
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

    def __init__(self, tokens: Sequence[Token]) -> None:
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

    def _take(self) -> Token:
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

    def _item(self, token: Token) -> _Part:
        if token.kind in ("opaque", "quantifier"):
            raise _OpaqueError
        if token.kind in ("capture", "group", "look"):
            return self._group(token)
        return _Part([], token.text)

    def _group(self, token: Token) -> _Part:
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

    def _measured(self, token: Token, part: _Part, quantifier: _Quantifier) -> str:
        text = part.measuring + quantifier.text
        return f"({text})" if token.kind == "wild" and not self._looking else text


def _literal_clause(run: str) -> list[Clause]:
    return [frozenset([run])] if run.strip() else []


def _best(needs: Sequence[Clause]) -> Clause:
    """Return the clause that says most: the one whose shortest literal is the longest."""
    return max(needs, key=lambda clause: (min(map(len, clause)), sorted(clause)))
