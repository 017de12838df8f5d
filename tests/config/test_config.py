"""`config.yaml`: defaults, variables, faults with the nearest key and the line."""

from pathlib import Path

import pytest

from podium.config import config_text, find_workspace, load_config
from podium.domain.errors import ConfigError, MissingVariableError, WorkspaceError

ROOT = Path(__file__).parents[2]


def test_the_commented_config_yaml_says_exactly_the_defaults() -> None:
    assert load_config(ROOT / "config.yaml", {}) == config_text("", ROOT, {})


def test_every_default_is_documented_in_config_yaml() -> None:
    text = (ROOT / "config.yaml").read_text("utf-8")
    empty = config_text("", ROOT, {})

    sections = map(
        type,
        (empty.orchestrator, empty.health, empty.conversations, empty.execution, empty.cache),
    )
    names = [name for section in sections for name in section.model_fields]
    names += empty.limits.__slots__
    missing = [name for name in names if name != "comment_" and f"  {name}:" not in text]

    assert missing == []


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        (
            "orchestrator:\n  max_step: 3\nfoo: 1",
            [
                "line 2: orchestrator: unknown key 'max_step' "
                "(did you mean 'max_steps_per_composition'?)",
                "line 3: unknown key 'foo' (known: $comment, $schema, cache, conversations, "
                "execution, expose, health, http, limits, mcpServers, …)",
            ],
        ),
        (
            "mcpServers:\n  a: {command: x, argss: []}",
            ["line 2: mcpServers.a: unknown key 'argss' (did you mean 'args'?)"],
        ),
        (
            "mcpServers:\n  a: {}",
            [
                "line 2: mcpServers.a: needs either 'command' (a program to start) or 'url', "
                "not both"
            ],
        ),
        (
            "orchestrator:\n  execution_timeout: soon",
            [
                "line 2: orchestrator.execution_timeout: should be a valid number, "
                'unable to parse string as a number, not "soon"'
            ],
        ),
        (
            "conversations: {store: memory_server, server: mem}",
            ["conversations.server names no entry of mcpServers: 'mem'"],
        ),
        ("- 1", ["line 1: should be a mapping of keys"]),
        (
            "mcpServers:\n  a{b}: {command: x}",
            [
                "line 1: mcpServers: the server name 'a{b}' should be letters, digits, '_' and '-' "
                "(at most 64)"
            ],
        ),
    ],
)
def test_a_fault_names_its_line_and_the_nearest_key(text: str, faults: list[str]) -> None:
    with pytest.raises(WorkspaceError) as caught:
        config_text(text, ROOT, {})

    assert (caught.value.code, [str(fault) for fault in caught.value.faults]) == (
        "config_invalid",
        faults,
    )


def test_broken_yaml_is_a_config_error_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("a: [1\nb: 2\n")

    with pytest.raises(ConfigError, match=r"config\.yaml:2: is not valid YAML"):
        load_config(tmp_path / "config.yaml", {})


def test_a_missing_config_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "config.yaml", {})


def test_variables_are_filled_from_the_environment_with_defaults_and_escapes() -> None:
    text = """
mcpServers:
  a: {command: "${TOOL:-mytool}", args: ["$${X}", "${ARG}"], env: {API_KEY: "${KEY}"}}
"""
    config = config_text(text, ROOT, {"KEY": "s3cret", "ARG": "value"})

    entry = config.servers[0].entry
    assert (entry.command, entry.args, entry.env) == (
        "mytool",
        ("${X}", "value"),
        {"API_KEY": "s3cret"},
    )
    assert config.secrets == {"s3cret", "value"}


def test_a_secret_written_down_literally_counts_as_one() -> None:
    text = "mcpServers: {a: {url: 'https://x/', headers: {Authorization: 'Bearer abc123'}}}"

    assert config_text(text, ROOT, {}).secrets == {"Bearer abc123", "abc123"}


def test_a_missing_variable_in_an_entry_fails_that_upstream_only() -> None:
    text = """
mcpServers:
  a: {command: x, env: {TOKEN: "${NOPE}"}}
  b: {command: y}
"""
    a, b = config_text(text, ROOT, {}).servers

    assert a.fault is not None
    assert "NOPE" in a.fault.message
    assert a.fault.code == "missing_variable"
    assert b.fault is None


def test_a_missing_variable_in_a_url_or_a_number_fails_that_upstream_only_as_well() -> None:
    text = """
mcpServers:
  a: {url: "${URL}", start_seconds: "${SECONDS}"}
  b: {command: y}
"""
    a, b = config_text(text, ROOT, {}).servers

    assert (a.fault is not None, b.fault) == (True, None)


def test_a_value_from_the_environment_is_a_secret_also_where_a_default_stands() -> None:
    text = "mcpServers: {a: {command: x, args: ['${PAT:-}', '${REGION:-eu}', '${HOME}']}}"

    config = config_text(text, ROOT, {"PAT": "ghp_supersecret", "HOME": "/home/ana"})

    assert config.secrets == {"ghp_supersecret"}


def test_a_section_whose_keys_are_all_commented_out_has_its_defaults() -> None:
    text = "orchestrator:\n  # execution_timeout: 3\nmcpServers:\n"

    assert config_text(text, ROOT, {}) == config_text("", ROOT, {})


def test_a_missing_variable_elsewhere_is_an_error_that_names_it() -> None:
    with pytest.raises(MissingVariableError, match="the environment variable T is not set"):
        config_text("orchestrator:\n  execution_timeout: ${T}", ROOT, {})


def test_the_workspace_is_the_named_one_then_the_variables_then_the_folders_then_the_homes(
    tmp_path: Path,
) -> None:
    named, by_variable, here, home = (tmp_path / name for name in "abcd")
    for folder in (named, by_variable, here):
        folder.mkdir()
        (folder / "config.yaml").touch()
    environ = {"PODIUM_WORKSPACE": str(by_variable)}

    assert find_workspace(named, environ=environ, cwd=here, home=home) == named
    assert find_workspace(None, environ=environ, cwd=here, home=home) == by_variable
    assert find_workspace(None, environ={}, cwd=here, home=home) == here
    assert find_workspace(None, environ={}, cwd=tmp_path, home=home) == home / ".podium"


def test_a_named_workspace_without_a_config_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has no config\.yaml"):
        find_workspace(tmp_path, environ={}, cwd=tmp_path, home=tmp_path)
