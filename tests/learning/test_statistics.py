"""The record of statistics: exact for many writers, each execution once, whatever happens to it."""

import logging
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from podium.domain.errors import StatisticsError
from podium.domain.learning import Counted, Decide, Decision, Health
from podium.domain.ports import Statistics
from podium.domain.redaction import Redactor
from podium.domain.tallies import Tally
from podium.monitor.statistics import correction
from podium.storage.statistics import Retention, SqliteStatistics
from podium.testing import FakeClock
from tests.learning.entries import OWN, TOOL, after, entry
from tests.learning.healths import health

pytestmark = pytest.mark.anyio

CHILD = Path(__file__).with_name("statistics_child.py")
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".podium" / "statistics.sqlite3"


@pytest.fixture
def statistics(path: Path) -> SqliteStatistics:
    return opened(path)


_OPEN: list[SqliteStatistics] = []


def opened(path: Path, **more: Any) -> SqliteStatistics:
    _OPEN.append(SqliteStatistics(path, clock=FakeClock(), **more))
    return _OPEN[-1]


@pytest.fixture(autouse=True)
async def _closed() -> AsyncIterator[None]:
    yield
    while _OPEN:
        await _OPEN.pop().close()


async def count(statistics: Statistics, id_: str, *, is_success: bool = True, **more: Any) -> Any:
    verdict = "success" if is_success else "failure"
    one = entry(id_, verdict, **more), after(id_, is_success=is_success)
    (outcome,) = await statistics.apply([one])
    if isinstance(outcome, StatisticsError):
        raise outcome
    return outcome


async def tally_of(statistics: Statistics) -> Tally:
    (own,) = await statistics.lifetimes("composition", "v1")
    return own.tally


# --- exact


async def test_what_is_counted_comes_back_also_from_another_opening(path: Path) -> None:
    first = opened(path)
    for number in range(4):
        await count(
            first, f"e{number}", is_success=number > 0, code="" if number else "tool_failed"
        )
    await first.close()

    (own,) = await opened(path).lifetimes("composition", "v1")

    assert (own.tally.runs, own.tally.successes, own.tally.failures) == (4, 3, 1)
    assert own.tally.errors == {"tool_failed": 1}
    assert own.tally.durations.total == 4
    assert [run.execution_id for run in own.recent] == ["e3", "e2", "e1", "e0"]
    assert own.recent[3].code == "tool_failed"


async def test_an_execution_is_counted_once_however_often_it_is_told(
    statistics: SqliteStatistics,
) -> None:
    first = await count(statistics, "e1")
    second = await count(statistics, "e1")

    assert first is not None
    assert second is None
    assert (await tally_of(statistics)).runs == 1
    assert (await statistics.healths())["notes"].successes == 1


async def test_tasks_that_count_at_once_lose_nothing(statistics: SqliteStatistics) -> None:
    async with anyio.create_task_group() as group:
        for number in range(200):
            group.start_soon(count, statistics, f"e{number}")

    assert (await tally_of(statistics)).runs == 200
    assert (await statistics.healths())["notes"].successes == 200
    assert len((await statistics.lifetimes("tool"))[0].recent) == 20


async def test_a_rule_that_fails_takes_its_own_execution_with_it_and_no_other(
    statistics: SqliteStatistics,
) -> None:
    def broken(_: Health | None) -> Decision:
        raise ValueError("a fault of ours")

    async def count_broken() -> None:
        (outcome,) = await statistics.apply([(entry("broken"), broken)])
        assert isinstance(outcome, StatisticsError)

    async with anyio.create_task_group() as group:
        group.start_soon(count, statistics, "e1")
        group.start_soon(count_broken)
        group.start_soon(count, statistics, "e2")

    assert (await tally_of(statistics)).runs == 2
    assert set(await statistics.counted(["e1", "broken", "e2"])) == {"e1", "e2"}


@pytest.mark.slow
async def test_processes_that_share_the_file_count_exactly(path: Path) -> None:
    children = [child(path, name, 100) for name in ("a", "b", "c")]
    for process in children:
        said, _ = process.communicate(timeout=60)
        assert len(said.split()) == 100

    statistics = opened(path)
    assert (await tally_of(statistics)).runs == 300
    assert (await statistics.healths())["notes"].successes == 300
    assert (await tally_of(statistics)).durations.total == 300


@pytest.mark.slow
async def test_after_a_kill_all_that_was_confirmed_is_there_and_nothing_twice(path: Path) -> None:
    process = child(path, "k", 100_000)
    assert process.stdout is not None
    confirmed = [process.stdout.readline().strip() for _ in range(40)]
    os.kill(process.pid, signal.SIGKILL)
    rest, _ = process.communicate(timeout=30)
    confirmed += [line for line in rest.split("\n")[:-1] if line]

    statistics = opened(path)
    known = await statistics.counted(confirmed)
    total = (await tally_of(statistics)).runs
    for id_ in confirmed:  # as catching up from the journal does
        await count(statistics, id_)

    assert set(known) == set(confirmed)
    assert total >= len(confirmed)
    assert (await tally_of(statistics)).runs == total


def child(path: Path, name: str, count: int) -> "subprocess.Popen[str]":
    command = [sys.executable, str(CHILD), str(path), name, str(count)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


# --- corrections


def bad(counted: Counted) -> Counted:
    return replace(counted, rating="bad", verdict="failure", comment="the key is s3cret-key")


def unmoved(_before: Counted, _after: Counted) -> Decide:
    return lambda known: (known, ())


def moved(before: Counted, later: Counted) -> Any:
    return correction(before.verdict, later.verdict, before.version, before.composition_id)


async def test_a_correction_moves_one_run_from_one_side_to_the_other(path: Path) -> None:
    statistics = opened(path, redactor=Redactor(["s3cret-key"]))
    await count(statistics, "e1")
    await count(statistics, "e2")

    first = await statistics.revise("e1", bad, unmoved, moved)
    second = await statistics.revise("nobody", bad, unmoved, moved)

    (own,) = await statistics.lifetimes("composition", "v1")
    assert first is not None
    assert second is None
    assert (own.tally.runs, own.tally.successes, own.tally.failures) == (2, 1, 1)
    assert [run.verdict for run in own.recent] == ["success", "failure"]
    kept = (await statistics.counted(["e1"]))["e1"]
    assert (kept.measured, kept.verdict, kept.comment) == (
        "success",
        "failure",
        "the key is [redacted]",
    )


# --- changes


async def test_changes_are_numbered_and_a_move_stays_open_until_it_is_done(
    statistics: SqliteStatistics,
) -> None:
    for number in range(5):
        decision = await count(statistics, f"e{number}")
    (change,) = decision[1]

    assert change.number > 0
    assert await statistics.changes(only_open=True) == [change]
    await statistics.settle(change.number)
    assert await statistics.changes(only_open=True) == []
    assert await statistics.changes("notes") == [change]
    assert await statistics.changes("other") == []


async def test_a_move_overtakes_the_one_that_was_never_carried_out(
    statistics: SqliteStatistics,
) -> None:
    for number in range(20):
        await count(statistics, f"e{number}", is_success=number < 5)

    moves = [change for change in await statistics.changes("notes") if change.is_move]

    assert len(moves) > 1
    assert await statistics.changes(only_open=True) == moves[:1]


# --- bounds


async def test_what_is_kept_is_bounded(path: Path) -> None:
    statistics = opened(path, retention=Retention(executions=50, subjects=3, changes=5))
    for number in range(450):
        subject = replace(OWN, name=f"c{number % 40}")
        one = replace(entry(f"e{number}", at=float(number)), delta={subject: Tally(runs=1)})
        await statistics.apply([(one, lambda known: (known, ()))])

    with closing(sqlite3.connect(path)) as raw:
        rows = {
            table: raw.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
            for table in ("counted", "tallies", "recent", "durations", "errors")
        }
    # Pruned every 200 executions, so at most 50 of them more than the bound.
    assert rows["counted"] <= 50 + 200
    assert rows["tallies"] <= 3 + 40
    assert rows["recent"] <= 20 * rows["tallies"]


# --- a file that is no good


def write_raw(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# What somebody else wrote, and what a disk may leave: the header is there, the rest is not.
@pytest.mark.parametrize(
    "content", [b"this is no database at all" * 100, b"SQLite format 3\x00" + b"\x00" * 8192]
)
async def test_a_corrupt_file_is_set_aside_and_a_new_one_begins(
    path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    write_raw(path, content)
    statistics = opened(path)

    with caplog.at_level(logging.WARNING):
        await count(statistics, "e1")

    assert (await tally_of(statistics)).runs == 1
    aside = [file for file in path.parent.iterdir() if ".corrupt-" in file.name]
    assert len(aside) == 1
    assert "corrupt" in caplog.text


async def test_a_table_that_is_gone_makes_the_file_corrupt(path: Path) -> None:
    statistics = opened(path)
    await count(statistics, "e1")
    await statistics.close()
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("DROP TABLE durations")

    await count(opened(path), "e2")

    assert (await tally_of(opened(path))).runs == 1
    assert any(".corrupt-" in file.name for file in path.parent.iterdir())


async def test_a_record_that_cannot_be_read_is_begun_anew(path: Path) -> None:
    statistics = opened(path)
    await count(statistics, "e1")
    await statistics.close()
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE healths SET data = '{\"composition_id\": 3}'")

    again = opened(path)
    assert await again.healths() == {}
    await count(again, "e2")

    assert (await again.healths())["notes"].successes == 1


async def test_a_file_of_the_version_before_is_taken_over_with_all_its_counts(path: Path) -> None:
    statistics = opened(path)
    await count(statistics, "e1")
    await statistics.close()
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("DROP TABLE passed")
        raw.execute("ALTER TABLE tallies DROP COLUMN rounds")
        raw.execute("ALTER TABLE tallies DROP COLUMN tokens")
        raw.execute("PRAGMA user_version = 1")

    again = opened(path)
    await count(again, "e2")
    passed = await again.note_passed("notes", lambda known: known + 3)

    assert (await tally_of(again)).runs == 2
    assert passed == 3
    assert [file.name for file in path.parent.iterdir() if "corrupt" in file.name] == []


async def test_a_file_of_a_later_version_is_left_alone(path: Path) -> None:
    statistics = opened(path)
    await count(statistics, "e1")
    await statistics.close()
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA user_version = 99")

    with pytest.raises(StatisticsError, match="later version"):
        await count(opened(path), "e2")
    assert [file.name for file in path.parent.iterdir() if "corrupt" in file.name] == []


async def test_a_folder_that_cannot_be_made_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")

    with pytest.raises(StatisticsError, match="unavailable") as raised:
        await count(opened(tmp_path / "file" / "statistics.sqlite3"), "e1")
    assert raised.value.hint


async def test_only_its_owner_may_read_it(path: Path) -> None:
    await count(opened(path), "e1")

    assert mode_of(path) == 0o600


async def test_texts_that_no_database_holds_are_counted_all_the_same(
    statistics: SqliteStatistics,
) -> None:
    strange = replace(OWN, name="half \ud800 of a character")
    one = replace(entry("e\ud800"), delta={strange: Tally(runs=1), TOOL: Tally(runs=1)})

    await statistics.apply([(one, lambda _: (health(), ()))])

    assert (await statistics.lifetimes("composition"))[0].tally.runs == 1
