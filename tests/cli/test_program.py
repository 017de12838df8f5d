"""The command line as a whole: help, version, wrong words, failures, interruptions."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

import podium as package
from podium.cli import boundary
from podium.cli.program import COMMANDS
from tests.cli.conftest import Podium

SECONDS = 30  # no command here may take longer, on whatever machine


def test_the_help_names_every_command(podium: Podium) -> None:
    outcome = podium()

    assert outcome.code == 0
    assert all(f"  {name} " in outcome.out for name in COMMANDS)


@pytest.mark.parametrize("name", [*COMMANDS, "upstream", "version"])
def test_every_command_explains_itself(podium: Podium, name: str) -> None:
    outcome = podium(name, "--help")

    assert outcome.code == 0
    assert f"Usage: podium {name}" in outcome.out


@pytest.mark.parametrize("arguments", [["version"], ["--version"]])
def test_the_version_is_one_line(podium: Podium, arguments: list[str]) -> None:
    outcome = podium(*arguments)

    assert (outcome.code, outcome.out.split()[:2]) == (0, ["podium", package.__version__])
    assert podium(*arguments, "--json").json["version"] == package.__version__


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["asc", "x"], "No such command 'asc'"),
        (["ask"], "Missing argument 'TEXT'"),
        (["ask", "--loud", "x"], "No such option: --loud"),
        (["run"], "Missing argument 'ID|FILE.json'"),
        (["intent"], "Missing argument 'TEXT'"),
        (["tools", "--limit", "0"], "Invalid value for '--limit'"),
        (["executions", "--limit", "many"], "Invalid value for '--limit'"),
        (["serve", "--port", "99999"], "Invalid value for '--port'"),
        (["schema", "sonnet"], "should be one of config, patterns, composition, transformer"),
        (["init"], "Missing argument 'DIR'"),
        (["upstream", "files"], "Missing argument 'DIR'"),
        (["--workspace"], "'--workspace' requires an argument"),
    ],
)
def test_a_wrong_command_line_is_usage(
    podium: Podium, arguments: list[str], complaint: str
) -> None:
    plain = podium(*arguments)
    as_json = podium("--json", *arguments)

    assert (plain.code, plain.out) == (2, "")
    assert complaint in plain.err
    assert "--help" in plain.err
    assert (as_json.code, as_json.err) == (2, "")
    assert as_json.json["error"]["code"] == "usage"
    assert complaint in as_json.json["error"]["message"]


@pytest.mark.parametrize("group", [[], ["upstream"]])
def test_a_group_of_commands_alone_is_help_but_no_json(podium: Podium, group: list[str]) -> None:
    plain = podium(*group)
    as_json = podium(*group, "--json")

    assert (plain.code, plain.out.startswith("Usage: podium"), plain.err) == (0, True, "")
    assert (as_json.code, as_json.json["error"]["code"]) == (2, "usage")


@pytest.mark.parametrize(
    "place", [["-w", "{}", "compositions"], ["compositions", "--workspace", "{}"]]
)
def test_the_workspace_may_stand_before_or_after_the_command(
    podium: Podium, workspace: Path, place: list[str]
) -> None:
    outcome = podium(*(part.format(workspace) for part in place), "--json")

    assert [each["id"] for each in outcome.json] == ["read_note"]


@pytest.mark.parametrize(
    "command",
    [
        ["ask", "hello"],
        ["intent", "hello"],
        ["run", "x"],
        ["compositions"],
        ["tools"],
        ["executions"],
        ["check"],
        ["import", "x.json"],
    ],
)
def test_a_folder_without_settings_is_no_workspace(podium: Podium, command: list[str]) -> None:
    outcome = podium(*command, "--workspace", ".", "--json")

    assert outcome.code == 2
    assert outcome.json["error"]["code"] == "config_invalid"
    assert "podium init" in outcome.json["error"]["hint"]


@pytest.mark.parametrize("command", [["ask", "hello"], ["compositions"], ["serve"]])
def test_broken_settings_name_key_line_and_remedy(
    podium: Podium, workspace: Path, command: list[str]
) -> None:
    (workspace / "config.yaml").write_text("\norchestrator:\n  max_step: 3\nprefx: x\n")

    outcome = podium(*command, "-w", workspace)

    assert (outcome.code, outcome.out) == (2, "")
    assert "line 3: orchestrator: unknown key 'max_step'" in outcome.err
    assert "did you mean 'max_steps_per_composition'?" in outcome.err
    assert "line 4: unknown key 'prefx' (did you mean 'prefix'?)" in outcome.err


def test_serve_keeps_errors_off_stdout_even_as_json(podium: Podium, workspace: Path) -> None:
    (workspace / "config.yaml").write_text("expose: sometimes\n")

    outcome = podium("serve", "-w", workspace, "--json")

    assert (outcome.code, outcome.out) == (2, "")
    assert "expose" in outcome.err


def test_the_first_use_makes_a_workspace_at_home(podium: Podium, home: Path) -> None:
    first = podium("compositions", "--json")
    second = podium("compositions", "--json")

    assert (first.code, second.code) == (0, 0)
    assert f"made a first workspace in {home / '.podium'}" in first.err
    assert second.err == ""
    assert first.json == second.json != []


def test_a_fault_of_ours_is_one_line(podium: Podium, workspace: Path) -> None:
    (workspace / ".podium").mkdir()
    (workspace / ".podium" / "journal.sqlite3").mkdir()  # a folder where a file should be

    outcome = podium("executions", "-w", workspace)

    assert outcome.code in (1, 2)
    assert "Traceback" not in outcome.err
    assert outcome.err.startswith("error: ")


def test_errors_of_a_task_group_are_unwrapped() -> None:
    group = ExceptionGroup("tasks", [ExceptionGroup("more", [ValueError("inner")])])

    assert repr(boundary._single(group)) == "ValueError('inner')"


def shell(*arguments: str, cwd: Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "podium", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        **options,  # type: ignore[arg-type]
    )


@pytest.mark.slow
@pytest.mark.usefixtures("home")
def test_the_help_is_quick() -> None:
    bare, full = (
        min(_processor_seconds([sys.executable, *words]) for _ in range(5))
        for words in (["-c", "pass"], ["-m", "podium", "--help"])
    )

    assert full - bare < 0.3


@pytest.mark.slow
@pytest.mark.usefixtures("home")
def test_the_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from podium.cli.boundary import run; run(['--help']);"
        "print([m for m in ('mcp', 'pydantic', 'rich', 'anyio', 'yaml') if m in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=SECONDS, check=True
    )

    assert done.stdout.splitlines()[-1] == "[]"


def _processor_seconds(command: list[str]) -> float:
    """Return what a command costs, however busy the machine is otherwise."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, capture_output=True, timeout=SECONDS, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.slow
@pytest.mark.usefixtures("home")
def test_a_reader_that_leaves_is_no_error() -> None:
    command = f"'{sys.executable}' -m podium schema config | head -n 1; echo ${{PIPESTATUS[0]}}"

    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=SECONDS, check=True
    )

    assert done.stderr == ""
    assert done.stdout.splitlines()[0] == "{"


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_an_answer_that_cannot_be_written_is_said(home: Path, options: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "podium", "version", *options],
            cwd=home,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_json_stays_json_on_a_terminal_without_unicode(home: Path, workspace: Path) -> None:
    done = shell(
        "intent",
        "read the note élève",
        "-w",
        str(workspace),
        "--json",
        cwd=home,
        env={"PATH": "", "HOME": str(home), "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
    )

    assert json.loads(done.stdout)["intent"]["params"] == {"name": "élève"}
