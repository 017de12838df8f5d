"""The bound on those on trial: one of any ten requests that something proven can answer."""

import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podium.domain.errors import StatisticsError
from podium.domain.learning import Decide, Decision, Health
from podium.monitor.observer import Monitor
from podium.monitor.selection import Candidate
from podium.storage.shelf import FileShelf
from podium.storage.statistics import SqliteStatistics
from podium.testing import FakeClock
from tests.learning.healths import RULES, health, played

EVERY = 10  # requests, of which one may go to one on trial


class Record:
    """What choosing needs of the statistics, in memory; `fault` is what it fails with."""

    def __init__(self, *healths: Health) -> None:
        self.known = {each.composition_id: each for each in healths}
        self.passed: dict[str, int] = {}
        self.fault: StatisticsError | None = None

    async def healths(self) -> dict[str, Health]:
        return dict(self.known)

    async def tallies(self, _kind: str) -> dict[Any, Any]:
        return {}

    async def update(self, composition_id: str, decide: Decide) -> Decision:
        after, changes = decide(self.known.get(composition_id))
        if after is not None:
            self.known[composition_id] = after
        return after, changes

    async def note_passed(self, intent_type: str, change: Callable[[int], int]) -> int:
        if self.fault is not None:
            raise self.fault
        self.passed[intent_type] = change(self.passed.get(intent_type, 0))
        return self.passed[intent_type]


def monitor_over(record: Any, seed: int = 1) -> Monitor:
    clock = FakeClock()
    return Monitor(
        statistics=record,
        shelf=FileShelf(Path("nowhere"), clock=clock),
        rules=RULES,
        clock=clock,
        source=random.Random(seed),
    )


def named(id_: str, status: Any, runs: str) -> Health:
    known, _ = played(health(status, composition_id=id_), runs)
    return known


# One on trial that is paused is always due: the clock is far beyond its pause.
HEALTHS = [named("old", "validated", "+" * 9), named("new", "learning", "+" * 4)]
PAUSED = named("paused", "learning", "---")
EAGER = [
    Candidate(each.composition_id, each.status, only_reads=True) for each in (*HEALTHS, PAUSED)
]
REQUESTS = st.lists(
    st.tuples(st.sampled_from(["ask"] * 12 + ["save", "restart"]), st.integers(0, 1)),
    min_size=30,
    max_size=120,
)


async def asked(requests: Sequence[tuple[str, int]], processes: int, seed: int) -> list[bool]:
    """Return of each request whether one on trial answered it."""
    record = Record(*HEALTHS, PAUSED)
    monitors = [monitor_over(record, seed + n) for n in range(processes)]
    answered = []
    for what, number in requests:
        process = number % processes
        if what == "save":
            await monitors[process].keep_up()
        elif what == "restart":
            monitors[process] = monitor_over(record, seed)
        else:
            choice = await monitors[process].choosing.choose("notes", EAGER)
            assert choice is not None
            answered.append(choice.is_unproven)
    return answered


@given(requests=REQUESTS, seed=st.integers(0, 99))
def test_of_any_ten_requests_in_a_row_one_on_trial_answers_one_at_most(
    requests: list[tuple[str, int]], seed: int
) -> None:
    answered = anyio.run(partial(asked, requests, 1, seed))

    windows = (answered[begin : begin + EVERY] for begin in range(len(answered)))
    assert max(map(sum, windows)) <= 1
    assert sum(answered) * EVERY <= len(answered)


@given(requests=REQUESTS, seed=st.integers(0, 99))
def test_all_processes_together_give_those_on_trial_no_more_than_a_tenth_so_far(
    requests: list[tuple[str, int]], seed: int
) -> None:
    answered = anyio.run(partial(asked, requests, 2, seed))

    for so_far in range(1, len(answered) + 1):
        assert sum(answered[:so_far]) * EVERY <= so_far


@pytest.mark.anyio
async def test_one_on_trial_that_is_due_gets_its_tenth() -> None:
    answered = await asked([("ask", 0)] * 100, 1, 1)

    assert sum(answered) >= 8


@pytest.mark.anyio
async def test_each_intent_has_its_own_turns() -> None:
    monitor = monitor_over(Record(*HEALTHS, PAUSED))
    for _ in range(EVERY - 1):
        await monitor.choosing.choose("notes", EAGER)

    other = await monitor.choosing.choose("letters", EAGER)
    own = await monitor.choosing.choose("notes", EAGER)

    assert other is not None
    assert own is not None
    assert (other.is_unproven, own.is_unproven) == (False, True)


@pytest.mark.anyio
async def test_without_a_record_something_proven_answers() -> None:
    record = Record(*HEALTHS, PAUSED)
    record.fault = StatisticsError("the disk is full")
    monitor = monitor_over(record)

    answered = [await monitor.choosing.choose("notes", EAGER) for _ in range(3 * EVERY)]

    assert {choice.composition_id for choice in answered if choice} == {"old"}


@pytest.mark.anyio
async def test_processes_that_answer_one_request_each_take_turns_as_one_does(
    tmp_path: Path,
) -> None:
    statistics = SqliteStatistics(tmp_path / "statistics.sqlite3", clock=FakeClock())
    unproven = []
    for seed in range(4 * EVERY):
        monitor = monitor_over(statistics, seed)
        choice = await monitor.choosing.choose("notes", EAGER[:2])
        assert choice is not None
        unproven.append(choice.is_unproven)
        await monitor.keep_up()
    await statistics.close()

    assert not any(unproven[: EVERY - 1])
    assert 1 <= sum(unproven) <= 4
