"""Texts: filled in, cut short, searched."""

from typing import Any

import jsonatapy
import regex

from podium.domain.errors import ExpressionSyntaxError
from podium.mapping.analysis import parse
from podium.mapping.functions.common import UnusableError, brief, whole
from podium.mapping.references import MISSING, NEEDS_ENGINE, follow
from podium.mapping.templates import Hole, TemplateError, fill, show, split

REGEX_SECONDS = 0.25  # one search; a healthy one takes microseconds
MAX_MATCHES = 10_000  # of a search for all
ELLIPSIS = "…"


def template(text: Any, data: Any = None) -> Any:
    """Fill in the `{expression}` holes of a text; `{{` and `}}` are literal braces.

    In an expression, `$template('Hello {user.name}')` takes any JSONata in its holes and reads the
    names and variables around it; with `data` the holes read that instead, and a list of data
    gives a list of texts. A hole that finds nothing is empty text.

    A text that is not written in the expression but comes from data always needs its own `data`,
    and its holes can only be plain references: `{name}`, `{user.name}`, `{files[0].name}`, `{$}`.
    """
    if text is None:
        return ""
    if not isinstance(text, str):
        raise UnusableError(f"the template must be a text, not {brief(text)}")
    if isinstance(data, list):
        return [template(text, item) for item in data]
    try:
        parts = split(text)
    except TemplateError as error:
        raise UnusableError(f"{error} (at character {error.position + 1})") from None
    holes = [part.expression.strip() for part in parts if isinstance(part, Hole)]
    if holes and data is None:
        raise UnusableError(
            "a template that is not written in the expression needs its data: $template(text, data)"
        )
    return fill(parts, [_referred(hole, data) for hole in holes])


def excerpt(text: Any, length: int = 200) -> str:
    """Return the beginning of a text, at most `length` characters, cut between words with "…".

    Line breaks and repeated blanks become one blank. Nothing gives an empty text.
    """
    most = whole(length, "length", least=1)
    plain = " ".join(show(text).split())
    if len(plain) <= most:
        return plain
    cut = plain[: most - 1]
    if not plain[most - 1].isspace():
        head, blank, _ = cut.rpartition(" ")
        cut = head if blank and len(head) >= most // 2 else cut
    return cut.rstrip(" ,;:.-–—") + ELLIPSIS


def regex_extract(text: Any, pattern: str, group: Any = 0) -> Any:
    r"""Return what a regex finds in a text: the first match, or one `group` of it.

    `group` is a number, a name, or "all" for the list of every match (of its only group, if the
    pattern has exactly one). No match gives null ("all": an empty list), nothing gives the same.
    The dialect is Python's `regex`: named groups, look-around, \p{L}.
    """
    if not isinstance(pattern, str):
        raise UnusableError(f"the pattern must be a text, not {brief(pattern)}")
    try:
        compiled = regex.compile(pattern)
    except regex.error as error:
        raise UnusableError(f"the regex {brief(pattern)} is not valid: {error}") from None
    wanted = _group(compiled, group)
    try:
        if wanted == "all":
            found = compiled.finditer(show(text), timeout=REGEX_SECONDS)
            return [m[1 if compiled.groups == 1 else 0] for m, _ in zip(found, range(MAX_MATCHES))]  # noqa: B905 - the range is only a bound
        match = compiled.search(show(text), timeout=REGEX_SECONDS)
    except TimeoutError:
        raise UnusableError(
            f"the regex {brief(pattern)} took longer than {REGEX_SECONDS} s"
        ) from None
    return None if match is None else match[wanted]


def _group(compiled: Any, group: Any) -> Any:
    if isinstance(group, str) and (group == "all" or group in compiled.groupindex):
        return group
    if isinstance(group, int | float) and not isinstance(group, bool):
        number = whole(group, "group", least=0)
        if number <= compiled.groups:
            return number
    names = ", ".join(compiled.groupindex)
    raise UnusableError(
        f"the regex has no group {brief(group)}: there are {compiled.groups} "
        f"{f'({names})' if names else ''}".rstrip()
    )


def _referred(hole: str, data: Any) -> Any:
    if hole == "$":
        return data
    try:
        expression = parse(hole)
    except ExpressionSyntaxError as error:
        raise UnusableError(f"the hole {brief(hole)} cannot be read: {error.message}") from None
    reference = expression.reference
    if reference is None or expression.variables:
        raise UnusableError(
            f"the hole {brief(hole)} is more than a plain reference; write the text in the "
            "expression itself, or work it out beforehand"
        )
    found = follow(reference, data if isinstance(data, dict) else {}, {})
    if found is NEEDS_ENGINE:
        found = jsonatapy.compile(expression.program).evaluate(data)
    return None if found is MISSING else found
