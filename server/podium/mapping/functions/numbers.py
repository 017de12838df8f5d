"""Numbers as people write them."""

import math
import re
from decimal import Decimal
from typing import Any

from podium.mapping.functions.common import UnusableError, brief

MAX_CHARACTERS = 100  # of a text that is to be one number

_GROUPS = re.compile(r"[0-9]{1,3}(?:[,.][0-9]{3})+")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_SPACES = re.compile(r"(?<=[0-9])[\s'’_](?=[0-9]{3}(?![0-9]))")
_AROUND = re.compile(r"^[€$£¥]\s*|\s*[€$£¥]$")


def to_number(value: Any, decimal_mark: str | None = None) -> int | float | None:
    """Return the number that a text shows: "1 234,56", "1,234.56", "-3e5", "12 %" (0.12), "5 €".

    A comma before exactly three digits ("1,234") may mean two numbers and is an error; say which
    with `decimal_mark` ("," or "."). Nothing and empty text give null; true is 1, false is 0.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if decimal_mark not in {None, ",", "."}:
        raise UnusableError("the decimal mark is ',' or '.'")
    if isinstance(value, int | float):
        if not math.isfinite(value):
            raise UnusableError("it is no finite number")
        return int(value) if isinstance(value, bool) else value
    if not isinstance(value, str):
        raise UnusableError(f"{brief(value)} is no number")
    return _read(value, decimal_mark)


def _read(text: str, decimal_mark: str | None) -> int | float:
    if len(text) > MAX_CHARACTERS:
        raise UnusableError(f"{brief(text)} is no number")
    plain = text.strip().replace("−", "-")
    sign = plain[:1] if plain[:1] in {"+", "-"} else ""
    plain = plain.removeprefix(sign).lstrip()
    is_percent = plain.endswith("%")
    plain = _AROUND.sub("", plain.removesuffix("%").rstrip())
    plain = _SPACES.sub("", plain)
    plain = sign + _with_point(plain, decimal_mark, text)
    if not _NUMBER.fullmatch(plain):
        raise UnusableError(f"{brief(text)} is no number")
    number = Decimal(plain)
    return _as_json(number / 100 if is_percent else number, text)


def _with_point(plain: str, decimal_mark: str | None, text: str) -> str:
    """Return the digits without grouping marks and with a point as the decimal mark."""
    mark = decimal_mark or _decimal_mark(plain, text)
    grouping = "." if mark == "," else ","
    head, point, tail = plain.partition(mark)
    if grouping in head:
        if not _GROUPS.fullmatch(head):
            raise UnusableError(f"{brief(text)} is no number")
        head = head.replace(grouping, "")
    return f"{head}{'.' if point else ''}{tail}"


def _decimal_mark(plain: str, text: str) -> str:
    commas, points = plain.count(","), plain.count(".")
    if commas and points:
        return "," if plain.rindex(",") > plain.rindex(".") else "."
    if points > 1:
        return ","
    if commas == 1:
        if _GROUPS.fullmatch(plain) and not plain.startswith("0"):
            raise UnusableError(
                f"{brief(text)} may be a thousand or a fraction: say which mark is the decimal "
                "one, $to_number(text, ',') or $to_number(text, '.')"
            )
        return ","
    return "."


def _as_json(number: Decimal, text: str) -> int | float:
    if number == number.to_integral_value() and abs(number) < 10**18:
        return int(number)
    as_float = float(number)
    if not math.isfinite(as_float):
        raise UnusableError(f"{brief(text)} is too large for a number")
    return (
        int(number) if number == number.to_integral_value() and abs(number) < 10**40 else as_float
    )
