"""`--param` texts become values of the types that the composition asks for."""

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from podium.cli.params import params_of, value_of

UNTYPED = [
    ("text", "text"),
    ("", ""),
    ("007", "007"),
    ("7", 7),
    ("-1.5", -1.5),
    ("1e3", 1000.0),
    ("true", True),
    ("True", "True"),
    ("null", "null"),
    ("NaN", "NaN"),
    ('"quoted"', '"quoted"'),
    ('["a", 1]', ["a", 1]),
    ('{"a": {"b": null}}', {"a": {"b": None}}),
    ("[1,", "[1,"),
    ("[" * 100_000, "[" * 100_000),
]
TYPED = [
    ("string", "7", "7"),
    ("string", "true", "true"),
    ("integer", "7", 7),
    ("integer", "007", "007"),
    ("integer", "many", "many"),
    ("integer", "true", "true"),
    ("number", "7", 7),
    ("boolean", "false", False),
    ("boolean", "1", "1"),
    ("array", '["a"]', ["a"]),
    ("array", "a", "a"),
    ("object", "{}", {}),
    (["string", "null"], "null", None),
    (["integer", "string"], "7", 7),
    (["integer", "string"], "x", "x"),
    ("nonsense", "7", "7"),
    (7, "7", 7),
]


@pytest.mark.parametrize(("text", "value"), UNTYPED)
def test_without_a_type_only_plain_json_is_more_than_text(text: str, value: object) -> None:
    found = value_of(text, None)

    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(("type_", "text", "value"), TYPED)
def test_the_input_schema_decides_what_a_text_means(
    type_: object, text: str, value: object
) -> None:
    found = value_of(text, {"type": type_})

    assert (found, type(found)) == (value, type(value))


@given(st.text())
def test_a_text_param_is_never_changed(text: str) -> None:
    found = value_of(text, {"type": "string"})

    assert found == text


def test_a_pair_wins_over_the_json_and_keeps_its_equals_signs() -> None:
    schema = {"properties": {"b": {"type": "string"}}}

    found = params_of(["a=1", "b=x=y=1"], '{"a": 2, "c": [3]}', schema)

    assert found == {"a": 1, "b": "x=y=1", "c": [3]}


@pytest.mark.parametrize(
    ("pairs", "params", "complaint"),
    [
        (["a"], None, "'a' should be name=value"),
        (["=a"], None, "'=a' should be name=value"),
        (["a=1", "a=2"], None, "'a' is given twice"),
        ([], "[1]", "should be a JSON object"),
        ([], "{a: 1}", "is not valid JSON"),
        ([], "[" * 100_000, "is not valid JSON"),
    ],
)
def test_what_is_no_param_is_refused(pairs: list[str], params: str | None, complaint: str) -> None:
    with pytest.raises(typer.BadParameter, match=complaint.replace("{", r"\{")):
        params_of(pairs, params, {})
