"""The hypotheses that one observed value suggests, from what was in sight of its call.

Each is true for that value; `solving` asks the other observations.
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

import regex

from podium.mapping.functions.texts import regex_extract
from podium.mapping.references import MISSING
from podium.monitor.traces.hypotheses import (
    CASES,
    DATES,
    DISTINCT,
    SUMMARIES,
    Choice,
    Hypothesis,
    Transform,
    as_list,
    chosen,
    constant,
    ending_in,
    equal_to,
    extreme,
    first_few,
    follow,
    joined_by,
    listed,
    literal,
    pieces_of,
    reference,
    summarised,
    transformed,
)
from podium.monitor.traces.sources import Sources
from podium.monitor.traces.values import Path, bits, canonical, same
from podium.monitor.traces.wording import Words

MOST_MATCHES = 60  # places of one value that are looked at, those of lists with short paths first
MOST_SIBLINGS = 12  # fields of an element that may say why it was chosen
SHORTEST_PIECE = 2  # characters of a part of a text
SHORTEST_JOIN = 2  # elements
_PART_OF_DATE = re.compile(r"\d{1,2}:\d\d(?::\d\d)?|\d{4}(?:-\d\d)?|\d\d/\d{4}")
_CONTEXT = 24  # characters before a piece of a text that say which piece it is


def suggest(value: Any, sources: Sources) -> Iterator[Hypothesis]:
    """Yield hypotheses that give the value, the plain ones first."""
    for head, path in _nearest(sources.exact(value)):
        yield from references(head, path, sources)
    if isinstance(value, list):
        yield from lists(value, sources)
        return
    if isinstance(value, dict) or value is None or isinstance(value, bool):
        return
    for head, path in _nearest(sources.folded(str(value))):
        yield from _in_form(head, path, value, sources, CASES)
    is_part = isinstance(value, str) and _PART_OF_DATE.fullmatch(value)
    for head, path in _nearest(sources.moments() if is_part else sources.dates(value)):
        yield from _in_form(head, path, value, sources, DATES)
    yield from _summaries(value, sources)
    yield from _pieces(value, sources)


def _nearest(places: Iterator[tuple[str, Path]]) -> list[tuple[str, Path]]:
    """Return the shortest paths first: a value that stands in 1,000 places has 60 tried."""
    found = list(islice(places, 20 * MOST_MATCHES))
    found.sort(key=lambda place: (len(place[1]), sum(s for s in place[1] if isinstance(s, int))))
    return found[:MOST_MATCHES]


def _in_form(
    head: str, path: Path, value: Any, sources: Sources, forms: tuple[Transform, ...]
) -> Iterator[Hypothesis]:
    source = sources.value_at(head, path)
    for form in forms:
        if source is not MISSING and same(form.function(source), value):
            for inner in references(head, path, sources):
                yield transformed(inner, form)


def references(head: str, path: Path, sources: Sources) -> Iterator[Hypothesis]:
    """Yield the ways to point at a place: by number, from the end, by what its element holds."""
    yield sources.refer(head, path)
    lists_at = [place for place, stage in enumerate(path) if isinstance(stage, int)]
    if not lists_at:
        return
    for place in lists_at:
        elements = sources.value_at(head, path[:place])
        if not isinstance(elements, list):
            continue
        index = path[place]
        if index == len(elements) - 1:
            yield sources.refer(head, (*path[:place], -1, *path[place + 1 :]))
        array = sources.refer(head, path[:place])
        yield from _by_content(array, elements, path[place:], sources)
    # A list in a list: every element of the inner lists that a filter lets through.
    flat = tuple(stage for stage in path if isinstance(stage, str))
    if len(lists_at) > 1:
        yield from _by_content_of_inner(head, path, lists_at[-1], flat, sources)


def _by_content_of_inner(
    head: str, path: Path, last: int, flat: Path, sources: Sources
) -> Iterator[Hypothesis]:
    fields = tuple(stage for stage in path[:last] if isinstance(stage, str))
    rest = path[last + 1 :]
    if not all(isinstance(stage, str) for stage in rest) or not fields or flat is path:
        return
    elements = as_list(sources.value_at(head, fields))
    element = sources.value_at(head, path[: last + 1])
    for number, other in enumerate(elements[:1_000]):
        if other is element:
            array = sources.refer(head, fields)
            yield from _by_content(array, elements, (number, *rest), sources, only_filters=True)
            return


def _by_content(
    array: Hypothesis,
    elements: list[Any],
    path: Path,
    sources: Sources,
    *,
    only_filters: bool = False,
) -> Iterator[Hypothesis]:
    """Yield hypotheses that choose `elements[path[0]]` by one of its fields."""
    element, rest = elements[int(path[0])], path[1:]
    if not isinstance(element, dict) or len(elements) > 2_000:
        return
    for field in islice(_fields(element), MOST_SIBLINGS):
        value = follow(element, field)
        if field == rest or value is None:
            continue
        alike = [other for other in elements if same(follow(other, field), value)]
        if len(alike) == 1:
            for choice in _reasons(field, value, array, sources):
                yield chosen(array, choice, rest)
        if only_filters or len(elements) < 2:
            continue
        yield from _extremes(array, elements, element, field, rest)


def chosen_elements(
    value: Any, sources: Sources, said: Words
) -> Iterator[tuple[Hypothesis, tuple[str, ...], Path]]:
    """Yield (list, field, rest) where a value is `rest` of an element whose field was said."""
    for head, path in _nearest(sources.exact(value)):
        for place, stage in enumerate(path):
            if not isinstance(stage, int):
                continue
            element, rest = sources.value_at(head, path[: place + 1]), path[place + 1 :]
            if not isinstance(element, dict) or not rest:
                continue
            for field in islice(_fields(element), MOST_SIBLINGS):
                name = follow(element, field)
                if field != rest and isinstance(name, str) and len(name) > 1 and said.exactly(name):
                    yield sources.refer(head, path[:place]), field, rest


def _fields(element: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, value in element.items():
        if isinstance(value, dict):
            yield from ((name, inner) for inner, v in value.items() if _is_scalar(v))
        elif _is_scalar(value):
            yield (name,)


def _is_scalar(value: Any) -> bool:
    return not isinstance(value, dict | list)


def _reasons(field: Path, value: Any, array: Hypothesis, sources: Sources) -> Iterator[Choice]:
    """Yield why an element may have been chosen: its field equals something else in sight."""
    for head, path in islice(sources.exact(value), MOST_MATCHES):
        is_own = array.text == head or array.text.startswith((f"{head}.", f"{head}["))
        if not is_own and not any(isinstance(stage, int) and stage > 0 for stage in path):
            # A name that is searched for says more than where its element happens to stand.
            yield equal_to(field, sources.refer(head, path), 0.8 if bits(value) >= 8 else 2.5)
    yield equal_to(field, constant(value), 4.0)


def _extremes(
    array: Hypothesis, elements: list[Any], element: Any, field: Path, rest: Path
) -> Iterator[Hypothesis]:
    values = [follow(other, field) for other in elements]
    kinds = {str if isinstance(value, str) else float for value in values}
    orderable = all(isinstance(v, str | int | float) and not isinstance(v, bool) for v in values)
    if len(kinds) != 1 or not orderable:
        return
    own = follow(element, field)
    if values.count(own) == 1 and own in (max(values), min(values)):
        yield extreme(array, field, rest, descending=own == max(values))


# --- lists


def lists(value: list[Any], sources: Sources) -> Iterator[Hypothesis]:
    """Yield hypotheses that give a list."""
    wanted = canonical(value)
    for head, path, values in sources.chains():
        array = sources.refer(head, path)
        if len(values) == len(value) and canonical(values) == wanted:
            yield listed(array)
        elif len(values) > len(value) and value:
            yield from _parts(value, wanted, array, values)


def _parts(
    value: list[Any], wanted: str, array: Hypothesis, values: list[Any]
) -> Iterator[Hypothesis]:
    if canonical(DISTINCT.function(values)) == wanted:
        yield listed(summarised(array, DISTINCT))
    if canonical(values[: len(value)]) == wanted:
        yield listed(chosen(array, first_few(len(value)), ()))


def arrays(sources: Sources, least: int) -> Iterator[tuple[Hypothesis, list[Any]]]:
    """Yield every list in sight with at least so many elements, and its distinct elements."""
    for head, path, values in sources.chains():
        if len(values) < least:
            continue
        array = sources.refer(head, path)
        yield array, values
        if all(map(_is_scalar, values)):
            distinct = DISTINCT.function(values)
            if least <= len(distinct):
                yield summarised(array, DISTINCT), distinct


def selections(
    array: Hypothesis, values: list[Any], places: list[int], sources: Sources
) -> Iterator[Hypothesis]:
    """Yield filters that let exactly the elements at these places through."""
    picked = [values[place] for place in places]
    others = [value for place, value in enumerate(values) if place not in set(places)]
    if not picked or not others:
        return
    for field in _common_fields(picked):
        wanted = follow(picked[0], field)
        has_all = all(same(follow(value, field), wanted) for value in picked)
        if has_all and not any(same(follow(value, field), wanted) for value in others):
            for choice in _reasons(field, wanted, array, sources):
                yield chosen(array, choice, ())
    for field in [(), *_common_fields(picked)]:
        ending = _ending([follow(value, field) for value in picked])
        if ending and not any(
            isinstance(text := follow(value, field), str) and text.endswith(ending)
            for value in others
        ):
            yield chosen(array, ending_in(field, ending), ())
    if places == list(range(len(places))):
        yield chosen(array, first_few(len(places)), ())


def _common_fields(values: list[Any]) -> list[Path]:
    if not all(isinstance(value, dict) for value in values):
        return []
    return list(islice(_fields(values[0]), MOST_SIBLINGS))


_ENDING = re.compile(r"\.\w{1,8}$")


def _ending(values: list[Any]) -> str | None:
    endings = {
        found[0] if isinstance(value, str) and (found := _ENDING.search(value)) else None
        for value in values
    }
    return next(iter(endings)) if len(endings) == 1 else None


# --- parts and summaries of several values


def _summaries(value: Any, sources: Sources) -> Iterator[Hypothesis]:
    is_number = isinstance(value, int | float)
    for head, path, values in sources.chains():
        if is_number:
            for summary in SUMMARIES:
                found = summary.function(values) if values else MISSING
                if found is not MISSING and same(found, value):
                    yield summarised(sources.refer(head, path), summary)
        elif (sign := separator(value, values)) is not None and sign[1] == len(value):
            yield summarised(sources.refer(head, path), joined_by(sign[0]))


def separator(text: str, values: list[Any]) -> tuple[str, int] | None:
    """Return what stands between the elements at the beginning of a text, and where they end."""
    if len(values) < SHORTEST_JOIN or not all(isinstance(value, str) for value in values):
        return None
    if not values[0] or not text.startswith(values[0]):
        return None
    start = len(values[0])
    place = text.find(values[1], start) if values[1] else -1
    if place < 0 or place - start > 12:
        return None
    sign = text[start:place]
    joined = sign.join(values)
    return (sign, len(joined)) if text.startswith(joined) else None


def _pieces(value: Any, sources: Sources) -> Iterator[Hypothesis]:
    """Yield the ways to cut the value out of a longer text."""
    piece = str(value)
    if len(piece) < SHORTEST_PIECE:
        return
    tried = 0
    for head, path, text in sources.texts():
        if len(text) <= len(piece) or piece not in text:
            continue
        tried += 1
        if tried > MOST_MATCHES:
            return
        if not isinstance(sources.value_at(head, path), str):
            continue
        forms = pieces_of(text, piece) if len(text) < 1_000 else []
        forms = [*forms[:4], *_extractions(text, piece)]
        inner = reference(head, path, sources.recency_cost(head))
        for form in forms:
            cut = transformed(inner, form)
            yield cut if isinstance(value, str) else transformed(cut, CASES[3])


def _extractions(text: str, piece: str) -> Iterator[Transform]:
    """Yield regexes that find a piece by the words just before it."""
    place = text.find(piece)
    while place >= 0:
        after = text[place + len(piece) : place + len(piece) + 1]
        before = text[max(0, place - _CONTEXT) : place].rpartition("\n")[2]
        if not (after.isalnum() and piece[-1].isalnum()) and re.search(r"[A-Za-zÀ-ÿ]", before):
            lead = "".join(re.findall(r"\S+\s*", before)[-2:]) or before
            escaped = re.sub(r"([.^$*+?{}\[\]\\|()])", r"\\\1", lead)
            pattern = re.sub(r"\d+", r"\\d+", escaped)
            for body in _BODIES:
                if regex.fullmatch(body, piece):
                    yield from _checked(f"{pattern}({body})", text, piece)
                    break
            return
        place = text.find(piece, place + 1)


_BODIES = (r"\d+", r"[\w-]+", r"[\w.@+/:-]*\w", r"[^\n]+")


def _checked(pattern: str, text: str, piece: str) -> Iterator[Transform]:
    def cut(value: Any) -> Any:
        if not isinstance(value, str):
            return MISSING
        try:
            found = regex_extract(value, pattern, 1)
        except ValueError:
            return MISSING
        return MISSING if found is None else found

    if cut(text) == piece:
        yield Transform(f"$regex_extract({{0}}, {literal(pattern)}, 1)", cut, 5.0)
