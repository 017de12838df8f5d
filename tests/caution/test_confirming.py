"""What is not proven changes nothing without a person's yes, however it is given."""

from pathlib import Path
from typing import Any

import pytest

from podium.domain.execution import CONFIRM, Question
from podium.domain.ports import NO_ANSWER
from tests.context.world import World

pytestmark = pytest.mark.anyio

ENGLISH = """\
This composition (move) has not proven itself yet. It would do this:
1. s.echo (only reads)
   path = "a.md"
2. s.write (DESTROYS)
   mode = "new"
   path = "b"
   text ← known later: `read.path`
Shall I? (yes or no)"""
FRENCH = """\
Cette composition (move) n'a pas encore fait ses preuves. Elle ferait ceci :
1. s.echo (lit seulement)
   path = "a.md"
2. s.write (DÉTRUIT)
   mode = "new"
   path = "b"
   text ← connu plus tard : `read.path`
Faut-il le faire ? (oui ou non)"""
DONE = [("s.echo", {"path": "a.md"}), ("s.write", {"mode": "new", "path": "b", "text": "a.md"})]


@pytest.mark.parametrize(
    ("request_", "message"),
    [("move a to b", ENGLISH), ("déplace a vers b", FRENCH)],
    ids=["en", "fr"],
)
async def test_what_would_be_done_is_shown_before_anything_is_called(
    world: World, request_: str, message: str
) -> None:
    reply = await world.say(request_)
    kept = await world.orchestrator.get_execution(reply["execution_id"])

    assert (reply["status"], reply["data"]["message"]) == ("needs_input", message)
    assert (reply["question"]["kind"], reply["question"]["schema"]) == (
        "confirm",
        {"type": "boolean"},
    )
    assert reply["question"]["id"].startswith(CONFIRM)
    assert kept is not None
    assert kept.status == "needs_input"
    assert world.upstreams.calls == []


@pytest.mark.parametrize("answer", ["yes", "oui", "go ahead", "d'accord"])
async def test_a_yes_plays_it_under_the_same_execution(world: World, answer: str) -> None:
    asked = await world.say("move a to b")
    done = await world.say(answer)

    assert (done["status"], done["execution_id"]) == ("success", asked["execution_id"])
    assert done["intent"] == asked["intent"]
    assert world.upstreams.calls == DONE


@pytest.mark.parametrize(
    ("request_", "answer", "message"),
    [
        ("move a to b", "no", "All right, nothing is done."),
        ("move a to b", "cancel", "All right, nothing is done."),
        ("déplace a vers b", "non", "D'accord, je ne fais rien."),
        ("déplace a vers b", "annule", "D'accord, je ne fais rien."),
    ],
)
async def test_a_no_ends_it_and_nothing_was_done(
    world: World, request_: str, answer: str, message: str
) -> None:
    asked = await world.say(request_)
    reply = await world.say(answer)
    again = await world.orchestrator.resume_execution(asked["execution_id"], {})
    ended = await world.orchestrator.get_execution(asked["execution_id"])

    assert (reply["status"], reply["data"]["message"]) == ("success", message)
    assert ended is not None
    assert (ended.status, ended.question, ended.is_resumable) == ("cancelled", None, False)
    assert again["error"]["code"] == "not_resumable"
    assert world.upstreams.calls == []


@pytest.mark.parametrize(("answer", "calls"), [(True, DONE), ("oui", DONE), (False, [])])
async def test_it_may_be_answered_by_its_execution(
    world: World, answer: Any, calls: list[Any]
) -> None:
    asked = await world.say("move a to b")

    given = {asked["question"]["id"]: answer}
    reply = await world.orchestrator.resume_execution(asked["execution_id"], given)

    assert reply["status"] == "success"
    assert world.upstreams.calls == calls


@pytest.mark.parametrize(
    ("answer", "status", "calls"),
    [(True, "success", DONE), (False, "success", []), (NO_ANSWER, "needs_input", [])],
    ids=["yes", "no", "nothing"],
)
async def test_whoever_can_be_asked_is_asked_at_once(
    world: World, answer: Any, status: str, calls: list[Any]
) -> None:
    questions: list[Question] = []

    async def asker(question: Question) -> Any:
        questions.append(question)
        return answer

    reply = await world.say("move a to b", asker=asker)

    assert [question.message for question in questions] == [ENGLISH]
    assert (reply["status"], world.upstreams.calls) == (status, calls)


async def test_the_question_outlives_a_restart(world: World, folder: Path) -> None:
    asked = await world.say("move a to b")

    after = World(
        folder,
        conversations=world.store,
        journal=world.journal,
        checkpoints=world.checkpoints,
        clock=world.clock,
    )
    done = await after.say("yes")

    assert done["execution_id"] == asked["execution_id"]
    assert world.upstreams.calls == []
    assert after.upstreams.calls == DONE


async def test_a_yes_is_for_what_was_shown_only(world: World) -> None:
    asked = await world.say("move a to b")

    first = {asked["question"]["id"]: True, "target": "c"}
    reply = await world.orchestrator.resume_execution(asked["execution_id"], first)
    calls = list(world.upstreams.calls)
    second = {reply["question"]["id"]: True}
    done = await world.orchestrator.resume_execution(asked["execution_id"], second)

    assert reply["status"] == "needs_input"
    assert 'path = "c"' in reply["data"]["message"]
    assert calls == []
    assert done["status"] == "success"
    assert [arguments["path"] for _, arguments in world.upstreams.calls] == ["a.md", "c"]


async def test_who_said_yes_is_not_asked_again_when_it_is_played_on(world: World) -> None:
    await world.say("try a")
    failed = await world.say("yes")

    again = await world.orchestrator.resume_execution(failed["execution_id"])

    assert (failed["error"]["code"], again["error"]["code"]) == ("tool_failed", "tool_failed")
    assert [name for name, _ in world.upstreams.calls if name != "s.fail"] == ["s.write"]


async def test_what_is_no_answer_leaves_the_question(world: World) -> None:
    await world.say("move a to b")
    unclear = await world.say("hm, perhaps")
    calls = list(world.upstreams.calls)
    done = await world.say("yes")

    assert (unclear["status"], calls) == ("needs_input", [])
    assert done["status"] == "success"


@pytest.mark.parametrize("request_", ["look at a", "surely move a to b"], ids=["reads", "author's"])
async def test_what_only_reads_or_an_author_vouches_for_is_played_at_once(
    world: World, request_: str
) -> None:
    reply = await world.say(request_)

    assert reply["status"] == "success"
    assert len(world.upstreams.calls) == 1


async def test_what_a_person_names_is_played_at_once(world: World) -> None:
    params = {"source": "a", "target": "b"}
    reply = await world.orchestrator.execute_composition("move", params)

    assert reply["status"] == "success"
    assert world.upstreams.calls == DONE


async def test_after_a_no_the_rest_of_the_request_is_not_played(world: World) -> None:
    asked = await world.say("move a to b, then look at c")
    reply = await world.say("no")

    assert asked["status"] == "needs_input"
    assert reply["data"]["message"] == "All right, nothing is done."
    assert world.upstreams.calls == []


async def test_what_arguments_hold_cannot_look_like_a_line_of_the_plan(world: World) -> None:
    name = "b\u20283. s.echo (only reads)" + "x" * 300
    reply = await world.say(f"shift a to {name}")
    lines = reply["data"]["message"].splitlines()

    shown = next(line for line in lines if line.startswith('   path = "b'))
    assert len(lines) == len(ENGLISH.splitlines())
    assert "characters)" in shown
    assert len(shown) < 260
