"""What `podium check` says about a composition before anything runs."""

import json
from pathlib import Path
from typing import Any

import pytest

from podium.compositions.checker import Checker
from podium.compositions.library import load_compositions
from podium.domain.errors import PodiumError, UnknownServerError, UpstreamUnavailableError
from podium.domain.tool import Tool

LIST = Tool(
    "files",
    "list",
    input_schema={
        "type": "object",
        "properties": {"directory": {"type": "string"}},
        "required": ["directory"],
        "additionalProperties": False,
    },
    output_schema={"type": "object", "properties": {"files": {"type": "array"}}},
)
TOOLS: dict[tuple[str, str], Tool | PodiumError] = {
    ("files", "list"): LIST,
    ("gone", "tool"): UnknownServerError("no server 'gone'", hint="did you mean 'files'?"),
    ("down", "tool"): UpstreamUnavailableError("down: it did not start"),
}
STEP = {"id": "l", "server_id": "files", "tool_id": "list", "input_mapping": {"directory": "path"}}
SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}}


def found(folder: Path, composition: dict[str, Any]) -> list[str]:
    """Return the findings about a composition, each as `severity where: message (hint)`."""
    folder.mkdir(exist_ok=True)
    (folder / "c.json").write_text(json.dumps({"id": "c", "input_schema": SCHEMA, **composition}))
    library = load_compositions(folder)
    assert library.faults == []
    checker = Checker(max_steps=10, functions={"excerpt", "unique"})
    findings = checker.check(library.get("c"), document=library.document("c"), tools=TOOLS)
    assert all(finding.line is not None for finding in findings)
    return [
        f"{f.severity} {f.where}: {f.message}{f' ({f.hint})' if f.hint else ''}" for f in findings
    ]


@pytest.mark.parametrize(
    ("change", "findings"),
    [
        ({}, []),
        (
            {"input_mapping": {"directory": "pth"}},
            [
                "error steps[0].input_mapping.directory: `pth`: nothing is called 'pth' "
                "(did you mean 'path'?)"
            ],
        ),
        (
            {"input_mapping": {"directory": "$excerp(path)"}},
            [
                "error steps[0].input_mapping.directory: `$excerp(path)`: there is no function "
                "$excerp (did you mean 'excerpt'?)"
            ],
        ),
        (
            {"input_mapping": {"dir": "path"}},
            [
                "error steps[0].input_mapping.dir: files.list has no argument 'dir' "
                "(did you mean 'directory'?)",
                "error steps[0]: files.list needs the argument 'directory'",
            ],
        ),
        (
            {"arguments": {"directory": "x"}},
            ["error steps[0].input_mapping.directory: 'directory' stands in arguments too"],
        ),
        (
            {"server_id": "gone", "tool_id": "tool"},
            ["error steps[0].server_id: no server 'gone' (did you mean 'files'?)"],
        ),
        (
            {"server_id": "down", "tool_id": "tool"},
            ["warning steps[0].tool_id: down: it did not start"],
        ),
        ({"as": "file"}, ["error steps[0].as: 'as' needs 'iterations'"]),
        (
            {"output_mapping": {"$nofunc(files)": "fs"}},
            [
                "error steps[0].output_mapping.$nofunc(files): `$nofunc(files)`: there is no "
                "function $nofunc (known: excerpt, unique)"
            ],
        ),
        (
            {"output_mapping": {"filez": "n"}},
            [
                "warning steps[0].output_mapping.filez: the result has no field 'filez' "
                "(did you mean 'files'?)"
            ],
        ),
        (
            {"output_mapping": {"files": "not a name"}},
            [
                "error steps[0].output_mapping.files: 'not a name' is no name: letters, digits "
                "and '_'"
            ],
        ),
        (
            {"output_mapping": {"files": "context"}},
            [
                "error steps[0].output_mapping.files: 'context' has a meaning of its own "
                "(choose another name)"
            ],
        ),
    ],
)
def test_a_step_is_held_against_params_functions_and_live_tools(
    tmp_path: Path, change: dict[str, Any], findings: list[str]
) -> None:
    assert found(tmp_path / "c", {"steps": [{**STEP, **change}]}) == findings


def test_an_output_that_reads_a_field_the_tool_does_not_give_is_a_warning(tmp_path: Path) -> None:
    assert found(tmp_path / "c", {"steps": [STEP], "output": {"x": "l.filez"}}) == [
        "warning output.x: `l.filez`: the result of 'l' has no field 'filez' "
        "(did you mean 'files'?)"
    ]


def test_examples_and_schemas_are_tried(tmp_path: Path) -> None:
    composition = {
        "steps": [STEP],
        "examples": [{"params": {"pth": "x"}}],
        "output_schema": {"type": "nonsense"},
    }

    messages = found(tmp_path / "c", composition)

    assert len(messages) == 2
    assert messages[0].startswith("error output_schema.type: is no JSON Schema")
    assert messages[1].startswith("error examples[0]: pth: there is no param 'pth'")
