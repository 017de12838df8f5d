r"""The source of a regex to tokens, folded like the requests it will meet.

Folding touches accents only, and only outside of what has a meaning of its own (`\S`, `\p{L}`,
group names, flags). A ligature becomes its letters (`œ?` -> `(?:oe)?`); a range of a set keeps its
end points and gains the plain letters of the accented characters in it (`[à-ÿ]` also takes `a`,
`c`, `e`, ...).
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Literal, NamedTuple

import regex

from podium.text.folding import fold_text

MAX_RANGE = 1_024  # characters of a range searched for accented ones; alphabets are smaller

Kind = Literal[
    "literal",  # characters that a match holds as they are
    "choice",  # white space, or one of a few characters spelt out: prescribed, but not fixed
    "wild",  # anything else that takes one character
    "anchor",
    "flags",
    "capture",
    "group",
    "look",
    "close",
    "or",
    "quantifier",
    "back",  # a reference to a group by number or name
    "opaque",
]

OPENING = frozenset({"capture", "group", "look"})


class Token(NamedTuple):
    """A piece of a regex; `literal` is what it stands for, where that is fixed."""

    kind: Kind
    text: str
    literal: str = ""


_SYNTAX = re.compile(
    r"""
      (?P<plain>   [A-Za-z0-9\ '",;:!@%_/=-]+ (?![*+?{]) )
    | (?P<code>    \\x[0-9a-fA-F]{2} | \\u[0-9a-fA-F]{4} | \\U[0-9a-fA-F]{8} | \\N\{[^}]*\} )
    | (?P<class>   \\[pP]\{[^}]*\} )
    | (?P<back>    \\[1-9][0-9]* | \\g<[^>]*> | \(\?P=[^)]*\) )
    | (?P<escape>  \\. )
    | (?P<set>     \[\^?\]? (?: \[:\^?\w+:\] | \\. | [^\]\\] )* \] )
    | (?P<comment> \(\?\#[^)]*\) )
    | (?P<flags>   \(\?[imsu]+\) )
    | (?P<look>    \(\?<?[=!] )
    | (?P<capture> \(\?P?<[^>]*> | \((?![?*]) )
    | (?P<group>   \(\?(?: [imsu]*(?:-[imsu]+)?: | > ) )
    | (?P<other>   \( | \\ )
    | (?P<close>   \) )
    | (?P<or>      \| )
    | (?P<quantifier> (?: [*+?] | \{(?:\d+,?\d*|,\d+)\} ) [+?]? )
    | (?P<brace>   \{ )
    | (?P<anchor>  [\^$] )
    | (?P<dot>     \. )
    | (?P<char>    . )
    """,
    re.VERBOSE | re.DOTALL,
)

_KINDS: dict[str, Kind] = {
    "class": "wild",
    "back": "back",
    "flags": "flags",
    "look": "look",
    "capture": "capture",
    "group": "group",
    "other": "opaque",
    "close": "close",
    "or": "or",
    "quantifier": "quantifier",
    "brace": "opaque",  # a fuzzy match such as {e<=1}
    "anchor": "anchor",
    "dot": "wild",
}

_ESCAPES: dict[str, Kind] = {
    **dict.fromkeys("AZbBmM", "anchor"),
    **dict.fromkeys("stnrfvh", "choice"),
    **dict.fromkeys("wWdDSa", "wild"),
}


def tokens_of(source: str) -> Iterator[Token]:
    """Yield the tokens of a regex; together, their texts are the regex folded."""
    for found in _SYNTAX.finditer(source):
        name, text = found.lastgroup or "", found.group()
        if name == "plain":  # most of a regex by far, hence in one go
            yield Token("literal", text, fold_text(text))
        elif name == "set":
            yield _folded_set(text)
        elif name == "char":
            token = _folded_character(text)
            if token.text:  # an accent on its own vanishes, and what follows is about its letter
                yield token
        elif name == "code":
            yield _folded_code(text)
        elif name == "escape":
            yield _folded_escape(text)
        elif name != "comment":
            yield Token(_KINDS[name], text)


def _folded_character(char: str) -> Token:
    literal = fold_text(char)
    if char.isascii():  # as it stands: letter case in a regex may mean something
        return Token("literal", char, literal)
    text = regex.escape(literal)
    return Token("literal", f"(?:{text})" if len(literal) > 1 else text, literal)


def _folded_code(text: str) -> Token:
    char = _character_of(text)
    if char is None or char.isascii():
        return Token("wild", text)
    return _folded_character(char)


def _folded_escape(text: str) -> Token:
    char = text[1]
    if char.isascii() and char.isalnum():
        return Token(_ESCAPES.get(char, "opaque"), text)
    return Token("literal", text, char) if char.isascii() else _folded_character(char)


def _character_of(code: str) -> str | None:
    try:
        return unicodedata.lookup(code[3:-1]) if code[1] == "N" else chr(int(code[2:], 16))
    except (KeyError, ValueError, OverflowError):
        return None


_SET_ITEM = re.compile(
    r"""
      (?P<class> \[:\^?\w+:\] | \\[pP]\{[^}]*\} | \\[wWdDSsh] )
    | (?P<code>  \\x[0-9a-fA-F]{2} | \\u[0-9a-fA-F]{4} | \\U[0-9a-fA-F]{8} | \\N\{[^}]*\} )
    | (?P<escape> \\. )
    | (?P<char>  . )
    """,
    re.VERBOSE | re.DOTALL,
)


def _folded_set(text: str) -> Token:
    opening = re.match(r"\[\^?", text)
    start = opening.end() if opening else 1
    items = [(found.lastgroup or "", found.group()) for found in _SET_ITEM.finditer(text[start:-1])]
    is_open = start > 1 or any(name == "class" and item != r"\s" for name, item in items)
    pieces: list[str] = []
    position = 0
    while position < len(items):
        low, high = items[position], items[position + 2 : position + 3]
        is_range = bool(high) and items[position + 1] == ("char", "-")
        if is_range and low[0] != "class" and high[0][0] != "class":
            pieces.append(_folded_range(low[1], high[0][1]))
            is_open = True
            position += 3
        else:
            pieces.append(_folded_item(*low))
            position += 1
    if any(pieces):  # a set of accents alone stays as it is: nothing folded is in it
        text = f"{text[:start]}{''.join(pieces)}]"
    return Token("wild" if is_open else "choice", text)


def _folded_item(name: str, item: str) -> str:
    char = _set_character(item)
    if name == "class" or char is None or char.isascii():
        return item
    return "".join(dict.fromkeys(_set_escape(c) for c in fold_text(char)))


def _folded_range(low: str, high: str) -> str:
    first, last = _set_character(low), _set_character(high)
    if first is None or last is None or last.isascii():
        return f"{low}-{high}"
    codes = range(ord(first), min(ord(last), ord(first) + MAX_RANGE) + 1)
    plain = dict.fromkeys(c for code in codes for c in fold_text(chr(code)))
    added = "".join(_set_escape(c) for c in plain if not first <= c <= last)
    return f"{low}-{high}{added}"


def _set_character(item: str) -> str | None:
    if len(item) == 1:
        return item
    if len(item) > 2:
        return _character_of(item) if item[1] in "xuUN" else None
    return None if item[1].isascii() and item[1].isalnum() else item[1]


def _set_escape(char: str) -> str:
    return f"\\{char}" if char in r"\]^-[&~|" else char
