r"""Whether the tokens of a regex are certain to compile, without compiling them.

Every token has to be one that is valid by itself, and what is repeated one that may be. That the
groups are closed is for the reader to say. Whatever is rare (`\p{...}`, flags, references, odd
sets) is not vouched for: such a regex may well be valid.
"""

import re
from collections.abc import Iterable, Mapping

from podium.intents.regex_tokens import Kind, Token

_RANGE = r"a-[a-z]|[a-z]-z|A-[A-Z]|[A-Z]-Z|0-\d|\d-9"
_SET = rf"\[\^?-?(?:{_RANGE}|[^\\\[\]^&|~-]|\\[wWdDsSnt]|\\[^A-Za-z0-9])+-?\]"

_VALID: Mapping[Kind, str] = {
    "literal": r"[^\[].*",  # a bracket that was never closed is a fault
    "choice": rf"\\[stn]|{_SET}",
    "wild": rf"\.|\\[wWdDS]|{_SET}",
    "anchor": r"[\^$]|\\[AZbB]",
    "capture": r"\(|\(\?P?<[A-Za-z_][A-Za-z0-9_]*>",
    "group": r"\(\?[ims]?:",
    "look": r".*",
    "close": r".*",
    "or": r".*",
    "quantifier": r"[*+?][+?]?|\{\d{1,6}(?:,\d{0,6})?\}[+?]?",
}
_IS_VALID = {kind: re.compile(source, re.DOTALL).fullmatch for kind, source in _VALID.items()}
_REPEATABLE = frozenset[Kind]({"literal", "choice", "wild", "close"})
_BOUNDS = re.compile(r"\{(\d+),(\d+)\}")


def is_sound(tokens: Iterable[Token]) -> bool:
    """Whether a regex whose groups are closed surely compiles."""
    before: Kind = "or"
    opened: list[Kind] = []
    for kind, text, _ in tokens:
        is_valid = _IS_VALID.get(kind)
        if is_valid is None or is_valid(text) is None:
            return False
        if kind == "quantifier" and (before not in _REPEATABLE or not _ascends(text)):
            return False
        if kind in ("capture", "group", "look"):
            opened.append(kind)
        looked = kind == "close" and bool(opened) and opened.pop() == "look"
        before = "look" if looked else kind  # what is looked at is not repeated
    return True


def _ascends(quantifier: str) -> bool:
    bounds = _BOUNDS.match(quantifier)
    return bounds is None or int(bounds[1]) <= int(bounds[2])
