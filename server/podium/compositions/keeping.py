"""A request to what of its words may be kept where others read them: none of its values.

A file of a composition is read by everybody who may see the workspace, while the values of a
request are the business of who asked. So values become `{param}`, and what else looks like one `…`.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from podium.domain.composition import OPEN_PARAM
from podium.text.folding import Folded, fold, fold_text
from podium.text.literals import MAX_LITERALS, literals

MADE_FOR = "Made for "  # begins the first line of `$comment` in a file that was made and kept
MAX_CHARACTERS = 4_000  # of a request whose words are looked at
MAX_VALUES = 200  # of all params together
CUT = "…"  # stands for a value that is no param, and where something was cut off
_QUOTES = re.compile(r"[\"'“”«»‘’`]")
_WORD = re.compile(r"[^\W\d_]")
_HELD = re.compile(rf"{OPEN_PARAM.pattern}|{CUT}")

_Span = tuple[int, int, str]


def without_values(text: str, params: Mapping[str, Any]) -> str:
    """Return a request with `{name}` in place of each param's value.

    It is "" where nothing else is said, or too much.

    A literal (a number, a path, an address, a quoted text, a time) that holds a value goes with it,
    as `{name:kind}`; any other becomes `…`: it may be a value that was written in another way.
    """
    folded = fold(text)
    spans = _spans(folded, params) if len(text) <= MAX_CHARACTERS else None
    if spans is None:
        return ""
    pieces, at = [], 0
    for start, end, instead in spans:
        first, last = folded.span(start, end)
        pieces += [text[at:first], instead]
        at = last
    kept = "".join((*pieces, text[at:]))
    return kept if _WORD.search(_HELD.sub("", kept)) else ""


def holds_values(text: str, params: Mapping[str, Any]) -> bool:
    """Return whether a sentence about a request may hold values of it; quotation marks are none."""
    bare = _QUOTES.sub(" ", text)
    return CUT in text or without_values(bare, params) != bare


def repeats_values(value: Any, request: str) -> bool:
    """Return whether JSON holds a path, an address or a quotation of a request, word for word."""
    found = literals(fold(request[:MAX_CHARACTERS]))
    said = [fold_text(each.text) for each in found if each.kind not in ("number", "time")]
    held = [fold_text(leaf) for leaf in _leaves(value)] if said else []
    return len(found) == MAX_LITERALS or any(each in leaf for leaf in held for each in said)


def _spans(folded: Folded, params: Mapping[str, Any]) -> list[_Span] | None:
    """Return what is replaced, in its order, and by what; None where that cannot be told."""
    found, said = literals(folded), list(islice(_values(params), MAX_VALUES))
    if len(found) == MAX_LITERALS or len(said) == MAX_VALUES:  # there may be more
        return None
    spans: list[_Span] = []
    wanted = [(fold_text(value).strip(), name) for name, value in said]
    for value, name in sorted(wanted, key=lambda each: -len(each[0])):  # the longest first
        for match in re.finditer(rf"(?<!\w){re.escape(value)}(?!\w)", folded.text) if value else ():
            if _is_free(match.span(), spans):
                spans.append((*match.span(), name))
    for literal in found:
        start, end = literal.start, literal.end
        inside = [each for each in spans if each[0] < end and start < each[1]]
        start = min((start, *(each[0] for each in inside)))
        end = max((end, *(each[1] for each in inside)))
        spans = [each for each in spans if each not in inside]
        name = inside[0][2].partition(":")[0] if inside else ""
        is_whole = (start, end) == (literal.start, literal.end)
        spans.append((start, end, f"{name}:{literal.kind}" if name and is_whole else name))
    return [(start, end, f"{{{name}}}" if name else CUT) for start, end, name in sorted(spans)]


def _is_free(span: tuple[int, int], spans: list[_Span]) -> bool:
    return all(span[1] <= start or end <= span[0] for start, end, _ in spans)


def _values(params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each param's name with each text and number in its value."""
    for name, value in params.items():
        for each in _leaves(value):
            yield name, each


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        value = [*value.values()]
    if isinstance(value, list):
        for part in value:
            yield from _leaves(part)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value)
