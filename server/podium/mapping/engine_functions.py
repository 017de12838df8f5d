"""Functions that Podium gives the engine beside its transformers, or in place of the engine's own.

Time and randomness come from ports, `$eval` is off, and `$pad` is bounded (the engine's own fills
600 MB without looking at its limits).
"""

import math
from collections.abc import Callable
from typing import Any, Final

import jsonatapy

from podium.domain.errors import ExpressionError, ExpressionLimitError
from podium.mapping.exact import decode, encode
from podium.mapping.frame import current_frame
from podium.mapping.reading import BLOCKS, ENGINE_TEMPLATE
from podium.mapping.templates import fill, split

MAX_PADDING = 100_000  # characters; nobody reads a wider column


def refuse_eval(*_arguments: Any) -> Any:
    """Refuse `$eval`: data never becomes an expression."""
    raise ExpressionError(
        "$eval is switched off: data never becomes an expression",
        expression=current_frame().source,
        hint="write the expression itself, or a transformer",
    )


def now(picture: Any = None, timezone: Any = None, *_rest: Any) -> Any:
    """Return the frame's moment as ISO text, or as the picture and time zone say."""
    arguments = {"millis": millis(), "picture": picture, "timezone": timezone}
    given = ["$millis", *(f"${name}" for name in ("picture", "timezone") if arguments[name])]
    return jsonatapy.compile(f"$fromMillis({', '.join(given)})").evaluate(None, arguments)


def millis(*_arguments: Any) -> int:
    """Return the frame's moment in milliseconds since the epoch."""
    return math.floor(current_frame().now * 1000)


def random(*_arguments: Any) -> float:
    """Return a number from 0 up to 1."""
    return current_frame().random.random()


def shuffle(items: Any = None, *_rest: Any) -> Any:
    """Return a list in random order."""
    if items is None:
        return None
    shuffled = list(items) if isinstance(items, list) else [items]
    current_frame().random.shuffle(shuffled)
    return shuffled


def pad(text: Any = None, width: Any = None, filler: Any = None, *_rest: Any) -> str:
    """Return a text filled up to a width: on the right, or on the left for a negative one."""
    source = current_frame().source
    if text is None:
        return ""
    if not isinstance(text, str) or not isinstance(width, int | float) or isinstance(width, bool):
        raise ExpressionError(
            "$pad takes a text and a width (T0410)",
            expression=source,
            hint="for example $pad(name, 20), or $pad(name, -20) to fill on the left",
        )
    if not abs(width) <= MAX_PADDING:
        raise ExpressionLimitError(
            f"$pad fills up to {MAX_PADDING} characters, not {width:.0f}", expression=source
        )
    missing = max(abs(int(width)) - len(text), 0)
    pattern = filler if isinstance(filler, str) and filler else " "
    filling = (pattern * (missing // len(pattern) + 1))[:missing]
    return text + filling if width > 0 else filling + text


def blocks(step_id: Any = None, *_rest: Any) -> list[dict[str, Any]]:
    """Return a step's raw content blocks, an empty list if it has none."""
    frame = current_frame()
    frame.marked = True  # there may be large numbers in them
    content: list[dict[str, Any]] = encode(
        list(frame.blocks.get(str(step_id), ())), marking=frame.marking
    )
    return content


def fill_template(text: str, *values: Any) -> str:
    """Return a template text with the values of its holes, which the engine has evaluated."""
    return fill(split(text), [decode(value) for value in values])


OVERRIDES: Final[dict[str, Callable[..., Any]]] = {
    "eval": refuse_eval,
    "now": now,
    "millis": millis,
    "random": random,
    "shuffle": shuffle,
    "pad": pad,
}
ADDITIONS: Final[dict[str, Callable[..., Any]]] = {
    BLOCKS: blocks,
    ENGINE_TEMPLATE: fill_template,
}
