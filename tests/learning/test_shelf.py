"""Composition files on the move: whole, kept, never a person's edit lost."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podium.compositions.library import load_compositions
from podium.domain.composition import Composition
from podium.domain.errors import EditedMeanwhileError, ShelfError, UnknownVersionError
from podium.domain.versions import meaning_of, tools_of, version_of
from podium.storage.shelf import MOST_VERSIONS, FileShelf
from podium.testing import FakeClock

pytestmark = pytest.mark.anyio


def document(id_: str = "notes", tool: str = "read_file", **more: Any) -> dict[str, Any]:
    step = {"id": "read", "server_id": "files", "tool_id": tool}
    return {"id": id_, "intent_type": "notes", "steps": [step], **more}


def text_of(value: Any) -> str:
    return json.dumps(value, indent=2)


def meaning(value: dict[str, Any]) -> str:
    return meaning_of(Composition.model_validate(value))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("templates", "learning", "validated", "deprecated"):
        (tmp_path / "compositions" / name).mkdir(parents=True)
    (tmp_path / "compositions" / "learning" / "my_notes.json").write_text(text_of(document()))
    return tmp_path / "compositions"


@pytest.fixture
def shelf(folder: Path) -> FileShelf:
    return FileShelf(folder, clock=FakeClock())


async def promote(shelf: FileShelf, value: dict[str, Any]) -> str:
    return await shelf.move(
        value["id"],
        "learning",
        "validated",
        meaning=meaning(value),
        reason="proven",
        evidence={"n": 5},
    )


def files_of(folder: Path) -> set[str]:
    paths = (path.relative_to(folder) for path in folder.rglob("*.json"))
    return {str(path) for path in paths if path.parts[0] != ".versions"}


def statuses(folder: Path) -> dict[str, str]:
    library = load_compositions(folder)
    assert library.faults == []
    return {stored.id: stored.status for stored in library.all()}


def edit(folder: Path, value: dict[str, Any]) -> None:
    (folder / "learning" / "my_notes.json").write_text(text_of(value))


async def test_a_file_is_found_in_its_new_folder_under_its_own_name(
    shelf: FileShelf, folder: Path
) -> None:
    path = await promote(shelf, document())

    assert path == str(folder / "validated" / "my_notes.json")
    assert files_of(folder) == {"validated/my_notes.json"}
    assert statuses(folder) == {"notes": "validated"}


async def test_a_move_that_was_broken_off_is_carried_out_again(
    shelf: FileShelf, folder: Path
) -> None:
    await promote(shelf, document())

    assert await promote(shelf, document()) == str(folder / "validated" / "my_notes.json")
    assert len(await shelf.versions("notes")) == 1


async def test_the_evidence_of_a_move_is_kept_with_its_version(shelf: FileShelf) -> None:
    await promote(shelf, document())

    (version,) = await shelf.versions("notes")

    assert (version.number, version.status, version.reason) == (1, "validated", "proven")
    assert version.evidence == {"n": 5}
    assert json.loads(version.text) == document()


async def test_what_a_person_edited_meanwhile_is_not_moved_and_not_lost(
    shelf: FileShelf, folder: Path
) -> None:
    edit(folder, document(tool="read_text"))

    with pytest.raises(EditedMeanwhileError):
        await promote(shelf, document())

    assert statuses(folder) == {"notes": "learning"}
    (version,) = await shelf.versions("notes")
    assert json.loads(version.text) == document(tool="read_text")


async def test_another_wording_for_people_is_no_edit_and_moves_along(
    shelf: FileShelf, folder: Path
) -> None:
    worded = document(name="My notes", description="Reads them.")
    edit(folder, worded)

    await promote(shelf, document())

    moved = (folder / "validated" / "my_notes.json").read_text()
    assert json.loads(moved) == worded


async def test_what_a_person_moved_elsewhere_stays_there(shelf: FileShelf, folder: Path) -> None:
    (folder / "learning" / "my_notes.json").rename(folder / "templates" / "my_notes.json")

    with pytest.raises(EditedMeanwhileError, match="moved"):
        await promote(shelf, document())

    assert statuses(folder) == {"notes": "template"}


async def test_no_file_of_another_is_overwritten(shelf: FileShelf, folder: Path) -> None:
    (folder / "validated" / "my_notes.json").write_text(text_of(document("other")))

    await promote(shelf, document())

    assert files_of(folder) == {"validated/my_notes.json", "validated/notes.json"}
    assert statuses(folder) == {"notes": "validated", "other": "validated"}


async def test_a_file_that_is_gone_is_an_error(shelf: FileShelf, folder: Path) -> None:
    (folder / "learning" / "my_notes.json").unlink()

    with pytest.raises(ShelfError, match="no file holds"):
        await promote(shelf, document())


# --- filing


async def test_a_new_one_is_filed_where_people_can_read_it(shelf: FileShelf, folder: Path) -> None:
    path = await shelf.put(document("fresh", name="Été"), "learning", reason="repair", evidence={})

    assert path == str(folder / "learning" / "fresh.json")
    assert '"name": "Été"' in (folder / "learning" / "fresh.json").read_text("utf-8")
    assert statuses(folder)["fresh"] == "learning"


async def test_one_that_replaces_another_leaves_it_among_the_versions(
    shelf: FileShelf, folder: Path
) -> None:
    better = document(tool="read_text")

    await shelf.put(better, "learning", reason="repair", evidence={}, replaces=meaning(document()))

    assert files_of(folder) == {"learning/my_notes.json"}
    assert [json.loads(v.text) for v in await shelf.versions("notes")] == [document(), better]


async def test_one_that_a_person_edited_is_not_replaced(shelf: FileShelf, folder: Path) -> None:
    edit(folder, document(tool="my_own"))

    with pytest.raises(EditedMeanwhileError):
        await shelf.put(
            document(tool="read_text"), "learning", reason="", evidence={},
            replaces=meaning(document()),
        )  # fmt: skip

    assert json.loads((folder / "learning" / "my_notes.json").read_text()) == document(
        tool="my_own"
    )


async def test_what_is_no_composition_is_not_filed(shelf: FileShelf, folder: Path) -> None:
    with pytest.raises(ShelfError):
        await shelf.put({"id": "x", "steps": []}, "learning", reason="", evidence={})

    assert files_of(folder) == {"learning/my_notes.json"}


# --- versions


async def test_a_version_is_put_back_where_it_was_and_what_was_there_is_kept(
    shelf: FileShelf, folder: Path
) -> None:
    await promote(shelf, document())
    worse = document(tool="read_text")
    (folder / "validated" / "my_notes.json").rename(folder / "learning" / "my_notes.json")
    edit(folder, worse)

    await shelf.rollback("notes", 1)

    assert statuses(folder) == {"notes": "validated"}
    assert json.loads((folder / "validated" / "my_notes.json").read_text()) == document()
    assert [json.loads(v.text) for v in await shelf.versions("notes")] == [
        document(),
        worse,
        document(),
    ]


async def test_a_version_comes_back_after_its_file_was_deleted(
    shelf: FileShelf, folder: Path
) -> None:
    await promote(shelf, document())
    (folder / "validated" / "my_notes.json").unlink()

    await shelf.rollback("notes", 1)

    assert statuses(folder) == {"notes": "validated"}


async def test_a_diff_shows_what_changed(shelf: FileShelf, folder: Path) -> None:
    await promote(shelf, document())
    (folder / "validated" / "my_notes.json").write_text(text_of(document(tool="read_text")))

    diff = await shelf.diff("notes", 1)

    assert '-      "tool_id": "read_file"' in diff
    assert '+      "tool_id": "read_text"' in diff
    assert await shelf.diff("notes", 1, 1) == ""


async def test_a_version_that_is_not_kept_is_an_error_that_names_those_that_are(
    shelf: FileShelf,
) -> None:
    await promote(shelf, document())

    with pytest.raises(UnknownVersionError) as raised:
        await shelf.rollback("notes", 7)
    assert raised.value.hint == "kept: 1"


@pytest.mark.parametrize("id_", ["../../etc", "", "a/b", "é", "x" * 65])
async def test_an_id_never_leads_out_of_the_folder(shelf: FileShelf, id_: str) -> None:
    with pytest.raises(ShelfError):
        await shelf.versions(id_)


async def test_only_so_many_versions_are_kept(shelf: FileShelf) -> None:
    before = document()
    for number in range(MOST_VERSIONS + 5):
        value = document(tool=f"tool_{number}")
        await shelf.put(value, "learning", reason="", evidence={}, replaces=meaning(before))
        before = value

    versions = await shelf.versions("notes")

    assert len(versions) == MOST_VERSIONS
    assert json.loads(versions[-1].text) == before


async def test_a_version_file_that_is_none_is_left_out(shelf: FileShelf, folder: Path) -> None:
    await promote(shelf, document())
    (folder / ".versions" / "notes" / "2.json").write_text("{")
    (folder / ".versions" / "notes" / "readme.json").write_text("{}")

    assert [version.number for version in await shelf.versions("notes")] == [1]


# --- what a version is


WORDS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.text(max_size=5),
        "description": st.text(max_size=5),
        "version": st.integers(),
        "tool": st.booleans(),
        "$comment": st.text(max_size=5),
    },
)


@given(words=WORDS)
def test_words_for_people_make_no_other_version(words: dict[str, Any]) -> None:
    assert meaning({**document(), **words}) == meaning(document())


@pytest.mark.parametrize(
    "changed",
    [
        document(tool="read_text"),
        document(output="read"),
        document(input_schema={"properties": {"description": {"type": "string"}}}),
        document(timeout_seconds=3),
        document(
            steps=[
                {
                    "id": "read", "server_id": "files", "tool_id": "read_file",
                    "arguments": {"description": "an argument, no words for people"},
                }
            ]
        ),
    ],
)  # fmt: skip
def test_what_changes_what_is_played_makes_another_version(changed: dict[str, Any]) -> None:
    assert meaning(changed) != meaning(document())


def test_a_version_is_made_of_the_file_and_of_each_tool_s_definition() -> None:
    composition = Composition.model_validate(document())

    assert tools_of(composition) == ("files.read_file",)
    versions = {version_of("m", {"a.b": hash_}) for hash_ in ("1", "2", "")}
    assert len(versions) == 3
