"""Files that people write: what is wrong is said with its line, and what to do."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from podium.documents import parse_document, validate
from podium.domain.composition import Composition
from podium.domain.errors import CompositionInvalidError, Fault, FileInvalidError

NAMES = st.text(st.characters(exclude_categories=("Cs",)), max_size=6)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | NAMES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)


def key_paths(value: Any, at: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    found = {at}
    parts = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        parts = enumerate(value)
    for key, part in parts:
        found |= key_paths(part, (*at, key))
    return found


@given(VALUES, st.sampled_from([None, 1]))
def test_every_key_of_a_json_file_has_its_line(value: Any, indent: int | None) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=False)

    document = parse_document(Path("x.json"), text)

    assert document.value == value
    assert set(document.lines) >= key_paths(value)
    assert max(document.lines.values()) <= text.count("\n") + 1


@pytest.mark.parametrize(
    ("name", "text", "line", "says"),
    [
        ("a.json", '{\n "a": 1\n "b": 2}', 3, "not valid JSON"),
        ("a.json", "", 1, "not valid JSON"),
        ("a.json", '{"a": 1,\n "a": 2}', 2, "the key 'a' stands twice"),
        ("a.json", '{"a": NaN}', None, "NaN is not a JSON number"),
        ("a.json", "[" * 100_000, None, "nested deeper"),
        ("a.json", "[" * 70 + "]" * 70, 1, "nested deeper"),
        ("a.yaml", "a: 1\nb: [1\nc: 2", 3, "not valid YAML"),
        ("a.yaml", "a: \x00", None, "not valid YAML"),
        ("a.yaml", "a: 1\nb: 2\na: 3", 3, "the key 'a' stands twice"),
        ("a.yaml", "a: !!python/object/apply:os.system [ls]", 1, "not valid YAML"),
        ("a.yaml", "a: " + "[" * 100 + "]" * 100, None, "too deeply nested"),
        ("a.yaml", "a: &a [x]\nb: [" + "*a," * 200 + "]", None, "too many aliases"),
    ],
)
def test_a_file_that_cannot_be_parsed_says_where(
    name: str, text: str, line: int | None, says: str
) -> None:
    with pytest.raises(FileInvalidError) as caught:
        parse_document(Path(name), text)

    assert says in caught.value.message
    assert [fault.line for fault in caught.value.faults] == [line]


def test_every_fault_of_a_file_is_listed_with_its_line_and_the_nearest_key() -> None:
    text = """{
  "id": "x",
  "steps": [
    {"id": "a b", "server_id": "f",
     "tool_idd": "t", "timeout_seconds": -1},
    {"id": "b", "server_id": "f", "tool_id": "t"}
  ],
  "output": {"a": 5}
}"""
    document = parse_document(Path("c.json"), text)

    with pytest.raises(CompositionInvalidError) as caught:
        validate(document, Composition, CompositionInvalidError)

    assert [str(fault) for fault in caught.value.faults] == [
        'line 4: steps[0].id: should match ^[A-Za-z_][A-Za-z0-9_]*$, not "a b"',
        "line 4: steps[0]: 'tool_id' is missing",
        "line 5: steps[0].timeout_seconds: should be greater than 0, not -1",
        "line 5: steps[0]: unknown key 'tool_idd' (did you mean 'tool_id'?)",
        "line 8: output.a: should be a text, not 5",
    ]
    assert caught.value.code == "composition_invalid"


def test_a_value_of_the_wrong_kind_altogether_is_said() -> None:
    class Small(BaseModel):
        name: str

    with pytest.raises(FileInvalidError, match="should be an object"):
        validate(parse_document(Path("c.json"), "[1]"), Small)


TOOL = {"id": "t", "server_id": "s", "tool_id": "t"}
STEP_KEYS = "tool_id, composition, transform, ask, switch, parallel, repeat, try, steps"


@pytest.mark.parametrize(
    ("step", "faults"),
    [
        ({**TOOL}, []),
        (
            {"id": "p", "parallel": [{**TOOL, "undo": {"server_id": "x", "tool_idd": "z"}}]},
            [
                "line 11: steps[0].parallel[0].undo: 'tool_id' is missing",
                "line 13: steps[0].parallel[0].undo: unknown key 'tool_idd' "
                "(did you mean 'tool_id'?)",
            ],
        ),
        (
            {
                "id": "s",
                "switch": [{"when": "a", "steps": [{"id": "r", "ask": "b", "optoins": "c"}]}],
            },
            [
                "line 13: steps[0].switch[0].steps[0]: unknown key 'optoins' "
                "(did you mean 'options'?)"
            ],
        ),
        (
            {"id": "t", "try": [{**TOOL, "retry": {"attempts": -1}}], "catch": [{"code": []}]},
            [
                "line 12: steps[0].try[0].retry.attempts: should be greater than or equal to 1, "
                "not -1",
                "line 18: steps[0].catch[0]: unknown key 'code' (did you mean 'codes'?)",
            ],
        ),
        (
            {"id": "p", "parallel": [TOOL], "join": 0},
            [
                "line 13: steps[0].join: should be 'all' or 'any', or should be greater than or "
                "equal to 1, not 0"
            ],
        ),
        (
            {**TOOL, "on_error": {"defualt": 1}},
            [
                "line 8: steps[0].on_error: 'default' is missing",
                "line 9: steps[0].on_error: unknown key 'defualt' (did you mean 'default'?)",
            ],
        ),
        (
            {**TOOL, "steps": []},
            [
                "line 4: steps[0]: a step is one thing, this has 'tool_id' and 'steps' "
                "(make steps of their own of them)"
            ],
        ),
        (
            {"id": "p", "paralel": [TOOL]},
            [f"line 4: steps[0]: a step needs one of {STEP_KEYS} (did you mean 'parallel'?)"],
        ),
        ({"id": "p"}, [f"line 4: steps[0]: a step needs one of {STEP_KEYS}"]),
        ({"id": "p", "server_id": "s"}, ["line 4: steps[0]: 'tool_id' is missing"]),
        ({"id": "g", "steps": []}, ["line 6: steps[0].steps: should have at least 1 element(s)"]),
        ({"id": "g", "steps": TOOL}, ["line 6: steps[0].steps: should be a list"]),
        ("tool", ['line 4: steps[0]: should be an object, not "tool"']),
    ],
)
def test_the_faults_of_a_step_are_those_of_its_kind_at_its_place(
    step: Any, faults: list[str]
) -> None:
    text = json.dumps({"id": "c", "steps": [step]}, indent=1)
    document = parse_document(Path("c.json"), text)
    found: tuple[Fault, ...] = ()

    try:
        validate(document, Composition, CompositionInvalidError)
    except CompositionInvalidError as invalid:
        found = invalid.faults

    assert [str(fault) for fault in found] == faults
