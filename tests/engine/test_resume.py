"""Executions that failed or ask something are played on; no work is done twice."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from podium.domain.errors import UpstreamClosedError
from podium.domain.tool import ToolResult
from tests.engine.test_orchestrator import World

pytestmark = pytest.mark.anyio


def step(id_: str, tool: str, **more: Any) -> dict[str, Any]:
    return {"id": id_, "server_id": "s", "tool_id": tool, **more}


COPY = {
    "id": "copy",
    "input_schema": {
        "type": "object",
        "properties": {"from": {"type": "string"}, "to": {"type": "string"}},
        "required": ["from", "to"],
    },
    "steps": [
        step("read", "read", input_mapping={"path": "`from`"}),
        step("write", "write", input_mapping={"path": "to", "text": "read.text"}),
    ],
    "output": {"message": "'copied ' & read.text & ' to ' & write.path"},
}
REMOVE = {
    "id": "remove",
    "steps": [
        step("look", "read", input_mapping={"path": "path"}),
        {"id": "sure", "ask": "'Remove ' & path & '?'", "kind": "confirm"},
        step("gone", "write", when="sure", input_mapping={"path": "path"}),
    ],
    "output": {"message": "$exists(gone) ? 'removed ' & gone.path : 'kept'"},
}


@pytest.fixture
def world(tmp_path: Path) -> "Scene":
    return Scene(tmp_path)


class Scene(World):
    """A world whose `write` fails as often as a test says."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, [COPY, REMOVE])
        self.failures: list[Callable[[], ToolResult]] = []

        async def read(arguments: dict[str, Any]) -> Any:
            return {"text": arguments["path"].upper()}

        async def write(arguments: dict[str, Any]) -> Any:
            await anyio.lowlevel.checkpoint()
            return self.failures.pop(0)() if self.failures else {"path": arguments["path"]}

        self.upstreams.add("s.read", read, effects="read")
        self.upstreams.add("s.write", write, effects="write")

    async def copy(self, **more: Any) -> dict[str, Any]:
        return await self.orchestrator.execute_composition("copy", {"from": "a", "to": "b"}, **more)

    async def resume(self, reply: dict[str, Any], params: Any = None, **more: Any) -> Any:
        return await self.orchestrator.resume_execution(reply["execution_id"], params, **more)

    def called(self) -> list[str]:
        return [name for name, _ in self.upstreams.calls]


def full() -> ToolResult:
    return ToolResult(({"type": "text", "text": "the disk is full"},), is_error=True)


def lost() -> ToolResult:
    raise UpstreamClosedError("it went away", sent=True)


async def test_a_failed_execution_says_what_it_has_and_plays_on_from_there(world: Scene) -> None:
    world.failures = [full]
    failed = await world.copy()
    resumed = await world.resume(failed)

    assert failed["status"] == "error"
    assert failed["error"]["code"] == "tool_failed"
    assert failed["data"]["result"] == {"read": {"text": "A"}}
    assert failed["execution_info"]["resumable"]
    assert f"podium resume {failed['execution_id']}" in failed["data"]["message"]
    assert resumed["status"] == "success"
    assert resumed["data"]["message"] == "copied A to b"
    assert resumed["execution_id"] == failed["execution_id"]
    assert world.called() == ["s.read", "s.write", "s.write"]


async def test_a_param_that_only_the_failed_step_reads_may_change(world: Scene) -> None:
    world.failures = [full]
    failed = await world.copy()

    resumed = await world.resume(failed, {"to": "c"})

    assert resumed["data"]["message"] == "copied A to c"


async def test_a_param_that_a_finished_step_has_read_may_not_and_nothing_is_lost(
    world: Scene,
) -> None:
    world.failures = [full]
    failed = await world.copy()

    refused = await world.resume(failed, {"from": "z"})
    resumed = await world.resume(failed, {"from": "a"})

    assert refused["error"]["code"] == "resume_conflict"
    assert "from" in refused["error"]["message"]
    assert resumed["status"] == "success"


async def test_a_param_of_the_wrong_type_is_refused_and_nothing_is_lost(world: Scene) -> None:
    world.failures = [full]
    failed = await world.copy()

    refused = await world.resume(failed, {"to": ["no", "path"]})

    assert refused["error"]["code"] == "invalid_params"
    assert (await world.resume(failed))["status"] == "success"


async def test_one_that_fails_again_can_be_played_on_again(world: Scene) -> None:
    world.failures = [full, full]
    failed = await world.copy()
    again = await world.resume(failed)

    assert again["status"] == "error"
    assert again["execution_info"]["resumable"]
    assert (await world.resume(again))["status"] == "success"
    assert world.called().count("s.read") == 1


async def test_a_write_in_doubt_is_not_repeated_without_a_word(world: Scene) -> None:
    world.failures = [lost]
    failed = await world.copy()

    asked = await world.resume(failed)
    skipped = await world.resume(asked, {asked["question"]["id"]: "skip"})

    assert failed["execution_info"]["in_doubt"] == ["write"]
    assert asked["status"] == "needs_input"
    assert asked["question"]["kind"] == "choice"
    assert skipped["status"] == "success"
    assert world.called().count("s.write") == 1


async def test_a_write_in_doubt_is_repeated_if_the_person_says_so(world: Scene) -> None:
    world.failures = [lost]
    failed = await world.copy()
    asked = await world.resume(failed)

    repeated = await world.resume(asked, {"write": "repeat"})

    assert repeated["data"]["message"] == "copied A to b"
    assert world.called().count("s.write") == 2


async def test_a_question_waits_for_its_answer(world: Scene) -> None:
    asked = await world.orchestrator.execute_composition("remove", {"path": "x"})
    done = await world.resume(asked, {"sure": "oui"})

    assert asked["status"] == "needs_input"
    assert asked["data"]["message"] == "Remove x?"
    assert asked["question"]["id"] == "sure"
    assert asked["execution_info"]["steps"]["sure"]["status"] == "waiting"
    assert done["data"]["message"] == "removed x"
    assert world.called() == ["s.read", "s.write"]


async def test_no_is_an_answer_too(world: Scene) -> None:
    asked = await world.orchestrator.execute_composition("remove", {"path": "x"})

    assert (await world.resume(asked, {"sure": False}))["data"]["message"] == "kept"


async def test_an_answer_that_does_not_fit_is_refused_and_the_question_stays(world: Scene) -> None:
    asked = await world.orchestrator.execute_composition("remove", {"path": "x"})

    refused = await world.resume(asked, {"sure": "perhaps"})

    assert refused["status"] in ("error", "needs_input")
    assert "sure" in str(refused["error"] or refused["question"])
    assert (await world.resume(asked, {"sure": "yes"}))["data"]["message"] == "removed x"


async def test_whoever_is_there_to_be_asked_answers_at_once(world: Scene) -> None:
    asked = []

    async def answer(question: Any) -> Any:
        asked.append(question.message)
        return True

    done = await world.orchestrator.execute_composition("remove", {"path": "x"}, asker=answer)

    assert done["data"]["message"] == "removed x"
    assert asked == ["Remove x?"]


async def test_only_one_of_two_plays_it_on(world: Scene) -> None:
    world.failures = [full]
    failed = await world.copy()
    replies: list[dict[str, Any]] = []

    async def resume() -> None:
        replies.append(await world.resume(failed))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(resume)
        tasks.start_soon(resume)

    assert sorted(reply["status"] for reply in replies) == ["error", "success"]
    assert world.called().count("s.write") == 2  # the one that failed, and one more


async def test_what_was_written_and_what_is_in_doubt_is_told_of_rounds_too(world: Scene) -> None:
    each = {"id": "each", "undo": True, "steps": [
        step("one", "write", arguments={"path": "0"}, undo={"server_id": "s", "tool_id": "read",
             "arguments": {"path": "0"}}, effects="write"),
        {"id": "all", "iterations": "['a', 'b', 'c']", "depends_on": ["one"], "concurrency": 1,
         "steps": [step("put", "write", input_mapping={"path": "$item"})]},
    ]}  # fmt: skip
    world.failures = [lambda: ToolResult(({"type": "text", "text": "0"},))] * 2 + [lost]

    failed = await world.orchestrator.execute_composition(each)

    assert failed["execution_info"]["wrote"] == ["all[0].put"]  # `one` was undone
    assert failed["execution_info"]["in_doubt"] == ["all", "all[1].put"]


async def test_somebody_elses_execution_does_not_exist(world: Scene) -> None:
    world.failures = [full]
    failed = await world.copy(user_id="ana")

    refused = await world.resume(failed, user_id="bob")

    assert refused["error"]["code"] == "unknown_execution"
    assert (await world.resume(failed, user_id="ana"))["status"] == "success"


async def test_one_that_ended_well_or_never_was_is_said_to_be_so(world: Scene) -> None:
    done = await world.copy()

    over = await world.resume(done)
    never = await world.orchestrator.resume_execution("exec_none")

    assert over["error"]["code"] == "not_resumable"
    assert "ended well" in over["error"]["message"]
    assert never["error"]["code"] == "unknown_execution"
