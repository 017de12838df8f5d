"""Pattern files load one by one; what is wrong is told by file and line, the rest serve."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from podium.domain.errors import Fault, FileInvalidError, PatternInvalidError
from podium.intents.files import PatternFile
from podium.intents.library import PatternLibrary, load_patterns

Load = Callable[..., PatternLibrary]

FILE = """{
  "language": "fr",
  "patterns": [
    {
      "name": "good",
      "regex": "bonjour"
    },
    %s
    {"name": "last", "regex": "salut", "language": "en"}
  ]
}
"""


def _write(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        (
            '{"name": "x",\n "regex": "liste (les"},',
            Fault(
                "is not a valid regex: missing ) at its end (character 11)",
                where="patterns[1].regex",
                line=9,
            ),
        ),
        (
            '{"name": "x", "regex": ["ok",\n "a**b"]},',
            Fault(
                "is not a valid regex: multiple repeat at character 3, '*b'",
                where="patterns[1].regex[1]",
                line=9,
            ),
        ),
        (
            '{"name": "x", "regex": "a",\n "prams": {}},',
            Fault(
                "unknown key 'prams'", where="patterns[1]", line=9, hint="did you mean 'params'?"
            ),
        ),
        (
            '{"name": "x", "regex": "(a) (?P<b>b)",\n "params": {\n "p": "$3"}},',
            Fault(
                "refers to $3, a group that the regex does not have",
                where="patterns[1].params.p",
                line=10,
                hint="its groups: $1, $2, $b; a text that starts with $ is written $$…",
            ),
        ),
        (
            '{"name": "x", "regex": "a", "params": {"p": "$city"}},',
            Fault(
                "refers to $city, a group that the regex does not have",
                where="patterns[1].params.p",
                line=8,
                hint="its regex has no groups; put ( ) around the part to take",
            ),
        ),
        (
            '{"name": "x",\n "sentences": ["liste [les {path}"]},',
            Fault(
                "cannot be used: '[' is never closed at character 7, '[les {path}'",
                where="patterns[1].sentences[0]",
                line=9,
                hint="close it with ']'",
            ),
        ),
        ('{"name": "x"},', Fault("'sentences' or 'regex' is missing", where="patterns[1]", line=8)),
        (
            '{"name": "x", "regex": ""},',
            Fault('should not be empty, not ""', where="patterns[1].regex", line=8),
        ),
        (
            '{"name": "not a name", "regex": "a"},',
            Fault(
                'should match ^[A-Za-z_]\\w*$, not "not a name"',
                where="patterns[1].name",
                line=8,
            ),
        ),
        ('"text",', Fault('should be an object, not "text"', where="patterns[1]", line=8)),
    ],
)
def test_a_bad_pattern_is_told_by_place_and_the_others_serve(
    tmp_path: Path, bad: str, fault: Fault
) -> None:
    _write(tmp_path, "french.json", FILE % bad)

    library = load_patterns(tmp_path)

    assert [(each.name, each.language) for each in library.patterns] == [
        ("good", "fr"),
        ("last", "en"),
    ]
    [error] = library.faults
    assert isinstance(error, PatternInvalidError)
    assert error.faults == (fault,)
    assert "french.json" in error.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not valid JSON"),
        ("{", "is not valid JSON"),
        ("[]", "should be an object"),
        ("{}", "'patterns' is missing"),
        ('{"patterns": {}}', "should be a list"),
        ('{"patterns": [], "paterns": []}', "unknown key 'paterns'"),
        ('{"patterns": [], "slots": {"x": "nmber"}}', "there is no slot type 'nmber'"),
        ('{"patterns": [], "slots": {"x": {"typ": "number"}}}', "unknown key 'typ'"),
        ('{"patterns": [], "slots": {"x": 5}}', "should be an object"),
        ('{"patterns": [], "rules": {"x": "a ("}}', "'(' is never closed"),
        ('{"patterns": [], "rules": {"x": 5}}', "a rule should be a text"),
        ('{"patterns": [], "skip": ["{x} bien"]}', "'{x}' cannot stand here"),
        ('{"patterns": [], "language": "French"}', "should match"),
    ],
)
def test_a_bad_file_does_not_hide_the_others(tmp_path: Path, text: str, message: str) -> None:
    _write(tmp_path, "a_bad.json", text)
    _write(tmp_path, "b_good.json", FILE % "")

    library = load_patterns(tmp_path)

    assert [each.name for each in library.patterns] == ["good", "last"]
    [error] = library.faults
    assert message in str(error)
    assert "a_bad.json" in str(error)


def test_files_load_in_the_order_of_their_paths_and_hidden_ones_not_at_all(tmp_path: Path) -> None:
    for name in ("b.json", "a/z.json", "c.txt", ".hidden.json", ".git/x.json", "a.json"):
        pattern = {"name": "from_" + name[0], "regex": "x"}
        _write(tmp_path, name, json.dumps({"patterns": [pattern]}))

    library = load_patterns(tmp_path)

    assert [(each.source, each.order) for each in library.patterns] == [
        ("a.json:1", 0),
        ("a/z.json:1", 1),
        ("b.json:1", 2),
    ]
    assert library.faults == ()


def test_a_folder_that_does_not_exist_is_a_fault(tmp_path: Path) -> None:
    library = load_patterns(tmp_path / "patern")

    assert library.patterns == ()
    [error] = library.faults
    assert isinstance(error, FileInvalidError)
    assert "patern" in error.message


@pytest.mark.parametrize("regex", [".*", "(?:x)?", "a|", "^(.*)$"])
def test_a_regex_that_matches_nothing_at_all_is_warned_about(load: Load, regex: str) -> None:
    library = load({"name": "x", "regex": regex})

    [warning] = library.warnings
    assert warning.to_dict() == {
        "severity": "warning",
        "source": "patterns.json",
        "line": 1,
        "where": "patterns[0].regex",
        "message": f"the regex '{regex}' matches even an empty text",
        "hint": "make at least one word of it required",
    }


@pytest.mark.parametrize(
    "value",
    [
        {"name": "a", "regex": "x", "examples": ["x", {"text": "x", "params": {}}]},
        {"name": "a", "regex": ["x", "y"], "composition": "b-1", "priority": -1},
        {"name": "a", "regex": "x", "description": "d", "counterexamples": ["z"]},
        {"name": "a", "regex": "x", "params": {"n": 1, "l": ["a"], "none": None, "text": "$$1"}},
    ],
)
def test_every_documented_key_is_taken(load: Load, value: Any) -> None:
    assert load(value, language="en").faults == ()


def test_the_schema_for_editors_describes_every_key() -> None:
    schema = PatternFile.model_json_schema()

    pattern = schema["$defs"]["Pattern"]
    assert pattern["required"] == ["name"]
    assert all("description" in value for value in pattern["properties"].values())
    assert set(schema["properties"]) == {
        "$schema", "$comment", "language", "shared", "rules", "slots", "skip", "patterns",
    }  # fmt: skip
