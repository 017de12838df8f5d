"""Dates and moments as people and programs write them, in English and French."""

import email.utils
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from podium.mapping.functions.common import UnusableError, brief
from podium.text.folding import fold_text

MAX_CHARACTERS = 100  # of a text that is to be one date
MILLISECONDS_FROM = 10**11  # as seconds that is the year 5138

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan janvier janv", "february feb fevrier fevr fev", "march mar mars",
            "april apr avril avr", "may mai", "june jun juin", "july jul juillet juil",
            "august aug aout", "september sep sept septembre", "october oct octobre",
            "november nov novembre", "december dec decembre",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip

_TIME = (
    r"(?:(?:\s*,)?(?:\s+(?:at|a))?\s+(?P<hour>\d{1,2})(?:\s?[h:]\s?(?P<minute>\d{2})?)"
    r"(?::(?P<second>\d{2}))?(?:\s*(?P<half>am|pm))?"
    r"(?:\s*(?P<zone>z|utc|gmt|[+-]\d{2}:?\d{2}))?)?"
)
_DAY_NAME = r"(?:le\s+)?(?:[a-z]{3,9}\.?,?\s+)?(?:le\s+)?"
_FORMS = tuple(
    re.compile(form + _TIME)
    for form in (
        r"(?P<one>\d{1,2})[/.-](?P<two>\d{1,2})[/.-](?P<year>\d{4}|\d{2})",
        r"(?P<year>\d{4})[/.-](?P<month>\d{1,2})[/.-](?P<day>\d{1,2})",
        _DAY_NAME
        + r"(?P<day>\d{1,2})(?:er|st|nd|rd|th)?[\s.-]+(?:of\s+)?"
        + r"(?P<name>[a-z]{3,9})\.?,?[\s-]+(?P<year>\d{4})",
        _DAY_NAME
        + r"(?P<name>[a-z]{3,9})\.?\s+(?P<day>\d{1,2})(?:st|nd|rd|th)?"
        + r"(?:,\s*|\s+)(?P<year>\d{4})",
    )
)
_HALF_OF_DAY = re.compile(r"[ap]\.?m", re.IGNORECASE)  # which the reader of mails leaves out
_SECONDS = re.compile(r"-?\d{9,17}(?:\.\d{1,9})?")


def to_date(value: Any, format: str | None = None, day_first: bool = True) -> str | None:  # noqa: A002,FBT001,FBT002
    """Return a date as ISO text: "2026-11-20", or "2026-11-20T10:30:00+01:00" with a time.

    It reads ISO 8601, 20/11/2026 (the day first; `day_first` false for 11/20/2026), 20 novembre
    2026, Nov 20, 2026, mail dates, and seconds or milliseconds since 1970 (then in UTC). With
    `format` (as in "%d/%m/%Y") the result is written that way. Nothing and empty text give null.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if format is not None and (not isinstance(format, str) or len(format) > MAX_CHARACTERS):
        raise UnusableError("the format is a text such as '%d/%m/%Y'")
    moment, has_time = _read(value, day_first=day_first is not False)
    if format is not None:
        return moment.strftime(format)
    return moment.isoformat() if has_time else moment.date().isoformat()


def _read(value: Any, *, day_first: bool) -> tuple[datetime, bool]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _since_1970(float(value)), True
    if not isinstance(value, str) or len(value) > MAX_CHARACTERS:
        raise UnusableError(f"{brief(value)} is no date")
    text = value.strip()
    if _SECONDS.fullmatch(text):
        return _since_1970(float(text)), True
    for reader in (_iso, lambda text: _written(text, day_first=day_first), _mail):
        if (found := reader(text)) is not None:
            return found
    raise UnusableError(
        f"{brief(value)} is no date; dates look like 2026-11-20, 20/11/2026, 20 novembre 2026, "
        "Nov 20, 2026"
    )


def _since_1970(number: float) -> datetime:
    seconds = number / 1000 if abs(number) >= MILLISECONDS_FROM else number
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        raise UnusableError(f"{number:g} seconds since 1970 is no date") from None


def _iso(text: str) -> tuple[datetime, bool] | None:
    try:
        return datetime.fromisoformat(text), len(text) > len("2026-W47-5")
    except ValueError:
        return None


def _mail(text: str) -> tuple[datetime, bool] | None:
    if ":" not in text or _HALF_OF_DAY.search(text):
        return None
    try:
        return email.utils.parsedate_to_datetime(text), True
    except (ValueError, TypeError, OverflowError):
        return None


def _written(text: str, *, day_first: bool) -> tuple[datetime, bool] | None:
    folded = " ".join(fold_text(text).split())
    for form in _FORMS:
        if (match := form.fullmatch(folded)) is not None:
            for day, month in _day_and_month(match, day_first=day_first):
                try:
                    return _moment(match, day, month), match["hour"] is not None
                except ValueError:
                    continue
    return None


def _day_and_month(match: re.Match[str], *, day_first: bool) -> Iterator[tuple[int, int]]:
    """Yield what may be the day and the month, the likelier reading first."""
    found = match.groupdict()
    if found.get("name"):
        if (month := _MONTHS.get(found["name"])) is not None:
            yield int(found["day"]), month
    elif found.get("one"):
        one, two = int(found["one"]), int(found["two"])
        yield from ((one, two), (two, one)) if day_first else ((two, one), (one, two))
    else:
        yield int(found["day"]), int(found["month"])


def _moment(match: re.Match[str], day: int, month: int) -> datetime:
    found = match.groupdict()
    year = int(found["year"])
    if len(found["year"]) == 2:
        year += 2000 if year < 69 else 1900  # as POSIX and Python read two digits
    zone = _ZONE[found["zone"][0]](found["zone"]) if found["zone"] else None
    return datetime(
        year,
        month,
        day,
        _hour(int(found["hour"] or 0), found["half"]),
        int(found["minute"] or 0),
        int(found["second"] or 0),
        tzinfo=zone,
    )


def _hour(hour: int, half: str | None) -> int:
    if half is None:
        return hour
    if not 1 <= hour <= 12:
        raise UnusableError("no such hour")
    return hour % 12 + (12 if half == "pm" else 0)


def _offset(zone: str) -> timezone:
    digits = zone[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if zone[0] == "-" else offset)


_ZONE: dict[str, Callable[[str], timezone]] = {
    "z": lambda _zone: UTC,
    "u": lambda _zone: UTC,
    "g": lambda _zone: UTC,
    "+": _offset,
    "-": _offset,
}
