"""`podium import` adds the servers of other clients and keeps what a person wrote."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from podium.cli.importing import chosen, is_podium, with_servers
from podium.config import load_config
from tests.cli.conftest import Podium, write_json

CASES = yaml.safe_load((Path(__file__).parent / "import_cases.yaml").read_text(encoding="utf-8"))
NEW = {"new": {"command": "npx", "args": ["-y", "@a/b"]}}


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_everything_else_in_the_file_stays_as_it_is_written(case: dict[str, str]) -> None:
    text = with_servers(case["before"], NEW)

    assert text == case["after"]


def test_a_file_that_cannot_be_extended_safely_is_left_to_the_person() -> None:
    shared = "x: &all {a: {command: podium}}\nmcpServers: *all\n"

    with pytest.raises(Exception, match="cannot be extended safely") as caught:
        with_servers(shared, NEW)

    assert "new:\n    command: npx" in caught.value.hint


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"command": "podium", "args": ["serve"]}, True),
        ({"command": "C:\\Tools\\podium.exe", "args": ["--workspace", "x", "serve"]}, True),
        ({"command": "/opt/bin/python3", "args": ["-m", "podium", "serve"]}, True),
        ({"command": "uvx", "args": ["podium-mcp", "serve"]}, True),
        ({"command": "podium", "args": ["upstream", "files", "serve"]}, True),
        ({"command": "podium", "args": ["upstream", "files", "."]}, False),
        ({"command": "serve", "args": ["podium"]}, False),
        ({"command": "podium"}, False),
        ({"url": "https://podium/serve"}, False),
        ({"command": 7, "args": "serve"}, False),
    ],
)
def test_podium_knows_its_own_entry(entry: dict[str, Any], *, expected: bool) -> None:
    assert is_podium(entry) is expected


def test_each_server_that_stays_out_says_why() -> None:
    servers = {
        "files": {"command": "other"},
        "me": {"command": "podium", "args": ["serve"]},
        "old": {"type": "sse", "url": "https://example.org/sse"},
        "both": {"command": "a", "url": "https://example.org"},
        "neither": {},
        "text": "npx",
        "wrong": {"command": "a", "args": "one two"},
    }

    result = chosen(servers, known={"files"})

    assert result.added == {}
    assert result.skipped == {
        "files": "config.yaml already has a server 'files'",
        "me": "is Podium itself",
        "old": "speaks the SSE transport, which MCP has given up; use its streamable HTTP address",
        "both": "needs either 'command' (a program to start) or 'url', not both",
        "neither": "needs either 'command' (a program to start) or 'url', not both",
        "text": "is not an object",
        "wrong": 'args: should be a list, not "one two"',
    }


def test_what_is_adapted_is_said() -> None:
    servers = {
        "My server!": {"command": "a", "autoApprove": ["x"], "gallery": True, "env": {}},
        "hub": {
            "type": "http",
            "url": "https://example.org/mcp",
            "headers": {"Authorization": "Bearer ${input:hub-token}", "X": "a$$b"},
            "disabled": True,
        },
    }

    result = chosen(servers, known=set())

    assert result.added == {
        "My-server": {"command": "a"},
        "hub": {
            "type": "http",
            "url": "https://example.org/mcp",
            "headers": {"Authorization": "Bearer ${HUB_TOKEN}", "X": "a$$$$b"},
            "disabled": True,
        },
    }
    assert result.notes == [
        "'My server!' is called 'My-server' here",
        "My-server: left out what Podium does not know: autoApprove, gallery",
        "hub: set the environment variable HUB_TOKEN",
    ]


def test_an_import_shows_up_in_the_settings(
    podium: Podium, workspace: Path, tmp_path: Path
) -> None:
    config = workspace / "config.yaml"
    config.chmod(0o600)
    source = write_json(
        tmp_path / "claude_desktop_config.json",
        {
            "mcpServers": {
                "github": {"command": "npx", "env": {"GITHUB_TOKEN": "ghp_123456"}},
                "podium": {"command": "podium", "args": ["serve"]},
            }
        },
    )

    outcome = podium("import", source, "--workspace", workspace, "--json")

    assert (outcome.code, outcome.json) == (
        0,
        {
            "workspace": str(workspace),
            "added": ["github"],
            "skipped": {"podium": "is Podium itself"},
            "notes": [
                "github: env.GITHUB_TOKEN holds a secret; better write ${GITHUB_TOKEN} there"
            ],
        },
    )
    loaded = load_config(config, {})
    assert [server.server_id for server in loaded.servers] == ["files", "github"]
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert "ghp_" not in outcome.out + outcome.err


def test_importing_twice_changes_nothing_the_second_time(
    podium: Podium, workspace: Path, tmp_path: Path
) -> None:
    source = write_json(tmp_path / "mcp.json", {"servers": {"a": {"command": "npx"}}})
    podium("import", source, "-w", workspace)
    before = (workspace / "config.yaml").read_bytes()

    outcome = podium("import", source, "-w", workspace)

    assert (outcome.code, outcome.out) == (0, "nothing to add\n")
    assert (workspace / "config.yaml").read_bytes() == before


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{}", "has no servers"),
        ("[]", "has no servers"),
        ("{", "is not valid JSON"),
        ('{"mcpServers": []}', "has no servers"),
    ],
)
def test_a_file_without_servers_is_refused(
    podium: Podium, workspace: Path, tmp_path: Path, text: str, complaint: str
) -> None:
    source = tmp_path / "bad.json"
    source.write_text(text, encoding="utf-8")

    outcome = podium("import", source, "-w", workspace, "--json")

    assert outcome.code == 2
    assert complaint in json.dumps(outcome.json["error"])


def test_a_missing_file_is_named(podium: Podium, workspace: Path) -> None:
    outcome = podium("import", "nowhere.json", "-w", workspace)

    assert outcome.code == 2
    assert "nowhere.json: cannot be read" in outcome.err
