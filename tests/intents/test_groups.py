"""Groups of regexes that are slots: their types, and what is left around a value."""

from collections.abc import Callable
from typing import Any

import pytest

from podium.intents.matcher import Matcher

MatcherFor = Callable[..., Matcher]


@pytest.mark.parametrize(
    ("pattern", "text", "params"),
    [
        ({"regex": "^timer (?P<n>.+)$", "slots": {"n": "duration"}}, "timer 5 min?", {"n": 300}),
        ({"regex": "timer (?P<n>.+)", "slots": {"n": "duration"}}, "a timer 5 min !", {"n": 300}),
        ({"regex": "^open (?P<p>\\S+)$", "slots": {"p": "path"}}, "open a.txt.", {"p": "a.txt"}),
        ({"regex": "^list(?: (?P<p>\\S+))?$", "slots": {"p": "path"}}, "list .", {"p": "."}),
        ({"regex": "^open (?P<p>\\S+)$", "slots": {"p": "path"}}, "open <>?", None),
        ({"regex": "^find (?P<q>.+)$", "slots": {"q": "text"}}, "find « la mer »", {"q": "la mer"}),
        ({"regex": "^find (?P<q>.+)$"}, "find « la mer »", {"q": "« la mer »"}),
        ({"regex": "^note: (?P<t>.+?)[?!]*$", "slots": {"t": "text"}}, "note: so?", {"t": "so?"}),
    ],
)
def test_a_group_with_a_type_is_its_value(
    matcher_for: MatcherFor, pattern: dict[str, Any], text: str, params: dict[str, Any] | None
) -> None:
    intent = matcher_for({"name": "it", **pattern}).analyse(text).intent

    assert (intent and intent.params) == params


def test_what_a_sentence_says_in_a_slot_does_not_type_the_group_of_that_name(
    matcher_for: MatcherFor,
) -> None:
    matcher = matcher_for(
        {
            "name": "send",
            "sentences": "write to {to:friend}",
            "regex": "^write to (?P<to>[^@]+@\\S+)$",
            "slots": {"friend": {"values": [{"in": "Bob", "out": "bob@example.org"}]}},
        }
    )

    found = [matcher.analyse(text).intent for text in ("write to Bob", "write to z@example.org")]

    assert [each and each.params for each in found] == [
        {"to": "bob@example.org"},
        {"to": "z@example.org"},
    ]
