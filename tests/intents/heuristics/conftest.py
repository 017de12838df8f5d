"""Heuristics over the shipped patterns and the compositions that answer them."""

import pytest

from podium.compositions.library import load_compositions
from podium.intents.heuristics import Heuristics
from podium.intents.knowledge import known_intents
from podium.intents.library import PatternLibrary, load_patterns
from podium.resources import default_directory
from podium.workspace import answers_of


@pytest.fixture(scope="session")
def patterns() -> PatternLibrary:
    return load_patterns(default_directory("patterns"))


@pytest.fixture(scope="session")
def heuristics(patterns: PatternLibrary) -> Heuristics:
    answers = answers_of(load_compositions(default_directory("compositions")))
    return Heuristics(known_intents(patterns.patterns, answers))
