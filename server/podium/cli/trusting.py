"""`trust`: what changed in a server's tools, shown, and accepted if a person says so."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from podium.cli.logs import log_to_stderr
from podium.cli.output import say, say_json
from podium.cli.session import Json, Session, Workspace, session_of, workspace_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from podium.domain.tool import HeldTool

DECLINED = 1


def trust(
    ctx: typer.Context,
    server: Annotated[
        str, typer.Argument(metavar="SERVER", help="A server, as config.yaml names it.")
    ],
    tool: Annotated[
        str | None, typer.Argument(metavar="TOOL", help="One of its tools; else all of them.")
    ] = None,
    *,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Accept without asking, for scripts.")
    ] = False,
    workspace: Workspace = None,
    as_json: Json = False,
) -> int:
    """Show how the tools of a server have changed since they were accepted, and accept that."""
    session = session_of(ctx, workspace, as_json)
    return _run(session, server, tool, yes=yes)


def _run(session: Session, server: str, tool: str | None, *, yes: bool) -> int:
    import logging  # noqa: PLC0415

    import anyio  # noqa: PLC0415

    from podium.app import upstreams_of  # noqa: PLC0415

    log_to_stderr(logging.ERROR)
    folder = workspace_of(session)

    async def act() -> int:
        async with upstreams_of(folder) as upstreams:
            held = await upstreams.held(server, tool)
            if not session.json:
                _show(server, held)
            if held and not yes:
                if session.json or not _is_asking_possible():
                    raise typer.BadParameter(
                        "nobody can be asked here; if the change is right, accept it with --yes",
                        param_hint="--yes",
                    )
                if not typer.confirm("Accept?", err=True):
                    return DECLINED
            upstreams.accept(server, held)
        _tell(session, server, held)
        return 0

    return anyio.run(act)


def _is_asking_possible() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _show(server: str, held: "Sequence[HeldTool]") -> None:
    from podium.upstreams.trust import all_changes  # noqa: PLC0415

    for each in held:
        say(f"{server}.{each.name}: {each.reason}")
        for line in all_changes(each):
            say(f"  {line}")


def _tell(session: Session, server: str, held: "Sequence[HeldTool]") -> None:
    accepted: dict[str, Any] = {
        "server_id": server,
        "accepted": [each.to_dict() for each in held],
    }
    if session.json:
        say_json(accepted)
    elif held:
        say(f"accepted: {', '.join(f'{server}.{each.name}' for each in held)}")
    else:
        say(f"nothing to accept: the tools of {server} are as they were accepted")
