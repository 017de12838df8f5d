"""A folded request to the form in which sentences are matched, with the way back.

One blank stands between words, punctuation around words is left out, and hyphens between words
count as blanks. Politeness (`Skips`) stays where it is; `Windows` tells where it may be left out.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from podium.intents.grammar import literal_text

MAX_SPOKEN_CHARACTERS = 65_536  # as long as a request may be; a longer text matches no sentence
MAX_SKIPPED = 8  # phrases of politeness on one side of a request
MAX_WINDOWS = 10  # parts of a request that are tried with some of its politeness

_ENDING = ".,;:!?…"
_TRAILING = _ENDING + " "
_OPENING = "¿¡,;:!?…"
_WORD = re.compile(r"\w+")
_PIECE = re.compile(r"\S+")
_PUNCTUATION = re.compile(r"[.,;:!?…¿¡]")
_RUN = re.compile(r"(\w+)|[^\w ]+")
_HYPHEN = re.compile(r"(?<=[^\W_])-(?=[^\W_])")

POLITENESS = """
    s'il te plait | s'il vous plait | stp | svp | merci | merci beaucoup | merci d'avance |
    bonjour | bonsoir | salut | coucou | peux tu | tu peux | pourrais tu | tu pourrais | peut tu |
    pouvez vous | pourriez vous | vous pouvez | est ce que tu peux | est ce que tu pourrais |
    est ce que vous pouvez | veux tu | veux tu bien | tu veux bien | je voudrais | je veux |
    j'aimerais | je souhaite | je souhaiterais | je voudrais que tu | j'aimerais que tu |
    il faudrait | il faut | ok | d'accord | dis | dis moi | alors | euh | tiens |
    podium | hey podium | dis podium | ok podium
    | please | pls | plz | thanks | thank you | thank you very much | thanks a lot | hello | hi |
    hey | can you | could you | would you | will you | can you please | could you please |
    would you please | would you mind | i want to | i'd like to | i would like to | i need to |
    i want you to | i'd like you to | kindly | okay | hey there | hello there | so | um
"""
"""What people say around what they want; a template that spells it out still gets it."""


@dataclass(frozen=True)
class Spoken:
    """A request as it is said.

    `text` is what words are compared with, `typed` the same with hyphens, for values;
    `origins[i]` is where the character `i` of both stands in the folded request, with one element
    more for the end. `tokens` are its words.
    """

    text: str
    typed: str
    origins: Sequence[int]
    tokens: frozenset[str]

    def ends_after(self, place: int, end: int, most: int) -> list[int]:
        """Return where words end after a place, the farthest first, `most` characters away.

        A word ends after its letters, and before a blank.
        """
        text, last = self.text, min(end, place + most)
        ends: list[int] = []
        for found in _RUN.finditer(text, place):
            stop = found.end()
            if stop > last:
                break
            if found.lastindex or text[stop : stop + 1] in ("", " "):
                ends.append(stop)
        ends.reverse()
        return ends

    def folded_span(self, start: int, end: int) -> tuple[int, int]:
        """Return the span of the folded request that a span of the text came from."""
        return self.origins[start], self.origins[end - 1] + 1 if end > start else self.origins[
            start
        ]


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a spoken request that is matched as a whole."""

    spoken: Spoken
    start: int
    end: int


def words_of(text: str) -> frozenset[str]:
    """Return the words of a text, as prefilters compare them."""
    return frozenset(_WORD.findall(text))


def spoken(folded: str, words: frozenset[str] | None = None) -> Spoken:
    """Return a folded request as it is said; nothing of one that is too long.

    `words` are those of the request, if they are known already.
    """
    if len(folded) > MAX_SPOKEN_CHARACTERS:
        folded, words = "", None
    if words is None:
        words = words_of(folded)
    bare = folded.rstrip(_TRAILING)
    if _PUNCTUATION.search(bare) is None and " ".join(bare.split()) == bare:
        return _spoken(bare, range(len(bare) + 1), words)
    pieces: list[str] = []
    origins: list[int] = []
    for found in _PIECE.finditer(folded):
        piece, start = found.group(), found.start()
        if piece[-1] in _ENDING:
            piece = piece.rstrip(_ENDING)
        if piece and piece[0] in _OPENING:
            stripped = piece.lstrip(_OPENING)
            start += len(piece) - len(stripped)
            piece = stripped
        if piece:
            if pieces:
                origins.append(start - 1)
            pieces.append(piece)
            origins.extend(range(start, start + len(piece)))
    origins.append(origins[-1] + 1 if origins else 0)
    return _spoken(" ".join(pieces), origins, words)


def _spoken(typed: str, origins: Sequence[int], words: frozenset[str]) -> Spoken:
    text = _HYPHEN.sub(" ", typed) if "-" in typed else typed
    return Spoken(text, typed, origins, words)


@dataclass(slots=True)
class Skips:
    """Phrases of politeness, by their first and by their last word; the longest first.

    `tokens` holds what a request has among its words if it has any of them.
    """

    first: dict[str, list[str]] = field(default_factory=dict)
    last: dict[str, list[str]] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, phrases: Iterable[str]) -> "Skips":
        """Return the phrases ready for use."""
        skips = cls()
        for phrase in sorted({literal_text(each) for each in phrases} - {""}, key=_longest):
            skips.first.setdefault(phrase.partition(" ")[0], []).append(phrase)
            skips.last.setdefault(phrase.rpartition(" ")[2], []).append(phrase)
            skips.tokens.update(_WORD.findall(phrase)[:1])
        return skips

    def windows(self, said: Spoken) -> Iterator[Window]:
        """Yield what of a request is tried: with less and less taken away, and without any at all.

        A sentence may spell out some of it: "please tell me if ..." is "tell me if ..." politely.
        The last only where politeness stands between other words.
        """
        whole = Window(said, 0, len(said.text))
        if self.tokens.isdisjoint(said.tokens):
            yield whole
            return
        starts, ends = self._borders(said.text)
        ways = ((start, end) for start in reversed(starts) for end in reversed(ends))
        for start, end in islice((way for way in ways if way[0] < way[1]), MAX_WINDOWS - 1):
            if (start, end) != (0, whole.end):
                yield Window(said, start, end)
        yield whole
        if (plain := self._without(said, starts[-1], ends[-1])) is not None:
            yield plain

    def _borders(self, text: str) -> tuple[list[int], list[int]]:
        """Return where the request begins without its first phrases, and ends without its last."""
        starts, ends = [0], [len(text)]
        for _ in range(MAX_SKIPPED):
            phrase = self._at(text, starts[-1], ends[0])
            if not phrase:
                break
            starts.append(min(ends[0], starts[-1] + len(phrase) + 1))
        for _ in range(MAX_SKIPPED):
            phrase = self._before(text, starts[-1], ends[-1])
            if not phrase:
                break
            ends.append(max(starts[-1], ends[-1] - len(phrase) - 1))
        return starts, ends

    def _at(self, text: str, start: int, end: int) -> str:
        """Return the longest phrase that begins at a place."""
        space = text.find(" ", start, end)
        word = text[start : space if space >= 0 else end]
        for phrase in self.first.get(word, ()):
            after = start + len(phrase)
            if text.startswith(phrase, start) and (after == end or text[after : after + 1] == " "):
                return phrase
        return ""

    def _before(self, text: str, start: int, end: int) -> str:
        """Return the longest phrase that ends at a place."""
        word = text[max(start, text.rfind(" ", start, end) + 1) : end]
        for phrase in self.last.get(word, ()):
            before = end - len(phrase)
            fits = before >= start and text.startswith(phrase, before)
            if fits and (before == start or text[before - 1] == " "):
                return phrase
        return ""

    def _without(self, said: Spoken, start: int, end: int) -> Window | None:
        """Return the request without any of the phrases, if one stands between other words."""
        kept: list[tuple[int, int]] = []
        place, removed = start, False
        while place < end:
            phrase = self._at(said.text, place, end)
            space = said.text.find(" ", place, end)
            after = place + len(phrase) if phrase else (space if space >= 0 else end)
            if phrase:
                removed = True
            else:
                kept.append((place, after))
            place = after + 1
        if not removed or not kept:
            return None
        typed = " ".join(said.typed[first:last] for first, last in kept)
        origins: list[int] = []
        for first, last in kept:
            if origins:
                origins.append(said.origins[first - 1])
            origins.extend(said.origins[first:last])
        plain = _spoken(typed, [*origins, origins[-1] + 1], words_of(typed))
        return Window(plain, 0, len(plain.text))


def _longest(phrase: str) -> tuple[int, str]:
    return -len(phrase), phrase


DEFAULT_SKIPS = tuple(phrase.strip() for phrase in POLITENESS.split("|"))
