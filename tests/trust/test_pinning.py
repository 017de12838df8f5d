"""Tools that are not what they were: held back wherever they show up, until somebody accepts."""

import json
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from podium.domain.errors import PinsInvalidError, ToolChangedError
from podium.storage.pins import PinFile
from tests.trust.conftest import Changing, PoolMaker, tool

pytestmark = pytest.mark.anyio

GREET = tool("greet")
CASES: list[dict[str, Any]] = json.loads(Path(__file__).with_name("changed.json").read_text())


async def test_a_tool_is_accepted_when_it_is_first_seen_and_its_whole_definition_is_kept(
    changing: Changing, pool_of: PoolMaker, pins_file: Path
) -> None:
    changing.define({**GREET, "vendor": {"kept": True}})

    async with pool_of(changing.settings()) as pool:
        answer = await pool.call_tool("changing", "greet", {})

    pin = PinFile(pins_file).of("changing")["greet"]
    assert answer.text == "greet done"
    assert pin.definition == {**GREET, "vendor": {"kept": True}}
    assert mode_of(pins_file) == 0o600


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
async def test_whatever_changes_in_a_definition_holds_the_tool_back_and_shows(
    changing: Changing, pool_of: PoolMaker, case: dict[str, Any]
) -> None:
    changing.define(case["before"])
    async with pool_of(changing.settings()) as pool:
        await pool.start_all()
    changing.define(case["after"])

    async with pool_of(changing.settings()) as pool:
        matches = await pool.search("", 10)
        with pytest.raises(ToolChangedError) as caught:
            await pool.call_tool("changing", "greet", {})
        (status,) = pool.statuses()

    assert [match.tool.name for match in matches] == ["announce"]
    assert changing.calls == []
    assert caught.value.code == "tool_changed"
    assert caught.value.hint.endswith("podium trust changing greet")
    assert [(held.name, list(held.changes)) for held in status.held] == [("greet", case["changes"])]


async def test_the_order_of_keys_is_no_change(changing: Changing, pool_of: PoolMaker) -> None:
    async with pool_of(changing.settings()) as pool:
        await pool.start_all()
    changing.define(dict(reversed(GREET.items())))

    async with pool_of(changing.settings()) as pool:
        answer = await pool.call_tool("changing", "greet", {})

    assert answer.text == "greet done"


async def test_a_change_in_the_middle_of_a_run_is_held_back_and_what_was_taken_back_is_not(
    changing: Changing, pool_of: PoolMaker
) -> None:
    async with pool_of(changing.settings()) as pool:
        await pool.call_tool("changing", "greet", {})
        changing.define(tool("greet", "Does something else."))
        await pool.call_tool("changing", "announce", {})
        await until_held(pool, ["greet"])
        with pytest.raises(ToolChangedError):
            await pool.tool("changing", "greet")
        changing.define(GREET)
        await pool.call_tool("changing", "announce", {})
        await until_held(pool, [])
        answer = await pool.call_tool("changing", "greet", {})

    assert answer.text == "greet done"
    assert changing.calls == ["greet", "announce", "announce", "greet"]


async def test_what_changed_while_a_server_slept_is_held_back_when_it_wakes(
    changing: Changing, pool_of: PoolMaker
) -> None:
    async with pool_of(changing.settings(sleep_after_seconds=0.1)) as pool:
        await pool.call_tool("changing", "greet", {})
        with anyio.fail_after(10):
            while pool.statuses()[0].state != "asleep":  # noqa: ASYNC110
                await anyio.sleep(0.02)
        changing.define(tool("greet", "Does something else."))
        with pytest.raises(ToolChangedError):
            await pool.call_tool("changing", "greet", {})

    assert changing.calls == ["greet"]


async def until_held(pool: Any, names: list[str]) -> None:
    with anyio.fail_after(10):
        while [held.name for held in pool.statuses()[0].held] != names:  # noqa: ASYNC110
            await anyio.sleep(0.02)


async def test_what_another_process_accepts_is_let_through_without_a_restart(
    changing: Changing, pool_of: PoolMaker
) -> None:
    async with pool_of(changing.settings()) as pool:
        await pool.start_all()
    changing.define(tool("greet", "Does something else."))

    async with pool_of(changing.settings()) as serving:
        with pytest.raises(ToolChangedError):
            await serving.call_tool("changing", "greet", {})
        async with pool_of(changing.settings()) as trusting:
            trusting.accept("changing", await trusting.held("changing"))
        answer = await serving.call_tool("changing", "greet", {})

    assert answer.text == "greet done"


async def test_only_the_definition_that_was_shown_is_accepted(
    changing: Changing, pool_of: PoolMaker
) -> None:
    async with pool_of(changing.settings()) as pool:
        await pool.start_all()
    changing.define(tool("greet", "Shown."))

    async with pool_of(changing.settings()) as pool:
        shown = await pool.held("changing")
        changing.define(tool("greet", "Slipped in while you read."))
        await pool.call_tool("changing", "announce", {})
        await until_changes(pool, "Slipped in")
        pool.accept("changing", shown)
        (status,) = pool.statuses()

    assert [held.changes for held in status.held] == [
        ('description: "Shown." → "Slipped in while you read."',)
    ]


async def until_changes(pool: Any, words: str) -> None:
    with anyio.fail_after(10):
        while words not in str(pool.statuses()[0].held):  # noqa: ASYNC110
            await anyio.sleep(0.02)


async def test_a_removed_tool_stays_on_record_and_a_new_one_is_accepted(
    changing: Changing, pool_of: PoolMaker
) -> None:
    for tools in ([GREET], [tool("new")], [tool("greet", "Came back different."), tool("new")]):
        changing.define(*tools)
        async with pool_of(changing.settings()) as pool:
            await pool.start_all()
            names = [each.name for each in pool.tools()]

    assert names == ["new", "announce"]


async def test_a_tool_that_is_left_out_is_pinned_all_the_same(
    changing: Changing, pool_of: PoolMaker
) -> None:
    async with pool_of(changing.settings(deny=("greet",))) as pool:
        await pool.start_all()
    changing.define(tool("greet", "Does something else."))

    async with pool_of(changing.settings(deny=("greet",))) as pool:
        await pool.start_all()
        (left_out,) = pool.statuses()
    async with pool_of(changing.settings()) as pool:
        await pool.start_all()
        (offered,) = pool.statuses()

    assert left_out.held == ()
    assert [held.name for held in offered.held] == ["greet"]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "edited": lambda data: data.replace(b"Does one thing", b"Does any thing"),
    "of another shape": lambda _data: b"[]",
    "binary": lambda data: b"\xff\xfe" + data,
    "deep": lambda _data: b"[" * 100_000,
    "of a later format": lambda data: data.replace(b'"format": 1', b'"format": 2'),
}


def damage_file(path: Path, damage: Callable[[bytes], bytes]) -> bytes:
    path.write_bytes(damaged := damage(path.read_bytes()))
    return damaged


def take_away(path: Path) -> bytes:
    data = path.read_bytes()
    path.unlink()
    return data


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
async def test_a_record_that_cannot_be_relied_on_holds_every_tool_back_and_says_how_to_recover(
    changing: Changing, pool_of: PoolMaker, pins_file: Path, damage: Any
) -> None:
    async with pool_of(changing.settings()) as pool:
        await pool.start_all()
    damaged = damage_file(pins_file, damage)

    async with pool_of(changing.settings()) as pool:
        with pytest.raises(PinsInvalidError, match=r"greet' is held back.*pins\.json") as caught:
            await pool.call_tool("changing", "greet", {})
        with pytest.raises(PinsInvalidError):
            await pool.held("changing")
        (status,) = pool.statuses()
        left = take_away(pins_file)
        answer = await pool.call_tool("changing", "greet", {})

    assert "remove the file" in caught.value.hint
    assert [held.name for held in status.held] == ["greet", "announce"]
    assert left == damaged
    assert answer.text == "greet done"


async def test_where_nothing_can_be_written_a_change_is_still_held_back_during_the_run(
    changing: Changing, pool_of: PoolMaker, pins_file: Path
) -> None:
    pins_file.parent.parent.mkdir()
    pins_file.parent.write_text("a file where the folder should be")

    async with pool_of(changing.settings()) as pool:
        await pool.call_tool("changing", "greet", {})
        changing.define(tool("greet", "Does something else."))
        await pool.call_tool("changing", "announce", {})
        await until_held(pool, ["greet"])
        with pytest.raises(ToolChangedError):
            await pool.call_tool("changing", "greet", {})


@pytest.mark.slow
def test_processes_that_pin_at_the_same_moment_lose_nothing(pins_file: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from podium.storage.pins import PinFile; from podium.upstreams.trust import pin_of\n"
        "for number in range(20):\n"
        "    pins = {f'tool{number}': pin_of({'name': sys.argv[2]})}\n"
        "    PinFile(Path(sys.argv[1])).keep(sys.argv[2], pins, replace=False)\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", script, str(pins_file), f"server{number}"])
        for number in range(4)
    ]

    codes = [process.wait(60) for process in running]

    assert codes == [0, 0, 0, 0]
    assert [len(PinFile(pins_file).of(f"server{number}")) for number in range(4)] == [20] * 4
