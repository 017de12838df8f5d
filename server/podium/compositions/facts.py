"""What a composition is held against by its checker, and how a rule says what it found."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from podium.compositions.library import CompositionLibrary
from podium.compositions.places import Keys, Place, View, all_places, whole
from podium.domain.composition import (
    AskStep,
    Call,
    Composition,
    CompositionStep,
    Iterating,
    OutputMap,
    Step,
    StoredComposition,
    ToolStep,
    TransformStep,
    all_steps,
    bodies,
)
from podium.domain.errors import PodiumError
from podium.domain.findings import Severity
from podium.domain.tool import Effects, Tool
from podium.mapping.references import Reference

Tools = Mapping[tuple[str, str], Tool | PodiumError]
"""By (server, tool): the live definition, or why there is none."""
Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Issue:
    """Something that a rule found, and where in the file."""

    severity: Severity
    message: str
    keys: Keys
    hint: str = ""


def error(message: str, keys: Keys, hint: str = "") -> Issue:
    """Return what makes the composition unplayable, or is certainly not meant."""
    return Issue("error", message, keys, hint)


def warning(message: str, keys: Keys, hint: str = "") -> Issue:
    """Return what may be meant but deserves a thought."""
    return Issue("warning", message, keys, hint)


class Facts:
    """One composition and what is known round it."""

    def __init__(
        self,
        composition: Composition,
        *,
        tools: Tools | None,
        functions: Collection[str] | None,
        library: CompositionLibrary,
    ) -> None:
        self.composition = composition
        self.tools = tools
        self.functions = None if functions is None else frozenset(functions)
        self.library = library
        self.places: tuple[Place, ...] = tuple(all_places(whole(composition)))
        self.place_of = {place.step.id: place for place in self.places}
        self.mapped_in: dict[str, Place] = {}
        self.mapped_first: dict[tuple[Keys, str], Step] = {}
        for place in self.places:
            for name in place.step.output_mapping.values():
                self.mapped_in.setdefault(name, place)
                self.mapped_first.setdefault((place.keys[:-1], name), place.step)

    def tool(self, call: Call) -> Tool | PodiumError | None:
        """Return the live definition of a call's tool; None if tools are not looked at."""
        return (self.tools or {}).get((call.server_id, call.tool_id))

    def effects(self, step: ToolStep) -> Effects | None:
        """Return what a step says it does, else what its tool says; None if nobody says."""
        tool = self.tool(step)
        if step.effects is not None or not isinstance(tool, Tool):
            return step.effects
        hints = (tool.annotations.get("readOnlyHint"), tool.annotations.get("destructiveHint"))
        return tool.effects if any(isinstance(hint, bool) for hint in hints) else None

    def is_unsaid(self, step: ToolStep) -> bool:
        """Return whether neither the step nor its tool, which is known, says what it does."""
        return isinstance(self.tool(step), Tool) and self.effects(step) is None

    def played(self, step: CompositionStep) -> StoredComposition | None:
        """Return the composition that a step plays, if there is one."""
        try:
            return self.library.get(step.composition)
        except PodiumError:
            return None

    def is_played_by_another(self) -> bool:
        """Return whether another composition of the library has a step that plays this one."""
        return any(
            isinstance(step, CompositionStep) and step.composition == self.composition.id
            for stored in self.library.all()
            if stored.id != self.composition.id
            for step in all_steps(stored.composition.steps)
        )

    # --- what results look like

    def fields(self, step: Step) -> frozenset[str] | None:
        """Return the top-level fields that a step's result can have; None if unknown."""
        properties = (self.result_schema(step) or {}).get("properties")
        return frozenset(properties) if isinstance(properties, dict) else None

    def result_schema(self, step: Step) -> Schema | None:
        """Return a JSON Schema that a step's result fits, as far as one is known."""
        if isinstance(step, Iterating) and step.iterations is not None:
            return {"type": "array"}
        match step:
            case ToolStep():
                tool = None if step.alternatives else self.tool(step)
                return tool.output_schema if isinstance(tool, Tool) else None
            case CompositionStep():
                played = self.played(step)
                return played.composition.output_schema if played else None
            case TransformStep():
                return _object_of(step.transform)
            case AskStep():
                return step.answer_schema
            case _ if step.output is not None:
                return _object_of(step.output)
            case _:
                inner = [each for key, body in bodies(step) if key != "finally" for each in body]
                return {
                    "type": "object",
                    "properties": {each.id: self.result_schema(each) or {} for each in inner},
                }

    def schema_at(self, reference: Reference, view: View) -> Schema | None:
        """Return what the schemas say about a plain reference such as `list.files`."""
        if reference.is_variable or reference.head in view.bound or reference.head in view.mapped:
            return None
        if (step := view.steps.get(reference.head)) is not None:
            schema = self.result_schema(step)
        else:
            schema = _property(self.composition.input_schema, reference.head)
        for stage in reference.stages:
            if schema is None or _types(schema) != {"object"} or not isinstance(stage, str):
                return None
            schema = _property(schema, stage)
        return schema


def is_object(schema: Schema | None) -> bool:
    """Return whether a schema promises an object."""
    return schema is not None and _types(schema) == {"object"}


def lists_in(schema: Schema | None) -> list[str]:
    """Return the properties of a schema that are lists."""
    properties = (schema or {}).get("properties")
    if not isinstance(properties, dict):
        return []
    return [name for name, part in properties.items() if "array" in _types(part)]


def _object_of(output: OutputMap) -> Schema | None:
    if isinstance(output, str):
        return None
    return {"type": "object", "properties": {name: {} for name in output}}


def _property(schema: Any, name: str) -> Schema | None:
    properties = schema.get("properties") if isinstance(schema, dict) else None
    part = properties.get(name) if isinstance(properties, dict) else None
    return part if isinstance(part, dict) else None


def _types(schema: Any) -> set[str]:
    types = schema.get("type") if isinstance(schema, dict) else None
    return set(types) if isinstance(types, list) else {types} if isinstance(types, str) else set()
