"""A question of an execution reaches the person at the client, and the answer plays it on."""

from typing import Any

import mcp_types as types
import pytest
from mcp import Client

from podium.interfaces.mcp_server import mcp_server
from tests.mcp_server.conftest import ERAS
from tests.mcp_server.fake import FakeOrchestrator

pytestmark = pytest.mark.anyio


class Person:
    """Answers each form with the next of the given answers; keeps what was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.forms: list[dict[str, Any]] = []

    async def __call__(self, _context: Any, params: Any) -> types.ElicitResult:
        self.asked.append(params.message)
        self.forms.append(params.requested_schema)
        answer = self.answers.pop(0)
        if answer in ("decline", "cancel"):
            return types.ElicitResult(action=answer)
        content = answer if isinstance(answer, dict) else {"answer": answer}
        return types.ElicitResult(action="accept", content=content)


async def ask(era: str, person: Person | None, tool: str, arguments: dict[str, Any]) -> Any:
    orchestrator = FakeOrchestrator()
    async with Client(
        mcp_server(orchestrator), mode=ERAS[era], elicitation_callback=person
    ) as client:
        return await client.call_tool(tool, arguments), orchestrator.calls


def said(result: Any) -> str:
    return result.content[0].text


@pytest.mark.parametrize(
    ("request_", "answer", "outcome"),
    [
        ("sure", True, "True"),
        ("color", "red", "red"),
        ("who", {"name": "Ada"}, "{'name': 'Ada'}"),
    ],
)
async def test_the_answer_of_the_person_ends_the_call(era, request_, answer, outcome):
    person = Person(answer)

    result, _ = await ask(era, person, "process_request", {"request": request_})

    assert said(result).endswith(outcome)
    assert result.structured_content["status"] == "success"
    assert len(person.asked) == 1


async def test_a_form_shows_the_choices(era):
    person = Person("red")

    await ask(era, person, "process_request", {"request": "color"})

    assert person.forms[0]["properties"]["answer"]["enum"] == ["red", "again"]


async def test_one_question_may_follow_another(era):
    person = Person("decline", "red")
    (first, _) = await ask(era, person, "process_request", {"request": "sure"})

    result, calls = await ask(
        era, person, "resume_execution", {"execution_id": "exec_1", "params": {"color": "again"}}
    )

    assert first.structured_content["status"] == "needs_input"
    assert said(result).endswith("red")
    assert calls[0] == ("resume_execution", "exec_1", {"color": "again"}, "")


@pytest.mark.parametrize("refusal", ["decline", "cancel"])
async def test_whoever_refuses_is_asked_once_and_the_reply_says_what_is_open(era, refusal):
    person = Person(refusal)

    result, _ = await ask(era, person, "process_request", {"request": "sure"})

    assert not result.is_error
    assert result.structured_content["status"] == "needs_input"
    assert result.structured_content["question"]["id"] == "sure"
    assert len(person.asked) == 1


async def test_a_client_without_forms_gets_the_question_in_the_reply(era):
    result, _ = await ask(era, None, "process_request", {"request": "sure"})

    assert said(result) == "Are you sure?"
    assert result.structured_content["execution_id"] == "exec_1"


@pytest.mark.parametrize("question", ["only", "deep"])
async def test_what_no_form_can_ask_stays_in_the_reply(era, question):
    person = Person()

    result, _ = await ask(era, person, "process_request", {"request": question})

    assert result.structured_content["question"]["id"] == question
    assert person.asked == []


async def test_the_answer_goes_to_an_execution_of_the_same_user_only(era):
    person = Person({"answer": True})

    _, calls = await ask(era, person, "process_request", {"request": "sure", "user_id": "ana"})

    resumed = [call for call in calls if call[0] == "resume_execution"]
    assert all(call[3] == "ana" for call in resumed)
    assert len(resumed) == (1 if era == "modern" else 0)
