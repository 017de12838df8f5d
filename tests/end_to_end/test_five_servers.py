"""The whole way, over real servers: words in, an answer out, bare environment, cwd `/`."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters

from tests.servers import npm_server

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

Ask = Callable[[str], tuple[int, dict[str, Any]]]

REQUESTS = [
    ("files", "liste les fichiers", "budget.md"),
    ("files", "summarise the files", "Budget"),
    ("files", "cherche euros dans les fichiers", "budget.md"),
    ("files", "search for euros in the files", "budget.md"),
    ("git", "qu'est-ce qui a changé dans le dépôt ?", "First documents"),
    ("git", "what changed in the repository?", "First documents"),
    ("time", "Quelle heure est-il à Tokyo quand il est 15h à Paris ?", ":00"),
    ("time", "what time is it in New York when it is 9:30 am in London?", ":30"),
    ("files, git, time", "prépare un point sur le projet", "budget.md"),
    ("files, git, time", "prepare a project briefing", "budget.md"),
    ("memory", "souviens-toi que Paul habite à Lyon", "Paul"),
    ("memory", "what do you know about Paul?", "Lyon"),
    ("everything", "additionne 2 et 3", "5"),
    ("everything", "add 2 and 40", "42"),
    ("filesystem", "que contient le partage ?", "common.txt"),
    ("filesystem", "what is in the share?", "common.txt"),
]


@pytest.fixture(scope="module")
def ask(podium: str, workspace: Path, bare_environment: dict[str, str]) -> Ask:
    def run(request: str) -> tuple[int, dict[str, Any]]:
        done = subprocess.run(
            [podium, "--workspace", str(workspace), "ask", request, "--json"],
            cwd="/",
            env=bare_environment,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return done.returncode, json.loads(done.stdout)

    return run


@pytest.mark.parametrize(("servers", "request_text", "says"), REQUESTS)
def test_a_request_is_answered_by_its_servers(
    ask: Ask, servers: str, request_text: str, says: str
) -> None:
    if servers in ("memory", "everything", "filesystem") and npm_server(servers) is None:
        pytest.skip(f"the npm server {servers} is not in .cache/npm (.ci/run installs it)")

    code, reply = ask(request_text)

    assert (code, reply["status"], reply["error"]) == (0, "success", None)
    assert says in reply["data"]["message"]


@pytest.mark.parametrize(
    ("request_text", "code", "status", "error"),
    [
        ("lis le fichier introuvable.md", 1, "error", "tool_failed"),
        ("open the file ../../etc/passwd", 1, "error", "tool_failed"),
        ("raconte-moi une histoire de dragons", 1, "no_match", None),
        ("", 2, "error", "request_invalid"),
        ("🦒🦒🦒", 1, "no_match", None),
        ("x" * 100_000, 2, "error", "request_too_large"),
    ],
)
def test_a_request_that_cannot_be_answered_says_so(
    ask: Ask, request_text: str, code: int, status: str, error: str | None
) -> None:
    returncode, reply = ask(request_text)

    assert (returncode, reply["status"], (reply["error"] or {}).get("code")) == (
        code,
        status,
        error,
    )
    assert reply["data"]["message"]


def served(podium: str, workspace: Path, environment: dict[str, str]) -> StdioServerParameters:
    """Return how Claude Desktop would start Podium."""
    return StdioServerParameters(
        command=podium,
        args=["serve", "--workspace", str(workspace)],
        env=environment,
        cwd="/",
    )


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_composition_over_three_servers_is_played_by_the_official_client_on_stdio(
    podium: str, workspace: Path, bare_environment: dict[str, str], mode: str
) -> None:
    progress: list[str | None] = []

    async def on_progress(_: float, __: float | None, message: str | None) -> None:
        progress.append(message)

    with anyio.fail_after(90):
        async with Client(served(podium, workspace, bare_environment), mode=mode) as client:
            result = await client.call_tool(
                "execute_composition",
                {"composition_id": "template_project_briefing", "params": {}},
                progress_callback=on_progress,
            )
            found = await client.call_tool("search_tools", {"query": "convert time"})

    reply = result.structured_content or {}
    tools = {step.split(".")[0] for step in servers_of(workspace, "template_project_briefing")}
    assert (result.is_error, reply["status"]) == (False, "success")
    assert tools == {"files", "git", "time"}
    assert progress
    # A dead server hides nothing of the others.
    names = [tool["tool_id"] for tool in (found.structured_content or {})["tools"]]
    assert names[0] == "convert_time"


def servers_of(workspace: Path, composition_id: str) -> list[str]:
    for path in (workspace / "compositions" / "templates").glob("*.json"):
        composition = json.loads(path.read_text())
        if composition["id"] == composition_id:
            return [f"{s['server_id']}.{s['tool_id']}" for s in composition["steps"]]
    raise AssertionError(composition_id)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_composition_over_three_servers_is_played_over_http(
    podium: str, workspace: Path, bare_environment: dict[str, str], mode: str
) -> None:
    command = [podium, "serve", "--http", "--port", "0", "--workspace", str(workspace)]
    with anyio.fail_after(90):
        async with await anyio.open_process(command, cwd="/", env=bare_environment) as process:
            url = await announced_url(process)
            async with Client(url, mode=mode) as client:
                result = await client.call_tool(
                    "process_request", {"request": "prépare un point sur le projet"}
                )
            process.terminate()
            await process.wait()

    reply = result.structured_content or {}
    assert (result.is_error, reply["status"]) == (False, "success")
    assert reply["composition_id"] == "template_project_briefing"


async def announced_url(process: anyio.abc.Process) -> str:
    """Return the address that `podium serve --http` prints on stderr once it listens."""
    assert process.stderr is not None
    text = ""
    async for chunk in process.stderr:
        text += chunk.decode()
        for word in text.split():
            if word.startswith("http://") and word.endswith("/mcp") and text.endswith("\n"):
                return word
    raise AssertionError(f"no address in: {text}")
