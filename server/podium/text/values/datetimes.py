"""A day with a time, said in French or English: local ISO 8601, such as 2026-11-19T15:00:00.

| said | means |
|---|---|
| demain à 15 h, next Tuesday at noon, 3pm on Friday, à midi le 3 mars | that day at that time |
| demain matin, tomorrow afternoon, hier soir, Friday night | 09:00, 15:00, 20:00, 22:00 |
| ce soir, this morning, cet après-midi, tonight | today at the hour of that part of the day |
| ce soir à 8 h, tomorrow evening at 8 | the part of the day says which 8: 20:00 |
| à 15 h, at 8, half past seven | the next time the clock shows it; now itself is past |
| dans une heure et demie, an hour ago, dans 3 jours, in 2 months | counted from now |
| next Friday, le 3 mars | that day at 00:00, or at the time that the option `at` says |
| now, maintenant, tout de suite | now |
| 2026-11-19T15:00, 2026-11-19 15:00:30 | that |
| 2026-11-19T15:00Z, 2026-11-19T15:00+02:00 | that in local time; needs a `now` with a zone |

An hour that is said without a half of the day counts on the 24-hour clock; but in English 1 to 5
o'clock are after noon ("Friday at 3", "at half past two"), unless written as 03:00.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, NamedTuple

from podium.text.folding import fold_text
from podium.text.values.dates import COUNTED_FROM, COUNTED_TO, FIXED_DAY, day_of
from podium.text.values.days import plus_days
from podium.text.values.durations import measures, seconds_of
from podium.text.values.kinds import (
    MAX_CHARACTERS,
    NOT_A_VALUE,
    NotAValue,
    Said,
    compiled,
    spelled,
    without_names,
)
from podium.text.values.times import HALF_DAY, TIME_PATTERN, time_of

MAX_WORDS = 16  # each place between two of them is tried as the one between day and time


class Day(NamedTuple):
    """A day, and the part of it that was said with it."""

    day: date
    part: str | None = None


MIDNIGHT = time(0)
EARLIEST_HOUR = 6  # English: an hour before it, said without its half of the day, is after noon
_PARTS = {
    "matin": 9, "morning": 9, "matinee": 9, "apres-midi": 15, "apres midi": 15, "afternoon": 15,
    "soir": 20, "evening": 20, "soiree": 20, "nuit": 22, "night": 22, "midi": 12, "noon": 12,
}  # fmt: skip
_PART = (
    r"(?:matin(?:ee)?|morning|apres[\s-]midi|afternoon|soir(?:ee)?|evening|nuit|night|midi|noon)"
    r"(?!\w)"
)
_THIS_PART = rf"(?:(?:ce|cet|cette|this)~(?P<part>{_PART})|tonight(?!\w))"
_DAY_PART = rf"(?P<day>[\s\S]+?)(?:~|\s?,\s?)(?:(?:au|le|dans~la|in~the|at)~)?(?P<part>{_PART})"
_ISO = (
    r"(?P<day>\d{4}-\d{2}-\d{2})(?:t|\s)(?P<clock>\d{2}:\d{2}(?::\d{2})?)(?:\.\d{1,9})?"
    r"\s?(?P<offset>z|[+-]\d{2}:?\d{2})?"
)
_NOW = r"(?:maintenant|tout~de~suite|(?:right~)?now|immediately|immediatement)"
_BACK = r"(?:il~y~a~(?P<since>[\s\S]+)|(?P<ago>[\s\S]+)~ago)"
_AHEAD = (
    r"(?:(?:dans|d'ici|in)~(?P<within>[\s\S]+)|(?P<later>[\s\S]+)~(?:from~now|later|plus~tard))"
)
_SEPARATOR = r"(?:\s{0,3},\s{0,3}|~)"
# What a time that follows a day must show: an "at", an hour sign, a colon, a half of the day.
_SHOWS_TIME = (
    r"(?=(?:a|at|vers|around|about|midi|noon|midday|minuit|midnight|half|quarter)\s|midi|noon|minuit|midn"
    r"|[\w\s-]{0,32}?(?:\dh|h\d|\sh\b|heure|:\d|clock|am\b|pm\b|[ap]\.|past|\sto\s|matin|soir|midi|morning|noon"
    r"|evening|night))"
)

_SAYS_HALF = r"\b0\d|\d\s?h|heure|(?:\d|\b)[ap]\.?\s?m\b|night|morning|noon|evening|matin|nuit|soir"

# --- reading


def moment_of(text: str, said: Said, at: time) -> datetime | NotAValue:
    """Return the local moment that folded words say; a day without a time is at `at`."""
    try:
        return _moment(text, said, at)
    except (OverflowError, ValueError):  # outside of the calendar
        return NOT_A_VALUE


def _moment(text: str, said: Said, at: time) -> datetime | NotAValue:
    now = said.now
    iso = compiled(_ISO).fullmatch(text)
    if iso is not None:
        return _of_iso(iso["day"], iso["clock"], iso["offset"], now.tzinfo)
    if compiled(_NOW).fullmatch(text):
        return now.replace(microsecond=0, tzinfo=None)
    counted = _counted(text, said)
    if not isinstance(counted, NotAValue):
        return counted
    alone = time_of(text, said)
    if not isinstance(alone, NotAValue):
        return _next(_likely(alone, text, said), now)
    named = _day(text, said)
    if not isinstance(named, NotAValue):
        return _local(named.day, at if named.part is None else time(_PARTS[named.part]))
    return _split(text, said)


def _of_iso(day: str, clock: str, offset: str | None, zone: tzinfo | None) -> datetime | NotAValue:
    moment = datetime.fromisoformat(f"{day}T{clock}{(offset or '').upper()}")
    if offset is None:
        return moment
    return NOT_A_VALUE if zone is None else moment.astimezone(zone).replace(tzinfo=None)


def _counted(text: str, said: Said) -> datetime | NotAValue:
    """Read what is counted from now: seconds to weeks exactly, months and years by the calendar."""
    for source, sign in ((_AHEAD, 1), (_BACK, -1)):
        found = compiled(source).fullmatch(text)
        if found is None:
            continue
        length = next(part for part in found.groups() if part is not None)
        seconds = seconds_of(" ".join(length.split()), said)
        if isinstance(seconds, NotAValue):
            day = day_of(text, said)
            return day if isinstance(day, NotAValue) else _local(day, said.now.time())
        return _later(said.now, timedelta(seconds=sign * float(seconds)))
    return NOT_A_VALUE


def _later(now: datetime, delta: timedelta) -> datetime:
    """Count on from now; by the clock on the wall for whole days, else by time that passes."""
    if now.tzinfo is None or delta % timedelta(days=1) == timedelta(0):
        return now.replace(tzinfo=None) + delta
    return (now.astimezone(UTC) + delta).astimezone(now.tzinfo).replace(tzinfo=None)


def _next(clock: time, now: datetime) -> datetime:
    moment = _local(now.date(), clock)
    return moment if moment > now.replace(tzinfo=None) else moment + timedelta(days=1)


def _day(text: str, said: Said) -> Day | NotAValue:
    """Read a day, a part of today, or a part of a day."""
    this = compiled(_THIS_PART).fullmatch(text)
    if this is not None:
        return Day(said.now.date(), _part(this["part"] or "evening"))
    day = day_of(text, said)
    if not isinstance(day, NotAValue):
        return Day(day)
    found = compiled(_DAY_PART).fullmatch(text)
    if found is None:
        return NOT_A_VALUE
    day = day_of(found["day"], said)
    return day if isinstance(day, NotAValue) else Day(day, _part(found["part"]))


def _part(text: str) -> str:
    return " ".join(text.split())


def _split(text: str, said: Said) -> datetime | NotAValue:
    """Try every place between two words as the one between a day and a time; longest first."""
    places = [(found.start(), found.end()) for found in re.finditer(r"\s?,\s?|\s+", text)]
    for end, start in reversed(places[:MAX_WORDS]):
        left, right = text[:end], text[start:]
        for day, clock in ((left, right), (right, left)):
            moment = time_of(clock, said)
            if isinstance(moment, NotAValue) or not _shows_time(clock):
                continue
            named = _day(day, said)
            if not isinstance(named, NotAValue):
                return _together(named, moment, _likely(moment, clock, said))
    return NOT_A_VALUE


def _shows_time(clock: str) -> bool:
    return compiled(_SHOWS_TIME).match(clock) is not None


def _likely(clock: time, text: str, said: Said) -> time:
    """Return the time an English speaker means who says neither which half of the day nor 24 hours.

    "Friday at 3" is an appointment in the afternoon; nobody says it for the middle of the night.
    """
    is_open = said.language == "en" and 0 < clock.hour < EARLIEST_HOUR
    if not is_open or compiled(_SAYS_HALF).search(text):
        return clock
    return clock.replace(hour=clock.hour + HALF_DAY)


def _together(named: Day, clock: time, likely: time) -> datetime | NotAValue:
    """Put a time on a day; the part of the day settles which half of it is meant."""
    if named.part is None:
        return _local(named.day, likely)
    first, last, after = _HOURS[_PARTS[named.part]]
    for day, hour in ((0, clock.hour), (0, clock.hour + HALF_DAY), (1, clock.hour)):
        fits = first <= hour < last if day == 0 else hour < after
        shifted = plus_days(named.day, day)
        if fits and shifted is not None:
            return _local(shifted, clock.replace(hour=hour))
    return NOT_A_VALUE


def _local(day: date, clock: time) -> datetime:
    return datetime.combine(day, clock.replace(microsecond=0))


_HOURS = {  # which hours a part of the day has: from, before, and before which on the next day
    9: (0, 13, 0), 12: (11, 15, 0), 15: (12, 20, 0), 20: (17, 24, 3), 22: (18, 24, 6),
}  # fmt: skip


# --- the type

_LONG_UNITS = "mois|months?|ans?|annees?|years?"
_COUNTED = rf"(?:{COUNTED_FROM}~)?{measures(_LONG_UNITS)}(?:~{COUNTED_TO})?"
_DAY_OR_PART = (
    rf"(?:{_THIS_PART}|(?:{_COUNTED}|{FIXED_DAY})"
    rf"(?:{_SEPARATOR}(?:(?:au|le|dans~la|in~the|at)~)?{_PART})?)"
)
DATETIME_PATTERN = spelled(
    without_names(
        rf"(?<!\w)(?:{_ISO}|{_NOW}"
        rf"|(?:{_SHOWS_TIME}{TIME_PATTERN}(?:{_SEPARATOR}(?=\w)|(?!\w)))?"
        rf"(?:{_DAY_OR_PART}(?:{_SEPARATOR}{_SHOWS_TIME}{TIME_PATTERN})?)?)(?<=[\w.])(?!\w)"
    )
)


@dataclass(frozen=True, slots=True)
class DatetimeType:
    """The type `datetime`; a day that is said without a time is at `at`."""

    at: time = MIDNIGHT
    name: str = "datetime"
    pattern: str = DATETIME_PATTERN

    def read(self, said: str, *, language: str | None, now: datetime) -> Any:
        """Return local ISO 8601 without an offset, or NOT_A_VALUE."""
        text = said.strip()
        if not 0 < len(text) <= MAX_CHARACTERS:
            return NOT_A_VALUE
        folded = fold_text(text)
        if compiled(self.pattern).fullmatch(folded) is None:
            return NOT_A_VALUE
        moment = moment_of(folded, Said(text, language, now), self.at)
        return moment if isinstance(moment, NotAValue) else moment.isoformat(timespec="seconds")


DATETIME = DatetimeType()
