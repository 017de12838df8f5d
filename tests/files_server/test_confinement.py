"""Nothing outside the served folder can be read, listed, described, searched or written."""

import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp import Client

from podium.domain.errors import WorkspaceError
from podium.interfaces.files_server import build_server
from podium.interfaces.files_server.folder import FileError, Folder
from tests.files_server.caller import Caller

pytestmark = pytest.mark.anyio

OUTSIDE_TEXT = "what nobody must read"
HOSTILE = yaml.safe_load(Path(__file__).with_name("hostile_paths.yaml").read_text("utf-8"))
CALLS: dict[str, dict[str, Any]] = {
    "list_directory": {"directory": None},
    "read_file": {"file_path": None},
    "search_files": {"query": "nobody", "directory": None},
    "file_info": {"file_path": None},
    "write_file": {"file_path": None, "text": "overwritten"},
}


def snapshot(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


@pytest.mark.parametrize("tool", CALLS)
@pytest.mark.parametrize("case", HOSTILE, ids=lambda case: repr(case["path"]))
async def test_a_hostile_path_is_refused(
    files: Caller, tmp_path: Path, tool: str, case: dict[str, str]
) -> None:
    before = snapshot(tmp_path)
    arguments = {k: case["path"] if v is None else v for k, v in CALLS[tool].items()}

    error = await files.error(tool, **arguments)

    assert case["says"] in error
    assert str(tmp_path) not in error
    assert OUTSIDE_TEXT not in error
    assert snapshot(tmp_path) == before


async def test_nothing_outside_shows_in_listings_and_searches(files: Caller) -> None:
    listed = await files.result("list_directory", recursive=True, hidden=True)
    found = await files.result("search_files", query="nobody")

    assert listed["files"] == ["notes.md", "sub/deep.md"]
    assert listed["directories"] == ["sub"]
    assert found["matches"] == []


@pytest.mark.parametrize("tool", ["read_file", "write_file"])
async def test_special_files_are_refused_without_waiting(
    files: Caller, served: Path, tool: str
) -> None:
    os.mkfifo(served / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        folder = os.open(served, os.O_RDONLY)
        listener.bind(f"/proc/self/fd/{folder}/socket")  # a socket's path is short by law
        os.close(folder)
        arguments = {"text": "x"} if tool == "write_file" else {}

        with anyio.fail_after(5):
            errors = [
                await files.error(tool, file_path=name, **arguments) for name in ("pipe", "socket")
            ]
            described = await files.result("file_info", file_path="pipe")
            await files.result("search_files", query="x")
            listed = await files.result("list_directory", pattern="pipe")

    assert all("is not a regular file" in error for error in errors)
    assert described["type"] == "other"
    assert (listed["files"], listed["entries"][0]["type"]) == ([], "other")


async def test_an_absolute_path_inside_is_accepted(files: Caller, served: Path) -> None:
    read = await files.result("read_file", file_path=str(served / "sub" / "deep.md"))

    assert (read["file_path"], read["text"]) == ("sub/deep.md", "deep ete")


async def test_the_served_folder_may_itself_be_a_link(served: Path, tmp_path: Path) -> None:
    alias = tmp_path / "alias"
    alias.symlink_to(served)

    async with Client(build_server(alias)) as client:
        files = Caller(client)
        through_link = await files.text("read_file", file_path=str(alias / "sub" / "deep.md"))
        error = await files.error("read_file", file_path="../outside.txt")

    assert through_link == "deep ete"
    assert "outside" in error


async def test_writing_through_a_link_that_stays_inside_changes_its_target(
    files: Caller, served: Path
) -> None:
    (served / "inside").symlink_to("sub/deep.md")

    written = await files.result("write_file", file_path="inside", text="new")

    assert written["file_path"] == "sub/deep.md"
    assert (served / "inside").is_symlink()
    assert await files.text("read_file", file_path="sub/deep.md") == "new"


async def test_a_name_that_is_no_text_is_left_out_and_counted(files: Caller, served: Path) -> None:
    for name in (b"bad\xff.md", b"back\\slash.md"):
        os.close(os.open(os.fsencode(served) + b"/" + name, os.O_CREAT))

    listed = await files.result("list_directory", recursive=True)

    assert listed["files"] == ["notes.md", "sub/deep.md"]
    assert listed["skipped"] == 8


async def test_odd_names_are_read_as_they_are_listed(files: Caller, served: Path) -> None:
    names = ["a b.md", "été.md", "e\u0301.md", "😀.md", "-rf", "line\nbreak.md", "'\"$(x).md", "~"]
    for name in names:
        (served / name).write_text(name, encoding="utf-8")

    listed = await files.result("list_directory")
    texts = [await files.text("read_file", file_path=path) for path in listed["files"]]

    assert sorted(texts[:-1] + texts[-1:]) == sorted([*names, "first line\nÉté à Paris\n"])


async def test_a_folder_swapped_for_a_link_after_the_check_leads_nowhere(
    served: Path, tmp_path: Path
) -> None:
    """Between the check of a path and its opening an attacker replaces a folder."""

    class Swapping(Folder):
        def locate(self, path: str) -> tuple[str, ...]:
            parts = super().locate(path)
            (served / "sub").rename(served / "away")
            (served / "sub").symlink_to(tmp_path / "outside")
            return parts

    (served / "sub" / "secret.txt").write_text("harmless")

    with pytest.raises(FileError, match=r"'sub/secret\.txt' (cannot be used|changed)"):
        Swapping(served).read("sub/secret.txt", 100)


async def test_a_file_swapped_for_a_link_after_the_check_is_not_followed(
    served: Path, tmp_path: Path
) -> None:
    class Swapping(Folder):
        def locate(self, path: str) -> tuple[str, ...]:
            (served / path).unlink(missing_ok=True)
            parts = super().locate(path)
            (served / path).symlink_to(tmp_path / "outside.txt")
            return parts

    folder = Swapping(served)
    with pytest.raises(FileError, match="not a regular file"):
        folder.read("notes.md", 100)
    with pytest.raises(FileError, match="not a regular file"):
        folder.append("notes.md", b"x", create_directories=False)
    with pytest.raises(FileError, match="not a regular file"):
        folder.write("notes.md", b"x", create_directories=False, overwrite=True)

    assert (tmp_path / "outside.txt").read_text() == OUTSIDE_TEXT


PARTS = st.sampled_from(["..", ".", "", "sub", "notes.md", "link_to_parent", "link_loop", "été"])


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(path=st.lists(PARTS | st.text(max_size=4), max_size=8).map("/".join))
def test_no_path_at_all_leads_outside(served: Path, path: str) -> None:
    folder, root = Folder(served), served.resolve()

    with suppress(FileError):
        parts = folder.locate(path)

        assert root.joinpath(*parts).resolve().is_relative_to(root)


@pytest.mark.parametrize("name", ["missing", "file.txt"])
def test_a_folder_that_cannot_be_served_is_a_clear_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "file.txt").write_text("x")

    with pytest.raises(WorkspaceError, match="cannot be served") as refused:
        build_server(tmp_path / name)

    assert refused.value.exit_code == 2
    assert refused.value.hint == "name an existing folder that this program may read"
