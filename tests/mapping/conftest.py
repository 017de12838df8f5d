"""An evaluator with the built-in transformers, a clock that stands still, and small limits."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from podium.domain.limits import Limits
from podium.mapping.expressions import Evaluator
from podium.mapping.transformers import Transformers
from podium.testing import FakeClock


@pytest.fixture
def transformers() -> Transformers:
    return Transformers()


@pytest.fixture
def evaluator(transformers: Transformers) -> Evaluator:
    return Evaluator(
        transformers,
        clock=FakeClock(1_700_000_000.5),
        limits=Limits(result_bytes=1_000_000),
        random=random.Random(1),
    )


@pytest.fixture
def evaluate(evaluator: Evaluator) -> Callable[..., Any]:
    return evaluator.evaluate
