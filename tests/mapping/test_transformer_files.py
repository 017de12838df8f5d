"""Transformer files of a workspace: the good ones are registered, each bad one is reported."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from podium.domain.errors import (
    TransformerFailedError,
    UnknownTransformerError,
    WorkspaceError,
)
from podium.domain.limits import Limits
from podium.mapping import files
from podium.mapping.expressions import Evaluator
from podium.mapping.files import TransformerFile
from podium.mapping.transformers import Transformers
from podium.testing import FakeClock

SHIPPED = Path(__file__).parents[2] / "transformers"


def load_transformers(folder: Path, registry: Transformers) -> list[WorkspaceError]:
    player = Evaluator(registry, clock=FakeClock(), limits=Limits())
    return files.load_transformers(folder, registry, evaluator=player)


def write(folder: Path, name: str, content: Any) -> Path:
    path = folder / name
    text = content if isinstance(content, str) else json.dumps(content, indent=1)
    path.write_text(text, encoding="utf-8")
    return path


def test_json_transformers_are_called_like_any_function(
    tmp_path: Path, transformers: Transformers, evaluator: Evaluator
) -> None:
    write(
        tmp_path,
        "one.json",
        {
            "$schema": "x",
            "name": "initials",
            "description": "First letters.",
            "expression": "$join($split($, ' ').$substring($, 0, 1))",
            "examples": [{"input": "Ada Lovelace", "output": "AL"}],
        },
    )
    write(
        tmp_path,
        "two.json",
        {
            "transformers": [
                {"name": "add", "expression": "$ + $args[0]"},
                {"name": "count_all", "expression": "$count($)"},
                {"name": "loud", "expression": "$uppercase($initials($))"},
            ]
        },
    )

    faults = load_transformers(tmp_path, transformers)

    assert faults == []
    assert evaluator.evaluate("$initials('Grace Hopper') & $add(1, 2)", {}) == "GH3"
    assert evaluator.evaluate("$count_all(a)", {"a": [1, 2]}) == 2
    assert evaluator.evaluate("$count_all(a)", {"a": [1]}) == 1
    assert evaluator.evaluate("$map(a, $loud)", {"a": ["ada l", "x y"]}) == ["AL", "XY"]
    assert transformers.converters["initials"]("Ada L") == "AL"
    described = transformers.get("initials")
    assert described is not None
    assert (described.description, described.source) == (
        "First letters.",
        str(tmp_path / "one.json"),
    )


def test_a_json_transformer_checks_its_input_and_its_output(
    tmp_path: Path, transformers: Transformers, evaluator: Evaluator
) -> None:
    write(
        tmp_path,
        "checked.json",
        {
            "name": "double",
            "expression": "$ > 9 ? 'much' : $ * 2",
            "input_schema": {"type": "number"},
            "output_schema": {"type": "number"},
        },
    )

    assert load_transformers(tmp_path, transformers) == []

    assert evaluator.evaluate("$double(4)", {}) == 8
    with pytest.raises(TransformerFailedError, match="input does not fit: must be a number"):
        evaluator.evaluate("$double('x')", {})
    with pytest.raises(TransformerFailedError, match="result does not fit: must be a number"):
        evaluator.evaluate("$double(10)", {})


def test_python_functions_that_are_marked_are_registered(
    tmp_path: Path, transformers: Transformers, evaluator: Evaluator
) -> None:
    write(
        tmp_path,
        "text_tools.py",
        '''
from __future__ import annotations
from dataclasses import dataclass

from podium.mapping.transformers import transformer


@dataclass
class Word:
    text: str


@transformer("shout")
def loud(text, mark="!"):
    """Say it loud."""
    return Word(text).text.upper() + mark


@transformer
def backwards(text):
    return text[::-1]


def unmarked(text):
    return text
''',
    )

    faults = load_transformers(tmp_path, transformers)

    assert faults == []
    assert evaluator.evaluate("$shout('hi') & $backwards('ab')", {}) == "HI!ba"
    assert "unmarked" not in transformers.names()
    assert not (tmp_path / "__pycache__").exists()


BAD_JSON: list[tuple[str, Any, int | None, str]] = [
    ("syntax", '{\n "name": "x",\n}', 3, "not valid JSON"),
    ("empty", "", 1, "not valid JSON"),
    ("a list", [1], None, "object"),
    ("no expression", {"name": "x"}, None, "'expression' is missing"),
    ("unknown key", {"name": "x", "expression": "1", "exampels": []}, 4, "unknown key 'exampels'"),
    ("bad name", {"name": "a b", "expression": "1"}, 2, "name"),
    ("jsonata's name", {"name": "map", "expression": "1"}, 2, "JSONata's own"),
    ("bad expression", {"name": "x", "expression": "a b"}, 3, "'b' is not expected"),
    ("unbound variable", {"name": "x", "expression": "$arg"}, 3, "nothing binds $arg"),
    ("blocks", {"name": "x", "expression": "$blocks(a)"}, 3, "knows no steps"),
    ("schema", {"name": "x", "expression": "1", "input_schema": {"type": 5}}, 4, "JSON Schema"),
    (
        "example",
        {"name": "x", "expression": "$ + 1", "examples": [{"input": 1, "output": 3}]},
        5,
        "gives 2, not 3",
    ),
    (
        "failing example",
        {"name": "x", "expression": "$nope($)", "examples": [{"input": 1, "output": 3}]},
        5,
        "no function $nope",
    ),
]


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [case[1:] for case in BAD_JSON],
    ids=[case[0] for case in BAD_JSON],
)
def test_a_bad_json_file_is_reported_with_its_line_and_the_others_load(
    content: Any, line: int | None, says: str, tmp_path: Path, transformers: Transformers
) -> None:
    bad = write(tmp_path, "a_bad.json", content)
    write(tmp_path, "b_good.json", {"name": "good", "expression": "1"})

    (fault,) = load_transformers(tmp_path, transformers)

    assert says in fault.message
    assert str(bad) in fault.message
    assert line is None or fault.faults[0].line == line
    assert "good" in transformers.names()
    assert "x" not in transformers.names()


BAD_PYTHON: list[tuple[str, str, int | None, str]] = [
    ("syntax", "x = 1\ndef f(:\n", 2, "not valid Python"),
    ("raises", "x = 1\n\nraise RuntimeError('boom')\n", 3, "RuntimeError: boom"),
    ("import", "import nothing_like_this\n", 1, "nothing_like_this"),
    ("exits", "import sys\nsys.exit(3)\n", 2, "SystemExit: 3"),
    ("unmarked", "def f(x):\n    return x\n", None, "no function is marked"),
    ("null bytes", "x = 1\0", None, "null bytes"),
    (
        "asynchronous",
        "from podium.mapping.transformers import transformer\n"
        "@transformer('x')\nasync def f(a):\n    return a\n",
        2,
        "asynchronous",
    ),
    (
        "name",
        "from podium.mapping.transformers import transformer\n"
        "@transformer('uppercase')\ndef f(a):\n    return a\n",
        2,
        "JSONata's own",
    ),
]


@pytest.mark.parametrize(
    ("source", "line", "says"), [case[1:] for case in BAD_PYTHON], ids=[c[0] for c in BAD_PYTHON]
)
def test_a_bad_python_file_is_reported_with_its_line_and_the_others_load(
    source: str, line: int | None, says: str, tmp_path: Path, transformers: Transformers
) -> None:
    bad = write(tmp_path, "a_bad.py", source)
    write(tmp_path, "b_good.json", {"name": "good", "expression": "1"})
    modules = set(sys.modules)

    (fault,) = load_transformers(tmp_path, transformers)

    assert says in fault.message
    assert str(bad) in fault.message
    assert fault.faults[0].line == line
    assert fault.code == "transformer_invalid"
    assert "good" in transformers.names()
    assert says in {"asynchronous", "JSONata's own", "no function is marked"} or (
        set(sys.modules) == modules
    )


def test_one_bad_transformer_of_a_list_harms_only_itself(
    tmp_path: Path, transformers: Transformers
) -> None:
    write(
        tmp_path,
        "list.json",
        {"transformers": [{"name": "x"}, 5, {"name": "good", "expression": "1"}]},
    )

    faults = load_transformers(tmp_path, transformers)

    assert [fault.faults[0].where for fault in faults] == ["transformers[0]", "transformers[1]"]
    assert "good" in transformers.names()


def test_two_files_with_the_same_name_are_reported_and_the_first_stays(
    tmp_path: Path, transformers: Transformers, evaluator: Evaluator
) -> None:
    first = write(tmp_path, "a.json", {"name": "x", "expression": "1"})
    write(tmp_path, "b.json", {"name": "x", "expression": "2"})

    (fault,) = load_transformers(tmp_path, transformers)

    assert str(first) in fault.message
    assert evaluator.evaluate("$x(0)", {}) == 1
    assert load_transformers(tmp_path / "nowhere", transformers) == []


def test_a_built_in_comes_back_when_the_example_of_its_replacement_fails(
    tmp_path: Path, transformers: Transformers, evaluator: Evaluator
) -> None:
    write(
        tmp_path,
        "a.json",
        {"name": "excerpt", "expression": "1", "examples": [{"input": 1, "output": 2}]},
    )

    assert len(load_transformers(tmp_path, transformers)) == 1

    assert evaluator.evaluate("$excerpt('a b')", {}) == "a b"


def test_an_example_may_call_a_transformer_of_a_later_file(
    tmp_path: Path, transformers: Transformers
) -> None:
    example = {"input": 1, "output": 2}
    write(tmp_path, "a.json", {"name": "x", "expression": "$y($)", "examples": [example]})
    write(tmp_path, "b.json", {"name": "y", "expression": "$ + 1"})

    assert load_transformers(tmp_path, transformers) == []


def test_loading_again_takes_up_what_changed(
    tmp_path: Path, transformers: Transformers, evaluator: Evaluator
) -> None:
    source = "from podium.mapping.transformers import transformer\n@transformer('x')\ndef f():\n"
    for value in (1, 2):
        write(tmp_path, "a.py", f"{source}    return {value}\n")
        assert load_transformers(tmp_path, transformers) == []
        assert evaluator.evaluate("$x()", {}) == value


def test_json_transformers_that_call_one_another_forever_are_stopped(
    tmp_path: Path, transformers: Transformers, evaluator: Evaluator
) -> None:
    write(tmp_path, "a.json", {"name": "x", "expression": "$x($)"})

    assert load_transformers(tmp_path, transformers) == []

    with pytest.raises(Exception, match="too deeply"):
        evaluator.evaluate("$x(1)", {})


def test_an_unknown_function_inside_a_json_transformer_is_named(
    tmp_path: Path, transformers: Transformers, evaluator: Evaluator
) -> None:
    write(tmp_path, "a.json", {"name": "x", "expression": "$exerpt($)"})

    assert load_transformers(tmp_path, transformers) == []

    with pytest.raises(UnknownTransformerError) as caught:
        evaluator.evaluate("$x(1)", {})
    assert caught.value.hint == "did you mean $excerpt?"


def test_the_shipped_transformers_load_and_their_examples_hold() -> None:
    registry = Transformers()
    before = registry.names()

    assert load_transformers(SHIPPED, registry) == []
    assert len(registry.names() - before) >= 2


def test_the_file_format_has_a_json_schema() -> None:
    schema = TransformerFile.model_json_schema(by_alias=True)

    assert "SingleTransformerFile" in json.dumps(schema)
    assert "expression" in json.dumps(schema)
