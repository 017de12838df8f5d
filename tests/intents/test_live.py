"""Patterns change while requests are answered: nothing restarts, and nothing good is lost."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from podium.domain.limits import Limits
from podium.intents.library import PatternLibrary
from podium.intents.live import LOOK_SECONDS, LivePatterns
from podium.intents.matcher import Matcher
from podium.testing import FakeClock


class Author:
    """Somebody who edits pattern files while Podium serves."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock, self.edits = folder, FakeClock(), 0
        self.live: LivePatterns | None = None

    def write(self, name: str, *patterns: Any, text: str = "", **keys: Any) -> None:
        path = self.folder / name
        content = json.dumps({**keys, "patterns": patterns}, ensure_ascii=False)
        path.write_text(text or content, encoding="utf-8")
        self.edits += 1
        os.utime(path, ns=(self.edits * 10**9, self.edits * 10**9))

    def ask(self, text: str) -> str | None:
        if self.live is None:
            self.live = LivePatterns.of(self.folder, _matcher, self.clock.monotonic)
        self.clock.time += LOOK_SECONDS
        intent = self.live.analyse(text).intent
        return intent and intent.type


def _matcher(library: PatternLibrary) -> Matcher:
    return Matcher(library, limits=Limits())


@pytest.fixture
def author(tmp_path: Path) -> Author:
    return Author(tmp_path)


def test_a_changed_a_new_and_a_deleted_file_count_from_the_next_request_on(author: Author) -> None:
    author.write("a.json", {"name": "old", "sentences": "go"})
    before = author.ask("go")
    author.write("a.json", {"name": "new", "sentences": "go"})
    changed = author.ask("go")
    author.write("b.json", {"name": "more", "sentences": "stay"})
    added = author.ask("stay")
    (author.folder / "a.json").unlink()

    assert (before, changed, added, author.ask("go")) == ("old", "new", "more", None)


@pytest.mark.parametrize(
    "bad",
    ["{", '{"patterns": [{"name": "a", "sentences": "go ("}]}', '{"patterns": [5]}', "[]"],
)
def test_a_file_that_becomes_bad_serves_on_as_it_was(author: Author, bad: str) -> None:
    author.write("a.json", {"name": "a", "sentences": "go"}, {"name": "b", "sentences": "stay"})
    author.write("other.json", {"name": "other", "sentences": "leave"})
    author.ask("go")
    author.write("a.json", text=bad)
    author.write("other.json", {"name": "changed", "sentences": "leave"})

    answers = [author.ask(text) for text in ("go", "stay", "leave")]
    assert author.live is not None
    faults = author.live.library.faults
    author.write("a.json", {"name": "mended", "sentences": "go"})

    assert answers == ["a", "b", "changed"]
    assert ["a.json" in fault.message for fault in faults] == [True]
    assert [author.ask("go"), author.live.library.faults] == ["mended", ()]


def test_the_log_says_which_file_became_bad_and_why(
    author: Author, caplog: pytest.LogCaptureFixture
) -> None:
    author.write("a.json", {"name": "a", "sentences": "go"})
    author.ask("go")
    author.write("a.json", {"name": "a", "sentences": "go <nowhere>"})

    author.ask("go")

    (line,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "a.json:1" in line
    assert "there is no rule <nowhere>" in line


def test_shared_rules_that_change_change_every_file_that_uses_them(author: Author) -> None:
    author.write("rules.json", shared=True, rules={"go": "(go|walk)"})
    author.write("a.json", {"name": "a", "sentences": "<go> home"})
    before = author.ask("run home")
    author.write("rules.json", shared=True, rules={"go": "(go|run)"})

    assert (before, author.ask("run home"), author.ask("walk home")) == (None, "a", None)


def test_the_folder_is_looked_at_once_in_a_while_only(author: Author) -> None:
    author.write("a.json", {"name": "old", "sentences": "go"})
    author.ask("go")
    author.write("a.json", {"name": "new", "sentences": "go"})
    assert author.live is not None

    assert [author.live.refresh(), author.ask("go"), author.live.refresh()] == [False, "new", False]


def test_what_has_not_changed_is_not_read_again(author: Author) -> None:
    author.write("a.json", {"name": "a", "sentences": "go"})
    author.write("b.json", {"name": "b", "sentences": "stay"})
    author.ask("go")
    assert author.live is not None
    before = author.live.library.patterns[1].sentences[0]
    author.write("a.json", {"name": "a", "sentences": "run"})

    author.ask("go")

    assert author.live.library.patterns[1].sentences[0] is before


def test_a_folder_that_vanishes_and_comes_back(author: Author, tmp_path: Path) -> None:
    author.write("a.json", {"name": "a", "sentences": "go"})
    author.ask("go")
    tmp_path.rename(tmp_path.with_name("elsewhere"))
    gone = author.ask("go")
    tmp_path.with_name("elsewhere").rename(tmp_path)

    assert (gone, author.ask("go")) == (None, "a")
