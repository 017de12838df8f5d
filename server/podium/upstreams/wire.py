"""Requests and notifications over a pair of message streams, each answer to whoever waits for it.

The SDK's dispatcher does the same for a third of the processor time of a small call: it makes a
memory stream, a telemetry span and several models for each request. Here it is one future.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

import anyio
import anyio.abc
import anyio.lowlevel

from podium.domain.ports import ProgressCallback
from podium.domain.relay import Message, PeerError
from podium.upstreams import sdk
from podium.upstreams.posts import Posts
from podium.upstreams.sdk import RpcError, SessionMessage

CANCEL_SECONDS = 5.0  # for the peer to take the word that a request is given up
OPEN_QUESTIONS = 1_024  # of a peer at once; it is refused more

# What an upstream says to the client it works for.
_WORDS = frozenset({"notifications/message", "notifications/elicitation/complete"})

NoticeHandler = Callable[[str, Message], None]
WordHandler = Callable[[str, Message], Awaitable[None]]
QuestionHandler = Callable[[str, Message], Awaitable[Message]]

_Outcome = Message | RpcError

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Waiting:
    """A request that is open, and whom its progress concerns."""

    answer: asyncio.Future[_Outcome]
    on_progress: ProgressCallback | None


@dataclass(frozen=True, slots=True)
class _Ears:
    """Who hears what the peer says of itself, and the tasks in which that happens."""

    on_notice: NoticeHandler
    on_word: WordHandler
    on_question: QuestionHandler
    tasks: anyio.abc.TaskGroup


class Wire:
    """Requests and notifications over a pair of streams; `run` keeps them going.

    `posts` is the short way of modern calls, where there is one.
    """

    def __init__(self, read: Any, write: Any, posts: Posts | None = None) -> None:
        self._read = read
        self._write = write
        self._posts = posts
        self._waiting: dict[int | str, _Waiting] = {}
        self._asked: dict[int | str, anyio.CancelScope] = {}
        self._numbers = count(1)
        self._ears: _Ears | None = None

    async def run(
        self,
        on_notice: NoticeHandler,
        on_word: WordHandler,
        on_question: QuestionHandler,
        *,
        task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        """Move messages until the peer goes away; requests still open then fail as closed.

        The peer tells what changed (`on_notice`), speaks to a client (`on_word`), and asks one
        (`on_question`, which may raise `PeerError`).
        """
        try:
            async with self._write, anyio.create_task_group() as tasks:
                self._ears = _Ears(on_notice, on_word, on_question, tasks)
                task_status.started()
                try:
                    await self._take_all()
                finally:
                    self._close()
                    tasks.cancel_scope.cancel()
        finally:
            self._close()

    async def _take_all(self) -> None:
        try:
            async with self._read:
                async for item in self._read:
                    if isinstance(item, SessionMessage):  # else the transport tells of a fault
                        self._take(item)
        except anyio.ClosedResourceError:
            return  # it was closed under us: the same as its end

    def _close(self) -> None:
        self._ears = None
        for waiting in self._waiting.values():
            _settle(waiting, RpcError(sdk.CLOSED, "Connection closed"))
        self._waiting.clear()

    # --- up

    async def request(
        self,
        method: str,
        params: Mapping[str, Any],
        *,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float | None = None,
        on_progress: ProgressCallback | None = None,
        identifier: str | None = None,
        can_be_cancelled: bool = True,
    ) -> dict[str, Any]:
        """Send a request and return the result as it came.

        Giving up (cancellation, time) tells the peer, unless the request may not be cancelled.

        Raises:
            RpcError: the peer answered with an error, went away, or did not answer in time.

        """
        if self._ears is None:
            raise RpcError(sdk.CLOSED, "Connection closed")
        key = next(self._numbers) if identifier is None else identifier
        if on_progress is not None:
            params = {**params, "_meta": {**(params.get("_meta") or {}), "progressToken": key}}
        await anyio.lowlevel.checkpoint_if_cancelled()  # what is given up already is not sent
        future: asyncio.Future[_Outcome] = asyncio.get_running_loop().create_future()
        waiting = self._waiting[key] = _Waiting(future, on_progress)
        try:
            message = sdk.request(key, method, params, headers)
            if self._posts is not None and sdk.is_modern_call(method, headers):
                outcome = await _within(timeout_seconds, self._posted(self._posts, message))
            else:
                await self._send(message)
                outcome = await _within(timeout_seconds, future)
        except (asyncio.CancelledError, TimeoutError) as error:
            if can_be_cancelled:
                await self._give_up(key)
            if isinstance(error, TimeoutError):
                text = f"{method} was not answered in time"
                raise RpcError(sdk.TIMED_OUT, text) from None
            raise
        finally:
            if self._waiting.get(key) is waiting:
                del self._waiting[key]
        if isinstance(outcome, RpcError):
            raise outcome
        return outcome

    async def _posted(self, posts: Posts, message: SessionMessage) -> _Outcome:
        return sdk.outcome(await posts.ask(message, self._take))

    async def _send(self, message: SessionMessage) -> None:
        try:
            await self._write.send(message)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise RpcError(sdk.CLOSED, "Connection closed") from None

    async def _give_up(self, key: int | str) -> None:
        with anyio.move_on_after(CANCEL_SECONDS, shield=True):
            params = {"requestId": key, "reason": "nobody waits for it any more"}
            await self.notify("notifications/cancelled", params)

    async def notify(
        self, method: str, params: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        """Send a notification; a peer that is gone is no error."""
        if self._ears is not None:
            await self._tell(sdk.notice(method, params, headers))

    async def _tell(self, message: SessionMessage) -> None:
        try:
            await self._write.send(message)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            _log.debug("dropped a message: the peer is gone")

    # --- down

    def settle(self, message: SessionMessage) -> bool:
        """Hand an answer to whoever waits for it; False if the message is none."""
        answered = sdk.answer_id(message)
        if answered is None:
            return False
        waiting = self._waiting.get(answered) or self._waiting.get(_number_in(answered))
        if waiting is not None:  # else it comes too late
            _settle(waiting, sdk.outcome(message))
        return True

    def _take(self, message: SessionMessage) -> None:
        if self.settle(message) or self._ears is None:
            return
        method, params = sdk.call_of(message)
        identifier = sdk.request_id(message)
        if identifier is not None:
            self._take_question(self._ears, identifier, method, params)
        elif method == "notifications/progress":
            self._take_progress(self._ears, params)
        elif method == "notifications/cancelled":
            asked = params.get("requestId")
            if isinstance(asked, int | str) and (scope := self._asked.get(asked)) is not None:
                scope.cancel()
        elif method in _WORDS:
            self._ears.tasks.start_soon(_unharmed, partial(self._ears.on_word, method, params))
        else:
            self._ears.on_notice(method, params)

    def _take_progress(self, ears: _Ears, params: Message) -> None:
        token, value = params.get("progressToken"), _number(params.get("progress"))
        text = params.get("message")
        if not isinstance(token, int | str) or value is None:
            return
        waiting = self._waiting.get(token) or self._waiting.get(_number_in(token))
        if waiting is None or waiting.on_progress is None:
            return
        report = partial(
            waiting.on_progress,
            value,
            _number(params.get("total")),
            text if isinstance(text, str) else None,
        )
        ears.tasks.start_soon(_unharmed, report)

    def _take_question(
        self, ears: _Ears, identifier: int | str, method: str, params: Message
    ) -> None:
        if len(self._asked) >= OPEN_QUESTIONS:
            refusal = sdk.error_answer(identifier, sdk.INVALID_REQUEST, "too many requests at once")
            ears.tasks.start_soon(self._tell, refusal)
            return
        scope = self._asked[identifier] = anyio.CancelScope()
        ears.tasks.start_soon(self._answer, ears.on_question, identifier, method, params, scope)

    async def _answer(
        self,
        on_question: QuestionHandler,
        identifier: int | str,
        method: str,
        params: Message,
        scope: anyio.CancelScope,
    ) -> None:
        """Answer a question of the peer; one that it takes back gets no answer."""
        try:
            with scope:
                await self._tell(await _answered(on_question, identifier, method, params))
        finally:
            if self._asked.get(identifier) is scope:
                del self._asked[identifier]


async def _answered(
    on_question: QuestionHandler, identifier: int | str, method: str, params: Message
) -> SessionMessage:
    if method == "ping":
        return sdk.result_answer(identifier, {})
    try:
        return sdk.result_answer(identifier, await on_question(method, params))
    except PeerError as error:
        return sdk.error_answer(identifier, error.code, error.message, error.data)
    except Exception:  # noqa: BLE001 - the boundary of one question: the wire goes on
        _log.exception("the question %s could not be answered", method)
        return sdk.error_answer(identifier, sdk.INTERNAL_ERROR, "Podium failed on this request")


async def _unharmed(call: Callable[[], Awaitable[None]]) -> None:
    """Tell somebody; whatever comes of it, the wire goes on."""
    try:
        await call()
    except Exception:  # noqa: BLE001 - the boundary of one notification
        _log.exception("a notification could not be passed on")


def _settle(waiting: _Waiting, outcome: _Outcome) -> None:
    if not waiting.answer.done():
        waiting.answer.set_result(outcome)


async def _within(seconds: float | None, outcome: Awaitable[_Outcome]) -> _Outcome:
    if seconds is None:
        return await outcome
    with anyio.fail_after(seconds):
        return await outcome


def _number_in(identifier: int | str) -> int | str:
    """Return the number that a peer gave back as text: some do."""
    is_number = isinstance(identifier, str) and identifier.isdecimal() and len(identifier) < 19
    return int(identifier) if is_number else identifier


def _number(value: Any) -> float | None:
    is_one = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_one else None
