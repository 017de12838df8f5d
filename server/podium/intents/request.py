"""One request while it is matched: folded, with the way back to what was written."""

import re
import string
from dataclasses import dataclass
from functools import cached_property

from podium.intents.ranking import Span
from podium.intents.spoken import Spoken, words_of
from podium.text.folding import Folded, fold
from podium.text.language import Language, guess_language

ENDING = "?!." + string.whitespace  # left over after a whole request without harm

MOST_BLANKS = 64  # in a row that a regex sees; it may look at each of them again and again

_LONGER_BLANKS = re.compile(rf"(?<=\s{{{MOST_BLANKS}}})\s+")
_INTRODUCED = re.compile(r":\s*$")
_QUOTES = {'"': '"', "'": "'", "“": "”", "«": "»", "‘": "’", "„": "“"}


@dataclass(frozen=True)
class Request:
    """The folded request and the part of it, without blanks around, that is matched."""

    written: str
    folded: Folded
    text: str
    start: int

    @classmethod
    def of(cls, written: str) -> "Request":
        """Fold a request."""
        folded = _with_short_blanks(fold(written))
        start = len(folded.text) - len(folded.text.lstrip())
        return cls(written, folded, folded.text.strip(), start)

    @cached_property
    def characters(self) -> int:
        """How many of its characters are not blank."""
        return count(self.text)

    @cached_property
    def words(self) -> frozenset[str]:
        """Its words, as prefilters compare them."""
        return words_of(self.text)

    @cached_property
    def language(self) -> Language:
        """The language of its words."""
        return guess_language(self.written, folded=self.folded.text)

    def original(self, span: Span) -> str:
        """Return what was written in a span of the text."""
        return self.folded.original(self.start + span[0], self.start + span[1])

    def original_span(self, span: Span) -> Span:
        """Return where a span of the text is written."""
        return self.folded.span(self.start + span[0], self.start + span[1])

    def said(self, spoken: Spoken, start: int, end: int) -> str:
        """Return what was written in a span of the spoken request."""
        return self.original(spoken.folded_span(start, end))

    def with_ending(self, span: Span) -> Span:
        """Return a span with the request's final punctuation, where a colon introduces it.

        In `note: really?` the question mark is part of the note, not of the request.
        """
        rest = self.text[span[1] :]
        is_introduced = rest and not rest.strip(ENDING) and _INTRODUCED.search(self.text[: span[0]])
        return (span[0], len(self.text)) if is_introduced else span


def _with_short_blanks(folded: Folded) -> Folded:
    """Return a text without the blanks beyond `MOST_BLANKS`; they belong to the one before."""
    pieces: list[str] = []
    origins: list[int] = []
    at = 0
    for gap in _LONGER_BLANKS.finditer(folded.text):
        pieces.append(folded.text[at : gap.start()])
        origins += folded.origins[at : gap.start()]
        at = gap.end()
    if not pieces:
        return folded
    origins += folded.origins[at:]
    return Folded(folded.source, "".join((*pieces, folded.text[at:])), origins)


def unquoted(text: str) -> str:
    """Return a text without the quotation marks around it."""
    text = text.strip()
    if len(text) > 1 and _QUOTES.get(text[0]) == text[-1]:
        inside = text[1:-1].strip()
        if inside and text[-1] not in inside and text[0] not in inside:
            return inside
    return text


def count(text: str) -> int:
    """Return how many characters of a text are not blank."""
    return len("".join(text.split()))
