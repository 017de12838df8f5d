"""Which results say nothing, so that nobody can tell whether the right thing was done."""

from typing import Any

import pytest

from podium.domain.void import is_void

VOID: list[Any] = [
    None, "", "  ", "0", 0, False, [], {}, {"text": ""}, {"found": {"matches": []}}, [None, {}],
    {"directory": ".", "matches": [], "truncated": False, "searched": 12},
]  # fmt: skip
TELLING: list[Any] = [
    1, "no", {"size": 5}, {"text": "a line"}, {"matches": [{"line": 1}], "truncated": False},
    {"text": "what was written", "warnings": []}, [0, 1], {"message": "5"},
]  # fmt: skip


@pytest.mark.parametrize("result", VOID, ids=repr)
def test_what_says_nothing_is_void(result: Any) -> None:
    assert is_void(result)


@pytest.mark.parametrize("result", TELLING, ids=repr)
def test_what_says_something_is_not(result: Any) -> None:
    assert not is_void(result)
