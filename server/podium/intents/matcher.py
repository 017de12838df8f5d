"""A request to its intent: every pattern that fits, ranked, or the nearest ones when none fits."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from podium.domain.intent import Analysis, Candidate, Intent
from podium.domain.limits import Limits
from podium.intents.by_regex import BUDGET, RegexMatcher
from podium.intents.by_sentence import SentenceMatcher
from podium.intents.library import PatternLibrary
from podium.intents.ranking import Match, Span, lies_in_free_text, rank
from podium.intents.request import Request
from podium.intents.sentences import Readings
from podium.intents.slots import ListSource
from podium.intents.splitting import divisions, ways_to_divide
from podium.intents.suggestions import Suggester

LEAST_CONFIDENCE = 0.15
"""A match of a part of the request that one is less sure of is refused: it may be an accident."""

logger = logging.getLogger(__name__)

__all__ = ["BUDGET", "LEAST_CONFIDENCE", "Explanation", "Matcher"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a request was analysed.

    `spoken` is the form in which sentences meet it, `without_politeness` what is left of that;
    `sentences` and `regexes` count those that the prefilter let through, of all there are.
    """

    analysis: Analysis
    spoken: str
    without_politeness: str
    sentences: tuple[int, int]
    regexes: tuple[int, int]


def _local_now() -> datetime:
    return datetime.now().astimezone()


class Matcher:
    """The patterns of a library, ready for any number of requests.

    Analysing keeps no state between requests, and the same request always has the same analysis at
    the same time of day, as long as no regex runs out of time.
    """

    def __init__(
        self,
        library: PatternLibrary,
        *,
        limits: Limits,
        now: Callable[[], datetime] = _local_now,
        lists: ListSource | None = None,
        least_confidence: float = LEAST_CONFIDENCE,
    ) -> None:
        self.library = library
        self._regexes = RegexMatcher(library.patterns, limits=limits)
        self._sentences = SentenceMatcher(library.patterns, library.skips)
        self._suggester = Suggester(library.patterns)
        self._now = now
        self._lists = lists
        self._least_confidence = least_confidence

    def analyse(self, text: str) -> Analysis:
        """Return the intent of a request with every candidate, or suggestions.

        A pattern whose regex runs out of time, or whose sentence is too ambiguous, is no
        candidate; `timed_out` names it.
        """
        request = Request.of(text)
        late: dict[str, None] = {}
        matches = self._matches(request, late)
        candidates = rank(matches, request.text)
        plan = self._plan(request, candidates, matches, late)
        timed_out = tuple(late)
        if timed_out:
            logger.warning("patterns ran out of time", extra={"patterns": timed_out})
        if plan:
            intents = tuple(each.intent for each in plan)
            spoken = intents[0].language or request.language
            return Analysis(intents[0], plan, spoken, timed_out, plan=intents)
        refusal = self._refusal(candidates)
        if not candidates or refusal:
            return Analysis(
                None, candidates, request.language, timed_out, refusal=refusal,
                nearest=partial(self._suggester.nearest, text, request.language),
            )  # fmt: skip
        intent = _in_language(candidates[0].intent, request)
        return Analysis(intent, candidates, intent.language or "", timed_out)

    def explain(self, text: str) -> Explanation:
        """Return the analysis of a request with what it went through."""
        request = Request.of(text)
        windows = self._sentences.windows(request)
        said, first = windows.said, next(iter(windows))
        return Explanation(
            self.analyse(text),
            said.text,
            said.text[first.start : first.end],
            (len(self._sentences.candidates(said)), self._sentences.count),
            (len(self._regexes.candidates(request)), self._regexes.count),
        )

    def _matches(self, request: Request, late: dict[str, None]) -> tuple[Match, ...]:
        """Return the best match of each pattern."""
        if not request.text:
            return ()
        readings = Readings(request.said, self._now)
        found: list[Match] = [
            *self._sentences.matches(request, readings, self._lists, late),
            *self._regexes.matches(request, readings, self._lists, late),
        ]
        if len(found) < 2:
            return tuple(found)
        best: dict[int, Match] = {}
        for match in found:
            order = match.pattern.order
            if order not in best or _length(match) > _length(best[order]):
                best[order] = match
        return tuple(best.values())

    def _refusal(self, candidates: tuple[Candidate, ...]) -> str:
        """Say why the best candidate is not good enough, if it is not."""
        if not candidates:
            return ""
        best = candidates[0]
        confidence = best.intent.confidence
        if best.whole or confidence >= self._least_confidence:
            return ""
        return (
            f"{best.intent.type} only matches a part of the request, with a confidence of "
            f"{confidence:.2f}; {self._least_confidence:.2f} is the least"
        )

    # --- several intents

    def _plan(
        self,
        request: Request,
        candidates: tuple[Candidate, ...],
        matches: tuple[Match, ...],
        late: dict[str, None],
    ) -> tuple[Candidate, ...]:
        """Return the best candidate of each thing that is asked for, if there are several."""
        places = divisions(request.text)
        if places and candidates and candidates[0].whole:
            # The best match keeps together what it spells out itself.
            best = next(match for match in matches if match.pattern.source == candidates[0].source)
            spelt_out = best.prescribed(request.text)
            places = [
                place for place in places if lies_in_free_text(place, spelt_out, request.text)
            ]
        for parts in ways_to_divide(request.text, places):
            found = [self._part(request, part, late) for part in parts]
            plan = tuple(each for each in found if each is not None)
            if len(plan) == len(parts):
                return plan
        return ()

    def _part(self, request: Request, span: Span, late: dict[str, None]) -> Candidate | None:
        """Return the best candidate of a part, if it says the whole part in words of its own."""
        part = Request.of(request.original(span))
        matches = self._matches(part, late)
        candidates = rank(matches, part.text)
        if not candidates or not candidates[0].whole or candidates[0].intent.confidence < 1.0:
            return None
        best = candidates[0]
        offset = request.original_span(span)[0]
        return replace(
            best,
            intent=_in_language(best.intent, part),
            span=(best.span[0] + offset, best.span[1] + offset),
            slots=tuple(
                replace(slot, span=(slot.span[0] + offset, slot.span[1] + offset))
                for slot in best.slots
            ),
        )


def _in_language(intent: Intent, request: Request) -> Intent:
    """Return an intent with the request's language, where its pattern has none."""
    return intent if intent.language else replace(intent, language=request.language)


def _length(match: Match) -> tuple[int, int, int]:
    return (
        match.span[1] - match.span[0],
        match.specific_characters,
        match.prescribed_characters,
    )
