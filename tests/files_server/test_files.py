"""The five tools do what they say, in every encoding, size and number."""

import os
import re
import stat
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from podium.interfaces.files_server import build_server
from tests.files_server.caller import Caller

pytestmark = pytest.mark.anyio

ISO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def fill(folder: Path, names: dict[str, bytes | str]) -> None:
    for name, content in names.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def content_of(path: Path) -> bytes:
    return path.read_bytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "documents"
    root.mkdir()
    return root


@pytest.fixture
async def empty(folder: Path) -> Any:
    async with Client(build_server(folder)) as client:
        yield Caller(client)


# --- what clients see


async def test_every_tool_says_what_it_takes_gives_and_does(files: Caller) -> None:
    listed = await files.client.list_tools()

    seen = {}
    for tool in listed.tools:
        assert tool.title
        assert tool.description
        assert tool.input_schema["type"] == "object"
        assert tool.output_schema is not None
        assert tool.output_schema["type"] == "object"
        hints = tool.annotations
        assert hints is not None
        assert hints.title == tool.title
        seen[tool.name] = (
            hints.read_only_hint,
            hints.destructive_hint,
            hints.idempotent_hint,
            hints.open_world_hint,
        )
    reads, writes = (True, False, True, False), (False, True, False, False)
    assert seen == {
        "list_directory": reads,
        "read_file": reads,
        "search_files": reads,
        "file_info": reads,
        "write_file": writes,
    }


async def test_both_eras_get_the_same_answer(served: Path, era: Any) -> None:
    async with Client(build_server(served), mode=era) as client:
        files = Caller(client)
        tools = [tool.name for tool in (await client.list_tools()).tools]
        listed = await files.result("list_directory", directory="sub")
        error = await files.error("read_file", file_path="nothing.md")

    assert len(tools) == 5
    assert listed["files"] == ["sub/deep.md"]
    assert error.startswith("'nothing.md' does not exist")


# --- list_directory


async def test_a_listing_feeds_read_file(files: Caller) -> None:
    listed = await files.result("list_directory", directory=".")

    texts = [(await files.result("read_file", file_path=p))["text"] for p in listed["files"]]

    assert texts == ["first line\nÉté à Paris\n"]


async def test_a_listing_names_files_folders_and_what_they_are(files: Caller) -> None:
    listed = await files.result("list_directory")

    modified = [entry.pop("modified") for entry in listed["entries"]]
    assert all(ISO_TIME.fullmatch(moment) for moment in modified)
    assert [entry["type"] for entry in listed["entries"]] == ["file", "directory"]
    assert listed["entries"][0] == {
        "path": "notes.md",
        "name": "notes.md",
        "type": "file",
        "size": 26,
    }
    assert {key: listed[key] for key in ("directory", "files", "directories", "truncated")} == {
        "directory": ".",
        "files": ["notes.md"],
        "directories": ["sub"],
        "truncated": False,
    }
    assert listed["skipped"] == 6  # the links that lead outside or nowhere


async def test_a_recursive_listing_goes_down_in_the_order_of_names(
    empty: Caller, folder: Path
) -> None:
    fill(
        folder,
        {"b.md": "", "a/z.md": "", "a/c/x.md": "", "A.md": "", ".git/config": "", "é.md": ""},
    )

    listed = await empty.result("list_directory", recursive=True)

    assert listed["files"] == ["a/c/x.md", "a/z.md", "A.md", "b.md", "é.md"]
    assert listed["directories"] == ["a", "a/c"]
    assert await empty.text("list_directory", recursive=True) == (
        "a/\na/c/\na/c/x.md\na/z.md\nA.md\nb.md\né.md"
    )


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        ({}, ["a.md", "b.TXT"]),
        ({"pattern": "*.md"}, ["a.md"]),
        ({"pattern": "*.txt"}, ["b.TXT"]),
        ({"pattern": "[ab].*"}, ["a.md", "b.TXT"]),
        ({"pattern": "*.md", "recursive": True}, ["a.md", "s/c.md", "s/t/d.md"]),
        ({"pattern": "s/*.md", "recursive": True}, ["s/c.md"]),
        ({"pattern": "**/*.md", "recursive": True}, ["a.md", "s/c.md", "s/t/d.md"]),
        ({"pattern": "s/**", "recursive": True}, ["s/c.md", "s/t/d.md"]),
        ({"pattern": "**/t/**/d.md", "recursive": True}, ["s/t/d.md"]),
        ({"pattern": "t/*.md", "directory": "s", "recursive": True}, ["s/t/d.md"]),
        ({"pattern": "*.pdf", "recursive": True}, []),
        ({"directory": "s"}, ["s/c.md"]),
        ({"directory": "s/../s/./t/"}, ["s/t/d.md"]),
        ({"hidden": True}, [".hidden.md", "a.md", "b.TXT"]),
        ({"pattern": "**/" * 100 + "x" * 20, "recursive": True}, []),
        ({"pattern": "*a" * 100 + "b", "recursive": True}, []),
    ],
)
async def test_a_pattern_chooses_names_and_paths(
    empty: Caller, folder: Path, arguments: dict[str, Any], files: list[str]
) -> None:
    fill(folder, {"a.md": "", "b.TXT": "", "s/c.md": "", "s/t/d.md": "", ".hidden.md": ""})

    with anyio.fail_after(5):
        listed = await empty.result("list_directory", **arguments)

    assert listed["files"] == files


async def test_a_listing_that_is_cut_says_so(empty: Caller, folder: Path) -> None:
    fill(folder, {f"{number}.md": "" for number in range(5)})

    cut = await empty.result("list_directory", limit=4)
    whole = await empty.result("list_directory", limit=5)

    assert (cut["files"], cut["truncated"]) == (["0.md", "1.md", "2.md", "3.md"], True)
    assert (len(whole["files"]), whole["truncated"]) == (5, False)


async def test_a_tree_without_end_is_cut(empty: Caller, folder: Path) -> None:
    fill(folder, {"d/" * 40 + "x.md": ""})

    listed = await empty.result("list_directory", recursive=True)

    assert listed["files"] == []
    assert listed["truncated"]


async def test_a_link_inside_is_shown_and_not_followed_round_in_circles(
    empty: Caller, folder: Path
) -> None:
    fill(folder, {"s/a.md": "text"})
    (folder / "s" / "up").symlink_to("..")
    (folder / "alias.md").symlink_to("s/a.md")

    listed = await empty.result("list_directory", recursive=True)

    assert listed["files"] == ["alias.md", "s/a.md"]
    assert listed["directories"] == ["s", "s/up"]
    assert await empty.text("read_file", file_path="alias.md") == "text"
    assert await empty.text("read_file", file_path="s/up/s/a.md") == "text"


async def test_an_empty_folder_is_an_empty_listing(empty: Caller) -> None:
    assert (await empty.result("list_directory"))["entries"] == []
    assert await empty.text("list_directory") == "(nothing)"


# --- read_file


@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        (b"", "", "utf-8"),
        ("Été ✓ 😀".encode(), "Été ✓ 😀", "utf-8"),
        (b"\xef\xbb\xbfmark", "mark", "utf-8"),
        ("\ufeffÉté".encode("utf-16-le"), "Été", "utf-16-le"),
        ("\ufeffÉté".encode("utf-16-be"), "Été", "utf-16-be"),
        ("\ufeffÉté".encode("utf-32-le"), "Été", "utf-32-le"),
        ("“Été” – 5 €".encode("cp1252"), "“Été” – 5 €", "cp1252"),
        (b"caf\xe9 \x81", "café \x81", "latin-1"),
        (b"a\r\nb\rc\n", "a\r\nb\rc\n", "utf-8"),
    ],
)
async def test_a_text_is_read_in_its_encoding(
    empty: Caller, folder: Path, data: bytes, text: str, encoding: str
) -> None:
    fill(folder, {"file": data})

    assert await empty.result("read_file", file_path="file") == {
        "file_path": "file",
        "text": text,
        "size": len(data),
        "encoding": encoding,
        "truncated": False,
    }


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\0\0", b"text\0text", b"\xff\xfe\x00\xd8"])
async def test_a_binary_file_is_an_error(empty: Caller, folder: Path, data: bytes) -> None:
    fill(folder, {"picture.png": data})

    error = await empty.error("read_file", file_path="picture.png")

    assert error == "'picture.png' is binary, not text (file_info describes it)"


@pytest.mark.parametrize(
    ("max_bytes", "text", "truncated"),
    [(1, "a", True), (2, "a", True), (3, "aé", True), (6, "aéaé", False), (7.0, "aéaé", False)],
)
async def test_a_long_text_is_cut_between_characters(
    empty: Caller, folder: Path, *, max_bytes: float, text: str, truncated: bool
) -> None:
    fill(folder, {"file": "aéaé"})

    read = await empty.result("read_file", file_path="file", max_bytes=max_bytes)

    assert (read["text"], read["truncated"], read["size"]) == (text, truncated, 6)


async def test_a_file_larger_than_may_be_read_is_cut(empty: Caller, folder: Path) -> None:
    fill(folder, {"file": b"x" * (5 * 1024**2)})

    read = await empty.result("read_file", file_path="file")

    assert (len(read["text"]), read["size"], read["truncated"]) == (4 * 1024**2, 5 * 1024**2, True)


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("note.md", "'note.md' does not exist (did you mean 'notes.md'?)"),
        ("sub/dep.md", "'sub/dep.md' does not exist (did you mean 'sub/deep.md'?)"),
        ("nowhere/x.md", "'nowhere/x.md' does not exist"),
        ("sub", "'sub' is a folder"),
        (".", "'.' is a folder"),
        ("notes.md/x", "'notes.md/x' cannot be used: part of it is a file, not a folder"),
        ("x" * 300, f"'{'x' * 200}…' has too long a name"),
    ],
)
async def test_what_cannot_be_read_says_why(files: Caller, path: str, error: str) -> None:
    assert await files.error("read_file", file_path=path) == error


# --- search_files


async def test_a_search_folds_case_and_accents(files: Caller) -> None:
    found = await files.result("search_files", query="ete")

    assert found == {
        "query": "ete",
        "directory": ".",
        "matches": [
            {"file_path": "notes.md", "line": 2, "text": "Été à Paris"},
            {"file_path": "sub/deep.md", "line": 1, "text": "deep ete"},
        ],
        "files": ["notes.md", "sub/deep.md"],
        "searched": 2,
        "skipped": 6,
        "truncated": False,
    }
    assert await files.text("search_files", query="ÉTÉ", directory="sub") == (
        "sub/deep.md:1: deep ete"
    )


async def test_an_exact_search_takes_the_letters_as_they_are(files: Caller) -> None:
    async def found(query: str) -> list[str]:
        result = await files.result("search_files", query=query, case_sensitive=True)
        paths: list[str] = result["files"]
        return paths

    assert await found("Été") == ["notes.md"]
    assert await found("E\u0301te\u0301") == ["notes.md"]
    assert await found("été") == []


async def test_a_search_leaves_binary_and_hidden_files_out(empty: Caller, folder: Path) -> None:
    fill(folder, {"a.bin": b"word\0", ".git/x": "word", ".env": "word", "a.md": "word"})

    found = await empty.result("search_files", query="word")

    assert (found["files"], found["searched"]) == (["a.md"], 1)


async def test_a_search_that_is_cut_says_so(empty: Caller, folder: Path) -> None:
    fill(folder, {"a.md": "word\n" * 5})

    cut = await empty.result("search_files", query="word", limit=4)
    whole = await empty.result("search_files", query="word", limit=5)

    assert ([match["line"] for match in cut["matches"]], cut["truncated"]) == ([1, 2, 3, 4], True)
    assert (len(whole["matches"]), whole["truncated"]) == (5, False)


async def test_a_long_line_is_cut_round_the_match(empty: Caller, folder: Path) -> None:
    fill(folder, {"a.md": "é" * 5_000 + "needle" + "z" * 5_000 + "\r\n"})

    found = await empty.result("search_files", query="NEEDLE")

    (match,) = found["matches"]
    assert "needle" in match["text"]
    assert len(match["text"]) == 302


async def test_a_search_with_a_pattern_reads_only_those_files(empty: Caller, folder: Path) -> None:
    fill(folder, {"a.md": "word", "b.txt": "word", "s/c.md": "word"})

    found = await empty.result("search_files", query="word", pattern="*.md")

    assert (found["files"], found["searched"]) == (["a.md", "s/c.md"], 2)


async def test_a_search_without_a_match_is_no_error(files: Caller) -> None:
    assert await files.text("search_files", query="zebra") == "(no match in 2 text files)"


@pytest.mark.parametrize("query", [" ", "\u0301", "two\nlines"])
async def test_a_query_of_nothing_is_an_error(files: Caller, query: str) -> None:
    assert await files.error("search_files", query=query) == (
        "query: should be one line with something to search for"
    )


async def test_an_abandoned_search_ends(empty: Caller, folder: Path) -> None:
    fill(folder, {f"{number}.md": "aé" * 50_000 for number in range(300)})

    with anyio.move_on_after(0.1) as scope:
        await empty.result("search_files", query="zebra")
    with anyio.fail_after(10):
        await empty.result("file_info", file_path="0.md")

    assert scope.cancelled_caught


# --- file_info


async def test_file_info_describes_files_and_folders(files: Caller) -> None:
    about_file = await files.result("file_info", file_path="notes.md")
    about_root = await files.result("file_info", file_path=".")

    assert ISO_TIME.fullmatch(about_file.pop("modified"))
    about_file.pop("created", None)
    assert about_file == {"file_path": "notes.md", "type": "file", "size": 26, "lines": 2}
    assert (about_root["file_path"], about_root["type"]) == (".", "directory")


@pytest.mark.parametrize(
    ("data", "lines"), [(b"", 0), (b"a", 1), (b"a\n", 1), (b"a\nb", 2), (b"\n\n", 2), (b"\0", None)]
)
async def test_lines_are_counted_where_there_are_any(
    empty: Caller, folder: Path, data: bytes, lines: int | None
) -> None:
    fill(folder, {"file": data})

    assert (await empty.result("file_info", file_path="file")).get("lines") == lines


async def test_a_file_from_the_end_of_time_has_a_date(empty: Caller, folder: Path) -> None:
    fill(folder, {"file": ""})
    os.utime(folder / "file", (0, 2**40))

    described = await empty.result("file_info", file_path="file")

    assert ISO_TIME.fullmatch(described["modified"])


# --- write_file


async def test_a_file_is_made_replaced_and_added_to(empty: Caller, folder: Path) -> None:
    async def write(text: str, **arguments: Any) -> dict[str, Any]:
        return await empty.result("write_file", file_path="new/deep/é.md", text=text, **arguments)

    made = await write("un")
    replaced = await write("été")
    added = await write(" ✓", append=True)

    path = "new/deep/é.md"
    assert made == {"file_path": path, "size": 2, "created": True, "appended": False}
    assert replaced == {"file_path": path, "size": 5, "created": False, "appended": False}
    assert added == {"file_path": path, "size": 9, "created": False, "appended": True}
    assert content_of(folder / path).decode() == "été ✓"
    assert names_in(folder / "new" / "deep") == {"é.md"}


async def test_appending_makes_a_missing_file(empty: Caller, folder: Path) -> None:
    made = await empty.result("write_file", file_path="a.md", text="x\n", append=True)

    assert (made["created"], content_of(folder / "a.md")) == (True, b"x\n")


async def test_a_file_that_may_not_be_replaced_stays(empty: Caller, folder: Path) -> None:
    first = await empty.result("write_file", file_path="a.md", text="one", overwrite=False)
    error = await empty.error("write_file", file_path="a.md", text="two", overwrite=False)

    assert first["created"]
    assert error == "'a.md' exists already (pass overwrite=true to replace it)"
    assert content_of(folder / "a.md") == b"one"
    assert names_in(folder) == {"a.md"}


async def test_of_two_that_must_not_overwrite_one_wins(empty: Caller, folder: Path) -> None:
    answers: list[bool] = []

    async def write(text: str) -> None:
        arguments = {"file_path": "a.md", "text": text, "overwrite": False}
        answer = await empty.client.call_tool("write_file", arguments)
        answers.append(answer.is_error)

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(write, f"{number}" * 1000)

    assert answers.count(False) == 1
    assert len(set(content_of(folder / "a.md"))) <= 2
    assert names_in(folder) == {"a.md"}


async def test_missing_folders_are_an_error_when_they_may_not_be_made(empty: Caller) -> None:
    error = await empty.error(
        "write_file", file_path="no/where.md", text="", create_directories=False
    )

    assert error == "'no/where.md' does not exist"


async def test_replacing_keeps_the_mode_of_the_file(empty: Caller, folder: Path) -> None:
    fill(folder, {"a.sh": "old"})
    os.chmod(folder / "a.sh", 0o750)  # noqa: PTH101, S103

    await empty.result("write_file", file_path="a.sh", text="new")

    assert stat.S_IMODE(os.stat(folder / "a.sh").st_mode) == 0o750  # noqa: PTH116


async def test_a_write_protected_file_is_left_alone(empty: Caller, folder: Path) -> None:
    fill(folder, {"a.md": "old"})
    os.chmod(folder / "a.md", 0o444)  # noqa: PTH101

    assert await empty.error("write_file", file_path="a.md", text="new") == (
        "'a.md' is write-protected"
    )
    assert content_of(folder / "a.md") == b"old"


@pytest.mark.parametrize(
    ("path", "error"),
    [
        (".", "'.' is a folder"),
        ("sub", "'sub' is a folder"),
        ("d/" * 32 + "x", f"'{'d/' * 32}x' is nested deeper than 32 levels"),
        ("notes.md/x.md", "'notes.md/x.md' cannot be used: part of it is a file, not a folder"),
    ],
)
async def test_what_cannot_be_written_says_why(files: Caller, path: str, error: str) -> None:
    assert await files.error("write_file", file_path=path, text="x") == error


async def test_a_reader_never_sees_half_a_file(empty: Caller) -> None:
    texts = ("a" * 300_000, "b" * 200_000)
    await empty.result("write_file", file_path="f", text=texts[0])
    seen: set[str] = set()

    async def read() -> None:
        for _ in range(30):
            seen.add((await empty.result("read_file", file_path="f"))["text"])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        for number in range(30):
            await empty.result("write_file", file_path="f", text=texts[number % 2])

    assert seen <= set(texts)


async def test_many_calls_at_once_are_all_answered(empty: Caller, folder: Path) -> None:
    async def work(number: int) -> None:
        path = f"d{number % 5}/f{number}.md"
        await empty.result("write_file", file_path=path, text=f"text {number}")
        await empty.result("write_file", file_path="log.md", text=f"{number}\n", append=True)
        assert await empty.text("read_file", file_path=path) == f"text {number}"
        await empty.result("search_files", query=f"text {number}")

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for number in range(60):
                tasks.start_soon(work, number)

    logged = content_of(folder / "log.md").decode().split()
    assert sorted(map(int, logged)) == list(range(60))


# --- arguments


@pytest.mark.parametrize(
    ("tool", "arguments", "faults"),
    [
        ("read_file", {}, ["'file_path' is a required property"]),
        ("read_file", {"file_path": 3}, ["file_path: 3 is not of type 'string'"]),
        ("read_file", {"file_path": ""}, ["file_path: '' should be non-empty"]),
        (
            "list_directory",
            {"directory": None, "limit": 0, "dir": "x"},
            ["'dir' was unexpected", "directory: None is not of type", "limit: 0 is less than"],
        ),
        ("read_file", {"file_path": "a", "max_bytes": 2.5}, ["2.5 is not of type 'integer'"]),
        ("read_file", {"file_path": "a", "max_bytes": 10**9}, ["greater than the maximum"]),
        ("read_fil", {}, ["there is no tool 'read_fil' (did you mean 'read_file'?)"]),
    ],
)
async def test_wrong_arguments_are_listed_all_at_once(
    files: Caller, tool: str, arguments: dict[str, Any], faults: list[str]
) -> None:
    error = await files.error(tool, **arguments)

    assert [fault for fault in faults if fault not in error] == []
