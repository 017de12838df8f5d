"""The typed values that a request mentions, with where they stand: dates, paths, numbers, ...

Each is found once; what a more telling kind has taken is not looked at again.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from podium.compositions.synthesizer.names import listed
from podium.text.folding import Folded
from podium.text.literals import literals
from podium.text.values import NOT_A_VALUE, TYPES

Kind = Literal[
    "quoted", "url", "email", "path", "id", "datetime", "date", "time", "duration", "percentage",
    "number", "currency", "language", "name", "phrase", "text", "deed",
]  # fmt: skip
MAX_MENTIONS = 40  # of one request
MAX_SHORTER = 3  # words that a pattern may have taken too many

_ID = re.compile(
    r"(?<![\w/.-])(?:#\d{1,10}|[A-Z][A-Z0-9]{0,9}-\d{1,8}|[a-z]{2,8}_(?=\w*\d)\w{2,40}"
    r"|(?=[0-9a-f]*\d)(?=[0-9]*[a-f])[0-9a-f]{7,40}|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}\w{12}"
    r"|[a-z]{2,20}(?:-[a-z]{2,20}){0,3}-\d[\w.]{0,20}|[@#][A-Za-z][\w.-]{1,60})(?!\w)"
)
_SPAN = re.compile(
    r"(?<!\w)(?P<day>\d{1,2})(?:er|st|nd|rd|th)?\s?(?:au|a|to|et|and|-|until)\s?(?:le\s)?"
    r"\d{1,2}(?:st|nd|rd|th)?\s(?P<month>[a-z]{3,9}(?:\s\d{4})?)(?!\w)"
)
_TYPED: tuple[Kind, ...] = ("datetime", "date", "duration", "percentage")
_NO_DATES = listed("may mar sat sun second mai ete main day week month jour now")
_AT = re.compile(r"(?:\ba|\bat|\bvers|\bde|\bfrom|\bby|\bbefore|\bavant|\bafter|\bapres)\s*$")
_SPELLED_OUT = listed("un une a an one once on premier")
_ORDINALS = listed("first second third fourth fifth premier premiere deuxieme troisieme")
# Codes, and what people call what they stand for; an ending `s` may follow.
_CODES: tuple[tuple[Kind, dict[str, str]], ...] = (
    (
        "currency",
        {
            "EUR": "euro €", "USD": "dollar $", "GBP": "pound sterling £", "JPY": "yen ¥",
            "CHF": "franc", "CNY": "yuan", "INR": "rupee roupie", "CAD": "cad",
        },
    ),
    (
        "language",
        {
            "en": "english anglais", "fr": "french francais", "de": "german allemand",
            "es": "spanish espagnol", "it": "italian italien", "pt": "portuguese portugais",
            "nl": "dutch neerlandais", "ja": "japanese japonais", "zh": "chinese chinois",
            "ru": "russian russe", "ar": "arabic arabe", "pl": "polish polonais",
        },
    ),
)  # fmt: skip
_CODE_OF: dict[str, tuple[Kind, str]] = {
    word: (kind, code)
    for kind, codes in _CODES
    for code, said in codes.items()
    for word in said.split()
} | {code.lower(): ("currency", code) for code in _CODES[0][1]}
_CODED = re.compile(r"[€$£¥]|(?<!\w)[a-z]{3,12}(?!\w)")


@dataclass(frozen=True, slots=True)
class Mention:
    """A value, the span of the folded request that it stands in, and what was written.

    `value` is what a port of its kind takes: ISO dates and times, seconds, numbers, codes.
    """

    kind: Kind
    start: int
    end: int
    text: str
    value: Any


def typed_mentions(folded: Folded, language: str, now: datetime) -> list[Mention]:
    """Return the values that show by their form what they are, in their order."""
    found: list[Mention] = []
    for mention in _all(folded, language, now):
        is_free = all(mention.end <= other.start or other.end <= mention.start for other in found)
        if is_free and len(found) < MAX_MENTIONS:
            found.append(mention)
    return sorted(found, key=lambda mention: mention.start)


def _all(folded: Folded, language: str, now: datetime) -> Iterator[Mention]:
    """Yield everything that may be a value, the most telling kinds first."""
    written = literals(folded)
    for each in written:
        if each.kind in ("quoted", "url", "email"):
            yield Mention(each.kind, each.start, each.end, each.text, each.text)
    for found in _ID.finditer(folded.source) if len(folded.source) == len(folded.text) else ():
        yield Mention("id", *found.span(), found.group(), found.group())
    for kind in _TYPED:
        yield from _of_type(kind, folded, language, now)
    yield from _first_days(folded, language, now)
    for each in written:
        if each.kind in ("file", "path"):
            yield Mention("path", each.start, each.end, each.text, each.text)
        elif each.kind == "time":
            value = TYPES["time"].read(each.text, language=language, now=now)
            if value is not NOT_A_VALUE:
                yield Mention("time", each.start, each.end, each.text, value)
    for name in ("number", "integer"):
        yield from _of_type(name, folded, language, now)
    for found in _CODED.finditer(folded.text):
        word = found.group()
        kind, code = _CODE_OF.get(word) or _CODE_OF.get(word.removesuffix("s"), ("phrase", ""))
        if code:
            yield Mention(kind, *found.span(), folded.original(*found.span()), code)


def _first_days(folded: Folded, language: str, now: datetime) -> Iterator[Mention]:
    """Yield the days that share the month of the next one: the 3 of "from 3 to 6 December"."""
    for found in _SPAN.finditer(folded.text):
        said = f"{found['day']} {found['month']}"
        value = TYPES["date"].read(said, language=language, now=now)
        if value is not NOT_A_VALUE:
            start, end = found.span("day")
            yield Mention("date", start, end, folded.original(start, end), value)


def _of_type(name: str, folded: Folded, language: str, now: datetime) -> Iterator[Mention]:
    for found in _compiled(name).finditer(folded.text):
        for start in _starts(found.group(), found.start()):
            said = folded.text[start : found.end()]
            if not _may_be(name, said):
                continue
            text = folded.original(start, found.end())
            value = TYPES[name].read(text, language=language, now=now)
            kind = _kind_of(name, text, folded.text[:start], language, now)
            if value is not NOT_A_VALUE and kind is not None:
                yield Mention(kind, start, found.end(), text, value)
                break


def _starts(matched: str, start: int) -> Iterator[int]:
    """Yield where a value may begin: its pattern may have taken a word too many before it."""
    yield start
    for blank in list(re.finditer(r"\s+", matched))[:MAX_SHORTER]:
        yield start + blank.end()


def _may_be(name: str, said: str) -> bool:
    """Return whether folded words may be a value of a type, and not only look like one."""
    if name in ("number", "integer"):
        return said not in _SPELLED_OUT
    words = said.split()
    if not words:
        return False
    if name == "duration":
        return len(words) > 1 or said[:1].isdigit()
    return not said.isdigit() and said not in _NO_DATES and words[-1] not in _ORDINALS


def _kind_of(name: str, text: str, before: str, language: str, now: datetime) -> Kind | None:
    """Return what a value of a type is here; None if it is better read as something else."""
    if name == "duration":
        return (
            None
            if _AT.search(before) or re.fullmatch(r"\d{1,2} ?h(?: ?\d\d)?", text)
            else "duration"
        )
    if name == "datetime":
        for narrower in ("date", "time"):
            if TYPES[narrower].read(text, language=language, now=now) is not NOT_A_VALUE:
                return None
        return "datetime"
    if name in ("number", "integer"):
        return "number"
    return "date" if name == "date" else "percentage"


_PATTERNS: dict[str, re.Pattern[str]] = {}


def _compiled(name: str) -> re.Pattern[str]:
    if name not in _PATTERNS:
        _PATTERNS[name] = re.compile(rf"(?<!\w)(?:{TYPES[name].pattern})(?!\w)")
    return _PATTERNS[name]
