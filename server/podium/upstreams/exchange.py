"""A call that was begun in one era and is answered in the other.

An upstream of the older era asks in the middle of a call; a modern client is asked by ending its
request, and answers by making it again. So the call waits at the upstream meanwhile, under a state
that nobody can guess, bound to who may answer, for a bounded time.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import anyio

from podium.domain.errors import UpstreamTimeoutError
from podium.domain.ports import Front
from podium.domain.relay import CAPABILITY_OF, Message, PeerError
from podium.upstreams import sdk

ANSWER_SECONDS = 300.0  # for a person to answer, then the call is given up
MOST_EXCHANGES = 256  # calls that wait for answers at once
MOST_ROUNDS = 32  # of questions in one call
MOST_QUESTIONS = 16  # open at once in one call


@dataclass(slots=True)
class _Question:
    """What the upstream asks, and the client's answer once it is there."""

    method: str
    params: Message
    answered: anyio.Event = field(default_factory=anyio.Event)
    answer: Message | None = None

    @property
    def request(self) -> Message:
        """The question as an `input_required` result lists it."""
        return {"method": self.method, "params": self.params}


class Exchange:
    """One call at an upstream of the older era on behalf of a modern client.

    To the upstream's wire it is the client that can be asked; `session` is the exchange itself.
    """

    is_modern = True
    home: Front | None = None

    def __init__(self, front: Front, purpose: tuple[str, ...]) -> None:
        self.session = secrets.token_urlsafe(16)
        self.principal = front.principal
        self.capabilities: Mapping[str, Any] = front.capabilities
        self.log_level = front.log_level
        self.purpose = purpose
        self.scope = anyio.CancelScope()
        self._front: Front | None = front
        self._questions: dict[str, _Question] = {}
        self._numbers = count(1)
        self._stirred = anyio.Event()
        self._outcome: Message | Exception | None = None

    # --- towards the upstream

    async def ask(self, method: str, params: Message) -> Message:
        """Wait until the client has made its request again with the answer."""
        needed = CAPABILITY_OF.get(method)
        if needed is None or needed not in self.capabilities:
            raise PeerError(sdk.METHOD_NOT_FOUND, f"the client does not offer {method}")
        if len(self._questions) >= MOST_QUESTIONS:
            raise PeerError(sdk.INVALID_REQUEST, "too many questions at once")
        key = f"question_{next(self._numbers)}"
        question = self._questions[key] = _Question(method, params)
        self._stir()
        try:
            await question.answered.wait()
        finally:
            self._questions.pop(key, None)
        if question.answer is None:
            raise PeerError(sdk.INVALID_REQUEST, "the client did not answer")
        return question.answer

    async def tell(self, method: str, params: Message) -> None:
        """Send a notification along with the request that is open now, if one is."""
        if self._front is not None:
            await self._front.tell(method, params)

    async def report(self, progress: float, total: float | None, message: str | None) -> None:
        """Report progress to whoever waits now."""
        if self._reporter is not None:
            await self._reporter(progress, total, message)

    _reporter: Callable[[float, float | None, str | None], Awaitable[None]] | None = None

    async def play(self, call: Callable[[], Awaitable[Message]]) -> None:
        """Make the call and keep what comes of it, however long the client takes to answer."""
        with self.scope:
            try:
                self._outcome = await call()
            except Exception as error:  # noqa: BLE001 - it is raised again where the client waits
                self._outcome = error
        if self._outcome is None:
            self._outcome = UpstreamTimeoutError(
                "the call was given up: the client did not answer in time",
                hint="answer sooner, or call it again",
            )
        self._stir()

    def _stir(self) -> None:
        self._stirred.set()
        self._stirred = anyio.Event()

    # --- towards the client

    def join(self, front: Front, on_progress: Any, answers: Mapping[str, Any]) -> None:
        """Let a request of the client take part, with the answers that it brings."""
        self._front, self._reporter = front, on_progress
        self.log_level = front.log_level
        for key, answer in answers.items():
            question = self._questions.get(key)
            if question is not None and isinstance(answer, dict):
                question.answer = answer
                question.answered.set()
                del self._questions[key]

    async def next(self) -> Message | None:
        """Return the result, or None as soon as there are questions to answer.

        Being cancelled here gives the call up: the client has gone.
        """
        try:
            while self._outcome is None and not self._questions:
                await self._stirred.wait()
        except anyio.get_cancelled_exc_class():
            self.scope.cancel()
            raise
        self._front = self._reporter = None
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome

    def input_required(self, state: str) -> Message:
        """Return the result that asks the client."""
        requests = {key: question.request for key, question in self._questions.items()}
        return {"resultType": "input_required", "inputRequests": requests, "requestState": state}


class Exchanges:
    """The calls that wait for a modern client's answers, by their states."""

    def __init__(self) -> None:
        self._waiting: dict[str, Exchange] = {}

    def taken_up(self, state: str, front: Front, purpose: tuple[str, ...]) -> Exchange:
        """Return the call that a state stands for; each state is good for one request.

        Raises:
            PeerError: there is none, it is another principal's, or it is for something else.

        """
        exchange = self._waiting.get(state)
        if exchange is None or exchange.principal != front.principal or exchange.purpose != purpose:
            text = "the requestState is unknown or has expired: make the call again without it"
            raise PeerError(sdk.INVALID_PARAMS, text)
        del self._waiting[state]
        exchange.scope.deadline = float("inf")
        return exchange

    def wait_for_answers(self, exchange: Exchange, most: int) -> Message:
        """Put a call aside until the client answers; return what asks it to.

        Should more than `most` wait at that upstream, the one that waits longest is given up.
        """
        server_id = exchange.purpose[0]
        there = [key for key, one in self._waiting.items() if one.purpose[0] == server_id]
        if len(there) >= most:
            self._drop(there[0])
        elif len(self._waiting) >= MOST_EXCHANGES:
            self._drop(next(iter(self._waiting)))
        state = secrets.token_urlsafe(32)
        self._waiting[state] = exchange
        exchange.scope.deadline = anyio.current_time() + ANSWER_SECONDS
        return exchange.input_required(state)

    def forget_ended(self) -> None:
        """Forget calls whose time is up."""
        now = anyio.current_time()
        for state in [key for key, one in self._waiting.items() if one.scope.deadline <= now]:
            self._drop(state)

    def _drop(self, state: str) -> None:
        self._waiting.pop(state).scope.cancel()


async def answered_directly(
    send: Callable[[Message], Awaitable[Message]], params: Message, front: Front
) -> Message:
    """Return the final result of a modern upstream for a client that can be asked directly.

    Raises:
        PeerError: the client refused, or the upstream asks without end.

    """
    sent = params
    for _round in range(MOST_ROUNDS):
        result = await send(sent)
        if result.get("resultType") != "input_required":
            return result
        sent = {key: item for key, item in params.items() if key != "requestState"}
        sent["inputResponses"] = await _answers(result, front)
        if "requestState" in result:
            sent["requestState"] = result["requestState"]
    raise PeerError(sdk.INVALID_REQUEST, f"the upstream asked more than {MOST_ROUNDS} times")


async def _answers(result: Message, front: Front) -> dict[str, Message]:
    requests = result.get("inputRequests")
    requests = requests if isinstance(requests, Mapping) else {}
    answers: dict[str, Message] = {}
    for key, request in list(requests.items())[:MOST_QUESTIONS]:
        method = request.get("method") if isinstance(request, Mapping) else None
        needed = CAPABILITY_OF.get(method) if isinstance(method, str) else None
        if needed is None or needed not in front.capabilities:
            raise PeerError(sdk.INVALID_REQUEST, f"the client does not offer {method}")
        answers[key] = await front.ask(str(method), dict(request.get("params") or {}))
    return answers
