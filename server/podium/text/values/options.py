"""A slot type narrowed by the options of a slot definition: `min`, `max`, `unit`, `at`."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time
from typing import Any

from podium.text.values.datetimes import DatetimeType
from podium.text.values.kinds import NOT_A_VALUE, ValueType

Narrowing = Callable[[Any], Any]
"""A value to what becomes of it, or to NOT_A_VALUE."""

UNITS = {"seconds": 1, "minutes": 60, "hours": 3600}
OPTIONS: Mapping[str, tuple[str, ...]] = {
    "number": ("min", "max"),
    "integer": ("min", "max"),
    "percentage": ("min", "max"),
    "ordinal": ("min", "max"),
    "duration": ("min", "max", "unit"),
    "datetime": ("at",),
}
"""The options that each type takes; types that are not here take none."""


class SlotOptionError(ValueError):
    """An option of a slot definition cannot be used; `option` is its key."""

    def __init__(self, message: str, *, option: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.option = option
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Narrowed:
    """A type whose values still pass through something else."""

    kind: ValueType
    narrowing: Narrowing

    @property
    def name(self) -> str:
        """Return the name of the type itself."""
        return self.kind.name

    @property
    def pattern(self) -> str:
        """Return the pattern of the type itself."""
        return self.kind.pattern

    def read(self, said: str, *, language: str | None, now: datetime) -> Any:
        """Return the narrowed value, or NOT_A_VALUE."""
        value = self.kind.read(said, language=language, now=now)
        return value if value is NOT_A_VALUE else self.narrowing(value)


def with_options(kind: ValueType, options: Mapping[str, Any]) -> ValueType:
    """Return the type narrowed by options: `min`, `max` (inclusive), `unit` of a duration, `at`.

    A duration is converted to its unit (seconds, minutes, hours) first, so that `min` and `max` are
    in that unit. `at` ("HH:MM") is the time of a datetime that was said without one.

    Raises:
        SlotOptionError: the type has no such option, or the option has a wrong value.

    """
    for option in options:
        _refuse_unknown(kind.name, option)
    if not options:
        return kind
    if isinstance(kind, DatetimeType):
        return replace(kind, at=_time(options["at"]))
    unit = _unit(options)
    low, high = (_bound(options, option) for option in ("min", "max"))
    if low is not None and high is not None and low > high:
        raise SlotOptionError(
            f"min {low} is greater than max {high}", option="min", hint="exchange them"
        )
    return Narrowed(kind, lambda value: _narrow(value, unit, low, high))


def _narrow(value: float, unit: int, low: float | None, high: float | None) -> Any:
    number = value / unit if unit != 1 else value
    if (low is not None and number < low) or (high is not None and number > high):
        return NOT_A_VALUE
    return int(number) if number == int(number) else number


def _refuse_unknown(name: str, option: str) -> None:
    known = OPTIONS.get(name, ())
    if option in known:
        return
    hint = f"it takes {', '.join(known)}" if known else "it takes no options"
    raise SlotOptionError(f"the type {name!r} has no option {option!r}", option=option, hint=hint)


def _bound(options: Mapping[str, Any], option: str) -> float | None:
    value = options.get(option)
    if option not in options:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise SlotOptionError(
            f"{option} is {value!r}", option=option, hint="it is a number, such as 0 or 2.5"
        )
    return value


def _unit(options: Mapping[str, Any]) -> int:
    if "unit" not in options:
        return 1
    unit = options["unit"]
    if not isinstance(unit, str) or unit not in UNITS:
        raise SlotOptionError(
            f"unit is {unit!r}", option="unit", hint=f"it is one of {', '.join(UNITS)}"
        )
    return UNITS[unit]


def _time(value: Any) -> time:
    if not isinstance(value, str) or re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value) is None:
        raise SlotOptionError(f"at is {value!r}", option="at", hint='it is a time, such as "09:00"')
    return time.fromisoformat(value)
