"""`ask`, `intent` and `run`: the reply, where it is printed, and the exit code."""

import json
from pathlib import Path
from typing import Any

import pytest

from podium.cli.requests import show_reply
from podium.cli.session import Session
from podium.domain.request import Reply
from tests.cli.conftest import COMPOSITION, Podium, write_json

DEAD = "mcpServers: {files: {command: no-such-command-here}}\n"


def reply(**fields: Any) -> dict[str, Any]:
    return Reply(**{"status": "success", "message": "Done.", **fields}).to_dict()


def error(code: str, step_id: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "code": code,
        "message": "It broke.",
        "hint": "Mend it.",
        "step_id": step_id,
        "retryable": False,
        **more,
    }


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (reply(), 0),
        (reply(status="no_match"), 1),
        (reply(status="needs_input"), 3),
        (reply(status="error", error=error("tool_failed", "read")), 1),
        (reply(status="error", error=error("unknown_tool", "read")), 1),
        (reply(status="error", error=error("execution_timeout")), 1),
        (reply(status="error", error=error("unknown_composition")), 2),
        (reply(status="error", error=error("invalid_params")), 2),
        (reply(status="error", error=error("request_too_large")), 2),
        (reply(status="error", error=error("composition_invalid")), 2),
        (reply(status="error", error=error("a_code_of_tomorrow")), 1),
        (reply(status="error", error=None), 1),  # cancelled
    ],
)
def test_the_exit_code_follows_from_the_reply(given: dict[str, Any], code: int) -> None:
    assert show_reply(given, Session()) == code
    assert show_reply(given, Session(json=True)) == code


def test_an_answer_goes_to_stdout_and_cannot_steer_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_reply(reply(message="one\x1b]0;title\x07\n\x1b[31mtwo\x9b2J\u202e\tthree"), Session())

    assert capsys.readouterr() == ("one\ntwo2J\tthree\n", "")


def test_json_cannot_steer_the_terminal_either_and_keeps_every_value(
    capsys: pytest.CaptureFixture[str],
) -> None:
    value = {"a": "é\x9b2J\u202e\ud800", "n": [float("nan"), 1e400, 10**30]}

    show_reply(reply(result=value), Session(json=True))

    out = capsys.readouterr().out
    assert not set("\x9b\u202e\ud800") & set(out)
    assert json.loads(out)["data"]["result"] == {**value, "n": [None, None, 10**30]}


def test_a_failure_goes_to_stderr_with_what_ran(capsys: pytest.CaptureFixture[str]) -> None:
    failed = reply(
        status="error",
        message="Un outil a signalé une erreur : It broke.\nQue faire : Mend it.",
        error=error("tool_failed", "read"),
        execution_id="exec_1",
    )

    show_reply(failed, Session())

    assert capsys.readouterr() == (
        "",
        "error: Un outil a signalé une erreur : It broke.\nQue faire : Mend it.\n"
        "what ran: podium executions exec_1\n",
    )


def test_every_fault_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    faults = [
        {"where": "name", "line": None, "message": "is missing", "hint": ""},
        {"where": "lines", "line": None, "message": "should be a number", "hint": "such as 3"},
    ]

    show_reply(reply(status="error", error=error("invalid_params", faults=faults)), Session())

    assert capsys.readouterr().err.splitlines()[1:] == [
        "  - name: is missing",
        "  - lines: should be a number (such as 3)",
    ]


def test_a_question_says_how_to_answer_it(capsys: pytest.CaptureFixture[str]) -> None:
    question = {"id": "path", "kind": "choice", "message": "Which?", "schema": {"enum": ["a", "b"]}}
    show_reply(
        reply(
            status="needs_input", message="Which file?", execution_id="exec_1", question=question
        ),
        Session(),
    )

    assert capsys.readouterr() == (
        "Which file?\n",
        "one of: a, b\nanswer it with: podium resume exec_1 ANSWER\n",
    )


# --- intent


@pytest.mark.parametrize(
    ("text", "params", "language"),
    [
        ("read the note today", {"name": "today"}, "en"),
        ("Lis la note demain", {"name": "demain"}, "fr"),
    ],
)
def test_an_intent_is_shown_with_every_candidate(
    podium: Podium, workspace: Path, text: str, params: dict[str, str], language: str
) -> None:
    as_json = podium("intent", text, "-w", workspace, "--json")
    plain = podium("intent", text, "-w", workspace)

    assert (as_json.code, plain.code) == (0, 0)
    found = as_json.json
    assert set(found) == {"intent", "candidates", "suggestions"}
    assert (found["intent"]["type"], found["intent"]["params"]) == ("read_note", params)
    assert found["intent"]["language"] == language
    assert [each["type"] for each in found["candidates"]] == ["read_note"]
    assert plain.out.startswith("read_note  (confidence ")
    assert found["candidates"][0]["reason"].split()[0] in plain.out


def test_several_things_in_one_request_are_shown_in_their_order(
    podium: Podium, workspace: Path
) -> None:
    asked = podium("intent", "lis la note today puis lis la note lundi", "-w", workspace)

    lines = asked.out.splitlines()
    assert [line.split("  (")[0] for line in lines[:4]] == [
        "1. read_note",
        "     name = today",
        "2. read_note",
        "     name = lundi",
    ]


def test_what_is_guessed_says_so(podium: Podium, workspace: Path) -> None:
    as_json = podium("intent", 'could you read my note "today"', "-w", workspace, "--json")
    plain = podium("intent", 'could you read my note "today"', "-w", workspace)

    assert (as_json.code, as_json.json["intent"]["matched_by"]) == (0, "heuristic")
    assert as_json.json["intent"]["params"] == {"name": "today"}
    assert plain.out.startswith("read_note  (confidence ")
    assert "guessed)" in plain.out.splitlines()[0]


def test_what_would_be_asked_about_is_no_intent(podium: Podium, workspace: Path) -> None:
    as_json = podium("intent", "I need to read that note", "-w", workspace, "--json")
    plain = podium("intent", "I need to read that note", "-w", workspace)

    assert (as_json.code, as_json.json["intent"]) == (1, None)
    assert [each["type"] for each in as_json.json["choices"]] == ["read_note"]
    assert plain.code == 1
    assert "would be asked about" in plain.err


def test_what_nothing_matches_is_one(podium: Podium, workspace: Path) -> None:
    as_json = podium("intent", "purple monkey dishwasher", "-w", workspace, "--json")
    plain = podium("intent", "purple monkey dishwasher", "-w", workspace)

    assert (as_json.code, as_json.json["intent"]) == (1, None)
    assert (plain.code, plain.out) == (1, "")
    assert "nothing matches" in plain.err


@pytest.mark.parametrize("text", ["", "  \n", "x" * 100_000])
def test_a_text_that_is_no_request_is_refused(podium: Podium, workspace: Path, text: str) -> None:
    intent = podium("intent", text, "-w", workspace, "--json")
    ask = podium("ask", text, "-w", workspace, "--json")

    assert (intent.code, ask.code) == (2, 2)
    assert intent.json["error"]["code"] == ask.json["error"]["code"]
    assert intent.json["error"]["code"].startswith("request_")


# --- ask, run


def test_an_unknown_request_is_answered_in_its_language(podium: Podium, workspace: Path) -> None:
    french = podium("ask", "quelle est la couleur du cheval blanc ?", "-w", workspace)
    english = podium("ask", "what is the colour of the white horse?", "-w", workspace)
    as_json = podium("ask", "xyzzy", "-w", workspace, "--json")

    assert (french.code, english.code, as_json.code) == (1, 1, 1)
    assert "Je n'ai pas compris" in french.err
    assert "I did not understand" in english.err
    assert as_json.json["status"] == "no_match"


def test_a_dead_server_is_a_failed_step(podium: Podium, workspace: Path) -> None:
    (workspace / "config.yaml").write_text(DEAD)

    plain = podium("ask", "read the note today", "-w", workspace)
    as_json = podium("ask", "read the note today", "-w", workspace, "--json")

    assert (plain.code, plain.out, as_json.code) == (1, "", 1)
    assert "no-such-command-here" in plain.err
    assert "podium executions exec_" in plain.err
    assert as_json.json["error"]["code"] == "upstream_unavailable"
    assert as_json.json["error"]["step_id"] == "read"


def test_a_sure_guess_is_played_and_an_unsure_one_is_asked_about(
    podium: Podium, workspace: Path
) -> None:
    (workspace / "config.yaml").write_text(DEAD, encoding="utf-8")

    played = podium("ask", 'could you read my note "today"', "-w", workspace, "--json")
    asked = podium("ask", "I need to read that note", "-w", workspace, "--json")

    assert played.json["intent"]["matched_by"] == "heuristic"
    assert list(played.json["execution_info"]["steps"]) == ["read"]
    assert (asked.code, asked.json["status"]) == (3, "needs_input")
    assert asked.json["execution_info"]["steps"] == {}


def test_params_that_do_not_fit_are_all_named(podium: Podium, workspace: Path) -> None:
    outcome = podium("run", "read_note", "-p", "lines=many", "-w", workspace, "--json")

    assert (outcome.code, outcome.json["error"]["code"]) == (2, "invalid_params")
    assert {fault["where"] for fault in outcome.json["error"]["faults"]} == {"lines", "name"} or (
        len(outcome.json["error"]["faults"]) == 2
    )


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["no_such_id"], "unknown_composition"),
        (["nowhere.json"], "file_invalid"),
        (["list.json"], "composition_invalid"),
        (["broken.json"], "file_invalid"),
        (["wrong.json"], "composition_invalid"),
        (["read_note", "--param", "name"], "usage"),
        (["read_note", "--params", "7"], "usage"),
    ],
)
def test_what_cannot_be_played_is_refused(
    podium: Podium, workspace: Path, arguments: list[str], code: str
) -> None:
    write_json(Path("list.json"), [COMPOSITION])
    write_json(Path("wrong.json"), {**COMPOSITION, "stepz": []})
    Path("broken.json").write_text("{")

    outcome = podium("run", *arguments, "-w", workspace, "--json")

    assert (outcome.code, outcome.json["error"]["code"]) == (2, code)


def test_files_that_cannot_be_used_are_mentioned_and_the_rest_serves(
    podium: Podium, workspace: Path
) -> None:
    (workspace / "patterns/bad.json").write_text("{")

    outcome = podium("intent", "read the note today", "-w", workspace, "--json")

    assert (outcome.code, outcome.json["intent"]["type"]) == (0, "read_note")
    assert "1 part(s) of the workspace cannot be used; podium check says why" in outcome.err


@pytest.mark.slow
def test_a_request_is_answered_and_stays_in_the_journal(podium: Podium, workspace: Path) -> None:
    asked = podium("ask", "read the note today", "-w", workspace, "--user", "ann", "--json")
    played = podium("run", "read_note", "-p", "name=today", "-w", workspace)
    adhoc = write_json(workspace / "adhoc.json", {**COMPOSITION, "id": "adhoc"})
    from_file = podium("run", adhoc, "--params", '{"name": "today"}', "-w", workspace)
    listed = podium("executions", "-w", workspace, "--json")

    assert (asked.code, played.code, from_file.code) == (0, 0, 0)
    assert asked.json["data"]["message"] == "Water the plants.\n"
    assert (played.out.strip(), from_file.out.strip()) == ("Water the plants.",) * 2
    assert [each["composition_id"] for each in listed.json] == ["adhoc", "read_note", "read_note"]
    detail = podium("executions", asked.json["execution_id"][:12], "-w", workspace)
    assert detail.code == 0
    assert "user: ann" in detail.out
    assert "files.read_file" in detail.out
    assert "Water the plants." in detail.out
