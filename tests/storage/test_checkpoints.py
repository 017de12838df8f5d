"""Unfinished executions come back exactly, once, and without a secret on the disk."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from podium.domain.errors import JournalError
from podium.domain.execution import Checkpoint, Execution, Question, StepRecord
from podium.domain.redaction import SecretReferences
from podium.storage.checkpoints import CheckpointFolder
from podium.testing import FakeClock

pytestmark = pytest.mark.anyio

CANARY = "canary-5f0a91"
DAY = 86_400.0


def folder_of(
    path: Path,
    *,
    secrets: tuple[str, ...] = (CANARY,),
    clock: FakeClock | None = None,
    **bounds: int,
) -> CheckpointFolder:
    return CheckpointFolder(
        path / "checkpoints",
        references=SecretReferences(secrets),
        most=bounds.get("most", 100),
        most_bytes=bounds.get("most_bytes", 100_000),
        keep_seconds=7 * DAY,
        now=(clock or FakeClock(0)).now,
    )


def checkpoint(execution_id: str = "exec_1", **changes: Any) -> Checkpoint:
    execution = Execution(
        execution_id,
        "c",
        {"token": CANARY, "n": 2**70},
        status="needs_input",
        question=Question("ask", "confirm", "Sure?", {"type": "boolean"}),
        went_without=("b",),
        files=({"uri": "file:///x"},),
        steps={"a": StepRecord("a", "s", "t", "done", output={"text": "é"}, is_cached=True)},
    )
    values: dict[str, Any] = {
        "outcomes": {"a": {"status": "done", "value": f"with {CANARY} inside", "blocks": []}},
        "choices": {"sw": 1},
        "in_doubt": ("w",),
        "spent_seconds": 1.5,
    }
    return Checkpoint(execution, {"id": "c", "steps": []}, {"language": "fr"}, **values | changes)


def files_in(path: Path) -> list[str]:
    return sorted(file.name for file in (path / "checkpoints").iterdir())


async def test_it_comes_back_exactly_after_a_restart(tmp_path: Path) -> None:
    assert await folder_of(tmp_path).save(checkpoint())

    assert await folder_of(tmp_path).load("exec_1") == checkpoint()


async def test_no_secret_and_no_other_reader_on_the_disk(tmp_path: Path) -> None:
    await folder_of(tmp_path).save(checkpoint())

    (file,) = (tmp_path / "checkpoints").iterdir()
    assert CANARY.encode() not in file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_a_secret_that_is_gone_is_said(tmp_path: Path) -> None:
    await folder_of(tmp_path).save(checkpoint())

    with pytest.raises(JournalError, match="secret that is not configured any more"):
        await folder_of(tmp_path, secrets=()).load("exec_1")


async def test_only_one_may_play_it_on(tmp_path: Path) -> None:
    one, other = folder_of(tmp_path), folder_of(tmp_path)
    await one.save(checkpoint())

    assert [await one.claim("exec_1"), await other.claim("exec_1")] == [checkpoint(), None]
    assert await other.load("exec_1") is None


async def test_who_takes_it_gets_it_as_it_is_then(tmp_path: Path) -> None:
    one, other = folder_of(tmp_path), folder_of(tmp_path)
    await one.save(checkpoint())
    await other.load("exec_1")
    await one.claim("exec_1")
    await one.save(checkpoint(spent_seconds=2.0))

    assert await other.claim("exec_1") == checkpoint(spent_seconds=2.0)


async def test_one_that_cannot_be_read_stays_for_who_can(tmp_path: Path) -> None:
    await folder_of(tmp_path).save(checkpoint())

    with pytest.raises(JournalError, match="secret"):
        await folder_of(tmp_path, secrets=()).claim("exec_1")

    assert await folder_of(tmp_path).claim("exec_1") == checkpoint()


async def test_one_that_failed_again_can_be_played_on_again(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    await folder.save(checkpoint())
    await folder.claim("exec_1")
    await folder.save(checkpoint(spent_seconds=2.0))

    assert files_in(tmp_path) == ["exec_1.json"]
    await folder.claim("exec_1")
    await folder.discard("exec_1")
    assert files_in(tmp_path) == []


async def test_one_too_large_is_refused(tmp_path: Path) -> None:
    assert not await folder_of(tmp_path, most_bytes=100).save(checkpoint())


@pytest.mark.parametrize("execution_id", ["../../etc/passwd", "", "a/b", "x" * 200, "nul\0"])
async def test_an_id_that_was_never_given_leads_nowhere(tmp_path: Path, execution_id: str) -> None:
    folder = folder_of(tmp_path)

    assert await folder.load(execution_id) is None
    assert not await folder.claim(execution_id)
    await folder.discard(execution_id)


async def test_old_ones_and_the_oldest_of_too_many_go(tmp_path: Path) -> None:
    clock = FakeClock(100 * DAY)
    folder = folder_of(tmp_path, clock=clock, most=2)
    for number, age_days in enumerate((9, 3, 2, 1)):
        await folder.save(checkpoint(f"exec_{number}"))
        moment = clock.now() - age_days * DAY
        os.utime(tmp_path / "checkpoints" / f"exec_{number}.json", (moment, moment))
    assert await folder.load("exec_0") is None  # too old, swept or not

    clock.time += 3600
    await folder.save(checkpoint("exec_new"))

    assert files_in(tmp_path) == ["exec_2.json", "exec_3.json", "exec_new.json"]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"format": 99}', b"\xff\xfe"])
async def test_a_damaged_file_is_a_clear_error(tmp_path: Path, data: bytes) -> None:
    folder = folder_of(tmp_path)
    await folder.save(checkpoint())
    path = tmp_path / "checkpoints" / "exec_1.json"
    moment = path.stat().st_mtime
    path.write_bytes(data)
    os.utime(path, (moment, moment))

    with pytest.raises(JournalError, match="cannot be read"):
        await folder.load("exec_1")


async def test_a_folder_that_cannot_be_written_is_no_error_of_the_execution(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("in the way")

    assert not await folder_of(tmp_path).save(checkpoint())
