"""A folder of pattern files to patterns that can be matched; a bad one never harms the others."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from podium.documents import Document, KeyPath, dotted, invalid_file, read_document, validate
from podium.domain.errors import Fault, FileInvalidError, PatternInvalidError, WorkspaceError
from podium.domain.findings import Finding, Severity
from podium.intents.files import LATER_KEYS, Pattern, PatternFileFrame
from podium.intents.params import ParamSource, read_params, unknown_groups
from podium.intents.regexes import Regex, RegexFaultError, compile_regex

MAX_FILES = 10_000  # a folder with more is not a folder of patterns


@dataclass(frozen=True, slots=True)
class LoadedPattern:
    """A pattern ready to be matched.

    `file` is relative to the folder of patterns, `at` the pattern's place in its document, `order`
    its place among all patterns, files sorted by name.
    """

    pattern: Pattern
    regexes: tuple[Regex, ...]
    params: dict[str, ParamSource]
    language: str | None
    file: str
    order: int
    document: Document
    at: KeyPath

    @property
    def name(self) -> str:
        """The intent type."""
        return self.pattern.name

    @property
    def composition(self) -> str | None:
        """The id of the composition to play, if the pattern names one."""
        return self.pattern.composition

    @property
    def where(self) -> str:
        """The place in the file: `patterns[3]`."""
        return dotted(self.at)

    @property
    def source(self) -> str:
        """The file and line, as people write it."""
        line = self.document.line_of(self.at)
        return f"{self.file}:{line}" if line is not None else self.file

    def finding(
        self, severity: Severity, message: str, *keys: str | int, hint: str = ""
    ) -> Finding:
        """Return a finding about this pattern, or about the part of it under `keys`."""
        place = (*self.at, *keys)
        line = self.document.line_of(place)
        return Finding(severity, self.file, message, dotted(place), line, hint)


@dataclass(frozen=True, slots=True)
class PatternLibrary:
    """All patterns of a folder that can be used, in file order.

    `faults` are the errors of those that cannot, `warnings` are about the others.
    """

    patterns: tuple[LoadedPattern, ...] = ()
    faults: tuple[WorkspaceError, ...] = ()
    warnings: tuple[Finding, ...] = ()


@dataclass(slots=True)
class _Loading:
    patterns: list[LoadedPattern] = field(default_factory=list)
    faults: list[WorkspaceError] = field(default_factory=list)


def load_patterns(folder: Path) -> PatternLibrary:
    """Load every `*.json` below a folder, sorted by path; hidden files are left alone."""
    loading = _Loading()
    try:
        files = _pattern_files(folder)
    except WorkspaceError as error:
        return PatternLibrary(faults=(error,))
    for path in files:
        _load_file(path, path.relative_to(folder).as_posix(), loading)
    warnings = tuple(finding for pattern in loading.patterns for finding in _warnings(pattern))
    return PatternLibrary(tuple(loading.patterns), tuple(loading.faults), warnings)


def _pattern_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise FileInvalidError(
            f"{folder}: there is no such folder of patterns",
            hint="see intent_patterns_path in config.yaml",
            source=str(folder),
        )
    found: list[tuple[str, Path]] = []
    for path in folder.rglob("*.json"):
        relative = path.relative_to(folder)
        if not any(part.startswith(".") for part in relative.parts) and path.is_file():
            found.append((relative.as_posix(), path))
        if len(found) > MAX_FILES:
            raise FileInvalidError(
                f"{folder}: holds more than {MAX_FILES} pattern files", source=str(folder)
            )
    return [path for _, path in sorted(found)]


def _load_file(path: Path, name: str, loading: _Loading) -> None:
    try:
        document = read_document(path)
        _refuse_later_keys(document, document.value, ())
        frame = validate(document, PatternFileFrame, PatternInvalidError)
    except WorkspaceError as error:
        loading.faults.append(error)
        return
    for index in range(len(frame.patterns)):
        try:
            pattern = _load_pattern(document, index, frame.language, name, len(loading.patterns))
        except WorkspaceError as error:
            loading.faults.append(error)
        else:
            loading.patterns.append(pattern)


def _load_pattern(
    document: Document, index: int, language: str | None, file: str, order: int
) -> LoadedPattern:
    at: KeyPath = ("patterns", index)
    _refuse_later_keys(document, document.value["patterns"][index], at)
    pattern = validate(document, Pattern, PatternInvalidError, at=at)
    faults: list[Fault] = []
    regexes = tuple(_compiled(document, pattern, at, faults))
    params = read_params(pattern.params)
    if not faults:
        faults += _reference_faults(document, params, regexes, at)
    if faults:
        raise invalid_file(document.path, faults, PatternInvalidError)
    return LoadedPattern(
        pattern,
        regexes,
        params,
        language=pattern.language or language,
        file=file,
        order=order,
        document=document,
        at=at,
    )


def _refuse_later_keys(document: Document, value: Any, at: KeyPath) -> None:
    later = [key for key in LATER_KEYS if isinstance(value, dict) and key in value]
    if later:
        faults = [
            Fault(
                f"'{key}' cannot be used yet: this version reads patterns written as 'regex' only",
                where=dotted(at),
                line=document.line_of((*at, key)),
                hint="write it as a regex with named groups",
            )
            for key in later
        ]
        raise invalid_file(document.path, faults, PatternInvalidError)


def _compiled(
    document: Document, pattern: Pattern, at: KeyPath, faults: list[Fault]
) -> Iterator[Regex]:
    for number, source in enumerate(pattern.regex_sources()):
        place = (*at, "regex") if isinstance(pattern.regex, str) else (*at, "regex", number)
        try:
            yield compile_regex(source)
        except RegexFaultError as error:
            faults.append(
                Fault(
                    f"is not a valid regex: {error.message}{_near(source, error.position)}",
                    where=dotted(place),
                    line=document.line_of(place),
                )
            )


def _near(source: str, position: int | None) -> str:
    if position is None:
        return ""
    if position >= len(source):
        return f" at its end (character {position + 1})"
    return f" at character {position + 1}, '{source[position : position + 20]}'"


def _reference_faults(
    document: Document,
    params: dict[str, ParamSource],
    regexes: tuple[Regex, ...],
    at: KeyPath,
) -> Iterator[Fault]:
    compiled = [each.compiled for each in regexes]
    names = sorted({name for each in compiled for name in each.groupindex})
    numbers = max(each.groups for each in compiled)
    known = [f"${number}" for number in range(1, numbers + 1)] + [f"${name}" for name in names]
    for param, reference in unknown_groups(params, compiled).items():
        place = (*at, "params", param)
        yield Fault(
            f"refers to {reference}, a group that the regex does not have",
            where=dotted(place),
            line=document.line_of(place),
            hint=f"its groups: {', '.join(known)}; a text that starts with $ is written $$…"
            if known
            else "its regex has no groups; put ( ) around the part to take",
        )


def _warnings(loaded: LoadedPattern) -> Iterator[Finding]:
    for each in loaded.regexes:
        if each.compiled.search("") is not None:
            message = f"the regex '{each.source}' matches even an empty text"
            hint = "make at least one word of it required"
            yield loaded.finding("warning", message, "regex", hint=hint)
