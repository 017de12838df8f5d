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
from podium.intents.params import fill_params
from podium.intents.prefilter import Prefilter
from podium.intents.ranking import Match, Span
from podium.intents.regexes import Regex
from podium.intents.request import ENDING, Request, between, count
from podium.intents.sentences import Readings
from podium.intents.slots import ListSlot, ListSource, Slot, TypedSlot
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
        self._end = time.thread_time() + seconds_per_match * BUDGET

    def seconds(self) -> float:
        left = self._end - time.thread_time()
        if left <= 0:
            raise TimeoutError
        return min(self._per_match, left)

    def was_robbed(self, began: float) -> bool:
        """Whether a match that ran out of time since then had little of it for itself.

        The engine's clock goes on while a busy machine lets other processes run.
        """
        return time.thread_time() - began < self._per_match / 2


@dataclass(frozen=True, slots=True)
class _Unit:
    """One regex of one pattern, as the prefilter counts them."""

    pattern: LoadedPattern
    regex: Regex


class RegexMatcher:
    """The regexes of patterns, ready for any number of requests."""

    def __init__(self, patterns: Sequence[LoadedPattern], *, limits: Limits) -> None:
        self._units = [_Unit(pattern, each) for pattern in patterns for each in pattern.regexes]
        self._prefilter = Prefilter([unit.regex.needs for unit in self._units])
        self._limits = limits
        self.count = len(self._units)

    def candidates(self, request: Request) -> list[int]:
        """Return the positions of the regexes that may match."""
        return self._prefilter.candidates(request.text) if self._units else []

    def matches(
        self,
        request: Request,
        readings: Readings,
        lists: ListSource | None,
        late: dict[str, None],
    ) -> Iterator[Match]:
        """Yield the matches; a pattern whose regex runs out of time is named in `late`."""
        budget: _Budget | None = None
        for position in self.candidates(request):
            unit = self._units[position]
            budget = budget or _Budget(self._limits.regex_seconds)
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
    began = time.thread_time()
    try:
        return _match(unit, request, budget, readings, lists)
    except TimeoutError:
        if not budget.was_robbed(began):
            raise
    return _match(unit, request, budget, readings, lists)


def _match(
    unit: _Unit, request: Request, budget: _Budget, readings: Readings, lists: ListSource | None
) -> Match | None:
    found = _find(unit.regex.compiled, request.text, budget)
    if found is None:
        return None
    pattern = unit.pattern
    groups: dict[int | str, Any] = _groups(found.match, unit.regex, request)
    slots = _read_groups(pattern, found.match, unit.regex, request, readings, lists)
    if slots is None:
        return None
    groups |= {slot.name: slot.value for slot in slots}
    span: Span = found.match.span()
    prescribed = _prescribed(unit.regex, found.match, request.text)
    said = {key for key in groups if isinstance(key, str)}
    defaults, from_context = pattern.unsaid(said) if pattern.slots else ({}, {})
    return Match(
        pattern=pattern,
        text=unit.regex.source,
        params={**defaults, **fill_params(pattern.params, groups)},
        span=span,
        original_span=request.original_span(span),
        is_whole=found.is_whole,
        prescribed=prescribed,
        prescribed_characters=sum(count(request.text[first:last]) for first, last in prescribed),
        covered_characters=count(request.text[slice(*span)]),
        request_characters=request.characters,
        slots=slots,
        from_context=from_context,
    )


def _find(compiled: Any, text: str, budget: _Budget) -> _Found | None:
    """Try the whole request, then without its final punctuation, then its longest part."""
    for end in dict.fromkeys((len(text), len(text.rstrip(ENDING)))):
        match = compiled.fullmatch(text, 0, end, timeout=budget.seconds()) if end else None
        if match is not None:
            return _Found(match, is_whole=True)
    parts = islice(compiled.finditer(text, timeout=budget.seconds()), MAX_MATCHES)
    longest = max(parts, key=lambda match: match.end() - match.start(), default=None)
    if longest is None or not longest.group().strip():
        return None
    return _Found(longest, is_whole=False)


def _prescribed(each: Regex, match: Any, text: str) -> tuple[Span, ...]:
    """Return what the match took outside of wildcards; else outside of the regex's groups."""
    free = sorted(span for number in each.free for span in match.spans(number))
    return tuple(between(match.span(), free, text))


def _groups(match: Any, each: Regex, request: Request) -> dict[int | str, Any]:
    """Return the original text of each group that took part in more than blanks."""
    spans = {key: match.span(number) for key, number in each.groups.items()}
    spans[0] = match.span()
    texts = {key: request.original(span).strip() for key, span in spans.items() if span[0] >= 0}
    return {key: text for key, text in texts.items() if text}


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
    for name, slot in pattern.slots.items():
        span = match.span(each.groups[name]) if name in each.groups else (-1, -1)
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
    return text
