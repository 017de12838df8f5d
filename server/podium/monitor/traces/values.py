"""JSON values compared, weighed and named: how much a match of two of them tells."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from podium.mapping.references import MISSING
from podium.text.folding import fold_text
from podium.text.tokens import tokens

Stage = str | int
Path = tuple[Stage, ...]

MAX_DEPTH = 24  # levels of a value that are looked at
SHORT = 4  # characters; a shorter text is equal to another one by chance
_LONG_TEXT = 40  # characters, with blanks in them: somebody wrote it
_STRONG_BITS = 40.0  # of one value; more would only drown the other reasons

_IDENTIFIERS = tuple(
    re.compile(pattern)
    for pattern in (
        r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}",  # UUID
        r"[0-9a-fA-F]*\d[0-9a-fA-F]{6,}",  # a hash, or its beginning
        r"(?=.*\d)(?=.*[A-Za-z])[\w.:#-]{3,}",  # PROJ-123, cus_9fK2, v1.2.3
        r"[@#!]\S{2,}",  # @user, #channel, !room
        r"[\d +().-]{5,}",  # phone numbers, long numbers
        r"[^\s@]+@[^\s@]+\.\w+",  # e-mail
        r"[A-Za-z][\w+.-]*://\S+",  # URL
        r"~?(?:/[^\s/]+)+/?|\.{1,2}(?:/[^\s/]+)+|[^\s/]+(?:/[^\s/]+)+",  # path
        r"[^\s/]+\.[A-Za-z]\w{1,4}",  # a file name
        r"\d{4}-\d\d-\d\d(?:[T ].*)?|\d{1,2}/\d{1,2}/\d{4}",  # date
    )
)
_GENERIC = frozenset(tokens("id name value key input number text data result item"))
_ALIASES = tuple(
    frozenset(tokens(group))
    for group in (
        "path file filename filepath document",
        "email mail recipient address",
        "text content body message",
        "city location place town",
        "query search term keyword",
        "url link href uri",
        "directory folder dir",
        "date day when",
    )
)


def canonical(value: Any) -> str:
    """Return a text that two JSON values share exactly if they are equal; 1.0 is 1."""
    if isinstance(value, str):
        return f'"{value}'
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return repr(int(value))
    if isinstance(value, int | float):
        return repr(value)
    return json.dumps(_plain(value), sort_keys=True, ensure_ascii=True)


def same(one: Any, other: Any) -> bool:
    """Return whether two JSON values (or MISSING) are equal; true is not 1."""
    if one is MISSING or other is MISSING:
        return one is other
    if type(one) is type(other) and isinstance(one, str):
        return bool(one == other)
    return canonical(one) == canonical(other)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def bits(value: Any) -> float:
    """Return how unlikely it is that an equal value stands elsewhere by chance, in bits."""
    if value is MISSING or value is None or isinstance(value, bool) or value in ("", 0, 1):
        return 0.0
    if isinstance(value, int | float):
        digits = re.sub(r"\D", "", repr(value)).strip("0") or "0"
        return min(_STRONG_BITS, math.log2(1 + float(digits)))
    if isinstance(value, str):
        plain = value.isalpha() and value.islower() and value.isascii()
        return min(_STRONG_BITS, len(value) * (2.0 if plain else 4.0))
    parts = list(value.values()) if isinstance(value, dict) else list(value)
    return min(_STRONG_BITS, math.log2(1 + len(parts)) + sum(bits(part) for part in parts[:40]))


def agreement(values: list[Any]) -> float:
    """Return how unlikely it is that something else gives all these values by chance, in bits.

    A value that was there before tells half of what it told then.
    """
    told: dict[str, float] = {}
    total = 0.0
    for value in values:
        key = canonical(value)
        told[key] = told[key] / 2 if key in told else max(1.0, bits(value))
        total += told[key]
    return total


def is_identifier(value: Any) -> bool:
    """Return whether a value names one thing, so that it would be wrong for any other."""
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return abs(value) >= 10_000
    if not isinstance(value, str) or len(value) > 500:
        return False
    return any(pattern.fullmatch(value.strip()) for pattern in _IDENTIFIERS)


def is_written(value: Any) -> bool:
    """Return whether a text looks written for the occasion: long, or of several lines."""
    return isinstance(value, str) and len(value) >= _LONG_TEXT and any(map(str.isspace, value))


def leaves(value: Any, most: int) -> Iterator[tuple[Path, Any]]:
    """Yield (path, scalar) of a value, breadth first by list, at most so many."""
    waiting: list[tuple[Path, Any]] = [((), value)]
    count = 0
    while waiting and count < most:
        following: list[tuple[Path, Any]] = []
        for path, part in waiting:
            if isinstance(part, dict | list) and len(path) < MAX_DEPTH:
                pairs = part.items() if isinstance(part, dict) else enumerate(part)
                following += [
                    ((*path, key), item) for key, item in pairs if isinstance(key, str | int)
                ]
                if len(following) > 2 * most:
                    following = following[: 2 * most]
            else:
                count += 1
                yield path, part
                if count >= most:
                    return
        waiting = following


def fold_key(text: str) -> str:
    """Return letters and digits alone, folded: what texts of one name in other forms share."""
    return "".join(char for char in fold_text(text) if char.isalnum())


def name_words(name: str) -> frozenset[str]:
    """Return the stems of a name's words; never empty for a name that has letters."""
    found = frozenset(tokens(name))
    return found or frozenset({name.casefold()} if name else ())


def similarity(wanted: str, last: str, around: frozenset[str]) -> float:
    """Return from 0 to 1 how well a field fits an argument by name.

    `last` is the field's own name, `around` the stems of what it is a field of.
    """
    names, own = name_words(wanted), name_words(last)
    if not names:
        return 0.0
    if names == own:
        return 0.8 if names <= _GENERIC else 1.0
    direct = names & own
    context = (names - own) & around
    score = (len(direct) + 0.9 * len(context)) / len(names)
    score -= 0.15 * len(own - names - _GENERIC)
    if score <= 0.3 and any(names & group and own & group for group in _ALIASES):
        return 0.4
    return max(0.0, min(1.0, score))
