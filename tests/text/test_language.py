"""The language of a short request."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.text.language import guess_language

CASES = json.loads((Path(__file__).parent / "languages.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("text", "language"), CASES)
def test_a_short_request_shows_its_language(text: str, language: str) -> None:
    assert guess_language(text) == language


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_has_a_language(text: str) -> None:
    assert guess_language(text) in ("fr", "en")
