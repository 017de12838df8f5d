"""Answers find whoever waits for them, and giving up is told to the peer."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from podium.domain.relay import Message, PeerError
from podium.upstreams import sdk
from podium.upstreams.sdk import RpcError
from podium.upstreams.wire import OPEN_QUESTIONS, Wire

pytestmark = pytest.mark.anyio

SECONDS = 5


class Far:
    """The other end of a wire."""

    def __init__(self, send: Any, receive: Any) -> None:
        self.send = send
        self._receive = receive

    async def heard(self) -> Message:
        """Return the next message that came over the wire, as JSON."""
        with anyio.fail_after(SECONDS):
            heard: Message = json.loads(sdk.encode(await self._receive.receive()))
            return heard

    async def says(self, **wire: Any) -> None:
        message = sdk.decode(json.dumps({"jsonrpc": "2.0", **wire}).encode())
        assert isinstance(message, sdk.SessionMessage)
        await self.send.send(message)


@asynccontextmanager
async def wired(
    on_question: Callable[[str, Message], Any] | None = None, words: list[Any] | None = None
) -> AsyncIterator[tuple[Wire, Far]]:
    """Open a wire with its far end in hand; what is told is put into `words`."""
    to_wire, wire_in = anyio.create_memory_object_stream[Any](100)
    wire_out, from_wire = anyio.create_memory_object_stream[Any](2 * OPEN_QUESTIONS)
    heard = [] if words is None else words

    async def word(method: str, _params: Message) -> None:
        heard.append(method)

    async def refuse(method: str, _params: Message) -> Message:
        raise PeerError(-1, f"no {method} here")

    wire = Wire(wire_in, wire_out)
    async with to_wire, from_wire, anyio.create_task_group() as tasks:

        async def run(*, task_status: Any) -> None:
            await wire.run(
                lambda method, _params: heard.append(method),
                word,
                on_question or refuse,
                task_status=task_status,
            )

        await tasks.start(run)
        yield wire, Far(to_wire, from_wire)
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("form", [int, str])
async def test_answers_in_any_order_find_their_requests(form: type) -> None:
    results: dict[int, Message] = {}

    async def ask(wire: Wire, number: int) -> None:
        results[number] = await wire.request("tools/call", {"number": number})

    async with wired() as (wire, far), anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(ask, wire, number)
        asked = [await far.heard() for _ in range(3)]
        for request in reversed(asked):
            await far.says(id=form(request["id"]), result={"is": request["params"]["number"]})

    assert results == {number: {"is": number} for number in range(3)}


async def test_an_error_is_raised_as_it_came() -> None:
    async with wired() as (wire, far), anyio.create_task_group() as tasks:

        async def ask() -> None:
            with pytest.raises(RpcError) as caught:
                await wire.request("tools/call", {})
            assert (caught.value.code, caught.value.data) == (-5, {"why": 1})

        tasks.start_soon(ask)
        request = await far.heard()
        await far.says(id=request["id"], error={"code": -5, "message": "no", "data": {"why": 1}})


@pytest.mark.parametrize("can_be_cancelled", [True, False])
async def test_giving_up_is_told_unless_the_request_may_not_be_cancelled(
    *, can_be_cancelled: bool
) -> None:
    async with wired() as (wire, far):
        async with anyio.create_task_group() as tasks:

            async def ask() -> None:
                await wire.request("tools/call", {}, can_be_cancelled=can_be_cancelled)

            tasks.start_soon(ask)
            request = await far.heard()
            tasks.cancel_scope.cancel()
        await far.says(id=request["id"], result={"late": True})  # harms nobody
        await wire.notify("notifications/initialized", {})
        heard = await far.heard()

    expected = "notifications/cancelled" if can_be_cancelled else "notifications/initialized"
    assert heard["method"] == expected
    if can_be_cancelled:
        assert heard["params"]["requestId"] == request["id"]


async def test_a_request_that_is_given_up_already_is_not_sent() -> None:
    async with wired() as (wire, far):
        with anyio.CancelScope() as scope:
            scope.cancel()
            await wire.request("tools/call", {"writes": True})
        await wire.notify("notifications/initialized", {})

        assert (await far.heard())["method"] == "notifications/initialized"


async def test_a_request_without_an_answer_in_time_fails_as_late() -> None:
    async with wired() as (wire, far):
        with pytest.raises(RpcError) as caught:
            await wire.request("server/discover", {}, timeout_seconds=0.001)

        assert caught.value.code == sdk.TIMED_OUT
        assert (await far.heard())["method"] == "server/discover"


async def test_open_requests_fail_as_closed_when_the_peer_goes_away() -> None:
    async with wired() as (wire, far), anyio.create_task_group() as tasks:

        async def ask() -> None:
            with pytest.raises(RpcError) as caught:
                await wire.request("tools/call", {})
            assert caught.value.code == sdk.CLOSED
            with pytest.raises(RpcError):
                await wire.request("tools/call", {})

        tasks.start_soon(ask)
        await far.heard()
        await far.send.aclose()


async def test_progress_reaches_the_request_it_belongs_to_and_words_their_listener() -> None:
    seen: list[tuple[float, float | None, str | None]] = []
    words: list[Any] = []

    async def report(value: float, total: float | None, text: str | None) -> None:
        seen.append((value, total, text))
        raise RuntimeError("a listener that fails")

    async with wired(words=words) as (wire, far), anyio.create_task_group() as tasks:

        async def ask() -> None:
            await wire.request("tools/call", {"_meta": {"kept": 1}}, on_progress=report)

        tasks.start_soon(ask)
        request = await far.heard()
        token = request["params"]["_meta"]["progressToken"]
        for progress in ({"progress": 1, "total": 2, "message": "half"}, {"progress": True}):
            params = {"progressToken": token, **progress}
            await far.says(method="notifications/progress", params=params)
        await far.says(method="notifications/message", params={"data": "x"})
        await far.says(method="notifications/tools/list_changed")
        await far.says(id=request["id"], result={})

    assert request["params"]["_meta"]["kept"] == 1
    assert seen == [(1.0, 2.0, "half")]
    assert sorted(words) == ["notifications/message", "notifications/tools/list_changed"]


async def test_a_question_is_answered_refused_or_taken_back() -> None:
    async def answer(method: str, params: Message) -> Message:
        if method == "roots/list":
            return {"roots": []}
        if method == "wait":
            await anyio.sleep_forever()
        if method == "crash":
            raise RuntimeError("the secret of the house")
        raise PeerError(-7, "no", params)

    async with wired(answer) as (_wire, far):
        answers = {}
        await far.says(id=1, method="wait")
        await far.says(method="notifications/cancelled", params={"requestId": 1})
        for number, method in enumerate(("ping", "roots/list", "crash", "explode"), start=2):
            await far.says(id=number, method=method, params={})
            answers[method] = await far.heard()

    assert answers["ping"]["result"] == {}
    assert answers["roots/list"]["result"] == {"roots": []}
    assert "secret" not in str(answers["crash"]["error"])
    assert answers["explode"]["error"]["code"] == -7


async def test_more_questions_than_can_be_open_are_refused() -> None:
    async def never(_method: str, _params: Message) -> Message:
        await anyio.sleep_forever()
        raise AssertionError

    async with wired(never) as (_wire, far):
        for number in range(OPEN_QUESTIONS + 1):
            await far.says(id=number, method="roots/list", params={})
        refusal = await far.heard()

    assert refusal["id"] == OPEN_QUESTIONS
    assert refusal["error"]["code"] == sdk.INVALID_REQUEST
