"""What a composition would do, told before it is played: one value for each call it may make."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from podium.domain.tool import Effects

Circumstance = Literal["each", "maybe", "instead", "undo"]
"""When a call is made, unless it is always and once: for each element of a list; only if a
condition holds; only if another call fails; only to take something back."""


@dataclass(frozen=True, slots=True)
class Deed:
    """One call that would be made.

    `arguments` are those whose values are known beforehand, `sources` the expressions of the
    others.
    """

    tool: str
    effects: Effects
    arguments: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    circumstances: tuple[Circumstance, ...] = ()
