"""Several things asked for in one request become a plan; one thing never falls apart."""

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podium.intents.matcher import Matcher
from podium.intents.splitting import MAX_PARTS, divisions, ways_to_divide

MatcherFor = Callable[..., Matcher]
TABLE = json.loads((Path(__file__).parent / "splitting.json").read_text("utf-8"))


@pytest.mark.parametrize(("text", "intents"), TABLE["cases"])
def test_a_request_is_divided_where_it_asks_for_several_things(
    matcher_for: MatcherFor, text: str, intents: list[str]
) -> None:
    analysis = matcher_for(*TABLE["patterns"]).analyse(text)

    planned = [intent.type for intent in analysis.plan]
    alone = [] if analysis.intent is None else [analysis.intent.type]
    assert (planned or alone) == intents
    assert len(planned) != 1


def test_a_plan_has_the_params_and_places_of_each_part(matcher_for: MatcherFor) -> None:
    text = "Liste les fichiers de Été/x, puis écris à Zoé que c’est fait"

    analysis = matcher_for(*TABLE["patterns"]).analyse(text)

    assert [intent.params for intent in analysis.plan] == [
        {"path": "Été/x"},
        {"to": "Zoé", "body": "que c’est fait"},
    ]
    assert [text[slice(*each.span)] for each in analysis.candidates] == [
        "Liste les fichiers de Été/x",
        "écris à Zoé que c’est fait",
    ]
    assert [text[slice(*slot.span)] for each in analysis.candidates for slot in each.slots] == [
        "Été/x",
        "Zoé",
        "que c’est fait",
    ]
    assert analysis.intent == analysis.plan[0]
    assert analysis.to_dict()["plan"] == [intent.to_dict() for intent in analysis.plan]


WORDS = st.sampled_from(["liste", "puis", "et puis", ";", "then", '"', ":", ",", "résume", "."])


@given(st.lists(WORDS, max_size=30).map(" ".join))
def test_parts_never_overlap_and_are_in_order(text: str) -> None:
    for parts in ways_to_divide(text, divisions(text)):
        assert 2 <= len(parts) <= MAX_PARTS
        assert all(first[1] <= second[0] for first, second in pairwise(parts))
        assert all(text[start:end].strip() for start, end in parts)
