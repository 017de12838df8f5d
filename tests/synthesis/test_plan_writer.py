"""Where Podium makes nothing that is good enough, a model writes a plan; a person decides."""

import json
from typing import Any

import pytest

from podium import Orchestrator
from podium.caution import SURE
from podium.compositions.synthesizer.written import CONFIDENCE
from podium.domain.errors import UpstreamUnavailableError
from podium.domain.execution import CONFIRM
from podium.testing import FakePlanWriter
from tests.synthesis.workspaces import Workspace

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

FILE = {"type": "string", "value": "a.txt"}


def plan(*steps: dict[str, Any], **params: Any) -> str:
    return json.dumps({"steps": steps, "params": params})


def call(tool_id: str, **mapping: str) -> dict[str, Any]:
    return {"id": "it", "server_id": "files", "tool_id": tool_id, "input_mapping": mapping}


READS = plan(call("read_file", file_path="file"), file=FILE)
WRITES = plan(
    call("write_file", file_path="file", text="words"),
    file={"type": "string", "value": "b.txt"},
    words={"type": "string", "value": "ho"},
)
ASKS = plan(call("read_file", file_path="file"), file={"type": "string"})
WRONG = plan(call("read_file", file_path="nobody_said"))
SHOWN = """\
I have no ready answer to this, but I could do it like this:
1. files.read_file (only reads)
   file_path = "a.txt"
Guessed from your words (50 % sure):
- a model wrote the plan; it passed every check at once
Shall I? (yes or no)"""


async def say(podium: Orchestrator, text: str, conversation: str = "c1") -> dict[str, Any]:
    return await podium.process_request(text, "ana", conversation)


async def test_even_what_only_reads_is_played_after_a_yes_and_then_kept(
    workspace: Workspace,
) -> None:
    writer = FakePlanWriter(READS)
    async with workspace.open(writer) as podium:
        asked = await say(podium, "recite a.txt aloud")
        kept_before = workspace.learning()
        done = await say(podium, "yes")
        await podium.learning.settled()
    (path,) = workspace.learning()

    assert (asked["status"], asked["data"]["message"]) == ("needs_input", SHOWN)
    assert kept_before == []
    assert (done["status"], done["data"]["result"]["it"]["text"]) == ("success", "five!")
    assert path.stem == done["composition_id"]
    assert path.stem.startswith("read_file_")
    assert "a.txt" not in path.read_text("utf-8")
    assert CONFIDENCE < SURE


async def test_what_writes_is_done_after_a_yes_in_another_process_without_the_model(
    workspace: Workspace,
) -> None:
    async with workspace.open(FakePlanWriter(WRITES)) as podium:
        asked = await say(podium, "consigne-moi ça quelque part, s'il te plaît")
    before = workspace.text_of("b.txt")
    async with workspace.open() as podium:
        done = await say(podium, "oui")

    assert asked["question"]["id"].startswith(CONFIRM)
    assert "- un modèle a écrit le plan" in asked["data"]["message"]
    assert before is None
    assert (done["status"], workspace.text_of("b.txt")) == ("success", "ho")


async def test_a_repaired_plan_is_shown_as_well_and_what_it_lacks_is_asked_for(
    workspace: Workspace,
) -> None:
    async with workspace.open(FakePlanWriter(WRONG, ASKS)) as podium:
        param = await say(podium, "recite it aloud")
        asked = await say(podium, "a.txt")
        done = await say(podium, "yes")

    assert param["question"]["kind"] == "param"
    assert "25 % sure" in asked["data"]["message"]
    assert (done["status"], done["data"]["result"]["it"]["text"]) == ("success", "five!")


async def test_it_is_asked_only_where_nothing_else_is_good_enough(workspace: Workspace) -> None:
    writer = FakePlanWriter("I would rather not.")
    async with workspace.open(writer) as podium:
        for request in ("read a.txt", "how long is a.txt", "duplicate a.txt as b.txt", "no"):
            await say(podium, request)
        unasked = len(writer.tasks)
        poor = await say(podium, "something with a.txt", "c2")

    assert unasked == 0
    assert poor["status"] == "no_match"
    shown = json.loads(writer.tasks[0].material)
    assert shown["request"] == "something with a.txt"
    assert [draft["params"] for draft in shown["drafts"]] == [{"file": "a.txt"}]


async def test_an_intent_that_nothing_answers_gets_its_plan(workspace: Workspace) -> None:
    async with workspace.open(FakePlanWriter(READS)) as podium:
        asked = await say(podium, "measure c.txt")

    assert (asked["status"], asked["intent"]["type"]) == ("needs_input", "measure")
    assert asked["intent"]["params"] == {"file": "c.txt"}


@pytest.mark.parametrize(
    "answer",
    [RuntimeError("as it should"), UpstreamUnavailableError("it is gone"), "no", WRONG, None],
    ids=["a bug", "gone", "garbage", "never right", "no text"],
)
async def test_a_model_that_fails_is_as_if_there_was_none(
    workspace: Workspace, answer: Any
) -> None:
    async with workspace.open(FakePlanWriter(answer)) as podium:
        reply = await say(podium, "recite a.txt aloud")

    assert (reply["status"], reply["error"]) == ("no_match", None)


async def test_it_is_not_shown_what_others_asked(workspace: Workspace) -> None:
    writer = FakePlanWriter("no")
    async with workspace.open(writer) as podium:
        await podium.call_tool(
            "files",
            "read_file",
            {"file_path": "a.txt"},
            user_id="bob",
            conversation_id="c9",
            request="recite the letter to Zoe",
        )
        workspace.sketcher.recalls_all = True
        await say(podium, "recite a.txt aloud")

    shown = json.loads(writer.tasks[0].material)
    assert shown["past"] == [{"tools": ["files.read_file"], "likeness": 0.9}]
    assert "Zoe" not in writer.tasks[0].material
