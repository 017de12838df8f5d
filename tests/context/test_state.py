"""The state of a conversation and the reading of words: bounds, JSON, no text that breaks it."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.domain.conversation import (
    Conversation,
    ConversationBounds,
    Entity,
    Option,
    PendingQuestion,
    Turn,
    json_bytes,
)
from podium.intents.context.answers import drops, read_choice, read_confirm, read_param
from podium.intents.context.items import listings_of
from podium.intents.context.kinds import fits, key_class, kind_of_param
from podium.intents.context.references import PLACE, read_reference, spots
from podium.intents.context.repetition import read_repetition

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
finite: st.SearchStrategy[Any] = values.filter(lambda value: json_bytes(value) < 1 << 60)
turns = st.builds(
    Turn,
    number=st.integers(0, 100),
    request=texts,
    text=texts,
    status=st.sampled_from(["success", "error"]),
    intent_type=st.none() | texts,
    params=st.dictionaries(texts, finite, max_size=3),
    listings=finite.map(lambda result: listings_of(result, ConversationBounds())),
)
entities = st.builds(Entity, kind=texts, value=texts | st.integers(), label=texts, turn=st.just(0))
questions = st.builds(
    PendingQuestion,
    id=texts,
    kind=st.sampled_from(["param", "choice", "confirm", "ask"]),
    message=texts,
    options=st.lists(st.builds(Option, label=texts, value=finite), max_size=3).map(tuple),
    intent=st.none() | st.dictionaries(texts, finite, max_size=3),
)
conversations = st.builds(
    Conversation,
    turns=st.lists(turns, max_size=6).map(tuple),
    entities=st.lists(entities, max_size=6).map(tuple),
    variables=st.dictionaries(texts, finite, max_size=6),
    question=st.none() | questions,
    count=st.integers(0, 1000),
)
bounds = st.builds(
    ConversationBounds,
    turns=st.integers(1, 4),
    entities=st.integers(0, 4),
    variables=st.integers(0, 4),
    total_bytes=st.integers(200, 3_000),
)
# Words that mean something here, in any order: where a reading would go wrong.
WORDS = """
    le la les l' the it this that ce cette fichier file 2 deuxième second one last dernier et and
    encore again pour for in à Paris notes.md ouvre-le lis - ' " ? ! please merci oui non same même
    chose refais autre previous of them
"""
spoken = st.lists(st.sampled_from(WORDS.split()), max_size=12).map(" ".join)


@given(conversations)
def test_a_state_survives_as_json(state: Conversation) -> None:
    text = json.dumps(state.to_dict())

    assert Conversation.from_dict(json.loads(text)) == state


@given(conversations, bounds)
def test_a_state_is_bounded_and_keeps_the_latest(
    state: Conversation, bounds: ConversationBounds
) -> None:
    kept = state.bounded(bounds)

    assert kept.size_bytes() <= bounds.total_bytes
    assert len(kept.turns) <= bounds.turns
    assert len(kept.entities) <= bounds.entities
    assert len(kept.variables) <= bounds.variables
    assert kept.turns == state.turns[len(state.turns) - len(kept.turns) :]
    assert kept.bounded(bounds) == kept
    assert kept.count == state.count


@given(conversations, turns, st.lists(entities, max_size=3))
def test_a_new_turn_is_the_last_and_what_it_mentions_is_the_newest(
    state: Conversation, turn: Turn, mentioned: list[Entity]
) -> None:
    after = state.with_turn(turn, mentioned)

    assert after.turns[-1].number == after.count == state.count + 1
    assert [e.value for e in after.entities[len(after.entities) - len(mentioned) :]] == [
        entity.value for entity in mentioned
    ]


@given(finite)
@settings(max_examples=300)
def test_whatever_a_result_holds_its_lists_are_bounded(result: Any) -> None:
    bounds = ConversationBounds(items=3)

    found = listings_of(result, bounds)

    assert sum(len(listing.items) for listing in found) <= 3
    assert all(json_bytes(listing.model_dump()) < 100_000 for listing in found)


@pytest.fixture(scope="module")
def first_words_read() -> None:
    """Have the words of references compiled, which is no part of the time of one example."""
    read_reference("so")
    list(spots("so"))


@pytest.mark.usefixtures("first_words_read")
@given(texts | spoken)
@settings(max_examples=500)
def test_any_text_can_be_read(text: str) -> None:
    read_reference(text)
    read_repetition(text)
    drops(text)
    read_confirm(text)
    read_choice(text, (Option(label="a.md", value=1), Option(label="b", value=2)))
    read_param(text, "file")

    for spot in spots(text):
        assert all(form.count(PLACE) == 1 for form in spot.forms if PLACE not in text)


@given(texts, texts)
def test_kinds_are_symmetrical(one: str, other: str) -> None:
    first, second = kind_of_param(one), kind_of_param(other)
    key_class(one, first)

    assert fits(first, second) == fits(second, first)
