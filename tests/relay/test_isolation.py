"""What one client sees, is asked and may answer is never another's."""

import json

import anyio
import mcp_types as types
import pytest
from mcp.shared.exceptions import MCPError

from podium.domain.relay import PeerError
from podium.upstreams.exchange import Exchange, Exchanges
from tests.relay.conftest import WAIT_SECONDS, Person

pytestmark = pytest.mark.anyio


async def shown(client):
    return json.loads((await client.call_tool("show_call", {})).content[0].text)


@pytest.mark.parametrize("back", ["legacy", "both"])
async def test_each_session_of_a_client_has_its_own_session_at_the_upstream(open_scene, back):
    async with open_scene(front="handshake", back=back) as scene:
        async with scene.client() as one, scene.client(Person()) as other:
            first, second, again = await shown(one), await shown(other), await shown(one)
            connected = len(scene.everything.connections)
        with anyio.fail_after(WAIT_SECONDS):
            while len(scene.everything.connections) > connected - 2:  # noqa: ASYNC110
                await anyio.sleep(0.01)

    assert first["session"] == again["session"] != second["session"]
    assert first["capabilities"] == {}
    assert set(second["capabilities"]) == {"elicitation", "roots", "sampling"}


@pytest.mark.parametrize("front", ["handshake", "modern"])
@pytest.mark.parametrize("back", ["legacy", "modern", "both"])
async def test_two_people_who_call_at_once_are_each_asked_their_own(open_scene, front, back):
    people = [Person("ada"), Person("bob"), Person("eve")]
    answers = {}

    async def call(scene, person):
        async with scene.client(person) as client:
            for _round in range(3):
                question = {"message": f"Who are you, {person.name}?"}
                result = await client.call_tool("test_elicitation", question)
                answers.setdefault(person.name, []).append(result.content[0].text)

    async with open_scene(front=front, back=back) as scene, anyio.create_task_group() as tasks:
        for person in people:
            tasks.start_soon(call, scene, person)

    assert [set(person.asked) for person in people] == [
        {f"Who are you, {person.name}?"} for person in people
    ]
    for name, texts in answers.items():
        assert all(f'"username": "{name}"' in text for text in texts)


@pytest.mark.slow
@pytest.mark.parametrize("front", ["handshake", "modern"])
async def test_a_question_of_a_shared_program_is_refused_while_it_may_be_for_another(
    open_scene, front
):
    ada, bob, begun = Person("ada"), Person("bob"), anyio.Event()

    async def report(*_progress):
        begun.set()

    async with (
        open_scene(front=front, back="legacy", transport="stdio") as scene,
        scene.client(ada) as one,
        scene.client(bob) as other,
    ):
        async with anyio.create_task_group() as tasks:

            async def wait():
                await one.call_tool("wait_for_ever", {}, progress_callback=report)

            tasks.start_soon(wait)
            with anyio.fail_after(WAIT_SECONDS):
                await begun.wait()
            with pytest.raises(MCPError) as refused:
                await other.call_tool("test_elicitation", {"message": "Who?"})
            tasks.cancel_scope.cancel()
        alone = await other.call_tool("test_elicitation", {"message": "Who?"})

    assert "it cannot be told which client this is for" in refused.value.error.message
    assert ada.asked == []
    assert bob.asked == ["Who?"]
    assert '"username": "bob"' in alone.content[0].text


async def required(client, tool="test_elicitation", **more):
    return await client.session.call_tool(
        tool, {"message": "Who?"}, allow_input_required=True, **more
    )


ANSWER = {"action": "accept", "content": {"username": "eve", "email": "eve@example.org"}}


async def test_a_state_is_good_for_one_answer_to_its_own_call(open_scene):
    async with open_scene(back="legacy") as scene, scene.client(Person()) as client:
        asked = await required(client)
        state, key = asked.request_state, next(iter(asked.input_requests))
        responses = {key: types.ElicitResult(**ANSWER)}
        refusals = []
        for tool, wrong in (("test_elicitation", "forged"), ("test_streaming_elicitation", state)):
            with pytest.raises(MCPError) as refused:
                await required(client, tool, input_responses=responses, request_state=wrong)
            refusals.append(refused.value.error.code)
        done = await required(client, input_responses=responses, request_state=state)
        with pytest.raises(MCPError) as used:
            await required(client, input_responses=responses, request_state=state)

    assert len(state) >= 43
    assert '"username": "eve"' in done.content[0].text
    assert [*refusals, used.value.error.code] == [types.INVALID_PARAMS] * 3


async def test_an_answer_to_something_else_is_asked_for_again(open_scene):
    async with open_scene(back="legacy") as scene, scene.client(Person()) as client:
        asked = await required(client)
        responses = {"another": types.ElicitResult(**ANSWER)}
        again = await required(client, input_responses=responses, request_state=asked.request_state)

    assert again.input_requests == asked.input_requests
    assert again.request_state != asked.request_state


class Somebody:
    log_level = None

    def __init__(self, principal):
        self.principal = principal
        self.capabilities = {}


async def test_a_state_is_nothing_to_another_principal():
    exchanges, purpose = Exchanges(), ("one", "tools/call", "one.x")
    mine = Exchange(Somebody("ada"), purpose)
    state = exchanges.wait_for_answers(mine, most=9)["requestState"]

    with pytest.raises(PeerError):
        exchanges.taken_up(state, Somebody("eve"), purpose)

    assert exchanges.taken_up(state, Somebody("ada"), purpose) is mine


async def test_calls_that_wait_for_answers_are_bounded_in_number_and_time():
    exchanges, purpose = Exchanges(), ("one", "tools/call", "one.x")
    waiting = [Exchange(Somebody(""), purpose) for _ in range(4)]
    states = [exchanges.wait_for_answers(one, most=3)["requestState"] for one in waiting]
    waiting[1].scope.deadline = anyio.current_time() - 1
    exchanges.forget_ended()

    assert [one.scope.cancel_called for one in waiting] == [True, True, False, False]
    for state in states[:2]:
        with pytest.raises(PeerError):
            exchanges.taken_up(state, Somebody(""), purpose)
    assert exchanges.taken_up(states[2], Somebody(""), purpose) is waiting[2]
