"""What a person's reaction says about an answer: said outright, or by asking again. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any, Literal

from podium.domain.learning import Rating, Verdict
from podium.text.folding import fold_text

REDO_SECONDS = 60.0  # after that a person asks because things have moved on
REPEAT_SECONDS = 30.0  # the same words later than this are a look at what has changed
NEAR = 0.75  # likeness of two values of which one corrects the other
COMPARED_CHARACTERS = 200  # of a value; longer ones are no slip of the pen

# How people begin when they correct themselves or us, folded.
_CORRECTING = (
    "no", "nope", "not", "wrong", "i meant", "i mean", "actually", "rather", "instead", "again",
    "try again", "non", "pas", "plutot", "je voulais dire", "je veux dire", "en fait", "faux",
    "ce n'est pas", "c'est pas", "refais", "recommence", "reessaie",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that was answered: by whom, in which conversation, when, and what was asked."""

    user_id: str
    conversation_id: str
    execution_id: str
    intent_type: str
    request: str
    at: float
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reaction:
    """What a person said, or did, about an answer."""

    rating: Rating | Literal[""] = ""
    is_redone: bool = False


def verdict_after(measured: Verdict, reaction: Reaction) -> Verdict:
    """Return how a run counts in the end.

    What a person says outright weighs more than what may be read from a second request, and
    neither makes a success of a run that failed.
    """
    if measured != "success" or reaction.rating == "good":
        return measured
    return "failure" if reaction.rating == "bad" or reaction.is_redone else "success"


def redo_reason(earlier: Asked, later: Asked) -> str | None:
    """Return why a request says that the answer before it was wrong; None if it does not.

    Another value alone is no correction: who asks for the weather in Paris and then in Lyon wants
    both.
    """
    if not _is_right_after(earlier, later):
        return None
    for reason, rule in _RULES.items():
        if rule(earlier, later):
            return reason
    return None


def _is_right_after(earlier: Asked, later: Asked) -> bool:
    return (
        bool(earlier.conversation_id)
        and (earlier.user_id, earlier.conversation_id) == (later.user_id, later.conversation_id)
        and earlier.execution_id != later.execution_id
        and earlier.intent_type == later.intent_type
        and 0 <= later.at - earlier.at <= REDO_SECONDS
    )


def _says_the_same(earlier: Asked, later: Asked) -> bool:
    words = fold_text(later.request).strip()
    is_soon = later.at - earlier.at <= REPEAT_SECONDS
    return is_soon and bool(words) and words == fold_text(earlier.request).strip()


def _begins_with_a_correction(_earlier: Asked, later: Asked) -> bool:
    words = fold_text(later.request).replace("’", "'").lstrip(" ,.!")
    return any(
        words.startswith(beginning) and not words[len(beginning) : len(beginning) + 1].isalnum()
        for beginning in _CORRECTING
    )


def _mends_a_value(earlier: Asked, later: Asked) -> bool:
    changed = _changed(earlier, later)
    return len(changed) == 1 and _is_near(earlier.params[changed[0]], later.params[changed[0]])


def _keeps_most(earlier: Asked, later: Asked) -> bool:
    changed = _changed(earlier, later)
    kept = len(earlier.params.keys() & later.params.keys()) - len(changed)
    return 0 < len(changed) <= kept and earlier.params.keys() == later.params.keys()


def _changed(earlier: Asked, later: Asked) -> list[str]:
    both = [name for name in earlier.params if name in later.params]
    return [name for name in both if earlier.params[name] != later.params[name]]


def _is_near(one: Any, other: Any) -> bool:
    if not (isinstance(one, str) and isinstance(other, str)):
        return False
    if max(len(one), len(other)) > COMPARED_CHARACTERS:
        return False
    # Numbers that look alike (`budget_2025`, `budget_2026`) are two things, not a slip.
    if _digits(one) != _digits(other):
        return False
    return SequenceMatcher(None, fold_text(one), fold_text(other)).ratio() >= NEAR


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdigit())


_RULES: Mapping[str, Callable[[Asked, Asked], bool]] = {
    "the same was asked again": _says_the_same,
    "the next request corrects it": _begins_with_a_correction,
    "a value was mended": _mends_a_value,
    "it was asked again with another value": _keeps_most,
}
