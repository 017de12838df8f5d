"""What the analysis of a request yields: the intent, every candidate, and why the first one won."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

MatchedBy = Literal["pattern", "heuristic", "default", "context", "synthesis"]


@dataclass(frozen=True, slots=True)
class Intent:
    """What the request means. `confidence` is 0..1; `pattern` names the pattern that matched.

    `from_context` maps params that were not said to what of the conversation they take; where the
    conversation knows nothing, `params` has the default, if there is one. `made` is the composition
    that was made for it, as a file would say it, where none of the workspace answers it;
    `composition_id` is its id then.
    """

    type: str
    params: dict[str, Any] = field(default_factory=dict)
    confidence: float = 1.0
    matched_by: MatchedBy = "pattern"
    language: str | None = None
    pattern: str = ""
    composition_id: str | None = None
    from_context: dict[str, str] = field(default_factory=dict)
    made: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the public form of an intent."""
        return {
            "type": self.type,
            "params": self.params,
            "confidence": self.confidence,
            "matched_by": self.matched_by,
            "language": self.language,
        }


@dataclass(frozen=True, slots=True)
class SaidSlot:
    """What a slot took: its type, its value, and the span (start, end) of the original text."""

    name: str
    type: str
    value: Any
    text: str
    span: tuple[int, int]

    def to_dict(self) -> dict[str, Any]:
        """Return the public form of a slot."""
        return {
            "name": self.name,
            "type": self.type,
            "value": self.value,
            "text": self.text,
            "span": list(self.span),
        }


@dataclass(frozen=True, slots=True)
class Candidate:
    """One pattern that matched, best first, with what its rank is made of.

    `span` is the matched part of the original text as (start, end); `whole` says that it is the
    whole request; `literal_characters` counts the characters the pattern prescribes (the more, the
    more specific); `reason` says in words why it stands where it stands; `text` is the regex or
    sentence that matched, `slots` what its slots took.
    """

    intent: Intent
    span: tuple[int, int]
    whole: bool
    literal_characters: int
    priority: int
    source: str
    reason: str
    text: str = ""
    slots: tuple[SaidSlot, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the public form of a candidate."""
        return {
            **self.intent.to_dict(),
            "pattern": self.intent.pattern,
            "composition": self.intent.composition_id,
            "span": list(self.span),
            "whole": self.whole,
            "literal_characters": self.literal_characters,
            "priority": self.priority,
            "source": self.source,
            "reason": self.reason,
        }

    def to_explanation(self) -> dict[str, Any]:
        """Return the public form with the regex or sentence that matched, and its slots."""
        slots = [slot.to_dict() for slot in self.slots]
        return {**self.to_dict(), "text": self.text, "slots": slots}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An intent that was near: its type and an example of how to say it."""

    type: str
    example: str

    def to_dict(self) -> dict[str, Any]:
        """Return the public form of a suggestion."""
        return {"type": self.type, "example": self.example}


def nothing_near() -> tuple[Suggestion, ...]:
    """Return no suggestions."""
    return ()


@dataclass(frozen=True)
class Analysis:
    """The whole analysis of one request; `intent` is None when nothing matched.

    `nearest` finds what was near then; it is asked when somebody reads `suggestions`, since a
    request that something else answers needs none.
    `timed_out` names the patterns whose regex ran out of time: they are no candidates. `plan` holds
    the intents of a request that asks for several things, in order, the first of them `intent`; it
    is empty for one thing. `refusal` says why the best candidate was not good enough, if so.
    `choices` are guesses at what is meant where no pattern matched: one is to be confirmed before
    it is played, several are to be chosen from; `intent` is None then.
    """

    intent: Intent | None
    candidates: tuple[Candidate, ...] = ()
    language: str = "en"
    timed_out: tuple[str, ...] = ()
    plan: tuple[Intent, ...] = ()
    refusal: str = ""
    choices: tuple[Candidate, ...] = ()
    nearest: Callable[[], tuple[Suggestion, ...]] = field(
        default=nothing_near, compare=False, repr=False
    )

    @cached_property
    def suggestions(self) -> tuple[Suggestion, ...]:
        """The nearest intents, nearest first, when nothing matched."""
        return self.nearest()

    def to_dict(self) -> dict[str, Any]:
        """Return the public form: intent or None, candidates best first, suggestions."""
        data: dict[str, Any] = {
            "intent": self.intent.to_dict() if self.intent else None,
            "candidates": [candidate.to_dict() for candidate in self.candidates],
            "suggestions": [suggestion.to_dict() for suggestion in self.suggestions],
        }
        if self.plan:
            data["plan"] = [intent.to_dict() for intent in self.plan]
        if self.choices:
            data["choices"] = [choice.to_dict() for choice in self.choices]
        if self.refusal:
            data["refusal"] = self.refusal
        if self.timed_out:
            data["timed_out"] = list(self.timed_out)
        return data
