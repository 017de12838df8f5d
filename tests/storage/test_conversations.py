"""Every store of conversations alike: SQLite, the fake, a memory server, faked and real."""

import sqlite3
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from podium.domain.breaker import BreakerRules
from podium.domain.conversation import Conversation, ConversationBounds, Turn
from podium.domain.errors import PodiumError
from podium.domain.limits import Limits
from podium.domain.ports import Conversations
from podium.domain.redaction import Redactor
from podium.storage.conversations import SqliteConversations
from podium.storage.eras import EraFile
from podium.storage.journal import SqliteJournal
from podium.storage.memory_server import MemoryServerConversations
from podium.storage.pins import PinFile
from podium.storage.system import SystemClock
from podium.testing import FakeClock, FakeUpstreams, MemoryConversations
from podium.upstreams.pool import UpstreamPool
from podium.upstreams.settings import UpstreamSettings
from tests.servers import need_npm_server

pytestmark = pytest.mark.anyio

BOUNDS = ConversationBounds(ttl_seconds=100, per_user=3, in_all=5)
REDACTOR = Redactor(["hunter22"])


class FakeMemoryServer:
    """The tools of the official memory server, as far as they are used, over a dict."""

    def __init__(self) -> None:
        self.entities: dict[str, dict[str, Any]] = {}
        self.upstreams = FakeUpstreams()
        for name in ("create_entities", "add_observations", "delete_observations", "open_nodes",
                     "search_nodes", "delete_entities"):  # fmt: skip
            self.upstreams.add(f"memory.{name}", getattr(self, name), effects="write")

    async def create_entities(self, arguments: dict[str, Any]) -> Any:
        for entity in arguments["entities"]:
            self.entities.setdefault(entity["name"], entity)
        return {"entities": arguments["entities"]}

    async def add_observations(self, arguments: dict[str, Any]) -> Any:
        for each in arguments["observations"]:
            self.entities[each["entityName"]]["observations"] += each["contents"]
        return {"results": []}

    async def delete_observations(self, arguments: dict[str, Any]) -> Any:
        for each in arguments["deletions"]:
            entity = self.entities[each["entityName"]]
            kept = [o for o in entity["observations"] if o not in each["observations"]]
            entity["observations"] = kept
        return {"success": True}

    async def open_nodes(self, arguments: dict[str, Any]) -> Any:
        found = [self.entities[name] for name in arguments["names"] if name in self.entities]
        return {"entities": [{**e, "observations": [*e["observations"]]} for e in found],
                "relations": []}  # fmt: skip

    async def search_nodes(self, arguments: dict[str, Any]) -> Any:
        found = [e for e in self.entities.values() if arguments["query"] in str(e)]
        return {"entities": found, "relations": []}

    async def delete_entities(self, arguments: dict[str, Any]) -> Any:
        for name in arguments["entityNames"]:
            self.entities.pop(name, None)
        return {"success": True}


@asynccontextmanager
async def sqlite(folder: Path, clock: FakeClock) -> AsyncIterator[Conversations]:
    async with SqliteJournal.open(
        folder / "journal.sqlite3", redactor=REDACTOR, limits=Limits()
    ) as journal:
        yield SqliteConversations(journal.writer, clock=clock, redactor=REDACTOR, bounds=BOUNDS)


@asynccontextmanager
async def fake_server(_: Path, clock: FakeClock) -> AsyncIterator[Conversations]:
    yield MemoryServerConversations(
        FakeMemoryServer().upstreams, "memory", clock=clock, redactor=REDACTOR, bounds=BOUNDS
    )


@asynccontextmanager
async def npm_server(folder: Path, clock: FakeClock) -> AsyncIterator[Conversations]:
    command, *args = need_npm_server("memory")
    server = UpstreamSettings(
        server_id="memory",
        command=command,
        args=tuple(args),
        env={"MEMORY_FILE_PATH": str(folder / "memory.json")},
        cwd=folder,
    )
    async with UpstreamPool(
        [server],
        eras=EraFile(folder / "eras.json"),
        pins=PinFile(folder / "pins.json"),
        clock=SystemClock(),
        limits=Limits(),
        redactor=REDACTOR,
        rules=BreakerRules(),
    ) as pool:
        yield MemoryServerConversations(
            pool, "memory", clock=clock, redactor=REDACTOR, bounds=BOUNDS
        )


STORES = [
    pytest.param(sqlite, id="sqlite"),
    pytest.param(fake_server, id="fake memory server"),
    pytest.param(npm_server, id="npm memory server", marks=pytest.mark.slow),
]


def all_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


def state(**variables: Any) -> Conversation:
    return Conversation(variables=variables)


@pytest.mark.parametrize("open_store", STORES)
async def test_a_store_keeps_states_by_person_and_conversation(
    tmp_path: Path, open_store: Any
) -> None:
    async with open_store(tmp_path, FakeClock()) as store:
        empty = await store.load("ana", "c1")
        saved = await store.save("ana", "c1", state(a="été \ud800 œ"), 0)
        await store.save("ana", "c2", state(b=2), 0)
        again = await store.save("ana", "c1", state(a=2), 1)

        assert empty == (Conversation(), 0)
        assert (saved, again) == (True, True)
        assert await store.load("ana", "c1") == (state(a=2), 2)
        assert await store.load("ana", "c2") == (state(b=2), 1)
        for user, conversation in (("bob", "c1"), ("", "c1"), ("anac", "1"), ("ana", "")):
            assert await store.load(user, conversation) == (Conversation(), 0)


@pytest.mark.parametrize("open_store", STORES)
async def test_a_save_over_a_state_one_has_not_seen_is_refused(
    tmp_path: Path, open_store: Any
) -> None:
    async with open_store(tmp_path, FakeClock()) as store:
        await store.save("ana", "c1", state(a=1), 0)

        assert not await store.save("ana", "c1", state(a=2), 0)
        assert not await store.save("ana", "c1", state(a=2), 2)
        assert not await store.save("ana", "never", state(a=2), 7)
        assert await store.load("ana", "c1") == (state(a=1), 1)


@pytest.mark.parametrize("open_store", STORES)
async def test_of_many_saves_of_one_version_one_is_taken(tmp_path: Path, open_store: Any) -> None:
    outcomes: list[bool] = []

    async def save(number: int) -> None:
        outcomes.append(await store.save("ana", "c1", state(n=number), 0))

    async with open_store(tmp_path, FakeClock()) as store:
        async with anyio.create_task_group() as tasks:
            for number in range(8):
                tasks.start_soon(save, number)
        _, version = await store.load("ana", "c1")

    assert (sum(outcomes), version) == (1, 1)


@pytest.mark.parametrize("open_store", STORES)
async def test_what_is_too_old_counts_as_empty_and_is_swept(
    tmp_path: Path, open_store: Any
) -> None:
    clock = FakeClock()
    async with open_store(tmp_path, clock) as store:
        await store.save("ana", "c1", state(a=1), 0)
        await store.save("ana", "c2", state(a=1), 0)
        clock.time += 101
        old, version = await store.load("ana", "c1")
        renewed = await store.save("ana", "c1", state(a=2), version)

        assert (old, renewed) == (Conversation(), True)
        assert await store.sweep() == 1
        assert await store.load("ana", "c1") == (state(a=2), 2)
        assert await store.load("ana", "c2") == (Conversation(), 0)


@pytest.mark.parametrize("open_store", STORES)
async def test_the_oldest_beyond_the_bounds_go(tmp_path: Path, open_store: Any) -> None:
    clock = FakeClock()

    async def kept(user: str, count: int) -> list[int]:
        loaded = [(await store.load(user, f"c{n}"))[1] for n in range(count)]
        return [number for number, version in enumerate(loaded) if version]

    async with open_store(tmp_path, clock) as store:
        for number in range(5):
            clock.time += 1
            await store.save("ana", f"c{number}", state(), 0)
        await store.sweep()
        of_ana = await kept("ana", 5)
        for number in range(5):
            clock.time += 1
            await store.save("", f"c{number}", state(), 0)
        await store.sweep()

        assert of_ana == [2, 3, 4]
        assert (await kept("ana", 5), await kept("", 5)) == ([], [0, 1, 2, 3, 4])


@pytest.mark.parametrize("open_store", STORES)
async def test_secrets_are_not_kept(tmp_path: Path, open_store: Any) -> None:
    async with open_store(tmp_path, FakeClock()) as store:
        await store.save("ana", "c1", state(a="my hunter22", hunter22=1), 0)
        kept, _ = await store.load("ana", "c1")

    assert kept == state(**{"a": "my [redacted]", "[redacted]": 1})
    assert b"hunter22" not in all_bytes(tmp_path)


async def test_what_another_process_has_saved_counts(tmp_path: Path) -> None:
    clock = FakeClock()
    async with sqlite(tmp_path, clock) as mine, sqlite(tmp_path, clock) as theirs:
        await mine.save("ana", "c1", state(a=1), 0)
        await theirs.save("ana", "c1", state(a=2), 1)

        assert await mine.load("ana", "c1") == (state(a=2), 2)


async def test_a_conversation_that_another_process_has_begun_anew_is_the_new_one(
    tmp_path: Path,
) -> None:
    clock = FakeClock()
    async with sqlite(tmp_path, clock) as mine, sqlite(tmp_path, clock) as theirs:
        await mine.save("ana", "c1", state(a=1), 0)
        clock.time += 101
        await theirs.sweep()
        await theirs.save("ana", "c1", state(a=2), 0)

        assert await mine.load("ana", "c1") == (state(a=2), 1)


async def test_what_is_done_to_a_state_afterwards_is_not_kept(tmp_path: Path) -> None:
    async with sqlite(tmp_path, FakeClock()) as store:
        saved = Conversation(
            turns=(Turn(number=1, request="r", text="r", status="success", params={"p": [1]}),),
            variables={"a": {"b": [1]}},
        )
        await store.save("ana", "c1", saved, 0)
        saved.variables["a"]["b"].append(2)
        loaded, _ = await store.load("ana", "c1")
        loaded.turns[0].params["p"].append(2)
        loaded.variables["a"]["b"].append(3)
        again, _ = await store.load("ana", "c1")

    assert (again.variables, again.turns[0].params) == ({"a": {"b": [1]}}, {"p": [1]})


async def test_the_file_is_private_and_does_not_name_who_talked(tmp_path: Path) -> None:
    async with sqlite(tmp_path, FakeClock()) as store:
        await store.save("ana@example.org", "c1", state(a=1), 0)

    file = tmp_path / "journal.sqlite3"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert b"ana@example.org" not in file.read_bytes()


async def test_a_state_that_cannot_be_read_is_an_empty_one_that_can_be_replaced(
    tmp_path: Path,
) -> None:
    async with sqlite(tmp_path, FakeClock()) as store:
        await store.save("ana", "c1", state(a=1), 0)
    with sqlite3.connect(tmp_path / "journal.sqlite3") as connection:
        connection.execute("UPDATE conversations SET state = '{broken'")
    connection.close()

    async with sqlite(tmp_path, FakeClock()) as store:
        assert await store.load("ana", "c1") == (Conversation(), 1)
        assert await store.save("ana", "c1", state(a=2), 1)


async def test_a_journal_of_the_version_before_gets_its_table(tmp_path: Path) -> None:
    async with sqlite(tmp_path, FakeClock()):
        pass
    with sqlite3.connect(tmp_path / "journal.sqlite3") as connection:
        connection.execute("DROP TABLE conversations")
        connection.execute("PRAGMA user_version = 2")
    connection.close()

    async with sqlite(tmp_path, FakeClock()) as store:
        assert await store.save("ana", "c1", state(a=1), 0)


async def test_a_memory_server_that_fails_is_an_error_of_the_store() -> None:
    upstreams = FakeUpstreams()
    store = MemoryServerConversations(
        upstreams, "memory", clock=FakeClock(), redactor=REDACTOR, bounds=BOUNDS
    )

    with pytest.raises(PodiumError):
        await store.load("ana", "c1")
    with pytest.raises(PodiumError):
        await store.save("ana", "c1", state(), 0)


async def test_what_others_wrote_into_the_entity_counts_for_nothing() -> None:
    server = FakeMemoryServer()
    store = MemoryServerConversations(
        server.upstreams, "memory", clock=FakeClock(), redactor=REDACTOR, bounds=BOUNDS
    )
    await store.save("ana", "c1", state(a=1), 0)
    (entity,) = server.entities.values()
    entity["observations"] += ["a note", "[1, 2]", '{"version": "x"}', "{"]

    loaded = await store.load("ana", "c1")
    await store.save("ana", "c1", state(a=2), 1)

    assert loaded == (state(a=1), 1)
    assert await store.load("ana", "c1") == (state(a=2), 2)
    assert len(entity["observations"]) == 1


async def test_the_fake_store_behaves_the_same() -> None:
    clock = FakeClock()
    store = MemoryConversations(clock, BOUNDS)
    await store.save("ana", "c1", state(a=1), 0)

    assert not await store.save("ana", "c1", state(a=2), 0)
    assert await store.load("bob", "c1") == (Conversation(), 0)
    clock.time += 101
    assert await store.load("ana", "c1") == (Conversation(), 1)
    assert await store.sweep() == 1
