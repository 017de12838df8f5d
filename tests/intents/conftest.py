"""A matcher over patterns written in the test."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from podium.domain.limits import Limits
from podium.intents.library import PatternLibrary, load_patterns
from podium.intents.matcher import Matcher

Load = Callable[..., PatternLibrary]
Match = Callable[..., Matcher]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load patterns that were written as JSON values into one file."""

    def load_written(*patterns: Any, **keys: Any) -> PatternLibrary:
        text = json.dumps({**keys, "patterns": patterns}, ensure_ascii=False)
        (tmp_path / "patterns.json").write_text(text, encoding="utf-8")
        return load_patterns(tmp_path)

    return load_written


@pytest.fixture
def matcher_for(load: Load) -> Match:
    """Make a matcher of patterns that must all load."""

    def make(*patterns: Any, limits: Limits | None = None, **keys: Any) -> Matcher:
        library = load(*patterns, **keys)
        assert library.faults == ()
        return Matcher(library, limits=limits or Limits())

    return make
