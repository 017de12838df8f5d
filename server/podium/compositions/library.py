"""Composition files to the compositions that can be played; a bad one is reported only."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from podium.documents import Document, read_document, validate
from podium.domain.composition import Composition, CompositionStatus, StoredComposition
from podium.domain.errors import (
    CompositionInvalidError,
    FileInvalidError,
    UnknownCompositionError,
    WorkspaceError,
)
from podium.domain.naming import did_you_mean

MAX_FILES = 10_000  # a folder with more is not a folder of compositions

_STATUS_OF_FOLDER: dict[str, CompositionStatus] = {
    "templates": "template",
    "learning": "learning",
    "validated": "validated",
    "deprecated": "deprecated",
}
# Which one answers an intent that several serve: what proved itself first, what is on trial last.
_PRECEDENCE: dict[CompositionStatus, int] = {"validated": 0, "template": 1, "learning": 2}


class CompositionLibrary:
    """Every composition of a workspace, by id and by the intent it answers."""

    def __init__(
        self,
        compositions: Iterable[StoredComposition] = (),
        faults: Iterable[WorkspaceError] = (),
        documents: dict[str, Document] | None = None,
    ) -> None:
        self.faults = list(faults)
        self._by_id: dict[str, StoredComposition] = {}
        self._documents = documents or {}
        self.revision = 0  # how often it became another
        for stored in compositions:
            first = self._by_id.setdefault(stored.id, stored)
            if first is not stored:
                self.faults.append(
                    CompositionInvalidError(
                        f"{stored.source}: the id '{stored.id}' is taken by {first.source}",
                        hint="give one of them another id",
                    )
                )

    def take(self, fresh: "CompositionLibrary") -> bool:
        """Become what was read just now; return whether that is different.

        What has not changed stays the same object. A file that was good and cannot be used now, as
        happens while somebody writes it, serves on as it was.
        """
        bad = {fault.source for fault in fresh.faults}
        kept = [s for s in self.all() if s.source in bad and not fresh.knows(s.id)]
        now = {s.id: _same_or(self._by_id.get(s.id), s) for s in (*fresh.all(), *kept)}
        found = {s.id: fresh.document(s.id) or self.document(s.id) for s in now.values()}
        self._documents = {id_: document for id_, document in found.items() if document}
        self.faults = list(fresh.faults)
        if list(now.items()) == list(self._by_id.items()):
            return False
        self._by_id = now
        self.revision += 1
        return True

    def get(self, composition_id: str) -> StoredComposition:
        """Return a composition.

        Raises:
            UnknownCompositionError: there is none; the hint names the nearest id.

        """
        if (stored := self._by_id.get(composition_id)) is not None:
            return stored
        raise UnknownCompositionError(
            f"there is no composition '{composition_id}'",
            hint=did_you_mean(
                composition_id, self._by_id, otherwise="this workspace has no compositions"
            ),
        )

    def knows(self, composition_id: str) -> bool:
        """Return whether there is a composition of this id."""
        return composition_id in self._by_id

    def holds(self, stored: StoredComposition) -> bool:
        """Return whether this very composition is one of the library."""
        return self._by_id.get(stored.id) is stored

    def for_intent(self, intent_type: str) -> StoredComposition | None:
        """Return the composition that answers an intent, or None."""
        serving = [s for s in self.all(intent_type) if s.status in _PRECEDENCE]
        return min(serving, key=lambda s: (_PRECEDENCE[s.status], s.order), default=None)

    def all(self, intent_type: str | None = None) -> list[StoredComposition]:
        """Return all compositions, or those of one intent, in file order."""
        return [
            stored
            for stored in self._by_id.values()
            if intent_type is None or stored.composition.intent_type == intent_type
        ]

    def document(self, composition_id: str) -> Document | None:
        """Return the file a composition was read from, for line numbers."""
        return self._documents.get(composition_id)


def _same_or(before: StoredComposition | None, now: StoredComposition) -> StoredComposition:
    return before if before is not None and before == now else now


Stamp = tuple[int, int, int]
"""What is different once a file was written or replaced: its time, its size, its place on disk."""


@dataclass(slots=True)
class CompositionFolder:
    """A folder of compositions that is read again when its files have changed."""

    folder: Path
    _stamps: dict[str, Stamp] = field(default_factory=dict)

    def load(self) -> CompositionLibrary:
        """Read all of it."""
        self._stamps = self._now()  # first: what is written meanwhile is read again
        return load_compositions(self.folder)

    def load_changed(self) -> CompositionLibrary | None:
        """Read all of it if a file was added, changed, moved or deleted since; else None."""
        return None if self._now() == self._stamps else self.load()

    def _now(self) -> dict[str, Stamp]:
        stamps = {}
        for path in _files(self.folder)[:MAX_FILES]:
            with suppress(OSError):  # gone since it was listed
                found = path.stat()
                stamps[str(path)] = (found.st_mtime_ns, found.st_size, found.st_ino)
        return stamps


def load_compositions(folder: Path) -> CompositionLibrary:
    """Read every `*.json` below a folder, in order of path; the subfolder is the status."""
    compositions: list[StoredComposition] = []
    faults: list[WorkspaceError] = []
    documents: dict[str, Document] = {}
    paths = _files(folder)
    if len(paths) > MAX_FILES:
        message = f"{folder}: holds {len(paths)} files, of which {MAX_FILES} are read"
        faults.append(FileInvalidError(message, source=str(folder)))
    for order, path in enumerate(paths[:MAX_FILES]):
        try:
            document = read_document(path)
            composition = validate(document, Composition, CompositionInvalidError)
        except (FileInvalidError, CompositionInvalidError) as error:
            faults.append(error)
            continue
        status = _STATUS_OF_FOLDER.get(path.relative_to(folder).parts[0], "template")
        compositions.append(StoredComposition(composition, status, str(path), order))
        documents.setdefault(composition.id, document)
    return CompositionLibrary(compositions, faults, documents)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.json") if not _is_hidden(path, folder))


def _is_hidden(path: Path, folder: Path) -> bool:
    """Return whether it is none of the compositions, such as a kept version of one."""
    return any(part.startswith(".") for part in path.relative_to(folder).parts)
