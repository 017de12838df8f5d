"""A folder of pattern files to patterns that can be matched; a bad one never harms the others."""

import gc
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from podium.documents import (
    Document,
    KeyPath,
    dotted,
    invalid_file,
    parse_document,
    read_document,
    validate,
)
from podium.domain.errors import Fault, FileInvalidError, PatternInvalidError, WorkspaceError
from podium.domain.findings import Finding, Severity
from podium.intents import grammar
from podium.intents.files import Pattern, PatternFileFrame, SlotDefinition
from podium.intents.grammar import TemplateFaultError, parse_template
from podium.intents.params import ParamSource, params_of, read_params, unknown_groups
from podium.intents.regexes import Regex, RegexFaultError, compile_regex
from podium.intents.sentences import Scope, Sentence, compile_sentence
from podium.intents.slots import ListSlot, Slot, ToolQuery, expanded, slot_of

MAX_FILES = 10_000  # a folder with more is not a folder of patterns
MAX_SKIPS = 2_000  # phrases of politeness of a whole folder
SELDOM = (20_000, 10, 100)  # thresholds of the garbage collector while files are loaded
_NEAR = 20  # characters shown of what a fault is about


@dataclass(frozen=True, slots=True)
class LoadedPattern:
    """A pattern ready to be matched.

    `file` is relative to the folder of patterns, `at` the pattern's place in its document, `order`
    its place among all patterns, files sorted by name. `slots` are those that its sentences
    mention, that type a group of its regexes, or that it defines itself; `group_slots` are those
    that type a group.
    """

    pattern: Pattern
    regexes: tuple[Regex, ...]
    sentences: tuple[Sentence, ...]
    slots: Mapping[str, Slot]
    group_slots: Mapping[str, Slot]
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

    def unsaid(self, said: Collection[int | str]) -> tuple[dict[str, Any], dict[str, str]]:
        """Return what the params of slots become that were not said.

        These are their defaults, and the names of what they take of the conversation.
        """
        defaults: dict[str, Any] = {}
        from_context: dict[str, str] = {}
        for name, slot in self.slots.items():
            if name in said or not (slot.has_default or slot.from_context):
                continue
            for param in params_of(name, self.params):
                if slot.has_default:
                    defaults[param] = slot.default
                if slot.from_context:
                    from_context[param] = slot.from_context
        return defaults, from_context

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

    `faults` are the errors of those that cannot, `warnings` are about the others; `skips` are the
    phrases of politeness that the files add, `queries` the lists that tools give to the slots.
    """

    patterns: tuple[LoadedPattern, ...] = ()
    faults: tuple[WorkspaceError, ...] = ()
    warnings: tuple[Finding, ...] = ()
    skips: tuple[str, ...] = ()
    queries: tuple[ToolQuery, ...] = ()

    def regexes(self) -> Iterator[Regex]:
        """Yield the regexes of all patterns."""
        return (each for loaded in self.patterns for each in loaded.regexes)


def load_patterns(folder: Path) -> PatternLibrary:
    """Load every `*.json` below a folder, sorted by path; hidden files are left alone."""
    return PatternFolder(folder).load()


Stamp = tuple[int, int]
"""When a file was changed (ns), and its size in bytes."""


@dataclass(frozen=True, slots=True)
class _File:
    """A pattern file as it was read; its rules, slots and skips are checked, its patterns not."""

    name: str
    stamp: Stamp
    document: Document
    frame: PatternFileFrame
    own: Scope
    skips: tuple[str, ...]
    faults: tuple[WorkspaceError, ...]


@dataclass(frozen=True, slots=True)
class _Patterns:
    """The patterns of one file, numbered from 0, and the faults of those that cannot be used."""

    scope: object
    patterns: tuple[LoadedPattern, ...]
    faults: tuple[WorkspaceError, ...]


@dataclass(slots=True)
class PatternFolder:
    """A folder of pattern files that can be loaded again when some of them have changed.

    A file that is good at first and bad later keeps serving as it was, and its fault is told.
    """

    folder: Path
    _files: dict[str, _File] = field(default_factory=dict)
    _patterns: dict[str, _Patterns] = field(default_factory=dict)

    def stamps(self) -> dict[str, Stamp]:
        """Return what tells whether a file has changed.

        Raises:
            FileInvalidError: there is no such folder, or it holds too many files.

        """
        return {name: _stamp(path) for name, path in _pattern_files(self.folder)}

    def load(self) -> PatternLibrary:
        """Load what has changed, and return everything."""
        with _collecting_seldom():
            return self._loaded()

    def load_with(self, name: str, text: str) -> PatternLibrary:
        """Return everything as it would be with one more file, or with another of that name.

        Raises:
            PatternInvalidError, FileInvalidError: the text is no pattern file.

        """
        more = _file_of(parse_document(self.folder / name, text), name, (0, 0))
        imagined = PatternFolder(self.folder, dict(self._files), dict(self._patterns))
        with _collecting_seldom():
            return imagined._loaded(more)

    def _loaded(self, more: _File | None = None) -> PatternLibrary:
        try:
            paths = _pattern_files(self.folder)
        except WorkspaceError as error:
            return PatternLibrary(faults=(error,))
        faults: list[WorkspaceError] = []
        files = {}
        for name, path in paths:
            if (file := self._read(name, path, faults)) is not None:
                files[name] = file
        if more is not None:
            files[more.name] = more
        self._files = files
        shared = _Shared(files.values())
        self._patterns = {name: self._load(file, shared) for name, file in files.items()}
        return self._library(faults)

    def _read(self, name: str, path: Path, faults: list[WorkspaceError]) -> _File | None:
        before, stamp = self._files.get(name), _stamp(path)
        if before is not None and before.stamp == stamp:
            return before
        try:
            return _read_file(path, name, stamp)
        except WorkspaceError as error:
            faults.append(error)
            return before

    def _load(self, file: _File, shared: "_Shared") -> _Patterns:
        """Return the patterns of a file, those of the last time if nothing they see has changed."""
        before = self._patterns.get(file.name)
        scope = (file.document, shared.mark)
        if before is not None and before.scope == scope:
            return before
        loaded = _loaded(file, shared, scope)
        if before is not None and loaded.faults and not before.faults:
            # Somebody is editing it: what served a moment ago serves on until all of it is good.
            return replace(loaded, patterns=before.patterns)
        return loaded

    def _library(self, faults: list[WorkspaceError]) -> PatternLibrary:
        patterns: list[LoadedPattern] = []
        skips: dict[str, None] = {}
        for name, loaded in self._patterns.items():
            file = self._files[name]
            first = len(patterns)
            patterns += [
                each if each.order == first + number else replace(each, order=first + number)
                for number, each in enumerate(loaded.patterns)
            ]
            faults += [*file.faults, *loaded.faults]
            skips |= dict.fromkeys(file.skips)
        warnings = tuple(finding for pattern in patterns for finding in _warnings(pattern))
        return PatternLibrary(
            tuple(patterns),
            tuple(faults),
            warnings,
            tuple(skips)[:MAX_SKIPS],
            tuple(dict.fromkeys(_queries(patterns))),
        )


@contextmanager
def _collecting_seldom() -> Iterator[None]:
    """Look for garbage seldom meanwhile: nearly all that loading makes stays, and it is a lot.

    Measured at 10,000 patterns: looking as often as usual takes a quarter of the time.
    """
    usual = gc.get_threshold()
    gc.set_threshold(*SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def _queries(patterns: Sequence[LoadedPattern]) -> Iterator[ToolQuery]:
    for loaded in patterns:
        kinds = [slot.kind for slot in loaded.slots.values()]
        kinds += [kind for sentence in loaded.sentences for kind in sentence.slots.values()]
        for kind in kinds:
            if isinstance(kind, ListSlot) and kind.query is not None:
                yield kind.query


def _pattern_files(folder: Path) -> list[tuple[str, Path]]:
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
    return sorted(found)


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat()
    except OSError:  # gone since it was listed; reading it says so
        return (0, 0)
    return status.st_mtime_ns, status.st_size


# --- what the patterns of a file share


class _Shared:
    """The rules and slots that files share with those of their language, or with all."""

    def __init__(self, files: Any) -> None:
        givers = [file for file in files if file.frame.shared]
        self.mark = tuple((file.name, file.stamp) for file in givers)
        self._by_language: dict[str | None, Scope] = {}
        for file in givers:
            language = file.frame.language
            before = self._by_language.get(language, Scope())
            self._by_language[language] = _over(file.own, before)  # the first file wins

    def scope(self, language: str | None, own: Scope) -> Scope:
        """Return what a pattern of a file sees; the nearest definition wins."""
        found = self._by_language.get(None, Scope())
        if language is not None and language in self._by_language:
            found = _over(found, self._by_language[language])
        return _over(found, own)


def _over(under: Scope, over: Scope) -> Scope:
    return Scope(
        {**under.rules, **over.rules},
        {**under.slots, **over.slots},
        (under.faulty - over.rules.keys() - over.slots.keys()) | over.faulty,
    )


def _read_file(path: Path, name: str, stamp: Stamp) -> _File:
    return _file_of(read_document(path), name, stamp)


def _file_of(document: Document, name: str, stamp: Stamp) -> _File:
    frame = validate(document, PatternFileFrame, PatternInvalidError)
    faults: list[WorkspaceError] = []
    own = _scope(document, frame.rules, frame.slots, (), faults)
    return _File(name, stamp, document, frame, own, _skips(document, frame, faults), tuple(faults))


def _scope(
    document: Document,
    rules: Mapping[str, Any],
    slots: Mapping[str, Any],
    at: KeyPath,
    faults: list[WorkspaceError],
) -> Scope:
    """Return rules and slots that can be used; a faulty one is told once, where it stands."""
    parsed: dict[str, grammar.Sequence] = {}
    made: dict[str, Slot] = {}
    faulty: set[str] = set()
    for name, source in rules.items():
        place = (*at, "rules", name)
        try:
            parsed[name] = _rule(source)
        except TemplateFaultError as error:
            faulty.add(name)
            faults.append(_one_fault(document, _template_fault(document, error, source, place)))
    for name, value in slots.items():
        place = (*at, "slots", name)
        try:
            made[name] = slot_of(_definition(document, value, place))
        except TemplateFaultError as error:
            faulty.add(name)
            faults.append(_one_fault(document, _template_fault(document, error, "", place)))
        except WorkspaceError as error:
            faulty.add(name)
            faults.append(error)
    return Scope(parsed, made, frozenset(faulty))


def _rule(source: Any) -> grammar.Sequence:
    if not isinstance(source, str) or not source.strip():
        raise TemplateFaultError("a rule should be a text")
    return parse_template(source)


def _definition(document: Document, value: Any, place: KeyPath) -> str | SlotDefinition:
    if isinstance(value, str | SlotDefinition):
        return value
    return validate(document, SlotDefinition, PatternInvalidError, at=place)


def _skips(
    document: Document, frame: PatternFileFrame, faults: list[WorkspaceError]
) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for number, source in enumerate(frame.skip):
        try:
            found |= dict.fromkeys(expanded(parse_template(source)))
        except TemplateFaultError as error:
            fault = _template_fault(document, error, source, ("skip", number))
            faults.append(_one_fault(document, fault))
    return tuple(found)


def _one_fault(document: Document, fault: Fault) -> WorkspaceError:
    return invalid_file(document.path, [fault], PatternInvalidError)


def _template_fault(
    document: Document, error: TemplateFaultError, source: str, place: KeyPath
) -> Fault:
    near = _near(source, error.position)
    return Fault(
        f"cannot be used: {error.message}{near}",
        where=dotted(place),
        line=document.line_of(place),
        hint=error.hint,
    )


# --- patterns


def _loaded(file: _File, shared: _Shared, scope: object) -> _Patterns:
    patterns: list[LoadedPattern] = []
    faults: list[WorkspaceError] = []
    scopes: dict[str | None, Scope] = {}
    for index in range(len(file.frame.patterns)):
        try:
            patterns.append(_load_pattern(file, index, shared, scopes, len(patterns)))
        except WorkspaceError as error:
            faults.append(error)
    return _Patterns(scope, tuple(patterns), tuple(faults))


def _load_pattern(
    file: _File, index: int, shared: _Shared, scopes: dict[str | None, Scope], order: int
) -> LoadedPattern:
    at: KeyPath = ("patterns", index)
    document = file.document
    pattern = validate(document, Pattern, PatternInvalidError, at=at)
    language = pattern.language or file.frame.language
    if language not in scopes:
        scopes[language] = shared.scope(language, file.own)
    scope = scopes[language]
    if pattern.rules or pattern.slots:
        scope = _over(scope, _own_scope(document, pattern, at))
    faults: list[Fault] = []
    regexes = tuple(_regexes(document, pattern, at, faults))
    sentences = tuple(_sentences(document, pattern, at, scope, faults))
    params = read_params(pattern.params)
    if not faults:
        faults += _reference_faults(document, params, regexes, sentences, at)
    if faults:
        raise invalid_file(document.path, faults, PatternInvalidError)
    return LoadedPattern(
        pattern,
        regexes,
        sentences,
        _slots(pattern, regexes, sentences, scope),
        _group_slots(regexes, scope),
        params,
        language=language,
        file=file.name,
        order=order,
        document=document,
        at=at,
    )


def _own_scope(document: Document, pattern: Pattern, at: KeyPath) -> Scope:
    faults: list[WorkspaceError] = []
    scope = _scope(document, pattern.rules, pattern.slots, at, faults)
    if faults:
        listed = [fault for error in faults for fault in error.faults]
        raise invalid_file(document.path, listed, PatternInvalidError)
    return scope


def _group_slots(regexes: Sequence[Regex], scope: Scope) -> dict[str, Slot]:
    """Return the slots that type a group: by definition, never by what a sentence says there."""
    named = (name for each in regexes for name in each.groups if isinstance(name, str))
    return {name: scope.slots[name] for name in named if name in scope.slots}


def _slots(
    pattern: Pattern, regexes: Sequence[Regex], sentences: Sequence[Sentence], scope: Scope
) -> dict[str, Slot]:
    """Return the slots of a pattern by their names, with their defaults."""
    named = [name for each in regexes for name in each.groups if isinstance(name, str)]
    named += pattern.slots
    found = {name: scope.slots[name] for name in named if name in scope.slots}
    for sentence in sentences:
        for name, kind in sentence.slots.items():
            defined = scope.slots.get(name)
            if defined is not None:
                found[name] = defined if defined.kind is kind else replace(defined, kind=kind)
            else:
                found.setdefault(name, Slot(kind))
    return found


def _places(
    pattern_value: str | Sequence[str] | None, at: KeyPath, key: str
) -> Iterator[tuple[str, KeyPath]]:
    if isinstance(pattern_value, str):
        yield pattern_value, (*at, key)
        return
    for number, source in enumerate(pattern_value or ()):
        yield source, (*at, key, number)


def _regexes(
    document: Document, pattern: Pattern, at: KeyPath, faults: list[Fault]
) -> Iterator[Regex]:
    for source, place in _places(pattern.regex, at, "regex"):
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


def _sentences(
    document: Document, pattern: Pattern, at: KeyPath, scope: Scope, faults: list[Fault]
) -> Iterator[Sentence]:
    for source, place in _places(pattern.sentences, at, "sentences"):
        try:
            yield compile_sentence(source, scope)
        except TemplateFaultError as error:
            faults.append(_template_fault(document, error, source, place))


def _near(source: str, position: int | None) -> str:
    if position is None:
        return ""
    if position >= len(source):
        return f" at its end (character {position + 1})"
    return f" at character {position + 1}, '{source[position : position + _NEAR]}'"


def _reference_faults(
    document: Document,
    params: dict[str, ParamSource],
    regexes: Sequence[Regex],
    sentences: Sequence[Sentence],
    at: KeyPath,
) -> Iterator[Fault]:
    names = {name for each in regexes for name in each.groups if isinstance(name, str)}
    names |= {name for sentence in sentences for name in sentence.slots}
    numbers = sorted({key for each in regexes for key in each.groups if isinstance(key, int)})
    known = [f"${key}" for key in (*numbers, *sorted(names))]
    for param, reference in unknown_groups(params, {*numbers, *names}).items():
        place = (*at, "params", param)
        what = "a group that the regex does not have" if regexes else "a slot it does not have"
        yield Fault(
            f"refers to {reference}, {what}",
            where=dotted(place),
            line=document.line_of(place),
            hint=_reference_hint(known, has_regex=bool(regexes)),
        )


def _reference_hint(known: list[str], *, has_regex: bool) -> str:
    kinds = "groups" if has_regex else "slots"
    if known:
        return f"its {kinds}: {', '.join(known)}; a text that starts with $ is written $$…"
    if has_regex:
        return "its regex has no groups; put ( ) around the part to take"
    return "its sentences have no slots; write {name} where the value is said"


def _warnings(loaded: LoadedPattern) -> Iterator[Finding]:
    for each in loaded.regexes:
        if not each.needs and each.compiled.search("") is not None:
            message = f"the regex '{each.source}' matches even an empty text"
            hint = "make at least one word of it required"
            yield loaded.finding("warning", message, "regex", hint=hint)
