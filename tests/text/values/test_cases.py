"""Each case of `*.json`: a type, the language, what is said, and what it is; or that it is none.

All of them are read on Wednesday, 18 November 2026, 10:30.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from podium.text.values import NOT_A_VALUE, TYPES

NOW = datetime(2026, 11, 18, 10, 30)  # noqa: DTZ001 - local by contract
CASES = [
    pytest.param(path.stem, *case, id=f"{path.stem}: {case[1]} ({case[0]})")
    for path in sorted(Path(__file__).parent.glob("*.json"))
    for case in json.loads(path.read_text("utf-8"))
]
NOTHING = object()  # JSON has no word for "none of these"


@pytest.mark.parametrize(("name", "language", "said", "value"), [
    case if len(case.values) == 4 else pytest.param(*case.values, NOTHING, id=case.id)
    for case in CASES
])  # fmt: skip
def test_what_is_said_is_what_its_case_says(
    name: str, language: str | None, said: str, value: Any
) -> None:
    read = TYPES[name].read(said, language=language, now=NOW)

    assert read == (NOT_A_VALUE if value is NOTHING else value)
    assert type(read) is type(NOT_A_VALUE if value is NOTHING else value)


def test_every_type_has_cases_that_are_values_and_cases_that_are_none() -> None:
    kinds = {(case.values[0], len(case.values) == 4) for case in CASES}

    assert kinds == {(name, is_value) for name in TYPES for is_value in (True, False)}
