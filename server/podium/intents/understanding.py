"""A request to what it means: by the patterns; where none matches, by the words it shares.

The patterns decide alone whenever one of them matches. Guessing comes after, says so
(`matched_by: heuristic`), and what it is less sure of becomes a question: see `heuristics.decide`.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol

from podium.domain.errors import PodiumError
from podium.domain.intent import Analysis, Candidate, Intent, nothing_near
from podium.domain.past import MAX_PAST_REQUESTS, PastRequest
from podium.domain.ports import Clock, PastRequests
from podium.intents.heuristics import Asked, Decision, Guess, Heuristics, KnownIntent, decide
from podium.intents.library import PatternLibrary

PAST_SECONDS = 60.0  # what was asked before is looked up again after so long, at the earliest
LEARNT_AT_ONCE = 300  # past requests; some 30 ms, in which nothing else is answered
SOURCE = "(guessed)"

logger = logging.getLogger(__name__)


class Patterns(Protocol):
    """Patterns ready for requests: a `Matcher`, or one whose files may change meanwhile."""

    @property
    def library(self) -> PatternLibrary:
        """The patterns; another object when they have changed."""
        ...

    def analyse(self, text: str) -> Analysis:
        """Return what a request means by the patterns alone."""
        ...


Knows = Callable[[PatternLibrary], Iterable[KnownIntent]]
"""Called with the patterns; returns what is known about the intents that something answers."""


class Understanding:
    """Patterns first, then guesses; safe to use from many tasks of one event loop."""

    def __init__(
        self,
        patterns: Patterns,
        knows: Knows,
        *,
        past: PastRequests | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._patterns = patterns
        self._knows = knows
        self._past = past
        self._clock = clock
        self._library: PatternLibrary | None = None  # the one that was studied
        self._heuristics = Heuristics(())
        self._noted: frozenset[tuple[str, str]] = frozenset()
        self._looked_at = float("-inf")

    def analyse(self, text: str) -> Analysis:
        """Return what a request means, by what is known so far."""
        analysis = self._patterns.analyse(text)
        return analysis if analysis.intent is not None else self._guessed(analysis, text)

    def renew(self) -> None:
        """Study what answers intents anew at the next need: it has changed."""
        self._library = None

    async def remember(self) -> bool:
        """Take note of what was asked and answered lately, now and then; return whether it is new.

        A journal that cannot be read changes nothing: guessing then knows less.
        """
        if self._past is None or self._clock is None:
            return False
        self._studied()
        now = self._clock.monotonic()
        if now - self._looked_at < PAST_SECONDS:
            return False
        self._looked_at = now  # first, so that many requests at once look only once
        try:
            past = await self._past.past_requests(MAX_PAST_REQUESTS)
        except PodiumError as error:
            logger.warning("past requests cannot be read", extra={"code": error.code})
            return False
        return self._take_note(past)

    def _guessed(self, analysis: Analysis, text: str) -> Analysis:
        guesses = self._studied().guess(text, analysis.language)
        return _with_decision(analysis, decide(guesses), text)

    def _take_note(self, past: Iterable[PastRequest]) -> bool:
        known = {(each.intent_type, each.text): each for each in past}
        fresh = [each for key, each in known.items() if key not in self._noted][:LEARNT_AT_ONCE]
        old = self._noted.intersection(known)
        self._noted = old | {(each.intent_type, each.text) for each in fresh}
        self._studied().learn(
            (each.intent_type, Asked(each.text, None, each.params)) for each in reversed(fresh)
        )
        return bool(fresh)

    def _studied(self) -> Heuristics:
        """Return the heuristics over the patterns as they are now; studied at the first need."""
        library = self._patterns.library
        if library is not self._library:
            self._heuristics = Heuristics(self._knows(library))
            self._library = library
            self._noted, self._looked_at = frozenset(), float("-inf")
        return self._heuristics


def _with_decision(analysis: Analysis, decision: Decision, text: str) -> Analysis:
    candidates = tuple(
        _candidate(guess, analysis.language, len(text)) for guess in decision.guesses
    )
    if decision.step == "refuse":
        return analysis
    if decision.step == "act":
        return replace(
            analysis,
            intent=candidates[0].intent,
            candidates=candidates,
            nearest=nothing_near,
            refusal="",
        )
    return replace(analysis, choices=candidates)


def _reason(guess: Guess) -> str:
    shared = ", ".join(f"'{word}'" for word in guess.why) or "what it does"
    return f"no pattern matches; {guess.type} is asked for with {shared}"


def _candidate(guess: Guess, language: str, characters: int) -> Candidate:
    intent = Intent(
        type=guess.type,
        params=guess.params,
        confidence=guess.confidence,
        matched_by="heuristic",
        language=language,
        composition_id=guess.composition_id,
    )
    return Candidate(
        intent=intent,
        span=(0, characters),
        whole=False,
        literal_characters=0,
        priority=0,
        source=SOURCE,
        reason=_reason(guess),
    )
