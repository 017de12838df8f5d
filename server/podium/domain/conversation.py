"""What one conversation knows: its turns, what was mentioned and asked; bounded, plain JSON."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

QuestionKind = Literal["param", "choice", "confirm", "ask"]
TurnStatus = Literal["success", "error", "needs_input", "no_match"]

REQUEST_CHARACTERS = 2_000  # of a request that is kept; what can be replayed is shorter
ENDLESS = 1 << 62  # bytes
MAX_QUESTION_TRIES = 3  # answers that do not fit; then the question is dropped


@dataclass(frozen=True, slots=True)
class ConversationBounds:
    """How much one conversation remembers, and how many are kept; seconds, bytes, counts."""

    turns: int = 20  # "the one before last" reaches no further in any conversation we know
    entities: int = 50
    variables: int = 50
    items: int = 50  # of one turn's lists together; as many as a reply's message shows
    value_bytes: int = 4_096  # one param or value; a longer one cannot be pointed at or repeated
    total_bytes: int = 262_144  # one conversation; a question about a request of 64 kB fits
    ttl_seconds: float = 86_400.0
    per_user: int = 100
    in_all: int = 10_000


class _Value(BaseModel):
    """Base of what is kept: frozen; a key of a later version is left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Item(_Value):
    """One thing that a result listed. `fields` are the short fields of an object, else empty."""

    value: Any
    label: str
    kind: str = "thing"
    fields: dict[str, Any] = {}


class Listing(_Value):
    """One list of a result, in its order; `kind` is what its items are.

    `is_single`: it is no list but one object, such as what was just made.
    """

    kind: str
    items: tuple[Item, ...]
    is_single: bool = False


class Turn(_Value):
    """One request and what came of it.

    `text` is the request with its references resolved; `params` are those that fit the bounds,
    `lost` names the others. `composition` is the id that the intent asked for, if it did.
    """

    number: int
    request: str
    text: str
    status: TurnStatus
    intent_type: str | None = None
    params: dict[str, Any] = {}
    lost: tuple[str, ...] = ()
    composition: str | None = None
    composition_id: str | None = None
    execution_id: str | None = None
    language: str = "en"
    listings: tuple[Listing, ...] = ()

    @property
    def is_repeatable(self) -> bool:
        """Whether it was played, so that it can be played again."""
        return self.intent_type is not None and self.status in ("success", "error")


class Entity(_Value):
    """Something that was mentioned: `key` is the param (or name) it stood for."""

    kind: str
    value: Any
    label: str
    turn: int
    key: str = ""


class Option(_Value):
    """One answer to a choice: the value of a param, or a whole intent."""

    label: str
    value: Any = None
    intent: dict[str, Any] | None = None
    text: str = ""


class PendingQuestion(_Value):
    """What was asked and not answered yet, with all that is needed to go on.

    `intent` is what was understood so far, `rest` the intents to play after it. `is_of_engine`
    says that the execution itself waits for the answer.
    """

    id: str
    kind: QuestionKind
    message: str
    answer_schema: dict[str, Any] = {}
    param: str = ""
    options: tuple[Option, ...] = ()
    intent: dict[str, Any] | None = None
    rest: tuple[dict[str, Any], ...] = ()
    execution_id: str = ""
    request: str = ""
    text: str = ""
    language: str = "en"
    created_at: float = 0.0
    tries: int = 0
    is_of_engine: bool = False

    def to_reply(self) -> dict[str, Any]:
        """Return the public form: id, kind, message, schema."""
        return {
            "id": self.id,
            "kind": self.kind,
            "message": self.message,
            "schema": self.answer_schema,
        }


class Conversation(_Value):
    """The state of one conversation. `count` is the number of turns there ever were."""

    turns: tuple[Turn, ...] = ()
    entities: tuple[Entity, ...] = ()
    variables: dict[str, Any] = {}
    question: PendingQuestion | None = None
    count: int = 0
    language: str | None = None

    @classmethod
    def from_dict(cls, data: Any) -> Self | None:
        """Return the state that `to_dict` gave, or None if this is none."""
        try:
            return cls.model_validate(data)
        except (ValidationError, RecursionError):
            return None

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object."""
        return self.model_dump(mode="python")

    def to_json(self) -> str:
        """Return JSON that `from_dict` understands once it is parsed."""
        try:
            return self.model_dump_json()
        except (ValueError, RecursionError):  # half characters, which Python's own JSON escapes
            return json.dumps(self.to_dict())

    def size_bytes(self) -> int:
        """Return how long its JSON is; what cannot be JSON counts as endless."""
        try:
            return len(self.to_json().encode())
        except (TypeError, ValueError, RecursionError):
            return ENDLESS

    def changed(self, **parts: Any) -> Self:
        """Return it with some parts replaced."""
        return self.model_copy(update=parts)

    def with_turn(self, turn: Turn, mentioned: Sequence[Entity]) -> Self:
        """Return it with one more turn and what it mentioned; the turn gets the next number."""
        number = self.count + 1
        numbered = turn.model_copy(update={"number": number})
        entities = [entity.model_copy(update={"turn": number}) for entity in mentioned]
        known = [old for old in self.entities if not any(_is_same(old, new) for new in entities)]
        return self.changed(
            turns=(*self.turns, numbered),
            entities=(*known, *entities),
            count=number,
            language=turn.language,
        )

    def bounded(self, bounds: ConversationBounds) -> Self:
        """Return it within the bounds; the oldest goes first, a question last."""
        kept = self.changed(
            turns=self.turns[-bounds.turns :] if bounds.turns else (),
            entities=self.entities[-bounds.entities :] if bounds.entities else (),
            variables=_latest(self.variables, bounds.variables),
        )
        while (excess := kept.size_bytes() - bounds.total_bytes) > 0:
            smaller = _smaller(kept, excess)
            if smaller is None:
                return type(self)(count=self.count, language=self.language)
            kept = smaller
        return kept


_State = TypeVar("_State", bound=Conversation)


def json_bytes(value: Any) -> int:
    """Return how many bytes a value has as JSON; what is none counts as endless."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return ENDLESS
    return len(text.encode("utf-8", "replace"))


def _is_same(old: Entity, new: Entity) -> bool:
    return (old.kind, old.key) == (new.kind, new.key) and bool(old.value == new.value)


def _latest(variables: dict[str, Any], most: int) -> dict[str, Any]:
    names = list(variables)[-most:] if most else []
    return {name: variables[name] for name in names}


def _smaller(state: _State, excess: int) -> _State | None:
    """Return the state without about `excess` bytes of its oldest part, or None if none is left."""
    for name in ("turns", "entities"):
        parts: tuple[_Value, ...] = getattr(state, name)
        if parts:
            return state.changed(**{name: parts[_count_of(parts, excess) :]})
    if state.variables:
        return state.changed(variables=_latest(state.variables, len(state.variables) - 1))
    return None if state.question is None else state.changed(question=None)


def _count_of(parts: tuple[_Value, ...], excess: int) -> int:
    """Return how many of the oldest parts make up the excess; one at least, all at most."""
    saved = 0
    for number, part in enumerate(parts, start=1):
        saved += json_bytes(part.model_dump(mode="python"))
        if saved >= excess:
            return number
    return len(parts)
