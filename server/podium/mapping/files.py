"""A folder of transformer files to registered transformers; a bad file never stops the others."""

import hashlib
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import Field, RootModel

from podium.documents import Document, KeyPath, dotted, invalid_file, read_document, validate
from podium.domain.composition import FileModel
from podium.domain.errors import (
    ExpressionSyntaxError,
    Fault,
    FileInvalidError,
    PodiumError,
    TransformerInvalidError,
    WorkspaceError,
)
from podium.domain.naming import did_you_mean
from podium.mapping.coercion import schema_faults
from podium.mapping.expressions import Evaluator, Expression, parse
from podium.mapping.functions.common import brief
from podium.mapping.schemas import validator_of
from podium.mapping.transformers import FROM_PODIUM, FROM_PYTHON, MARK, Transformer, Transformers

MAX_FILES = 1_000  # of one folder
MAX_FILE_BYTES = 1024 * 1024  # of Python
ARGUMENTS = "args"


class TransformerExample(FileModel):
    """One call and what it must give; it runs each time the file is loaded."""

    input: Any = Field(description="The value that `$` is.")
    args: tuple[Any, ...] = Field((), description="Further arguments: the list `$args`.")
    output: Any = Field(description="What the call gives.")


class JsonTransformer(FileModel):
    """A transformer written as a JSONata expression."""

    name: str = Field(
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        max_length=64,
        description="Expressions call it as `$name(value)`.",
    )
    description: str = Field("", description="What it makes of its input, in a sentence.")
    expression: str = Field(
        description="JSONata over the input, which is `$`; further arguments are in `$args`."
    )
    input_schema: dict[str, Any] | None = Field(
        None, description="JSON Schema (2020-12) that the input must fit."
    )
    output_schema: dict[str, Any] | None = Field(
        None, description="JSON Schema (2020-12) that the result must fit."
    )
    examples: tuple[TransformerExample, ...] = Field(
        (), description="Calls with their results; the transformer is refused if one fails."
    )


class SingleTransformerFile(JsonTransformer):
    """A file with one transformer."""

    schema_: str | None = Field(
        None, alias="$schema", description="For editors; Podium does not read it."
    )


class TransformerListFrame(FileModel):
    """A file with several, which are not looked at yet, so that a bad one harms only itself."""

    schema_: str | None = Field(
        None, alias="$schema", description="For editors; Podium does not read it."
    )
    transformers: tuple[Any, ...]


class TransformerListFile(TransformerListFrame):
    """A file with several transformers."""

    transformers: tuple[JsonTransformer, ...] = Field(description="The transformers.")


class TransformerFile(RootModel[SingleTransformerFile | TransformerListFile]):
    """A transformer file: `transformers/*.json`."""


def load_transformers(
    folder: Path, registry: Transformers, *, evaluator: Evaluator
) -> list[WorkspaceError]:
    """Register the transformers of a folder's `.json` and `.py` files, in order of their names.

    Return what is wrong, one error per file or transformer that cannot be used. A folder that does
    not exist holds none. `evaluator` plays the expressions of JSON transformers.
    """
    loading = _Loading(registry, evaluator, faults=[], played=[])
    for path in _files(folder):
        try:
            _LOADERS[path.suffix](loading, path)
        except WorkspaceError as error:
            loading.faults.append(error)
    # Only now: an example may call a transformer of a later file.
    for loaded in loading.played:
        _play_examples(loading, loaded)
    return loading.faults


def _files(folder: Path) -> list[Path]:
    try:
        found = [path for path in folder.iterdir() if path.suffix in _LOADERS and path.is_file()]
    except OSError:
        return []
    return sorted(path for path in found if path.name[0] not in "._")[:MAX_FILES]


@dataclass(frozen=True, slots=True)
class _Played:
    """A JSON transformer that is registered, where it stands, and what it took the place of."""

    definition: JsonTransformer
    document: Document
    at: KeyPath
    before: Transformer | None


@dataclass(frozen=True, slots=True)
class _Loading:
    registry: Transformers
    player: Evaluator
    faults: list[WorkspaceError]
    played: list[_Played]

    def register(
        self, name: str, function: Callable[..., Any], description: str | None, path: Path
    ) -> Transformer | None:
        """Register a function and return what it replaces."""
        before = self.registry.get(name)
        if before is not None and before.source not in {FROM_PODIUM, FROM_PYTHON, str(path)}:
            raise TransformerInvalidError(
                f"a transformer '{name}' is defined in {before.source} already",
                hint="give one of them another name",
            )
        self.registry.register(name, function, description=description, source=str(path))
        return before


# --- JSON


def _load_json(loading: _Loading, path: Path) -> None:
    document = read_document(path)
    if not isinstance(document.value, Mapping) or "transformers" not in document.value:
        _add(loading, document, (), SingleTransformerFile)
        return
    frame = validate(document, TransformerListFrame, TransformerInvalidError)
    for place in range(len(frame.transformers)):
        try:
            _add(loading, document, ("transformers", place), JsonTransformer)
        except WorkspaceError as error:
            loading.faults.append(error)


def _add(loading: _Loading, document: Document, at: KeyPath, model: type[JsonTransformer]) -> None:
    definition = validate(document, model, TransformerInvalidError, at=at)
    expression = _expression(definition, document, at)
    for key in ("input_schema", "output_schema"):
        schema = getattr(definition, key)
        if schema is not None and validator_of(schema) is None:
            raise _invalid(document, (*at, key), "is no valid JSON Schema")
    function = _function(definition, expression, loading.player)
    try:
        before = loading.register(definition.name, function, definition.description, document.path)
    except TransformerInvalidError as error:
        raise _invalid(document, (*at, "name"), error.message, error.hint) from None
    loading.played.append(_Played(definition, document, at, before))


def _expression(definition: JsonTransformer, document: Document, at: KeyPath) -> Expression:
    place = (*at, "expression")
    try:
        expression = parse(definition.expression)
    except ExpressionSyntaxError as error:
        raise _invalid(document, place, error.message, error.hint) from None
    for name in sorted(expression.variables - {ARGUMENTS}):
        hint = did_you_mean(name, [ARGUMENTS], otherwise="")
        raise _invalid(document, place, f"nothing binds ${name} here", hint)
    if expression.blocks_of:
        raise _invalid(document, place, "$blocks reads a step; a transformer knows no steps")
    return expression


def _function(
    definition: JsonTransformer, expression: Expression, player: Evaluator
) -> Callable[..., Any]:
    def apply(value: Any = None, *args: Any) -> Any:
        _require(value, definition.input_schema, "the input")
        result = player.apply(expression, value, args)
        _require(result, definition.output_schema, "the result")
        return result

    return apply


def _require(value: Any, schema: dict[str, Any] | None, name: str) -> None:
    if schema is not None and (faults := schema_faults(value, schema)):
        raise ValueError(f"{name} does not fit: {'; '.join(map(str, faults))}")


def _play_examples(loading: _Loading, loaded: _Played) -> None:
    """Run a transformer's examples; take it back when one of them fails."""
    definition = loaded.definition
    for place, example in enumerate(definition.examples):
        reason = _failure(loading.registry, definition.name, example)
        if reason:
            at = (*loaded.at, "examples", place)
            loading.faults.append(_invalid(loaded.document, at, reason))
            loading.registry.restore(definition.name, loaded.before)
            return


def _failure(registry: Transformers, name: str, example: TransformerExample) -> str:
    try:
        result = registry.call(name, [example.input, *example.args])
    except PodiumError as error:
        return f"the example fails: {error.message}"
    if result != example.output:
        return f"the example gives {brief(result)}, not {brief(example.output)}"
    return ""


def _invalid(document: Document, at: KeyPath, message: str, hint: str = "") -> WorkspaceError:
    fault = Fault(message, where=dotted(at), line=document.line_of(at), hint=hint)
    return invalid_file(document.path, [fault], TransformerInvalidError)


# --- Python


def _load_python(loading: _Loading, path: Path) -> None:
    functions = list(_marked(_module(path)))
    if not functions:
        raise invalid_file(
            path,
            [Fault("no function is marked", hint="put @transformer above it")],
            TransformerInvalidError,
        )
    for name, function in functions:
        try:
            loading.register(name, function, None, path)
        except TransformerInvalidError as error:
            fault = Fault(error.message, line=_line_of(function), hint=error.hint)
            loading.faults.append(invalid_file(path, [fault], TransformerInvalidError))


def _module(path: Path) -> ModuleType:
    """Run a file as a module of its own name: never by a package name, and nothing is cached."""
    name = f"podium_transformers_{hashlib.sha256(str(path).encode()).hexdigest()[:16]}"
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # dataclasses and pickle look a class's module up there
    try:
        exec(compile(_source(path), str(path), "exec"), module.__dict__)  # noqa: S102 - the workspace's own code
    except (Exception, SystemExit) as error:  # the file is anybody's code
        del sys.modules[name]
        if isinstance(error, WorkspaceError):
            raise
        fault = Fault(_reason(error), line=_line_in(path, error))
        raise invalid_file(path, [fault], TransformerInvalidError) from error
    return module


def _source(path: Path) -> bytes:
    try:
        source = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise FileInvalidError(f"{path}: cannot be read: {reason}", source=str(path)) from error
    if len(source) > MAX_FILE_BYTES:
        raise FileInvalidError(
            f"{path}: larger than {MAX_FILE_BYTES // 1024} KiB", source=str(path)
        )
    return source


def _marked(module: ModuleType) -> Iterator[tuple[str, Callable[..., Any]]]:
    for value in list(vars(module).values()):
        name = getattr(value, MARK, None)
        if isinstance(name, str) and callable(value):
            yield name, value


def _line_of(function: Callable[..., Any]) -> int | None:
    code = getattr(function, "__code__", None)
    return None if code is None else int(code.co_firstlineno)


def _reason(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"is not valid Python: {error.msg}"
    return f"fails when it is loaded: {type(error).__name__}: {error}".removesuffix(": ")


def _line_in(path: Path, error: BaseException) -> int | None:
    if isinstance(error, SyntaxError):
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    return next((f.lineno for f in reversed(frames) if f.filename == str(path)), None)


_LOADERS: Mapping[str, Callable[[_Loading, Path], None]] = {
    ".json": _load_json,
    ".py": _load_python,
}
