"""The params of a pattern: which group, slot, or constant each one takes."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

_REFERENCE = re.compile(r"\$(?:(?P<number>\d{1,3})|(?P<name>[^\W\d]\w*))")


@dataclass(frozen=True, slots=True)
class Group:
    """A group of the regex, by number or by name, or a slot by its name."""

    key: int | str


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that does not depend on the request."""

    value: Any


ParamSource = Group | Constant


def read_params(params: Mapping[str, Any]) -> dict[str, ParamSource]:
    """Read the `params` of a pattern file."""
    return {name: _source(value) for name, value in params.items()}


def _source(value: Any) -> ParamSource:
    if not isinstance(value, str):
        return Constant(value)
    if value.startswith("$$"):
        return Constant(value[1:])
    if (reference := _REFERENCE.fullmatch(value)) is None:
        return Constant(value)
    number = reference["number"]
    return Group(reference["name"] if number is None else int(number))


def unknown_groups(
    params: Mapping[str, ParamSource], known: Collection[int | str]
) -> dict[str, str]:
    """Return the params that refer to a group or slot that is not known, as written."""
    return {
        name: f"${source.key}"
        for name, source in params.items()
        if isinstance(source, Group) and source.key != 0 and source.key not in known
    }


def params_of(name: str, params: Mapping[str, ParamSource]) -> list[str]:
    """Return the params that take a slot: that of its name, and those that refer to it."""
    own = [] if name in params else [name]
    return own + [
        param
        for param, source in params.items()
        if isinstance(source, Group) and source.key == name
    ]


def fill_params(
    params: Mapping[str, ParamSource], groups: Mapping[int | str, Any]
) -> dict[str, Any]:
    """Return the params of a match; `groups` holds what took part, by number and name."""
    named = {name: value for name, value in groups.items() if isinstance(name, str)}
    values: dict[str, Any] = {name: value for name, value in named.items() if name not in params}
    for name, source in params.items():
        if isinstance(source, Constant):
            values[name] = source.value
        elif source.key in groups:
            values[name] = groups[source.key]
    return values
