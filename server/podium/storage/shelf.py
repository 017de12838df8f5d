"""The composition files as the monitor moves them: whole, with every version kept and diffable.

A file is renamed from one status folder to the next, so that a reader finds it in one of them. What
a person edited since it was proven is never moved: the edit is kept as a version of its own, and
proves itself. Versions are files a person can read: `.versions/<id>/<number>.json`.
"""

import difflib
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from anyio import to_thread
from pydantic import ValidationError

from podium.domain.composition import Composition, CompositionStatus
from podium.domain.errors import EditedMeanwhileError, ShelfError, UnknownVersionError
from podium.domain.learning import ShelvedVersion
from podium.domain.ports import Clock
from podium.domain.versions import meaning_of
from podium.storage.locks import locked
from podium.storage.private import replace_private_file

FOLDERS: Mapping[CompositionStatus, str] = {
    "template": "templates",
    "learning": "learning",
    "validated": "validated",
    "deprecated": "deprecated",
}
VERSIONS = ".versions"
MOST_VERSIONS = 100  # of one composition; beyond it the oldest goes
MOST_FILES = 10_000  # as many as a library reads
LARGEST_FILE = 4 * 1024 * 1024  # bytes; what is larger was written by nobody

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_STATUSES = {folder: status for status, folder in FOLDERS.items()}
_T = TypeVar("_T")
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    status: CompositionStatus
    text: str
    meaning: str


class FileShelf:
    """Satisfies `podium.domain.ports.Shelf`; processes may share the folder."""

    def __init__(self, folder: Path, *, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock

    async def move(
        self,
        composition_id: str,
        from_status: CompositionStatus,
        to_status: CompositionStatus,
        *,
        meaning: str,
        reason: str,
        evidence: Mapping[str, Any],
    ) -> str:
        """Bring a composition's file to the folder of a status, and return its path.

        One that is there already stays: a move that was broken off is carried out again.

        Raises:
            EditedMeanwhileError: the file says something else than `meaning` by now, or a person
                has moved it.
            ShelfError: there is no such file, or it cannot be moved.

        """
        statuses = from_status, to_status
        work = partial(self._move, composition_id, statuses, meaning, reason, dict(evidence))
        return str(await self._locked(work))

    async def put(
        self,
        document: Mapping[str, Any],
        status: CompositionStatus,
        *,
        reason: str,
        evidence: Mapping[str, Any],
        replaces: str | None = None,
    ) -> str:
        """File a composition, and return its path; `replaces` is the meaning of the one before it.

        Raises:
            EditedMeanwhileError: there is one of this id, and it is not the one to replace.
            ShelfError: this is no composition, or it cannot be written.

        """
        work = partial(self._put, dict(document), status, reason, dict(evidence), replaces)
        return str(await self._locked(work))

    async def rollback(self, composition_id: str, number: int) -> ShelvedVersion:
        """Put a kept version back, to the folder it was in; what was there is kept as well.

        Raises:
            UnknownVersionError: there is no such version.
            ShelfError: it cannot be written.

        """
        return await self._locked(partial(self._rollback, composition_id, number))

    async def versions(self, composition_id: str) -> list[ShelvedVersion]:
        """Return the kept versions, oldest first.

        Raises:
            ShelfError: the id is none, or they cannot be read.

        """
        return await to_thread.run_sync(partial(_guarded, partial(self._versions, composition_id)))

    async def diff(self, composition_id: str, number: int, other: int | None = None) -> str:
        """Return what changed from one version to another (None: the file as it is now).

        Raises:
            UnknownVersionError: one of them is not kept.
            ShelfError: there is no such file.

        """
        work = partial(self._diff, composition_id, number, other)
        return await to_thread.run_sync(partial(_guarded, work))

    async def _locked(self, work: Callable[[], _T]) -> _T:
        def run() -> _T:
            with locked(self._folder / VERSIONS / "lock"):
                return work()

        return await to_thread.run_sync(partial(_guarded, run))

    # --- in a thread

    def _move(
        self, id_: str, statuses: tuple[CompositionStatus, CompositionStatus], meaning: str,
        reason: str, evidence: dict[str, Any],
    ) -> Path:  # fmt: skip
        file, (from_status, to_status) = self._require(id_), statuses
        if file.meaning != meaning:
            self._keep_edit(id_, file)
            raise EditedMeanwhileError(
                f"{file.path}: was edited since its last run, so it stays where it is",
                hint="it proves itself as it is now",
            )
        if file.status == to_status:
            return file.path
        if file.status != from_status:
            raise EditedMeanwhileError(
                f"{file.path}: a person moved it there, so there it stays",
                hint="podium compositions promote or demote moves it",
            )
        target = self._free(id_, to_status, file.path.name)
        self._keep(id_, file.text, to_status, reason, file.meaning, evidence)
        target.parent.mkdir(parents=True, exist_ok=True)
        return file.path.rename(target)

    def _put(
        self, document: dict[str, Any], status: CompositionStatus, reason: str,
        evidence: dict[str, Any], replaces: str | None,
    ) -> Path:  # fmt: skip
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        composition = _parsed(text)
        if composition is None:
            raise ShelfError("this is no composition that could be filed", hint="podium check")
        meaning, before = meaning_of(composition), self._find(composition.id)
        if before is not None and before.meaning not in {replaces, meaning}:
            self._keep_edit(composition.id, before)
            raise EditedMeanwhileError(
                f"{before.path}: holds another composition '{composition.id}', which stays",
                hint="give the new one another id",
            )
        if before is not None:
            self._keep_edit(composition.id, before)
        self._keep(composition.id, text, status, reason, meaning, evidence)
        return self._write(composition.id, text, status, before)

    def _rollback(self, id_: str, number: int) -> ShelvedVersion:
        version = self._version(id_, number)
        if (current := self._find(id_)) is not None:
            self._keep_edit(id_, current)
        reason = f"rolled back to version {number}"
        kept = self._keep(id_, version.text, version.status, reason, version.meaning, {})
        self._write(id_, version.text, version.status, current)
        return kept

    def _write(self, id_: str, text: str, status: CompositionStatus, before: _File | None) -> Path:
        """Put a text in place; in the same folder as one replacement, else by way of it."""
        if before is None:
            target = self._free(id_, status, f"{id_}.json")
            _replace(target, text)
            return target
        _replace(before.path, text)
        if before.status == status:
            return before.path
        target = self._free(id_, status, before.path.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        return before.path.rename(target)

    def _diff(self, id_: str, number: int, other: int | None) -> str:
        one = self._version(id_, number)
        if other is None:
            text, name = self._require(id_).text, "now"
        else:
            text, name = self._version(id_, other).text, f"version {other}"
        lines = difflib.unified_diff(
            one.text.splitlines(), text.splitlines(), f"{id_} version {number}", f"{id_} {name}",
            lineterm="",
        )  # fmt: skip
        return "\n".join(lines)

    # --- files

    def _require(self, id_: str) -> _File:
        if (file := self._find(id_)) is not None:
            return file
        raise ShelfError(f"{self._folder}: no file holds the composition '{id_}'")

    def _find(self, id_: str) -> _File | None:
        # Most files are named like their composition: that one is looked at first.
        paths = sorted(self._paths(), key=lambda path: (path.stem != id_, path))[:MOST_FILES]
        return next((file for path in paths if (file := self._read(path, id_)) is not None), None)

    def _paths(self) -> Iterator[Path]:
        for path in self._folder.rglob("*.json"):
            if not any(part.startswith(".") for part in path.relative_to(self._folder).parts):
                yield path

    def _read(self, path: Path, id_: str) -> _File | None:
        try:
            if path.stat().st_size > LARGEST_FILE:
                return None
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return None
        composition = _parsed(text) if id_ in text else None
        if composition is None or composition.id != id_:
            return None
        folder = path.relative_to(self._folder).parts[0]
        return _File(path, _STATUSES.get(folder, "template"), text, meaning_of(composition))

    def _free(self, id_: str, status: CompositionStatus, name: str) -> Path:
        """Return a path in a status folder that no file has; nothing is ever overwritten."""
        folder = self._folder / FOLDERS[status]
        names = [name, f"{id_}.json", *(f"{id_}_{n}.json" for n in range(2, MOST_VERSIONS))]
        free = next((folder / n for n in names if not (folder / n).exists()), None)
        if free is None:
            raise ShelfError(f"{folder}: no name is free for the composition '{id_}'")
        return free

    # --- versions

    def _versions(self, id_: str) -> list[ShelvedVersion]:
        folder = self._versions_of(id_)
        numbers = sorted(int(path.stem) for path in folder.glob("*.json") if path.stem.isdecimal())
        read = (_shelved(folder / f"{number}.json") for number in numbers)
        return [version for version in read if version is not None]

    def _version(self, id_: str, number: int) -> ShelvedVersion:
        versions = self._versions(id_)
        found = next((version for version in versions if version.number == number), None)
        if found is not None:
            return found
        known = ", ".join(str(version.number) for version in versions[-10:])
        raise UnknownVersionError(
            f"no version {number} of '{id_}' is kept",
            hint=f"kept: {known}" if known else "no version of it is kept yet",
        )

    def _versions_of(self, id_: str) -> Path:
        if not _ID.fullmatch(id_):  # it becomes part of a path
            raise ShelfError(f"'{id_:.80}' is no id of a composition")
        return self._folder / VERSIONS / id_

    def _keep_edit(self, id_: str, file: _File) -> None:
        """Keep a file as it is now, unless its text is a version already."""
        if all(version.text != file.text for version in self._versions(id_)):
            self._keep(id_, file.text, file.status, "as a person wrote it", file.meaning, {})

    def _keep(
        self, id_: str, text: str, status: CompositionStatus, reason: str, meaning: str,
        evidence: dict[str, Any],
    ) -> ShelvedVersion:  # fmt: skip
        folder, known = self._versions_of(id_), self._versions(id_)
        number = known[-1].number + 1 if known else 1
        version = ShelvedVersion(
            id_, number, self._clock.now(), status, reason, meaning, evidence, text
        )
        document = {**version.to_dict(), "text": text}
        data = json.dumps(document, indent=1, ensure_ascii=False, default=str)
        replace_private_file(folder / f"{number}.json", data.encode("utf-8", "replace"))
        for old in known[: max(0, len(known) + 1 - MOST_VERSIONS)]:
            (folder / f"{old.number}.json").unlink(missing_ok=True)
        return version


def _shelved(path: Path) -> ShelvedVersion | None:
    try:
        version = ShelvedVersion(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        _logger.warning("%s: is no version of a composition; it is left alone", path)
        return None
    return version if isinstance(version.text, str) else None


def _parsed(text: str) -> Composition | None:
    try:
        return Composition.model_validate(json.loads(text), by_alias=True, by_name=False)
    except (ValueError, ValidationError, RecursionError):
        return None


def _replace(path: Path, text: str) -> None:
    """Put a file in place as a whole, with the mode of the one it replaces."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, "utf-8")
    if path.exists():
        temporary.chmod(path.stat().st_mode & 0o777)
    temporary.replace(path)


def _guarded(work: Callable[[], _T]) -> _T:
    try:
        return work()
    except OSError as error:
        raise ShelfError(
            f"the compositions cannot be read or written: {error}",
            hint="check that the folder can be written and that the disk is not full",
        ) from error
