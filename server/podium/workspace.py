"""The data files of a workspace to what serves a request; no upstream, no protocol."""

import re
from collections.abc import Iterable
from pathlib import Path

from podium.compositions.library import CompositionFolder, CompositionLibrary, load_compositions
from podium.config import CONFIG_NAME, Config
from podium.domain.composition import (
    OPEN_PARAM,
    Alternative,
    Composition,
    CompositionStep,
    StoredComposition,
    ToolStep,
    all_calls,
    all_steps,
)
from podium.domain.errors import WorkspaceError
from podium.domain.ports import Clock, PastRequests
from podium.intents.heuristics import Asked
from podium.intents.knowledge import Answer, Answers, known_intents
from podium.intents.library import PatternFolder, PatternLibrary, load_patterns
from podium.intents.live import LivePatterns
from podium.intents.matcher import Matcher
from podium.intents.runtime_lists import RuntimeLists
from podium.intents.understanding import Patterns, Understanding
from podium.mapping.expressions import Evaluator
from podium.mapping.files import load_transformers
from podium.mapping.transformers import Transformers
from podium.storage.system import SystemClock
from podium.text.actions import only_reads
from podium.text.literals import SAMPLES


class WorkspaceData:
    """What the data files of a workspace say; a bad file is in `faults`, the rest serve."""

    def __init__(self, settings: Config) -> None:
        options = settings.orchestrator
        self.transformers = Transformers()
        self.evaluator = Evaluator(self.transformers, clock=SystemClock(), limits=settings.limits)
        self._of_transformers: list[WorkspaceError] = list(
            load_transformers(
                settings.folder(options.transformers_path),
                self.transformers,
                evaluator=self.evaluator,
            )
        )
        self._limits = settings.limits
        self._pattern_folder = PatternFolder(settings.folder(options.intent_patterns_path))
        self.patterns = self._pattern_folder.load()
        self.matcher = Matcher(self.patterns, limits=settings.limits)
        self.composition_folder = CompositionFolder(settings.folder(options.compositions_path))
        self.compositions: CompositionLibrary = self.composition_folder.load()

    @property
    def lasting_faults(self) -> tuple[WorkspaceError, ...]:
        """What stays wrong until the next start: all else is read again when it changes."""
        return tuple(self._of_transformers)

    @property
    def faults(self) -> tuple[WorkspaceError, ...]:
        """All that cannot be used."""
        return (*self._of_transformers, *self.patterns.faults, *self.compositions.faults)

    def live_patterns(self, lists: RuntimeLists, clock: Clock) -> LivePatterns:
        """Return the patterns as their files are at each request, with the lists of tools."""
        return LivePatterns(
            self._pattern_folder,
            lambda library: Matcher(library, limits=self._limits, lists=lists),
            clock.monotonic,
        )


def loaded_patterns(settings: Config) -> tuple[PatternLibrary, Matcher]:
    """Read the patterns of a workspace, and make them ready for requests."""
    patterns = load_patterns(settings.folder(settings.orchestrator.intent_patterns_path))
    return patterns, Matcher(patterns, limits=settings.limits)


def loaded_understanding(settings: Config) -> tuple[PatternLibrary, Understanding]:
    """Read what understanding a request takes: patterns, and the compositions they lead to."""
    patterns, matcher = loaded_patterns(settings)
    compositions = load_compositions(settings.folder(settings.orchestrator.compositions_path))
    return patterns, understanding_of(matcher, compositions)


def understanding_of(
    patterns: Patterns,
    compositions: CompositionLibrary,
    *,
    past: PastRequests | None = None,
    clock: Clock | None = None,
) -> Understanding:
    """Join the patterns with what is known of the compositions that answer them."""
    return Understanding(
        patterns,
        lambda library: known_intents(library.patterns, answers_of(compositions)),
        past=past,
        clock=clock,
    )


def answers_of(compositions: CompositionLibrary) -> Answers:
    """Return what understanding has to know of the compositions that answer intents."""
    types = {stored.composition.intent_type for stored in compositions.all()}
    serving = {type_: compositions.for_intent(type_) for type_ in sorted(filter(None, types))}
    return Answers(
        {type_: _answer(stored) for type_, stored in serving.items() if stored is not None},
        {stored.id: _answer(stored) for stored in compositions.all()},
    )


def _answer(stored: StoredComposition) -> Answer:
    composition = stored.composition
    return Answer(
        texts=tuple(filter(None, (composition.name, composition.description))),
        examples=tuple(_requests(stored)),
        schema=composition.input_schema,
        reads_only=_reads_only(composition),
    )


def _reads_only(composition: Composition) -> bool:
    """Return whether it changes nothing, as far as can be told without asking the servers."""
    if any(isinstance(step, CompositionStep) for step in all_steps(composition.steps)):
        return False  # what that one does may change with its file
    return all(
        effects == "read" or (effects is None and only_reads(call.tool_id))
        for call in all_calls(composition.steps)
        for effects in [call.effects if isinstance(call, ToolStep | Alternative) else None]
    )


def _requests(stored: StoredComposition) -> Iterable[Asked]:
    for example in stored.composition.examples:
        if example.request:
            text, values = _filled(example.request)
            yield Asked(text, None, {**values, **example.params})


def _filled(request: str) -> tuple[str, dict[str, str]]:
    """Return a request with a sample in each open place, and the samples by their params."""
    values: dict[str, str] = {}

    def sample(found: re.Match[str]) -> str:
        text = SAMPLES.get(found["kind"] or "", "x{number}").format(number=len(values) + 1)
        return values.setdefault(found["name"], text)

    return OPEN_PARAM.sub(sample, request), {n: value.strip('"') for n, value in values.items()}


def config_path(path: Path) -> Path:
    """Return the `config.yaml` that a path means: itself, or the one in that folder."""
    return path / CONFIG_NAME if path.is_dir() else path
