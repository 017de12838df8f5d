"""The result cache gives back what was put in, and never costs more than a call."""

import os
import pickle
import sqlite3
import stat
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.domain.tool import ToolResult
from podium.storage.result_cache import DiskResultCache
from podium.testing import FakeClock

pytestmark = pytest.mark.anyio

RESULT = ToolResult(
    content=({"type": "text", "text": "é\n"},),
    structured={"n": [1, 2.5, None]},
    has_structured=True,
)


def open_cache(
    folder: Path, clock: FakeClock, *, value_bytes: int = 100_000, size_bytes: int = 10_000_000
) -> AbstractAsyncContextManager[DiskResultCache]:
    return DiskResultCache.open(
        folder, size_bytes=size_bytes, value_bytes=value_bytes, now=clock.now
    )


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(time.time())  # the file itself forgets by the real time


@pytest.fixture
async def cache(tmp_path: Path, clock: FakeClock) -> AsyncIterator[DiskResultCache]:
    async with open_cache(tmp_path / "cache", clock) as opened:
        yield opened


async def test_what_was_kept_comes_back_until_it_is_too_old(
    cache: DiskResultCache, clock: FakeClock
) -> None:
    await cache.put("k", RESULT, 60)

    clock.time += 59
    assert await cache.get("k") == RESULT
    clock.time += 1
    assert await cache.get("k") is None


async def test_it_survives_a_restart(tmp_path: Path, clock: FakeClock) -> None:
    async with open_cache(tmp_path / "c", clock) as first:
        await first.put("k", RESULT, 60)

    async with open_cache(tmp_path / "c", clock) as second:
        assert await second.get("k") == RESULT
        assert await second.get("other") is None


async def test_a_result_too_large_is_not_kept(tmp_path: Path, clock: FakeClock) -> None:
    async with open_cache(tmp_path / "c", clock, value_bytes=10) as cache:
        await cache.put("k", RESULT, 60)

        assert await cache.get("k") is None


async def test_nothing_is_made_on_disk_until_something_is_kept(
    cache: DiskResultCache, tmp_path: Path
) -> None:
    assert await cache.get("k") is None
    assert not (tmp_path / "cache").exists()


async def test_only_its_owner_may_look_into_the_folder(
    cache: DiskResultCache, tmp_path: Path
) -> None:
    await cache.put("k", RESULT, 60)

    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700


async def test_a_corrupt_file_is_rebuilt_and_serves_again(tmp_path: Path, clock: FakeClock) -> None:
    folder = tmp_path / "c"
    async with open_cache(folder, clock) as cache:
        await cache.put("k", RESULT, 60)
    for file in folder.glob("cache.db*"):
        file.write_bytes(b"this is no database, but it is long enough to be looked at" * 100)

    async with open_cache(folder, clock) as cache:
        assert await cache.get("k") is None
        await cache.put("k", RESULT, 60)
    async with open_cache(folder, clock) as cache:
        assert await cache.get("k") == RESULT


class _Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


async def test_a_pickle_that_somebody_put_there_is_never_loaded(
    tmp_path: Path, clock: FakeClock
) -> None:
    folder, proof = tmp_path / "c", tmp_path / "proof"
    async with open_cache(folder, clock) as cache:
        await cache.put("k", RESULT, 60)
    connection = sqlite3.connect(folder / "cache.db")
    connection.execute("UPDATE Cache SET mode = 4, value = ?", (pickle.dumps(_Bomb(proof)),))
    connection.commit()
    connection.close()

    async with open_cache(folder, clock) as cache:
        assert await cache.get("k") is None
    assert not proof.exists()


async def test_a_folder_that_cannot_be_made_costs_nothing_but_the_cache(
    tmp_path: Path, clock: FakeClock
) -> None:
    (tmp_path / "file").write_text("in the way")
    async with open_cache(tmp_path / "file" / "c", clock) as cache:
        await cache.put("k", RESULT, 60)

        assert await cache.get("k") == RESULT  # from memory
        assert await cache.get("other") is None


async def test_the_file_stays_within_its_bound(tmp_path: Path, clock: FakeClock) -> None:
    folder = tmp_path / "c"
    async with open_cache(folder, clock, size_bytes=300_000) as cache:
        for number in range(400):  # 16 MB
            noise = os.urandom(20_000).hex()
            await cache.put(f"k{number}", ToolResult(structured=noise, has_structured=True), 60)

    kept = sum(file.stat().st_size for file in folder.rglob("*") if "-wal" not in file.name)
    assert kept < 1_000_000


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=25, deadline=None)
@given(value=_JSON)
async def test_any_json_comes_back_as_it_was(
    value: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, clock = tmp_path_factory.mktemp("cache"), FakeClock(4_000_000_000.0)
    result = ToolResult(structured=value, has_structured=True)
    async with open_cache(folder, clock) as cache:
        await cache.put("k", result, 3600)
    async with open_cache(folder, clock) as cache:
        assert await cache.get("k") == result
