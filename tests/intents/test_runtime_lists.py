"""Slots take what a tool lists at that time; a tool that fails harms no request."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from podium.domain.errors import ToolFailedError
from podium.domain.limits import Limits
from podium.domain.tool import ToolResult
from podium.intents.library import PatternLibrary
from podium.intents.matcher import Matcher
from podium.intents.runtime_lists import RETRY_SECONDS, RuntimeLists
from podium.mapping.expressions import Evaluator
from podium.mapping.transformers import Transformers
from podium.testing import FakeClock, FakeUpstreams

pytestmark = pytest.mark.anyio
Load = Callable[..., PatternLibrary]


class World:
    """A matcher over one pattern whose slot takes the branches that `git.branches` lists."""

    def __init__(self, load: Load, *, fetch_seconds: float = 5, **slot: Any) -> None:
        self.clock, self.upstreams = FakeClock(), FakeUpstreams()
        self.answer: Any = ["main", "feature/Été-2", {"in": "trunk", "out": "main"}]
        self.upstreams.add("git.branches", self._branches)
        evaluator = Evaluator(Transformers(), clock=self.clock, limits=Limits())
        self.lists = RuntimeLists(
            self.upstreams, evaluator, self.clock, fetch_seconds=fetch_seconds
        )
        definition = {"from_tool": "git.branches", "ttl_seconds": 60, **slot}
        self.library = load(
            {
                "name": "checkout",
                "sentences": "switch to [the] {branch} [branch]",
                "slots": {"branch": definition},
            }
        )
        assert self.library.faults == ()
        self.matcher = Matcher(self.library, limits=Limits(), lists=self.lists)

    async def _branches(self, _: dict[str, Any]) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def asked(self, text: str) -> Any:
        await self.lists.fill(self.library.queries)
        intent = self.matcher.analyse(text).intent
        return None if intent is None else intent.params["branch"]


@pytest.mark.parametrize(
    ("text", "branch"),
    [
        ("switch to main", "main"),
        ("switch to the trunk branch", "main"),
        ("Switch to feature/été 2", "feature/Été-2"),
        ('switch to "main"', "main"),
        ("switch to develop", None),
    ],
)
async def test_a_slot_takes_what_the_tool_lists(load: Load, text: str, branch: Any) -> None:
    assert await World(load).asked(text) == branch


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        ("branches.name", {"branches": [{"name": "main"}]}),
        ("branches.{'in': name, 'out': id}", {"branches": [{"name": "Main!", "id": "main"}]}),
        (None, {"branches": ["main"], "count": 1}),
        (None, {"in": ["main", "trunk"], "out": "main"}),
    ],
)
async def test_an_expression_says_where_the_list_is(load: Load, value: Any, answer: Any) -> None:
    world = World(load, **({} if value is None else {"value": value}))
    world.answer = answer

    assert await world.asked("switch to main") == "main"


async def test_what_a_tool_lists_is_text_not_a_template(load: Load) -> None:
    world = World(load)
    world.answer = ["(a|b) {x}", "[c]", "<rule>"]

    assert await world.asked("switch to (a|b) {x}") == "(a|b) {x}"
    assert await world.asked("switch to a") is None


async def test_the_tool_is_asked_again_when_its_list_is_old(load: Load) -> None:
    world = World(load)

    await world.asked("switch to main")
    await world.asked("switch to main")
    world.answer = ["develop"]
    before = await world.asked("switch to develop")
    world.clock.time += 61
    after = await world.asked("switch to develop")

    assert (before, after, len(world.upstreams.calls)) == (None, "develop", 2)


@pytest.mark.parametrize(
    "answer",
    [
        ToolFailedError("git.branches: no repository"),
        ToolResult(is_error=True),
        {"neither": 1},
        [{"name": "main"}],
        [True],
    ],
    ids=["raises", "error", "no list", "objects", "booleans"],
)
async def test_a_tool_that_fails_leaves_the_last_list(load: Load, answer: Any) -> None:
    world = World(load)
    await world.asked("switch to main")
    world.clock.time += 61
    world.answer = answer

    kept = await world.asked("switch to main")
    await world.asked("switch to main")
    calls = len(world.upstreams.calls)
    world.clock.time += RETRY_SECONDS
    world.answer = ["develop"]

    assert (kept, calls) == ("main", 2)
    assert await world.asked("switch to develop") == "develop"


async def test_a_tool_that_fails_at_once_gives_an_empty_list(load: Load) -> None:
    world = World(load)
    world.answer = ToolFailedError("down")

    assert await world.asked("switch to main") is None


async def test_an_unknown_server_gives_an_empty_list(load: Load) -> None:
    assert await World(load, from_tool="gti.branches").asked("switch to main") is None


async def test_a_tool_that_destroys_is_not_called_for_a_list(load: Load) -> None:
    world = World(load)
    world.upstreams.add("git.branches", world._branches, effects="destructive")

    assert await world.asked("switch to main") is None
    assert world.upstreams.calls == []


async def test_requests_at_once_ask_the_tool_once(load: Load) -> None:
    world = World(load)

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(world.asked, "switch to main")

    assert len(world.upstreams.calls) == 1


async def test_a_tool_that_hangs_holds_up_nobody_for_long(load: Load) -> None:
    world = World(load, fetch_seconds=0.01)

    async def hang(_: dict[str, Any]) -> Any:
        await anyio.sleep_forever()

    world.upstreams.add("git.branches", hang)

    assert await world.asked("switch to main") is None


def test_without_a_server_any_words_are_taken(load: Load) -> None:
    library = World(load).library

    intent = Matcher(library, limits=Limits()).analyse("switch to the old thing branch").intent

    assert intent is not None
    assert intent.params == {"branch": "old thing"}
