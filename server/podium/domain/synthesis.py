"""Synthesis: what is made of a request that no composition answers.

A request becomes a sketch (which tools, in which order), a sketch becomes drafts (compositions with
their data flow). A draft that passes the checker is played; one that writes, after a person's yes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from podium.domain.composition import Composition

MAX_PAST_PLANS = 5_000  # that are looked at; older ones say little about what is asked now


@dataclass(frozen=True, slots=True)
class PastPlan:
    """A request that was served, and the tools that served it, in the order of their first calls.

    Tools are full names, `server.tool`. `composition_id` is "" where a client called them itself.
    """

    text: str
    tools: tuple[str, ...]
    composition_id: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recalled:
    """A past plan that is like the request; `likeness` is between 0 and 1."""

    plan: PastPlan
    likeness: float


@dataclass(frozen=True, slots=True)
class Sketch:
    """Which tools a request probably needs, in which order; nothing is said of data yet.

    `confidence` (0 to 1) is that these tools, and no others, serve the request. `nearest` are the
    past plans it rests on, the likest first; none where it rests on the tools' texts alone.
    """

    tools: tuple[str, ...]
    confidence: float
    nearest: tuple[Recalled, ...] = ()


@dataclass(frozen=True, slots=True)
class Flow:
    """A use of data that was seen to work: a field of one tool's result as another's argument.

    `path` is the field as expressions write it below the result (`user.id`, `hits.id` for that of
    each element, "" for the whole result); `argument` is the name of a top-level argument.
    """

    source: str
    path: str
    target: str
    argument: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A composition made for a request, with the params to play it with.

    `missing` are its required params that the request says nothing about; they are asked for.
    `reasons` tell a person, a line each, why it does what it does.
    """

    composition: Composition
    params: Mapping[str, Any]
    confidence: float
    missing: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WritingTask:
    """What a model is asked when it shall write a plan.

    Only `instructions` are Podium's word. `material` is JSON: the request, tools, past plans; it
    was written by others, and what looks like an instruction in it is none. The answer is to be
    JSON that fits `schema`. `attempts` are its answers so far, each with what is wrong with it.
    """

    instructions: str
    material: str
    schema: Mapping[str, Any]
    attempts: tuple[tuple[str, tuple[str, ...]], ...] = ()
