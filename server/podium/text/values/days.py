"""Days counted from others: weeks, months, weekdays, the next day that has a number. Pure dates."""

from calendar import monthrange
from datetime import date, timedelta

MONDAY, WEDNESDAY, SATURDAY = 0, 2, 5
YEARS_AHEAD = 8  # a 29 February comes back within them


def valid(year: int, month: int, day: int) -> date | None:
    """Return the date, or None if there is no such day."""
    try:
        return date(year, month, day)
    except ValueError:
        return None


def plus_days(day: date, days: int) -> date | None:
    """Return the day so many days later (or earlier), or None outside of the calendar."""
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return None


def plus_months(day: date, months: int) -> date | None:
    """Return the same day so many months later; the last of a shorter month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if not date.min.year <= year <= date.max.year:
        return None
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def next_weekday(today: date, weekday: int) -> date:
    """Return the first such day after today."""
    return today + timedelta(days=(weekday - today.weekday() - 1) % 7 + 1)


def last_weekday(today: date, weekday: int) -> date:
    """Return the latest such day before today."""
    return today - timedelta(days=(today.weekday() - weekday - 1) % 7 + 1)


def monday_of(day: date) -> date:
    """Return the first day of the week."""
    return day - timedelta(days=day.weekday())


def next_day_of_month(today: date, day: int) -> date | None:
    """Return the first such day from today on, today included; a month may be without it."""
    months = (divmod(today.year * 12 + today.month - 1 + ahead, 12) for ahead in range(4))
    found = (valid(year, month + 1, day) for year, month in months)
    return next((each for each in found if each and each >= today), None)


def next_day_of_year(today: date, month: int, day: int) -> date | None:
    """Return the first such day from today on, today included."""
    found = (valid(today.year + ahead, month, day) for ahead in range(YEARS_AHEAD + 1))
    return next((each for each in found if each and each >= today), None)
