"""Text with `{expression}` holes to its parts, and parts with their values to text."""

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MAX_SHOWN_DEPTH = 32  # levels of a value shown in a text; deeper ones are written as JSON


class TemplateError(Exception):
    """The text has a hole that is not closed or is empty; `position` is its 0-based place."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


@dataclass(frozen=True, slots=True)
class Hole:
    """The expression between two braces, and where it starts in the text."""

    expression: str
    position: int


@functools.lru_cache(maxsize=256)
def split(text: str) -> tuple[str | Hole, ...]:
    """Return the literal pieces and the holes of a template text, in order.

    Raises:
        TemplateError: a hole is not closed, or empty.

    """
    parts: list[str | Hole] = []
    literal: list[str] = []
    place = 0
    while place < len(text):
        character = text[place]
        if text.startswith(("{{", "}}"), place):
            literal.append(character)
            place += 2
        elif character == "{":
            end = _end_of_hole(text, place)
            expression = text[place + 1 : end]
            if not expression.strip():
                raise TemplateError("a hole is empty", place)
            parts += ["".join(literal), Hole(expression, place + 1)]
            literal = []
            place = end + 1
        else:
            literal.append(character)
            place += 1
    parts.append("".join(literal))
    return tuple(part for part in parts if part != "")


def _end_of_hole(text: str, start: int) -> int:
    """Return where the brace that opens at `start` closes; braces inside quotes do not count."""
    depth, quote, escaped = 0, "", False
    for place in range(start, len(text)):
        character = text[place]
        if quote:
            if character == quote and not escaped:
                quote = ""
            escaped = character == "\\" and not escaped and quote != "`"
        elif character in "'\"`":
            quote, escaped = character, False
        elif character in "{}":
            depth += 1 if character == "{" else -1
            if depth == 0:
                return place
    raise TemplateError("a hole is not closed: its '}' is missing", start)


def fill(parts: Sequence[str | Hole], values: Sequence[Any]) -> str:
    """Return the text with each hole replaced by its value as people read it."""
    remaining = iter(values)
    return "".join(part if isinstance(part, str) else show(next(remaining, None)) for part in parts)


def show(value: Any) -> str:
    """Return a JSON value as people read it.

    Nothing is empty text, a list of plain values is joined by commas, anything nested becomes
    indented lines.
    """
    if isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
        return ", ".join(_plain(item) for item in value)
    if isinstance(value, dict | list):
        return "\n".join(_lines(value, MAX_SHOWN_DEPTH))
    return _plain(value)


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return json.dumps(value, ensure_ascii=False)


def _lines(value: Any, depth: int) -> list[str]:
    if depth == 0 or not isinstance(value, dict | list) or not value:
        return _plain(value).split("\n")
    lines: list[str] = []
    if isinstance(value, list):
        for item in value:
            first, *rest = _lines(item, depth - 1)
            lines += [f"- {first}", *(f"  {line}" for line in rest)]
        return lines
    for key, item in value.items():
        if isinstance(item, dict) or (isinstance(item, list) and _is_nested(item)):
            lines += [f"{key}:", *(f"  {line}" for line in _lines(item, depth - 1))]
        else:
            first, *rest = show(item).split("\n")
            lines += [f"{key}: {first}".rstrip(), *(f"  {line}" for line in rest)]
    return lines


def _is_nested(items: list[Any]) -> bool:
    return any(isinstance(item, dict | list) for item in items)
