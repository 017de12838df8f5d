"""A folder to a workspace: settings, the shipped files, and a commented example of each kind."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from podium.cli.files import add_file
from podium.cli.schemas import KINDS, schema_of
from podium.config import CONFIG_NAME
from podium.domain.errors import WorkspaceError
from podium.resources import DataFolder, default_directory

EXAMPLE = Path(__file__).parent / "workspace_example"
SUFFIXES = frozenset({".json", ".yaml", ".py", ".md", ".txt"})  # not `__pycache__`
SHIPPED: tuple[DataFolder, ...] = ("patterns", "compositions", "transformers")
EMPTY_FOLDERS = ("compositions/learning", "compositions/validated")
OPTIONAL_SERVERS = {"git": "mcp-server-git", "time": "mcp-server-time"}  # disabled if not installed


def make_workspace(folder: Path, *, keep_existing: bool = False) -> list[str]:
    """Write a workspace; return the files written. Nothing is ever overwritten.

    Raises:
        WorkspaceError: files are in the way (unless `keep_existing`: then only the missing ones
            are written), or the folder cannot be written.

    """
    contents = dict(_contents(folder))
    existing = [name for name in contents if (folder / name).exists()]
    if existing and not keep_existing:
        raise WorkspaceError(
            f"{folder}: these files are in the way: {', '.join(existing)}",
            hint="choose another folder, or add only the missing files with --force",
        )
    for name in EMPTY_FOLDERS:
        _make_folder(folder / name)
    missing = [name for name in contents if name not in existing]
    for name in missing:
        add_file(folder / name, contents[name])
    return missing


def _contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every file of a new workspace; the settings last, for they make it one."""
    for name in SHIPPED:
        for path in _files(root := default_directory(name)):
            yield f"{name}/{path.relative_to(root).as_posix()}", path.read_bytes()
    for path in _files(EXAMPLE):
        relative = path.relative_to(EXAMPLE).as_posix()
        if relative != CONFIG_NAME:
            yield relative, path.read_bytes()
    for kind in KINDS:
        schema = json.dumps(schema_of(kind), indent=2, ensure_ascii=False)
        yield f"schemas/{kind}.json", f"{schema}\n".encode()
    yield ".gitignore", b".podium/\n"
    yield CONFIG_NAME, _settings(folder).encode()


def _files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file() and path.suffix in SUFFIXES)


def _settings(folder: Path) -> str:
    text = (EXAMPLE / CONFIG_NAME).read_text(encoding="utf-8")
    for server, command in OPTIONAL_SERVERS.items():
        if not _is_installed(command):
            entry = f"  {server}: {{command: {command}"
            text = text.replace(f"{entry}}}", f"{entry}, disabled: true}}  # not installed yet")
    memory = folder.absolute() / "memory.jsonl"  # a relative path would be the server's own
    return text.replace('"MEMORY_FILE"', json.dumps(str(memory), ensure_ascii=False))


def _is_installed(command: str) -> bool:
    """Tell whether an upstream's command would be found: on PATH, or beside the interpreter."""
    beside = str(Path(sys.executable).parent)
    return any(shutil.which(command, path=path) for path in (os.environ.get("PATH"), beside))


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WorkspaceError(f"{path}: cannot be made: {error.strerror or error}") from error
