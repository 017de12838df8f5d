"""The memory of protocol eras is shared, private, and never in the way."""

import json
import stat
from pathlib import Path
from threading import Thread

import pytest

from podium.domain.ports import EraMemory
from podium.storage.eras import EraFile

ERA = {"mode": "2026-07-28", "discover": {"serverInfo": {"name": "git"}}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".podium" / "eras.json"


def test_an_era_is_recalled_by_a_later_start(path: Path) -> None:
    memory: EraMemory = EraFile(path)
    memory.remember("git", "print", ERA)

    assert EraFile(path).recall("git", "print") == ERA


def test_a_changed_server_is_asked_again(path: Path) -> None:
    memory = EraFile(path)
    memory.remember("git", "print", ERA)

    assert memory.recall("git", "other print") is None
    assert memory.recall("time", "print") is None


def test_two_processes_add_to_each_other(path: Path) -> None:
    EraFile(path).remember("git", "1", ERA)
    EraFile(path).remember("time", "2", {"mode": "legacy"})

    assert EraFile(path).recall("git", "1") == ERA
    assert EraFile(path).recall("time", "2") == {"mode": "legacy"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"git": 3}',
        b'{"git": {"fingerprint": "print"}}',
        b'{"git": {"fingerprint": "print", "era": []}}',
        b"[" * 100_000,
    ],
)
def test_a_broken_file_is_forgotten_and_replaced(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    memory = EraFile(path)

    assert memory.recall("git", "print") is None
    memory.remember("git", "print", ERA)
    assert memory.recall("git", "print") == ERA


def test_failing_to_remember_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    memory = EraFile(tmp_path / "file" / "eras.json")

    memory.remember("git", "print", ERA)
    EraFile(tmp_path / "eras.json").remember("git", "print", {"odd": object()})

    assert memory.recall("git", "print") is None
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file"]


def test_only_the_owner_may_read_it(path: Path) -> None:
    EraFile(path).remember("git", "print", ERA)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_what_is_known_already_is_not_written_again(path: Path) -> None:
    memory = EraFile(path)
    memory.remember("git", "print", ERA)
    before = path.stat()

    memory.remember("git", "print", ERA)

    assert path.stat().st_ino == before.st_ino


def test_writers_at_the_same_moment_leave_a_whole_file(path: Path) -> None:
    def fill(name: str) -> None:
        for number in range(30):
            EraFile(path).remember(f"{name}{number}", "print", ERA)

    threads = [Thread(target=fill, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert json.loads(path.read_bytes())
    assert [file.name for file in path.parent.iterdir()] == ["eras.json"]
