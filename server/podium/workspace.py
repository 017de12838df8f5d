"""The data files of a workspace to what serves a request; no upstream, no protocol."""

from pathlib import Path

from podium.compositions.library import CompositionLibrary, load_compositions
from podium.config import CONFIG_NAME, Config
from podium.domain.errors import WorkspaceError
from podium.intents.library import PatternLibrary, load_patterns
from podium.intents.matcher import Matcher
from podium.mapping.expressions import Evaluator
from podium.mapping.files import load_transformers
from podium.mapping.transformers import Transformers
from podium.storage.system import SystemClock


class WorkspaceData:
    """What the data files of a workspace say; a bad file is in `faults`, the rest serve."""

    def __init__(self, settings: Config) -> None:
        options = settings.orchestrator
        self.transformers = Transformers()
        self.evaluator = Evaluator(self.transformers, clock=SystemClock(), limits=settings.limits)
        self.faults: list[WorkspaceError] = list(
            load_transformers(
                settings.folder(options.transformers_path),
                self.transformers,
                evaluator=self.evaluator,
            )
        )
        self.patterns, self.matcher = loaded_patterns(settings)
        self.compositions: CompositionLibrary = load_compositions(
            settings.folder(options.compositions_path)
        )
        self.faults += [*self.patterns.faults, *self.compositions.faults]


def loaded_patterns(settings: Config) -> tuple[PatternLibrary, Matcher]:
    """Read the patterns of a workspace, and make them ready for requests."""
    patterns = load_patterns(settings.folder(settings.orchestrator.intent_patterns_path))
    return patterns, Matcher(patterns, limits=settings.limits)


def config_path(path: Path) -> Path:
    """Return the `config.yaml` that a path means: itself, or the one in that folder."""
    return path / CONFIG_NAME if path.is_dir() else path
