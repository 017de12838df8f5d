"""`podium demo`: a scratch workspace, real servers, requests in two languages, and what it took."""

import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from podium.cli.lesson import IN_WORDS, USER, Lesson, learn_by_hand, show_lesson, with_answer
from podium.cli.output import duration, notice, say, say_json, table
from podium.cli.session import Json, Session, run, session_of
from podium.cli.watch import watching
from podium.domain.errors import WorkspaceError

if TYPE_CHECKING:
    from podium.app import Orchestrator

NEEDED = {
    "git": "install git with your system's package manager",
    "mcp-server-git": 'pip install "podium-mcp[demo]"',
    "mcp-server-time": 'pip install "podium-mcp[demo]"',
}
MESSAGE_LINES = 12  # of an answer; enough to see what it is
GIT_SECONDS = 30
DOCUMENTS = {
    "documents/budget.md": """\
        # Budget 2026

        The workshop costs 1 200 euros, the room 300 euros. Travel is paid by each participant.
        """,
    "documents/agenda.md": """\
        # Ordre du jour

        1. Accueil à 9 h
        2. Démonstration de Podium
        3. Budget et questions
        """,
    "documents/notes/idees.md": "Penser à commander le café et le thé.\n",
}
COMMITS = (  # the documents above are added one by one; `.` is the rest of the workspace
    ("Add the budget", "documents/budget.md"),
    ("Ajoute l'ordre du jour", "documents/agenda.md"),
    ("Start a Podium workspace", "."),
)
UNCOMMITTED = "documents/notes/idees.md"


@dataclass(frozen=True, slots=True)
class Scene:
    """One request of the demo, and the status that it comes to."""

    request: str
    status: str = "success"


SCENES = (
    Scene("Liste les fichiers"),
    Scene("Summarise the files"),
    Scene("Cherche budget dans les fichiers"),
    Scene("What changed in the repository?"),
    Scene("Quelle heure est-il à Tokyo quand il est 15h à Paris ?"),
    Scene("Note : commander le café"),
    Scene("What did I note about café?"),
    Scene("Prépare un point sur le projet"),
    Scene("Lis le fichier introuvable.md", status="error"),
)


@dataclass(frozen=True, slots=True)
class Played:
    """A scene after it was played."""

    scene: Scene
    reply: dict[str, Any]
    milliseconds: float
    lesson: Lesson | None = None  # of which it is the proof

    @property
    def steps(self) -> int:
        """How many steps called their tool, once or in rounds."""
        return sum(step["attempts"] > 0 for step in self.reply["execution_info"]["steps"].values())


def demo(
    ctx: typer.Context,
    *,
    keep: Annotated[
        Path | None,
        typer.Option("--keep", metavar="DIR", help="Make the workspace here and leave it."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Show what Podium does, on real servers; no network, no keys."""
    session = session_of(ctx, None, as_json)
    _require_programs()
    with _scratch(keep) as folder:
        _furnish(folder)
        session = Session(workspace=folder, json=session.json)
        played = run(session, lambda orchestrator: _play(orchestrator, session))
        if session.json:
            say_json([_row(each) for each in played])
        else:
            _show_table(played)
            if keep is not None:
                notice(f'the workspace stays in {folder}: podium -w {folder} ask "..."')
    return 0 if all(each.reply["status"] == each.scene.status for each in played) else 1


async def _play(orchestrator: "Orchestrator", session: Session) -> list[Played]:
    if not session.json:
        say("Starting the servers: files, git, time.")
    await orchestrator.start_upstreams()
    played = [await _play_scene(orchestrator, session, scene) for scene in SCENES]
    return [*played, await _play_lesson(orchestrator, session)]


async def _play_scene(orchestrator: "Orchestrator", session: Session, scene: Scene) -> Played:
    if not session.json:
        typer.secho(f"\n> {scene.request}", bold=True)
    started = time.monotonic()
    with watching() as listener:
        reply = await orchestrator.process_request(
            scene.request, user_id=USER, on_event=None if session.json else listener
        )
    if not session.json:
        _show_answer(reply)
    return Played(scene, reply, (time.monotonic() - started) * 1000)


async def _play_lesson(orchestrator: "Orchestrator", session: Session) -> Played:
    """Have a task done by hand, and then ask for it in words."""
    if not session.json:
        typer.secho("\nA client does a task with its own calls, three times:", bold=True)
    lesson = await learn_by_hand(orchestrator, is_shown=not session.json)
    played = await _play_scene(orchestrator, session, Scene(IN_WORDS))
    if lesson is None:
        return played
    lesson = with_answer(lesson, played.reply)
    if not session.json:
        show_lesson(lesson)
    return replace(played, lesson=lesson)


def _show_answer(reply: dict[str, Any]) -> None:
    lines = reply["data"]["message"].splitlines()
    say(textwrap.indent("\n".join(lines[:MESSAGE_LINES]), "  "))
    if len(lines) > MESSAGE_LINES:
        notice(f"  … {len(lines) - MESSAGE_LINES} more lines")
    if reply["error"] is not None:
        notice(f"  (error code {reply['error']['code']}; this one fails on purpose)")


def _show_table(played: list[Played]) -> None:
    say("")
    table(
        ("request", "understood as", "steps", "status", "took"),
        (
            (
                each.scene.request,
                (each.reply["intent"] or {}).get("type"),
                str(each.steps),
                each.reply["status"],
                duration(each.milliseconds),
            )
            for each in played
        ),
        title="What ran. No model was asked.",
    )


def _row(played: Played) -> dict[str, Any]:
    return {
        "request": played.scene.request,
        "expected_status": played.scene.status,
        "steps": played.steps,
        "milliseconds": round(played.milliseconds, 1),
        "reply": played.reply,
        **({"learnt": played.lesson.to_dict()} if played.lesson else {}),
    }


# --- the scratch workspace


def _require_programs() -> None:
    beside = str(Path(sys.executable).parent)
    for program, remedy in NEEDED.items():
        if not (shutil.which(program) or shutil.which(program, path=beside)):
            raise WorkspaceError(f"the demo needs {program}, which is not installed", hint=remedy)


@contextmanager
def _scratch(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        yield keep.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="podium-demo-") as folder:
        yield Path(folder)


def _furnish(folder: Path) -> None:
    """Make a workspace with documents, which is a git repository as well."""
    from podium.cli.workspaces import make_workspace  # noqa: PLC0415

    make_workspace(folder)
    for name, text in DOCUMENTS.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    _git(folder, "init", "--quiet", "--initial-branch", "main")
    for message, part in COMMITS:
        _git(folder, "add", part, f":!{UNCOMMITTED}")
        _git(folder, "commit", "--quiet", "--message", message)


def _git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Podium", "-c", "user.email=podium@example.org"]
    plain = ["-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null"]
    command = ["git", *identity, *plain, *arguments]
    try:
        subprocess.run(  # noqa: S603 - fixed arguments, no shell
            command, cwd=folder, check=True, capture_output=True, text=True, timeout=GIT_SECONDS
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip()
        raise WorkspaceError(f"git {arguments[0]} failed: {said}", hint="is git set up?") from error
