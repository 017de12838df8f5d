"""A slot's options narrow its type, and a wrong option says what is wrong."""

from datetime import datetime
from typing import Any

import pytest

from podium.text.values import NOT_A_VALUE, TYPES, SlotOptionError, with_options

NOW = datetime(2026, 11, 18, 10, 30)  # noqa: DTZ001 - local by contract


@pytest.mark.parametrize(
    ("name", "options", "said", "value"),
    [
        ("number", {"min": 0, "max": 100}, "cent", 100),
        ("number", {"min": 0, "max": 100}, "0", 0),
        ("number", {"min": 0, "max": 100}, "100,5", NOT_A_VALUE),
        ("number", {"min": 0}, "moins un", NOT_A_VALUE),
        ("integer", {"max": 5}, "six", NOT_A_VALUE),
        ("percentage", {"min": 10, "max": 90}, "95 %", NOT_A_VALUE),
        ("ordinal", {"min": 1}, "le dernier", NOT_A_VALUE),
        ("duration", {"unit": "minutes"}, "1h30", 90),
        ("duration", {"unit": "minutes"}, "90 s", 1.5),
        ("duration", {"unit": "hours"}, "une demi-heure", 0.5),
        ("duration", {"unit": "seconds"}, "1 min", 60),
        ("duration", {"unit": "minutes", "max": 60}, "2 heures", NOT_A_VALUE),
        ("duration", {"unit": "minutes", "max": 60}, "une heure", 60),
        ("datetime", {"at": "09:00"}, "demain", "2026-11-19T09:00:00"),
        ("datetime", {"at": "09:00"}, "demain à midi", "2026-11-19T12:00:00"),
        ("number", {}, "5", 5),
        ("number", {"min": 0}, "rien", NOT_A_VALUE),
    ],
)
def test_options_narrow_a_type(name: str, options: dict[str, Any], said: str, value: Any) -> None:
    kind = with_options(TYPES[name], options)

    assert kind.read(said, language="fr", now=NOW) == value
    assert (kind.name, kind.pattern) == (name, TYPES[name].pattern)


@pytest.mark.parametrize(
    ("name", "options", "message", "hint"),
    [
        ("text", {"min": 1}, "the type 'text' has no option 'min'", "it takes no options"),
        (
            "number",
            {"unit": "hours"},
            "the type 'number' has no option 'unit'",
            "it takes min, max",
        ),
        ("number", {"min": "1"}, "min is '1'", "it is a number, such as 0 or 2.5"),
        ("number", {"max": True}, "max is True", "it is a number, such as 0 or 2.5"),
        ("number", {"max": float("nan")}, "max is nan", "it is a number, such as 0 or 2.5"),
        ("integer", {"min": None}, "min is None", "it is a number, such as 0 or 2.5"),
        ("number", {"min": 5, "max": 1}, "min 5 is greater than max 1", "exchange them"),
        ("duration", {"unit": "days"}, "unit is 'days'", "it is one of seconds, minutes, hours"),
        ("duration", {"unit": []}, "unit is []", "it is one of seconds, minutes, hours"),
        ("datetime", {"at": "9h"}, "at is '9h'", 'it is a time, such as "09:00"'),
    ],
)
def test_a_wrong_option_says_what_is_wrong(
    name: str, options: dict[str, Any], message: str, hint: str
) -> None:
    with pytest.raises(SlotOptionError) as caught:
        with_options(TYPES[name], options)

    assert (caught.value.message, caught.value.hint) == (message, hint)
