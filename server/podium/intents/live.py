"""Patterns that are read again when their files change, while requests go on being answered."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from podium.domain.errors import WorkspaceError
from podium.domain.intent import Analysis
from podium.intents.library import PatternFolder, PatternLibrary, Stamp
from podium.intents.matcher import Matcher

LOOK_SECONDS = 1.0  # between two looks at the folder; listing a thousand files takes milliseconds

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class LivePatterns:
    """The matcher of a folder of patterns as its files are now.

    Whether files have changed is looked up at the next request, once in `LOOK_SECONDS` at most.
    Only what has changed is read again; a file that has become bad keeps serving as it was, and the
    log says why. `make` makes the matcher of a library, `monotonic` gives seconds.
    """

    folder: PatternFolder
    make: Callable[[PatternLibrary], Matcher]
    monotonic: Callable[[], float]
    matcher: Matcher = field(init=False)
    _stamps: dict[str, Stamp] = field(init=False, default_factory=dict)
    _looked: float = field(init=False)

    def __post_init__(self) -> None:
        self._stamps = self._now()
        self._looked = self.monotonic()
        self.matcher = self.make(self.folder.load())

    @classmethod
    def of(
        cls,
        path: Path,
        make: Callable[[PatternLibrary], Matcher],
        monotonic: Callable[[], float],
    ) -> "LivePatterns":
        """Return the patterns of a folder."""
        return cls(PatternFolder(path), make, monotonic)

    @property
    def library(self) -> PatternLibrary:
        """The patterns that are served; another object after each change."""
        return self.matcher.library

    def analyse(self, text: str) -> Analysis:
        """Return what a request means, by the patterns as they are now."""
        self.refresh()
        return self.matcher.analyse(text)

    def expire(self) -> None:
        """Have the next request look at the folder, however short ago that was done."""
        self._looked = float("-inf")

    def refresh(self) -> bool:
        """Read what has changed, if it is time to look; return whether something has."""
        now = self.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return False
        self._looked = now
        stamps = self._now()
        if stamps == self._stamps:
            return False
        self._stamps = stamps
        library = self.folder.load()
        for fault in library.faults:
            logger.warning("a pattern cannot be used: %s", fault.message)
        self.matcher = self.make(library)
        logger.info("patterns read again", extra={"patterns": len(library.patterns)})
        return True

    def _now(self) -> dict[str, Stamp]:
        try:
            return self.folder.stamps()
        except WorkspaceError:
            return {}  # no such folder: loading says so
