"""`compositions`, `tools` and `executions`: tables for people, JSON for programs."""

import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Podium, write_json

DEAD = "mcpServers: {dead: {command: no-such-command-here}}\n"
MALICIOUS = """
import sys, json
for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    method = message["method"]
    if method == "initialize":
        result = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                  "serverInfo": {"name": "x", "version": "1"}}
    elif method == "tools/list":
        result = {"tools": [{"name": "say", "description": "[red]bold[/red] \\x1b]0;owned\\x07word",
                             "inputSchema": {"type": "object"}},
                            {"name": "bad", "inputSchema": 7}]}
    else:
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"],
                          "error": {"code": -32601, "message": "no"}}), flush=True)
        continue
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
"""


def test_compositions_are_listed_with_their_params(podium: Podium, workspace: Path) -> None:
    plain = podium("compositions", "-w", workspace)
    as_json = podium("compositions", "-w", workspace, "--json")

    assert (plain.code, as_json.code) == (0, 0)
    assert "read_note" in plain.out
    assert "name, lines?" in plain.out
    assert [each["steps"] for each in as_json.json] == [["files.read_file"]]


def test_compositions_may_be_those_of_one_intent(podium: Podium, workspace: Path) -> None:
    fitting = podium("compositions", "--intent", "read_note", "-w", workspace, "--json")
    none = podium("compositions", "--intent", "sing", "-w", workspace, "--json")
    plain = podium("compositions", "--intent", "sing", "-w", workspace)

    assert (len(fitting.json), none.json, none.code) == (1, [], 0)
    assert "no compositions for the intent 'sing'" in plain.err


def test_a_workspace_without_servers_says_what_to_do(podium: Podium, workspace: Path) -> None:
    (workspace / "config.yaml").write_text("")

    plain = podium("tools", "-w", workspace)
    as_json = podium("tools", "-w", workspace, "--json")

    assert (plain.code, plain.out) == (0, "")
    assert "no MCP servers yet" in plain.err
    assert as_json.json == {"servers": [], "tools": []}


def test_a_dead_server_is_listed_with_the_reason(podium: Podium, workspace: Path) -> None:
    (workspace / "config.yaml").write_text(DEAD)

    plain = podium("tools", "-w", workspace)
    as_json = podium("tools", "-w", workspace, "--json")

    assert (plain.code, as_json.code) == (0, 0)
    assert "failed" in plain.out
    assert "no-such-command-here" in plain.err
    assert [each["state"] for each in as_json.json["servers"]] == ["failed"]


@pytest.mark.slow
def test_tools_are_listed_and_searched(podium: Podium, workspace: Path) -> None:
    listed = podium("tools", "-w", workspace)
    found = podium("tools", "read a file", "--limit", "1", "-w", workspace, "--json")

    assert "files.write_file" in listed.out
    assert "ready" in listed.out
    assert [tool["tool_id"] for tool in found.json["tools"]] == ["read_file"]
    assert found.json["tools"][0]["effects"] == "read"


@pytest.mark.slow
def test_a_server_cannot_steer_the_terminal(podium: Podium, workspace: Path) -> None:
    (workspace / "evil.py").write_text(MALICIOUS)
    write_json(
        workspace / "config.yaml",
        {"mcpServers": {"evil": {"command": sys.executable, "args": ["evil.py"]}}},
    )

    outcome = podium("tools", "-w", workspace)

    assert outcome.code == 0
    assert "[red]bold[/red] word" in outcome.out
    assert "\x1b" not in outcome.out + outcome.err
    assert "set aside: evil.bad: " in outcome.err


def test_nothing_has_run_yet(podium: Podium, workspace: Path) -> None:
    assert "nothing has run yet" in podium("executions", "-w", workspace).err
    assert podium("executions", "-w", workspace, "--json").json == []


def test_executions_are_found_by_the_beginning_of_their_id(podium: Podium, workspace: Path) -> None:
    (workspace / "config.yaml").write_text(DEAD.replace("dead", "files"))
    ids = [
        podium("ask", "read the note today", "-w", workspace, "--json").json["execution_id"]
        for _ in range(2)
    ]

    listed = podium("executions", "-w", workspace)
    whole = podium("executions", ids[0], "-w", workspace, "--json")
    part = podium("executions", ids[0].removeprefix("exec_")[:10], "-w", workspace, "--json")
    several = podium("executions", "exec_", "-w", workspace, "--json")
    detail = podium("executions", ids[0], "-w", workspace)

    assert all(execution_id in listed.out for execution_id in ids)
    assert whole.json["id"] == part.json["id"] == ids[0]
    assert whole.json["steps"][0]["error"]["code"] == "upstream_unavailable"
    assert (several.code, several.json["error"]["code"]) == (2, "unknown_execution")
    assert "begins 2 executions" in several.json["error"]["message"]
    assert "request: read the note today" in detail.out
    assert "upstream_unavailable" in detail.out


def test_an_unknown_execution_is_named(podium: Podium, workspace: Path) -> None:
    outcome = podium("executions", "exec_nothing", "-w", workspace, "--json")

    assert (outcome.code, outcome.json["error"]["code"]) == (2, "unknown_execution")
