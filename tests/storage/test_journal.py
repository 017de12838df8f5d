"""The journal keeps executions across crashes, corruption, full disks and other processes."""

import logging
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.domain.errors import JournalError, UnknownExecutionError
from podium.domain.execution import Execution, StepRecord
from podium.domain.limits import Limits
from podium.domain.past import PastRequest
from podium.domain.ports import Journal
from podium.domain.redaction import REDACTED, Redactor
from podium.domain.synthesis import PastPlan
from podium.storage.database import _TABLES as FIRST_TABLES
from podium.storage.journal import SqliteJournal

pytestmark = pytest.mark.anyio

CHILD = Path(__file__).with_name("journal_child.py")
CANARY = "canary-5f0a91"


def open_journal(
    path: Path, *, secrets: tuple[str, ...] = (), **limits: int
) -> AbstractAsyncContextManager[SqliteJournal]:
    return SqliteJournal.open(path, redactor=Redactor(secrets), limits=Limits(**limits))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".podium" / "journal.sqlite3"


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[SqliteJournal]:
    async with open_journal(path) as opened:
        yield opened


@contextmanager
def child(path: Path, act: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, str(CHILD), str(path), act],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def write_raw(path: Path, data: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)


def read_raw(path: Path) -> bytes:
    return path.read_bytes()


def finished(execution_id: str = "exec_0123456789", **changes: Any) -> Execution:
    values: dict[str, Any] = {
        "composition_id": "list_and_summarise",
        "params": {"path": "été", "n": 3},
        "user_id": "u",
        "conversation_id": "c",
        "request": "résume les fichiers",
        "intent_type": "list",
        "status": "success",
        "started_at": 1_700_000_000.25,
        "duration_ms": 12.5,
        "steps": {
            "first": StepRecord("first", "files", "list", "done", 1, 1.5, 2.5, "read", {}, [1]),
            "second": StepRecord("second", "files", "read", "failed", 3, error={"code": "x"}),
        },
        "result": {"texts": ["a", None, 1.5, True]},
        "files": ({"name": "a.txt"},),
    }
    return Execution(execution_id, **{**values, **changes})


# --- what comes back


async def test_an_execution_comes_back_as_it_was_recorded(journal: SqliteJournal) -> None:
    await journal.record_execution(finished())

    assert await journal.get("exec_0123456789") == finished()


async def test_it_satisfies_the_port(journal: SqliteJournal) -> None:
    port: Journal = journal

    assert await port.recent(10) == []


async def test_an_execution_survives_closing_and_opening(path: Path) -> None:
    async with open_journal(path) as journal:
        await journal.record_execution(finished())

    async with open_journal(path) as journal:
        assert await journal.recent(5) == [finished()]


async def test_steps_recorded_in_any_order_come_back_in_file_order(journal: SqliteJournal) -> None:
    execution = finished(steps={})
    await journal.record_execution(execution)
    for step_id in ("c", "a", "b"):
        await journal.record_step(execution.id, StepRecord(step_id, status="done"))
    execution.steps = {step_id: StepRecord(step_id, status="done") for step_id in "abc"}
    await journal.record_execution(execution)

    stored = await journal.get(execution.id)

    assert stored is not None
    assert list(stored.steps) == ["a", "b", "c"]


async def test_the_last_state_of_a_step_wins(journal: SqliteJournal) -> None:
    execution = finished(status="running", steps={})
    await journal.record_execution(execution)
    await journal.record_step(execution.id, StepRecord("s", status="running", inputs={"a": 1}))
    done = StepRecord("s", status="done", attempts=2, inputs={"a": 1}, output="text")
    await journal.record_step(execution.id, done)

    stored = await journal.get(execution.id)

    assert stored == finished(status="running", steps={"s": done})


async def test_a_step_that_only_the_execution_knows_is_kept(journal: SqliteJournal) -> None:
    execution = finished(status="running", steps={})
    await journal.record_execution(execution)
    await journal.record_step(execution.id, StepRecord("first", status="running"))
    await journal.record_execution(finished())

    assert await journal.get(execution.id) == finished()


async def test_a_step_before_its_execution_is_kept(journal: SqliteJournal) -> None:
    await journal.record_step("exec_early", StepRecord("s", status="done"))
    await journal.record_execution(finished("exec_early", steps={}))

    stored = await journal.get("exec_early")

    assert stored == finished("exec_early", steps={"s": StepRecord("s", status="done")})


async def test_others_see_what_a_long_execution_has_read_before_it_ends(
    journal: SqliteJournal, path: Path
) -> None:
    execution = finished(status="running", steps={})
    await journal.record_execution(execution)
    read = StepRecord("r", status="done", effects="read", output="text")
    await journal.record_step(execution.id, read)

    async with open_journal(path) as other:
        with anyio.fail_after(10):
            while (stored := await other.get(execution.id)) is None:
                pass

    assert stored == finished(status="running", steps={"r": read})


async def test_what_was_read_before_a_durable_write_is_in_the_file_with_it(
    journal: SqliteJournal, path: Path
) -> None:
    execution = finished(status="running", steps={})
    await journal.record_execution(execution)
    await journal.record_step(execution.id, StepRecord("r", status="done", effects="read"))
    await journal.record_step(execution.id, StepRecord("w", effects="write"), durable=True)

    connection = sqlite3.connect(path)
    steps = connection.execute("SELECT step_id, status FROM steps ORDER BY rowid").fetchall()
    params = connection.execute("SELECT params FROM executions").fetchall()
    connection.close()

    assert steps == [("r", "done"), ("w", "running")]
    assert params == [('{"path":"été","n":3}',)]


async def test_a_crash_leaves_no_doubt_about_a_step_that_has_called_nothing(path: Path) -> None:
    execution = finished(status="running", steps={})
    async with open_journal(path) as journal:
        await journal.record_execution(execution)
        execution.steps["waits_for_a_slot"] = StepRecord("waits_for_a_slot", effects="write")
        execution.steps["done"] = StepRecord("done", status="done")

    async with open_journal(path) as journal:
        stored = await journal.get(execution.id)

    assert stored is not None
    assert {id_: step.status for id_, step in stored.steps.items()} == {"done": "done"}


async def test_an_execution_that_is_closing_counts_as_running_until_its_end_is_recorded(
    path: Path,
) -> None:
    execution = finished(status="running")
    async with open_journal(path) as journal:
        await journal.record_execution(execution)
        execution.status = "success"

    async with open_journal(path) as journal:
        stored = await journal.get(execution.id)

    assert stored is not None
    assert stored.error is not None
    assert (stored.status, stored.error["code"]) == ("error", "interrupted")


async def test_what_a_caller_does_to_a_result_afterwards_is_not_recorded(
    journal: SqliteJournal,
) -> None:
    execution = finished(result={"texts": ["a"]})
    await journal.record_execution(execution)
    execution.result["texts"].clear()

    stored = await journal.get(execution.id)

    assert stored is not None
    assert stored.result == {"texts": ["a"]}


async def test_a_read_that_cannot_be_recorded_does_not_stop_the_write_after_it(
    journal: SqliteJournal,
) -> None:
    execution = finished(status="running", steps={})
    await journal.record_execution(execution)
    odd: Any = 7
    await journal.record_step(execution.id, StepRecord("r", server_id=odd, status="done"))
    await journal.record_step(execution.id, StepRecord("w", effects="write"), durable=True)

    stored = await journal.get(execution.id)

    assert stored is not None
    assert (list(stored.steps), journal.lost_writes) == (["w"], 1)


async def test_many_reads_of_one_execution_are_all_kept(journal: SqliteJournal) -> None:
    execution = finished(status="running", steps={})
    await journal.record_execution(execution)
    for number in range(100):
        step = StepRecord(f"s{number}", status="done", effects="read")
        execution.steps[step.step_id] = step
        await journal.record_step(execution.id, step)
    execution.status = "success"
    await journal.record_execution(execution)

    assert await journal.get(execution.id) == execution


async def test_recent_ones_come_newest_first(journal: SqliteJournal) -> None:
    for number in (2, 3, 1):
        await journal.record_execution(finished(f"exec_{number}", started_at=float(number)))

    assert [e.id for e in await journal.recent(2)] == ["exec_3", "exec_2"]
    assert await journal.recent(0) == []
    assert await journal.recent(-5) == []


async def test_past_requests_are_those_that_were_answered(journal: SqliteJournal) -> None:
    answered = {"request": "list the files", "intent_type": "list_files"}
    for number, changes in enumerate(
        (answered, {**answered, "status": "error"}, {"request": ""}, {**answered, "request": ""})
    ):
        execution = finished(f"exec_{number}", started_at=float(number))
        for name, value in changes.items():
            setattr(execution, name, value)
        await journal.record_execution(execution)
    later = finished("exec_9", started_at=9.0)
    later.request, later.intent_type, later.params = "read a", "read_file", {"path": "a"}
    await journal.record_execution(later)

    assert await journal.past_requests(10) == [
        PastRequest("read a", "read_file", {"path": "a"}),
        PastRequest("list the files", "list_files", finished("exec_0", started_at=0.0).params),
    ]
    assert len(await journal.past_requests(1)) == 1
    assert await journal.past_requests(-1) == []


async def test_past_plans_say_which_tools_served_a_request_in_their_order(
    journal: SqliteJournal,
) -> None:
    def served(number: int, request: str, *tools: str, **changes: Any) -> Execution:
        execution = finished(f"exec_{number}", started_at=float(number))
        execution.request, execution.params = request, {"n": number}
        execution.steps = {
            f"s{place}": StepRecord(f"s{place}", "srv", tool, "done", 1, number + place / 10)
            for place, tool in enumerate(tools)
        }
        for name, value in changes.items():
            setattr(execution, name, value)
        return execution

    client = {"composition_id": "", "user_id": "ana", "conversation_id": "c1"}
    looped = served(6, "loop", "b", "a")
    looped.steps["each[1]"] = StepRecord("each[1]", "srv", "b", "done", 1, 9.0)
    looped.steps["lost"] = StepRecord("lost", "srv", "c", "failed", 1, 9.0)
    looped.steps["undone"] = StepRecord("undone", "srv", "d", "done", 1, 9.0, kind="undo")
    for execution in (
        served(1, "failed", "a", status="error"),
        served(2, "", "a"),
        served(3, "by hand", "y", **client),
        served(4, "by hand", "x", **client),
        served(5, "by hand", "z", **{**client, "conversation_id": "c2"}),
        looped,
        served(7, "nothing called"),
        served(8, f"with {CANARY}", "a"),
    ):
        await journal.record_execution(execution)

    assert await journal.past_plans(10) == [
        PastPlan(f"with {CANARY}", ("srv.a",), "list_and_summarise", {"n": 8}),
        PastPlan("loop", ("srv.b", "srv.a"), "list_and_summarise", {"n": 6}),
        PastPlan("by hand", ("srv.z",), "", {"n": 5}),
        PastPlan("by hand", ("srv.y", "srv.x"), "", {"n": 4}),
    ]
    assert [plan.text for plan in await journal.past_plans(1)] == [f"with {CANARY}"]
    assert await journal.past_plans(-1) == []


async def test_past_plans_hold_no_secrets(path: Path) -> None:
    async with open_journal(path, secrets=(CANARY,)) as journal:
        execution = finished("exec_1", started_at=1.0)
        execution.request, execution.params = f"read {CANARY}", {"key": CANARY}
        execution.steps = {"it": StepRecord("it", "srv", "a", "done", 1, 1.0)}
        await journal.record_execution(execution)

        assert await journal.past_plans(1) == [
            PastPlan(f"read {REDACTED}", ("srv.a",), execution.composition_id, {"key": REDACTED})
        ]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("exec_aa11", "exec_aa11"),
        ("exec_b", "exec_bb22"),
        ("exec_", None),
        ("exec_z", None),
        ("exec%b", None),
        ("", None),
        ("\udcff\udcff\udcff\udcff\udcff\udcff", None),
    ],
)
async def test_the_start_of_an_id_finds_the_one_execution(
    journal: SqliteJournal, wanted: str, found: str | None
) -> None:
    for execution_id in ("exec_aa11", "exec_aa12", "exec_bb22"):
        await journal.record_execution(finished(execution_id))

    execution = await journal.get(wanted)

    assert (None if execution is None else execution.id) == found


async def test_the_start_of_several_ids_is_an_error(journal: SqliteJournal) -> None:
    await journal.record_execution(finished("exec_aa11"))
    await journal.record_execution(finished("exec_aa12"))

    with pytest.raises(UnknownExecutionError, match="several executions begin with 'exec_aa1'"):
        await journal.get("exec_aa1")


# --- what is written


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=30, deadline=None)
@given(result=VALUES, text=st.text(st.characters(exclude_categories=["Cs"])))
async def test_any_json_value_comes_back(result: Any, text: str) -> None:
    execution = finished(result=result, request=text)

    with TemporaryDirectory() as folder:
        async with open_journal(Path(folder) / "journal.sqlite3") as journal:
            await journal.record_execution(execution)
            stored = await journal.get(execution.id)
            lost = journal.lost_writes

    assert (stored, lost) == (execution, 0)


def circle() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


class Point(NamedTuple):
    x: int
    y: int


def deep(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (2**80, 2**80),
        ("half \ud83d", "half \ud83d"),
        ({1: "number"}, {"1": "number"}),
        ((1, 2), [1, 2]),
        (Path("a/b"), "a/b"),
        (circle(), {"unwritable": True, "type": "list"}),
        (deep(100_000), {"unwritable": True, "type": "list"}),
        ({"s": {1}}, {"s": "{1}"}),
        (OrderedDict(a=Point(1, 2)), {"a": [1, 2]}),
    ],
)
async def test_odd_values_lose_nothing_else(journal: SqliteJournal, value: Any, kept: Any) -> None:
    await journal.record_execution(finished(result=value))

    assert await journal.get("exec_0123456789") == finished(result=kept)


async def test_a_long_value_is_cut_and_says_so(path: Path) -> None:
    async with open_journal(path, journal_value_bytes=100) as journal:
        step = StepRecord("s", status="done", inputs={"a": 1}, output="é" * 200)
        await journal.record_execution(finished(steps={"s": step}, request="q" * 150))
        stored = await journal.get("exec_0123456789")

    assert stored is not None
    preview = '"' + "é" * 49
    assert stored.steps["s"].output == {"truncated": True, "bytes": 402, "preview": preview}
    assert stored.steps["s"].inputs == {"a": 1}
    assert stored.request == "q" * 100 + "…"


async def test_no_secret_is_anywhere_in_the_files(path: Path) -> None:
    class Holder:
        def __str__(self) -> str:
            return f"holds {CANARY}"

    async with open_journal(path, secrets=(CANARY,)) as journal:
        step = StepRecord(
            "s",
            f"server-{CANARY}",
            inputs={CANARY: [f"x{CANARY}y"], "o": Holder()},
            output=("z" * 70_000) + CANARY,
            error={"message": CANARY},
        )
        execution = finished(
            params={"key": CANARY},
            request=CANARY,
            user_id=CANARY,
            conversation_id=f"c {CANARY}",
            result=[{"a": [CANARY]}],
            files=({"name": CANARY},),
            error={"message": f"failed with {CANARY}"},
            steps={"s": step},
        )
        await journal.record_execution(execution)
        stored = await journal.get(execution.id)

        files = list(path.parent.iterdir())
        assert {file.name for file in files} >= {path.name, f"{path.name}-wal"}
        assert [file.name for file in files if CANARY.encode() in file.read_bytes()] == []

    assert stored is not None
    assert stored.request == REDACTED
    assert stored.steps["s"].inputs == {REDACTED: [f"x{REDACTED}y"], "o": f"holds {REDACTED}"}
    assert CANARY.encode() not in read_raw(path)


async def test_only_the_owner_may_read_the_files(path: Path) -> None:
    async with open_journal(path) as journal:
        await journal.record_step("exec_1", StepRecord("s"), durable=True)

        modes = {mode_of(file) for file in path.parent.iterdir()}

    assert modes == {0o600}
    assert mode_of(path.parent) == 0o700


async def test_an_open_file_is_closed_to_others_and_its_folder_left_alone(tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o755)  # noqa: PTH101, S103
    path = tmp_path / "journal.sqlite3"
    write_raw(path, b"")
    os.chmod(path, 0o644)  # noqa: PTH101

    async with open_journal(path):
        modes = mode_of(path), mode_of(tmp_path)

    assert modes == (0o600, 0o755)


async def test_the_newest_executions_stay_and_running_ones_always(path: Path) -> None:
    async with open_journal(path, journal_executions=20) as journal:
        running = finished("exec_running", status="running", started_at=0.0)
        await journal.record_execution(running)
        for number in range(1, 101):
            await journal.record_execution(finished(f"exec_{number}", started_at=float(number)))
        kept = [execution.id for execution in await journal.recent(1_000)]

    assert kept == [*(f"exec_{n}" for n in range(100, 80, -1)), "exec_running"]
    with sqlite3.connect(path) as connection:
        (steps,) = connection.execute("SELECT count(*) FROM steps").fetchone()
    connection.close()
    assert steps == 21 * 2


# --- many at once


async def test_two_hundred_executions_at_once_are_all_kept(journal: SqliteJournal) -> None:
    async def play(number: int) -> None:
        execution = finished(f"exec_{number:03}", status="running", steps={})
        await journal.record_execution(execution)
        for step_id in ("a", "b", "c"):
            step = StepRecord(step_id, status="running", effects="write")
            await journal.record_step(execution.id, step, durable=step_id == "b")
            await anyio.lowlevel.checkpoint()
            step.status = "done"
            await journal.record_step(execution.id, step)
            execution.steps[step_id] = step
        execution.status = "success"
        await journal.record_execution(execution)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for number in range(200):
                tasks.start_soon(play, number)
        stored = await journal.recent(500)

    done = {step_id: StepRecord(step_id, status="done", effects="write") for step_id in "abc"}
    assert sorted(stored, key=lambda e: e.id) == [
        finished(f"exec_{number:03}", steps=done) for number in range(200)
    ]
    assert journal.lost_writes == 0


async def test_a_durable_step_is_in_the_file_when_it_returns(
    journal: SqliteJournal, path: Path
) -> None:
    await journal.record_step("exec_1", StepRecord("s", effects="write"), durable=True)

    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT step_id, status FROM steps").fetchall()
    connection.close()

    assert rows == [("s", "running")]


async def test_closing_writes_what_is_queued(path: Path) -> None:
    async with open_journal(path) as journal:
        for number in range(900):
            await journal.record_step("exec_1", StepRecord(f"s{number}"))

    async with open_journal(path) as journal:
        stored = await journal.get("exec_1")

    assert stored is not None
    assert len(stored.steps) == 900


async def test_writing_waits_for_room_and_loses_nothing(journal: SqliteJournal) -> None:
    with anyio.fail_after(30):
        for number in range(3_000):
            await journal.record_step("exec_1", StepRecord(f"s{number}"))
        stored = await journal.get("exec_1")

    assert stored is not None
    assert (len(stored.steps), journal.lost_writes) == (3_000, 0)


async def test_a_cancelled_caller_leaves_the_journal_usable(journal: SqliteJournal) -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        await journal.record_step("exec_1", StepRecord("s"), durable=True)

    await journal.record_execution(finished())

    assert await journal.get("exec_0123456789") == finished()


async def test_one_record_that_cannot_be_written_does_not_take_others_along(
    journal: SqliteJournal,
) -> None:
    await journal.record_execution(finished("exec_good_1"))
    await journal.record_step("exec_bad", StepRecord("s", attempts=2**70))
    await journal.record_execution(finished("exec_good_2"))

    assert sorted(e.id for e in await journal.recent(5)) == ["exec_good_1", "exec_good_2"]
    assert journal.lost_writes == 1


async def test_a_closed_journal_counts_and_refuses(path: Path) -> None:
    async with open_journal(path) as journal:
        pass

    await journal.record_execution(finished())

    assert journal.lost_writes == 1
    with pytest.raises(JournalError):
        await journal.recent(1)


# --- when the file is no good


async def test_executions_go_on_when_the_file_cannot_be_opened(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "journal.sqlite3"
    path.mkdir()

    async with open_journal(path) as journal:
        await journal.record_execution(finished())
        await journal.record_step("exec_0123456789", StepRecord("s"))
        with pytest.raises(JournalError) as durable:
            await journal.record_step("exec_0123456789", StepRecord("s"), durable=True)
        with pytest.raises(JournalError):
            await journal.recent(1)
        lost = journal.lost_writes

    assert durable.value.code == "journal_unavailable"
    assert lost == 3
    assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_it_writes_again_as_soon_as_it_can(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    path.mkdir()

    async with open_journal(path) as journal:
        path.rmdir()
        await journal.record_execution(finished())
        stored = await journal.get("exec_0123456789")

    assert stored == finished()


async def test_a_file_of_a_later_version_is_refused_and_left_alone(path: Path) -> None:
    async with open_journal(path):
        pass
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = read_raw(path)

    with pytest.raises(JournalError, match=r"later version .*schema 99"):
        async with open_journal(path):
            pass

    assert read_raw(path) == before


async def test_an_error_of_the_user_of_the_journal_comes_out_as_it_is(path: Path) -> None:
    with pytest.raises(LookupError, match="mine"):
        async with open_journal(path):
            raise LookupError("mine")


async def test_a_corrupt_file_is_moved_aside_and_a_new_one_begun(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_raw(path, b"this is no database" * 1_000)

    async with open_journal(path) as journal:
        await journal.record_execution(finished())
        stored = await journal.recent(5)

    assert stored == [finished()]
    aside = list(path.parent.glob("journal.sqlite3.corrupt-*"))
    assert [file.read_bytes()[:19] for file in aside] == [b"this is no database"]
    assert ["is corrupt" in record.message for record in caplog.records] == [True]


async def test_corruption_while_it_is_open_loses_no_further_write(path: Path) -> None:
    async with open_journal(path) as journal:
        await journal.record_execution(finished("exec_before"))
    data = read_raw(path)
    write_raw(path, data[:4096] + os.urandom(len(data) - 4096))

    async with open_journal(path) as journal:
        await journal.record_execution(finished("exec_after"))
        stored = [execution.id for execution in await journal.recent(5)]
        lost = journal.lost_writes

    assert (stored, lost) == (["exec_after"], 0)


async def test_a_removed_file_is_made_anew(journal: SqliteJournal, path: Path) -> None:
    await journal.record_execution(finished("exec_before"))
    await journal.recent(1)
    for file in path.parent.glob("journal.sqlite3*"):
        if ".owner-" not in file.name:
            file.unlink()

    await journal.record_execution(finished("exec_after"))

    assert [execution.id for execution in await journal.recent(5)] == ["exec_after"]


@pytest.mark.slow
async def test_a_lock_that_another_holds_costs_writes_and_not_executions(
    journal: SqliteJournal, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await journal.recent(1)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    try:
        await journal.record_execution(finished("exec_lost"))
        with pytest.raises(JournalError, match="locked"), anyio.fail_after(20):
            await journal.record_step("exec_lost", StepRecord("s"), durable=True)
    finally:
        blocker.close()

    await journal.record_execution(finished("exec_kept"))

    assert [execution.id for execution in await journal.recent(5)] == ["exec_kept"]
    assert journal.lost_writes == 2
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


@pytest.mark.slow
async def test_a_full_disk_costs_writes_until_there_is_room(path: Path) -> None:
    with child(path, "fill_the_disk") as process:
        words = [said(process) for _ in range(3)]

    assert words == ["journal_unavailable", "lost", "recovered"]


# --- other processes


async def test_two_journals_on_one_file_keep_what_both_write(path: Path) -> None:
    async def fill(name: str) -> None:
        async with open_journal(path) as journal:
            for number in range(100):
                await journal.record_execution(finished(f"exec_{name}_{number:02}"))
                await journal.record_step(f"exec_{name}_{number:02}", StepRecord("s"), durable=True)
            assert journal.lost_writes == 0

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fill, "a")
            tasks.start_soon(fill, "b")

    async with open_journal(path) as journal:
        assert len(await journal.recent(500)) == 200


async def test_a_running_execution_of_a_living_journal_stays_running(
    journal: SqliteJournal, path: Path
) -> None:
    await journal.record_execution(finished(status="running"))
    await journal.recent(1)  # what was recorded before is in the file now

    async with open_journal(path) as other:
        stored = await other.get("exec_0123456789")

    assert stored == finished(status="running")


async def test_what_a_journal_leaves_running_at_its_end_is_closed_by_the_next(path: Path) -> None:
    async with open_journal(path) as journal:
        await journal.record_execution(finished(status="running"))

    async with open_journal(path) as journal:
        stored = await journal.get("exec_0123456789")

    assert stored is not None
    assert stored.status == "error"
    assert stored.steps == finished().steps
    assert list(path.parent.glob("*.owner-*")) == []


@pytest.mark.slow
async def test_a_killed_process_leaves_its_execution_interrupted_and_its_write_in_doubt(
    path: Path,
) -> None:
    with child(path, "wait_to_be_killed") as process:
        assert said(process) == "ready"
        process.send_signal(signal.SIGKILL)

    async with open_journal(path) as journal:
        stored = await journal.get("exec_killed")

    assert stored is not None
    assert stored.error is not None
    assert (stored.status, stored.error["code"]) == ("error", "interrupted")
    assert {step.step_id: step.status for step in stored.steps.values()} == {
        "look": "cancelled",
        "send": "in_doubt",
    }


@pytest.mark.slow
async def test_every_durable_step_survives_a_kill_in_the_middle_of_writing(path: Path) -> None:
    with child(path, "write_until_killed") as process:
        written = [said(process) for _ in range(50)]
        process.send_signal(signal.SIGKILL)
        assert process.stdout is not None
        written += process.stdout.read().splitlines()[:-1]  # the last line may be half a line

    async with open_journal(path) as journal:
        stored = await journal.get("exec_killed")

    assert stored is not None
    assert [step_id for step_id in written if step_id not in stored.steps] == []


@pytest.mark.slow
async def test_two_living_processes_share_the_file(journal: SqliteJournal, path: Path) -> None:
    await journal.record_execution(finished("exec_mine", status="running"))
    await journal.recent(1)

    with child(path, "finish_when_told") as process:
        assert said(process) == "ready"
        async with open_journal(path) as third:
            running = {e.id: e.status for e in await third.recent(5)}
        process.communicate("\n")

    assert running == {"exec_mine": "running", "exec_other": "running"}
    assert {e.id: e.status for e in await journal.recent(5)} == {
        "exec_mine": "running",
        "exec_other": "success",
    }


async def test_a_journal_of_the_first_version_is_kept_and_brought_up_to_date(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.executescript(FIRST_TABLES)
        connection.execute(
            "INSERT INTO executions (id, owner, status) VALUES ('old', 'x', 'error')"
        )
        connection.execute(
            "INSERT INTO steps (execution_id, step_id, server_id, tool_id, status, attempts)"
            " VALUES ('old', 'a', 's', 't', 'done', 1)"
        )
        connection.execute("PRAGMA user_version = 1")
    connection.close()

    async with open_journal(path) as journal:
        old = await journal.get("old")
        await journal.record_execution(Execution("new", "c", {}, status="error", is_resumable=True))
        new = await journal.get("new")

    assert old is not None
    assert (old.status, old.steps["a"].status, old.is_resumable) == ("error", "done", False)
    assert new is not None
    assert new.is_resumable
