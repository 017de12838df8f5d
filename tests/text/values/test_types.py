"""What holds for every type: patterns that are safe, readers that never fail, one clock."""

import json
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.text.folding import fold_text
from podium.text.values import NOT_A_VALUE, TYPES

NOW = datetime(2026, 11, 18, 10, 30)  # noqa: DTZ001 - local by contract
SAID = sorted(
    {
        case[1]
        for path in Path(__file__).parent.glob("*.json")
        for case in json.loads(path.read_text("utf-8"))
    }
)
WORDS = sorted({word for said in SAID for word in re.split(r"(\W)", said) if word})
LANGUAGES = st.sampled_from(["fr", "en", "de", None])
PHRASES = st.lists(st.sampled_from(WORDS), max_size=12).map("".join)
SPACED = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)
MOMENTS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59))  # noqa: DTZ001
HOSTILE = (
    "a " * 40_000, " " * 100_000, "un " * 30_000, "1" * 50_000, "1 " * 50_000, "1." * 40_000,
    "vingt-" * 15_000, "'" * 60_000, "a'" * 40_000, '"' * 60_001, "a." * 40_000, "a@" * 40_000,
    "le " * 30_000, "demain " * 10_000, "1h" * 40_000, "/" * 80_000, "(" * 60_000,
    "\u200b" * 80_000, "http://" * 10_000,
    "et " * 30_000, "an hour and " * 8_000, "٣" * 40_000, "mars 3 " * 9_000,
)  # fmt: skip

each_type = pytest.mark.parametrize("name", TYPES)


@each_type
@settings(deadline=None, max_examples=60)
@given(st.text(max_size=80) | PHRASES | SPACED | st.sampled_from(SAID), LANGUAGES, MOMENTS)
def test_reading_any_text_at_any_time_gives_a_json_value_or_none(
    name: str, said: str, language: str | None, now: datetime
) -> None:
    value = TYPES[name].read(said, language=language, now=now)

    assert value is NOT_A_VALUE or json.loads(json.dumps(value)) == value


@each_type
@pytest.mark.parametrize("compiled", [re.compile, regex.compile], ids=["re", "regex"])
def test_every_pattern_takes_what_its_type_reads(name: str, compiled: Callable[..., Any]) -> None:
    pattern = compiled(TYPES[name].pattern)
    read = [
        said.strip()
        for said in SAID
        for language in ("fr", "en", None)
        if TYPES[name].read(said, language=language, now=NOW) is not NOT_A_VALUE
    ]

    assert read
    assert [said for said in read if pattern.fullmatch(fold_text(said)) is None] == []


@each_type
@settings(deadline=None, max_examples=80)
@given(PHRASES | SPACED, LANGUAGES)
def test_the_pattern_takes_any_phrase_that_is_read(
    name: str, said: str, language: str | None
) -> None:
    kind = TYPES[name]

    if kind.read(said, language=language, now=NOW) is not NOT_A_VALUE:
        assert regex.fullmatch(kind.pattern, fold_text(said.strip()))


@each_type
def test_a_pattern_stands_in_a_larger_regex_without_groups_of_its_own(name: str) -> None:
    larger = regex.compile(rf"before (?P<slot>{TYPES[name].pattern}) after")

    assert larger.groups == 1


@each_type
@pytest.mark.parametrize("text", HOSTILE, ids=[text[:6] for text in HOSTILE])
def test_a_hostile_text_costs_no_more_than_its_length(name: str, text: str) -> None:
    """The engine itself gives up after a second; a pattern that blows up would need days."""
    larger = regex.compile(rf"x (?:{TYPES[name].pattern}) y")

    assert larger.fullmatch(f"x {text[:10_000]} z", timeout=1) is None
    assert TYPES[name].read(text, language=None, now=NOW) is NOT_A_VALUE


@pytest.mark.parametrize(
    ("said", "moment"),
    [
        ("in 2 hours", "2026-10-25T03:00:00"),  # the clock goes back at 03:00
        ("in 24 hours", "2026-10-26T02:00:00"),
        ("in one day", "2026-10-26T02:00:00"),
        ("2026-10-25T12:00Z", "2026-10-25T13:00:00"),
        ("2026-10-25T12:00+02:00", "2026-10-25T11:00:00"),
        ("demain à 15 h", "2026-10-26T15:00:00"),
        ("now", "2026-10-25T02:00:00"),
        ("at 14:00", "2026-10-25T14:00:00"),
    ],
)
def test_with_a_zone_time_that_passes_is_counted_and_the_answer_is_local(
    said: str, moment: str
) -> None:
    now = datetime(2026, 10, 25, 2, 0, tzinfo=ZoneInfo("Europe/Paris"))

    assert TYPES["datetime"].read(said, language=None, now=now) == moment


def test_the_zone_of_now_decides_which_day_it_is() -> None:
    east = datetime(2026, 11, 18, 1, 0, tzinfo=timezone(timedelta(hours=9)))

    assert TYPES["date"].read("today", language="en", now=east) == "2026-11-18"


@pytest.mark.parametrize("days", range(14))
def test_a_weekday_is_always_one_of_the_next_seven_days(days: int) -> None:
    now = NOW + timedelta(days=days)

    read = [
        datetime.fromisoformat(TYPES["date"].read(said, language="fr", now=now))
        for said in ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")
    ]

    assert sorted((day.date() - now.date()).days for day in read) == [1, 2, 3, 4, 5, 6, 7]
    assert [day.weekday() for day in read] == [0, 1, 2, 3, 4, 5, 6]


@settings(deadline=None)
@given(st.dates(date(1950, 1, 1), date(2079, 12, 31)))
def test_a_date_written_out_comes_back(day: date) -> None:
    french = (
        "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre",
        "octobre", "novembre", "décembre",
    )  # fmt: skip
    written = {
        "fr": f"le {day.day}{'er' if day.day == 1 else ''} {french[day.month - 1]} {day.year}",
        "en": f"{day:%B} {day.day}, {day.year}",
    }

    read = {
        language: TYPES["date"].read(said, language=language, now=NOW)
        for language, said in written.items()
    }

    assert read == {"fr": day.isoformat(), "en": day.isoformat()}


@settings(deadline=None)
@given(st.integers(0, 23), st.integers(0, 59), st.sampled_from(["fr", "en"]))
def test_a_clock_time_written_either_way_comes_back(hour: int, minute: int, way: str) -> None:
    half = "am" if hour < 12 else "pm"
    said = f"{hour}h{minute:02}" if way == "fr" else f"{(hour - 1) % 12 + 1}:{minute:02} {half}"

    assert TYPES["time"].read(said, language=None, now=NOW) == f"{hour:02}:{minute:02}"


@settings(deadline=None)
@given(st.integers(-(10**15), 10**15), st.sampled_from(["", " ", "'"]))
def test_a_whole_number_comes_back_however_it_is_grouped(number: int, separator: str) -> None:
    said = f"{number:,}".replace(",", separator)

    assert TYPES["integer"].read(said, language="fr", now=NOW) == number
    assert TYPES["number"].read(f"{number:,}", language="en", now=NOW) == number


@settings(deadline=None)
@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59))
def test_a_duration_is_the_sum_of_its_parts(hours: int, minutes: int, seconds: int) -> None:
    total = hours * 3600 + minutes * 60 + seconds

    for said in (
        f"{hours} heures, {minutes} minutes et {seconds} secondes",
        f"{hours}h {minutes}min {seconds}s",
        f"{hours} hours, {minutes} minutes and {seconds} seconds",
    ):
        assert TYPES["duration"].read(said, language=None, now=NOW) == total
