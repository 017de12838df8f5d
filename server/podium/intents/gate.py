"""A pattern that is proposed, held against every example of all the others before it is active."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from podium.domain.errors import WorkspaceError
from podium.intents.checks import example_findings
from podium.intents.library import PatternFolder, PatternLibrary
from podium.intents.matcher import Matcher

SHOWN_FAULTS = 10


class CorpusGate:
    """Satisfies `podium.domain.trace.PatternGate` over a folder of patterns; for any thread.

    `make` makes the matcher of a library.
    """

    def __init__(self, folder: Path, make: Callable[[PatternLibrary], Matcher]) -> None:
        self._folder = PatternFolder(folder)
        self._make = make
        self._turn = threading.Lock()  # the folder remembers what it has read

    def faults(self, pattern: dict[str, Any]) -> list[str]:
        """Return what would be wrong with this pattern in its file that is not wrong without it."""
        with self._turn:
            before = self._said(self._folder.load())
            try:
                text = json.dumps({"patterns": [pattern]})
                library = self._folder.load_with(f"{pattern['name']}.json", text)
            except WorkspaceError as error:
                return [error.message]
            return [fault for fault in self._said(library) if fault not in before][:SHOWN_FAULTS]

    def _said(self, library: PatternLibrary) -> list[str]:
        findings = example_findings(library, self._make(library))
        return [*(fault.message for fault in library.faults), *(each.message for each in findings)]
