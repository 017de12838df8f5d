"""What synthesis makes of drafts, and what it keeps, over fakes."""

from collections.abc import Sequence
from typing import Any

import pytest

from podium.compositions.checker import Checker
from podium.compositions.library import CompositionLibrary
from podium.domain.composition import Composition, StoredComposition
from podium.domain.errors import JournalError, TracesError
from podium.domain.execution import Execution
from podium.domain.redaction import Redactor
from podium.domain.synthesis import PastPlan
from podium.domain.tool import Tool
from podium.synthesis import PAST_SECONDS, Makers, Synthesis
from podium.testing import FakeClock, FakeUpstreams, FixedPlans
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


class Shop:
    """Synthesis, and the fakes around it."""

    def __init__(self, *known: StoredComposition) -> None:
        self.upstreams, self.clock, self.past = FakeUpstreams(), FakeClock(), FixedPlans()
        self.sketchers: list[Recording] = []
        self.planner, self.files = Scripted(), Files()
        self.planner.go.set()
        for name in ("file_info", "read_file", "write_file", "search_files"):
            self.upstreams.add(f"files.{name}", _nothing)
        self.synthesis = Synthesis(
            Makers(self._sketcher, lambda _: self.planner),
            upstreams=self.upstreams,
            known_tools=tuple,
            past=self.past,
            library=CompositionLibrary(known),
            checker=Checker(max_steps=10),
            clock=self.clock,
            redactor=Redactor((CANARY,)),
            files=self.files,
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
