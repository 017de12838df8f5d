"""`serve` and `upstream`: Podium as a server, and the small servers that ship with it."""

import gc
import json
import logging
import shutil
import signal
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from podium.cli.logs import log_to_stderr
from podium.cli.output import notice
from podium.cli.session import (
    Json,
    Session,
    Workspace,
    help_without_command,
    run,
    session_of,
    workspace_of,
)

if TYPE_CHECKING:
    from podium.app import Orchestrator

DEFAULT_PORT = 8321
COLLECT_AFTER = (20_000, 20, 20)  # new objects, young and middle collections; a call makes 1,000s

upstream = typer.Typer(help="Run a small MCP server that ships with Podium.", rich_markup_mode=None)


def serve(
    ctx: typer.Context,
    *,
    http: Annotated[
        bool, typer.Option("--http", help="Serve streamable HTTP instead of stdin and stdout.")
    ] = False,
    host: Annotated[str, typer.Option("--host", help="The address for --http.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65_535, help="The port for --http.")
    ] = DEFAULT_PORT,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            metavar="NAME",
            help="A further name that clients may call this server by; may be repeated.",
        ),
    ] = None,
    workspace: Workspace = None,
    as_json: Json = False,
) -> None:
    """Serve MCP clients. Without --http, a client starts this command itself."""
    session = session_of(ctx, workspace, as_json)
    _leave_stdout_alone(session)
    if not http and sys.stdin is not None and sys.stdin.isatty():
        notice(_how_to_connect(workspace_of(session)))

    names = tuple(allow_host or ())

    async def act(orchestrator: "Orchestrator") -> None:
        import anyio  # noqa: PLC0415

        from podium.interfaces.mcp_server import serve_http, serve_stdio  # noqa: PLC0415

        drain = orchestrator.config_drain_seconds
        _settle_memory()
        async with anyio.create_task_group() as warming:
            # The first requests find the servers running, and no client has to wait for them.
            warming.start_soon(orchestrator.start_upstreams)
            warming.start_soon(orchestrator.prepare_patterns)
            if http:
                listen = partial(
                    serve_http,
                    orchestrator,
                    host,
                    port,
                    allowed_hosts=names,
                    drain_seconds=drain,
                    limits=orchestrator.config_http,
                )
                async with anyio.create_task_group() as serving:
                    notice(f"serving {await serving.start(listen)}")
            else:
                await serve_stdio(orchestrator, drain_seconds=drain)
            warming.cancel_scope.cancel()

    run(session, act, log_level=logging.WARNING)


def _settle_memory() -> None:
    """Have the garbage collector pass over what stays for good, and come by less often.

    It would look through all that was loaded again and again, for a sixth of the time of a call.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def _how_to_connect(workspace: Path) -> str:
    beside = str(Path(sys.executable).parent)  # the one that runs now, if it is installed
    command = shutil.which("podium", path=beside) or shutil.which("podium") or "podium"
    arguments = ["serve", "--workspace", str(workspace)]
    entry = {"mcpServers": {"podium": {"command": command, "args": arguments}}}
    return (
        "Podium is waiting for an MCP client on stdin. Normally a client starts it itself; for "
        f"Claude Desktop, add this to claude_desktop_config.json:\n{json.dumps(entry, indent=2)}\n"
        "Ctrl-C ends it; podium serve --http serves a port instead."
    )


@upstream.callback(invoke_without_command=True)
def _upstream(ctx: typer.Context, *, workspace: Workspace = None, as_json: Json = False) -> None:
    help_without_command(ctx, session_of(ctx, workspace, as_json))


@upstream.command("files")
def files(
    ctx: typer.Context,
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder to serve; nothing else is reached.")
    ],
    *,
    workspace: Workspace = None,
    as_json: Json = False,
) -> None:
    """Serve the files of one folder on stdin and stdout."""
    import anyio  # noqa: PLC0415

    from podium.interfaces.files_server import serve as serve_files  # noqa: PLC0415

    _leave_stdout_alone(session_of(ctx, workspace, as_json))
    log_to_stderr(logging.WARNING)
    for ending in (signal.SIGINT, signal.SIGTERM):
        # It holds nothing that needs closing, and a read of stdin cannot be cancelled.
        signal.signal(ending, signal.SIG_DFL)
    anyio.run(serve_files, directory)


def _leave_stdout_alone(session: Session) -> None:
    """Let even errors go to stderr, as text: stdout belongs to the protocol."""
    session.json = False
