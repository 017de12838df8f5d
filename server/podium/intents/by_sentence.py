"""A request to the matches of the sentences that may say it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from podium.domain.intent import SaidSlot
from podium.intents.library import LoadedPattern
from podium.intents.needs import needs_of
from podium.intents.params import fill_params
from podium.intents.prefilter import WordFilter
from podium.intents.ranking import Match, Span
from podium.intents.request import Request, count, unquoted
from podium.intents.sentences import Capture, Readings, Sentence, TooManyStepsError
from podium.intents.slots import ListSlot, ListSource
from podium.intents.spoken import DEFAULT_SKIPS, Skips, Spoken, Window, spoken

BUDGET = 20  # sentences of one request that may turn out too ambiguous; no more are tried then


@dataclass(frozen=True, slots=True)
class _Unit:
    """One sentence of one pattern, as the prefilter counts them."""

    pattern: LoadedPattern
    sentence: Sentence


class Windows:
    """What of a request is tried, in order; made when it is first needed, and once."""

    def __init__(self, said: Spoken, made: Iterator[Window]) -> None:
        self.said = said
        self._made = made
        self._known: list[Window] = []

    def __iter__(self) -> Iterator[Window]:
        yield from self._known
        for window in self._made:
            self._known.append(window)
            yield window


class SentenceMatcher:
    """The sentences of patterns, ready for any number of requests."""

    def __init__(self, patterns: Sequence[LoadedPattern], skips: Sequence[str]) -> None:
        self._units = [
            _Unit(pattern, sentence) for pattern in patterns for sentence in pattern.sentences
        ]
        self._filter = WordFilter([needs_of(unit.sentence.tree) for unit in self._units])
        self._skips = Skips.of((*DEFAULT_SKIPS, *skips))
        self.count = len(self._units)

    def windows(self, request: Request) -> Windows:
        """Return what of a request is tried, with and without its politeness."""
        said = spoken(request.text, request.words)
        return Windows(said, self._skips.windows(said))

    def candidates(self, said: Spoken) -> list[int]:
        """Return the positions of the sentences that may match."""
        return self._filter.candidates(said.tokens)

    def matches(
        self,
        request: Request,
        readings: Readings,
        lists: ListSource | None,
        late: dict[str, None],
    ) -> Iterator[Match]:
        """Yield the matches; a pattern with a sentence that is too ambiguous is named in `late`."""
        if not self._units:
            return
        windows = self.windows(request)
        ambiguous = 0
        for position in self.candidates(windows.said):
            unit = self._units[position]
            try:
                match = _match(unit, request, windows, readings, lists)
            except TooManyStepsError:
                late[f"{unit.pattern.name} ({unit.pattern.source})"] = None
                ambiguous += 1
                if ambiguous >= BUDGET:
                    return
                continue
            if match is not None:
                yield match


def _match(
    unit: _Unit,
    request: Request,
    windows: Windows,
    readings: Readings,
    lists: ListSource | None,
) -> Match | None:
    language = unit.pattern.language or request.language
    for window in windows:
        captures = unit.sentence.match(window, readings, language=language, lists=lists)
        if captures is not None:
            return _as_match(unit, request, window, captures)
    return None


def _as_match(unit: _Unit, request: Request, window: Window, captures: Sequence[Capture]) -> Match:
    pattern = unit.pattern
    said = window.spoken
    slots = tuple(_said(capture, request, said) for capture in captures)
    groups: dict[int | str, Any] = {0: request.original((0, len(request.text))).strip()}
    groups |= {slot.name: slot.value for slot in slots}
    defaults, from_context = pattern.unsaid(groups.keys()) if pattern.slots else ({}, {})
    free, typed = 0, 0
    spans: list[Span] = []
    for capture in captures:
        if isinstance(capture.slot.kind, ListSlot) and not capture.is_free:
            continue
        taken = count(said.text[capture.start : capture.end])
        free += taken
        typed += 0 if capture.is_free else taken
        spans.append(said.folded_span(capture.start, capture.end))
    return Match(
        pattern=pattern,
        text=unit.sentence.source,
        params={**defaults, **fill_params(pattern.params, groups)},
        span=(0, len(request.text)),
        original_span=request.original_span((0, len(request.text))),
        is_whole=True,
        free=tuple(sorted(spans)),
        prescribed_characters=count(said.text[window.start : window.end]) - free,
        covered_characters=request.characters,
        request_characters=request.characters,
        typed_characters=typed,
        slots=slots,
        from_context=from_context,
    )


def _said(capture: Capture, request: Request, said: Spoken) -> SaidSlot:
    span = said.folded_span(capture.start, capture.end)
    value = capture.value
    if capture.is_free:
        span = request.with_ending(span)
        value = unquoted(request.original(span))
    return SaidSlot(
        capture.slot.name,
        capture.slot.kind.kind,
        value,
        request.original(span),
        request.original_span(span),
    )
