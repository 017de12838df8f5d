"""Every built-in transformer, called directly and from an expression; the cases are data."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from podium.domain.errors import TransformerFailedError
from podium.mapping.expressions import Evaluator
from podium.mapping.functions import BUILT_IN
from podium.mapping.transformers import Transformers

CASES = json.loads((Path(__file__).parent / "transformers.json").read_text(encoding="utf-8"))
IDS = [f"{place}-{case['call']}" for place, case in enumerate(CASES)]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_a_direct_call_gives_what_the_case_says(
    case: dict[str, Any], transformers: Transformers
) -> None:
    arguments = [case["input"], *case.get("args", [])]

    if "error" in case:
        with pytest.raises(TransformerFailedError) as caught:
            transformers.call(case["call"], arguments)
        assert case["error"] in caught.value.message
        assert case["call"] in caught.value.message
    else:
        assert _exactly(transformers.call(case["call"], arguments)) == _exactly(case["output"])


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_an_expression_gives_the_same_as_a_direct_call(
    case: dict[str, Any], evaluator: Evaluator
) -> None:
    arguments = [case["input"], *case.get("args", [])]
    variables = {f"a{place}": value for place, value in enumerate(arguments)}
    source = f"${case['call']}({', '.join(f'${name}' for name in variables)})"

    if "error" in case:
        with pytest.raises(TransformerFailedError) as caught:
            evaluator.evaluate(source, {}, variables=variables)
        assert case["error"] in caught.value.message
    else:
        assert evaluator.evaluate(source, {}, variables=variables) == case["output"]


def test_every_built_in_transformer_has_cases_with_a_result_an_error_and_nothing() -> None:
    with_output = {case["call"] for case in CASES if "output" in case}
    with_nothing = {case["call"] for case in CASES if case["input"] is None}

    assert with_output == set(BUILT_IN)
    assert with_nothing == set(BUILT_IN)


def test_every_built_in_transformer_says_what_it_does_and_how_it_is_called(
    transformers: Transformers,
) -> None:
    described = transformers.describe()

    assert [entry["name"] for entry in described] == sorted(BUILT_IN)
    assert all(entry["source"] == "built in" and entry["description"] for entry in described)
    usages = {entry["name"]: entry["usage"] for entry in described}
    assert usages["excerpt"] == "$excerpt(text, length=200)"


@pytest.mark.parametrize("piece", ["<a ", "<!", "<", "<!--", "<a '", "</", "&#", "<p title='>\">"])
def test_hostile_html_costs_time_in_proportion_to_its_size(piece: str) -> None:
    started = time.monotonic()

    BUILT_IN["html_to_text"](piece * 20_000)

    assert time.monotonic() - started < 5


def _exactly(value: Any) -> str:
    """Return the value with its types: 1, 1.0 and true are equal for Python."""
    return json.dumps(value, sort_keys=True)
