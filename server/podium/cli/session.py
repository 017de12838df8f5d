"""What every command shares: the workspace and the form of the output, given anywhere."""

import logging
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from podium.cli.logs import log_to_stderr
from podium.cli.output import notice

if TYPE_CHECKING:
    from podium.app import Orchestrator

Result = TypeVar("Result")

Workspace = Annotated[
    Path | None,
    typer.Option(
        "--workspace",
        "-w",
        metavar="DIR",
        help="The workspace; else $PODIUM_WORKSPACE, the current folder, ~/.podium.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON value on stdout.")]


@dataclass(slots=True)
class Session:
    """The shared options of one run; they may stand before the command or after it."""

    workspace: Path | None = None
    json: bool = False


def session_of(ctx: typer.Context, workspace: Path | None, as_json: bool) -> Session:  # noqa: FBT001 - hands options on
    """Return the run's session, with the options of this level joined in."""
    session = ctx.ensure_object(Session)
    session.workspace = workspace or session.workspace
    session.json = as_json or session.json
    return session


def help_without_command(ctx: typer.Context, session: Session) -> None:
    """Show the help of a group of commands when none of them is named."""
    if ctx.invoked_subcommand is not None:
        return
    if session.json:
        raise typer.BadParameter("needs a command", ctx=ctx)
    typer.echo(ctx.get_help())


def workspace_of(session: Session) -> Path:
    """Return the folder of the workspace; `~/.podium` is made at first use.

    Raises:
        ConfigError: the named workspace has no `config.yaml`.

    """
    from podium.config import CONFIG_NAME, find_workspace  # noqa: PLC0415

    folder = find_workspace(session.workspace, environ=os.environ, cwd=Path.cwd(), home=Path.home())
    if not (folder / CONFIG_NAME).is_file():
        from podium.cli.workspaces import make_workspace  # noqa: PLC0415

        make_workspace(folder, keep_existing=True)
        notice(f"made a first workspace in {folder} (another place: podium init DIR)")
    return folder


def run(
    session: Session,
    act: Callable[["Orchestrator"], Awaitable[Result]],
    *,
    tells_faults: bool = True,
    log_level: int = logging.ERROR,
) -> Result:
    """Open the workspace, let `act` use it, close it; say that files could not be used."""
    import anyio  # noqa: PLC0415

    from podium.app import Orchestrator  # noqa: PLC0415

    log_to_stderr(log_level)
    folder = workspace_of(session)

    async def opened() -> Result:
        async with Orchestrator.open(folder) as orchestrator:
            if tells_faults:
                tell_faults(len(orchestrator.faults))
            return await act(orchestrator)

    return anyio.run(opened)


def tell_faults(count: int) -> None:
    """Say on stderr that files of the workspace could not be used."""
    if count:
        notice(f"{count} part(s) of the workspace cannot be used; podium check says why")
