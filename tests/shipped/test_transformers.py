"""The shipped transformers; their own examples run each time they are loaded."""

import json
import re
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from podium.mapping.transformers import Transformers
from podium.resources import default_directory

CITIES = json.loads((Path(__file__).parent / "cities.json").read_text("utf-8"))


@pytest.mark.parametrize(("city", "zone"), CITIES.items())
def test_a_city_has_its_time_zone_in_either_language(
    transformers: Transformers, city: str, zone: str | None
) -> None:
    assert transformers.call("city_timezone", [city]) == zone


def test_every_time_zone_exists_and_no_city_stands_in_two() -> None:
    text = (default_directory("transformers") / "city_timezone.json").read_text("utf-8")
    cities = dict(re.findall(r"'([A-Z]\w+(?:/[\w/-]+)?)': '([a-z, ]+)'", text))
    names = [name for listed in cities.values() for name in listed.split(", ")]

    assert len(cities) > 100
    assert {ZoneInfo(zone).key for zone in cities} == cities.keys()
    assert sorted(names) == sorted(set(names))


def test_every_file_carries_examples() -> None:
    files = sorted(default_directory("transformers").glob("*.json"))

    assert [
        file.name for file in files if not json.loads(file.read_text("utf-8"))["examples"]
    ] == []
