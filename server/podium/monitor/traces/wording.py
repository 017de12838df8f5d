"""The user's words: which of them a call's argument is, and in what form."""

import re
from dataclasses import dataclass
from typing import Any

from podium.mapping.references import MISSING
from podium.monitor.traces.hypotheses import (
    CASES,
    DATES,
    DAY_FIRST_DATE,
    ISO_DATE,
    Transform,
)
from podium.monitor.traces.sources import date_key
from podium.monitor.traces.values import fold_key, same

MOST_WORDS = 300  # of a request that are looked at
LONGEST_SPAN = 8  # words that one value takes
_WORD = re.compile(r"[^\s\"«»“”‘’',;:!?()\[\]{}]+")
_DATE_SHAPES = (
    (ISO_DATE, re.compile(r"\d{4}-\d\d-\d\d")),
    (DAY_FIRST_DATE, re.compile(r"\d\d/\d\d/\d{4}")),
)
_FORMS: tuple[Transform, ...] = (*CASES[:2], *DATES)


@dataclass(frozen=True, slots=True)
class Span:
    """Words of a request, and where they stand."""

    text: str
    start: int
    end: int


class Words:
    """The words of one request, found by what they say."""

    def __init__(self, request: str) -> None:
        self.request = request
        words = [(match.start(), match.end()) for match in _WORD.finditer(request)][:MOST_WORDS]
        self.count = len(words)
        self._spans: dict[str, list[Span]] = {}
        self._dates: dict[str, list[Span]] = {}
        for first in range(len(words)):
            for last in range(first, min(first + LONGEST_SPAN, len(words))):
                self._add(words[first][0], words[last][1])

    def _add(self, start: int, end: int) -> None:
        text = self.request[start:end]
        for shown in dict.fromkeys((text, text.rstrip("."))):
            span = Span(shown, start, start + len(shown))
            if key := fold_key(shown):
                self._spans.setdefault(key, []).append(span)
            if (day := date_key(shown)) is not None:
                self._dates.setdefault(day, []).append(span)

    def exactly(self, value: Any) -> Span | None:
        """Return where a value stands as it is; a number as its digits."""
        text = _text(value)
        if text is None:
            return None
        for span in self._spans.get(fold_key(text), ()):
            if span.text == text:
                return span
        place = _place(self.request, text) if isinstance(value, str) and len(text) > 1 else -1
        return Span(text, place, place + len(text)) if place >= 0 else None

    def in_form(self, value: Any, form: Transform) -> Span | None:
        """Return the words that a function makes this value of."""
        text = _text(value)
        if text is None:
            return None
        spans = [*self._spans.get(fold_key(text), ())]
        if (day := date_key(value)) is not None:
            spans += self._dates.get(day, ())
        spans.sort(key=lambda span: span.end - span.start)  # "5 mai 2026", not "le 5 mai 2026"
        return next((span for span in spans if same(form.function(span.text), value)), None)

    def loosely(self, value: Any) -> bool:
        """Return whether the words are there but for letter case, accents and signs."""
        if isinstance(value, list):
            return bool(value) and all(self.loosely(item) for item in value)
        text = _text(value)
        return text is not None and len(fold_key(text)) > 1 and fold_key(text) in self._spans


@dataclass(frozen=True, slots=True)
class Asked:
    """What the requests say for an argument: the words, and what makes the argument of them."""

    spans: tuple[Any, ...]
    form: Transform | None


def asked(words: list[Words], values: list[Any]) -> Asked | None:
    """Return the words that give each value in its own request; None if they are not all there."""
    if all(isinstance(value, list) for value in values):
        whole = all(
            value and all(own.exactly(item) for item in value)
            for own, value in zip(words, values, strict=True)
        )
        return Asked(tuple(values), None) if whole else None
    exact = [own.exactly(value) for own, value in zip(words, values, strict=True)]
    if all(span is not None for span in exact):
        # $to_date leaves such dates as they are, and reads those that are said otherwise.
        form = next((form for form, shape in _DATE_SHAPES if _all_match(shape, values)), None)
        return Asked(tuple(values), form)
    for form in _FORMS:
        spans = [own.in_form(value, form) for own, value in zip(words, values, strict=True)]
        found = [span.text for span in spans if span is not None]
        if len(found) == len(values):
            return Asked(tuple(found), form)
    if all(own.loosely(value) for own, value in zip(words, values, strict=True)):
        return Asked(tuple(values), None)
    return None


def _all_match(shape: re.Pattern[str], values: list[Any]) -> bool:
    return all(isinstance(value, str) and shape.fullmatch(value) for value in values)


def _text(value: Any) -> str | None:
    if value is MISSING or value is None or isinstance(value, bool | dict | list):
        return None
    return value if isinstance(value, str) else str(value)


def _place(request: str, text: str) -> int:
    """Return where a text stands between the ends of words; -1 if nowhere."""
    place = request.find(text)
    while place >= 0:
        before = request[place - 1 : place]
        after = request[place + len(text) : place + len(text) + 1]
        inside = (before.isalnum() and text[0].isalnum()) or (
            after.isalnum() and text[-1].isalnum()
        )
        if not inside:
            return place
        place = request.find(text, place + 1)
    return -1
