"""Times of day, said in French or English: hours and minutes on the 24-hour clock.

| said | means |
|---|---|
| 15h, 15 h 30, 15:30, 15 heures 30, quinze heures trente | as it stands |
| 3 pm, 3:30 p.m., 8 heures du soir, 8 in the evening | the half of the day that is said |
| trois heures et demie, et quart, moins le quart, moins vingt | added to, or taken from, the hour |
| half past seven, quarter to six, ten past three pm | added to, or taken from, the hour |
| seven thirty, seven o'clock, at 8, 8 | without a half of the day, the hour as it stands |
| midi, noon, minuit, midnight, midi et quart, midi trente | 12:00, 00:00, 12:15, 12:30 |
"""

import re
from datetime import time

from podium.text.values.kinds import (
    NOT_A_VALUE,
    Form,
    Groups,
    NotAValue,
    Said,
    form_type,
    read_forms,
    without_names,
)
from podium.text.values.numbers import SMALL, SMALL_WORD, small

HALF_DAY = 12
_N = rf"(?:\d{{1,2}}(?!\d)|{SMALL})"
_NOON = "(?:midi|noon|midday|minuit|midnight)"
_AT = r"(?:(?:a|at|vers|around|about)~)?"
_HALF = (
    r"(?:\s{0,3}(?P<half>[ap]\.?\s?m\b\.?|(?:du|of~the)~(?:matin|soir|morning)|de~l'apres-midi"
    r"|de~la~nuit|in~the~(?:morning|afternoon|evening)|at~night))?"
    r"(?:~(?:pile|precises?|sharp|exactly))?"
)
_AFTER_NOON = frozenset({"pm", "du soir", "de l'apres-midi", "in the afternoon", "in the evening"})
_BEFORE_NOON = frozenset({"am", "du matin", "in the morning", "of the morning"})
_NIGHT = frozenset({"de la nuit", "at night"})  # eight at night is 20:00, two at night 02:00
_EVENING_HOUR = 6  # from here on an hour "at night" is one before midnight

_FIGURES = (
    r"(?<![\w.,:])(?P<hour>\d{1,2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2}))?(?![\d:])"
    r"|\s?h(?:eures?|rs?)?(?:\s?(?P<minute_after>\d{2})(?:\s?(?:mn|min|m|minutes?))?)?(?!\w))"
)
_FRENCH = (
    rf"(?:(?P<hour>{_N})~(?:heures?|h)|(?P<noon>{_NOON}))"
    rf"(?:~(?:(?P<quarters>(?:et~(?:demie?|(?:un~)?quart)|moins~(?:le~|un~)?quart))(?!\w)"
    rf"|(?P<sign>moins~|et~)?(?P<minute>{_N})(?:~minutes?)?))?"
)
_ENGLISH = (
    rf"(?:(?P<quarters>half|(?:a~)?quarter|three~quarters)|(?P<minute>{_N})(?:~minutes?)?)"
    rf"~(?P<sign>past|after|to|before|till)~(?:(?P<hour>{_N})(?:~o'?\s?clock)?|(?P<noon>{_NOON}))"
)
_SPOKEN = (
    rf"(?P<hour>\d{{1,2}}(?!\d)|{SMALL_WORD}(?!\w))"
    rf"(?:~o'?\s?clock|~(?:oh~|o~)?(?P<minute>\d{{2}}|{SMALL}))?"
)
_QUARTERS = {
    "et demi": 30, "et demie": 30, "et quart": 15, "et un quart": 15, "moins le quart": -15,
    "moins quart": -15, "moins un quart": -15, "half": 30, "quarter": 15, "a quarter": 15,
    "three quarters": 45,
}  # fmt: skip


def _whole(text: str | None) -> int | NotAValue:
    return 0 if text is None else small(text)


def _of_figures(groups: Groups, _said: Said) -> time | NotAValue:
    minute = int(groups.get("minute") or groups.get("minute_after") or 0)
    return _clock(int(groups["hour"]), minute, int(groups.get("second", 0)), groups)


def _of_french(groups: Groups, _said: Said) -> time | NotAValue:
    hour, minute = _hour(groups), _whole(groups.get("minute"))
    if isinstance(hour, NotAValue) or isinstance(minute, NotAValue):
        return NOT_A_VALUE
    if "quarters" in groups:
        minute = _QUARTERS[groups["quarters"]]
    return _shifted(hour, -minute if groups.get("sign", "").startswith("moins") else minute, groups)


def _of_english(groups: Groups, _said: Said) -> time | NotAValue:
    hour, minute = _hour(groups), _whole(groups.get("minute"))
    if isinstance(hour, NotAValue) or isinstance(minute, NotAValue):
        return NOT_A_VALUE
    if "quarters" in groups:
        minute = _QUARTERS[groups["quarters"]]
    return _shifted(hour, minute if groups["sign"] in ("past", "after") else -minute, groups)


def _of_spoken(groups: Groups, _said: Said) -> time | NotAValue:
    hour, minute = _whole(groups["hour"]), _whole(groups.get("minute"))
    if isinstance(hour, NotAValue) or isinstance(minute, NotAValue):
        return NOT_A_VALUE
    if "minute" in groups and minute < 10 and " o" not in groups["all"]:
        return NOT_A_VALUE  # "seven five" is no time
    return _clock(hour, minute, 0, groups)


def _hour(groups: Groups) -> int | NotAValue:
    if "noon" in groups:
        return HALF_DAY if groups["noon"] in ("midi", "noon", "midday") else 0
    return small(groups["hour"])


def _shifted(hour: int, minutes: int, groups: Groups) -> time | NotAValue:
    """Count minutes on from an hour, or back from it."""
    start = _clock(hour, 0, 0, groups)
    if isinstance(start, NotAValue) or not -60 < minutes < 60:
        return NOT_A_VALUE
    total = (start.hour * 60 + minutes) % (24 * 60)
    return time(total // 60, total % 60)


def _clock(hour: int, minute: int, second: int, groups: Groups) -> time | NotAValue:
    on_24 = _hour_of_day(hour, groups.get("half", ""))
    if on_24 is None or minute > 59 or second > 59 or (hour == 24 and minute + second > 0):
        return NOT_A_VALUE
    return time(on_24, minute, second)


def _hour_of_day(hour: int, half: str) -> int | None:
    """Return the hour on the 24-hour clock, or None if there is none such."""
    half = re.sub(r"[.\s]", "", half) if half[:1] in ("a", "p") and "m" in half[:4] else half
    if half and hour > HALF_DAY:
        # "20 heures du soir" is said; "15 du matin" and "15 pm" are slips of the tongue.
        return hour if half in ("du soir", "de l'apres-midi") and hour < 24 else None
    if half in ("am", "pm") and hour == 0:
        return None
    if half in _AFTER_NOON or (half in _NIGHT and hour >= _EVENING_HOUR):
        return hour % HALF_DAY + HALF_DAY if not (half == "du soir" and hour == HALF_DAY) else None
    if half in _BEFORE_NOON or half in _NIGHT:
        return hour % HALF_DAY
    if hour == 24:
        return 0
    return hour if hour < 24 else None


_CLOCKS = (
    (_FIGURES, _of_figures),
    (_FRENCH, _of_french),
    (_ENGLISH, _of_english),
    (_SPOKEN, _of_spoken),
)
_FORMS = tuple(Form(rf"(?P<all>{_AT}{source}{_HALF})", reading) for source, reading in _CLOCKS)


def time_of(text: str, said: Said) -> time | NotAValue:
    """Return the time of day that folded words say."""
    moment: time | NotAValue = read_forms(_FORMS, text, said)
    return moment


_JOINED = r"(?:et|moins(?:~(?:le|un))?|past|after|to|before|till|oh?)~"
_PIECE = (
    rf"(?:\d{{1,2}}(?!\d)|{SMALL_WORD}|{_NOON}|half|(?:a~)?quart(?:ers?)?|demie?)"
    r"(?:\s{0,3}(?:h(?:eures?|rs?)?(?![a-z])|o'?\s?clock|mn|min(?:ute)?s?|m(?!\w)))?"
)
TIME_PATTERN = without_names(
    rf"(?<![\w.,:]){_AT}(?!{_JOINED})(?:(?:{_JOINED})?{_PIECE}(?:[\s:-]{{1,3}}(?=\w)|(?=[\dap])|(?!\w))){{1,6}}"
    rf"{_HALF}(?<=[\w.])(?![\w:])"
)


def iso_time(moment: time) -> str:
    """Return HH:MM, with seconds where they were said."""
    return moment.isoformat("seconds" if moment.second else "minutes")


def _time(groups: Groups, said: Said) -> str | NotAValue:
    moment = time_of(groups["all"], said)
    return moment if isinstance(moment, NotAValue) else iso_time(moment)


TIME = form_type("time", (Form(r"(?P<all>[\s\S]+)", _time),), pattern=TIME_PATTERN)
