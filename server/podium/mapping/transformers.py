"""The registry of transformers: functions value -> value that every expression may call."""

import inspect
import re
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, overload

from typing_extensions import override

from podium.domain.errors import (
    ExpressionLimitError,
    TransformerFailedError,
    TransformerInvalidError,
    UnknownTransformerError,
)
from podium.domain.naming import nearest
from podium.mapping.functions import BUILT_IN
from podium.mapping.reading import BLOCKS, ENGINE_TEMPLATE
from podium.mapping.syntax import JSONATA_FUNCTIONS

FROM_PYTHON = "python"
FROM_PODIUM = "built in"
MARK = "__podium_transformer__"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = frozenset({BLOCKS, ENGINE_TEMPLATE, "function"})
_Function = TypeVar("_Function", bound=Callable[..., Any])


@overload
def transformer(name: _Function) -> _Function: ...


@overload
def transformer(name: str | None = None) -> Callable[[_Function], _Function]: ...


def transformer(name: Any = None) -> Any:
    """Mark a function of a workspace's `transformers/*.py` as a transformer.

    Its name in expressions is `name`, or else the function's own: `@transformer("shout")`,
    `@transformer`.
    """

    def mark(function: Any) -> Any:
        setattr(function, MARK, function.__name__ if name is None else name)
        return function

    if callable(name):  # written without parentheses
        return transformer()(name)
    return mark


@dataclass(frozen=True, slots=True)
class Transformer:
    """A named function; `source` is "built in", "python" or the file it comes from."""

    name: str
    function: Callable[..., Any]
    description: str = ""
    source: str = FROM_PYTHON
    signature: inspect.Signature | None = field(default=None, repr=False)

    @property
    def usage(self) -> str:
        """How it is called, for people: `$excerpt(text, length=200)`."""
        if self.signature is None:
            return f"${self.name}(…)"
        plain = [
            p.replace(annotation=inspect.Parameter.empty)
            for p in self.signature.parameters.values()
        ]
        return f"${self.name}{inspect.Signature(plain)}"

    def to_dict(self) -> dict[str, Any]:
        """Return the public form."""
        return {
            "name": self.name,
            "usage": self.usage,
            "description": self.description,
            "source": self.source,
        }


class Transformers:
    """The transformers by name; one registered later replaces one registered before.

    `converters` is the same registry as a mapping from name to plain function:
    `transformers.converters["shout"] = str.upper`.
    """

    def __init__(self) -> None:
        self._by_name: dict[str, Transformer] = {}
        self.converters: MutableMapping[str, Callable[..., Any]] = _Converters(self, self._by_name)
        for name, function in BUILT_IN.items():
            self.register(name, function, source=FROM_PODIUM)

    def register(
        self,
        name: str,
        function: Callable[..., Any],
        *,
        description: str | None = None,
        source: str = FROM_PYTHON,
    ) -> Transformer:
        """Add a transformer, or replace the one of this name.

        Raises:
            TransformerInvalidError: the name cannot be used, or the function is none, or async.

        """
        _check(name, function)
        made = Transformer(
            name=name,
            function=function,
            description=_description(function) if description is None else description,
            source=source,
            signature=_signature(function),
        )
        self._by_name[name] = made
        return made

    def restore(self, name: str, before: Transformer | None) -> None:
        """Put back what a name stood for before it was registered; None for nothing."""
        if before is None:
            self._by_name.pop(name, None)
        else:
            self._by_name[name] = before

    def names(self) -> frozenset[str]:
        """Return the names of all transformers."""
        return frozenset(self._by_name)

    def get(self, name: str) -> Transformer | None:
        """Return the transformer of this name, if there is one."""
        return self._by_name.get(name)

    def is_replaced(self, name: str) -> bool:
        """Return whether somebody's own function stands where a built-in one was."""
        made = self._by_name.get(name)
        return made is None or made.source != FROM_PODIUM

    def describe(self) -> list[dict[str, Any]]:
        """Return the public form of every transformer, by name."""
        return [self._by_name[name].to_dict() for name in sorted(self._by_name)]

    def call(self, name: str, arguments: Sequence[Any]) -> Any:
        """Call a transformer.

        Raises:
            UnknownTransformerError: there is none of this name.
            TransformerFailedError: it raised, or does not take these arguments.

        """
        made = self._by_name.get(name)
        if made is None:
            raise unknown_transformer(name, self.names())
        if made.signature is not None:
            try:
                made.signature.bind(*arguments)
            except TypeError as error:
                raise TransformerFailedError(
                    f"the transformer '{name}' got {_count(arguments)}: {error}",
                    hint=f"it is called {made.usage}",
                ) from None
        try:
            result = made.function(*arguments)
        except (TransformerFailedError, UnknownTransformerError, ExpressionLimitError):
            raise
        except Exception as error:  # a transformer is anybody's code
            raise TransformerFailedError(
                f"the transformer '{name}' failed: {_reason(error)}"
            ) from error
        if inspect.iscoroutine(result):
            result.close()
            raise TransformerFailedError(
                f"the transformer '{name}' failed: it is asynchronous",
                hint="a transformer is a plain function; put input and output in a tool",
            )
        return result


def unknown_transformer(name: str, known: frozenset[str]) -> UnknownTransformerError:
    """Return the error for a function that is neither a transformer nor JSONata's own."""
    close = nearest(name, known | JSONATA_FUNCTIONS)
    return UnknownTransformerError(
        f"there is no function ${name}",
        hint=f"did you mean ${close}?"
        if close
        else "write one in the folder `transformers`, or register it from Python",
    )


class _Converters(MutableMapping[str, Callable[..., Any]]):
    """The registry's face for people who think in dicts."""

    def __init__(self, registry: Transformers, by_name: dict[str, Transformer]) -> None:
        self._registry = registry
        self._by_name = by_name

    @override
    def __getitem__(self, name: str) -> Callable[..., Any]:
        return self._by_name[name].function

    @override
    def __setitem__(self, name: str, function: Callable[..., Any]) -> None:
        self._registry.register(name, function)

    @override
    def __delitem__(self, name: str) -> None:
        del self._by_name[name]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._by_name))

    @override
    def __len__(self) -> int:
        return len(self._by_name)

    @override
    def __repr__(self) -> str:
        return f"converters({', '.join(self._by_name)})"


def _check(name: Any, function: Any) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise TransformerInvalidError(
            f"{name!r} cannot be the name of a transformer",
            hint="a name has letters, digits and _, and starts with a letter or _",
        )
    if name in JSONATA_FUNCTIONS:
        raise TransformerInvalidError(
            f"${name} is one of JSONata's own functions; a transformer cannot replace it",
            hint=f"choose another name, for example my_{name}",
        )
    if name in _RESERVED or name.startswith("podium_"):
        raise TransformerInvalidError(
            f"the name '{name}' is Podium's own", hint="choose another name"
        )
    if not callable(function):
        raise TransformerInvalidError(
            f"the transformer '{name}' must be a function, not {type(function).__name__}"
        )
    called = getattr(function, "__call__", function)  # noqa: B004 - an object may be async too
    if any(
        check(candidate)
        for check in (inspect.iscoroutinefunction, inspect.isasyncgenfunction)
        for candidate in (function, called)
    ):
        raise TransformerInvalidError(
            f"the transformer '{name}' is asynchronous",
            hint="a transformer is a plain function; put input and output in a tool",
        )


def _description(function: Callable[..., Any]) -> str:
    return inspect.getdoc(function) or ""


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None  # some functions written in C do not say


def _count(arguments: Sequence[Any]) -> str:
    return f"{len(arguments)} argument{'' if len(arguments) == 1 else 's'}"


def _reason(error: Exception) -> str:
    if isinstance(error, ValueError) and str(error):
        return str(error)
    return f"{type(error).__name__}: {error}".removesuffix(": ")
