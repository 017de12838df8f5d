"""The program: which commands there are, under which names, in which order."""

import sys
from collections.abc import Callable
from typing import Annotated

import typer

import podium
from podium.cli import (
    authoring,
    demo,
    learn,
    learning,
    listings,
    logging_in,
    requests,
    serving,
    trusting,
)
from podium.cli.output import say, say_json
from podium.cli.session import Json, Workspace, help_without_command, session_of

COMMANDS: dict[str, Callable[..., int | None]] = {  # in the order of the help
    "ask": requests.ask,
    "intent": requests.intent,
    "run": requests.run_composition,
    "resume": requests.resume,
    "feedback": learning.feedback,
    "learn": learn.learn,
    "tools": listings.tools,
    "executions": listings.executions,
    "trust": trusting.trust,
    "login": logging_in.login,
    "serve": serving.serve,
    "demo": demo.demo,
    "init": authoring.init,
    "check": authoring.check,
    "import": authoring.import_,
    "schema": authoring.schema,
}


def program() -> typer.Typer:
    """Return the whole command line, ready to be run."""
    app = typer.Typer(
        name="podium",
        help="One MCP server in front of all your other MCP servers.",
        rich_markup_mode=None,  # rich would double the time of --help
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_root)
    for name, function in COMMANDS.items():
        app.command(name)(function)
    app.add_typer(learning.compositions, name="compositions")
    app.add_typer(serving.upstream, name="upstream")
    app.command("version")(_version)
    return app


def _root(
    ctx: typer.Context,
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.")
    ] = False,
    workspace: Workspace = None,
    as_json: Json = False,
) -> None:
    session = session_of(ctx, workspace, as_json)
    if version:
        _print_version(as_json=session.json)
        raise typer.Exit
    help_without_command(ctx, session)


def _version(ctx: typer.Context, *, workspace: Workspace = None, as_json: Json = False) -> None:
    """Print the version."""
    _print_version(as_json=session_of(ctx, workspace, as_json).json)


def _print_version(*, as_json: bool) -> None:
    python = ".".join(map(str, sys.version_info[:3]))
    if as_json:
        say_json({"version": podium.__version__, "python": python})
    else:
        say(f"podium {podium.__version__} (Python {python})")
