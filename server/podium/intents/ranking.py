r"""Matches of one request, best first: the specific beats the general.

What counts, in this order (`RULES`):

1. A pattern that prescribes some characters, or their type, beats a catch-all such as `.*`.
2. A match inside the free text of another is about that text, not about the request:
   in "send bob a mail: list the files", listing is only what the mail says.
3. A match of the whole request that prescribes a fair share of it beats the match of a part.
4. More prescribed characters beat fewer. A character is prescribed when the regex or sentence, or
   the list of a slot, spells it out, or when the type of a slot (a number, a date) takes it; one
   that a wildcard takes (`.`, `\w`, `[a-z]`, `{text}`, however often) is not. Blanks never count.
5. Among equals, characters that are spelt out beat those that a type takes.
6. A longer match beats a shorter one.
7. The higher `priority`, then the earlier place in the files, decide between equals.

Confidence is `specificity * (1 + coverage) / 2`, at least 0.1. Specificity is the share of the
request that is prescribed, full from a quarter of it on (and from three characters on); coverage is
the share that the match takes. So 1.0 means: the whole request, and by its own words. Nobody is
surer than the candidate before.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise
from typing import Any

from podium.domain.intent import Candidate, Intent, SaidSlot
from podium.intents.library import LoadedPattern

Span = tuple[int, int]

FEW_CHARACTERS = 3  # prescribed ones that a match needs to be about something of its own
FAIR_SHARE = 4  # a match prescribes its fair share with every fourth character of the request
LEAST_CONFIDENCE = 0.1


@dataclass(frozen=True, slots=True)
class Match:
    """One pattern's best match. Spans are in the folded request.

    `free` is what the pattern does not spell out, in order; `typed_characters` counts what the
    types of its slots took. `text` is the regex or the sentence that matched.
    """

    pattern: LoadedPattern
    text: str
    params: dict[str, Any]
    span: Span
    original_span: Span
    is_whole: bool
    free: tuple[Span, ...]
    prescribed_characters: int
    covered_characters: int
    request_characters: int
    typed_characters: int = 0
    slots: tuple[SaidSlot, ...] = ()
    from_context: dict[str, str] = field(default_factory=dict)
    is_quoted: bool = False

    def prescribed(self, text: str) -> tuple[Span, ...]:
        """Return what the pattern spells out of the folded request, in order."""
        return tuple(between(self.span, self.free, text))

    @property
    def is_catch_all(self) -> bool:
        """Whether any text at all would have matched."""
        return self.specific_characters == 0

    @property
    def specific_characters(self) -> int:
        """How many characters not just any text would have had there."""
        return self.prescribed_characters + self.typed_characters

    @property
    def specificity(self) -> float:
        """How much of its fair share of the request the match prescribes, at most 1."""
        fair = max(FEW_CHARACTERS, self.request_characters / FAIR_SHARE)
        return min(1.0, self.specific_characters / fair)

    @property
    def confidence(self) -> float:
        """How sure one can be of this match taken by itself."""
        coverage = 1.0 if self.is_whole else self.covered_characters / self.request_characters
        return max(LEAST_CONFIDENCE, round(self.specificity * (1 + coverage) / 2, 3))


@dataclass(frozen=True, slots=True)
class Rule:
    """One criterion: higher `value` first; `reason` says why {winner} stands before {loser}."""

    value: Callable[[Match], float]
    reason: str


RULES = (
    Rule(
        lambda match: not match.is_catch_all,
        "{winner} asks for words of its own, {loser} takes any text",
    ),
    Rule(
        lambda match: not match.is_quoted,
        "{loser} only matches inside the free text of a larger match",
    ),
    Rule(
        lambda match: match.is_whole and match.specificity == 1.0,
        "{winner} fits the whole request in its own words, {loser} only a part or with few of them",
    ),
    Rule(
        lambda match: match.specific_characters,
        "{winner} prescribes {winner_value} characters of the request, {loser} {loser_value}",
    ),
    Rule(
        lambda match: match.prescribed_characters,
        "{winner} spells out {winner_value} characters of the request, {loser} {loser_value}",
    ),
    Rule(
        lambda match: match.span[1] - match.span[0],
        "{winner} matches {winner_value} characters, {loser} {loser_value}",
    ),
    Rule(
        lambda match: match.pattern.pattern.priority,
        "{winner} has priority {winner_value}, {loser} {loser_value}; they fit equally well",
    ),
    Rule(
        lambda match: -match.pattern.order,
        "{winner} comes first in the files; they fit equally well",
    ),
)


def rank(matches: Sequence[Match], text: str) -> tuple[Candidate, ...]:
    """Return the matches of a folded request as candidates, best first, each with its reason."""
    if len(matches) < 2:
        return tuple(_candidate(match, match.confidence, _only(match)) for match in matches)
    ordered = sorted(_with_quoted(matches, text), key=_values, reverse=True)
    reasons = [_reason(before, match) for before, match in pairwise(ordered)]
    reasons = [reasons[0], *reasons]
    candidates: list[Candidate] = []
    confidence = 1.0
    for match, reason in zip(ordered, reasons, strict=True):
        confidence = min(confidence, match.confidence)
        candidates.append(_candidate(match, confidence, reason))
    return tuple(candidates)


def _values(match: Match) -> tuple[float, ...]:
    return tuple(rule.value(match) for rule in RULES)


def _with_quoted(matches: Sequence[Match], text: str) -> list[Match]:
    whole = {
        match.prescribed(text)
        for match in matches
        if match.is_whole and match.specific_characters >= FEW_CHARACTERS
    }
    quoted = {
        span
        for span in {match.span for match in matches if not match.is_whole}
        if any(lies_in_free_text(span, prescribed, text) for prescribed in whole)
    }
    return [
        replace(match, is_quoted=True) if not match.is_whole and match.span in quoted else match
        for match in matches
    ]


def between(span: Span, free: Iterable[Span], text: str) -> Iterator[Span]:
    """Yield what lies between the free spans (sorted) and is not blank."""
    position = span[0]
    for first, last in (*free, (span[1], span[1])):
        if position < first and text[position:first].strip():
            yield position, first
        position = max(position, last)


def lies_in_free_text(span: Span, prescribed: Sequence[Span], text: str) -> bool:
    """Whether nothing that a match prescribes lies in a span."""
    start, end = span
    for first, last in islice(prescribed, bisect_left(prescribed, start, key=_end), None):
        if first >= end:
            break
        if text[max(start, first) : min(end, last)].strip():
            return False
    return True


def _end(span: Span) -> int:
    return span[1]


def _only(match: Match) -> str:
    if match.is_catch_all:
        return "nothing else matches; it takes any text"
    part = "the whole request" if match.is_whole else "a part of the request"
    return f"the only pattern that matches ({part})"


def _reason(winner: Match, loser: Match) -> str:
    rule = next(rule for rule in RULES if rule.value(winner) != rule.value(loser))
    return rule.reason.format(
        winner=_label(winner, loser),
        loser=_label(loser, winner),
        winner_value=rule.value(winner),
        loser_value=rule.value(loser),
    )


def _label(match: Match, other: Match) -> str:
    name = match.pattern.name
    return f"{name} ({match.pattern.source})" if name == other.pattern.name else name


def _candidate(match: Match, confidence: float, reason: str) -> Candidate:
    pattern = match.pattern
    intent = Intent(
        type=pattern.name,
        params=match.params,
        confidence=confidence,
        matched_by="pattern",
        language=pattern.language,
        pattern=pattern.name,
        composition_id=pattern.composition,
        from_context=match.from_context,
    )
    return Candidate(
        intent=intent,
        span=match.original_span,
        whole=match.is_whole,
        literal_characters=match.prescribed_characters,
        priority=pattern.pattern.priority,
        source=pattern.source,
        reason=reason,
        text=match.text,
        slots=match.slots,
    )
