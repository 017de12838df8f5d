"""Expressions evaluated: a scope of JSON values to one JSON value, or to MISSING."""

import itertools
import math
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from random import Random
from typing import Any, Final, Literal

import jsonatapy
import orjson

from podium.domain.errors import (
    ExpressionError,
    ExpressionLimitError,
    PodiumError,
    TransformerFailedError,
)
from podium.domain.limits import Limits
from podium.domain.ports import Clock
from podium.mapping.analysis import Expression, parse
from podium.mapping.engine_functions import ADDITIONS, OVERRIDES
from podium.mapping.exact import NotJsonError, decode, encode, is_exact
from podium.mapping.frame import CURRENT, Frame, current_frame
from podium.mapping.reading import ENGINE_TEMPLATE, TEMPLATE
from podium.mapping.references import MISSING, NEEDS_ENGINE, Missing, follow
from podium.mapping.syntax import shorten
from podium.mapping.transformers import Transformers

__all__ = ["MISSING", "Evaluator", "Expression", "Missing", "parse"]

AUTHORS_OWN = "D3137"  # `$error("…")`: the author's words say it all
MAX_COMPILED = 2_048  # programs a thread keeps compiled; compiling takes a few microseconds
MAX_STACK = 500  # calls; fits the smallest stack that a thread gets anywhere (512 KiB)
MAX_DEPTH = 16  # transformers made of expressions that call one another
NOTHING: Final[Mapping[str, Any]] = {}


class _Compiled(threading.local):
    """The compiled programs of one thread, which must let them go itself: the engine asks for that.

    They are kept here and not in the evaluators, because the garbage collector may let go of an
    evaluator in any thread.
    """

    def __init__(self) -> None:
        self.programs: dict[tuple[int, str, bool], Any] = {}


_COMPILED = _Compiled()
_SERIAL_NUMBERS = itertools.count()


class Evaluator:
    """Evaluates expressions with a registry of transformers, a clock and limits."""

    def __init__(
        self,
        transformers: Transformers,
        *,
        clock: Clock,
        limits: Limits,
        random: Random | None = None,
    ) -> None:
        self._transformers = transformers
        self._clock = clock
        self._limits = limits
        self._random = random or Random()  # noqa: S311 - `$random()` is no secret
        self._number = next(_SERIAL_NUMBERS)

    def evaluate(
        self,
        expression: Expression | str,
        scope: Mapping[str, Any],
        *,
        variables: Mapping[str, Any] = NOTHING,
        blocks: Mapping[str, Sequence[dict[str, Any]]] = NOTHING,
    ) -> Any | Literal[Missing.MISSING]:
        """Return what an expression finds; MISSING when it finds nothing (null stays None).

        A plain reference returns the very object of the scope: treat it as read only.

        Raises:
            ExpressionError: a subclass says what is wrong with the expression.
            UnknownTransformerError: it calls a function that nobody knows.
            TransformerFailedError: a function that it calls failed.

        """
        if not isinstance(expression, Expression):
            expression = parse(expression)
        if expression.literal:
            return expression.literal[0]
        if expression.reference is not None:
            found = follow(expression.reference, scope, variables)
            if found is not NEEDS_ENGINE:
                return found
        wanted = scope if expression.whole_scope else expression.data_names
        data = _present(scope, wanted)
        bindings = _present(variables, expression.variables)
        with self._frame(expression, blocks) as frame:
            result = self._run(expression, data, bindings, frame, wrapped=True)
            return result.get("v", MISSING)

    def close(self) -> None:
        """Let the programs go that this thread has compiled."""
        programs = _COMPILED.programs
        for key in [key for key in programs if key[0] == self._number]:
            del programs[key]

    def apply(self, expression: Expression, value: Any, arguments: Sequence[Any] = ()) -> Any:
        """Return what an expression makes of one value: `$` is the value, `$args` the arguments.

        Nothing found is None. Raises as `evaluate` does.
        """
        with self._frame(expression, NOTHING) as frame:
            bindings = {"args": list(arguments)}
            return self._run(expression, value, bindings, frame, wrapped=False)

    # --- one evaluation

    @contextmanager
    def _frame(
        self, expression: Expression, blocks: Mapping[str, Sequence[dict[str, Any]]]
    ) -> Iterator[Frame]:
        outer = CURRENT.get()
        clock = outer.clock if outer else self._clock
        allowed = clock.monotonic() + self._limits.expression_seconds
        frame = Frame(
            source=expression.source,
            blocks=blocks,
            clock=clock,
            now=outer.now if outer else clock.now(),
            random=outer.random if outer else self._random,
            deadline=min(allowed, outer.deadline) if outer else allowed,
            depth=outer.depth + 1 if outer else 0,
        )
        if frame.depth > MAX_DEPTH:
            raise ExpressionLimitError(
                "transformers call one another too deeply", expression=expression.source
            )
        token = CURRENT.set(frame)
        try:
            yield frame
        finally:
            CURRENT.reset(token)

    def _run(
        self, expression: Expression, data: Any, bindings: Any, frame: Frame, *, wrapped: bool
    ) -> Any:
        program = self._program(expression, wrapped=wrapped)
        frame.marked = not is_exact([data, bindings])
        if not frame.marked:
            try:
                return self._call(program, data, bindings, frame)
            except TypeError:
                pass  # a tuple, or another near relative of JSON: made plain below
        try:
            return self._call(program, *_encoded(data, bindings, frame), frame)
        except ExpressionLimitError:
            raise
        except ExpressionError:
            if not frame.marked:
                raise
            # Arithmetic on a marked number; with doubles it works, as precisely as they can.
            frame.marking = frame.marked = False
            return self._call(program, *_encoded(data, bindings, frame), frame)

    def _call(self, program: Any, data: Any, bindings: Any, frame: Frame) -> Any:
        frame.failure = None
        try:
            result = program.evaluate(
                data,
                bindings,
                timeout=max(1, round(frame.seconds_left * 1000)),
                max_stack_depth=MAX_STACK,
                max_sequence_length=self._limits.expression_items,
            )
        except ValueError as error:
            raise self._explain(frame.failure or error, frame) from None
        self._check_result(result, frame)
        return decode(result) if frame.marked else result

    def _check_result(self, result: Any, frame: Frame) -> None:
        try:
            text = orjson.dumps(result)
        except TypeError:
            raise self._too_deep(frame) from None
        if len(text) > self._limits.result_bytes:
            raise ExpressionLimitError(
                f"the expression {shorten(frame.source)} makes a value of more than "
                f"{self._limits.result_bytes} bytes",
                expression=frame.source,
                hint="pick or cut what is needed; limits.result_bytes in config.yaml is the bound",
            )
        # Infinity is written as null; only a text with a null in it deserves the slower look.
        if b"null" in text and not _is_finite(result):
            raise ExpressionError(
                f"the expression {shorten(frame.source)} failed: a number is out of range (D1001)",
                expression=frame.source,
                hint="a division by zero gives this",
            )

    def _too_deep(self, frame: Frame) -> ExpressionLimitError:
        return ExpressionLimitError(
            f"the expression {shorten(frame.source)} makes a value that is nested too deeply",
            expression=frame.source,
        )

    def _explain(self, error: BaseException, frame: Frame) -> BaseException:
        """Return the error to raise for what the engine or a function that it called raised."""
        if isinstance(error, RecursionError):
            return self._too_deep(frame)
        if isinstance(error, PodiumError) or not isinstance(error, ValueError):
            return error
        code, message = _split_code(str(error))
        if code in _LIMIT_FAULTS:
            what = _LIMIT_FAULTS[code].format(self._limits)
            return ExpressionLimitError(
                f"the expression {shorten(frame.source)} was stopped: {what} ({code})",
                expression=frame.source,
                hint="the bounds are under `limits` in config.yaml",
            )
        if code == AUTHORS_OWN:
            return ExpressionError(message, expression=frame.source)
        suffix = f" ({code})" if code else ""
        return ExpressionError(
            f"the expression {shorten(frame.source)} failed: {message}{suffix}",
            expression=frame.source,
            hint=_HINTS.get(code, ""),
        )

    # --- programs

    def _program(self, expression: Expression, *, wrapped: bool) -> Any:
        programs, key = _COMPILED.programs, (self._number, expression.program, wrapped)
        program = programs.get(key)
        if program is None:
            if len(programs) >= MAX_COMPILED:
                del programs[next(iter(programs))]
            program = programs[key] = self._compile(expression, wrapped=wrapped)
        return program

    def _compile(self, expression: Expression, *, wrapped: bool) -> Any:
        # Inside an object, nothing found leaves the key out while null stays.
        text = f'{{"v": ({expression.program}\n)}}' if wrapped else expression.program
        program = jsonatapy.compile(text)
        for name, function in OVERRIDES.items():
            program.register_override(name, _remembering(function))
        for name, function in ADDITIONS.items():
            program.register(name, _remembering(function))
        if TEMPLATE in expression.functions:
            program.register(ENGINE_TEMPLATE, _remembering(self._fill_template))
        for name in expression.functions:
            program.register(name, _remembering(self._trampoline(name)))
        return program

    def _fill_template(self, text: str, *values: Any) -> Any:
        if self._transformers.is_replaced(TEMPLATE):
            return self._trampoline(TEMPLATE)(text)
        return ADDITIONS[ENGINE_TEMPLATE](text, *values)

    def _trampoline(self, name: str) -> Callable[..., Any]:
        """Return a function that looks the transformer up each time it is called."""

        def call(*arguments: Any) -> Any:
            frame = current_frame()
            self._check_time(frame)
            given = [decode(argument) for argument in arguments] if frame.marked else arguments
            result = self._transformers.call(name, given)
            try:
                encoded = encode(result, marking=frame.marking)
            except NotJsonError as error:
                raise TransformerFailedError(
                    f"the result of the transformer '{name}' is not JSON: {error}",
                    hint="return text, numbers, true or false, null, lists and objects only",
                ) from None
            frame.marked = frame.marked or (frame.marking and not is_exact(result))
            return encoded

        return call

    def _check_time(self, frame: Frame) -> None:
        if frame.seconds_left < 0:
            raise ExpressionLimitError(
                f"the expression {shorten(frame.source)} was stopped: "
                + _LIMIT_FAULTS["D1012"].format(self._limits),
                expression=frame.source,
            )


_LIMIT_FAULTS = {
    "D1011": "functions call one another too deeply",
    "D1012": "it took longer than {0.expression_seconds} seconds",
    "D2014": "it builds a list of more than {0.expression_items} elements",
    "D2015": "it builds a list of more than {0.expression_items} elements",
}

_HINTS = {
    "T1005": "functions start with a dollar sign",
    "T1006": "only functions can be called",
    "T2001": "$number(…) or $to_number(…) makes a number of a text",
    "T2002": "$number(…) or $to_number(…) makes a number of a text",
    "T2009": "compare texts with texts and numbers with numbers: $string(…), $number(…)",
    "T2010": "compare texts with texts and numbers with numbers: $string(…), $number(…)",
    "D3030": "$to_number(…) also reads '1 234,56' and '1,234.56'",
}

_CODE = re.compile(r"([A-Z]\d{4}): (.*)", re.DOTALL)


def _split_code(message: str) -> tuple[str, str]:
    match = _CODE.match(message)
    return (match[1], match[2]) if match else ("", message)


def _is_finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def _present(values: Mapping[str, Any], names: Any) -> dict[str, Any]:
    return {name: values[name] for name in names if values.get(name, MISSING) is not MISSING}


def _encoded(data: Any, bindings: Any, frame: Frame) -> tuple[Any, Any]:
    try:
        return encode(data, marking=frame.marking), encode(bindings, marking=frame.marking)
    except NotJsonError as error:
        raise ExpressionError(
            f"the expression {shorten(frame.source)} reads a value that is no JSON: {error}",
            expression=frame.source,
        ) from None


def _remembering(function: Callable[..., Any]) -> Callable[..., Any]:
    """Keep what a function raises in the frame: the engine only passes on its text."""

    def call(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except BaseException as error:
            current_frame().failure = error
            raise

    return call
