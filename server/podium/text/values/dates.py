"""Days, said in French or English, relative to today: an ISO date.

| said | means |
|---|---|
| aujourd'hui, demain, avant-hier, the day after tomorrow | that day |
| lundi, on Monday, ce lundi, this Monday | the next one, today excluded |
| lundi prochain | the next one, today excluded |
| next Monday | the one of the next week; weeks begin on Monday |
| lundi dernier, last Monday | the latest one, today excluded |
| lundi en huit, Monday week, a week from Monday; lundi en quinze | 7 (14) days after the next one |
| lundi de la semaine prochaine, Monday of next week, Monday next week | the one of that week |
| le 3 mars, March 3rd, the third of March | the next such day, today included |
| le 15, the 15th | the next month that has such a day, today included |
| le 3 mars 2027, 2027-03-03, 3/3/27 | that day; 00-79 is 20xx, 80-99 is 19xx |
| vendredi 20 novembre, Friday the 20th | that day; none if it is no Friday |
| 03/04 | 3 April in French or an unknown language, March 4th in English |
| 25/12, 12/25 | 25 December in any language: the other way round there is no such day |
| dans 3 jours, in 3 days, 3 days ago | counted from today |
| in 2 months, il y a un an | the same day of that month; the last day of one that is too short |
| cette semaine, next month, l'année prochaine | the first day of it |
| en mars, March 2027 | its first day; without a year the next one, the present month included |
| ce week-end, next weekend | its Saturday: the coming one, and the one of the next week |
| début mars, mi-mars, end of next week | its first, middle and last day |
| milieu | the 15th of a month, the Wednesday of a week, 1 July of a year |
| le premier lundi de mars, the last Friday of the month | that one |
| Noël, Christmas Eve, New Year's Day, la Saint-Sylvestre | the next one, today included |
"""

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Literal, NamedTuple

from podium.text.values.days import (
    SATURDAY,
    WEDNESDAY,
    last_weekday,
    monday_of,
    next_day_of_month,
    next_day_of_year,
    next_weekday,
    plus_days,
    plus_months,
    valid,
)
from podium.text.values.durations import COUNT
from podium.text.values.kinds import (
    NOT_A_VALUE,
    Form,
    Groups,
    NotAValue,
    Said,
    any_of,
    form_type,
    read_forms,
    without_names,
    words,
)
from podium.text.values.numbers import (
    LAST,
    NUMBER_FORMS,
    cardinal,
    ordinal,
)

Reading = Callable[[Groups, Said], date | NotAValue]

_WEEKDAYS = (
    ("lun", "mon"), ("mar", "tue"), ("mer", "wed"), ("jeu", "thu"), ("ven", "fri"), ("sam", "sat"),
    ("dim", "sun"),
)  # fmt: skip
_MONTHS = {
    "jan": 1, "fev": 2, "feb": 2, "mar": 3, "avr": 4, "apr": 4, "mai": 5, "may": 5, "juin": 6,
    "jun": 6, "juil": 7, "jul": 7, "aou": 8, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12,
}  # fmt: skip
_MONTH = (
    r"(?:jan(?:v(?:ier)?|uary)?|fev(?:r(?:ier)?)?|feb(?:ruary)?|mar(?:s|ch)?|avr(?:il)?|apr(?:il)?|ma[iy]"
    r"|juin|june?|juil(?:let)?|july?|aout|aug(?:ust)?|sept?(?:emb(?:re|er))?|oct(?:ob(?:re|er))?"
    r"|(?:nov|dec)(?:emb(?:re|er))?)\.?(?!\w)"
)
_WEEKDAY = (
    r"(?:(?:lun|mar|mercre|jeu|vendre|same)di|dimanche|(?:mon|tues|wednes|thurs|fri|satur|sun)day|tues?|wed"
    r"|thu(?:rs?)?|fri|(?<=next\s|last\s|this\s)(?:mon|sat|sun))(?!\w)"
)
_DAY_WORD = (
    r"(?:premier|(?:(?:vingt|trente|twenty|thirty)(?:\s|-)(?:et(?:\s|-))?)?(?:un|deux|trois|quatre|cinq|six"
    r"|sept|huit|neuf|first|second|third|(?:four|fif|six|seven|eigh|nin)th)|dix(?:-(?:sept|huit|neuf))?"
    r"|onze|douze|treize|quatorze|quinze|seize|vingt|trente|(?:ten|eleven|twelf|thirteen|fourteen|fifteen"
    r"|sixteen|seventeen|eighteen|nineteen|twentie|thirtie)th)(?!\w)"
)
_NUMBERED = r"\d{1,2}(?:er|e|st|nd|rd|th)?(?!\w)"
_YEAR = r"(?:1[89]|20|21)\d{2}(?!\d)"
_NUMERIC = (
    r"(?<![\w./-])(?:\d{4}-\d{1,2}-\d{1,2}|\d{1,2}/\d{1,2}(?:/(?:\d{4}|\d{2}))?"
    r"|\d{1,2}(?:\.\d{1,2}\.|-\d{1,2}-)(?:\d{4}|\d{2}))(?![\w/]|[-.]\w)"
)
_TODAY = {
    "aujourd'hui": 0, "aujourd hui": 0, "today": 0, "ce jour": 0, "demain": 1, "tomorrow": 1,
    "apres-demain": 2, "apres demain": 2, "day after tomorrow": 2, "hier": -1, "yesterday": -1,
    "avant-hier": -2, "avant hier": -2, "day before yesterday": -2,
}  # fmt: skip
_NEAR = (
    r"(?:(?:the~)?day~(?:after~tomorrow|before~yesterday)|aujourd[' ]hui|ce~jour|today"
    r"|tomorrow|yesterday|(?:apres[\s-])?demain|(?:avant[\s-])?hier)(?!\w)"
)
_HOLIDAYS = {
    "noel": (12, 25), "christmas": (12, 25), "christmas day": (12, 25),
    "la veille de noel": (12, 24),
    "christmas eve": (12, 24), "la saint-sylvestre": (12, 31), "new year's eve": (12, 31),
    "le jour de l'an": (1, 1), "le nouvel an": (1, 1), "new year's day": (1, 1),
    "la saint-valentin": (2, 14), "valentine's day": (2, 14), "halloween": (10, 31),
}  # fmt: skip
_HOLIDAY = words(" ".join(name.replace(" ", "_") for name in _HOLIDAYS)) + r"(?!\w)"
_UNIT = r"(?P<unit>jours?|days?|semaines?|weeks?|mois|months?|ans?|annees?|years?)(?!\w)"
_SPAN = r"(?:semaine|mois|annee|an|week-?end|week|month|year)"
_NEXT = r"(?:prochaine?|suivante?|qui\svient)"
_PAST = r"(?:derniere?|passee?)"
_PERIOD = (
    rf"(?:(?:(?:la|le|the|cette|ce|this|next|last|coming)~|l'|cet~){{0,2}}{_SPAN}"
    rf"(?:~(?:{_NEXT}|{_PAST}))?)(?!\w)"
)
_EDGE = (
    r"(?:(?:le|la|the|au|a|at|en|on)~){0,2}(?:fin|end|debut|beginning|start|milieu|middle|mid|mi)"
    r"(?:~|-)(?:(?:de|du|of)~|d')?"
)
_NTH = (
    r"(?:(?:le|the|on)~){0,2}(?:premier|first|deuxieme|second|troisieme|third|quatrieme|fourth|dernier"
    r"|last)~[a-z]{3,9}~(?:(?:de|du|of)~|d')"
)
_BEFORE = r"(?:(?:le|the|on|ce|du|this|next|last|coming)~){0,2}"
_WEEK_AFTER = (
    rf"(?:~(?:{_NEXT}|{_PAST}|en\s(?:huit|quinze)|week"
    rf"|(?:(?:de|of)~)?(?:la~)?(?:semaine~(?:{_NEXT}|{_PAST})|(?:next|last|this)~week))(?!\w))"
)
_DAY = rf"(?:{_NUMBERED}|{_DAY_WORD})"

# --- reading


class Period(NamedTuple):
    """A week, a month, a year or a weekend: its kind and its first day."""

    kind: str
    start: date

    @property
    def last(self) -> date:
        """Return the last day."""
        days, months = _LENGTHS[self.kind]
        after = plus_months(self.start, months) if months else plus_days(self.start, days)
        return (after or date.max) - timedelta(days=1)

    @property
    def middle(self) -> date:
        """Return the Wednesday of a week, the 15th of a month, 1 July of a year."""
        if self.kind == "week":
            return self.start + timedelta(days=WEDNESDAY)
        if self.kind == "year":
            return self.start.replace(month=7)
        return self.start.replace(day=15) if self.kind == "month" else self.start


_LENGTHS = {"week": (7, 0), "weekend": (2, 0), "month": (0, 1), "year": (0, 12)}
_KINDS = {
    "semaine": "week", "week": "week", "mois": "month", "month": "month", "annee": "year",
    "an": "year", "year": "year", "week-end": "weekend", "weekend": "weekend",
}  # fmt: skip


def period(text: str, said: Said) -> Period | NotAValue:
    """Return the week, month, year or weekend that folded words name."""
    month = _month_period(text, said)
    found = re.search(rf"{_SPAN}(?!\w)", text)
    if found is None or not isinstance(month, NotAValue):  # "au mois de mai" is a month by name
        return month
    return _shifted(_KINDS[found.group()], _shift(text), said.now.date())


def _shift(text: str) -> int:
    if re.search(rf"\b(?:next|coming|{_NEXT})\b", text):
        return 1
    return -1 if re.search(rf"\b(?:last|{_PAST})\b", text) else 0


def _shifted(kind: str, shift: int, today: date) -> Period | NotAValue:
    if kind == "year":
        start = valid(today.year + shift, 1, 1)
    elif kind == "month":
        start = plus_months(today.replace(day=1), shift)
    elif kind == "week":
        start = plus_days(monday_of(today), 7 * shift)
    else:
        start = plus_days(monday_of(today), SATURDAY + 7 * shift)
    return Period(kind, start) if start else NOT_A_VALUE


def _month_period(text: str, said: Said) -> Period | NotAValue:
    found = re.search(rf"(?P<month>{_MONTH})(?:,?\s(?P<year>{_YEAR}))?$", text)
    if found is None:
        return NOT_A_VALUE
    today, month = said.now.date(), _month(found["month"])
    year = int(found["year"]) if found["year"] else today.year + _passed(month, text, today)
    start = valid(year, month, 1)
    return Period("month", start) if start else NOT_A_VALUE


def _passed(month: int, text: str, today: date) -> int:
    """Return by how many years the month that is meant is off this year's."""
    if _shift(text) < 0:
        return 0 if month < today.month else -1
    return 1 if month < today.month or (_shift(text) > 0 and month == today.month) else 0


def _month(text: str) -> int:
    return next(number for start, number in _MONTHS.items() if text.startswith(start))


def _weekday(text: str) -> int:
    return next(day for day, starts in enumerate(_WEEKDAYS) if text.startswith(starts))


def _day(text: str) -> int | NotAValue:
    figures = re.match(r"\d+", text)
    if figures:
        return int(figures.group())
    if text == "premier":
        return 1
    value = cardinal(text)
    return value if not isinstance(value, NotAValue) else ordinal(text)


def _known(day: date | None) -> date | NotAValue:
    return day if day is not None else NOT_A_VALUE


def _near(groups: Groups, said: Said) -> date | NotAValue:
    text = groups["near"].removeprefix("the ")
    return _known(plus_days(said.now.date(), _TODAY[text]))


def _of_weekday(groups: Groups, said: Said) -> date | NotAValue:
    today, weekday = said.now.date(), _weekday(groups["weekday"])
    before, after = groups.get("before", ""), groups.get("after", "")
    if "week" in after.split()[1:] or "semaine" in after:
        week = period(after, said)
        return week if isinstance(week, NotAValue) else _known(plus_days(week.start, weekday))
    if _shift(f"{before} {after}") < 0:
        return last_weekday(today, weekday)
    if "next" in before.split():
        return _known(plus_days(monday_of(today), 7 + weekday))
    days = 14 if after.endswith("quinze") else 7 if after.endswith(("huit", "week")) else 0
    return _known(plus_days(next_weekday(today, weekday), days))


def _week_from(groups: Groups, said: Said) -> date | NotAValue:
    weeks = _count(groups["count"], said)
    if not isinstance(weeks, int):
        return NOT_A_VALUE
    start = said.now.date()
    if "near" in groups:
        near = _near(groups, said)
        if isinstance(near, NotAValue):
            return near
        start = near
    else:
        start = next_weekday(start, _weekday(groups["weekday"]))
    return _plus(start, weeks, groups["unit"])


def _of_month(groups: Groups, said: Said) -> date | NotAValue:
    day, month = _day(groups["day"]), _month(groups["month"])
    if isinstance(day, NotAValue):
        return NOT_A_VALUE
    if "year" in groups:
        return _checked(valid(int(groups["year"]), month, day), groups)
    return _checked(next_day_of_year(said.now.date(), month, day), groups)


def _checked(day: date | None, groups: Groups) -> date | NotAValue:
    """Refuse a weekday that contradicts its date: nobody can say which of the two is meant."""
    weekday = groups.get("weekday") or groups.get("weekday_first")
    if day is None or (weekday and day.weekday() != _weekday(weekday)):
        return NOT_A_VALUE
    return day


def _of_number(groups: Groups, said: Said) -> date | NotAValue:
    day = _day(groups["day"])
    if isinstance(day, NotAValue):
        return NOT_A_VALUE
    return _checked(next_day_of_month(said.now.date(), day), groups)


def _of_figures(groups: Groups, said: Said) -> date | NotAValue:
    parts = re.split(r"[-/.]", groups["figures"])
    if len(parts[0]) == 4:
        year, month, day = map(int, parts)
        return _checked(valid(year, month, day), groups)
    orders = ((1, 0), (0, 1)) if said.language == "en" else ((0, 1), (1, 0))
    days = (_day_and_month(parts, *order, said.now.date()) for order in orders)
    return _checked(next((day for day in days if day), None), groups)


def _day_and_month(parts: list[str], day: int, month: int, today: date) -> date | None:
    if len(parts) == 2:
        return next_day_of_year(today, int(parts[month]), int(parts[day]))
    return valid(_full_year(parts[2]), int(parts[month]), int(parts[day]))


def _full_year(text: str) -> int:
    if len(text) == 4:
        return int(text)
    return int(text) + (2000 if int(text) < 80 else 1900)


def _counted(sign: int) -> Reading:
    def read(groups: Groups, said: Said) -> date | NotAValue:
        count = _count(groups["count"], said)
        if not isinstance(count, int):
            return NOT_A_VALUE
        return _plus(said.now.date(), sign * count, groups["unit"])

    return read


def _count(text: str, said: Said) -> int | float | NotAValue:
    if text in ("a", "an", "un", "une"):
        return 1
    number: int | float | NotAValue = read_forms(NUMBER_FORMS, text, said)
    return number


def _plus(day: date, count: int, unit: str) -> date | NotAValue:
    if unit.startswith(("j", "d", "s", "w")):
        return _known(plus_days(day, count * (1 if unit[0] in "jd" else 7)))
    return _known(plus_months(day, count * (1 if unit.startswith("mo") else 12)))


def _start_of(groups: Groups, said: Said) -> date | NotAValue:
    named = period(groups["period"], said)
    return named if isinstance(named, NotAValue) else named.start


def _edge_of(groups: Groups, said: Said) -> date | NotAValue:
    named = period(groups["period"], said)
    if isinstance(named, NotAValue):
        return named
    edges: dict[Literal["start", "middle", "last"], str] = {
        "start": r"\b(?:debut|beginning|start)\b",
        "middle": r"\b(?:mi|mid|milieu|middle)\b",
        "last": r"\b(?:fin|end)\b",
    }
    edge = next(edge for edge, said_as in edges.items() if re.search(said_as, groups["edge"]))
    day: date = getattr(named, edge)
    return day


def _nth_of(groups: Groups, said: Said) -> date | NotAValue:
    named, nth = period(groups["period"], said), ordinal(groups["nth"])
    if isinstance(named, NotAValue) or isinstance(nth, NotAValue):
        return NOT_A_VALUE
    weekday = _weekday(groups["weekday"]) if "weekday" in groups else None
    step = 1 if weekday is None else 7
    if nth == LAST:
        last = named.last
        return last if weekday is None else last - timedelta(days=(last.weekday() - weekday) % 7)
    first = named.start
    if weekday is not None:
        first += timedelta(days=(weekday - first.weekday()) % 7)
    found = plus_days(first, (nth - 1) * step)
    return found if found and named.start <= found <= named.last else NOT_A_VALUE


def _holiday(groups: Groups, said: Said) -> date | NotAValue:
    month, day = _HOLIDAYS[groups["holiday"]]
    return _known(next_day_of_year(said.now.date(), month, day))


_ON = r"(?:(?:le|the|on|du)~){0,2}"
_WITH_WEEKDAY = rf"{_ON}(?:(?P<weekday>{_WEEKDAY}),?~(?:(?:le|the)~)?)?"
_PERIOD_OR_MONTH = (
    rf"(?P<period>{_PERIOD}"
    rf"|(?:(?:le|the)~(?:mois~(?:de~|d'))?)?(?:(?:next|last|this)~)?{_MONTH}(?:,?~{_YEAR})?)"
)
_NTH_DAY = (
    r"(?:(?:le|the|on)~){0,2}(?P<nth>premier|first|deuxieme|second|troisieme|third|quatrieme"
    rf"|fourth|dernier|last)~(?:(?P<weekday>{_WEEKDAY})|jour|day)~(?:(?:de|du|of)~|d')"
)
_WHOLE_PERIOD = (
    rf"(?P<period>(?:cette|ce|cet|this|next|last|(?:(?:la|le|the)~)?coming)~{_SPAN}(?!\w)"
    rf"|(?:(?:la|le)~|l')?{_SPAN}~(?:{_NEXT}|{_PAST})"
    rf"|(?:en|in|next|last|this|au~mois~de)~{_MONTH}(?:~{_YEAR})?|{_MONTH}~{_YEAR})"
)
_FROM = r"~(?:from|apres|after)"
DAY_FORMS: tuple[tuple[str, Reading], ...] = (
    (rf"(?P<near>{_NEAR})", _near),
    (rf"(?P<before>{_BEFORE})(?P<weekday>{_WEEKDAY})(?P<after>{_WEEK_AFTER})?", _of_weekday),
    (
        rf"{_WITH_WEEKDAY}(?P<day>{_DAY})~(?:of~)?(?P<month>{_MONTH})(?:,?~(?P<year>{_YEAR}))?",
        _of_month,
    ),
    (
        rf"{_WITH_WEEKDAY}(?P<month>{_MONTH})~(?:the~)?(?P<day>{_DAY})(?:,?~(?P<year>{_YEAR}))?",
        _of_month,
    ),
    (rf"{_WITH_WEEKDAY}(?P<figures>{_NUMERIC})", _of_figures),
    (
        rf"(?:le~(?:(?P<weekday>{_WEEKDAY})~)?|(?P<weekday_first>{_WEEKDAY})~(?:le~)?)(?P<day>\d{{1,2}}(?:er)?|premier|{_DAY_WORD})",
        _of_number,
    ),
    (
        rf"(?:on~)?(?:the~|(?P<weekday>{_WEEKDAY}),?~(?:the~)?)(?P<day>\d{{1,2}}(?:st|nd|rd|th)|{_DAY_WORD})",
        _of_number,
    ),
    (rf"(?:dans|d'ici|in)~(?P<count>{COUNT})~(?:(?:de|of)~)?{_UNIT}", _counted(1)),
    (
        rf"(?P<count>{COUNT})~(?:(?:de|of)~)?{_UNIT}~(?:from~now|later|plus~tard)",
        _counted(1),
    ),
    (rf"il~y~a~(?P<count>{COUNT})~(?:(?:de|of)~)?{_UNIT}", _counted(-1)),
    (rf"(?P<count>{COUNT})~(?:(?:de|of)~)?{_UNIT}~ago", _counted(-1)),
    (
        rf"(?P<count>{COUNT})~{_UNIT}{_FROM}~(?:on~)?(?:(?P<near>{_NEAR})|(?P<weekday>{_WEEKDAY}))",
        _week_from,
    ),
    (rf"(?P<edge>{_EDGE}){_PERIOD_OR_MONTH}", _edge_of),
    (f"{_NTH_DAY}{_PERIOD_OR_MONTH}", _nth_of),
    (rf"(?P<holiday>{_HOLIDAY})", _holiday),
    (_WHOLE_PERIOD, _start_of),
)


def day_of(text: str, said: Said) -> date | NotAValue:
    """Return the day that folded words say."""
    try:
        day: date | NotAValue = read_forms(_FORMS, text, said)
    except OverflowError:  # within days of the calendar's end
        return NOT_A_VALUE
    return day


_FORMS = tuple(Form(source, reading) for source, reading in DAY_FORMS)

_DAY_OR_MONTH = rf"(?:(?:{_DAY}|{_MONTH})(?:,?~(?:(?:of|the)~)?(?=\w)|(?!\w))){{1,2}}"
_HAS_MONTH = r"(?:(?<=\w\s)|(?=[\w\s,'-]{0,24}?(?:ja|fe|ma|av|ap|ju|ao|au|se|oc|no|de)))"
_NAMED = (
    rf"(?:{_EDGE}|{_NTH}|(?:en|in|this|au~mois~de)~)?(?:{_PERIOD}|{_BEFORE}"
    rf"(?:{_WEEKDAY}(?:{_WEEK_AFTER}|,?~(?:(?:le|the)~)?(?=\w)|(?!\w)))?"
    rf"(?:{_NUMERIC}|(?:mois~(?:de~|d'))?{_HAS_MONTH}{_DAY_OR_MONTH}(?:{_YEAR})?)?)(?<=[\w.])"
)
FIXED_DAY = without_names(any_of((_NEAR, _HOLIDAY, _NAMED)))
"""A day that is named, not counted; over-approximated."""
COUNTED_FROM = r"(?:dans|d'ici|in|il~y~a)"
COUNTED_TO = (
    r"(?:ago|later|plus~tard|from~now"
    r"|(?:from|apres|after)~(?:on~)?(?:to[a-z]{3,6}|demain|dimanche|[a-z]{3,6}d(?:i|ay))(?!\w))"
)
DAY_PATTERN = without_names(
    any_of(
        (
            rf"(?:{COUNTED_FROM}~)?{COUNT}~(?:(?:de|of)~)?{_UNIT}(?:~{COUNTED_TO})?",
            FIXED_DAY,
        )
    )
)


def _date(groups: Groups, said: Said) -> str | NotAValue:
    day = day_of(groups["all"], said)
    return day if isinstance(day, NotAValue) else day.isoformat()


DATE = form_type(
    "date", (Form(r"(?P<all>[\s\S]+)", _date),), pattern=rf"(?<!\w){DAY_PATTERN}(?!\w)"
)
