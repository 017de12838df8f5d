"""`login`: a person's consent in a browser, kept so that `serve` can use a server with OAuth."""

import logging
import webbrowser
from typing import Annotated

import typer

from podium.cli.logs import log_to_stderr
from podium.cli.output import notice, say, say_json
from podium.cli.session import Json, Workspace, session_of, workspace_of


def login(
    ctx: typer.Context,
    server: Annotated[
        str, typer.Argument(metavar="SERVER", help="A server with `oauth` in config.yaml.")
    ],
    *,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Only print the address, open nothing.")
    ] = False,
    workspace: Workspace = None,
    as_json: Json = False,
) -> None:
    """Log in to a server with OAuth, in the browser; Podium then renews the login by itself."""
    import anyio  # noqa: PLC0415
    import anyio.to_thread  # noqa: PLC0415

    from podium.app import log_in_to  # noqa: PLC0415

    session = session_of(ctx, workspace, as_json)
    log_to_stderr(logging.CRITICAL)  # the SDK logs each failed login with a traceback
    folder = workspace_of(session)

    async def show(address: str) -> None:
        notice(f"open this address and give your consent:\n{address}")
        if not no_browser:
            await anyio.to_thread.run_sync(webbrowser.open, address, abandon_on_cancel=True)

    done = anyio.run(log_in_to, server, folder, show)
    if session.json:
        say_json({"server_id": server, "scope": done.scope, "expires_at": done.expires_at})
    else:
        say(f"logged in to {server}" + (f", for: {done.scope}" if done.scope else ""))
