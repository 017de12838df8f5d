"""A request that asks for several things to its parts: "... puis ...", "... and then ...".

Only words that say "after that" divide a request; a plain "et" or "and" joins what belongs
together too often. What stands in quotation marks or behind a colon is never divided: it is what
somebody else is to be told.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import combinations

Span = tuple[int, int]

MAX_PARTS = 8  # things asked for in one request
MAX_TRIED = 3  # words that divide, of which every choice is tried; with more, only all of them
MAX_CHARACTERS = 2_000  # of a request that is divided; a longer one is a document

_AFTER_THAT = re.compile(
    r"""
    (?: \s* [,;.] \s* | \s+ )
    (?: et \s+ (?: puis | ensuite | apres (?: \s+ (?: ca | cela ) )? ) (?! \s+ (?:que|les|la|le)\b )
      | puis (?: \s+ ensuite )?
      | ensuite
      | apres \s+ (?: ca | cela )
      | and \s+ (?: then | after \s+ that | afterwards )
      | then | after \s+ that | afterwards
    )
    (?: \s* , \s* | \s+ )
    | \s* ; \s+
    """,
    re.VERBOSE,
)
_MARKS = ("puis", "ensuite", "apres", "then", "after", ";")  # one of them is in each of those
_QUOTED = re.compile(r'"[^"]*"')
_COLON = re.compile(r"\s:|:\s")


def divisions(text: str) -> list[Span]:
    """Return where a folded request may be divided: the words that say so, in order."""
    if len(text) > MAX_CHARACTERS or not any(mark in text for mark in _MARKS):
        return []
    colon = _COLON.search(text)
    last = colon.start() if colon else len(text)
    quoted = [found.span() for found in _QUOTED.finditer(text)]
    if text.count('"') % 2:  # one that is never closed
        last = min(last, text.rfind('"'))
    return [
        found.span()
        for found in _AFTER_THAT.finditer(text)
        if found.end() <= last
        and found.start() > 0
        and not any(first < found.end() and found.start() < end for first, end in quoted)
    ]


def ways_to_divide(text: str, places: Sequence[Span]) -> Iterator[list[Span]]:
    """Yield the parts of a folded request for each choice of places, most parts first."""
    counts = range(len(places), 0, -1) if len(places) <= MAX_TRIED else [len(places)]
    for size in counts:
        if size >= MAX_PARTS:
            continue
        for chosen in combinations(places, size):
            starts = [0, *(end for _, end in chosen)]
            ends = [*(start for start, _ in chosen), len(text)]
            parts = [(s, e) for s, e in zip(starts, ends, strict=True) if text[s:e].strip(" .,;")]
            if len(parts) == size + 1:
                yield parts
