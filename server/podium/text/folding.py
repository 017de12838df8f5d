"""A text to the form in which it is compared, with the way back to what was written.

Only letter case, accents and the shape of quotation marks are folded; words, blanks and
punctuation stay. Marks that nobody sees (zero-width and direction marks) vanish, since a text
copied from a page must match what it looks like.
"""

import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

_LETTERS = {  # what Unicode decomposition leaves whole although people type it as plain letters
    "œ": "oe",
    "æ": "ae",
    "ø": "o",
    "ł": "l",
    "đ": "d",
    "ı": "i",  # also because the regex engine takes it for a kind of "I"
}
_QUOTES = {
    **dict.fromkeys("‘’‚‛ʼʹ′´", "'"),
    **dict.fromkeys("“”„‟″«»", '"'),
}
_ONE_EACH = {1}
_INVISIBLE = frozenset(
    "\u00ad\u034f\u061c\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
    + "".join(map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x206A), *range(0xFE00, 0xFE10)]))
)


@dataclass(frozen=True, slots=True)
class Folded:
    """A folded text; `origins[i]` is where the source of its character `i` starts.

    `origins` has one more element than `text`: the length of the source.
    """

    source: str
    text: str
    origins: Sequence[int]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the span of the source that a span of the folded text came from.

        Characters that vanished belong to the one before them, so an accent written as a character
        of its own is never torn from its letter.
        """
        if isinstance(self.origins, range):  # each character stands where it was
            return (start, end) if start < end else (start, start)
        first = self.origins[start]
        if start >= end:
            return first, first
        # An expanded character (œ) gives several folded ones the same origin: skip past it.
        after = bisect_right(self.origins, self.origins[end - 1])
        return first, self.origins[after]

    def original(self, start: int, end: int) -> str:
        """Return the source text of a span of the folded text."""
        first, last = self.span(start, end)
        return self.source[first:last]


def fold(text: str) -> Folded:
    """Fold a text and keep the way back; folding what is folded changes nothing."""
    if text.isascii():
        return Folded(text, text.lower(), range(len(text) + 1))
    pieces = _pieces(text)
    if set(map(len, pieces.values())) == _ONE_EACH:
        return Folded(text, "".join(map(pieces.__getitem__, text)), range(len(text) + 1))
    origins = [start for start, char in enumerate(text) for _ in pieces[char]]
    return Folded(text, "".join(map(pieces.__getitem__, text)), (*origins, len(text)))


def fold_text(text: str) -> str:
    """Fold a text without the way back."""
    if text.isascii():
        return text.lower()
    return "".join(map(_pieces(text).__getitem__, text))


def _pieces(text: str) -> dict[str, str]:
    """Fold each distinct character once; a text of 64 kB has few."""
    return {char: _fold_character(char) for char in set(text)}


@lru_cache(maxsize=4_096)  # more than the letters of any few languages
def _fold_character(char: str) -> str:
    if char in _INVISIBLE:
        return ""
    if char in _QUOTES:
        return _QUOTES[char]
    decomposed = unicodedata.normalize("NFKD", char)
    plain = "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()
    return "".join(_LETTERS.get(c, _QUOTES.get(c, c)) for c in plain)
