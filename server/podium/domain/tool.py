"""Tools of upstreams as Podium sees them, their results, and the state of each upstream."""

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from podium.domain.breaker import Circuit

Effects = Literal["read", "write", "destructive"]
MAX_DEPTH = 100  # levels of a result that expressions see; a deeper one is text to them
UpstreamState = Literal["disabled", "idle", "starting", "ready", "asleep", "failed", "closed"]


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool of one upstream.

    `definition` is the JSON as it came, nothing dropped but characters that nobody can see.
    """

    server_id: str
    name: str
    description: str = ""
    input_schema: dict[str, Any] = field(default_factory=lambda: {"type": "object"})
    output_schema: dict[str, Any] | None = None
    annotations: dict[str, Any] = field(default_factory=dict)
    definition: dict[str, Any] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        """The name as people write it: `server.tool`."""
        return f"{self.server_id}.{self.name}"

    @property
    def effects(self) -> Effects:
        """What calling it does to the world, from its annotations; `write` when it says nothing."""
        if self.annotations.get("readOnlyHint") is True:
            return "read"
        # destructiveHint defaults to true, but a tool that says nothing is only unknown.
        return "destructive" if self.annotations.get("destructiveHint") is True else "write"

    @property
    def is_idempotent(self) -> bool:
        """Whether the tool says that a second call with the same arguments changes nothing more."""
        return self.annotations.get("idempotentHint") is True


@dataclass(frozen=True, slots=True)
class QuarantinedTool:
    """A tool that an upstream listed but whose definition cannot be used, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class HeldTool:
    """A tool that is held back: its definition is not the accepted one, or none is on record.

    `changes` says in a few lines what is different. `definition` is the one that could be accepted
    in place of the one on record; None where that is not known.
    """

    name: str
    reason: str
    changes: tuple[str, ...] = ()
    definition: dict[str, Any] | None = field(default=None, repr=False)
    on_record: dict[str, Any] | None = field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the public form."""
        return {"name": self.name, "reason": self.reason, "changes": list(self.changes)}


@dataclass(frozen=True, slots=True)
class Pin:
    """What is on record of an accepted definition: its hash, and itself unless it is too long."""

    sha256: str
    definition: dict[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool call returned, as it came: content blocks, structured content, the error flag."""

    content: tuple[dict[str, Any], ...] = ()
    structured: Any = None
    has_structured: bool = False
    is_error: bool = False

    @property
    def text(self) -> str:
        """All text blocks, joined by newlines."""
        return "\n".join(
            block["text"]
            for block in self.content
            if block.get("type") == "text" and isinstance(block.get("text"), str)
        )

    def value(self) -> Any:
        """Return what expressions see.

        `structuredContent` if there is any; else a lone text block that parses to an object or an
        array; else `{"text": ...}`.
        """
        if self.has_structured and not is_deeper(self.structured, MAX_DEPTH):
            return self.structured
        if len(self.content) == 1 and self.content[0].get("type") == "text":
            parsed = _parse_container(self.text)
            if parsed is not None:
                return parsed
        return {"text": self.text}


def _parse_container(text: str) -> Any:
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:  # not orjson: it makes doubles of integers beyond 64 bits
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        return None
    return None if is_deeper(value, MAX_DEPTH) else value


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _refuse(digits)


def is_deeper(value: Any, levels: int) -> bool:
    """Return whether a JSON value is nested deeper than so many levels."""
    layer = [value]
    for _ in range(levels):
        layer = [
            part
            for outer in layer
            if isinstance(outer, dict | list)
            for part in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not layer:
            return False
    return any(isinstance(part, dict | list) for part in layer)


@dataclass(frozen=True, slots=True)
class ToolMatch:
    """A tool found by a search, with its score (higher is better)."""

    tool: Tool
    score: float


@dataclass(frozen=True, slots=True)
class Noise:
    """What an upstream said that nobody waits for, since Podium knows it; all of it was dropped."""

    ignored_lines: int = 0
    dropped_notifications: int = 0
    stderr_bytes: int = 0

    def __add__(self, other: "Noise") -> "Noise":
        return Noise(
            self.ignored_lines + other.ignored_lines,
            self.dropped_notifications + other.dropped_notifications,
            self.stderr_bytes + other.stderr_bytes,
        )


@dataclass(frozen=True, slots=True)
class UpstreamStatus:
    """How one upstream is doing; `reason` says why it is not ready, `era` its revision.

    `circuit` tells whether calls are let through; an open one lets the next through as a probe in
    `probe_in_seconds`. `held` are the tools that are held back until a person accepts them,
    `warnings` what is odd about the others.
    """

    server_id: str
    state: UpstreamState
    reason: str = ""
    era: str | None = None
    tools: int = 0
    quarantined: tuple[QuarantinedTool, ...] = ()
    started_in_ms: float | None = None
    restarts: int = 0
    target: str = ""
    circuit: Circuit = "closed"
    failures_in_a_row: int = 0
    probe_in_seconds: float | None = None
    noise: Noise = field(default_factory=Noise)
    held: tuple[HeldTool, ...] = ()
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the public form of an upstream's status."""
        return {
            "server_id": self.server_id,
            "state": self.state,
            "reason": self.reason,
            "era": self.era,
            "tools": self.tools,
            "quarantined": [
                {"name": tool.name, "reason": tool.reason} for tool in self.quarantined
            ],
            "started_in_ms": self.started_in_ms,
            "restarts": self.restarts,
            "target": self.target,
            "circuit": self.circuit,
            "failures_in_a_row": self.failures_in_a_row,
            "probe_in_seconds": self.probe_in_seconds,
            "noise": asdict(self.noise),
            "held": [tool.to_dict() for tool in self.held],
            "warnings": list(self.warnings),
        }
