"""A request to the matches of the regexes that may fit it, each within its time."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from podium.domain.intent import SaidSlot
from podium.domain.limits import Limits
from podium.intents.grammar import literal_text
from podium.intents.library import LoadedPattern
from podium.intents.params import Group, fill_params
from podium.intents.prefilter import Prefilter
from podium.intents.ranking import Match, Span, between
from podium.intents.regexes import Regex
from podium.intents.request import ENDING, Request, count, unquoted
from podium.intents.sentences import Readings
from podium.intents.slots import FreeSlot, ListSlot, ListSource, Slot, TypedSlot
from podium.text.values import NOT_A_VALUE

BUDGET = 10  # one request may take as long as this many regexes that use up their time
MAX_MATCHES = 64  # of one regex in one request; the longest of them counts


class _Found(NamedTuple):
    """A match of a regex, and whether it is of the whole request."""

    match: Any
    is_whole: bool


class _Budget:
    """The time that one request has left, and what used up its share."""

    def __init__(self, seconds_per_match: float) -> None:
        self._per_match = seconds_per_match
        self._began = time.thread_time()
        self._end = self._began + seconds_per_match * BUDGET

    def seconds(self) -> float:
        """Return what a match that begins now may take."""
        self._began = time.thread_time()
        left = self._end - self._began
        if left <= 0:
            raise TimeoutError
        return min(self._per_match, left)

    def was_robbed(self) -> bool:
        """Whether the match that ran out of time had little of it for itself.

        The engine's clock goes on while a busy machine lets other processes run.
        """
        return time.thread_time() - self._began < self._per_match / 2


@dataclass(frozen=True, slots=True)
class _Unit:
    """One regex of one pattern, as the prefilter counts them."""

    pattern: LoadedPattern
    regex: Regex
    groups: tuple[tuple[int | str, int], ...]


class RegexMatcher:
    """The regexes of patterns, ready for any number of requests."""

    def __init__(self, patterns: Sequence[LoadedPattern], *, limits: Limits) -> None:
        self._units = [
            _Unit(pattern, each, _used_groups(pattern, each))
            for pattern in patterns
            for each in pattern.regexes
        ]
        self._prefilter = Prefilter([unit.regex.needs for unit in self._units])
        self._limits = limits
        self.count = len(self._units)

    def candidates(self, request: Request) -> list[int]:
        """Return the positions of the regexes that may match."""
        return self._prefilter.candidates(request.text, request.words) if self._units else []

    def matches(
        self,
        request: Request,
        readings: Readings,
        lists: ListSource | None,
        late: dict[str, None],
    ) -> Iterator[Match]:
        """Yield the matches; a pattern whose regex runs out of time is named in `late`."""
        units = [self._units[position] for position in self.candidates(request)]
        for unit in units:
            unit.regex.prepare()  # before the time runs
        budget = _Budget(self._limits.regex_seconds)
        for unit in units:
            try:
                match = _match_in_time(unit, request, budget, readings, lists)
            except TimeoutError:
                late[f"{unit.pattern.name} ({unit.pattern.source})"] = None
                continue
            if match is not None:
                yield match


def _match_in_time(
    unit: _Unit, request: Request, budget: _Budget, readings: Readings, lists: ListSource | None
) -> Match | None:
    try:
        return _match(unit, request, budget, readings, lists)
    except TimeoutError:
        if not budget.was_robbed():
            raise
    return _match(unit, request, budget, readings, lists)


def _match(
    unit: _Unit, request: Request, budget: _Budget, readings: Readings, lists: ListSource | None
) -> Match | None:
    pattern = unit.pattern
    for found in _finds(unit.regex.compiled, request.text, budget):
        slots = _read_groups(pattern, found.match, unit.regex, request, readings, lists)
        if slots is not None:
            break
    else:
        return None
    groups = _groups(found.match, unit, request)
    groups |= {slot.name: slot.value for slot in slots}
    span: Span = found.match.span()
    free = tuple(sorted(part for number in unit.regex.free for part in found.match.spans(number)))
    spelt_out = between(span, free, request.text)
    said = {key for key in groups if isinstance(key, str)}
    defaults, from_context = pattern.unsaid(said) if pattern.slots else ({}, {})
    return Match(
        pattern=pattern,
        text=unit.regex.source,
        params={**defaults, **fill_params(pattern.params, groups)},
        span=span,
        original_span=request.original_span(span),
        is_whole=found.is_whole,
        free=free,
        prescribed_characters=sum([count(request.text[first:last]) for first, last in spelt_out]),
        covered_characters=count(request.text[slice(*span)]),
        request_characters=request.characters,
        slots=slots,
        from_context=from_context,
    )


def _finds(compiled: Any, text: str, budget: _Budget) -> Iterator[_Found]:
    """Yield the whole request, the same without its final punctuation; else its longest part.

    The first one counts; the next is for a group with a type that read the punctuation as well.
    """
    ends = dict.fromkeys((len(text), len(text.rstrip(ENDING))))
    has_whole = False
    for end in ends:
        match = compiled.fullmatch(text, 0, end, timeout=budget.seconds()) if end else None
        if match is not None:
            has_whole = True
            yield _Found(match, is_whole=True)
    if has_whole:
        return
    for end in ends:
        parts = islice(compiled.finditer(text, 0, end, timeout=budget.seconds()), MAX_MATCHES)
        longest = max(parts, key=lambda match: match.end() - match.start(), default=None)
        if longest is None or not longest.group().strip():
            return
        yield _Found(longest, is_whole=False)


def _groups(match: Any, unit: _Unit, request: Request) -> dict[int | str, Any]:
    """Return the original text of each group that is used and took part in more than blanks."""
    found: dict[int | str, Any] = {}
    for key, number in unit.groups:
        span = match.span(number)
        if span[0] >= 0 and (text := request.original(span).strip()):
            found[key] = text
    return found


def _used_groups(pattern: LoadedPattern, each: Regex) -> tuple[tuple[int | str, int], ...]:
    """Return the groups that become params: named ones, and those that a param refers to."""
    referred = {param.key for param in pattern.params.values() if isinstance(param, Group)}
    groups: dict[int | str, int] = {0: 0, **each.groups}
    return tuple((k, n) for k, n in groups.items() if isinstance(k, str) or k in referred)


def _read_groups(
    pattern: LoadedPattern,
    match: Any,
    each: Regex,
    request: Request,
    readings: Readings,
    lists: ListSource | None,
) -> tuple[SaidSlot, ...] | None:
    """Return the named groups that are slots as values; None where one has none."""
    found: list[SaidSlot] = []
    for name, slot in pattern.group_slots.items():
        span = match.span(each.groups[name]) if name in each.groups else (-1, -1)
        if span[0] >= 0 and isinstance(slot.kind, FreeSlot):
            span = request.with_ending(span)
        text = request.original(span).strip() if span[0] >= 0 else ""
        if not text:
            continue
        value = _value(slot, text, pattern.language or request.language, readings, lists)
        if value is NOT_A_VALUE:
            return None
        found.append(SaidSlot(name, slot.kind.kind, value, text, request.original_span(span)))
    return tuple(found)


def _value(
    slot: Slot, text: str, language: str, readings: Readings, lists: ListSource | None
) -> Any:
    kind = slot.kind
    if isinstance(kind, TypedSlot):
        return readings.read(kind, language, text)
    if isinstance(kind, ListSlot):
        forms = kind.current(lists)
        return text if forms is None else forms.values.get(literal_text(text), NOT_A_VALUE)
    return unquoted(text)
