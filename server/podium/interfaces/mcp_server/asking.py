"""Questions of an execution to the person at the client, in the words of the protocol.

A client of the handshake era is asked in the middle of the call (`elicitation/create`); a modern
one by an `input_required` result, whose state is the execution's id: it is on disk, so the answer
may come to another process.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from podium.domain.execution import Question
from podium.domain.ports import NO_ANSWER, Asker, Front
from podium.domain.relay import Message, PeerError
from podium.interfaces.mcp_server import results
from podium.interfaces.mcp_server.results import Result

ELICIT = "elicitation/create"
ANSWER = "answer"  # the field of a form that asks for one value
MOST_QUESTIONS = 16  # that one call asks, one after the other
_PRIMITIVES = frozenset({"string", "number", "integer", "boolean"})

First = Callable[[Asker | None], Awaitable[dict[str, Any]]]
"""Begins what the call is about, and returns the reply."""

Resume = Callable[[str, dict[str, Any], Asker | None], Awaitable[dict[str, Any]]]
"""Plays an execution on with answers, and returns the reply."""


def offers_forms(front: Front) -> bool:
    """Return whether a client can show a question; `elicitation: {}` means forms."""
    offered = front.capabilities.get("elicitation")
    return isinstance(offered, Mapping) and (not offered or "form" in offered)


def form_of(question: Question) -> Message | None:
    """Return a question as elicitation params; None where a form cannot ask it."""
    schema = question.schema or {"type": "string"}
    if _is_flat(schema):
        return {"mode": "form", "message": question.message, "requestedSchema": schema}
    if schema.get("type") not in _PRIMITIVES and not _is_choice(schema):
        return None
    field_schema = schema if "type" in schema else {**schema, "type": "string"}
    return {
        "mode": "form",
        "message": question.message,
        "requestedSchema": {
            "type": "object",
            "properties": {ANSWER: field_schema},
            "required": [ANSWER],
        },
    }


def answer_of(question: Question, result: Any) -> Any:
    """Return the answer that an elicitation result holds, else `NO_ANSWER`."""
    content = result.get("content") if isinstance(result, Mapping) else None
    if not isinstance(content, Mapping) or result.get("action") != "accept":
        return NO_ANSWER
    if _is_flat(question.schema):
        return dict(content)
    return content.get(ANSWER, NO_ANSWER)


def _is_flat(schema: Mapping[str, Any]) -> bool:
    properties = schema.get("properties")
    return schema.get("type") == "object" and (
        isinstance(properties, Mapping)
        and bool(properties)
        and set(properties) != {ANSWER}  # it could not be told from a form for one value
        and all(
            isinstance(each, Mapping) and each.get("type") in _PRIMITIVES
            for each in properties.values()
        )
    )


def _is_choice(schema: Mapping[str, Any]) -> bool:
    options = schema.get("enum")
    return isinstance(options, list) and all(isinstance(option, str) for option in options)


@dataclass(slots=True)
class FrontAsker:
    """Asks the client of the handshake era behind one request; remembers what it would not say."""

    front: Front
    _asked: set[tuple[str, str]] = field(default_factory=set)

    def has_asked(self, question: Question) -> bool:
        """Return whether the client has been asked exactly this."""
        return (question.id, question.message) in self._asked

    async def __call__(self, question: Question) -> Any:
        """Return the answer, or `NO_ANSWER`; satisfies `podium.domain.ports.Asker`."""
        self._asked.add((question.id, question.message))
        form = form_of(question)
        if form is None:
            return NO_ANSWER
        try:
            return answer_of(question, await self.front.ask(ELICIT, form))
        except PeerError:
            return NO_ANSWER


@dataclass(frozen=True, slots=True)
class Talk:
    """The person at the client behind one `tools/call`, as far as they can be asked.

    `params` are those of the call, as the client sent them; `connection_id` is the connection or
    session that it came by, None for a call that stands alone.
    """

    front: Front
    params: Mapping[str, Any]
    connection_id: str | None = None

    async def play(self, first: First, resume: Resume) -> Result:
        """Return the result of what `first` plays; as long as it asks, have the person answer."""
        can_ask = offers_forms(self.front)
        asker = FrontAsker(self.front) if can_ask and not self.front.is_modern else None
        answers = self._answers()
        if answers is None:
            reply = await first(asker)
        else:
            reply = await resume(str(self.params["requestState"]), answers, asker)
        if asker is not None:
            reply = await _answered(reply, asker, resume)
        question = _question(reply)
        form = form_of(question) if question is not None else None
        # Whoever has just refused to answer is not asked again: the reply says what is open.
        if question is None or form is None or not can_ask or asker is not None or answers == {}:
            return results.of_reply(reply)
        return {
            "resultType": "input_required",
            "inputRequests": {question.id: {"method": ELICIT, "params": form}},
            "requestState": reply["execution_id"],
        }

    def _answers(self) -> dict[str, Any] | None:
        """Return the answers with which a modern client makes its request again, if it does."""
        state, responses = self.params.get("requestState"), self.params.get("inputResponses")
        if not isinstance(state, str) or not isinstance(responses, Mapping):
            return None
        answers = {}
        for key, result in responses.items():
            content = result.get("content") if isinstance(result, Mapping) else None
            if isinstance(content, Mapping) and result.get("action") == "accept":
                answers[str(key)] = content[ANSWER] if set(content) == {ANSWER} else dict(content)
        return answers


async def _answered(reply: dict[str, Any], asker: FrontAsker, resume: Resume) -> dict[str, Any]:
    """Return the reply that comes of asking the person whatever was not asked yet."""
    for _ in range(MOST_QUESTIONS):
        question = _question(reply)
        if question is None or asker.has_asked(question):
            break
        answer = await asker(question)
        if answer is NO_ANSWER:
            break
        reply = await resume(reply["execution_id"], {question.id: answer}, asker)
    return reply


def _question(reply: Mapping[str, Any]) -> Question | None:
    asked = reply.get("question")
    if reply.get("status") != "needs_input" or not asked or not reply.get("execution_id"):
        return None
    return Question(**asked)
