"""The whole product as a server: `podium serve` over real upstreams, for the official client."""

import json
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import PIPE

import anyio
import pytest
import yaml
from mcp import Client, StdioServerParameters

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

FAULTY = Path(__file__).parents[1] / "upstreams" / "faulty_server.py"
COMPOSITION = {
    "id": "read_all",
    "name": "Read all files",
    "description": "Read every file of the folder.",
    "intent_type": "read_all",
    "tool": True,
    "input_schema": {"type": "object", "properties": {"limit": {"type": "integer"}}},
    "steps": [
        {"id": "list", "server_id": "files", "tool_id": "list_directory"},
        {
            "id": "read",
            "server_id": "files",
            "tool_id": "read_file",
            "iterations": "list.files",
            "input_mapping": {"file_path": "list.files[i]"},
        },
    ],
    "output": {"names": "list.files", "message": "'read ' & $count(list.files)"},
}
PATTERNS = {"patterns": [{"name": "read_all", "regex": "^(?:read|lis) tout$"}]}


@pytest.fixture
def workspace(tmp_path):
    documents = tmp_path / "documents"
    documents.mkdir()
    for name in ("a.txt", "b.txt"):
        (documents / name).write_text(f"text of {name}", encoding="utf-8")
    files = ["-m", "podium.interfaces.files_server", str(documents)]
    config = {
        "mcpServers": {
            "files": {"command": sys.executable, "args": files},
            "slow": {
                "command": sys.executable,
                "args": [str(FAULTY), "hangs", str(tmp_path / "heard")],
            },
        },
        "expose": ["files.read_*"],
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    for folder, name, content in (
        ("patterns", "all.json", PATTERNS),
        ("compositions/templates", "read_all.json", COMPOSITION),
    ):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / name).write_text(json.dumps(content), encoding="utf-8")
    return tmp_path


@asynccontextmanager
async def podium(way, era, workspace):
    mode = {"handshake": "legacy", "modern": "auto"}[era]
    arguments = ["-m", "podium", "serve", "--workspace", str(workspace)]
    if way == "stdio":
        command = StdioServerParameters(command=sys.executable, args=arguments)
        async with Client(command, mode=mode) as client:
            yield client
        return
    command = [sys.executable, *arguments, "--http", "--port", "0"]
    async with await anyio.open_process(command, stdout=None, stderr=PIPE) as child:
        try:
            said = b""
            with anyio.fail_after(20):
                while b"/mcp" not in said:
                    said += await child.stderr.receive()
            async with Client(said.split()[-1].decode(), mode=mode) as client:
                yield client
        finally:
            child.terminate()


@pytest.mark.parametrize("way", ["stdio", "http"])
async def test_requests_compositions_and_tools_work_over_real_upstreams(way, era, workspace):
    told = []

    async def hear(progress, total, message):
        told.append((progress, total, message))

    async with podium(way, era, workspace) as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        asked = await client.call_tool("process_request", {"request": "Lis tout !"})
        played = await client.call_tool("read_all", {}, progress_callback=hear)
        called = await client.call_tool("files__read_file", {"file_path": "a.txt"})
        found = await client.call_tool("search_tools", {"query": "read a text file"})
        shown = await client.call_tool(
            "get_execution", {"execution_id": asked.structured_content["execution_id"]}
        )

    assert tools[-2:] == ["read_all", "files__read_file"]
    assert asked.content[0].text == "read 2"
    assert asked.structured_content["data"]["result"]["names"] == ["a.txt", "b.txt"]
    assert played.structured_content["status"] == "success"
    assert told == sorted(told)
    assert told[-1][:2] == (2.0, 2.0)
    assert "text of a.txt" in called.content[0].text
    assert found.structured_content["tools"][0]["tool_id"] == "read_file"
    assert shown.structured_content["execution"]["status"] == "success"


@pytest.mark.parametrize("way", ["stdio", "http"])
async def test_a_client_that_gives_up_cancels_the_call_at_the_upstream(way, era, workspace):
    heard = workspace / "heard"

    async with podium(way, era, workspace) as client:
        async with anyio.create_task_group() as tasks:
            call = {"server_id": "slow", "tool_id": "echo"}
            tasks.start_soon(client.call_tool, "call_tool", call)
            await until_said(heard, "tools/call", within=20)
            tasks.cancel_scope.cancel()

        await until_said(heard, "notifications/cancelled", within=1)


async def until_said(heard, method, *, within):
    with anyio.fail_after(within):
        while method not in said_in(heard):  # noqa: ASYNC110 - a file tells no one that it grew
            await anyio.sleep(0.02)


def said_in(heard):
    return heard.read_text(encoding="utf-8") if heard.exists() else ""
