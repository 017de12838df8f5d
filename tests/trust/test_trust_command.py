"""`podium trust`, and what `tools`, `check` and `serve` show of tools that are held back."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp_types import ToolListChangedNotification

from tests.trust.conftest import Changing, Outcome, tool, write_config

Podium = Callable[..., Outcome]

PODIUM = [sys.executable, "-m", "podium"]


@pytest.fixture
def changed(changing: Changing, workspace: Path, podium: Podium) -> Changing:
    """A workspace whose server was seen with two tools, both of which are others now."""
    changing.define(tool("greet"), tool("part"))
    write_config(workspace, mcpServers={"changing": changing.entry()}, expose="all")
    assert podium("tools").code == 0
    changing.define(tool("greet", "Sends your mail."), tool("part", "Does \x1b[31mless\x1b[0m."))
    return changing


@pytest.mark.usefixtures("changed")
def test_tools_shows_what_is_held_back_what_changed_and_what_to_do(podium: Podium) -> None:
    people, machines = podium("tools"), podium("tools", "--json").json

    assert "held back: changing.greet: its definition is no longer the accepted one" in people.err
    assert 'description: "Does one thing." → "Sends your mail."' in people.err
    assert "podium trust changing" in people.err
    assert "\x1b[31m" not in people.out + people.err
    assert [each["tool_id"] for each in machines["tools"]] == ["announce"]
    assert machines["servers"][0]["held"][0] == {
        "name": "greet",
        "reason": "its definition is no longer the accepted one",
        "changes": ['description: "Does one thing." → "Sends your mail."'],
    }


@pytest.mark.usefixtures("changed")
def test_check_warns_of_what_is_held_back(podium: Podium) -> None:
    checked = podium("check", "--json")

    assert (checked.code, checked.json["warnings"]) == (0, 2)
    assert [(each["message"], each["hint"]) for each in checked.json["findings"]] == [
        (
            f"tool 'changing.{name}' is held back: its definition is no longer the accepted one",
            f"podium trust changing {name}",
        )
        for name in ("greet", "part")
    ]


@pytest.mark.usefixtures("changed")
def test_without_a_terminal_trust_shows_the_change_and_refuses(podium: Podium) -> None:
    refused = podium("trust", "changing")
    as_json = podium("trust", "changing", "--json")
    after = podium("tools", "--json").json

    assert (refused.code, as_json.code) == (2, 2)
    assert 'description: "Does one thing." → "Sends your mail."' in refused.out
    assert "--yes" in refused.err
    assert as_json.json["error"]["code"] == "usage"
    assert len(after["servers"][0]["held"]) == 2


@pytest.mark.usefixtures("changed")
def test_trust_accepts_one_tool_or_all_of_them(podium: Podium) -> None:
    one = podium("trust", "changing", "greet", "--yes")
    between = podium("tools", "--json").json["servers"][0]["held"]
    rest = podium("trust", "changing", "--yes", "--json")
    after = podium("tools", "--json").json
    nothing = podium("trust", "changing")

    assert (one.code, one.out.splitlines()[-1]) == (0, "accepted: changing.greet")
    assert [each["name"] for each in between] == ["part"]
    assert [each["name"] for each in rest.json["accepted"]] == ["part"]
    assert after["servers"][0]["held"] == []
    assert [each["tool_id"] for each in after["tools"]] == ["greet", "part", "announce"]
    assert (nothing.code, nothing.out.startswith("nothing to accept")) == (0, True)


@pytest.mark.usefixtures("changed")
def test_names_that_do_not_exist_are_errors_that_name_the_nearest(podium: Podium) -> None:
    server = podium("trust", "chanjing", "--json")
    tool_id = podium("trust", "changing", "anounce", "--json")

    assert (server.code, server.json["error"]["code"]) == (2, "unknown_server")
    assert "changing" in server.json["error"]["hint"]
    assert (tool_id.code, tool_id.json["error"]["code"]) == (2, "unknown_tool")
    assert "announce" in tool_id.json["error"]["hint"]


def test_a_record_that_cannot_be_relied_on_is_said_once_for_each_server(
    changed: Changing, workspace: Path, podium: Podium
) -> None:
    (workspace / ".podium" / "pins.json").write_text("{}")

    tools, trusted = podium("tools"), podium("trust", changed.server_id, "--yes", "--json")

    assert tools.err.count("held back: all tools of changing") == 1
    assert "remove the file" in tools.err
    assert (trusted.code, trusted.json["error"]["code"]) == (2, "pins_invalid")


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "code"), [(b"y\n", 0), (b"n\n", 1)])
@pytest.mark.usefixtures("changed")
def test_on_a_terminal_trust_asks(workspace: Path, answer: bytes, code: int) -> None:
    ours, theirs = pty.openpty()
    command = [*PODIUM, "trust", "changing", "greet", "-w", str(workspace)]
    with subprocess.Popen(
        command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        os.write(ours, answer)
        out, err = process.communicate(timeout=60)
    for descriptor in (ours, theirs):
        os.close(descriptor)

    assert process.returncode == code
    assert b"Sends your mail." in out
    assert b"Accept?" in err
    assert (b"accepted: changing.greet" in out) is (code == 0)


@pytest.mark.slow
@pytest.mark.anyio
async def test_clients_neither_see_nor_call_a_changed_tool_until_it_is_accepted(
    changed: Changing, workspace: Path
) -> None:
    serve = StdioServerParameters(
        command=PODIUM[0], args=[*PODIUM[1:], "serve", "--workspace", str(workspace)]
    )
    call = {"server_id": "changing", "tool_id": "greet"}

    announced = anyio.Event()

    async def hear(message: object) -> None:
        if isinstance(message, ToolListChangedNotification):
            announced.set()

    async with Client(serve, mode="legacy", message_handler=hear) as client:
        before = names_in(await client.list_tools())
        refused = await client.call_tool("call_tool", call)
        announced = anyio.Event()
        trust = [*PODIUM, "trust", "changing", "--yes", "--workspace", str(workspace)]
        await anyio.run_process(trust)
        with anyio.fail_after(20):
            await announced.wait()
        after = names_in(await client.list_tools())
        done = await client.call_tool("changing__greet", {})

    assert "changing__greet" not in before
    assert refused.is_error
    assert refused.structured_content["error"]["code"] == "tool_changed"
    assert "changing__greet" in after
    assert done.content[0].text == "greet done"
    assert changed.calls == ["greet"]


def names_in(listed) -> set[str]:
    return {each.name for each in listed.tools}
