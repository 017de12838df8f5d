"""Hypotheses: expressions that may have given an argument, evaluated here and written as JSONata.

Evaluating thousands of them with the engine would take seconds; these few forms are simple enough
to be evaluated directly. The replay evaluates what was chosen with the real engine.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from podium.mapping.functions.dates import to_date
from podium.mapping.functions.lists import sort_by
from podium.mapping.references import MISSING
from podium.mapping.templates import show
from podium.monitor.traces.values import Path, canonical, same

View = Mapping[str, Any]
"""What expressions see at one call: `search`, `$item`, `read[$i]`, a param -> its value."""

Kind = Literal[
    "result", "element", "param", "constant", "transform", "template", "filter", "structure"
]

_NAME = re.compile(r"[A-Za-z_]\w*")
_RESERVED = frozenset({"and", "or", "in", "true", "false", "null", "function"})

DATE_FORMATS = (
    "%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%d.%m.%Y", "%Y/%m/%d", "%Y%m%d", "%d/%m/%y",
    "%Y-%m", "%Y", "%m/%Y", "%d %B %Y", "%B %d, %Y", "%H:%M", "%Y-%m-%d %H:%M", "%d/%m/%Y %H:%M",
    "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT00:00:00Z", "%Y-%m-%dT00:00:00",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One expression with what it reads.

    Attributes:
        text: the expression, as it stands in a file.
        evaluate: what it finds in a view; MISSING if nothing.
        kind: what an explanation calls it.
        heads: the names (steps, params) it reads.
        cost: what speaks against it by itself, in bits.
        last: the name of the field it ends in; `around` what that is a field of.
        is_fragile: it holds for what was seen, and could easily fail for something else.

    """

    text: str
    evaluate: Callable[[View], Any] = field(repr=False, compare=False)
    kind: Kind
    heads: frozenset[str]
    cost: float = 0.0
    last: str = ""
    around: tuple[str, ...] = ()
    is_fragile: bool = False
    value: Any = MISSING


def literal(value: Any) -> str:
    """Return a JSON value as JSONata."""
    return json.dumps(value, ensure_ascii=False)


def name_text(name: str) -> str:
    """Return a field name as JSONata; an upstream chose it, and it must stay nothing but a name."""
    if "`" in name:  # it cannot be escaped between backquotes
        return f"$lookup($, {literal(name)})"
    plain = _NAME.fullmatch(name) is not None and name not in _RESERVED
    return name if plain else f"`{name}`"


def path_text(head: str, stages: Path) -> str:
    """Return a reference as JSONata."""
    text = head
    for stage in stages:
        text += f"[{stage}]" if isinstance(stage, int) else f".{name_text(stage)}"
    return text


def head_name(head: str) -> str:
    """Return the name that a head reads: of `read[$i]` that is `read`; "" for `$item`."""
    return "" if head.startswith("$") else head.removesuffix("[$i]")


def within(head_or_text: str) -> str:
    """Return the text as it must be written inside a filter, where names mean the element."""
    return head_or_text if head_or_text.startswith(("$", '"')) else f"$$.{head_or_text}"


def constant(value: Any) -> Hypothesis:
    """Return the hypothesis that an argument is always this value."""
    return Hypothesis(
        literal(value), lambda _: value, "constant", frozenset(), cost=0.0, value=value
    )


def reference(head: str, stages: Path, cost: float = 0.0) -> Hypothesis:
    """Return a plain reference; a field of a list is that field of each element (projection)."""
    fields = [stage for stage in stages if isinstance(stage, str)]
    indexes = [stage for stage in stages if isinstance(stage, int)]
    fragile = any(index not in (0, -1) for index in indexes)
    return Hypothesis(
        path_text(head, stages),
        lambda view: follow(view.get(head, MISSING), stages),
        "element" if head.startswith("$") else "result",
        frozenset({head_name(head)} - {""}),
        cost=cost + 0.3 * len(fields) + sum(_INDEX_COST.get(index, 5.0) for index in indexes),
        last=fields[-1] if fields else head_name(head),
        around=tuple(fields[:-1]),
        is_fragile=fragile,
    )


_INDEX_COST = {0: 0.6, -1: 2.0}


def follow(value: Any, stages: Path) -> Any:
    """Return what stages lead to, as JSONata does; MISSING if nothing."""
    for stage in stages:
        if value is MISSING:
            return MISSING
        if isinstance(stage, int):
            if not isinstance(value, list):
                value = value if stage in (0, -1) else MISSING
            else:
                value = value[stage] if -len(value) <= stage < len(value) else MISSING
        elif isinstance(value, list):
            value = _sequence(project(value, stage))
        else:
            value = value.get(stage, MISSING) if isinstance(value, dict) else MISSING
    return value


def project(values: list[Any], name: str) -> list[Any]:
    """Return a field of each element that has it, inner lists spread out."""
    found: list[Any] = []
    for value in values:
        inner = project(value, name) if isinstance(value, list) else None
        if inner is None:
            part = value.get(name, MISSING) if isinstance(value, dict) else MISSING
            if part is MISSING:
                continue
            inner = part if isinstance(part, list) else [part]
        found.extend(inner)
    return found


def _sequence(values: list[Any]) -> Any:
    if not values:
        return MISSING
    return values[0] if len(values) == 1 else values


def as_list(value: Any) -> list[Any]:
    """Return what iterations make of a value: nothing is an empty list, one value a list of one."""
    if value is MISSING or value is None:
        return []
    return value if isinstance(value, list) else [value]


# --- functions of one value


@dataclass(frozen=True, slots=True)
class Transform:
    """A function of one value: how it is written (`{0}` is the value), and what it does."""

    template: str
    function: Callable[[Any], Any]
    cost: float


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else MISSING


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else MISSING


def _trim(value: Any) -> Any:
    return " ".join(value.split()) if isinstance(value, str) else MISSING


def _number(value: Any) -> Any:
    if not isinstance(value, str) or not re.fullmatch(r"-?(?:0|[1-9]\d*)(?:\.\d+)?", value):
        return MISSING
    return float(value) if "." in value else int(value)


def _string(value: Any) -> Any:
    return show(value) if isinstance(value, int | float | bool) else MISSING


def _date(form: str | None) -> Callable[[Any], Any]:
    def written(value: Any) -> Any:
        try:
            return to_date(value, form) if isinstance(value, str | int) else MISSING
        except (ValueError, OverflowError):
            return MISSING

    return written


def _slug(sign: str) -> Callable[[Any], Any]:
    return lambda value: value.lower().replace(" ", sign) if isinstance(value, str) else MISSING


CASES = (
    Transform("$lowercase({0})", _lower, 1.5),
    Transform("$uppercase({0})", _upper, 1.5),
    Transform("$trim({0})", _trim, 1.5),
    Transform("$number({0})", _number, 1.0),
    Transform("$string({0})", _string, 1.0),
    Transform("$replace($lowercase({0}), ' ', '-')", _slug("-"), 3.0),
    Transform("$replace($lowercase({0}), ' ', '_')", _slug("_"), 3.0),
)
ISO_DATE = Transform("$to_date({0})", _date(None), 1.5)
_WRITTEN_DATES = tuple(
    Transform(f"$to_date({{0}}, '{form}')", _date(form), 2.0 + place / 20)
    for place, form in enumerate(DATE_FORMATS)
)
DAY_FIRST_DATE = _WRITTEN_DATES[DATE_FORMATS.index("%d/%m/%Y")]
DATES = (ISO_DATE, *_WRITTEN_DATES)


def pieces_of(text: str, piece: str) -> list[Transform]:
    """Return the ways to cut a piece out of a text: before or after a sign, or between signs."""
    found: list[Transform] = []
    for sign in "@/ .:-_,;#?=|":
        if sign not in text or (sign in piece and sign != "."):
            continue
        parts = text.split(sign)
        quoted = literal(sign)
        if piece in parts:
            place = parts.index(piece)
            if place == 0:
                found.append(Transform(f"$substringBefore({{0}}, {quoted})", _part(sign, 0), 3.0))
            elif place == len(parts) - 1:
                found.append(Transform(f"$split({{0}}, {quoted})[-1]", _part(sign, -1), 3.0))
            else:
                what = f"$split({{0}}, {quoted})[{place}]"
                found.append(Transform(what, _part(sign, place), 4.5))
        head, _, tail = text.partition(sign)
        if piece == tail and len(parts) > 2:
            found.append(Transform(f"$substringAfter({{0}}, {quoted})", _after(sign), 3.5))
        if piece == head and len(parts) > 2 and piece not in parts:
            found.append(Transform(f"$substringBefore({{0}}, {quoted})", _part(sign, 0), 3.5))
    return found


def _part(sign: str, place: int) -> Callable[[Any], Any]:
    def cut(value: Any) -> Any:
        if not isinstance(value, str):
            return MISSING
        parts = value.split(sign)
        return parts[place] if -len(parts) <= place < len(parts) else MISSING

    return cut


def _after(sign: str) -> Callable[[Any], Any]:
    return lambda value: (
        (value.partition(sign)[2] if sign in value else value)
        if isinstance(value, str)
        else MISSING
    )


def _filled(template: str, text: str) -> str:
    """Return a template with a text at its place, which comes before all that others have said."""
    return template.replace("{0}", text, 1)


def transformed(inner: Hypothesis, transform: Transform) -> Hypothesis:
    """Return a function of what another hypothesis finds."""

    def evaluate(view: View) -> Any:
        value = inner.evaluate(view)
        return MISSING if value is MISSING or value is None else transform.function(value)

    return Hypothesis(
        _filled(transform.template, inner.text),
        evaluate,
        "transform",
        inner.heads,
        cost=inner.cost + transform.cost,
        last=inner.last,
        around=inner.around,
        is_fragile=inner.is_fragile,
    )


# --- of lists


def listed(inner: Hypothesis) -> Hypothesis:
    """Return what another finds, as a list whatever it is."""
    return Hypothesis(
        f"[{inner.text}]",
        lambda view: [] if (value := inner.evaluate(view)) is MISSING else as_list(value),
        inner.kind,
        inner.heads,
        cost=inner.cost + 0.5,
        last=inner.last,
        around=inner.around,
        is_fragile=inner.is_fragile,
    )


def _distinct(values: list[Any]) -> Any:
    return list({canonical(value): value for value in values}.values())


def _numbers(values: list[Any]) -> bool:
    return bool(values) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in values
    )


def _joined(sign: str) -> Callable[[list[Any]], Any]:
    return lambda values: (
        sign.join(values) if values and all(isinstance(value, str) for value in values) else MISSING
    )


def _numeric(function: Callable[[list[Any]], Any]) -> Callable[[list[Any]], Any]:
    return lambda values: function(values) if _numbers(values) else MISSING


def _mean(values: list[Any]) -> Any:
    return sum(values) / len(values)


@dataclass(frozen=True, slots=True)
class Summary:
    """A function of a list."""

    template: str
    function: Callable[[list[Any]], Any]
    cost: float
    words: tuple[str, ...] = ()  # in the name of an argument, they ask for it


DISTINCT = Summary("$distinct({0})", _distinct, 2.0)
SUMMARIES = (
    Summary("$count({0})", len, 2.0, ("count", "number", "total", "nb")),
    Summary("$sum({0})", _numeric(sum), 2.5, ("sum", "total", "amount")),
    Summary("$max({0})", _numeric(max), 3.0, ("max", "highest")),
    Summary("$min({0})", _numeric(min), 3.0, ("min", "lowest")),
    Summary("$average({0})", _numeric(_mean), 3.0, ("average", "mean")),
)


def joined_by(sign: str) -> Summary:
    """Return the function that joins texts with a sign."""
    return Summary(f"$join({{0}}, {literal(sign)})", _joined(sign), 2.0)


def summarised(inner: Hypothesis, summary: Summary) -> Hypothesis:
    """Return a function of a list that another hypothesis finds."""
    return Hypothesis(
        _filled(summary.template, inner.text),
        lambda view: summary.function(as_list(inner.evaluate(view))),
        "transform",
        inner.heads,
        cost=inner.cost + summary.cost,
        last=inner.last,
        around=(*inner.around, *summary.words),
        is_fragile=inner.is_fragile,
    )


# --- elements chosen by what they hold


@dataclass(frozen=True, slots=True)
class Choice:
    """Which elements of a list: the text of the filter, and the elements that pass."""

    text: str
    pick: Callable[[list[Any], View], list[Any]]
    heads: frozenset[str]
    cost: float
    is_fragile: bool = False


def equal_to(path: Path, wanted: Hypothesis, cost: float = 2.0) -> Choice:
    """Choose the elements whose field equals what another hypothesis finds."""
    field_text = path_text("", path).removeprefix(".")

    def pick(elements: list[Any], view: View) -> list[Any]:
        value = wanted.evaluate(view)
        return [
            element
            for element in elements
            if value is not MISSING and same(follow(element, path), value)
        ]

    text = f"[{field_text} = {within(wanted.text)}]"
    return Choice(text, pick, wanted.heads, cost + wanted.cost, wanted.is_fragile)


def ending_in(path: Path, ending: str) -> Choice:
    """Choose the elements whose text (or field) ends in something, such as `.md`."""
    field_text = path_text("", path).removeprefix(".") or "$"
    pattern = re.sub(r"([.\-/+*?()\[\]{}^$|\\])", r"\\\1", ending)

    def pick(elements: list[Any], _: View) -> list[Any]:
        return [element for element in elements if _ends(follow(element, path), ending)]

    return Choice(f"[$contains({field_text}, /{pattern}$/)]", pick, frozenset(), 3.5)


def _ends(value: Any, ending: str) -> bool:
    return isinstance(value, str) and value.endswith(ending)


def first_few(count: int) -> Choice:
    """Choose the first elements, a fixed number of them."""
    return Choice(
        f"[[0..{count - 1}]]",
        lambda elements, _: elements[:count],
        frozenset(),
        6.0,
        True,  # noqa: FBT003
    )


def chosen(array: Hypothesis, choice: Choice, rest: Path) -> Hypothesis:
    """Return (a part of) the elements of a list that pass a filter."""
    return Hypothesis(
        path_text(f"{array.text}{choice.text}", rest),
        lambda view: follow(_sequence(choice.pick(as_list(array.evaluate(view)), view)), rest),
        "filter",
        array.heads | choice.heads,
        cost=array.cost + choice.cost + 0.3 * len(rest),
        last=str(rest[-1]) if rest else array.last,
        around=(*array.around, array.last),
        is_fragile=array.is_fragile or choice.is_fragile,
    )


def extreme(array: Hypothesis, path: Path, rest: Path, *, descending: bool) -> Hypothesis:
    """Return (a part of) the element with the smallest or largest field."""
    dotted = ".".join(map(str, path))

    def evaluate(view: View) -> Any:
        elements = as_list(array.evaluate(view))
        if not elements:
            return MISSING
        return follow(sort_by(elements, dotted, descending)[0], rest)

    order = ", true" if descending else ""
    return Hypothesis(
        path_text(f"$sort_by({array.text}, {literal(dotted)}{order})[0]", rest),
        evaluate,
        "filter",
        array.heads,
        cost=array.cost + 4.0 + 0.3 * len(rest),
        last=str(rest[-1]) if rest else array.last,
        around=(*array.around, array.last),
        is_fragile=True,
    )


# --- put together


def concatenated(parts: list[Hypothesis]) -> Hypothesis:
    """Return texts one after the other; numbers among them are written as texts."""

    def evaluate(view: View) -> Any:
        values = [part.evaluate(view) for part in parts]
        if any(value is MISSING or isinstance(value, dict | list) for value in values):
            return MISSING
        return "".join(map(show, values))

    return Hypothesis(
        " & ".join(part.text for part in parts),
        evaluate,
        "template",
        frozenset().union(*(part.heads for part in parts)),
        cost=3.0 + sum(part.cost for part in parts),
        is_fragile=any(part.is_fragile for part in parts),
    )


def object_of(parts: Mapping[str, Hypothesis]) -> Hypothesis:
    """Return an object whose fields have hypotheses of their own."""

    def evaluate(view: View) -> Any:
        found = {name: part.evaluate(view) for name, part in parts.items()}
        return {name: value for name, value in found.items() if value is not MISSING}

    text = ", ".join(f"{literal(name)}: {part.text}" for name, part in parts.items())
    return _structure(f"{{{text}}}", evaluate, list(parts.values()))


def array_of(parts: list[Hypothesis]) -> Hypothesis:
    """Return a list of so many elements with hypotheses of their own."""

    def evaluate(view: View) -> Any:
        found = [part.evaluate(view) for part in parts]
        return [value for value in found if value is not MISSING]

    return _structure(f"[{', '.join(part.text for part in parts)}]", evaluate, parts)


def mapped(array: Hypothesis, element: Hypothesis) -> Hypothesis:
    """Return a list made of another, element by element; `$item` in `element` is the element."""

    def evaluate(view: View) -> Any:
        return [element.evaluate({**view, "$item": item}) for item in as_list(array.evaluate(view))]

    text = f"[$map({array.text}, function($item) {{ {element.text} }})]"
    return Hypothesis(
        text,
        evaluate,
        "structure",
        array.heads | element.heads,
        cost=array.cost + element.cost + 1.5,
        is_fragile=array.is_fragile or element.is_fragile,
    )


def _structure(text: str, evaluate: Callable[[View], Any], parts: list[Hypothesis]) -> Hypothesis:
    return Hypothesis(
        text,
        evaluate,
        "structure",
        frozenset().union(*(part.heads for part in parts)),
        cost=sum(part.cost for part in parts),
        is_fragile=any(part.is_fragile for part in parts),
    )
