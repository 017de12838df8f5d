"""`podium init`, `check` and `schema`: a workspace that works, and words for one that does not."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from podium.cli.schemas import KINDS, Kind, schema_of
from podium.config import load_config
from podium.resources import default_directory
from tests.cli.conftest import Podium, write_json

ODD = {"name": "read_note", "regex": "odd", "examples": ["even"]}


def test_a_new_workspace_has_an_example_of_each_file(podium: Podium, tmp_path: Path) -> None:
    folder = tmp_path / "mine"

    outcome = podium("init", folder, "--json")

    assert outcome.code == 0
    assert outcome.json["workspace"] == str(folder)
    assert {
        ".gitignore",
        "config.yaml",
        "compositions/templates/my_first_composition.json",
        "documents/bienvenue.md",
        "documents/welcome.md",
        "patterns/my_first_pattern.json",
        "schemas/config.json",
        "transformers/my_first_transformer.json",
        "transformers/my_first_transformer.py",
    } <= set(outcome.json["written"])
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == [
        "compositions",
        "documents",
        "patterns",
        "schemas",
        "transformers",
    ]
    assert (folder / ".gitignore").read_text() == ".podium/\n"


def test_the_shipped_files_are_copied_whole(podium: Podium, tmp_path: Path) -> None:
    podium("init", tmp_path / "mine")

    for name in ("patterns", "compositions", "transformers"):
        shipped = default_directory(name)
        for path in shipped.rglob("*.json"):
            copy = tmp_path / "mine" / name / path.relative_to(shipped)
            assert copy.read_bytes() == path.read_bytes()


def test_a_new_workspace_is_without_fault(podium: Podium, tmp_path: Path) -> None:
    podium("init", tmp_path / "mine")

    outcome = podium("check", tmp_path / "mine", "--offline", "--json")

    assert (outcome.code, outcome.json) == (0, {"errors": 0, "warnings": 0, "findings": []})


@pytest.mark.slow
def test_a_new_workspace_fits_its_servers(podium: Podium, tmp_path: Path) -> None:
    podium("init", tmp_path / "mine")

    outcome = podium("check", tmp_path / "mine", "--json")

    assert (outcome.code, outcome.json["errors"]) == (0, 0)
    assert all("is disabled" in finding["message"] for finding in outcome.json["findings"])


def test_servers_that_are_not_installed_start_disabled(
    podium: Podium, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))

    podium("init", tmp_path / "mine")

    config = load_config(tmp_path / "mine/config.yaml", {})
    disabled = {server.server_id: server.entry.disabled for server in config.servers}
    assert disabled == {"files": False, "git": True, "time": True, "memory": True}


def test_nothing_is_overwritten(podium: Podium, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    (folder / "patterns").mkdir(parents=True)
    (folder / "config.yaml").write_text("expose: all\n")
    (folder / "patterns/my_first_pattern.json").write_text('{"patterns": []}')
    (folder / "README.md").write_text("Mine.\n")

    refused = podium("init", folder, "--json")
    forced = podium("init", folder, "--force", "--json")

    assert refused.code == 2
    assert refused.json["error"]["code"] == "workspace_invalid"
    assert (
        "in the way: patterns/my_first_pattern.json, config.yaml"
        in (refused.json["error"]["message"])
    )
    assert forced.code == 0
    assert "documents/welcome.md" in forced.json["written"]
    assert (folder / "config.yaml").read_text() == "expose: all\n"
    assert (folder / "patterns/my_first_pattern.json").read_text() == '{"patterns": []}'
    assert (folder / "README.md").read_text() == "Mine.\n"


def test_a_folder_with_other_files_may_become_a_workspace(podium: Podium, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")

    outcome = podium("init", tmp_path)

    assert outcome.code == 0
    assert (tmp_path / "config.yaml").is_file()


def test_a_file_cannot_become_a_workspace(podium: Podium, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    outcome = podium("init", tmp_path / "file", "--json")

    assert outcome.code == 2
    assert outcome.json["error"]["code"] == "workspace_invalid"


# --- check


def test_a_workspace_without_fault_says_so(podium: Podium, workspace: Path) -> None:
    outcome = podium("check", workspace, "--offline")

    assert (outcome.code, outcome.out) == (0, f"{workspace}: all is well\n")


def test_findings_are_grouped_by_file_with_line_and_hint(podium: Podium, workspace: Path) -> None:
    (workspace / "patterns/bad.json").write_text(
        '{"patterns": [\n  {"name": "x",\n   "regx": "a"}]}', encoding="utf-8"
    )

    outcome = podium("check", workspace, "--offline")

    assert outcome.code == 2
    lines = outcome.out.splitlines()
    assert "patterns/bad.json" in lines
    assert any("error: line 3" in line and "regx" in line for line in lines)
    assert any("did you mean 'regex'?" in line for line in lines)


def test_warnings_alone_are_no_failure(podium: Podium, workspace: Path) -> None:
    write_json(
        workspace / "patterns/more.json", {"patterns": [{"name": "sing", "regex": "sing a song"}]}
    )

    outcome = podium("check", workspace, "--offline", "--json")

    assert outcome.code == 0
    assert outcome.json["errors"] == 0
    assert "no composition answers the intent 'sing'" in json.dumps(outcome.json["findings"])


def test_a_check_of_one_file_shows_only_its_findings(podium: Podium, workspace: Path) -> None:
    bad = workspace / "patterns/bad.json"
    bad.write_text("{", encoding="utf-8")
    (workspace / "compositions/templates/bad.json").write_text("[", encoding="utf-8")

    write_json(workspace / "patterns/odd.json", {"patterns": [ODD]})

    outcome = podium("check", bad, "--offline", "--json")
    odd = podium("check", workspace / "patterns/odd.json", "--offline", "--json")
    good = podium("check", workspace / "patterns/notes.json", "--offline", "--json")

    assert (outcome.code, outcome.json["errors"]) == (2, 1)
    assert (odd.code, odd.json["errors"]) == (2, 1)
    assert (good.code, good.json["findings"]) == (0, [])


@pytest.mark.parametrize(("path", "code"), [("nowhere", "file_invalid"), (".", "config_invalid")])
def test_a_check_needs_a_workspace(podium: Podium, path: str, code: str) -> None:
    outcome = podium("check", path, "--json")

    assert (outcome.code, outcome.json["error"]["code"]) == (2, code)


def test_a_broken_config_is_a_finding(podium: Podium, workspace: Path) -> None:
    (workspace / "config.yaml").write_text("mcpServers: [\n")

    outcome = podium("check", workspace, "--json")

    assert (outcome.code, outcome.json["errors"]) == (2, 1)
    assert outcome.json["findings"][0]["source"].endswith("config.yaml")


# --- schema

BAD: dict[Kind, object] = {
    "config": {"orchestrator": {"max_steps": 3}},
    "patterns": {"patterns": [{"name": "no regex"}]},
    "composition": {"id": "x", "steps": []},
    "transformer": {"transformers": [{"name": "x"}]},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_valid_and_tells_good_from_bad(podium: Podium, kind: Kind) -> None:
    schema = podium("schema", kind).json

    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert not jsonschema.Draft202012Validator(schema).is_valid(BAD[kind])


def _valid_files() -> list[tuple[Kind, Path]]:
    example = Path(__file__).parents[2] / "server/podium/cli/workspace_example"
    roots = {name: default_directory(name) for name in ("patterns", "compositions", "transformers")}
    files: list[tuple[Kind, Path]] = [("config", example / "config.yaml")]
    for kind, name in (
        ("patterns", "patterns"),
        ("composition", "compositions"),
        ("transformer", "transformers"),
    ):
        for root in (roots[name], example / name):
            files += [(kind, path) for path in sorted(root.rglob("*.json"))]
    return files


@pytest.mark.parametrize(
    ("kind", "path"), _valid_files(), ids=lambda value: getattr(value, "name", value)
)
def test_every_shipped_file_fits_its_schema(kind: Kind, path: Path) -> None:
    value = yaml.safe_load(path.read_text(encoding="utf-8"))

    jsonschema.Draft202012Validator(schema_of(kind)).validate(value)
