"""Secrets are found in JSON text however they are escaped there."""

import json
from typing import Any

import orjson
import pydantic_core
from hypothesis import given
from hypothesis import strategies as st

from podium.domain.redaction import SHORTEST_SECRET, Redactor

characters = st.characters(exclude_categories=("Cs",)) | st.sampled_from('"\\/\n\t\0\x1f\x7fé😀')
secrets = st.text(characters, min_size=SHORTEST_SECRET, max_size=8)
around = st.text(characters, max_size=4)
WRITERS = (
    json.dumps,
    lambda value: json.dumps(value, ensure_ascii=False),
    lambda value: orjson.dumps(value).decode(),
    lambda value: pydantic_core.to_json(value).decode(),
)


@given(secrets, around, around, st.sampled_from(["key", "value"]))
def test_json_that_holds_a_secret_is_never_taken_for_clean(
    secret: str, before: str, after: str, place: str
) -> None:
    text = before + secret + after
    value: Any = {text: 1} if place == "key" else {"a": [1, {"b": text}]}
    redactor = Redactor(["another secret", secret])

    assert redactor.value(value) != value
    assert all(redactor.may_be_in(write(value)) for write in WRITERS)


def test_json_without_a_secret_is_clean() -> None:
    redactor = Redactor(["hunter22", 'quo"ted'])

    assert not redactor.may_be_in(json.dumps({"a": ["hunter2", 'quo\\"te', None]}))
    assert not Redactor().may_be_in('{"a": "hunter22"}')
