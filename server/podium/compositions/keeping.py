"""A request to what of its words may be kept where others read them: none of its values.

A file of a composition is read by everybody who may see the workspace, while the values of a
request are the business of who asked. So values become `{param}`, and what else looks like one `…`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from podium.domain.composition import OPEN_PARAM
from podium.text.folding import Folded, fold, fold_text
from podium.text.literals import MAX_LITERALS, literals

CUT = "…"  # stands for a value that is no param, and where something was cut off
_QUOTES = re.compile(r"[\"'“”«»‘’`]")
_WORD = re.compile(r"[^\W\d_]")
_HELD = re.compile(rf"{OPEN_PARAM.pattern}|{CUT}")

_Span = tuple[int, int, str]


def without_values(text: str, params: Mapping[str, Any]) -> str:
    """Return a request with `{name}` in place of each param's value; "" if nothing else is said.

    A literal (a number, a path, an address, a quoted text, a time) that holds a value goes with it,
    as `{name:kind}`; any other becomes `…`: it may be a value that was written in another way.
    """
    folded = fold(text)
    spans = _spans(folded, params)
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


def repeats_values(text: str, request: str) -> bool:
    """Return whether a text holds a name, an address or a quotation of a request, word for word."""
    held = fold_text(text)
    return any(
        literal.kind not in ("number", "time") and fold_text(literal.text) in held
        for literal in literals(fold(request))
    )


def _spans(folded: Folded, params: Mapping[str, Any]) -> list[_Span] | None:
    """Return what is replaced, in its order, and by what; None where that cannot be told."""
    found = literals(folded)
    if len(found) == MAX_LITERALS:  # there may be more
        return None
    spans: list[_Span] = []
    wanted = [(fold_text(value).strip(), name) for name, value in _values(params)]
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
        spans.append((start, end, f"{inside[0][2]}:{literal.kind}" if inside else ""))
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
