"""What a request wants done, by its verbs, and which tools only look."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podium.text.actions import actions, only_reads
from podium.text.tokens import all_words

CASES = json.loads((Path(__file__).parent / "actions.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("text", "expected"), CASES["actions"])
def test_the_verbs_say_what_is_to_be_done(text: str, expected: list[str]) -> None:
    assert sorted(actions(all_words(text))) == expected


@pytest.mark.parametrize("name", CASES["readers"])
def test_a_tool_that_looks_says_so_by_its_name(name: str) -> None:
    assert only_reads(name)


@pytest.mark.parametrize("name", CASES["others"])
def test_a_tool_that_does_not_say_so_is_no_reader(name: str) -> None:
    assert not only_reads(name)


WORDS = st.sampled_from(["not", "delete", "the", "list", "and", "file", "note", "ne", "lis"])


@given(st.lists(WORDS, max_size=8))
def test_what_is_negated_is_never_asked_for(words: list[str]) -> None:
    found = actions(words)

    if {"not", "ne"} & set(words):
        assert all(each.startswith("not ") for each in found)
