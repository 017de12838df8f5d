"""How long something lasts: seconds.

| said | means |
|---|---|
| 90 min, 2 heures, three days | the number of that unit |
| une demi-heure, half an hour, un quart d'heure, three quarters of an hour | that part of it |
| une heure et demie, two and a half hours, 1,5 h | with its half |
| 1h30, 1 h 30, 2 min 30 | figures after a unit count in the next smaller one |
| 1 hour, 20 minutes and 5 seconds | the sum; units go from large to small |
| une dizaine de minutes, a couple of hours | ten, two |

Months and years are none: they have no length in seconds.
"""

from decimal import Decimal

from podium.text.values.kinds import (
    NOT_A_VALUE,
    Form,
    Groups,
    NotAValue,
    Said,
    compiled,
    form_type,
    read_forms,
    without_names,
)
from podium.text.values.numbers import HALF, HALVES, NUMBER_FORMS, SMALL, plain_number, small

WEEK, DAY, HOUR, MINUTE = 604_800, 86_400, 3_600, 60
_UNITS = {"sem": WEEK, "w": WEEK, "j": DAY, "d": DAY, "h": HOUR, "m": MINUTE, "s": 1}
_UNIT = (
    r"(?P<unit>secondes?|seconds?|secs?|minutes?|mins?|mn|heures?|hours?|hrs?|jours?|days?"
    r"|semaines?|weeks?|[smhjd])(?![a-z])"
)
_NEXT_SMALLER = {HOUR: MINUTE, MINUTE: 1}

COUNT = (
    rf"(?:\d{{1,6}}(?:[.,]\d{{1,3}})?|(?:(?:une?|a|deux|two)~)?(?:(?:d(?:i|ou)z|quinz|vingt|trent"
    rf"|quarant|cinquant)aines?|couple|dozen)|an?|{SMALL})"
)
"""How many of a unit, in figures or words: "3", "une dizaine", "a couple", "twenty-five"."""
_OF = r"(?:~(?:de|of)~|~d'|-|\s{0,3})"
_PART = (
    r"(?:(?:une?|a|trois|three)(?:~|-))?(?:demie?|half|quarts?|quarters?)"
    r"(?:~of|(?=~d'))?(?:~d'|~an?~|~|-)"
)
_MEASURE = (
    rf"(?:(?P<count>{COUNT})(?:~(?P<half_before>{HALF}))?{_OF}|(?P<part>{_PART}))"
    rf"{_UNIT}(?:~(?P<half_after>{HALF})(?!\w))?"
)
_JOINT = r"\s{0,3},?\s{0,3}(?:(?:et|and)~)?"
_TRAILING = r"(?:\d{2}(?!\d)|trente|thirty|quinze|fifteen|vingt|twenty|dix|ten|quarante|forty)"


def measures(other_units: str = "") -> str:
    """Return a regex of durations, for units of a calendar as well where they are given."""
    unit = without_names(_UNIT).replace("(?:", f"(?:{other_units}|" if other_units else "(?:", 1)
    counted = rf"{COUNT}(?:~{HALF})?{_OF}"
    return (
        rf"(?:(?:{counted}|{_PART}){unit}(?:~{HALF}(?!\w))?(?:{_JOINT}(?=\w)|(?!\w))){{1,4}}"
        rf"{_TRAILING}?(?<=\w)"
    )


def seconds_of(text: str, said: Said) -> Decimal | NotAValue:
    """Return the seconds that a folded text with single blanks says."""
    measure, joint = compiled(_MEASURE), compiled(_JOINT)
    total, position, unit = Decimal(0), 0, WEEK + 1
    while position < len(text):
        found = measure.match(text, position)
        if found is None:
            rest = _figures_after(text[position:], unit)
            return rest if isinstance(rest, NotAValue) else total + rest
        groups = {name: part for name, part in found.groupdict().items() if part is not None}
        smaller = next(
            length for start, length in _UNITS.items() if groups["unit"].startswith(start)
        )
        count = _count(groups, said)
        if smaller >= unit or isinstance(count, NotAValue):
            return NOT_A_VALUE
        total, unit = total + count * smaller, smaller
        after = joint.match(text, found.end())
        position = after.end() if after else found.end()
    return total if text else NOT_A_VALUE


def _figures_after(text: str, unit: int) -> Decimal | NotAValue:
    """Read the 30 of "1h30", the trente of "une heure trente"."""
    smaller = _NEXT_SMALLER.get(unit)
    figures = small(text)
    if smaller is None or isinstance(figures, NotAValue) or figures >= MINUTE or len(text) < 2:
        return NOT_A_VALUE
    return Decimal(figures * smaller)


def _count(groups: Groups, said: Said) -> Decimal | NotAValue:
    halves = sum(Decimal(HALVES[groups[name]]) for name in _HALVES if name in groups)
    if "part" in groups:
        return _part(groups["part"]) + halves
    count = groups["count"].strip()
    number = 1 if count in _ONE else read_forms(NUMBER_FORMS, count, said)
    return NOT_A_VALUE if isinstance(number, NotAValue) else Decimal(str(number)) + halves


_HALVES = ("half_before", "half_after")
_ONE = frozenset({"a", "an", "un", "une"})


def _part(text: str) -> Decimal:
    if text.startswith(("trois", "three")):
        return Decimal("0.75")
    return Decimal("0.25" if "quart" in text else "0.5")


def _duration(groups: Groups, said: Said) -> int | float | NotAValue:
    seconds = seconds_of(groups["all"], said)
    return seconds if isinstance(seconds, NotAValue) else plain_number(seconds)


DURATION = form_type(
    "duration", (Form(r"(?P<all>[\s\S]+)", _duration),), pattern=rf"(?<![\w.,]){measures()}(?!\w)"
)
