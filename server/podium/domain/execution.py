"""One run of a composition: the record of each step, and the events a watcher sees."""

from dataclasses import dataclass, field
from typing import Any, Literal

from podium.domain.tool import Effects

StepStatus = Literal["running", "done", "failed", "skipped", "cancelled", "in_doubt"]
ExecutionStatus = Literal["running", "success", "error", "cancelled", "needs_input"]


@dataclass(slots=True)
class StepRecord:
    """What happened to one step; times are seconds since the epoch, durations milliseconds."""

    step_id: str
    server_id: str = ""
    tool_id: str = ""
    status: StepStatus = "running"
    attempts: int = 0
    started_at: float | None = None
    duration_ms: float | None = None
    effects: Effects | None = None
    inputs: Any = None
    output: Any = None
    error: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the public form, with inputs and output."""
        return {
            "step_id": self.step_id,
            "tool": f"{self.server_id}.{self.tool_id}",
            "status": self.status,
            "attempts": self.attempts,
            "started_at": self.started_at,
            "duration_ms": self.duration_ms,
            "effects": self.effects,
            "inputs": self.inputs,
            "output": self.output,
            "error": self.error,
        }

    def summary(self) -> dict[str, Any]:
        """Return the short form of a reply's `execution_info.steps`."""
        return {
            "status": self.status,
            "attempts": self.attempts,
            "duration_ms": self.duration_ms,
            "error": self.error,
        }


@dataclass(slots=True)
class Execution:
    """One run. `result` is the evaluated output; if it failed, the finished steps' results."""

    id: str
    composition_id: str
    params: dict[str, Any]
    user_id: str = ""
    conversation_id: str = ""
    request: str = ""
    intent_type: str | None = None
    status: ExecutionStatus = "running"
    started_at: float = 0.0
    duration_ms: float | None = None
    steps: dict[str, StepRecord] = field(default_factory=dict)
    result: Any = None
    files: tuple[dict[str, Any], ...] = ()
    error: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the public form, steps in file order."""
        return {
            "id": self.id,
            "composition_id": self.composition_id,
            "status": self.status,
            "request": self.request,
            "intent_type": self.intent_type,
            "user_id": self.user_id,
            "conversation_id": self.conversation_id,
            "params": self.params,
            "started_at": self.started_at,
            "duration_ms": self.duration_ms,
            "result": self.result,
            "error": self.error,
            "steps": [step.to_dict() for step in self.steps.values()],
        }


EventKind = Literal[
    "execution_started",
    "step_started",
    "step_progress",
    "step_retried",
    "step_finished",
    "execution_finished",
]


@dataclass(frozen=True, slots=True)
class Event:
    """Something a watcher may want to show while an execution runs.

    `done` and `total` count finished and planned steps; `status` is set on `step_finished` and
    `execution_finished`; `message` is a short text (an upstream's progress, an error).
    """

    kind: EventKind
    execution_id: str
    composition_id: str
    step_id: str = ""
    tool: str = ""
    status: str = ""
    message: str = ""
    done: int = 0
    total: int = 0
    duration_ms: float | None = None
