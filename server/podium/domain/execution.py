"""One run of a composition: the record of each step, and the events a watcher sees."""

from dataclasses import dataclass, field
from typing import Any, Literal

from podium.domain.tool import Effects

AskKind = Literal["param", "choice", "confirm", "ask"]
StepStatus = Literal[
    "running", "done", "failed", "skipped", "cancelled", "in_doubt", "waiting", "undone"
]
"""`waiting`: for a person's answer. `undone`: it was done, and its `undo` took it back."""
ExecutionStatus = Literal["running", "success", "error", "cancelled", "needs_input"]


CONFIRM = "confirm-"
"""How the id of a question begins that asks whether a plan may be played; no step is called so."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a person is asked before an execution goes on.

    `id` is the key of the answer in `resume_execution(execution_id, {id: answer})`: the path of an
    `ask` step, the name of a param, the path of a step in doubt, or one that begins with
    `CONFIRM`. `schema` is what the answer must fit.
    """

    id: str
    kind: AskKind
    message: str
    schema: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the public form, as replies show it."""
        return {"id": self.id, "kind": self.kind, "message": self.message, "schema": self.schema}


@dataclass(slots=True)
class StepRecord:
    """What happened to one step; times are seconds since the epoch, durations milliseconds.

    `step_id` is the step's path: `sw.notify` is a step inside block `sw`, `loop[3].ask` one in its
    fourth round. `kind` is the key that makes the step what it is (`domain.composition.STEP_KINDS`;
    "undo" for the call that takes a step back). `is_cached`: the result is that of an earlier call.
    """

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
    kind: str = "tool_id"
    is_cached: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the public form, with inputs and output."""
        return {
            "step_id": self.step_id,
            "kind": self.kind.replace("tool_id", "tool"),
            "tool": f"{self.server_id}.{self.tool_id}" if self.tool_id else None,
            "status": self.status,
            "attempts": self.attempts,
            "cached": self.is_cached,
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
    """One run. `result` is the evaluated output; if it failed, the finished steps' results.

    `steps` holds the composition's own steps and those of blocks that are played once, by path;
    rounds are in the journal. `question` is set while it needs input, `went_without` are the paths
    of failed steps it went on without, `wrote` those of calls that changed something and were not
    undone, `in_doubt` those of writes whose outcome nobody knows; these three hold rounds too.
    `is_resumable` says that `resume_execution` can play on, `timeline` are its events, bounded:
    `{"ms", "event", "step", "note"}` each, `ms` from the start.
    """

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
    question: Question | None = None
    went_without: tuple[str, ...] = ()
    wrote: tuple[str, ...] = ()
    in_doubt: tuple[str, ...] = ()
    is_resumable: bool = False
    timeline: list[dict[str, Any]] = field(default_factory=list)

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
            "question": self.question.to_dict() if self.question else None,
            "went_without": list(self.went_without),
            "resumable": self.is_resumable,
            "steps": [step.to_dict() for step in self.steps.values()],
            "timeline": self.timeline,
        }


EventKind = Literal[
    "execution_started",
    "step_started",
    "step_progress",
    "step_retried",
    "step_cached",
    "step_waiting",
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


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All that is needed to play an unfinished execution on, with exact values.

    `composition` is the file's content as it was played; `outcomes` maps the path of each finished
    step to `{"status", "value", "blocks", "mapped"}` (status done, skipped, or failed where the
    failure was handled; `has_value` is false where nothing stands in for its result). `choices`
    maps the path of a block to what it had decided (the case of a switch, the error that a try has
    caught, the rounds of a repeat), and `<path>.undo` to the call that would undo a step. `answers`
    maps paths of `ask` steps to answers; `in_doubt` are writes whose outcome nobody knows;
    `spent_seconds` of the execution's time were used.
    """

    execution: Execution
    composition: dict[str, Any]
    context: dict[str, Any]
    outcomes: dict[str, dict[str, Any]] = field(default_factory=dict)
    choices: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)
    in_doubt: tuple[str, ...] = ()
    spent_seconds: float = 0.0
