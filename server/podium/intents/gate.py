"""A pattern that is proposed, held against every example of all the others before it is active."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
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
        self._known: tuple[PatternLibrary, list[str]] = (PatternLibrary(), [])

    def faults(self, pattern: dict[str, Any]) -> list[str]:
        """Return what would be wrong with this pattern in its file that is not wrong without it."""
        with self._turn:
            before = self._before()
            try:
                text = json.dumps({"patterns": [pattern]})
                library = self._folder.load_with(f"{pattern['name']}.json", text)
            except WorkspaceError as error:
                return [error.message]
            faults = [fault for fault in self._said(library) if fault not in before]
            return (faults or self._too_wide(library, pattern["name"]))[:SHOWN_FAULTS]

    def _before(self) -> list[str]:
        """Return what is wrong already; of a folder that stays as it is, this is asked once."""
        library = self._folder.load()
        if library != self._known[0]:
            self._known = library, self._said(library)
        return self._known[1]

    def _too_wide(self, library: PatternLibrary, name: str) -> list[str]:
        """Return which words of other patterns would fit this one, if those were not there.

        Who outranks it for these words is not asked: there are more such words than examples.
        """
        own = [loaded for loaded in library.patterns if loaded.name == name]
        alone = self._make(replace(library, patterns=tuple(own)))
        return [
            f"'{example.text}' of {other.name} would fit it as well"
            for other in library.patterns
            if other.name != name
            for example in other.pattern.all_examples()
            if alone.analyse(example.text).intent is not None
        ]

    def _said(self, library: PatternLibrary) -> list[str]:
        findings = example_findings(library, self._make(library))
        return [*(fault.message for fault in library.faults), *(each.message for each in findings)]
