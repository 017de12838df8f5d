"""The server as a process: both eras on stdio, and clear words when it cannot start."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters

from tests.files_server.caller import Caller

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

COMMAND = ["-m", "podium.interfaces.files_server"]


async def test_it_serves_both_eras_over_stdio(served: Path, era: Any) -> None:
    server = StdioServerParameters(command=sys.executable, args=[*COMMAND, str(served)])

    with anyio.fail_after(30):
        async with Client(server, mode=era) as client:
            files = Caller(client)
            tools = (await client.list_tools()).tools
            listed = await files.result("list_directory", directory="sub")
            read = await files.text("read_file", file_path="notes.md")
            written = await files.result("write_file", file_path="neu/ä.md", text="été")
            error = await files.error("read_file", file_path="../outside.txt")

    assert [tool.name for tool in tools] == [
        "list_directory",
        "read_file",
        "search_files",
        "file_info",
        "write_file",
    ]
    assert listed["files"] == ["sub/deep.md"]
    assert read == "first line\nÉté à Paris\n"
    assert written["created"]
    assert error.startswith("'../outside.txt' is outside the served folder")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "usage: "),
        (["a", "b"], "usage: "),
        (["/nothing/there"], "/nothing/there: cannot be served: No such file or directory"),
    ],
)
def test_what_cannot_be_served_ends_with_two_and_a_sentence(
    arguments: list[str], says: str
) -> None:
    ended = subprocess.run(
        [sys.executable, *COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(says)
    assert "Traceback" not in ended.stderr


def test_it_ends_quietly_with_its_input(served: Path) -> None:
    ended = subprocess.run(
        [sys.executable, *COMMAND, str(served)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_a_client_that_goes_away_in_the_middle_of_an_answer_leaves_no_traceback(
    served: Path,
) -> None:
    (served / "large.md").write_text("x" * 3_000_000)
    call = {"name": "read_file", "arguments": {"file_path": "large.md"}}
    hello = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }
    process = subprocess.Popen(
        [sys.executable, *COMMAND, str(served)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        for message in (
            {"id": 1, "method": "initialize", "params": hello},
            {"method": "notifications/initialized"},
            {"id": 2, "method": "tools/call", "params": call},
        ):
            process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
            process.stdin.flush()
        process.stdout.readline()
        process.stdout.read(1_000)  # the beginning of the large answer
        process.stdout.close()
        process.stdin.close()

        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.wait(timeout=30) == 0
