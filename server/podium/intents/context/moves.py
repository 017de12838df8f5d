"""What a request means for its conversation: the moves that `deciding` chooses from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from podium.domain.conversation import Option, PendingQuestion, QuestionKind
from podium.domain.intent import Analysis, Intent
from podium.intents.context.references import Reference

Analyse = Callable[[str], Analysis]
SchemaOf = Callable[[Intent], Mapping[str, Any]]
"""The JSON Schema of the params of the composition that answers an intent; {} if none does."""

TitleOf = Callable[[Intent], str]
"""What people call what answers an intent; "French / English" where it has both."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An intent that may still hold references, before it can be played.

    `text` is what was said for it (with `PLACE` where a reference stood); `references` are those
    of params that `intent` has no value for; `needed` names params that must be asked for.
    """

    intent: Intent
    text: str = ""
    references: Mapping[str, Reference] = field(default_factory=dict)
    needed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ready:
    """An intent with all its params."""

    intent: Intent
    text: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """What has to be asked before anything is played; `intent` is None for a choice of them."""

    id: str
    kind: QuestionKind
    message: str
    schema: dict[str, Any]
    intent: Intent | None = None
    param: str = ""
    options: tuple[Option, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Play:
    """Play these, one after the other; `answered` is the question that this goes on from."""

    drafts: tuple[Draft, ...]
    answered: PendingQuestion | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask this.

    `guesses` are the intents that it is about where only words speak for them, likeliest first.
    """

    unclear: Unclear
    guesses: tuple[Intent, ...] = ()


@dataclass(frozen=True, slots=True)
class AskAgain:
    """The answer did not fit; the question stays, with one more try."""

    question: PendingQuestion
    message: str


@dataclass(frozen=True, slots=True)
class Drop:
    """Forget the question and what it was about; say `message`."""

    question: PendingQuestion
    message: str


@dataclass(frozen=True, slots=True)
class Resume:
    """Give the answer to the execution that waits for it."""

    question: PendingQuestion
    value: Any


@dataclass(frozen=True, slots=True)
class Refuse:
    """Nothing fits."""

    reading: Analysis


Move = Play | Ask | AskAgain | Drop | Resume | Refuse
