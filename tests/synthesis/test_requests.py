"""A request that nothing answers is served by a composition made for it, over a real server."""

import json
from typing import Any

import anyio
import pytest

from podium import Orchestrator
from podium.domain.execution import CONFIRM
from tests.synthesis.workspaces import READ, Workspace

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
FIVE = "Done for this request: files.file_info(file_path=a.txt).\n5"

WOULD = {
    "en": """\
I have no ready answer to this, but I could do it like this:
1. files.read_file (only reads)
   file_path = "a.txt"
2. files.write_file (DESTROYS)
   file_path = "b.txt"
   text ← known later: `read.text`
Guessed from your words (80 % sure):
- 'copy' reads one file and writes another
Shall I? (yes or no)""",
    "fr": """\
Je n'ai pas de réponse toute prête, mais je peux m'y prendre ainsi :
1. files.read_file (lit seulement)
   file_path = "a.txt"
2. files.write_file (DÉTRUIT)
   file_path = "b.txt"
   text ← connu plus tard : `read.text`
Deviné d'après vos mots (sûr à 80 %) :
- 'copy' reads one file and writes another
Faut-il le faire ? (oui ou non)""",
}


async def say(podium: Orchestrator, text: str, conversation: str = "c1") -> dict[str, Any]:
    return await podium.process_request(text, "ana", conversation)


@pytest.mark.parametrize(
    ("language", "request_", "yes"),
    [
        ("en", "duplicate a.txt as b.txt", "yes"),
        ("fr", "duplique le fichier a.txt sous le nom b.txt", "oui"),
    ],
)
async def test_what_writes_is_shown_first_and_done_after_a_yes_in_another_process(
    workspace: Workspace, language: str, request_: str, yes: str
) -> None:
    async with workspace.open() as podium:
        asked = await say(podium, request_)
    untouched = workspace.text_of("b.txt")
    async with workspace.open() as podium:
        done = await say(podium, yes)

    assert (asked["status"], asked["data"]["message"]) == ("needs_input", WOULD[language])
    assert asked["question"]["id"].startswith(CONFIRM)
    assert untouched is None
    assert (done["status"], done["data"]["result"]) == ("success", {"written": "b.txt"})
    assert done["execution_id"] == asked["execution_id"]
    assert (done["intent"]["matched_by"], done["intent"]["confidence"]) == ("synthesis", 0.8)
    assert workspace.text_of("b.txt") == "five!"


async def test_a_no_leaves_everything_as_it_was(workspace: Workspace) -> None:
    async with workspace.open() as podium:
        asked = await say(podium, "duplique le fichier a.txt sous le nom b.txt")
        reply = await say(podium, "non")
        ended = await podium.get_execution(asked["execution_id"])

    assert (reply["status"], reply["data"]["message"]) == ("success", "D'accord, je ne fais rien.")
    assert ended is not None
    assert ended.status == "cancelled"
    assert workspace.text_of("b.txt") is None
    assert workspace.learning() == []


@pytest.mark.parametrize(
    ("request_", "account"),
    [
        ("how long is a.txt", "Done for this request: files.file_info(file_path=a.txt)."),
        (
            "quelle longueur fait a.txt",
            "Fait pour cette demande : files.file_info(file_path=a.txt).",
        ),
    ],
)
async def test_what_only_reads_and_is_sure_is_played_at_once_and_says_what_it_did(
    workspace: Workspace, request_: str, account: str
) -> None:
    async with workspace.open() as podium:
        reply = await say(podium, request_)

    assert (reply["status"], reply["data"]["message"]) == ("success", f"{account}\n5")
    assert reply["data"]["result"] == {"message": "5"}
    assert reply["intent"]["matched_by"] == "synthesis"
    assert reply["intent"]["params"] == {"file": "a.txt"}


async def test_what_only_reads_is_asked_about_where_it_is_less_sure(workspace: Workspace) -> None:
    async with workspace.open() as podium:
        asked = await say(podium, "how long is a.txt, perhaps")
        done = await say(podium, "yes")

    assert "60 % sure" in asked["data"]["message"]
    assert (done["status"], done["data"]["message"]) == ("success", "5")


async def test_what_the_request_does_not_say_is_asked_for_before_the_yes(
    workspace: Workspace,
) -> None:
    async with workspace.open() as podium:
        param = await say(podium, "duplique le fichier a.txt")
    async with workspace.open() as podium:
        asked = await say(podium, "b.txt")
        before = workspace.text_of("b.txt")
        done = await say(podium, "oui")

    assert (param["question"]["kind"], param["question"]["id"]) == ("param", "target")
    assert param["data"]["message"] == "Quel fichier ?"
    assert (asked["data"]["message"], before) == (WOULD["fr"], None)
    assert (done["status"], workspace.text_of("b.txt")) == ("success", "five!")


async def test_two_drafts_about_as_good_with_other_tools_are_chosen_from(
    workspace: Workspace,
) -> None:
    async with workspace.open() as podium:
        asked = await say(podium, "look into a.txt")
        done = await say(podium, "1")

    assert asked["question"]["kind"] == "choice"
    assert asked["question"]["schema"]["enum"] == [
        "files.file_info (a.txt)",
        "files.search_files (a.txt)",
    ]
    assert (done["status"], done["data"]["message"]) == ("success", FIVE)


@pytest.mark.parametrize(
    "request_",
    [
        "tell me a joke",
        "something with a.txt",
        "wipe everything",
        "how long is 7",
        "empty a.txt",
        "make it fail",
    ],
    ids=["none", "unsure", "not sound", "params unfit", "a write called a read", "a bug"],
)
async def test_without_a_good_draft_it_is_as_if_there_was_no_synthesis(
    workspace: Workspace, request_: str
) -> None:
    async with workspace.open() as podium:
        reply = await say(podium, request_)
        played = await podium.recent_executions()

    assert (reply["status"], reply["question"]) == ("no_match", None)
    assert played == []


async def test_beside_a_poor_guess_what_can_be_made_may_be_meant(workspace: Workspace) -> None:
    example = {"request": "read the file a.txt", "params": {"file": "a.txt"}}
    known = {"id": "known", "name": "Read a file", "intent_type": "known"}
    workspace.write("templates", {**READ, **known, "examples": [example]})

    async with workspace.open() as podium:
        asked = await say(podium, "the file")
        done = await say(podium, "2")

    assert asked["question"]["schema"]["enum"] == ["Read a file", "files.search_files (note)"]
    assert (done["status"], done["intent"]["matched_by"]) == ("success", "synthesis")


async def test_a_draft_that_fails_the_checker_gives_way_to_the_next(workspace: Workspace) -> None:
    async with workspace.open() as podium:
        reply = await say(podium, "wipe, or count a.txt")

    assert (reply["status"], reply["data"]["message"]) == ("success", FIVE)


async def test_an_intent_that_no_composition_answers_gets_one_with_what_was_said(
    workspace: Workspace,
) -> None:
    async with workspace.open() as podium:
        reply = await say(podium, "measure a.txt")
        await podium.learning.settled()
        again = await say(podium, "measure a.txt", "c2")

    assert reply["intent"]["type"] == "measure"
    assert (reply["intent"]["matched_by"], reply["data"]["message"]) == ("synthesis", FIVE)
    assert (again["intent"]["matched_by"], again["data"]["message"]) == ("pattern", FIVE)
    assert again["composition_id"] == reply["composition_id"]


async def test_a_planner_that_takes_too_long_is_left_behind(workspace: Workspace) -> None:
    workspace.planner.go.clear()
    try:
        async with workspace.open() as podium:
            with anyio.fail_after(20):
                late = await say(podium, "how long is a.txt")
                meanwhile = await say(podium, "how long is a.txt")
            read = await say(podium, "read a.txt")
            workspace.planner.go.set()
            with anyio.fail_after(20):
                while (then := await say(podium, "how long is a.txt"))["status"] == "no_match":
                    await anyio.lowlevel.checkpoint()
    finally:
        workspace.planner.go.set()

    assert (late["status"], meanwhile["status"]) == ("no_match", "no_match")
    assert len(workspace.planner.asked) == 2
    assert read["status"] == "success"
    assert then["data"]["message"] == FIVE


@pytest.mark.parametrize(
    ("options", "status"), [({"synthesis": False}, "no_match"), ({}, "success")]
)
async def test_it_can_be_switched_off(
    workspace: Workspace, options: dict[str, Any], status: str
) -> None:
    workspace.configure(**options)

    async with workspace.open() as podium:
        reply = await say(podium, "how long is a.txt")

    assert reply["status"] == status


async def test_it_comes_before_the_composition_for_everything_else(workspace: Workspace) -> None:
    generic = {
        "id": "generic",
        "intent_type": "generic",
        "steps": [{"id": "it", "transform": {"message": "'generic: ' & request"}}],
        "output": {"message": "it.message"},
    }
    workspace.write("templates", generic)

    async with workspace.open() as podium:
        made = await say(podium, "how long is a.txt")
        other = await say(podium, "tell me a joke")

    assert made["data"]["message"] == FIVE
    assert other["data"]["message"] == "generic: tell me a joke"


# --- what is kept


async def test_what_ran_well_is_a_file_on_trial_that_answers_the_next_time(
    workspace: Workspace,
) -> None:
    async with workspace.open() as podium:
        reply = await say(podium, "count the letters of a.txt")
        await podium.learning.settled()
        known = podium.get_compositions(limit=100)
        asked = len(workspace.planner.asked)
        again = await say(podium, "please count the letters of a.txt", "c2")
    (path,) = workspace.learning()
    document = json.loads(path.read_text("utf-8"))

    assert path.stem == document["id"] == reply["composition_id"]
    assert document["id"].startswith("file_size_")
    assert document["examples"] == [{"request": "count the letters of {file:file}"}]
    assert document["$comment"][0].startswith(
        "Made for the request 'count the letters of {file}', which"
    )
    assert document["$comment"][1:] == ["'how long' asks for the size"]
    assert document["id"] in {each["id"] for each in known}
    assert (again["intent"]["matched_by"], again["data"]["result"]) == (
        "heuristic",
        {"message": "5"},
    )
    assert again["data"]["message"] == FIVE
    assert len(workspace.planner.asked) == asked == 1


async def test_the_same_plan_made_twice_is_one_file_and_what_writes_is_asked_about_again(
    workspace: Workspace,
) -> None:
    async with workspace.open() as podium:
        await say(podium, "duplicate a.txt as b.txt")
        first = await say(podium, "yes")
        await podium.learning.settled()
        (workspace.documents / "b.txt").unlink()
        asked = await say(podium, "duplique le fichier a.txt sous le nom b.txt", "c2")
        before = workspace.text_of("b.txt")
        second = await say(podium, "oui", "c2")

    assert first["composition_id"] == second["composition_id"]
    assert asked["question"]["id"].startswith(CONFIRM)
    assert (asked["status"], before) == ("needs_input", None)
    assert len(workspace.learning()) == 1
    assert workspace.text_of("b.txt") == "five!"


async def test_nothing_is_kept_of_what_only_read_and_found_nothing(workspace: Workspace) -> None:
    (workspace.documents / "a.txt").write_text("", "utf-8")
    async with workspace.open() as podium:
        zero = await say(podium, "how long is a.txt")
        none = await say(podium, "the file", "c2")

    assert zero["data"]["result"] == {"message": "0"}
    assert none["data"]["result"]["found"]["matches"] == []
    assert workspace.learning() == []


async def test_nothing_is_kept_of_what_failed(workspace: Workspace) -> None:
    async with workspace.open() as podium:
        await say(podium, "duplicate welcome.txt as hello.txt")
        reply = await say(podium, "yes")

    assert reply["status"] == "error"
    assert workspace.learning() == []


async def test_with_learning_off_it_serves_and_keeps_nothing(workspace: Workspace) -> None:
    workspace.configure(learning_enabled=False)

    async with workspace.open() as podium:
        first = await say(podium, "how long is a.txt")
        again = await say(podium, "again")

    assert (first["data"]["message"], again["data"]["message"]) == (FIVE, FIVE)
    assert workspace.learning() == []


async def test_what_a_person_deleted_or_withdrew_is_not_proposed_as_new(
    workspace: Workspace,
) -> None:
    async with workspace.open() as podium:
        reply = await say(podium, "how long is a.txt")
        await podium.learning.settled()
        await podium.learning.command(reply["composition_id"], "demote")
        after = await say(podium, "how long is a.txt", "c2")

    assert after["status"] == "no_match"
    assert workspace.learning() == []


async def test_the_first_run_counts_and_a_bad_word_about_it_too(workspace: Workspace) -> None:
    async with workspace.open() as podium:
        reply = await say(podium, "how long is a.txt")
        await podium.learning.settled()
        good = await podium.learning.report(reply["composition_id"])
        said = await podium.give_feedback(reply["execution_id"], "bad", user_id="ana")
        bad = await podium.learning.report(reply["composition_id"])

    assert (good["evidence"]["successes"], good["evidence"]["failures"]) == (1, 0)
    assert said["verdict"] == "failure"
    assert (bad["evidence"]["successes"], bad["evidence"]["failures"]) == (0, 1)


async def test_a_no_counts_for_nothing_and_a_pin_needs_no_yes(workspace: Workspace) -> None:
    async with workspace.open() as podium:
        await say(podium, "duplicate a.txt as b.txt")
        done = await say(podium, "yes")
        composition = done["composition_id"]
        await podium.learning.settled()
        asked = await say(podium, "duplicate a.txt as b.txt", "c2")
        await say(podium, "no", "c2")
        report = await podium.learning.report(composition)
        await podium.learning.command(composition, "pin")
        pinned = await say(podium, "again")
        guessed = await say(podium, "duplique le fichier a.txt sous le nom b.txt", "c3")

    assert asked["intent"]["matched_by"] == "heuristic"
    assert asked["question"]["id"].startswith(CONFIRM)
    assert (report["evidence"]["successes"], report["evidence"]["failures"]) == (1, 0)
    assert pinned["status"] == "success"
    assert (guessed["intent"]["matched_by"], guessed["status"]) == ("synthesis", "needs_input")


# --- what was served before


async def test_what_served_before_is_told_to_the_sketcher_once(workspace: Workspace) -> None:
    async with workspace.open() as podium:
        for name in ("list_directory", "read_file"):
            arguments = {"file_path": "a.txt"} if name == "read_file" else {}
            await podium.call_tool(
                "files", name, arguments, conversation_id="c9", request="show me what is there"
            )
        await say(podium, "read a.txt")
        await say(podium, "tell me a joke")
        await say(podium, "tell me another joke")

    told = {(plan.text, plan.tools) for plan in workspace.sketcher.learnt}
    assert told == {
        ("show me what is there", ("files.list_directory", "files.read_file")),
        ("read a.txt", ("files.read_file",)),
    }
    assert len(workspace.sketcher.learnt) == 2


@pytest.mark.parametrize(
    ("example", "request_", "params"),
    [
        (
            "reveal the {count:number} newest lines of {file:file}",
            "please reveal the 7 newest lines of b.txt",
            {"count": 7, "file": "b.txt"},
        ),
        (
            "montre les dernières lignes de {file:file}",
            "montre-moi les dernières lignes de b.txt",
            {"file": "b.txt"},
        ),
        (
            "reveal lines by {file:email} only",
            "reveal lines by ana@x.org only please",
            {"file": "ana@x.org"},
        ),
    ],
)
async def test_an_example_with_open_places_teaches_where_values_stand(
    workspace: Workspace, example: str, request_: str, params: dict[str, Any]
) -> None:
    count = {"type": "integer"}
    schema = {**READ["input_schema"], "properties": {"file": {"type": "string"}, "count": count}}
    known = {"id": "tail", "intent_type": "tail", "input_schema": schema}
    workspace.write("templates", {**READ, **known, "examples": [{"request": example}]})

    async with workspace.open() as podium:
        intent = podium.analyse(request_).intent

    assert intent is not None
    assert (intent.type, intent.matched_by, intent.params) == ("tail", "heuristic", params)
