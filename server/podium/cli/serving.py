"""`serve` and `upstream`: Podium as a server, and the small servers that ship with it."""

import json
import logging
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from podium.cli.output import notice
from podium.cli.session import Json, Workspace, run, session_of, workspace_of

if TYPE_CHECKING:
    from podium.app import Orchestrator

DEFAULT_PORT = 8321

upstream = typer.Typer(
    help="Run a small MCP server that ships with Podium.",
    rich_markup_mode=None,
    no_args_is_help=True,
)


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
    workspace: Workspace = None,
    as_json: Json = False,
) -> None:
    """Serve MCP clients. Without --http, a client starts this command itself."""
    session = session_of(ctx, workspace, as_json)
    session.json = False  # stdout belongs to the protocol: even errors go to stderr, as text
    if not http and sys.stdin.isatty():
        notice(_how_to_connect(workspace_of(session)))

    async def act(orchestrator: "Orchestrator") -> None:
        import anyio  # noqa: PLC0415

        from podium.interfaces.mcp_server import serve_http, serve_stdio  # noqa: PLC0415

        async with anyio.create_task_group() as warming:
            # The first request finds the servers running, and no client has to wait for them.
            warming.start_soon(orchestrator.start_upstreams)
            if http:
                async with anyio.create_task_group() as serving:
                    notice(f"serving {await serving.start(serve_http, orchestrator, host, port)}")
            else:
                await serve_stdio(orchestrator)
            warming.cancel_scope.cancel()

    run(session, act, log_level=logging.WARNING)


def _how_to_connect(workspace: Path) -> str:
    command = shutil.which("podium") or "podium"
    arguments = ["serve", "--workspace", str(workspace)]
    entry = {"mcpServers": {"podium": {"command": command, "args": arguments}}}
    return (
        "Podium is waiting for an MCP client on stdin. Normally a client starts it itself; for "
        f"Claude Desktop, add this to claude_desktop_config.json:\n{json.dumps(entry, indent=2)}\n"
        "Ctrl-C ends it; podium serve --http serves a port instead."
    )


@upstream.command("files")
def files(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder to serve; nothing else is reached.")
    ],
) -> None:
    """Serve the files of one folder on stdin and stdout."""
    import anyio  # noqa: PLC0415

    from podium.interfaces.files_server import serve as serve_files  # noqa: PLC0415

    anyio.run(serve_files, directory)
