"""A request as it comes in, and the reply as it goes out (the public shape of every way in)."""

from dataclasses import dataclass, field
from typing import Any, Literal

ReplyStatus = Literal["success", "error", "needs_input", "no_match"]


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asked, and who asked it; an id the caller did not give is ""."""

    text: str
    user_id: str = ""
    conversation_id: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a request or to the playing of a composition.

    `is_refused`: a person said no to it, so what was to come after it is not wanted either.
    """

    status: ReplyStatus
    message: str
    result: Any = None
    files: tuple[dict[str, Any], ...] = ()
    intent: dict[str, Any] | None = None
    composition_id: str | None = None
    execution_id: str | None = None
    conversation_id: str | None = None
    execution_info: dict[str, Any] = field(default_factory=lambda: {"steps": {}})
    error: dict[str, Any] | None = None
    question: dict[str, Any] | None = None
    is_refused: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form that every way in answers with."""
        return {
            "status": self.status,
            "data": {"message": self.message, "result": self.result, "files": list(self.files)},
            "intent": self.intent,
            "composition_id": self.composition_id,
            "execution_id": self.execution_id,
            "conversation_id": self.conversation_id,
            "execution_info": self.execution_info,
            "error": self.error,
            "question": self.question,
        }
