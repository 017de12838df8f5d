"""Plain references (`a.b[0].c`) to values, exactly and without the JSONata engine."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal


class Missing(enum.Enum):
    """The one value that stands for "nothing was found"; JSON's null is a found value."""

    MISSING = "missing"

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing.MISSING


@dataclass(frozen=True, slots=True)
class IndexVariable:
    """An index that a variable holds: the `$i` of `files[$i]`."""

    name: str


Stage = str | int | IndexVariable


@dataclass(frozen=True, slots=True)
class Reference:
    """A head (a root name, or a variable) and the fields and indexes that follow it."""

    head: str
    is_variable: bool
    stages: tuple[Stage, ...]


class NeedsEngine(enum.Enum):
    """Says that a path meets a list in its middle; JSONata then maps over it."""

    NEEDS_ENGINE = "needs engine"


NEEDS_ENGINE: Final = NeedsEngine.NEEDS_ENGINE


def follow(
    reference: Reference, scope: Mapping[str, Any], variables: Mapping[str, Any]
) -> Any | Literal[NeedsEngine.NEEDS_ENGINE, Missing.MISSING]:
    """Return the value itself (not a copy), MISSING, or NEEDS_ENGINE."""
    value = (variables if reference.is_variable else scope).get(reference.head, MISSING)
    for stage in reference.stages:
        if value is MISSING:
            return MISSING
        if isinstance(stage, str):
            if isinstance(value, list | tuple):
                return NEEDS_ENGINE
            value = value.get(stage, MISSING) if isinstance(value, Mapping) else MISSING
            continue
        index = variables.get(stage.name) if isinstance(stage, IndexVariable) else stage
        if not isinstance(index, int) or isinstance(index, bool):
            return NEEDS_ENGINE
        value = _element(value, index)
    return value


def _element(value: Any, index: int) -> Any:
    if not isinstance(value, list | tuple):
        return value if index in (0, -1) else MISSING  # a single value counts as a list of one
    return value[index] if -len(value) <= index < len(value) else MISSING
