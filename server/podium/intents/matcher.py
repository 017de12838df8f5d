"""A request to its intent: every pattern that fits, ranked, or the nearest ones when none fits."""

import logging
import string
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, NamedTuple

import regex

from podium.domain.intent import Analysis
from podium.domain.limits import Limits
from podium.intents.library import LoadedPattern, PatternLibrary
from podium.intents.params import fill_params
from podium.intents.prefilter import Prefilter
from podium.intents.ranking import Match, Span, rank
from podium.intents.regexes import FLAGS, Regex
from podium.intents.suggestions import Suggester
from podium.text.folding import Folded, fold
from podium.text.language import guess_language

BUDGET = 10  # one request may take as long as this many regexes that use up their time
MAX_MATCHES = 64  # of one regex in one request; the longest of them counts
_ENDING = "?!." + string.whitespace  # left over after a whole request without harm

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Request:
    """The folded request and the part of it, without blanks around, that is matched."""

    folded: Folded
    text: str
    start: int
    characters: int

    def original(self, span: Span) -> str:
        return self.folded.original(self.start + span[0], self.start + span[1])

    def original_span(self, span: Span) -> Span:
        return self.folded.span(self.start + span[0], self.start + span[1])


@dataclass(frozen=True, slots=True)
class _Unit:
    """One regex of one pattern, as the prefilter counts them."""

    pattern: LoadedPattern
    regex: Regex


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


class Matcher:
    """The patterns of a library, ready for any number of requests.

    Analysing keeps no state between requests, and the same request always has the same analysis,
    as long as no regex runs out of time.
    """

    def __init__(self, library: PatternLibrary, *, limits: Limits) -> None:
        self._units = [
            _Unit(pattern, each) for pattern in library.patterns for each in pattern.regexes
        ]
        self._prefilter = Prefilter([unit.regex.needs for unit in self._units])
        self._suggester = Suggester(library.patterns)
        self._limits = limits
        self._measuring: dict[str, Any] = {}  # compiled at the first match; few ever match

    def analyse(self, text: str) -> Analysis:
        """Return the intent of a request with every candidate, or suggestions.

        A pattern whose regex runs out of time is no candidate; `timed_out` names it.
        """
        request = _request(text)
        late: dict[str, None] = {}
        candidates = rank(tuple(self._matches(request, late)), request.text)
        timed_out = tuple(late)
        if timed_out:
            logger.warning("regexes ran out of time", extra={"patterns": timed_out})
        if not candidates:
            language = guess_language(text)
            suggestions = self._suggester.nearest(text, language)
            return Analysis(None, (), suggestions, language, timed_out)
        best = candidates[0].intent
        spoken = best.language or guess_language(text)
        intent = replace(best, language=spoken)
        return Analysis(intent, candidates, language=spoken, timed_out=timed_out)

    def _matches(self, request: _Request, late: dict[str, None]) -> Iterable[Match]:
        if not request.text:
            return ()
        budget = _Budget(self._limits.regex_seconds)
        best: dict[int, Match] = {}
        for position in self._prefilter.candidates(request.text):
            unit = self._units[position]
            try:
                match = self._match_in_time(unit, request, budget)
            except TimeoutError:
                late[f"{unit.pattern.name} ({unit.pattern.source})"] = None
                continue
            if match is not None:
                before = best.setdefault(unit.pattern.order, match)
                best[unit.pattern.order] = max(before, match, key=_length)
        return best.values()

    def _match_in_time(self, unit: _Unit, request: _Request, budget: _Budget) -> Match | None:
        began, compiled = time.thread_time(), len(self._measuring)
        try:
            return self._match(unit, request, budget)
        except TimeoutError:
            # Compiling a measuring regex, once, is not the match's own time either.
            if len(self._measuring) == compiled and not budget.was_robbed(began):
                raise
        return self._match(unit, request, budget)

    def _match(self, unit: _Unit, request: _Request, budget: _Budget) -> Match | None:
        found = _find(unit.regex.compiled, request.text, budget)
        if found is None:
            return None
        span: Span = found.match.span()
        prescribed = self._prescribed(unit.regex, found, request.text, budget)
        return Match(
            pattern=unit.pattern,
            params=fill_params(unit.pattern.params, _groups(found.match, request)),
            span=span,
            original_span=request.original_span(span),
            is_whole=found.is_whole,
            prescribed=prescribed,
            prescribed_characters=sum(
                _count(request.text[first:last]) for first, last in prescribed
            ),
            covered_characters=_count(request.text[slice(*span)]),
            request_characters=request.characters,
        )

    def _prescribed(
        self, each: Regex, found: _Found, text: str, budget: _Budget
    ) -> tuple[Span, ...]:
        """Return what the match took outside of wildcards; else outside of the regex's groups."""
        match = self._measured(each, found, text, budget) or found.match
        groups = range(1, match.re.groups + 1)
        free = sorted(span for number in groups for span in match.spans(number))
        return tuple(_between(match.span(), free, text))

    def _measured(self, each: Regex, found: _Found, text: str, budget: _Budget) -> Any:
        """Return the same match with a group for each wildcard, or None."""
        if each.measuring is None:
            return None
        if each.measuring not in self._measuring:
            self._measuring[each.measuring] = regex.compile(each.measuring, FLAGS)
        measure = self._measuring[each.measuring]
        start, end = found.match.span()
        seconds = budget.seconds()
        if found.is_whole:
            measured = measure.fullmatch(text, start, end, timeout=seconds)
        else:
            measured = measure.match(text, start, timeout=seconds)
        is_same = measured is not None and measured.span() == (start, end)
        return measured if is_same else None


def _request(text: str) -> _Request:
    folded = fold(text)
    stripped = folded.text.strip()
    start = len(folded.text) - len(folded.text.lstrip())
    return _Request(folded, stripped, start, _count(stripped))


def _find(compiled: Any, text: str, budget: _Budget) -> _Found | None:
    """Try the whole request, then without its final punctuation, then its longest part."""
    for end in dict.fromkeys((len(text), len(text.rstrip(_ENDING)))):
        match = compiled.fullmatch(text, 0, end, timeout=budget.seconds()) if end else None
        if match is not None:
            return _Found(match, is_whole=True)
    parts = islice(compiled.finditer(text, timeout=budget.seconds()), MAX_MATCHES)
    longest = max(parts, key=lambda match: match.end() - match.start(), default=None)
    if longest is None or not longest.group().strip():
        return None
    return _Found(longest, is_whole=False)


def _groups(match: Any, request: _Request) -> dict[int | str, str]:
    """Return the original text of each group that took part in more than blanks."""
    numbers = {number: match.span(number) for number in range(match.re.groups + 1)}
    names = {name: match.span(name) for name in match.re.groupindex}
    texts = {
        key: request.original(span).strip()
        for key, span in {**numbers, **names}.items()
        if span[0] >= 0
    }
    return {key: text for key, text in texts.items() if text}


def _between(span: Span, free: Iterable[Span], text: str) -> Iterator[Span]:
    """Yield what lies between the free spans (sorted) and is not blank."""
    position = span[0]
    for first, last in (*free, (span[1], span[1])):
        if position < first and text[position:first].strip():
            yield position, first
        position = max(position, last)


def _count(text: str) -> int:
    return len("".join(text.split()))


def _length(match: Match) -> tuple[int, int]:
    return match.span[1] - match.span[0], match.prescribed_characters
