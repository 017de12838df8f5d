"""Compositions as their files say it, and the plan that is made of one before it is played."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from podium.domain.execution import AskKind, Question
from podium.domain.naming import nearest
from podium.domain.tool import Effects

CompositionStatus = Literal["template", "learning", "validated", "deprecated"]
Strategy = Literal["serial", "parallel_limited", "parallel_full", "auto"]
Priority = Literal["high", "low"]
STEP_ID = r"^[A-Za-z_][A-Za-z0-9_]*$"
ITERATION_VARIABLES = frozenset({"item", "index", "i"})
REPEAT_VARIABLES = frozenset({"index", "i", "previous"})
CATCH_VARIABLES = frozenset({"error"})

OutputMap = str | dict[str, str]


class FileModel(BaseModel):
    """Base of everything a person writes by hand: frozen, and an unknown key is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    comment_: str | list[str] | None = Field(
        None, alias="$comment", description="A note for people; Podium does not read it."
    )


# --- parts of steps


class Retry(FileModel):
    """When and how often a failed call is made again, within the step's time."""

    attempts: int = Field(3, ge=1, le=20, description="Calls in all, the first one included.")
    first_seconds: float = Field(
        0.1, ge=0, le=600, description="Longest wait before the second attempt; it then doubles."
    )
    longest_seconds: float = Field(5.0, ge=0, le=600, description="The wait never gets longer.")
    codes: tuple[str, ...] = Field(
        (), description="Only after these error codes; none: after whatever may pass by itself."
    )
    writes: bool = Field(
        default=False,
        description="true: also a call that may change something, even if it may have been done.",
    )


class CacheRule(FileModel):
    """How long the result of a read may be used again."""

    ttl_seconds: float = Field(gt=0, le=31_536_000, description="Age at which it is forgotten.")


class Default(FileModel):
    """What stands in for the result of a step that failed."""

    default: Any


OnError = Literal["fail", "continue"] | Default


class Call(FileModel):
    """One tool and where its arguments come from."""

    server_id: str = Field(
        min_length=1, description="The upstream, as `mcpServers` in config.yaml names it."
    )
    tool_id: str = Field(min_length=1, description="The tool of that upstream.")
    input_mapping: dict[str, str] = Field(
        default_factory=dict,
        description="Tool argument -> JSONata expression over params and earlier steps.",
    )
    arguments: dict[str, Any] = Field(
        default_factory=dict, description="Tool argument -> literal JSON value."
    )


class Alternative(Call):
    """A tool to call when the step's own has failed for good; effects as for the step's own."""

    effects: Effects | None = Field(None, description="Else the tool's annotations decide.")


class Undo(Call):
    """What takes the step's effect back; its expressions may read the step's own result."""


# --- steps


class StepBase(FileModel):
    """What every kind of step has."""

    @model_validator(mode="before")
    @classmethod
    def _is_of_one_kind(cls, value: Any) -> Any:
        return _of_one_kind(value) if isinstance(value, dict) else value

    id: str = Field(
        pattern=STEP_ID,
        max_length=64,
        description="Name of the step; expressions read its result under it.",
    )
    description: str = Field("", description="For people; Podium does not read it.")
    when: str | None = Field(
        None, description="Expression; the step is skipped when it is false or finds nothing."
    )
    depends_on: tuple[str, ...] = Field(
        (), description="Steps to wait for, beyond those the expressions read."
    )
    output_mapping: dict[str, str] = Field(
        default_factory=dict,
        description="Field of the result (or expression over it) -> name for later steps.",
    )
    timeout_seconds: float | None = Field(
        None, gt=0, le=86_400, description="Time for the whole step, all attempts included."
    )
    on_error: OnError = Field(
        "fail",
        description="fail: the composition fails; continue: it goes on without the result; "
        '{"default": value}: it goes on with that value.',
    )
    required: bool = Field(
        default=True,
        description="false: the composition succeeds without it (as `on_error: continue`).",
    )


class Iterating(FileModel):
    """What a step has that can be played once per element of a list."""

    iterations: str | None = Field(
        None,
        description="Expression that yields a list: the step is played once per element. "
        "In the step's expressions `[i]`, `$item`, `$index` and the name given by `as` are bound.",
    )
    as_: str | None = Field(
        None,
        alias="as",
        pattern=STEP_ID,
        description="Name of the element in expressions: `as: file` -> `$file`.",
    )
    concurrency: int | None = Field(
        None, ge=1, le=1_000, description="Rounds at once; it can only lower the strategy's limit."
    )
    tolerated_failures: int = Field(
        0, ge=0, description="Rounds that may fail; each leaves null in its place."
    )


class ToolStep(Call, Iterating, StepBase):
    """One tool call, or one call per element of a list."""

    effects: Effects | None = Field(
        None,
        description="What the call does to the world; else the tool's annotations decide.",
    )
    attempt_timeout_seconds: float | None = Field(
        None, gt=0, le=86_400, description="Time for one attempt."
    )
    retry: Retry | None = Field(
        None, description="When a failed call is made again; else `max_retries` of config.yaml."
    )
    cache: bool | CacheRule | None = Field(
        None,
        description="Use the result of an equal read again: for so long, or (true) as long as "
        "config.yaml says; false: never.",
    )
    alternatives: tuple[Alternative, ...] = Field(
        (), max_length=8, description="Tried in order when the call has failed for good."
    )
    undo: Undo | None = Field(
        None, description="Played when a later step fails and the composition says `undo: true`."
    )
    priority: Priority | None = Field(
        None, description="high: before others when calls wait for a free worker; low: after them."
    )
    primary: bool = Field(default=False, description="true: before all others.")


class TransformStep(StepBase):
    """A value computed from others, without a call."""

    transform: OutputMap = Field(description="Expression, or names with expressions.")


class AskStep(StepBase):
    """A question to the person; its result is the answer."""

    ask: str = Field(description="Expression that yields the text of the question.")
    kind: AskKind = Field("ask", description="How a client may show it.")
    options: str | None = Field(
        None, description="Expression that yields the possible answers, for `kind: choice`."
    )
    answer_schema: dict[str, Any] | None = Field(
        None, description="JSON Schema of the answer; default: a text (confirm: true or false)."
    )


class CompositionStep(Iterating, StepBase):
    """Another composition, played with params of its own."""

    composition: str = Field(min_length=1, description="Its id.")
    input_mapping: dict[str, str] = Field(
        default_factory=dict, description="Param of that composition -> expression."
    )
    arguments: dict[str, Any] = Field(
        default_factory=dict, description="Param of that composition -> literal JSON value."
    )


class GroupStep(Iterating, StepBase):
    """Steps of their own, played once, or once per element of a list."""

    steps: tuple["Step", ...] = Field(min_length=1, description="They see each other's results.")
    output: OutputMap | None = Field(
        None, description="The result (of each round); else every step's result under its id."
    )


class Case(FileModel):
    """One case of a `switch`."""

    when: str = Field(description="Expression; the first case for which it is true is played.")
    steps: tuple["Step", ...] = ()


class SwitchStep(StepBase):
    """The steps of the first case that fits; no case and no default: an empty result."""

    switch: tuple[Case, ...] = Field(min_length=1)
    default: tuple["Step", ...] = Field((), description="Played when no case fits.")
    output: OutputMap | None = Field(None, description="The result; else as for `steps`.")


class ParallelStep(StepBase):
    """Steps that do not see each other, started together."""

    parallel: tuple["Step", ...] = Field(
        min_length=1, description="A branch of several steps is a step with `steps`."
    )
    join: Literal["all", "any"] | Annotated[int, Field(ge=1)] = Field(
        "all",
        description="How many must be done; the others are then cancelled. With any or a number, "
        "branches may fail as long as enough are left.",
    )
    output: OutputMap | None = Field(None, description="The result; else as for `steps`.")


class RepeatStep(StepBase):
    """Steps played again and again; the result is that of the last round.

    `$index` counts the rounds from 0, `$previous` is the result of the round before.
    """

    repeat: tuple["Step", ...] = Field(min_length=1)
    until: str = Field(description="Expression over the round's results: true ends it.")
    max: int = Field(
        10, ge=1, le=100_000, description="Rounds after which it fails with `limit_exceeded`."
    )
    interval_seconds: float = Field(0, ge=0, le=3_600, description="Wait between two rounds.")
    output: OutputMap | None = Field(None, description="A round's result; else as for `steps`.")


class Catch(FileModel):
    """What is played when the steps of a `try` have failed; `$error` holds code and message."""

    codes: tuple[str, ...] = Field((), description="Only for these error codes; none: for any.")
    steps: tuple["Step", ...] = ()


class TryStep(StepBase):
    """Steps whose failure is handled."""

    try_: tuple["Step", ...] = Field(alias="try", min_length=1)
    catch: tuple[Catch, ...] = Field((), description="The first that names the error's code.")
    finally_: tuple["Step", ...] = Field(
        (), alias="finally", description="Played in the end, whatever happened; not when cancelled."
    )
    output: OutputMap | None = Field(None, description="The result; else as for `steps`.")


STEP_KINDS: dict[str, type[StepBase]] = {
    "tool_id": ToolStep,
    "composition": CompositionStep,
    "transform": TransformStep,
    "ask": AskStep,
    "switch": SwitchStep,
    "parallel": ParallelStep,
    "repeat": RepeatStep,
    "try": TryStep,
    "steps": GroupStep,
}
"""The key that makes a step what it is, and its model. Without any it is read as a tool step."""


_ALIASED = {"try_": "try"}


def _of_one_kind(value: dict[str, Any]) -> dict[str, Any]:
    """Return a step's keys unless they make it several things, or none.

    Raises:
        PydanticCustomError: they do.

    """
    kinds = [key for key in STEP_KINDS if key in {_ALIASED.get(key, key) for key in value}]
    if len(kinds) > 1:
        named = " and ".join(f"'{key}'" for key in kinds)
        message, hint = f"a step is one thing, this has {named}", "make steps of their own of them"
    elif not kinds and "server_id" not in value:
        message = f"a step needs one of {', '.join(STEP_KINDS)}"
        guesses = [nearest(key, STEP_KINDS) for key in value if key not in StepBase.model_fields]
        hint = next((f"did you mean '{guess}'?" for guess in guesses if guess), "")
    else:
        return value
    raise PydanticCustomError("step_kind", "{message}", {"message": message, "hint": hint})


def _kind(value: Any) -> str:
    if isinstance(value, StepBase):
        return next(key for key, model in STEP_KINDS.items() if isinstance(value, model))
    keys = value if isinstance(value, dict) else ()
    return next((key for key in STEP_KINDS if key in keys), "tool_id")


Step = Annotated[
    Annotated[ToolStep, Tag("tool_id")]
    | Annotated[CompositionStep, Tag("composition")]
    | Annotated[TransformStep, Tag("transform")]
    | Annotated[AskStep, Tag("ask")]
    | Annotated[SwitchStep, Tag("switch")]
    | Annotated[ParallelStep, Tag("parallel")]
    | Annotated[RepeatStep, Tag("repeat")]
    | Annotated[TryStep, Tag("try")]
    | Annotated[GroupStep, Tag("steps")],
    Discriminator(_kind),
]

BlockStep = GroupStep | SwitchStep | ParallelStep | RepeatStep | TryStep

for _model in (GroupStep, Case, SwitchStep, ParallelStep, RepeatStep, Catch, TryStep):
    _model.model_rebuild()


def bodies(step: Step) -> Iterator[tuple[str, tuple[Step, ...]]]:
    """Yield the nested lists of steps of a block, each with its key path in the file."""
    match step:
        case GroupStep():
            yield "steps", step.steps
        case SwitchStep():
            for number, case in enumerate(step.switch):
                yield f"switch[{number}].steps", case.steps
            yield "default", step.default
        case ParallelStep():
            yield "parallel", step.parallel
        case RepeatStep():
            yield "repeat", step.repeat
        case TryStep():
            yield "try", step.try_
            for number, catch in enumerate(step.catch):
                yield f"catch[{number}].steps", catch.steps
            yield "finally", step.finally_
        case _:  # a leaf
            pass


def all_steps(steps: tuple[Step, ...]) -> Iterator[Step]:
    """Yield steps and those nested in them, each before its own."""
    for step in steps:
        yield step
        for _, body in bodies(step):
            yield from all_steps(body)


def all_calls(steps: tuple[Step, ...]) -> Iterator[Call]:
    """Yield every call that steps may make: their own, alternatives and `undo`, nested ones too."""
    for step in all_steps(steps):
        if isinstance(step, ToolStep):
            yield step
            yield from step.alternatives
            if step.undo is not None:
                yield step.undo


# --- compositions


OPEN_PARAM = re.compile(r"\{(?P<name>[^{}\s:]{1,100})(?::(?P<kind>[a-z]{1,20}))?\}")


class CompositionExample(FileModel):
    """Params that fit the composition's input schema; `podium check` tries them."""

    params: dict[str, Any] = Field(default_factory=dict)
    request: str | None = Field(
        None,
        description="What a person would say for it; `{param}` may stand for the value of a param, "
        "`{param:file}` for one of that kind (quoted, url, email, path, file, time, number).",
    )

    @property
    def open_params(self) -> tuple[str, ...]:
        """The params whose values the request leaves open."""
        return tuple(found["name"] for found in OPEN_PARAM.finditer(self.request or ""))


class Composition(FileModel):
    """A graph of steps with an input schema and an output mapping."""

    schema_: str | None = Field(
        None, alias="$schema", description="For editors; Podium does not read it."
    )
    id: str = Field(
        pattern=r"^[A-Za-z0-9_-]+$",
        max_length=64,
        description="Unique id; also the name of its MCP tool.",
    )
    name: str = Field("", description="Title for people.")
    description: str = Field("", description="What it does, in a sentence; clients show it.")
    intent_type: str | None = Field(
        None, description="The pattern name (intent) that this composition answers."
    )
    version: str | int | None = None
    input_schema: dict[str, Any] | None = Field(
        None, description="JSON Schema (2020-12) of the params."
    )
    output_schema: dict[str, Any] | None = Field(
        None, description="JSON Schema that the output must fit."
    )
    steps: tuple[Step, ...] = Field(min_length=1)
    output: OutputMap | None = Field(
        None,
        description="Expression, or names with expressions. A field `message` is what people read. "
        "Without it the result is every step's result under its id.",
    )
    strategy: Strategy | None = Field(
        None, description="How many calls may run at once: 1, 2, 4, or what is free (auto)."
    )
    timeout_seconds: float | None = Field(
        None, gt=0, le=86_400, description="Time for the whole execution."
    )
    undo: bool = Field(
        default=False,
        description="true: when a step fails, `undo` of those done before is played, last first.",
    )
    tool: bool = Field(default=False, description="Offer this template as an MCP tool of its own.")
    examples: tuple[CompositionExample, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredComposition:
    """A composition with where it came from. `order` is its place in file order."""

    composition: Composition
    status: CompositionStatus
    source: str
    order: int = 0

    @property
    def id(self) -> str:
        """The composition's id."""
        return self.composition.id


# --- plans


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step with what it waits for and where its merged fields come from.

    `depends_on` are steps of the same frame. `field_sources` maps a bare name to the earlier steps
    (of this frame or one around it) that may hold it as a top-level field of their result, latest
    in the file first. `params` are those that the step or anything inside it reads. `frames` are
    the bodies of a block by their key path, as `bodies` gives them.
    """

    step: Step
    depends_on: frozenset[str]
    field_sources: dict[str, tuple[str, ...]]
    params: frozenset[str] = frozenset()
    frames: dict[str, "Frame"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Frame:
    """Steps that see each other's results: those of a composition, or of one body of a block."""

    steps: tuple[PlannedStep, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A composition that passed the checker, ready to be played.

    `confirm` is asked before the first step; what is no yes plays nothing.
    """

    composition: Composition
    steps: tuple[PlannedStep, ...]
    output_field_sources: dict[str, tuple[str, ...]]
    required_params: frozenset[str]
    confirm: Question | None = None


def named_calls(composition: Composition) -> Iterator[str]:
    """Yield the tools and compositions that its steps call, in file order."""
    for step in all_steps(composition.steps):
        if isinstance(step, ToolStep):
            yield f"{step.server_id}.{step.tool_id}"
        elif isinstance(step, CompositionStep):
            yield step.composition
