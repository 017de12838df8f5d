"""The yes, and what comes before it, through the official client: both eras, in memory and HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp import Client

from podium import Orchestrator
from podium.interfaces.mcp_server import mcp_server, serve_http
from podium.testing import FakePlanWriter
from tests.synthesis.test_plan_writer import READS
from tests.synthesis.test_requests import WOULD
from tests.synthesis.workspaces import Workspace

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ERAS = {"handshake": "legacy", "modern": "auto"}
COPY = "duplicate a.txt as b.txt"
TALK = {"user_id": "ana", "conversation_id": "c1"}


class Person:
    """Fills in each form with the next answer; keeps what was asked."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, _context: Any, params: Any) -> types.ElicitResult:
        self.asked.append(params.message)
        answer = self.answers.pop(0)
        if answer == "decline":
            return types.ElicitResult(action=answer)
        answer = {"yes": True, "no": False}.get(answer, answer)
        return types.ElicitResult(action="accept", content={"answer": answer})


@pytest.fixture(params=sorted(ERAS))
def era(request: pytest.FixtureRequest) -> str:
    return ERAS[request.param]


@pytest.fixture(params=["memory", "http"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@asynccontextmanager
async def connected(
    way: str, era: str, podium: Orchestrator, person: Person | None = None
) -> AsyncIterator[Client]:
    if way == "memory":
        async with Client(mcp_server(podium), mode=era, elicitation_callback=person) as client:
            yield client
        return
    async with anyio.create_task_group() as tasks:
        url = await tasks.start(partial(serve_http, podium, "127.0.0.1", 0))
        async with Client(url, mode=era, elicitation_callback=person) as client:
            yield client
        tasks.cancel_scope.cancel()


async def ask(client: Client, request: str) -> Any:
    return await client.call_tool("process_request", {"request": request, **TALK})


async def test_a_yes_in_the_form_of_the_client_plays_it_in_the_same_call(
    workspace: Workspace, way: str, era: str
) -> None:
    person = Person("yes")
    async with workspace.open() as podium, connected(way, era, podium, person) as client:
        done = await ask(client, COPY)

    assert person.asked == [WOULD["en"]]
    assert done.structured_content["status"] == "success"
    assert workspace.text_of("b.txt") == "five!"


@pytest.mark.parametrize(("answer", "status"), [("no", "success"), ("decline", "needs_input")])
async def test_without_a_yes_nothing_is_written(
    workspace: Workspace, era: str, answer: str, status: str
) -> None:
    person = Person(answer)
    async with workspace.open() as podium, connected("memory", era, podium, person) as client:
        reply = await ask(client, COPY)

    assert len(person.asked) == 1
    assert reply.structured_content["status"] == status
    assert workspace.text_of("b.txt") is None
    assert workspace.learning() == []


async def test_what_is_missing_is_asked_for_in_a_form_and_then_the_yes(
    workspace: Workspace, era: str
) -> None:
    person = Person("b.txt", "yes")
    async with workspace.open() as podium, connected("memory", era, podium, person) as client:
        reply = await ask(client, "duplicate a.txt")

    assert person.asked == ["Which file?", WOULD["en"]]
    assert reply.structured_content["status"] == "success"
    assert workspace.text_of("b.txt") == "five!"


async def test_without_forms_the_reply_asks_and_its_execution_is_resumed(
    workspace: Workspace, way: str, era: str
) -> None:
    async with workspace.open() as podium, connected(way, era, podium) as client:
        asked = await ask(client, COPY)
        before = workspace.text_of("b.txt")
        question = asked.structured_content["question"]
        done = await client.call_tool(
            "resume_execution",
            {
                "execution_id": asked.structured_content["execution_id"],
                "params": {question["id"]: True},
                "user_id": "ana",
            },
        )

    assert not asked.is_error
    assert (asked.content[0].text, question["kind"], before) == (WOULD["en"], "confirm", None)
    assert done.structured_content["status"] == "success"
    assert workspace.text_of("b.txt") == "five!"


async def test_somebody_else_cannot_say_yes(workspace: Workspace, era: str) -> None:
    async with workspace.open() as podium, connected("memory", era, podium) as client:
        asked = await ask(client, COPY)
        question = asked.structured_content["question"]
        other = await client.call_tool(
            "resume_execution",
            {
                "execution_id": asked.structured_content["execution_id"],
                "params": {question["id"]: True},
                "user_id": "bob",
            },
        )

    assert other.structured_content["error"]["code"] == "unknown_execution"
    assert workspace.text_of("b.txt") is None


async def test_a_plan_of_a_model_is_confirmed_at_the_client(workspace: Workspace, era: str) -> None:
    person, writer = Person("yes"), FakePlanWriter(READS)
    async with workspace.open(writer) as podium, connected("memory", era, podium, person) as client:
        done = await ask(client, "recite a.txt aloud")

    assert "a model wrote the plan" in person.asked[0]
    assert done.structured_content["data"]["result"]["it"]["text"] == "five!"


async def test_a_choice_outlives_a_restart(workspace: Workspace) -> None:
    async with workspace.open() as podium:
        asked = await podium.process_request("look into a.txt", "ana", "c1")
    workspace.planner.go.clear()  # what was offered is played: nothing is made anew
    async with workspace.open() as podium:
        done = await podium.process_request("2", "ana", "c1")
    workspace.planner.go.set()

    assert asked["question"]["kind"] == "choice"
    assert done["status"] == "success"
    assert list(done["execution_info"]["steps"]) == ["found"]
