"""The orchestrator over fakes of its ports: requests in, replies out, whatever goes wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from podium.compositions.checker import Checker
from podium.compositions.library import load_compositions
from podium.domain.errors import (
    InternalError,
    InvalidParamsError,
    UpstreamClosedError,
    UpstreamTimeoutError,
)
from podium.domain.execution import Event
from podium.domain.limits import Limits
from podium.execution.runner import Runner, RunnerSettings
from podium.intents.library import load_patterns
from podium.intents.matcher import Matcher
from podium.mapping.expressions import Evaluator
from podium.mapping.transformers import Transformers
from podium.orchestrator import Orchestrator
from podium.stages import Stages
from podium.testing import (
    FakeClock,
    FakeRelay,
    FakeUpstreams,
    MemoryCheckpoints,
    MemoryConversations,
    MemoryJournal,
    SequentialIds,
    Watcher,
)

pytestmark = pytest.mark.anyio

PATTERNS = {
    "patterns": [
        {"name": "say", "regex": "^(?:dis|say) (?P<words>.+)$", "language": "fr"},
        {"name": "orphan", "regex": "^orphan$"},
    ]
}
SAY = {
    "id": "say",
    "intent_type": "say",
    "input_schema": {"type": "object", "properties": {"words": {"type": "string"}}},
    "steps": [{"id": "echo", "server_id": "s", "tool_id": "echo", "input_mapping": {"x": "words"}}],
    "output": {"message": "echo.x", "language": "context.language", "room": "context.room"},
}
ANYTHING = {
    "id": "anything",
    "intent_type": "generic",
    "steps": [
        {"id": "echo", "server_id": "s", "tool_id": "echo", "input_mapping": {"x": "request"}}
    ],
    "output": {"message": "'generic: ' & echo.x"},
}


class World:
    """An orchestrator and the fakes behind it."""

    def __init__(
        self,
        folder: Path,
        compositions: list[dict[str, Any]],
        journal: MemoryJournal | None = None,
        checkpoints: MemoryCheckpoints | None = None,
    ) -> None:
        patterns, templates = folder / "patterns", folder / "compositions" / "templates"
        patterns.mkdir()
        templates.mkdir(parents=True)
        (patterns / "all.json").write_text(json.dumps(PATTERNS))
        for composition in compositions:
            (templates / f"{composition['id']}.json").write_text(json.dumps(composition))
        self.upstreams, self.clock = FakeUpstreams(), FakeClock()
        self.journal, self.relay = journal or MemoryJournal(), FakeRelay()
        self.upstreams.add("s.echo", echo)
        self.upstreams.add("s.slow", hang)
        self.upstreams.add("s.pen", hang, effects="write")
        transformers, limits = Transformers(), Limits()
        library = load_compositions(folder / "compositions")
        self.checkpoints = checkpoints or MemoryCheckpoints()
        self.orchestrator = Orchestrator(
            Stages(
                matcher=Matcher(load_patterns(patterns), limits=limits),
                compositions=library,
                checker=Checker(max_steps=10),
                runner=Runner(
                    upstreams=self.upstreams,
                    evaluator=Evaluator(transformers, clock=self.clock, limits=limits),
                    journal=self.journal,
                    checkpoints=self.checkpoints,
                    clock=self.clock,
                    limits=limits,
                    settings=RunnerSettings(),
                ),
                upstreams=self.upstreams,
                relay=self.relay,
                journal=self.journal,
                conversations=MemoryConversations(self.clock),
                checkpoints=self.checkpoints,
                transformers=transformers,
                clock=self.clock,
                ids=SequentialIds(),
                limits=limits,
                default_intent_type="generic",
            )
        )

    async def reply(self, tool: str, **options: Any) -> dict[str, Any]:
        """Play a one-step composition over a tool."""
        return await self.orchestrator.execute_composition(one_step(tool), **options)


class Nobody:
    """A client that is asked nothing and told nothing."""

    session, capabilities, is_modern, log_level, home, principal = "", {}, True, None, None, ""

    async def ask(self, *_: Any) -> dict[str, Any]:
        raise AssertionError("nobody was to be asked")

    async def tell(self, *_: Any) -> None:
        raise AssertionError("nobody was to be told")


async def echo(arguments: dict[str, Any]) -> Any:
    return arguments


async def hang(_: dict[str, Any]) -> Any:
    await anyio.sleep_forever()


def one_step(tool: str) -> dict[str, Any]:
    return {"id": "adhoc", "steps": [{"id": "it", "server_id": "s", "tool_id": tool}]}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, [SAY])


async def test_a_request_is_answered_in_full(world: World) -> None:
    reply = await world.orchestrator.process_request("dis bonjour", "ana", context={"room": "r1"})

    assert reply == {
        "status": "success",
        "data": {
            "message": "bonjour",
            "result": {"message": "bonjour", "language": "fr", "room": "r1"},
            "files": [],
        },
        "intent": {
            "type": "say",
            "params": {"words": "bonjour"},
            "confidence": 1.0,
            "matched_by": "pattern",
            "language": "fr",
        },
        "composition_id": "say",
        "execution_id": "exec_2",
        "conversation_id": "conv_1",
        "execution_info": {
            "duration_ms": 0.0,
            "steps": {"echo": {"status": "done", "attempts": 1, "duration_ms": 0.0, "error": None}},
            "wrote": [],
            "in_doubt": [],
            "went_without": [],
            "resumable": False,
        },
        "error": None,
        "question": None,
    }


async def test_what_nothing_matches_goes_to_the_default_composition_if_there_is_one(
    tmp_path: Path,
) -> None:
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()
    served = World(tmp_path / "with", [SAY, ANYTHING]).orchestrator
    bare = World(tmp_path / "without", [SAY]).orchestrator

    answered = await served.process_request("quelque chose")
    refused = await bare.process_request("raconte-moi une histoire")

    assert answered["data"]["message"] == "generic: quelque chose"
    assert answered["intent"]["matched_by"] == "default"
    assert (refused["status"], refused["error"]) == ("no_match", None)
    assert refused["data"]["message"].startswith("Je n'ai pas compris")


async def test_an_intent_without_a_composition_says_so(world: World) -> None:
    reply = await world.orchestrator.process_request("orphan")

    assert (reply["status"], reply["error"]["code"]) == ("error", "unknown_composition")
    assert "orphan" in reply["error"]["message"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"request": ""}, "request_invalid"),
        ({"request": " \n"}, "request_invalid"),
        ({"request": None}, "request_invalid"),
        ({"request": 5}, "request_invalid"),
        ({"request": b"x"}, "request_invalid"),
        ({"request": "x" * 100_000}, "request_too_large"),
        ({"request": "dis x", "context": "abc"}, "invalid_params"),
        ({"request": "dis x", "context": {"a": object()}}, "invalid_params"),
        ({"request": "dis x", "user_id": 5}, "request_invalid"),
        ({"request": "dis x", "conversation_id": 7}, "request_invalid"),
    ],
)
async def test_a_request_that_cannot_be_read_is_an_error_reply(
    world: World, arguments: dict[str, Any], code: str
) -> None:
    reply = await world.orchestrator.process_request(**arguments)

    assert (reply["status"], reply["error"]["code"]) == ("error", code)
    assert reply["conversation_id"]


@pytest.mark.parametrize(
    ("composition", "params", "code"),
    [
        ("nope", {}, "unknown_composition"),
        (None, {}, "composition_invalid"),
        ([1], {}, "composition_invalid"),
        ({}, {}, "composition_invalid"),
        ({"id": "x", "steps": []}, {}, "composition_invalid"),
        ({"id": "x", "steps": [{"id": object()}]}, {}, "composition_invalid"),
        ("say", [1], "invalid_params"),
        ("say", "abc", "invalid_params"),
        ("say", {1: 2}, "invalid_params"),
        ("say", {"words": {1, 2}}, "invalid_params"),
        ("say", {"words": float("nan")}, "invalid_params"),
        ("say", {"word": "x"}, "invalid_params"),
        ("say", {"words": 3.5, "x": 1}, "invalid_params"),
    ],
)
async def test_what_cannot_be_played_is_an_error_reply(
    world: World, composition: Any, params: Any, code: str
) -> None:
    reply = await world.orchestrator.execute_composition(composition, params)

    assert (reply["status"], reply["error"]["code"]) == ("error", code)


async def test_a_result_nested_beyond_reason_is_text_and_the_reply_stands(world: World) -> None:
    async def deep(_: dict[str, Any]) -> Any:
        value: Any = 1
        for _ in range(3000):
            value = [value]
        return value

    world.upstreams.add("s.deep", deep)

    reply = await world.reply("deep")

    assert (reply["status"], reply["data"]["result"]) == ("success", {"it": {"text": ""}})


async def cancelled_during(world: World, play: Callable[[], Any]) -> None:
    """Cancel an execution once its call is out."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(play)
        with anyio.fail_after(5):
            while not world.upstreams.running:
                await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(("tool", "step"), [("slow", "cancelled"), ("pen", "in_doubt")])
async def test_a_cancelled_execution_is_closed_in_the_journal(
    world: World, tool: str, step: str
) -> None:
    await cancelled_during(world, lambda: world.reply(tool))

    (execution,) = await world.journal.recent(5)
    assert (execution.status, execution.steps["it"].status) == ("cancelled", step)
    assert world.upstreams.running == 0


@pytest.mark.parametrize(("tool", "step"), [("slow", "cancelled"), ("pen", "in_doubt")])
async def test_a_cancelled_direct_call_is_closed_in_the_journal(
    world: World, tool: str, step: str
) -> None:
    await cancelled_during(world, lambda: world.orchestrator.call_tool("s", tool))

    (execution,) = await world.journal.recent(5)
    assert (execution.status, execution.steps["call"].status) == ("cancelled", step)


async def test_a_cancel_before_the_first_step_is_closed_too(world: World) -> None:
    async def block(_: Event) -> None:
        blocked.set()
        await anyio.sleep_forever()

    blocked = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: world.reply("echo", on_event=block))
        await blocked.wait()
        tasks.cancel_scope.cancel()

    (execution,) = await world.journal.recent(5)
    assert (execution.status, execution.steps["it"].status) == ("cancelled", "cancelled")


async def test_a_listener_that_blocks_or_raises_changes_nothing(world: World) -> None:
    async def block(_: Event) -> None:
        await anyio.sleep_forever()

    async def explode(_: Event) -> None:
        raise RuntimeError("listener")

    with anyio.fail_after(10):
        blocked = await world.reply("echo", on_event=block)
        exploded = await world.reply("echo", on_event=explode)

    assert (blocked["status"], exploded["status"]) == ("success", "success")


async def test_a_watcher_hears_every_step_and_what_upstreams_report(world: World) -> None:
    watcher = Watcher()
    world.upstreams.progress["s.echo"] = [(1, 2, None), (2, 2, "\x1b[31mhalf\x1b[0m way")]

    await world.reply("echo", on_event=watcher)

    assert [(e.kind, e.status, e.message, e.done, e.total) for e in watcher.events] == [
        ("execution_started", "running", "", 0, 1),
        ("step_started", "running", "", 0, 1),
        ("step_progress", "running", "1/2", 0, 1),
        ("step_progress", "running", "half way", 0, 1),
        ("step_finished", "done", "", 1, 1),
        ("execution_finished", "success", "", 1, 1),
    ]


class BrokenJournal(MemoryJournal):
    """A disk that is full."""

    async def record_execution(self, *_: Any) -> None:
        raise OSError("disk full")

    async def record_step(self, *_: Any, durable: bool = False) -> None:
        raise OSError("disk full" if durable else "disk full, lazily")


async def test_history_that_cannot_be_written_costs_no_read(tmp_path: Path) -> None:
    world = World(tmp_path, [], BrokenJournal())

    read = await world.reply("echo")
    write = await world.reply("pen")

    assert read["status"] == "success"
    # Nothing is changed in the world unless the intent is on disk.
    assert (write["status"], world.upstreams.calls) == ("error", [("s.echo", {})])


async def test_a_direct_call_gives_the_tools_result_and_is_journalled(world: World) -> None:
    result = await world.orchestrator.call_tool(
        "s", "echo", {"x": 1}, user_id="ana", conversation_id="c1", request="say it"
    )

    (execution,) = await world.journal.recent(5)
    assert result.value() == {"x": 1}
    assert (execution.status, execution.user_id, execution.request) == ("success", "ana", "say it")
    assert (execution.steps["call"].inputs, execution.steps["call"].output) == ({"x": 1}, {"x": 1})


async def test_a_direct_call_ends_in_time_and_leaves_a_write_in_doubt(world: World) -> None:
    with pytest.raises(UpstreamTimeoutError):
        await world.orchestrator.call_tool("s", "pen", timeout_seconds=0.01)

    (execution,) = await world.journal.recent(5)
    assert (execution.status, execution.steps["call"].status) == ("error", "in_doubt")


async def test_a_direct_call_never_raises_anything_but_podiums_errors(world: World) -> None:
    async def crash(_: dict[str, Any]) -> Any:
        raise RuntimeError("oh")

    world.upstreams.add("s.crash", crash)

    with pytest.raises(InternalError, match="RuntimeError: oh"):
        await world.orchestrator.call_tool("s", "crash")
    with pytest.raises(InvalidParamsError):
        await world.orchestrator.call_tool("s", "echo", {"x": object()})


async def test_a_passed_on_write_is_on_disk_before_it_is_sent(world: World) -> None:
    pen = await world.upstreams.tool("s", "pen")
    answer = {"content": [{"type": "text", "text": "ok"}], "vendor": 1}
    world.relay.answers["s", "tools/call"] = answer

    result = await world.orchestrator.pass_on(pen, {"name": "s__pen", "arguments": {}}, Nobody())

    (execution,) = await world.journal.recent(5)
    assert result == answer
    assert world.relay.requests == [("s", "tools/call", {"name": "pen", "arguments": {}})]
    assert world.journal.durable == ["call"]
    assert (execution.status, execution.steps["call"].status) == ("success", "done")


async def test_a_passed_on_write_whose_upstream_went_away_is_in_doubt(world: World) -> None:
    pen = await world.upstreams.tool("s", "pen")
    world.relay.errors["s", "tools/call"] = UpstreamClosedError("gone")

    with pytest.raises(UpstreamClosedError):
        await world.orchestrator.pass_on(pen, {"name": "s__pen"}, Nobody())

    (execution,) = await world.journal.recent(5)
    assert (execution.status, execution.steps["call"].status) == ("error", "in_doubt")


async def test_a_transformer_registered_after_opening_is_used_and_may_replace_a_built_in(
    world: World,
) -> None:
    composition = {**one_step("echo"), "output": "$shout($extract_first(['a', 'b']))"}
    world.orchestrator.data_transformer.converters["shout"] = lambda text: text.upper() + "!"
    world.orchestrator.data_transformer.converters["extract_first"] = lambda items: items[1]

    reply = await world.orchestrator.execute_composition(composition)

    assert reply["data"]["result"] == "B!"


async def test_many_executions_at_once_do_not_mix(world: World) -> None:
    replies: dict[int, dict[str, Any]] = {}

    async def ask(number: int) -> None:
        replies[number] = await world.orchestrator.process_request(f"dis {number}")

    async with anyio.create_task_group() as tasks:
        for number in range(200):
            tasks.start_soon(ask, number)

    assert {n: reply["data"]["message"] for n, reply in replies.items()} == {
        n: str(n) for n in range(200)
    }
    assert len({reply["execution_id"] for reply in replies.values()}) == 200
