"""What an expression reads and calls, and where it goes wrong; the cases are data."""

import json
import time
from pathlib import Path
from typing import Any

import jsonatapy
import pytest

from podium.domain.errors import ExpressionSyntaxError
from podium.mapping.expressions import parse
from podium.mapping.syntax import JSONATA_FUNCTIONS

CASES = json.loads((Path(__file__).parent / "expressions.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=[case["expression"] for case in CASES])
def test_an_expression_reads_what_the_case_says(case: dict[str, Any]) -> None:
    expression = parse(case["expression"], iterating=case.get("iterating", False))

    assert {
        "source": expression.source,
        "names": sorted(expression.names),
        "variables": sorted(expression.variables),
        "functions": sorted(expression.functions),
        "blocks_of": sorted(expression.blocks_of),
        "whole_scope": expression.whole_scope,
        "head_fields": sorted(map(list, expression.head_fields)),
    } == {
        "source": case["expression"],
        "names": case["names"],
        "variables": case.get("variables", []),
        "functions": case.get("functions", []),
        "blocks_of": case.get("blocks_of", []),
        "whole_scope": case.get("whole_scope", False),
        "head_fields": case.get("head_fields", []),
    }


@pytest.mark.parametrize(
    ("source", "position", "says", "hints"),
    [
        ("", 0, "empty", "''"),
        ("   ", 0, "empty", "''"),
        ("/* only a comment */", None, "complete", ""),
        ("a b", 2, "'b' is not expected (S0201)", ""),
        ("Quel fichier ?", 5, "'fichier' is not expected", "quotes: 'Quel fichier ?'"),
        ("which of them", 6, "'of' is not expected", "quotes: 'which of them'"),
        ("What's its name?", 7, "'its' is not expected", 'quotes: "What\'s its name?"'),
        ("a[", 2, "']' is missing at the end (S0203)", ""),
        ("$f(a", 4, "')' is missing", ""),
        ("{'a' 1}", 5, "'1' stands where ':' is expected", ""),
        ("a +", 3, "before it is complete (S0207)", ""),
        ("a == b", 3, "'=' cannot stand here", "single '='"),
        ("a && b", 3, "'&' cannot stand here", "'and'"),
        ("a || b", 2, "'|' is not expected here", "'or'"),
        ("'it\\'s'", 3, "escape (S0103)", "double quotes"),
        ("'open", 5, "quote is missing", ""),
        ("`open", 5, "backquotes", ""),
        ("a /* open", None, "comment", ""),
        ("a.1", 2, "'1' cannot be a step", "a.`1`"),
        ("a.null", 2, "'null' cannot be a step", "backquotes"),
        ("$match(a, /(/)", None, "regex is not closed", ""),
        ("$match(a, /(?=x)/)", None, "look-around", "$regex_extract"),
        ("!a", None, "!", ""),
        ("@", 0, "'@' cannot stand here", ""),
        ("a := 1", 0, "$variable", ""),
        ("str_to_list(a)", 0, "called like a function", "$str_to_list(…)"),
        ("$blocks(read.x)", 0, "id of one step", "$blocks(read_file)"),
        ("$blocks()", 0, "id of one step", ""),
        ("$template('Hi {name')", 14, "not closed", "{{ and }}"),
        ("$template('Hi {}')", 14, "empty", "{{ and }}"),
        ("$template('Hi {a b}')", 17, "'b' is not expected", "{{ and }}"),
        ("$uppercase", None, "a function, not a value", "$uppercase(…)"),
        ("function($x){$x}", None, "a function", ""),
        ("/a/", None, "a regex", ""),
        ("\ud800", None, "surrogate", ""),
        ("%", None, "parent", ""),
    ],
)
def test_a_text_that_is_no_expression_says_where_and_what_to_do(
    source: str, position: int | None, says: str, hints: str
) -> None:
    with pytest.raises(ExpressionSyntaxError) as caught:
        parse(source)

    assert all(word in caught.value.message for word in says.split(" (")), caught.value.message
    assert hints in caught.value.hint
    assert caught.value.expression == source
    assert position is None or caught.value.position == position
    assert caught.value.code == "expression_invalid"
    caught.value.message.encode()


@pytest.mark.parametrize("source", [None, 5, ["a"], {"a": "b"}, True])
def test_what_is_no_text_is_refused_as_an_expression(source: Any) -> None:
    with pytest.raises(ExpressionSyntaxError, match="must be a text"):
        parse(source)


@pytest.mark.parametrize(
    "source",
    [
        "x" * 100_000,
        "'" + "x" * 100_000 + "'",
        "(" * 5_000 + "1" + ")" * 5_000,
        "[" * 10_000,
        "-" * 10_000 + "1",
        "+".join(["a"] * 10_000),
        "a" + ".b" * 10_000,
        "a" + "[0]" * 5_000,
        "(" * 20 + "a" + "??b)" * 20,
        "a?" * 5_000,
        "$f(" * 5_000,
        "function(){" * 2_000,
        "{'a':" * 3_000,
        "$template('{$template(" * 1_000,
        "/" * 30_000,
        "*" * 30_000,
        "`" * 30_000,
    ],
    ids=lambda source: f"{source[:12]}…{source[-6:]}",
)
def test_a_hostile_text_is_refused_within_seconds(source: str) -> None:
    started = time.monotonic()

    with pytest.raises(ExpressionSyntaxError) as caught:
        parse(source)

    assert time.monotonic() - started < 5
    assert len(caught.value.message) < 500


def test_a_long_but_flat_expression_is_read() -> None:
    source = "[" + ", ".join(f"name_{number}.x" for number in range(1_500)) + "]"

    assert len(parse(source).names) == 1_500


def test_the_names_of_jsonatas_own_functions_are_those_the_engine_refuses_to_register() -> None:
    program = jsonatapy.compile("1")

    for name in JSONATA_FUNCTIONS:
        with pytest.raises(ValueError, match=name):
            program.register(name, len)
