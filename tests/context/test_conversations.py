"""Conversations through the orchestrator: kept apart, forgotten in time, safe when many talk."""

import json
import logging
from pathlib import Path
from typing import Any

import anyio
import pytest

from podium.domain.conversation import ConversationBounds
from podium.domain.errors import JournalError
from podium.domain.intent import Analysis, Candidate, Intent
from podium.domain.limits import Limits
from podium.domain.redaction import Redactor
from podium.storage.conversations import SqliteConversations
from podium.storage.journal import SqliteJournal
from podium.testing import FakeClock, MemoryConversations, MemoryJournal
from tests.context.world import World

pytestmark = pytest.mark.anyio


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def params(reply: dict[str, Any]) -> Any:
    return (reply["intent"] or {}).get("params")


def written(world: World) -> list[dict[str, Any]]:
    return [arguments for name, arguments in world.upstreams.calls if name == "s.write"]


# --- apart and in time


async def test_nobody_sees_what_another_person_said_in_a_conversation_of_the_same_id(
    world: World,
) -> None:
    await world.say("read secret.md", "ana", "c1")

    other = await world.say("delete it", "bob", "c1")
    own = await world.say("delete it", "ana", "c1")

    assert (other["status"], params(other)) == ("needs_input", {})
    assert params(own) == {"path": "secret.md"}


async def test_two_conversations_of_one_person_do_not_mix(world: World) -> None:
    await world.say("read a.md", "ana", "c1")
    await world.say("read b.md", "ana", "c2")

    assert params(await world.say("delete it", "ana", "c1")) == {"path": "a.md"}
    assert params(await world.say("delete it", "ana", "c2")) == {"path": "b.md"}


async def test_anonymous_callers_go_on_with_the_id_they_were_given(world: World) -> None:
    first = await world.orchestrator.process_request("read a.md")
    second = await world.orchestrator.process_request("read b.md")

    again = await world.orchestrator.process_request(
        "delete it", conversation_id=first["conversation_id"]
    )
    fresh = await world.orchestrator.process_request("delete it")

    assert first["conversation_id"] != second["conversation_id"]
    assert params(again) == {"path": "a.md"}
    assert fresh["status"] == "needs_input"


async def test_ids_that_only_look_alike_when_joined_are_different_conversations(
    world: World,
) -> None:
    await world.say("read a.md", "ab", "c")

    assert (await world.say("delete it", "a", "bc"))["status"] == "needs_input"


async def test_a_conversation_is_forgotten_after_its_time(tmp_path: Path) -> None:
    world = World(tmp_path, bounds=ConversationBounds(ttl_seconds=60))
    await world.say("read a.md")

    world.clock.time += 59
    in_time = await world.say("what time is it in Lyon?")
    world.clock.time += 59
    still = await world.say("weather in this city")
    world.clock.time += 61
    late = await world.say("weather in this city")

    assert [r["status"] for r in (in_time, still, late)] == ["success", "success", "needs_input"]


async def test_an_old_question_is_no_longer_answered(tmp_path: Path) -> None:
    world = World(tmp_path, bounds=ConversationBounds(ttl_seconds=60))
    asked = await world.say("turn on the light")

    world.clock.time += 61
    late = await world.say("kitchen")
    resumed = await world.orchestrator.resume_execution(asked["execution_id"], {"room": "kitchen"})

    assert late["status"] == "no_match"
    assert (resumed["status"], resumed["error"]["code"]) == ("error", "not_resumable")


async def test_a_conversation_survives_a_restart(tmp_path: Path) -> None:
    clock, bounds = FakeClock(), ConversationBounds()
    replies = []

    for text in ("list the files in docs", "open the second one", "turn on the light", "kitchen"):
        async with SqliteJournal.open(
            tmp_path / "journal.sqlite3", redactor=Redactor(), limits=Limits()
        ) as journal:
            store = SqliteConversations(
                journal.writer, clock=clock, redactor=Redactor(), bounds=bounds
            )
            world = World(tmp_path, conversations=store, clock=clock, journal=MemoryJournal())
            replies.append(await world.say(text))

    assert [params(reply) for reply in replies] == [
        {"path": "docs"},
        {"path": "docs/b.md"},
        {},
        {"room": "kitchen"},
    ]


# --- questions


async def test_a_question_is_a_reply_with_all_that_is_needed_to_answer_it(world: World) -> None:
    reply = await world.say("timer")

    assert reply == {
        "status": "needs_input",
        "data": {"message": "I need 'minutes'. What should it be?", "result": None,
                 "files": []},
        "intent": {"type": "set_timer", "params": {}, "confidence": 1.0, "matched_by": "pattern",
                   "language": reply["intent"]["language"]},
        "composition_id": "set_timer",
        "execution_id": "exec_1",
        "conversation_id": "c1",
        "execution_info": {"steps": {}},
        "error": None,
        "question": {
            "id": "minutes",
            "kind": "param",
            "message": "I need 'minutes'. What should it be?",
            "schema": {"type": "integer", "minimum": 1, "maximum": 180},
        },
    }  # fmt: skip


async def test_what_waits_for_an_answer_is_in_the_journal_and_goes_on_under_its_id(
    world: World,
) -> None:
    asked = await world.say("turn on the light")
    waiting = await world.orchestrator.get_execution(asked["execution_id"])
    status = waiting.status if waiting else ""
    done = await world.say("kitchen")
    ended = await world.orchestrator.get_execution(asked["execution_id"])

    assert status == "needs_input"
    assert done["execution_id"] == asked["execution_id"]
    assert ended is not None
    assert (ended.status, ended.request, ended.params) == (
        "success",
        "turn on the light",
        {"room": "kitchen"},
    )


async def test_a_question_is_answered_by_its_execution_as_well(world: World) -> None:
    asked = await world.say("allume la lumière")

    reply = await world.orchestrator.resume_execution(asked["execution_id"], {"room": "cuisine"})
    again = await world.orchestrator.resume_execution(asked["execution_id"], {"room": "salon"})
    after = await world.say("encore")

    assert (reply["status"], params(reply)) == ("success", {"room": "cuisine"})
    assert again["error"]["code"] == "not_resumable"
    assert params(after) == {"room": "cuisine"}
    assert written(world) == [{"room": "cuisine"}, {"room": "cuisine"}]


@pytest.mark.parametrize(
    "value", ["docs/b.md", 2, "2", "le deuxième"], ids=["label", "number", "digit", "place"]
)
async def test_a_choice_is_answered_by_label_or_number(world: World, value: Any) -> None:
    await world.say("liste les fichiers de docs")
    asked = await world.say("supprime ce fichier")

    reply = await world.orchestrator.resume_execution(asked["execution_id"], {"path": value})

    assert (reply["status"], params(reply)) == ("success", {"path": "docs/b.md"})


@pytest.mark.parametrize(
    ("given", "who", "code"),
    [
        ({}, {}, "invalid_params"),
        ({"other": 1}, {}, "invalid_params"),
        ({"room": "x1"}, {"user_id": "bob"}, "unknown_execution"),
        ({"room": "x1"}, {"conversation_id": "c2"}, "unknown_execution"),
        ([1], {}, "invalid_params"),
    ],
)
async def test_a_wrong_way_to_answer_says_so_and_leaves_the_question(
    world: World, given: Any, who: dict[str, str], code: str
) -> None:
    asked = await world.say("turn on the light")

    reply = await world.orchestrator.resume_execution(asked["execution_id"], given, **who)
    after = await world.say("kitchen")

    assert (reply["status"], reply["error"]["code"]) == ("error", code)
    assert after["status"] == "success"


async def test_an_answer_by_execution_that_does_not_fit_asks_again(world: World) -> None:
    asked = await world.say("timer")

    reply = await world.orchestrator.resume_execution(asked["execution_id"], {"minutes": 500})
    right = await world.orchestrator.resume_execution(asked["execution_id"], {"minutes": 5})

    assert reply["status"] == "needs_input"
    assert "at most 180" in reply["data"]["message"]
    assert params(right) == {"minutes": 5}


async def test_an_execution_nobody_knows_cannot_be_resumed(world: World) -> None:
    reply = await world.orchestrator.resume_execution("exec_nope", {"a": 1})

    assert reply["error"]["code"] == "unknown_execution"


@pytest.mark.parametrize("next_", ["cancel", "read README.md"])
async def test_what_will_not_be_played_is_closed_in_the_journal(world: World, next_: str) -> None:
    asked = await world.say("turn on the light")
    await world.say(next_)

    execution = await world.orchestrator.get_execution(asked["execution_id"])
    assert execution is not None
    assert execution.status == "cancelled"
    assert written(world) == []


async def test_an_answer_whose_composition_is_gone_is_an_error_under_its_id(world: World) -> None:
    asked = await world.say("orphan it")
    reply = await world.say("dog")

    execution = await world.orchestrator.get_execution(asked["execution_id"])
    assert (reply["status"], reply["execution_id"]) == ("error", asked["execution_id"])
    assert execution is not None
    assert (execution.status, execution.error["code"] if execution.error else "") == (
        "error",
        "unknown_composition",
    )


# --- guesses


def guessing(world: World, *intents: Intent, is_sure: bool = False) -> None:
    """Have the next requests that no pattern fits understood as guesses; a sure one is played."""
    candidates = tuple(
        Candidate(
            intent, (0, 1), whole=False, literal_characters=0, priority=0, source="", reason=""
        )
        for intent in intents
    )
    stages = world.orchestrator._stages
    matcher = stages.matcher

    class Guessing:
        def analyse(self, text: str) -> Analysis:
            found = matcher.analyse(text)
            if found.intent or not text.startswith("please"):
                return found
            if is_sure:
                return Analysis(intents[0], candidates)
            return Analysis(None, choices=candidates)

        async def remember(self) -> None: ...

    object.__setattr__(stages, "understanding", Guessing())


DELETE = Intent("delete_file", {"path": "a.md"}, 0.5, "heuristic", "en")
READ = Intent("read_file", {"path": "a.md"}, 0.5, "heuristic", "en")


@pytest.mark.parametrize(
    ("answer", "status", "played"),
    [("yes", "success", [{"path": "a.md"}]), ("non", "success", []), ("banana", "needs_input", [])],
)
async def test_one_guess_is_confirmed_before_it_is_played(
    world: World, answer: str, status: str, played: list[Any]
) -> None:
    guessing(world, DELETE)

    asked = await world.say("please get rid of a.md for me")
    reply = await world.say(answer)

    assert (asked["status"], asked["question"]["kind"]) == ("needs_input", "confirm")
    assert asked["question"]["schema"] == {"type": "boolean"}
    assert (reply["status"], written(world)) == (status, played)


async def test_of_several_guesses_one_is_chosen(world: World) -> None:
    guessing(world, DELETE, READ)

    asked = await world.say("please do something with a.md")
    reply = await world.say("the second one")

    assert asked["question"]["kind"] == "choice"
    assert asked["question"]["schema"]["enum"] == ["delete_file (a.md)", "read_file (a.md)"]
    assert (reply["intent"]["type"], written(world)) == ("read_file", [])


async def test_a_guess_is_confirmed_by_its_execution_too(world: World) -> None:
    guessing(world, DELETE)
    asked = await world.say("please get rid of a.md for me")

    reply = await world.orchestrator.resume_execution(asked["execution_id"], {"confirm": True})

    assert (reply["status"], written(world)) == ("success", [{"path": "a.md"}])


async def test_a_sure_guess_takes_what_the_request_points_at(world: World) -> None:
    guessing(world, Intent("list_files", {}, 0.7, "heuristic", "en"), is_sure=True)
    await world.say("list the files in docs")

    reply = await world.say("please have a look into this folder")

    assert (reply["status"], reply["intent"]["params"]) == ("success", {"path": "docs"})


async def test_what_a_guess_would_be_played_with_is_shown_before_it_is_confirmed(
    world: World,
) -> None:
    guessing(world, Intent("list_files", {}, 0.5, "heuristic", "en"))
    await world.say("list the files in docs")

    asked = await world.say("please peek into this folder")
    reply = await world.say("yes")

    assert asked["question"]["message"] == "Do you mean: list_files (docs)? (yes or no)"
    assert reply["intent"]["params"] == {"path": "docs"}


async def test_a_guess_is_not_offered_without_what_the_request_points_at(world: World) -> None:
    guessing(world, Intent("list_files", {}, 0.5, "heuristic", "en"))
    await world.say("list the files in mixed")

    assert (await world.say("please peek into this folder"))["status"] == "no_match"


async def test_a_sure_guess_about_the_only_one_there_may_be_is_played(world: World) -> None:
    guessing(world, Intent("list_files", {}, 0.7, "heuristic", "en"), is_sure=True)

    reply = await world.say("please look what there is in the folder")

    assert (reply["status"], reply["intent"]["params"]) == ("success", {})


async def test_a_sure_guess_that_points_at_nothing_asks_for_it(world: World) -> None:
    guessing(world, Intent("list_files", {}, 0.7, "heuristic", "en"), is_sure=True)

    reply = await world.say("please have a look into this folder")

    assert (reply["status"], reply["question"]["id"]) == ("needs_input", "path")


async def test_a_sure_guess_that_takes_nothing_of_the_kind_is_asked_about(world: World) -> None:
    guessing(world, Intent("list_notes", {}, 0.7, "heuristic", "en"), is_sure=True)

    reply = await world.say("please have a look into this folder")

    assert (reply["status"], reply["question"]["kind"]) == ("needs_input", "confirm")


# --- several things in one request


async def test_parts_are_played_in_order_and_see_each_others_results(world: World) -> None:
    reply = await world.say("liste les fichiers de docs puis ouvre le deuxième")

    assert (reply["status"], params(reply)) == ("success", {"path": "docs/b.md"})
    assert "docs/c.md" in reply["data"]["message"]
    executions = await world.journal.recent(5)
    assert [e.intent_type for e in executions] == ["read_file", "list_files"]


async def test_the_first_part_that_fails_ends_it_and_is_named(world: World) -> None:
    reply = await world.say("read a.md and then fail and then read b.md")

    assert reply["status"] == "error"
    assert "Part 2 of 3:" in reply["data"]["message"]
    assert [a.get("path") for n, a in world.upstreams.calls if n == "s.echo"] == ["a.md"]


async def test_what_is_left_is_played_after_the_answer(world: World) -> None:
    asked = await world.say("turn on the light and then read a.md")
    reply = await world.say("kitchen")

    assert asked["status"] == "needs_input"
    assert (reply["status"], params(reply)) == ("success", {"path": "a.md"})
    assert written(world) == [{"room": "kitchen"}]


# --- what a chatbot knows


async def test_variables_and_entities_of_the_caller_are_known_and_kept(world: World) -> None:
    context = {
        "variables": {"place": "home"},
        "entities": [{"kind": "file", "value": "given.md", "label": "The given one"}],
        "room": "r1",
    }

    where = await world.say("where am i", context=context)
    delete = await world.say("delete this file")
    later = await world.say("where am i")

    assert where["data"]["result"] == {"it": {"place": "home", "room": "r1"}}
    assert params(delete) == {"path": "given.md"}
    assert later["data"]["result"] == {"it": {"place": "home"}}


async def test_what_the_caller_tells_with_each_request_stands_behind_what_was_said(
    world: World,
) -> None:
    context = {"entities": [{"kind": "file", "value": "given.md"}]}

    await world.say("read a.md", context=context)
    first = await world.say("delete it", context=context)
    await world.say("what time is it in Lyon?", context=context)
    second = await world.say("delete it", context=context)

    assert [params(first), params(second)] == [{"path": "a.md"}, {"path": "a.md"}]


async def test_two_files_of_the_caller_are_a_choice_with_their_labels(world: World) -> None:
    entities = [
        {"kind": "fichier", "value": "a.md", "label": "first draft"},
        {"kind": "fichier", "value": "b.md", "label": "final"},
    ]

    asked = await world.say("delete it", context={"entities": entities})
    reply = await world.say("final")

    assert asked["question"]["schema"]["enum"] == ["first draft", "final"]
    assert params(reply) == {"path": "b.md"}


@pytest.mark.parametrize(
    ("language", "starts"), [("fr", "Quelle"), ("en", "Which"), ("de", "Which")]
)
async def test_the_caller_may_say_the_language_of_the_reply(
    world: World, language: str, starts: str
) -> None:
    reply = await world.say("turn on the light", context={"language": language})

    assert reply["data"]["message"].startswith(starts)


@pytest.mark.parametrize(
    "context",
    [
        {"variables": [1]},
        {"variables": "x"},
        {"entities": {"a": 1}},
        {"entities": ["a"]},
        {"entities": [{"kind": "file"}]},
        {"entities": [{"kind": 5, "value": "a"}]},
        {"entities": [{"kind": "file", "value": {"deep": 1}}]},
    ],
)
async def test_context_of_another_shape_is_refused(world: World, context: dict[str, Any]) -> None:
    reply = await world.say("where am i", context=context)

    assert (reply["status"], reply["error"]["code"]) == ("error", "invalid_params")
    assert "context." in reply["error"]["message"]


async def test_a_pattern_takes_a_param_from_the_conversation(world: World) -> None:
    before = await world.say("forecast")
    await world.say("what time is it in Lyon?")
    entity = await world.say("prévisions")
    variable = await world.say("forecast", context={"variables": {"city": "Nice"}})
    said = await world.say("forecast in Brest")

    found = [params(reply)["city"] for reply in (before, entity, variable, said)]
    assert found == ["Default", "Lyon", "Nice", "Brest"]


# --- many at once, and what goes wrong


async def test_an_answer_that_is_sent_twice_at_once_is_played_once(world: World) -> None:
    await world.say("turn on the light")

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(world.say, "kitchen")

    assert written(world) == [{"room": "kitchen"}]


async def test_turns_of_one_conversation_at_once_are_all_remembered(world: World) -> None:
    async with anyio.create_task_group() as tasks:
        for number in range(6):
            tasks.start_soon(world.say, f"read {number}.md")

    store = world.store
    assert isinstance(store, MemoryConversations)
    state, version = await store.load("ana", "c1")
    assert {turn.params["path"] for turn in state.turns} == {f"{n}.md" for n in range(6)}
    assert [turn.number for turn in state.turns] == [1, 2, 3, 4, 5, 6]
    assert version == 6


async def test_a_save_that_comes_second_is_made_again_on_what_is_there(world: World) -> None:
    assert isinstance(world.store, MemoryConversations)
    world.store.conflicts = 3

    await world.say("read a.md")

    assert params(await world.say("delete it")) == {"path": "a.md"}


async def test_without_its_store_a_request_is_answered_and_the_log_says_so(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    assert isinstance(world.store, MemoryConversations)
    world.store.error = JournalError("the disk is full")
    caplog.set_level(logging.WARNING, logger="podium.context")

    read = await world.say("read a.md")
    asked = await world.say("delete it")

    assert (read["status"], asked["status"]) == ("success", "needs_input")
    assert "the disk is full" in caplog.text


async def test_more_than_fits_is_forgotten_oldest_first(tmp_path: Path) -> None:
    world = World(tmp_path, bounds=ConversationBounds(turns=3, entities=3))
    for number in range(8):
        await world.say(f"read {number}.md")

    assert isinstance(world.store, MemoryConversations)
    state, _ = await world.store.load("ana", "c1")
    assert [turn.params["path"] for turn in state.turns] == ["5.md", "6.md", "7.md"]
    assert [entity.value for entity in state.entities] == ["5.md", "6.md", "7.md"]


async def test_a_value_too_long_to_keep_is_asked_for_when_it_is_repeated(tmp_path: Path) -> None:
    world = World(tmp_path, bounds=ConversationBounds(value_bytes=100))
    long = "x" * 200
    await world.say(f"say {long}")

    reply = await world.say("again")

    assert (reply["status"], reply["question"]["id"]) == ("needs_input", "words")


async def test_a_secret_is_not_kept_and_not_repeated(tmp_path: Path) -> None:
    clock = FakeClock()
    async with SqliteJournal.open(
        tmp_path / "journal.sqlite3", redactor=Redactor(["hunter22"]), limits=Limits()
    ) as journal:
        store = SqliteConversations(
            journal.writer,
            clock=clock,
            redactor=Redactor(["hunter22"]),
            bounds=ConversationBounds(),
        )
        world = World(tmp_path, conversations=store, clock=clock)
        await world.say("read hunter22.md")
        again = await world.say("again")
        delete = await world.say("delete this file")

    assert (again["status"], again["question"]["id"]) == ("needs_input", "path")
    assert delete["status"] == "needs_input"
    assert b"hunter22" not in (tmp_path / "journal.sqlite3").read_bytes()


async def test_the_kept_state_is_plain_json(world: World) -> None:
    await world.say("list the tasks")
    await world.say("close it")

    assert isinstance(world.store, MemoryConversations)
    text, _, _ = world.store.rows["ana", "c1"]
    assert json.loads(text)["question"]["kind"] == "choice"


@pytest.mark.parametrize(
    "text",
    [
        "ouvre " + "le " * 5_000,
        " " * 30_000 + "again" + " " * 30_000,
        "it " * 20_000,
        "\u200bouvre\u200b-\u200ble",
        "افتح it الملف",
        "le le le le le",
        "refais-le pour " + "x" * 60_000,
        "et " + "a " * 3_000 + "?",
        "the second " * 4_000,
        "please please " * 4_000,
        "\ufffc it \ufffc",
        "merci " * 9_000,
        "?" * 60_000,
    ],
    ids=range(13),
)
async def test_strange_requests_are_answered_or_refused(world: World, text: str) -> None:
    await world.say("list the files in docs")
    await world.say("turn on the light")
    with anyio.fail_after(10):
        first = await world.say(text)
        second = await world.say(text, conversation="other")

    assert first["status"] in {"success", "needs_input", "no_match", "error"}
    assert second["status"] in {"success", "needs_input", "no_match", "error"}
