"""`check`, `init`, `import`, `schema`: what a person needs who writes a workspace's files."""

import logging
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from podium.cli.logs import log_to_stderr
from podium.cli.output import notice, say, say_json
from podium.cli.session import Json, Session, Workspace, session_of, workspace_of
from podium.domain.errors import ConfigError, FileInvalidError
from podium.text.clean import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from podium.cli.importing import Import
    from podium.domain.findings import Finding

FAULTY = 2  # exit code of a check that found errors
_COLOURS = {"error": "red", "warning": "yellow"}


def check(
    ctx: typer.Context,
    path: Annotated[
        Path | None,
        typer.Argument(metavar="PATH", help="A workspace, or one file of it; else the workspace."),
    ] = None,
    *,
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not start the servers to compare their tools.")
    ] = False,
    workspace: Workspace = None,
    as_json: Json = False,
) -> int:
    """Check every file of a workspace, and the tools that it uses."""
    import anyio  # noqa: PLC0415

    from podium.app import check_workspace  # noqa: PLC0415

    session = session_of(ctx, workspace, as_json)
    log_to_stderr(logging.ERROR)
    folder = _checked_folder(path, session)

    async def act() -> list["Finding"]:
        return await check_workspace(folder, offline=offline)

    findings = anyio.run(act)
    if path is not None and path.is_file():
        findings = [each for each in findings if _is_about(each, path)]
    _show_findings(findings, folder, session)
    return FAULTY if any(each.severity == "error" for each in findings) else 0


def _is_about(finding: "Finding", path: Path) -> bool:
    """Tell whether a finding is about a file; its source may be relative to any folder above."""
    return path.resolve().as_posix().endswith("/" + Path(finding.source).as_posix().lstrip("/"))


def _checked_folder(path: Path | None, session: Session) -> Path:
    """Return the workspace that a path means: itself, or the one around a file.

    Raises:
        FileInvalidError: there is no such file or folder.
        ConfigError: no workspace is there.

    """
    from podium.config import CONFIG_NAME  # noqa: PLC0415

    if path is None:
        return workspace_of(session)
    if not path.exists():
        raise FileInvalidError(f"{path}: there is no such file or folder")
    around = [path.resolve()] if path.is_dir() else list(path.resolve().parents)
    found = next((each for each in around if (each / CONFIG_NAME).is_file()), None)
    if found is None:
        where = "has no" if path.is_dir() else "is not in a workspace, a folder with a"
        raise ConfigError(
            f"{path}: {where} {CONFIG_NAME}", hint=f"make a workspace: podium init {around[0]}"
        )
    return found


def _show_findings(findings: "Sequence[Finding]", folder: Path, session: Session) -> None:
    errors = sum(each.severity == "error" for each in findings)
    warnings = len(findings) - errors
    if session.json:
        listed = [each.to_dict() for each in findings]
        say_json({"errors": errors, "warnings": warnings, "findings": listed})
        return
    for source in dict.fromkeys(each.source for each in findings):
        say(_shown_path(source, folder))
        for each in findings:
            if each.source == source:
                _show_finding(each)
    say(f"{errors} error(s), {warnings} warning(s)" if findings else f"{folder}: all is well")


def _shown_path(source: str, folder: Path) -> str:
    path = folder / source
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else source


def _show_finding(finding: "Finding") -> None:
    line = f"line {finding.line}: " if finding.line is not None else ""
    where = f"{finding.where}: " if finding.where else ""
    severity = typer.style(finding.severity, fg=_COLOURS[finding.severity])
    typer.echo(f"  {severity}: {printable(line + where + finding.message)}")
    if finding.hint:
        say(f"    {finding.hint}")


def init(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder; made if need be.")],
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Add what is missing beside files that are there.")
    ] = False,
    workspace: Workspace = None,
    as_json: Json = False,
) -> None:
    """Make a workspace with an example of each kind of file."""
    from podium.cli.workspaces import make_workspace  # noqa: PLC0415

    session = session_of(ctx, workspace, as_json)
    written = make_workspace(folder, keep_existing=force)
    if session.json:
        say_json({"workspace": str(folder.resolve()), "written": written})
        return
    here = shlex.quote(str(folder))
    say(
        f"{folder}: {len(written)} files written. Try it:\n"
        f'  podium -w {here} ask "Peux-tu faire le tour de mes documents ?"\n'
        f'  podium -w {here} ask "Give me a tour of my documents"\n'
        f"  podium -w {here} check"
    )


def import_(
    ctx: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="claude_desktop_config.json, .mcp.json, mcp.json, …"),
    ],
    *,
    workspace: Workspace = None,
    as_json: Json = False,
) -> None:
    """Copy the MCP servers of another client's configuration into config.yaml."""
    from podium.cli.importing import import_servers  # noqa: PLC0415

    session = session_of(ctx, workspace, as_json)
    folder = workspace_of(session)
    result = import_servers(file, folder, os.environ)
    if session.json:
        say_json({"workspace": str(folder), **result.to_dict()})
    else:
        _show_import(result, folder)


def _show_import(result: "Import", folder: Path) -> None:
    for name, reason in result.skipped.items():
        notice(f"skipped {name}: {reason}")
    for note in result.notes:
        notice(f"note: {note}")
    if result.added:
        say(f"added to {folder / 'config.yaml'}: {', '.join(result.added)}")
    else:
        say("nothing to add")


def schema(
    ctx: typer.Context,
    kind: Annotated[
        str, typer.Argument(metavar="config|patterns|composition|transformer", help="Which file.")
    ],
    *,
    workspace: Workspace = None,
    as_json: Json = False,
) -> None:
    """Print the JSON Schema of a kind of file, for editors."""
    from podium.cli.schemas import KINDS, schema_of  # noqa: PLC0415

    session_of(ctx, workspace, as_json)
    if kind not in KINDS:
        raise typer.BadParameter(f"should be one of {', '.join(KINDS)}", param_hint="KIND")
    say_json(schema_of(kind))
