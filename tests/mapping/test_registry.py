"""The registry of transformers, as Python code fills it."""

import functools
from typing import Any

import pytest

from podium.domain.errors import TransformerFailedError, TransformerInvalidError
from podium.mapping.expressions import Evaluator, parse
from podium.mapping.transformers import MARK, Transformers, transformer


def test_a_function_registered_later_is_found_by_an_expression_read_before(
    transformers: Transformers, evaluator: Evaluator
) -> None:
    expression = parse("$shout(text) & '!'")

    transformers.converters["shout"] = str.upper
    first = evaluator.evaluate(expression, {"text": "hi"})
    transformers.converters["shout"] = lambda text: text * 2
    second = evaluator.evaluate(expression, {"text": "hi"})

    assert (first, second) == ("HI!", "hihi!")


def test_a_built_in_can_be_replaced_even_the_template(
    transformers: Transformers, evaluator: Evaluator
) -> None:
    transformers.converters["excerpt"] = lambda text: f"<{text}>"
    transformers.converters["template"] = lambda text: f"mine: {text}"

    assert evaluator.evaluate("$excerpt('a')", {}) == "<a>"
    assert evaluator.evaluate("$template('{x}')", {"x": 1}) == "mine: {x}"


def test_converters_behave_like_a_dict(transformers: Transformers) -> None:
    converters = transformers.converters
    count = len(converters)

    converters["shout"] = str.upper
    found = converters["shout"]
    del converters["shout"]

    assert found is str.upper
    assert len(converters) == count
    assert "shout" not in converters
    assert "to_number" in converters
    assert set(converters) == transformers.names()
    with pytest.raises(KeyError):
        converters["shout"]


def test_a_transformer_describes_itself(transformers: Transformers) -> None:
    def shout(text: str, times: int = 1) -> str:
        """Say it loud."""
        return text.upper() * times

    transformers.converters["shout"] = shout

    assert [d for d in transformers.describe() if d["name"] == "shout"] == [
        {
            "name": "shout",
            "usage": "$shout(text, times=1)",
            "description": "Say it loud.",
            "source": "python",
        }
    ]


async def _asynchronous() -> None: ...


async def _generator() -> Any:
    yield 1


def _coroutine_in_disguise() -> Any:
    return _asynchronous()


class _AsynchronousObject:
    async def __call__(self) -> None: ...


@pytest.mark.parametrize(
    ("name", "function", "says"),
    [
        ("uppercase", str.upper, "JSONata's own"),
        ("map", str.upper, "JSONata's own"),
        ("two words", str.upper, "cannot be the name"),
        ("1st", str.upper, "cannot be the name"),
        ("", str.upper, "cannot be the name"),
        ("a-b", str.upper, "cannot be the name"),
        ("é", str.upper, "cannot be the name"),
        (5, str.upper, "cannot be the name"),
        ("blocks", str.upper, "Podium's own"),
        ("podium_x", str.upper, "Podium's own"),
        ("function", str.upper, "Podium's own"),
        ("x", "not a function", "must be a function"),
        ("x", None, "must be a function"),
        ("x", _asynchronous, "asynchronous"),
        ("x", _generator, "asynchronous"),
        ("x", _AsynchronousObject(), "asynchronous"),
        ("x", functools.partial(_asynchronous), "asynchronous"),
    ],
)
def test_what_cannot_be_a_transformer_is_refused(
    name: Any, function: Any, says: str, transformers: Transformers
) -> None:
    with pytest.raises(TransformerInvalidError, match=says):
        transformers.converters[name] = function


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda: 1 / 0, "'x' failed: ZeroDivisionError: division by zero"),
        (lambda: dict[str, int]()["a"], "'x' failed: KeyError: 'a'"),
        (lambda: int("a"), "'x' failed: invalid literal"),
        (_coroutine_in_disguise, "asynchronous"),
        (lambda: {1, 2}, "not JSON: it holds a set"),
        (object, "not JSON: it holds a object"),
        (lambda: {1: 2}, "a key that is no text: 1"),
        (lambda a: a, "got 0 arguments"),
    ],
)
def test_a_transformer_that_fails_is_named_with_the_reason(
    function: Any, says: str, transformers: Transformers, evaluator: Evaluator
) -> None:
    transformers.converters["x"] = function

    with pytest.raises(TransformerFailedError) as caught:
        evaluator.evaluate("$x()", {})

    assert "'x'" in caught.value.message
    assert says in caught.value.message
    assert caught.value.code == "transformer_failed"


def test_a_transformer_that_recurses_forever_fails_like_any_other(
    transformers: Transformers, evaluator: Evaluator
) -> None:
    def forever(value: Any) -> Any:
        return forever([value])

    transformers.converters["forever"] = forever

    with pytest.raises(TransformerFailedError, match="RecursionError"):
        evaluator.evaluate("$forever(1)", {})


def test_an_interrupt_is_not_swallowed(transformers: Transformers, evaluator: Evaluator) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    transformers.converters["interrupt"] = interrupt

    with pytest.raises(KeyboardInterrupt):
        evaluator.evaluate("1 & $interrupt()", {})


def test_tuples_and_large_numbers_of_a_transformer_are_understood(
    transformers: Transformers, evaluator: Evaluator
) -> None:
    transformers.converters["pair"] = lambda: (2**70, {"a": (1,)})

    assert evaluator.evaluate("$pair()", {}) == [2**70, {"a": [1]}]


def test_a_transformer_handed_to_a_jsonata_function_gets_only_the_value(
    transformers: Transformers, evaluator: Evaluator
) -> None:
    transformers.converters["count_arguments"] = lambda *arguments: len(arguments)
    transformers.converters["is_long"] = lambda text: len(text) > 1
    transformers.converters["add"] = lambda one, other: one + other

    found = [
        evaluator.evaluate(source, {"a": ["x", "yy", "zzz"]})
        for source in (
            "$map(a, $count_arguments)",
            "a ~> $map($count_arguments)",
            "$filter(a, $is_long)",
            "$reduce(a, $add)",
            "($add := function($x, $n, $all){$n}; $map(a, $add))",
        )
    ]

    assert found == [[1, 1, 1], [1, 1, 1], ["yy", "zzz"], "xyyzzz", [0, 1, 2]]


def test_the_decorator_marks_a_function_and_leaves_it_as_it_is() -> None:
    @transformer("shout")
    def one(text: str) -> str:
        return text.upper()

    @transformer()
    def two(text: str) -> str:
        return text

    @transformer
    def three(text: str) -> str:
        return text

    assert one("a") == "A"
    assert [getattr(f, MARK) for f in (one, two, three)] == ["shout", "two", "three"]
