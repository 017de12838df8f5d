"""The whole product as a server: `podium serve` over real upstreams, for the official client."""

import json
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import PIPE

import anyio
import mcp_types as types
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
WRITE_ONCE_SURE = {
    "id": "write_once_sure",
    "intent_type": "write_once_sure",
    "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}},
    "steps": [
        {"id": "sure", "kind": "confirm", "ask": "'Write ' & path & '?'"},
        {"id": "text", "when": "sure", "ask": "'What shall it say?'"},
        {
            "id": "write",
            "when": "sure",
            "server_id": "files",
            "tool_id": "write_file",
            "input_mapping": {"file_path": "path", "text": "text"},
        },
    ],
    "output": {"message": "write ? 'wrote ' & text & ' to ' & write.file_path : 'left it'"},
}
NESTED = {
    "id": "nested",
    "steps": [
        {
            "id": "each",
            "iterations": "[1, 2]",
            "steps": [
                {
                    "id": "both",
                    "parallel": [
                        {"id": "tried", "try": [
                            {"id": "hang", "server_id": "slow", "tool_id": "echo"},
                        ], "catch": [{}]},
                        {"id": "list", "server_id": "files", "tool_id": "list_directory"},
                    ],
                },
            ],
        },
    ],
}  # fmt: skip
PLAYED = {
    "id": "played",
    "steps": [
        {"id": "list", "server_id": "files", "tool_id": "list_directory"},
        {
            "id": "blocks",
            "steps": [
                {"id": "again", "composition": "read_all"},
                {"id": "count", "transform": "$count(list.files)"},
            ],
        },
    ],
}
PATTERNS = {
    "patterns": [
        {"name": "read_all", "regex": "^(?:read|lis) tout$"},
        {"name": "write_once_sure", "regex": "^write (?P<path>\\S+)$"},
    ]
}


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
        ("compositions/templates", "write_once_sure.json", WRITE_ONCE_SURE),
        ("compositions/templates", "nested.json", NESTED),
        ("compositions/templates", "played.json", PLAYED),
    ):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / name).write_text(json.dumps(content), encoding="utf-8")
    return tmp_path


@asynccontextmanager
async def podium(way, era, workspace, person=None):
    mode = {"handshake": "legacy", "modern": "auto"}[era]
    arguments = ["-m", "podium", "serve", "--workspace", str(workspace)]
    if way == "stdio":
        command = StdioServerParameters(command=sys.executable, args=arguments)
        async with Client(command, mode=mode, elicitation_callback=person) as client:
            yield client
        return
    command = [sys.executable, *arguments, "--http", "--port", "0"]
    async with await anyio.open_process(command, stdout=None, stderr=PIPE) as child:
        try:
            said = b""
            with anyio.fail_after(20):
                while b"/mcp" not in said:
                    said += await child.stderr.receive()
            url = said.split()[-1].decode()
            async with Client(url, mode=mode, elicitation_callback=person) as client:
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
async def test_the_person_at_the_client_answers_what_an_execution_asks(way, era, workspace):
    asked = []

    async def person(_context, params):
        asked.append(params.message)
        answer = True if params.message.startswith("Write") else "hello"
        return types.ElicitResult(action="accept", content={"answer": answer})

    async with podium(way, era, workspace, person) as client:
        said = await client.call_tool("process_request", {"request": "write new.txt"})
        played = await client.call_tool(
            "execute_composition",
            {"composition_id": "write_once_sure", "params": {"path": "two.txt"}},
        )

    assert asked == ["Write new.txt?", "What shall it say?", "Write two.txt?", "What shall it say?"]
    assert said.content[0].text == "wrote hello to new.txt"
    assert played.content[0].text == "wrote hello to two.txt"
    assert (workspace / "documents" / "new.txt").read_text(encoding="utf-8") == "hello"


@pytest.mark.parametrize("way", ["stdio", "http"])
async def test_who_cannot_be_asked_resumes_the_execution_or_answers_by_a_message(
    way, era, workspace
):
    talk = {"user_id": "ana", "conversation_id": "c1"}

    async with podium(way, era, workspace) as client:
        asked = await client.call_tool("process_request", {"request": "write a.md", **talk})
        second = await client.call_tool(
            "resume_execution",
            {
                "execution_id": asked.structured_content["execution_id"],
                "params": {asked.structured_content["question"]["id"]: True},
                "user_id": "ana",
            },
        )
        done = await client.call_tool("process_request", {"request": "bonjour", **talk})

    assert not asked.is_error
    assert asked.structured_content["status"] == "needs_input"
    assert asked.content[0].text == "Write a.md?"
    assert second.structured_content["question"]["id"] == "text"
    assert done.content[0].text == "wrote bonjour to a.md"


@pytest.mark.parametrize("way", ["stdio", "http"])
async def test_progress_counts_the_steps_inside_blocks_and_compositions(way, era, workspace):
    told = []

    async def hear(progress, total, message):
        told.append((progress, total, message))

    async with podium(way, era, workspace) as client:
        played = await client.call_tool(
            "execute_composition", {"composition_id": "played"}, progress_callback=hear
        )

    assert played.structured_content["status"] == "success"
    assert [each[0] for each in told] == sorted({each[0] for each in told})
    assert told[-1][0] == told[-1][1]
    assert any("blocks.again.read" in (message or "") for _, _, message in told)


@pytest.mark.parametrize("way", ["stdio", "http"])
async def test_a_client_that_gives_up_in_nested_blocks_cancels_the_call_as_well(
    way, era, workspace
):
    heard = workspace / "heard"

    async with podium(way, era, workspace) as client:
        async with anyio.create_task_group() as tasks:
            call = {"composition_id": "nested"}
            tasks.start_soon(client.call_tool, "execute_composition", call)
            await until_said(heard, "tools/call", within=20)
            tasks.cancel_scope.cancel()

        await until_said(heard, "notifications/cancelled", within=1)


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
