"""The pure parts: lines out of chunks, ids out of wreckage, pauses, settings, launching."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podium.domain.backoff import LONGEST_SECONDS, backoff_seconds
from podium.domain.errors import UpstreamUnavailableError
from podium.upstreams.framing import DroppedLine, LineReader, answered_id, looks_like_answer
from podium.upstreams.launch import child_environment, find_command
from podium.upstreams.settings import UpstreamSettings
from podium.upstreams.words import last_words_of, words_of


@given(
    lines=st.lists(st.binary(max_size=40).filter(lambda line: b"\n" not in line), max_size=8),
    sizes=st.lists(st.integers(1, 20), min_size=1, max_size=20),
)
def test_lines_are_the_same_however_the_bytes_are_cut(lines: list[bytes], sizes: list[int]) -> None:
    data = b"".join(line + b"\n" for line in lines)
    reader = LineReader(longest_bytes=20)

    found: list[bytes | DroppedLine] = []
    for place in range(len(data)):
        size = sizes[place % len(sizes)]
        chunk, data = data[:size], data[size:]
        found.extend(reader.feed(chunk))

    assert found == [
        line if len(line) <= 20 else DroppedLine(line, line, len(line)) for line in lines
    ]


def test_an_endless_line_is_read_at_flat_memory_and_the_next_one_is_whole() -> None:
    reader = LineReader(longest_bytes=1_000)

    frames = [frame for _ in range(1_000) for frame in reader.feed(b"x" * 1_000)]
    held = sum(sys.getsizeof(part) for part in (reader._head, reader._tail, *reader._parts))
    frames += reader.feed(b"end\nnext\n")

    assert held < 10_000
    assert [type(frame) for frame in frames] == [DroppedLine, bytes]
    assert isinstance(frames[0], DroppedLine)
    assert (frames[0].size, frames[0].tail[-4:], frames[1]) == (1_000_003, b"xend", b"next")


@pytest.mark.parametrize(
    ("line", "identifier"),
    [
        (b'{"jsonrpc":"2.0","id":7,"result":{"content":[', 7),
        (b' { "id" : "a-7" , "jsonrpc" : "2.0" , "error" : {', "a-7"),
        (b'{"result":{"content":[]},"jsonrpc":"2.0","id":7}', 7),
        (b'{"result":{},"id":7,"jsonrpc":"2.0"}', 7),
        (b'{"result":{"id":3,"x":"', None),
        (b'{"jsonrpc":"2.0","id":7,"method":"ping"', None),
        (b'{"jsonrpc":"2.0","method":"m","params":{"result":1},"id":7}', None),
        (b'{"result":{"text":"\\"id\\":7}', None),
        (b'{"level":"info","id":7}', None),
        (b"plain words", None),
        (b"", None),
    ],
)
def test_an_id_is_recovered_only_where_it_can_be_no_one_elses(
    line: bytes, identifier: int | str | None
) -> None:
    assert answered_id(line, line) == identifier


@pytest.mark.parametrize(
    ("head", "is_meant"),
    [
        (b'{"jsonrpc": "2.0", "odd', True),
        (b'{"result": {', True),
        (b'{"level": "info", "result": 1', False),
        (b"INFO started", False),
    ],
)
def test_a_log_line_is_not_taken_for_an_answer(head: bytes, *, is_meant: bool) -> None:
    assert looks_like_answer(head) is is_meant


def test_pauses_double_up_to_the_longest_and_keep_a_part_to_chance() -> None:
    assert [backoff_seconds(n, 1.0) for n in (0, 1, 2, 3, 7, 8, 10_000)] == [
        0,
        0.5,
        1,
        2,
        LONGEST_SECONDS,
        LONGEST_SECONDS,
        LONGEST_SECONDS,
    ]
    assert backoff_seconds(2, 0.0) == 0.5


def test_the_fingerprint_changes_with_the_server_but_not_with_its_secrets() -> None:
    base = UpstreamSettings("a", command="x", args=("1",), env={"TOKEN": "old"})
    same = UpstreamSettings("b", command="x", args=("1",), env={"TOKEN": "new"}, cwd=Path("/"))
    others = [
        UpstreamSettings("a", command="y", args=("1",), env={"TOKEN": "old"}),
        UpstreamSettings("a", command="x", args=("2",), env={"TOKEN": "old"}),
        UpstreamSettings("a", command="x", args=("1",), env={}),
        UpstreamSettings("a", url="http://x"),
    ]

    fingerprints = {settings.fingerprint for settings in (base, *others)}

    assert base.fingerprint == same.fingerprint
    assert len(fingerprints) == 5


def test_secrets_of_an_entry_are_in_neither_its_target_nor_its_repr() -> None:
    settings = UpstreamSettings(
        "a", url="https://me:pw@x.org/mcp?key=pw#pw", headers={"A": "pw"}, env={"B": "pw"}
    )

    assert settings.target == "https://x.org/mcp"
    assert "pw" not in repr(UpstreamSettings("a", command="x", env={"B": "pw"}))


def test_a_command_is_looked_up_on_path_then_beside_the_interpreter(tmp_path: Path) -> None:
    environment = child_environment({"PATH": str(tmp_path)})
    python = Path(sys.executable).name

    beside = find_command(python, None, environment)
    program = tmp_path / python
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    on_path = find_command(python, None, environment)
    relative = find_command(f"./{python}", tmp_path, environment)

    assert Path(beside).parent == Path(sys.executable).parent
    assert on_path == str(program)
    assert Path(relative) == program


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("no-such-thing", "was not found on PATH"),
        ("./no-such-thing", "does not exist"),
        ("./plain.txt", "cannot be run"),
    ],
)
def test_a_command_that_is_not_there_says_where_was_looked(
    tmp_path: Path, command: str, words: str
) -> None:
    (tmp_path / "plain.txt").write_text("no program")

    with pytest.raises(UpstreamUnavailableError) as raised:
        find_command(command, tmp_path, child_environment({}))

    assert words in raised.value.message
    assert (raised.value.sent, raised.value.retryable) == (False, False)
    assert raised.value.hint


def test_a_child_without_path_still_gets_the_usual_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PATH")

    environment = child_environment({"A": "b"})

    assert environment["PATH"].split(os.pathsep)[:-1] == os.defpath.split(os.pathsep)
    assert environment["A"] == "b"


def test_words_of_an_upstream_are_one_short_line_without_escapes() -> None:
    assert words_of("\x1b[31mred\x1b[0m\n\tand  \u202eplain\u202c\x07") == "red and plain"
    assert len(words_of("x" * 10_000_000)) == 500
    assert last_words_of(b"\xff" + b"y " * 4_000 + b"the end", 20).endswith("the end")
    assert len(last_words_of(b"z" * 10_000, 20)) == 20
