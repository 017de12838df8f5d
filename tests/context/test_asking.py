"""Questions that executions ask in a conversation: whoever answers, and however, plays them on."""

from pathlib import Path
from typing import Any

import pytest

from podium.domain.conversation import ConversationBounds
from podium.domain.errors import UpstreamClosedError
from podium.domain.limits import Limits
from podium.domain.redaction import Redactor
from podium.storage.conversations import SqliteConversations
from podium.storage.journal import SqliteJournal
from podium.testing import FakeClock, MemoryCheckpoints, MemoryJournal
from tests.context.world import World

pytestmark = pytest.mark.anyio


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def written(world: World) -> list[dict[str, Any]]:
    return [arguments for name, arguments in world.upstreams.calls if name == "s.write"]


def message(reply: dict[str, Any]) -> str:
    return str(reply["data"]["message"])


async def test_the_answer_of_a_message_goes_on_under_the_same_execution(world: World) -> None:
    asked = await world.say("erase a.md")
    done = await world.say("yes")

    assert asked["question"]["schema"] == {"type": "boolean"}
    assert asked["execution_info"]["resumable"]
    assert done["execution_id"] == asked["execution_id"]
    assert done["intent"]["type"] == "erase"
    assert written(world) == [{"path": "a.md"}]


async def test_it_may_be_answered_by_its_execution_and_the_conversation_goes_on(
    world: World,
) -> None:
    asked = await world.say("sign up for chess then read b.md")
    second = await world.orchestrator.resume_execution(asked["execution_id"], {"who": "Ana"})
    done = await world.say("12")
    again = await world.say("read it")

    assert second["question"]["id"] == "age"
    assert second["conversation_id"] == "c1"
    assert message(done).startswith("who: Ana\nage: 12\n")
    assert done["intent"]["type"] == "read_file"
    assert again["intent"]["params"] == {"path": "b.md"}
    assert written(world) == [{"club": "chess", "who": "Ana", "age": 12}]


async def test_an_answer_by_its_execution_that_does_not_fit_leaves_the_question(
    world: World,
) -> None:
    asked = await world.say("erase a.md")

    refused = await world.orchestrator.resume_execution(asked["execution_id"], {"sure": "perhaps"})
    unknown = await world.orchestrator.resume_execution(asked["execution_id"], {"path": ["a"]})
    done = await world.say("yes")

    assert (refused["status"], refused["question"]["id"]) == ("needs_input", "sure")
    assert unknown["error"]["code"] == "invalid_params"
    assert message(done) == "erased a.md"


async def test_what_is_answered_twice_is_played_once(world: World) -> None:
    asked = await world.say("erase a.md")

    first = await world.orchestrator.resume_execution(asked["execution_id"], {"sure": True})
    second = await world.orchestrator.resume_execution(asked["execution_id"], {"sure": True})
    third = await world.say("yes")

    assert [first["status"], second["status"], third["status"]] == ["success", "error", "no_match"]
    assert second["error"]["code"] == "not_resumable"
    assert len(written(world)) == 1


async def test_nobody_else_can_answer_it(world: World) -> None:
    asked = await world.say("erase a.md")

    other = await world.orchestrator.resume_execution(
        asked["execution_id"], {"sure": True}, user_id="bob"
    )

    assert other["error"]["code"] == "unknown_execution"
    assert written(world) == []
    assert message(await world.say("no")) == "kept"


async def test_what_was_cancelled_can_still_be_answered_by_its_id(world: World) -> None:
    asked = await world.say("erase a.md")
    await world.say("cancel")

    done = await world.orchestrator.resume_execution(asked["execution_id"], {"sure": "yes"})

    assert message(done) == "erased a.md"


async def test_a_composition_played_in_a_conversation_is_answered_by_its_next_message(
    world: World,
) -> None:
    asked = await world.orchestrator.execute_composition("erase", {"path": "a.md"}, "ana", "c1")
    done = await world.say("oui")

    assert asked["status"] == "needs_input"
    assert (message(done), done["execution_id"]) == ("erased a.md", asked["execution_id"])


async def test_and_so_is_one_in_a_conversation_that_it_began(world: World) -> None:
    asked = await world.orchestrator.execute_composition("erase", {"path": "a.md"})
    done = await world.orchestrator.process_request("yes", conversation_id=asked["conversation_id"])

    assert message(done) == "erased a.md"


async def test_it_takes_the_place_of_another_question(world: World) -> None:
    left = await world.say("turn on the light")
    await world.orchestrator.execute_composition("erase", {"path": "a.md"}, "ana", "c1")

    done = await world.say("yes")

    assert message(done) == "erased a.md"
    closed = await world.orchestrator.get_execution(left["execution_id"])
    assert closed is not None
    assert closed.status == "cancelled"


async def test_a_write_in_doubt_is_asked_about_in_the_conversation_too(world: World) -> None:
    async def lost(_: dict[str, Any]) -> Any:
        raise UpstreamClosedError("it went away", sent=True)

    world.upstreams.add("s.write", lost, effects="write")
    failed = await world.say("delete a.md")
    asked = await world.orchestrator.resume_execution(failed["execution_id"])
    done = await world.say("skip")

    assert failed["execution_info"]["in_doubt"] == ["it"]
    assert asked["question"]["schema"] == {"enum": ["repeat", "skip"]}
    assert (done["status"], done["execution_id"]) == ("success", failed["execution_id"])
    assert len(written(world)) == 1


async def test_a_question_outlives_the_process_and_is_answered_in_the_next(tmp_path: Path) -> None:
    clock, bounds = FakeClock(), ConversationBounds()
    journal, checkpoints = MemoryJournal(), MemoryCheckpoints()
    replies = []

    for text in ("sign up for chess then read b.md", "Ana", "12"):
        async with SqliteJournal.open(
            tmp_path / "journal.sqlite3", redactor=Redactor(), limits=Limits()
        ) as kept:
            store = SqliteConversations(
                kept.writer, clock=clock, redactor=Redactor(), bounds=bounds
            )
            world = World(
                tmp_path,
                conversations=store,
                clock=clock,
                journal=journal,
                checkpoints=checkpoints,
            )
            replies.append(await world.say(text))

    assert [(reply["question"] or {}).get("id") for reply in replies] == ["who", "age", None]
    assert written(world) == [{"club": "chess", "who": "Ana", "age": 12}]


async def test_one_that_cannot_be_kept_until_it_is_answered_fails_and_says_so(
    tmp_path: Path,
) -> None:
    class Full(MemoryCheckpoints):
        async def save(self, checkpoint: Any) -> bool:  # noqa: ARG002 - of the port
            return False

    world = World(tmp_path, checkpoints=Full())

    failed = await world.say("erase a.md")

    assert (failed["status"], failed["error"]["code"]) == ("error", "limit_exceeded")
    assert "'sure'" in failed["error"]["message"]
    assert failed["question"] is None
    assert (await world.say("yes"))["status"] == "no_match"
