"""Through the orchestrator: slots take what tools list, and edited patterns count at once."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from podium.compositions.checker import Checker
from podium.compositions.library import load_compositions
from podium.domain.limits import Limits
from podium.execution.runner import Runner, RunnerSettings
from podium.intents.live import LOOK_SECONDS, LivePatterns
from podium.intents.matcher import Matcher
from podium.intents.runtime_lists import RuntimeLists
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
)

pytestmark = pytest.mark.anyio
COMPOSITION = {
    "id": "switch",
    "name": "Switch",
    "description": "",
    "intent_type": "switch",
    "steps": [{"id": "go", "server_id": "git", "tool_id": "go", "input_mapping": {"to": "branch"}}],
}


class World:
    """An orchestrator over fakes, whose only pattern switches to a branch that git lists."""

    def __init__(self, folder: Path) -> None:
        self.patterns = folder / "patterns"
        self.patterns.mkdir()
        self.write("switch to {branch}")
        templates = folder / "compositions" / "templates"
        templates.mkdir(parents=True)
        (templates / "switch.json").write_text(json.dumps(COMPOSITION), encoding="utf-8")
        self.clock, self.upstreams, limits = FakeClock(), FakeUpstreams(), Limits()
        self.upstreams.add("git.branches", self._branches)
        self.upstreams.add("git.go", self._go)
        transformers, journal = Transformers(), MemoryJournal()
        evaluator = Evaluator(transformers, clock=self.clock, limits=limits)
        lists = RuntimeLists(self.upstreams, evaluator, self.clock)
        self.orchestrator = Orchestrator(
            Stages(
                matcher=LivePatterns.of(
                    self.patterns,
                    lambda library: Matcher(library, limits=limits, lists=lists),
                    self.clock.monotonic,
                ),
                lists=lists,
                compositions=load_compositions(folder / "compositions"),
                checker=Checker(max_steps=10),
                runner=Runner(
                    upstreams=self.upstreams,
                    evaluator=evaluator,
                    journal=journal,
                    clock=self.clock,
                    limits=limits,
                    settings=RunnerSettings(),
                ),
                upstreams=self.upstreams,
                relay=FakeRelay(),
                journal=journal,
                checkpoints=MemoryCheckpoints(),
                conversations=MemoryConversations(self.clock),
                transformers=transformers,
                clock=self.clock,
                ids=SequentialIds(),
                limits=limits,
                default_intent_type="generic",
            )
        )

    def write(self, sentence: str) -> None:
        slots = {"branch": {"from_tool": "git.branches", "value": "all.name"}}
        pattern = {"name": "switch", "sentences": sentence, "slots": slots}
        path = self.patterns / "git.json"
        path.write_text(json.dumps({"patterns": [pattern]}), encoding="utf-8")
        os.utime(path, ns=(len(sentence), len(sentence)))

    async def _branches(self, _: dict[str, Any]) -> Any:
        return {"all": [{"name": "main"}, {"name": "fix/Été"}]}

    async def _go(self, arguments: dict[str, Any]) -> Any:
        return {"now": arguments["to"]}

    async def ask(self, text: str) -> Any:
        self.clock.time += LOOK_SECONDS
        reply = await self.orchestrator.process_request(text)
        return reply["data"]["result"]["go"] if reply["status"] == "success" else reply["status"]


async def test_a_slot_of_a_request_takes_what_a_tool_lists(tmp_path: Path) -> None:
    world = World(tmp_path)

    answers = [await world.ask(f"please switch to {name}") for name in ("Fix/ete", "nowhere")]

    assert answers == [{"now": "fix/Été"}, "no_match"]
    assert [name for name, _ in world.upstreams.calls].count("git.branches") == 1


async def test_an_edited_pattern_counts_at_the_next_request(tmp_path: Path) -> None:
    world = World(tmp_path)
    before = await world.ask("check out main")
    world.write("(switch to|check out) {branch}")

    assert (before, await world.ask("check out main")) == ("no_match", {"now": "main"})


async def test_a_file_that_becomes_bad_serves_on_and_is_named_until_it_is_mended(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    world.write("switch ((( to {branch}")
    answer = await world.ask("switch to main")
    (fault,) = world.orchestrator.faults
    world.write("switch over to {branch}")

    assert answer == {"now": "main"}
    assert "git.json:1" in fault.message
    assert await world.ask("switch over to main") == {"now": "main"}
    assert world.orchestrator.faults == ()


async def test_an_empty_request_asks_no_tool(tmp_path: Path) -> None:
    world = World(tmp_path)

    assert await world.ask("  ") == "error"
    assert world.upstreams.calls == []
