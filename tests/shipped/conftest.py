"""The shipped data, loaded as a workspace loads it."""

import pytest

from podium.compositions.library import CompositionLibrary, load_compositions
from podium.domain.limits import Limits
from podium.intents.library import PatternLibrary, load_patterns
from podium.intents.matcher import Matcher
from podium.mapping.expressions import Evaluator
from podium.mapping.files import load_transformers
from podium.mapping.transformers import Transformers
from podium.resources import default_directory
from podium.testing import FakeClock


@pytest.fixture(scope="session")
def patterns() -> PatternLibrary:
    return load_patterns(default_directory("patterns"))


@pytest.fixture(scope="session")
def matcher(patterns: PatternLibrary) -> Matcher:
    return Matcher(patterns, limits=Limits())


@pytest.fixture(scope="session")
def compositions() -> CompositionLibrary:
    return load_compositions(default_directory("compositions"))


@pytest.fixture(scope="session")
def transformers() -> Transformers:
    registry = Transformers()
    player = Evaluator(registry, clock=FakeClock(), limits=Limits())
    faults = load_transformers(default_directory("transformers"), registry, evaluator=player)
    assert faults == []
    return registry
