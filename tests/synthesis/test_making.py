"""What synthesis makes of drafts, and what it keeps, over fakes."""

import json
from collections.abc import Sequence
from typing import Any

import anyio
import pytest

from podium.compositions.checker import Checker
from podium.compositions.keeping import MADE_FOR
from podium.compositions.library import CompositionLibrary
from podium.domain.composition import Composition, StoredComposition
from podium.domain.errors import JournalError, TracesError
from podium.domain.execution import Execution
from podium.domain.ports import PlanWriter
from podium.domain.redaction import Redactor
from podium.domain.synthesis import PastPlan, WritingTask
from podium.domain.tool import Tool, ToolMatch
from podium.synthesis import MOST_ON_TRIAL, MOST_WRITING, PAST_SECONDS, Makers, Synthesis
from podium.testing import FakeClock, FakePlanWriter, FakeUpstreams, FixedPlans
from tests.synthesis.workspaces import Recording, Scripted

pytestmark = pytest.mark.anyio

CANARY = "canary-5f0a91"
REQUEST = "how long is a.txt"


class Files:
    """A folder in memory; it may be full."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.is_full = False

    def read(self, composition_id: str) -> str | None:
        return self.texts.get(composition_id)

    def write(self, composition_id: str, content: str, sha256: str) -> bool:
        if self.is_full:
            raise TracesError("the disk is full")
        if sha256 or composition_id in self.texts:
            return False
        self.texts[composition_id] = content
        return True

    def write_pattern(self, composition_id: str, content: str) -> bool:
        raise AssertionError((composition_id, content))


class Silent(FakeUpstreams):
    """Upstreams of which one never comes to an end of its start."""

    async def search(self, query: str, limit: int) -> list[ToolMatch]:
        await anyio.sleep_forever()
        raise AssertionError((query, limit))


class Shop:
    """Synthesis, and the fakes around it."""

    def __init__(
        self,
        *known: StoredComposition,
        plan_writer: PlanWriter | None = None,
        upstreams: FakeUpstreams | None = None,
    ) -> None:
        self.upstreams = upstreams or FakeUpstreams()
        self.clock, self.past = FakeClock(), FixedPlans()
        self.sketchers: list[Recording] = []
        self.planner, self.files = Scripted(), Files()
        self.planner.go.set()
        for name in ("file_info", "read_file", "write_file", "search_files"):
            self.upstreams.add(f"files.{name}", _nothing)
        self.known_tools: tuple[Tool, ...] = ()
        self.synthesis = Synthesis(
            Makers(self._sketcher, lambda _: self.planner),
            upstreams=self.upstreams,
            known_tools=lambda: self.known_tools,
            past=self.past,
            library=CompositionLibrary(known),
            checker=Checker(max_steps=10),
            clock=self.clock,
            redactor=Redactor((CANARY,)),
            files=self.files,
            plan_writer=plan_writer,
        )

    def _sketcher(self, _: Sequence[Tool]) -> Recording:
        self.sketchers.append(Recording())
        return self.sketchers[-1]

    async def made(self, request: str = REQUEST) -> Composition:
        (intent,) = await self.synthesis.intents(request, "en")
        assert intent.made is not None
        return Composition.model_validate(intent.made, by_alias=True, by_name=False)


async def _nothing(_: dict[str, Any]) -> Any:
    raise AssertionError("nothing may be called")


@pytest.fixture
def shop() -> Shop:
    return Shop()


def run_of(composition: Composition, request: str = REQUEST, **params: Any) -> Execution:
    return Execution("exec_1", composition.id, params or {"file": "a.txt"}, request=request)


async def test_what_is_kept_is_a_composition_that_passes_the_checker(shop: Shop) -> None:
    made = await shop.made()
    is_kept = await shop.synthesis.keep(made, run_of(made))
    again = await shop.synthesis.keep(made, run_of(made, "another time"))
    kept = Composition.model_validate_json(shop.files.texts[made.id], by_alias=True, by_name=False)

    assert (is_kept, again) == (True, False)
    assert Checker(max_steps=10).check(StoredComposition(kept, "learning", "x")) == []
    assert (kept.id, kept.intent_type, kept.steps) == (made.id, made.id, made.steps)
    assert [example.request for example in kept.examples] == ["how long is {file:file}"]


@pytest.mark.parametrize(
    ("request_", "params"),
    [(f"read {CANARY}", {"file": "a.txt"}), (REQUEST, {"file": CANARY})],
    ids=["in the words", "in a param"],
)
async def test_nothing_with_a_secret_is_kept(
    shop: Shop, request_: str, params: dict[str, Any]
) -> None:
    made = await shop.made()

    assert not await shop.synthesis.keep(made, run_of(made, request_, **params))
    assert shop.files.texts == {}


async def test_a_full_disk_only_means_that_it_is_not_kept(shop: Shop) -> None:
    made = await shop.made()
    shop.files.is_full = True

    assert not await shop.synthesis.keep(made, run_of(made))


async def test_what_the_library_has_is_used_and_not_made_again(shop: Shop) -> None:
    made = await shop.made()
    edited = made.model_copy(update={"name": "As a person put it"})

    (intent,) = await Shop(StoredComposition(edited, "learning", "x")).synthesis.intents(
        REQUEST, "en"
    )

    assert (intent.composition_id, intent.made, intent.type) == (made.id, None, made.intent_type)


async def test_what_was_withdrawn_is_not_proposed(shop: Shop) -> None:
    withdrawn = StoredComposition(await shop.made(), "deprecated", "x")

    assert await Shop(withdrawn).synthesis.intents(REQUEST, "en") == ()


async def test_a_journal_that_cannot_be_read_is_no_hindrance(shop: Shop) -> None:
    shop.past.error = JournalError("it is locked")

    assert len(await shop.synthesis.intents(REQUEST, "en")) == 1


async def test_what_was_served_is_looked_up_now_and_then_and_told_once(shop: Shop) -> None:
    old, new = PastPlan("old", ("files.a",)), PastPlan("new", ("files.b",))
    shop.past.plans = [old]
    await shop.synthesis.intents(REQUEST, "en")
    shop.past.plans = [new, old]
    await shop.synthesis.intents(REQUEST, "en")
    soon = list(shop.sketchers[0].learnt)
    shop.clock.time += PAST_SECONDS
    await shop.synthesis.intents(REQUEST, "en")

    assert soon == [old]
    assert [each.learnt for each in shop.sketchers] == [[old, new]]


async def test_other_tools_mean_another_sketcher_that_is_told_everything(shop: Shop) -> None:
    shop.past.plans = [PastPlan("new", ("files.b",)), PastPlan("old", ("files.a",))]
    await shop.synthesis.intents(REQUEST, "en")
    shop.upstreams.add("files.more", _nothing)
    await shop.synthesis.intents(REQUEST, "en")

    assert [[plan.text for plan in each.learnt] for each in shop.sketchers] == [["old", "new"]] * 2
    assert shop.planner.asked[-1][2][-1] == "files.more"


async def test_values_that_were_given_later_are_not_kept_either(shop: Shop) -> None:
    made = await shop.made()
    await shop.synthesis.keep(made, run_of(made, "how long is it", file="diary of ana.txt"))

    assert "ana" not in shop.files.texts[made.id]


async def test_words_that_hold_values_are_kept_nowhere_in_the_file(shop: Shop) -> None:
    words = "how long is diary-of-ana.txt"
    told = {"name": words, "description": f"Does “{words}”", "comment_": [f"what “{words}” asks"]}
    made = (await shop.made()).model_copy(update=told)
    await shop.synthesis.keep(made, run_of(made, words, file="diary-of-ana.txt"))
    kept = json.loads(shop.files.texts[made.id])

    assert "ana" not in shop.files.texts[made.id]
    assert kept["name"] == kept["description"] == "how long is {file}"


@pytest.mark.parametrize("words", ["how long is a.txt", "a.txt"])
async def test_whatever_is_left_of_the_words_a_file_says_that_it_was_made(
    shop: Shop, words: str
) -> None:
    made = await shop.made()
    await shop.synthesis.keep(made, run_of(made, words, file="a.txt"))
    kept = json.loads(shop.files.texts[made.id])

    assert kept["$comment"][0].startswith(MADE_FOR)


async def test_a_plan_that_repeats_words_of_its_request_is_not_kept(shop: Shop) -> None:
    made = await shop.made()
    (step,) = made.steps
    fixed = step.model_copy(update={"input_mapping": {}, "arguments": {"file_path": "a.txt"}})
    bound = made.model_copy(update={"id": "bound", "steps": (fixed,)})

    assert not await shop.synthesis.keep(bound, run_of(bound))


async def test_beyond_a_bound_of_those_on_trial_nothing_is_kept(shop: Shop) -> None:
    made = await shop.made()
    many = [made.model_copy(update={"id": f"other_{n}"}) for n in range(MOST_ON_TRIAL)]
    full = Shop(*(StoredComposition(each, "learning", "x") for each in many))
    nearly = Shop(*(StoredComposition(each, "learning", "x") for each in many[1:]))

    assert not await full.synthesis.keep(made, run_of(made))
    assert await nearly.synthesis.keep(made, run_of(made))


@pytest.mark.slow
async def test_what_is_known_has_to_do_where_servers_do_not_come_up() -> None:
    writer = FakePlanWriter("no")
    shop = Shop(upstreams=Silent(), plan_writer=writer)
    shop.known_tools = (await shop.upstreams.tool("files", "file_info"),)
    with anyio.fail_after(20):
        made = await shop.made()
        none = await shop.synthesis.intents("tell me a joke", "en")

    assert made.id.startswith("file_size_")
    assert none == ()
    assert len(json.loads(writer.tasks[0].material)["tools"]) == 1


async def test_a_model_is_shown_the_tools_of_like_requests_first() -> None:
    writer = FakePlanWriter("no")
    shop = Shop(plan_writer=writer)
    shop.past.plans = [PastPlan("tell me a joke", ("files.write_file",))]
    await shop.synthesis.intents("tell me a joke", "en")
    shown = json.loads(writer.tasks[0].material)

    assert shown["tools"][0]["tool_id"] == "write_file"
    assert len(shown["tools"]) == 4


async def test_the_log_says_why_without_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    for error in (JournalError(f"key {CANARY} is unknown"), ValueError(f"?key={CANARY}")):
        shop = Shop(plan_writer=FakePlanWriter(error))

        assert await shop.synthesis.intents("tell me a joke", "en") == ()

    assert CANARY not in caplog.text
    assert "key [redacted] is unknown" in caplog.text
    assert "failed unexpectedly (ValueError)" in caplog.text


async def test_a_model_is_asked_for_a_few_requests_at_a_time() -> None:
    writer = Waiting()
    shop = Shop(plan_writer=writer)
    async with anyio.create_task_group() as tasks:
        for number in range(MOST_WRITING):
            tasks.start_soon(shop.synthesis.intents, f"joke {number}", "en")
        with anyio.fail_after(20):
            await writer.is_full.wait()
            beyond = await shop.synthesis.intents("one joke more", "en")
        writer.go.set()
    with anyio.fail_after(20):
        await shop.synthesis.intents("a joke later", "en")

    assert beyond == ()
    assert len(writer.tasks) == MOST_WRITING + 1


class Waiting:
    """A model that answers nothing of use, when it may; `is_full` is set when all wait for it."""

    def __init__(self) -> None:
        self.tasks: list[WritingTask] = []
        self.is_full, self.go = anyio.Event(), anyio.Event()

    async def write(self, task: WritingTask) -> str:
        if task.attempts:
            raise JournalError("enough")
        self.tasks.append(task)
        if len(self.tasks) == MOST_WRITING:
            self.is_full.set()
        await self.go.wait()
        return "no"
