"""A folder of compositions that is read again while it is used."""

import json
from pathlib import Path
from typing import Any

import pytest

from podium.compositions.checker import Checker
from podium.compositions.library import CompositionFolder, CompositionLibrary
from podium.compositions.plans import LibraryPlans
from podium.domain.errors import CompositionInvalidError


def write(folder: Path, status: str, id_: str, **changed: Any) -> Path:
    path = folder / status / f"{id_}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    step = {"id": "read", "server_id": "files", "tool_id": "read_file"}
    path.write_text(json.dumps({"id": id_, "steps": [step], **changed}), "utf-8")
    return path


def read_again(folder: CompositionFolder, library: CompositionLibrary) -> bool:
    fresh = folder.load_changed()
    return fresh is not None and library.take(fresh)


def test_nothing_is_read_again_while_nothing_changed(tmp_path: Path) -> None:
    write(tmp_path, "learning", "one")
    folder = CompositionFolder(tmp_path)
    folder.load()

    assert folder.load_changed() is None


def test_what_moved_has_its_new_status_and_what_did_not_is_the_same_object(tmp_path: Path) -> None:
    write(tmp_path, "learning", "alpha")
    moving = write(tmp_path, "learning", "beta")
    folder = CompositionFolder(tmp_path)
    library = folder.load()
    alpha = library.get("alpha")
    (tmp_path / "validated").mkdir()
    moving.rename(tmp_path / "validated" / "beta.json")

    assert read_again(folder, library)
    assert library.get("beta").status == "validated"
    assert library.get("alpha") is alpha


def test_what_is_deleted_is_gone_and_what_is_added_is_there(tmp_path: Path) -> None:
    gone = write(tmp_path, "learning", "gone")
    folder = CompositionFolder(tmp_path)
    library = folder.load()
    gone.unlink()
    write(tmp_path, "learning", "fresh")

    assert read_again(folder, library)
    assert [stored.id for stored in library.all()] == ["fresh"]


@pytest.mark.parametrize("text", ["", '{"id": "one", "st', '{"id": "one", "steps": []}', "[]"])
def test_a_file_that_became_bad_serves_on_as_it_was_and_its_fault_is_told(
    tmp_path: Path, text: str
) -> None:
    path = write(tmp_path, "learning", "one")
    folder = CompositionFolder(tmp_path)
    library = folder.load()
    before = library.get("one")
    path.write_text(text, "utf-8")

    assert not read_again(folder, library)
    assert library.get("one") is before
    assert len(library.faults) == 1

    write(tmp_path, "learning", "one", name="Good again")
    assert read_again(folder, library)
    assert library.get("one").composition.name == "Good again"
    assert library.faults == []


def test_plans_are_made_anew_once_something_changed(tmp_path: Path) -> None:
    write(tmp_path, "learning", "inner")
    write(tmp_path, "learning", "outer", steps=[{"id": "play", "composition": "inner"}])
    folder = CompositionFolder(tmp_path)
    library = folder.load()
    plans = LibraryPlans(library, Checker(max_steps=10, library=library))
    plans.plan("outer", {})
    (tmp_path / "learning" / "inner.json").unlink()

    assert read_again(folder, library)
    with pytest.raises(CompositionInvalidError):
        plans.plan("outer", {})
