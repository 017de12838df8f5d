"""Compositions as their files say it, and the plan that is made of one before it is played."""

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from podium.domain.tool import Effects

CompositionStatus = Literal["template", "learning", "validated", "deprecated"]
Strategy = Literal["serial", "parallel_limited", "parallel_full"]
STEP_ID = r"^[A-Za-z_][A-Za-z0-9_]*$"
ITERATION_VARIABLES = frozenset({"item", "index", "i"})

OutputMap = str | dict[str, str]


class FileModel(BaseModel):
    """Base of everything a person writes by hand: frozen, and an unknown key is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    comment_: str | list[str] | None = Field(
        None, alias="$comment", description="A note for people; Podium does not read it."
    )


class ToolStep(FileModel):
    """One tool call, or one call per element of a list."""

    id: str = Field(
        pattern=STEP_ID,
        max_length=64,
        description="Name of the step; expressions read its result under it.",
    )
    description: str = Field("", description="For people; Podium does not read it.")
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
    output_mapping: dict[str, str] = Field(
        default_factory=dict,
        description="Field of the result (or expression over it) -> name for later steps.",
    )
    iterations: str | None = Field(
        None,
        description="Expression that yields a list: the tool is called once per element. "
        "In the step's expressions `[i]`, `$item`, `$index` and the name given by `as` are bound.",
    )
    as_: str | None = Field(
        None,
        alias="as",
        pattern=STEP_ID,
        description="Name of the element in expressions: `as: file` -> `$file`.",
    )
    when: str | None = Field(
        None, description="Expression; the step is skipped when it is false or finds nothing."
    )
    depends_on: tuple[str, ...] = Field(
        (), description="Steps to wait for, beyond those the expressions read."
    )
    timeout_seconds: float | None = Field(
        None, gt=0, le=86_400, description="Time for all attempts of this step."
    )
    effects: Effects | None = Field(
        None,
        description="What the call does to the world; else the tool's annotations decide.",
    )


class CompositionExample(FileModel):
    """Params that fit the composition's input schema; `podium check` tries them."""

    params: dict[str, Any] = Field(default_factory=dict)
    request: str | None = Field(None, description="What a person would say for it.")


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
    steps: tuple[ToolStep, ...] = Field(min_length=1)
    output: OutputMap | None = Field(
        None,
        description="Expression, or names with expressions. A field `message` is what people read. "
        "Without it the result is every step's result under its id.",
    )
    strategy: Strategy | None = Field(
        None, description="How many calls may run at once: 1, 2 or 4."
    )
    timeout_seconds: float | None = Field(
        None, gt=0, le=86_400, description="Time for the whole execution."
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


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step with what it waits for and where its merged fields come from.

    `field_sources` maps a bare name to the earlier steps that may hold it as a top-level field of
    their result, latest in the file first.
    """

    step: ToolStep
    depends_on: frozenset[str]
    field_sources: dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Plan:
    """A composition that passed the checker, ready to be played."""

    composition: Composition
    steps: tuple[PlannedStep, ...]
    output_field_sources: dict[str, tuple[str, ...]]
    required_params: frozenset[str]
