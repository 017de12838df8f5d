"""The built-in slot types by the names that pattern files call them."""

from collections.abc import Mapping
from types import MappingProxyType

from podium.text.values.dates import DATE
from podium.text.values.datetimes import DATETIME
from podium.text.values.durations import DURATION
from podium.text.values.kinds import ValueType
from podium.text.values.numbers import INTEGER, NUMBER, ORDINAL, PERCENTAGE
from podium.text.values.plain import BOOLEAN, EMAIL, PATH, QUOTED, TEXT, URL, WORD
from podium.text.values.times import TIME

TYPES: Mapping[str, ValueType] = MappingProxyType(
    {
        each.name: each
        for each in (
            TEXT, WORD, NUMBER, INTEGER, ORDINAL, PERCENTAGE, DURATION, DATE, TIME,
            DATETIME,
            PATH, EMAIL, URL, QUOTED, BOOLEAN,
        )
    }
)  # fmt: skip
