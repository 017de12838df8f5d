"""Expressions evaluated: values, nothing against null, exact numbers, errors, limits."""

import json
import random
import time
from collections.abc import Callable
from typing import Any

import pytest

from podium.domain.errors import (
    ExpressionError,
    ExpressionLimitError,
    ExpressionSyntaxError,
    PodiumError,
    TransformerFailedError,
    UnknownTransformerError,
)
from podium.domain.limits import Limits
from podium.mapping.expressions import (
    _COMPILED,
    MAX_COMPILED,
    MISSING,
    Evaluator,
    parse,
)
from podium.mapping.transformers import Transformers
from podium.storage.system import SystemClock
from podium.testing import FakeClock

Evaluate = Callable[..., Any]

BIG = 2**60 + 1
SCOPE: dict[str, Any] = {
    "path": "/docs",
    "list_files": {
        "files": [{"name": "a", "size": 5, "id": BIG}, {"name": "b", "size": 6, "id": BIG + 1}]
    },
    "one": {"files": [{"name": "only"}]},
    "nothing": None,
    "deep": {"null": None, "empty": [], "text": ""},
    "weird é🎉": {"x y": 1},
}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("path", "/docs"),
        ("'literal'", "literal"),
        ('"it\'s"', "it's"),
        ("list_files.files[1].name", "b"),
        ("list_files.files[-1].name", "b"),
        ("list_files.files[7].name", MISSING),
        ("list_files.files.name", ["a", "b"]),
        ("one.files", [{"name": "only"}]),
        ("one.files.name", "only"),
        ("one.files.name[]", ["only"]),
        ("$.list_files.files[0].size + 1", 6),
        ("list_files.files[size > 5].{'n': name, 'p': $$.path}", {"n": "b", "p": "/docs"}),
        ("`weird é🎉`.`x y`", 1),
        ("nothing", None),
        ("nothing.x", MISSING),
        ("deep.`null`", None),
        ("deep.empty", []),
        ("deep.text", ""),
        ("deep.`null` = null", True),
        ("absent", MISSING),
        ("absent.x", MISSING),
        ("path.x", MISSING),
        ("absent ?? 'else'", "else"),
        ("$exists(absent)", False),
        ("(path; absent)", MISSING),
        ("{'a': absent, 'b': nothing}", {"b": None}),
        ("[absent, nothing]", [None]),
        ("path /* a comment */", "/docs"),
        ("$string({'a': 1})", '{"a":1}'),
        ("list_files.files^(>size).name", ["b", "a"]),
        ("$map(list_files.files, function($f){$f.name & path})", ["a/docs", "b/docs"]),
        ("$match(path, /d(o)c/).groups", ["o"]),
    ],
)
def test_an_expression_finds_its_value(source: str, value: Any, evaluate: Evaluate) -> None:
    assert evaluate(source, SCOPE) == value


def test_a_plain_reference_returns_the_very_object_of_the_scope(evaluate: Evaluate) -> None:
    assert evaluate("$.list_files.files", SCOPE) is SCOPE["list_files"]["files"]


def test_iteration_variables_are_bound(evaluate: Evaluate) -> None:
    variables = {"item": {"name": "x"}, "index": 1, "i": 1, "file": [{"name": "y"}]}

    found = [
        evaluate(parse(source, iterating=True), SCOPE, variables=variables)
        for source in (
            "list_files.files[i].name",
            "list_files.files[$i].name",
            "list_files.files[$index].name & $item.name",
            "$item.name",
            "$file.name",
            "$file[0]",
            "[i]",
            "$unbound",
        )
    ]

    assert found == ["b", "b", "bx", "x", "y", {"name": "y"}, [1], MISSING]


def test_error_is_a_variable_and_a_function(evaluate: Evaluate) -> None:
    variables = {"error": {"code": "tool_failed"}}

    found = [
        evaluate(source, SCOPE, variables=variables)
        for source in ("$error.code", "$error.code & '!'", "$error", "$exists($error.none)")
    ]

    assert found == ["tool_failed", "tool_failed!", {"code": "tool_failed"}, False]
    with pytest.raises(ExpressionError, match="as it was meant"):
        evaluate("$error('as it was meant')", SCOPE)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("list_files.files[0].id", BIG),
        ("list_files.files.id", [BIG, BIG + 1]),
        ("list_files.files[name = 'b'].id", BIG + 1),
        ("{'id': list_files.files[0].id}", {"id": BIG}),
        ("'x/' & list_files.files[0].id", f"x/{BIG}"),
        ("$template('{list_files.files[0].id}')", str(BIG)),
        ("list_files.files[id = $$.list_files.files[1].id].name", "b"),
        ("list_files.files^(>id).name", ["b", "a"]),
        ("$extract_last(list_files.files).id", BIG + 1),
        ("$unique(list_files.files.id)", [BIG, BIG + 1]),
        ("$json_parse('[1180591620717411303424]')[0]", 2**70),
        ("$to_number('9007199254740993')", 9007199254740993),
        ("list_files.files[0].id / 2 > 1", True),
    ],
)
def test_a_large_whole_number_is_never_rounded_on_its_way(
    source: str, value: Any, evaluate: Evaluate
) -> None:
    found = evaluate(source, SCOPE)

    assert found == value
    assert type(found) is type(value)


def test_raw_content_blocks_are_read_by_step_id(evaluate: Evaluate) -> None:
    content = [{"type": "text", "text": "a"}, {"type": "image", "data": "aGk=", "size": BIG}]

    assert evaluate("$blocks(read)", {}, blocks={"read": content}) == content
    assert evaluate("$blocks(read)[type = 'image'].data", {}, blocks={"read": content}) == "aGk="
    assert evaluate("$blocks(other)", {}, blocks={"read": content}) == []


def test_a_template_sees_names_variables_locals_and_context(evaluate: Evaluate) -> None:
    variables = {"item": {"n": 1}}

    found = [
        evaluate(source, SCOPE, variables=variables)
        for source in (
            "$template('{path} {$count(list_files.files)} {absent}{{x}} {$item.n}')",
            "list_files.files.$template('{name} in {$$.path}')",
            "$map(list_files.files, function($f){$template('{$f.name}!')})",
            "$template('{name}: {size}', list_files.files)",
            "$template('{name}', list_files.files[0])",
            "$template('[{name}]', absent)",
            "$template( /* c */ 'a{path}b' , list_files )",
            "$template('{list_files.files.name}') & $template('{deep}')",
            "('text'; $template(path))",
            "$template(\"{$template('{name}', files)} of {$$.path}\", list_files)",
        )
    ]

    assert found == [
        "/docs 2 {x} 1",
        ["a in /docs", "b in /docs"],
        ["a!", "b!"],
        ["a: 5", "b: 6"],
        "a",
        "[]",
        "ab",
        "a, bnull:\nempty:\ntext:",
        "/docs",
        "a, b of /docs",
    ]


def test_a_text_that_comes_from_data_is_never_an_expression(evaluate: Evaluate) -> None:
    scope = {"page": "{$uppercase(secret)} {$.secret}", "secret": "s", "data": {"secret": "d"}}

    with pytest.raises(TransformerFailedError, match="needs its data"):
        evaluate("$template(page)", scope)
    with pytest.raises(TransformerFailedError, match="plain reference"):
        evaluate("$template(page, data)", scope)
    with pytest.raises(ExpressionError, match="never becomes an expression"):
        evaluate("$eval(page)", scope)
    with pytest.raises(ExpressionError, match="never becomes an expression"):
        evaluate("$map([page], $eval)", scope)


def test_time_and_randomness_come_from_the_ports(transformers: Transformers) -> None:
    clock = FakeClock(1_700_000_000.5)
    first, second = (
        Evaluator(transformers, clock=clock, limits=Limits(), random=random.Random(7))
        for _ in range(2)
    )

    assert first.evaluate("$now()", {}) == "2023-11-14T22:13:20.500Z"
    assert first.evaluate("$now('[Y]-[M01]')", {}) == "2023-11"
    assert first.evaluate("$now('[H]', '+0200')", {}) == "0"
    assert first.evaluate("$millis()", {}) == 1_700_000_000_500
    assert first.evaluate("$random()", {}) == second.evaluate("$random()", {})
    assert first.evaluate("$shuffle([1..9])", {}) == second.evaluate("$shuffle([1..9])", {})


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("$pad('x', 3) & '|'", "x  |"),
        ("$pad('x', -3)", "  x"),
        ("$pad('x', 6, 'ab')", "xababa"),
        ("$pad(absent, 3)", ""),
        ("'x' ~> $pad(2, '-')", "x-"),
    ],
)
def test_padding_works_as_in_jsonata(source: str, value: str, evaluate: Evaluate) -> None:
    assert evaluate(source, {}) == value


@pytest.mark.parametrize(
    ("source", "error", "says", "hints"),
    [
        ("1 + 'x'", ExpressionError, "(T2002)", "$to_number"),
        ("'a' < 1", ExpressionError, "(T2009)", "$string"),
        ("$number('x')", ExpressionError, "(D3030)", "$to_number"),
        ("$error('my words')", ExpressionError, "my words", ""),
        ("1 / 0", ExpressionError, "out of range", "zero"),
        ("{'a': [1 / 0, null]}", ExpressionError, "out of range", "zero"),
        ("$pad(1, 2)", ExpressionError, "$pad takes", "$pad(name, 20)"),
        ("$x(1)", UnknownTransformerError, "no function $x", "transformers"),
        ("$str_to_lst('a')", UnknownTransformerError, "$str_to_lst", "$str_to_list"),
        ("'a' ~> $uppercas", UnknownTransformerError, "$uppercas", "$uppercase"),
        ("$map(['a'], $shout)", UnknownTransformerError, "$shout", ""),
        ("$to_number('abc')", TransformerFailedError, "'to_number' failed: \"abc\"", ""),
        ("$to_number()", TransformerFailedError, "0 arguments", "$to_number(value"),
        ("$excerpt('a', 1, 2, 3)", TransformerFailedError, "4 arguments", "$excerpt(text"),
        ("[1..9999999]", ExpressionLimitError, "250000 elements", "limits"),
        ("($f := function($x){1 + $f($x)}; $f(1))", ExpressionLimitError, "too deeply", ""),
        ("$pad('x', 200000000)", ExpressionLimitError, "100000", ""),
        ("$reduce([1..20], function($a, $b){$a & $a}, 'xx')", ExpressionLimitError, "bytes", ""),
        ("$reduce([1..999], function($a, $b){{'a': $a}})", ExpressionLimitError, "too deeply", ""),
        ("a b", ExpressionSyntaxError, "S0201", ""),
    ],
)
def test_a_failing_expression_says_what_is_wrong(
    source: str, error: type[PodiumError], says: str, hints: str, evaluate: Evaluate
) -> None:
    with pytest.raises(error) as caught:
        evaluate(source, {})

    assert says in caught.value.message
    assert hints in caught.value.hint
    assert isinstance(caught.value.to_dict()["code"], str)


@pytest.mark.parametrize(
    "source",
    [
        "($f := function($x){$f($x)}; $f(1))",
        "$sort([1..200000], function($a, $b){$a < $b})[0]",
        "$reduce([1..40], function($a, $b){$a & $a}, 'xxxx')",
    ],
)
def test_an_expression_that_does_not_end_is_stopped(
    source: str, transformers: Transformers
) -> None:
    limits = Limits(expression_seconds=0.1)
    evaluator = Evaluator(transformers, clock=SystemClock(), limits=limits)
    started = time.monotonic()

    with pytest.raises(ExpressionLimitError, match=r"0\.1 seconds \(D1012\)"):
        evaluator.evaluate(source, {})

    assert time.monotonic() - started < 3


@pytest.mark.parametrize("source", ["$count(a)", "[a]", "a.b"])
def test_values_that_are_no_json_are_refused_without_a_crash(
    source: str, evaluate: Evaluate
) -> None:
    deep: Any = 1
    for _ in range(5_000):
        deep = [deep]

    for value in ([{1: 2}], [{"b": {1, 2}}], [object()], [{"b": 2**99_999}], deep):
        with pytest.raises(ExpressionError, match="no JSON"):
            evaluate(source, {"a": value})


def test_near_relatives_of_json_are_understood(evaluate: Evaluate) -> None:
    assert evaluate("[a]", {"a": (1, (2,))}) == [1, [2]]
    assert evaluate("a & 'x'", {"a": "\ud800"}) == "\N{REPLACEMENT CHARACTER}x"


def test_the_evaluator_can_be_used_inside_of_a_transformer(
    transformers: Transformers, evaluator: Evaluator
) -> None:
    transformers.converters["inner"] = lambda value: evaluator.evaluate("n + 1", {"n": value})

    assert evaluator.evaluate("$inner(n) + $inner(1)", {"n": 5}) == 8


def test_transformers_that_call_one_another_forever_are_stopped(
    transformers: Transformers, evaluator: Evaluator
) -> None:
    transformers.converters["again"] = lambda: evaluator.evaluate("$again()", {})

    with pytest.raises(ExpressionLimitError, match="too deeply"):
        evaluator.evaluate("$again()", {})


def test_many_different_expressions_do_not_pile_up(evaluator: Evaluator) -> None:
    for number in range(MAX_COMPILED + 50):
        assert evaluator.evaluate(f"1 + {number}", {}) == number + 1

    assert len(_COMPILED.programs) <= MAX_COMPILED


def test_programs_go_when_their_evaluator_is_closed(evaluator: Evaluator) -> None:
    evaluator.evaluate("1 + 1 + n", {"n": 1})
    evaluator.close()

    assert not any("1 + 1 + n" in program for _, program, _ in _COMPILED.programs)


def test_one_value_is_applied_as_the_root(evaluator: Evaluator) -> None:
    assert evaluator.apply(parse("$count($)"), [1, 2]) == 2
    assert evaluator.apply(parse("$sum($) + $args[0]"), [1, 2], [10]) == 13
    assert evaluator.apply(parse("a"), [{"a": BIG}]) == BIG
    assert evaluator.apply(parse("absent"), {}) is None


def test_only_the_names_that_are_read_are_looked_at(evaluate: Evaluate) -> None:
    assert evaluate("a + 1", {"a": 1, "b": object()}) == 2
    assert json.dumps(evaluate("$keys($)", {"b": 1, "a": {}})) in {'["b", "a"]', '["a", "b"]'}
