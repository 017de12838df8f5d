"""What `podium check` says about a composition before anything runs."""

import json
from pathlib import Path
from typing import Any

import pytest

from podium.compositions.checker import Checker
from podium.compositions.library import CompositionLibrary, load_compositions
from podium.domain.composition import Composition, StoredComposition
from podium.domain.errors import (
    PodiumError,
    UnknownServerError,
    UnknownToolError,
    UpstreamUnavailableError,
)
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


# --- every rule, as data

CASES = json.loads((Path(__file__).parent / "checks" / "findings.json").read_text("utf-8"))


def tool(name: str, **annotations: bool) -> Tool:
    schema = {"type": "object", "properties": {"x": {}}, "additionalProperties": False}
    needed = [] if annotations.get("readOnlyHint") else ["x"]
    fields = {"type": "object", "properties": {"list": {"type": "array"}}}
    return Tool("s", name, "", {**schema, "required": needed}, fields, annotations)


LIVE: dict[tuple[str, str], Tool | PodiumError] = {
    ("s", "read"): tool("read", readOnlyHint=True),
    ("s", "write"): tool("write"),
    ("s", "delete"): tool("delete", destructiveHint=True),
    ("s", "wrte"): UnknownToolError("s has no tool 'wrte'", hint="did you mean 'write'?"),
}


PARAMS = {
    "type": "object",
    "properties": {
        "path": {"type": "string"},
        "rows": {"type": "array"},
        "box": {
            "type": "object",
            "properties": {"rows": {"type": "array"}, "n": {"type": "integer"}},
        },
    },
}
"""The input schema of a case, unless it says `has_schema: false`."""


def findings_of(case: dict[str, Any]) -> list[str]:
    """Return the findings about the composition of a case."""
    schema = {"input_schema": PARAMS} if case.get("has_schema", True) else {}
    whole, *others = [
        StoredComposition(Composition.model_validate(each, by_name=False), "template", each["id"])
        for each in ({**schema, **case["composition"]}, *case.get("library", []))
    ]
    checker = Checker(
        max_steps=10,
        functions={"excerpt"},
        max_depth=case.get("max_depth", 5),
        library=CompositionLibrary([whole, *others]),
    )
    findings = checker.check(whole, tools=LIVE if case.get("tools") else None)
    return [
        f"{f.severity} {f.where}: {f.message}{f' ({f.hint})' if f.hint else ''}" for f in findings
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_findings_about_a_composition_are_those_of_its_case(case: dict[str, Any]) -> None:
    assert findings_of(case) == case["findings"]


def test_a_finding_inside_blocks_has_its_line(tmp_path: Path) -> None:
    text = """{"id": "c", "input_schema": {"type": "object"}, "steps": [
      {"id": "t", "try": [
         {"id": "a", "server_id": "s", "tool_id": "read"}],
       "catch": [{"codes": [
          "no_such_code"], "steps": [
            {"id": "b", "server_id": "s", "tool_id": "read",
             "input_mapping": {
               "x": "nothing"}}]}]}]}"""
    (tmp_path / "c.json").write_text(text)
    library = load_compositions(tmp_path)

    findings = Checker(max_steps=10).check(library.get("c"), document=library.document("c"))

    assert [(finding.line, finding.where) for finding in findings] == [
        (5, "steps[0].catch[0].codes[0]"),
        (8, "steps[0].catch[0].steps[0].input_mapping.x"),
    ]


def test_a_huge_composition_is_refused_at_once() -> None:
    steps = [{"id": f"s{number}", "transform": "name"} for number in range(30_000)]
    whole = Composition.model_validate({"id": "c", "steps": steps}, by_name=False)

    findings = Checker(max_steps=10).check(StoredComposition(whole, "template", "c"))

    assert [finding.message for finding in findings] == ["30000 steps, 10 at most"]
