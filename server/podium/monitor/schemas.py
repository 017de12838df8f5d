"""Results seen to the JSON Schema that fits them all, and to an alarm when one no longer does.

Nothing is inferred that a further result could easily contradict: no enums, no formats, no
lengths. `required` is what was present in every object seen at that place.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from podium.domain.tool import Tool
from podium.domain.trace import ShapeStore
from podium.domain.versions import definition_hash
from podium.mapping.coercion import schema_faults

MAX_DEPTH = 12  # levels of a result that are described
MAX_FIELDS = 200  # of one object; one with more is used as a map, its keys are data
MAX_PLACES = 2_000  # of one shape; the object that has no more room is used as a map
MAX_TOOLS = 5_000  # tools whose results are remembered
MAX_ELEMENTS = 200  # of one list that are looked at
ENOUGH = 5  # observations after which a result that does not fit is an alarm
SHOWN = 5  # faults of one alarm
REMEMBERED = 20  # further results, after which an alarm is no news any more

Schema = dict[str, Any]


@dataclass(slots=True)
class Room:
    """How many more places a shape may describe."""

    left: int


@dataclass(slots=True)
class Shape:
    """What was seen at one place of the results: a union, and it only ever grows."""

    count: int = 0
    types: dict[str, int] = field(default_factory=dict)
    objects: int = 0
    fields: dict[str, "Shape"] = field(default_factory=dict)
    is_map: bool = False
    items: "Shape | None" = None

    def add(self, value: Any, depth: int = 0, room: "Room | None" = None) -> None:
        """Take one value into account."""
        room = room or Room(MAX_PLACES - self.places())
        self.count += 1
        name = type_name(value)
        self.types[name] = self.types.get(name, 0) + 1
        if depth >= MAX_DEPTH:
            return
        if isinstance(value, dict):
            self._add_object(value, depth + 1, room)
        elif isinstance(value, list):
            self.items = self.items or Shape()
            for item in value[:MAX_ELEMENTS]:
                self.items.add(item, depth + 1, room)

    def places(self) -> int:
        """Return how many places are described."""
        inner = [*self.fields.values(), *([self.items] if self.items else [])]
        return 1 + sum(part.places() for part in inner)

    def _add_object(self, value: dict[str, Any], depth: int, room: "Room") -> None:
        self.objects += 1
        fresh = len(value.keys() - self.fields.keys())
        room.left -= fresh
        too_many = room.left < 0 or len(self.fields) + fresh > MAX_FIELDS
        self.is_map = self.is_map or too_many
        if self.is_map:
            self.fields.clear()
            return
        for key, item in value.items():
            self.fields.setdefault(str(key), Shape()).add(item, depth, room)

    def schema(self) -> Schema:
        """Return the JSON Schema that everything seen fits."""
        types = sorted(self.types)
        if "number" in types and "integer" in types:
            types.remove("integer")
        if not types:
            return {}
        made: Schema = {"type": types[0] if len(types) == 1 else types}
        if self.fields and not self.is_map:
            made["properties"] = {key: part.schema() for key, part in self.fields.items()}
            required = sorted(k for k, part in self.fields.items() if part.count == self.objects)
            if required:
                made["required"] = required
        if self.items is not None and self.items.count:
            made["items"] = self.items.schema()
        return made

    def to_dict(self) -> dict[str, Any]:
        """Return the shape as JSON, to be kept."""
        return {
            "count": self.count,
            "types": self.types,
            "objects": self.objects,
            "is_map": self.is_map,
            "fields": {key: part.to_dict() for key, part in self.fields.items()},
            "items": None if self.items is None else self.items.to_dict(),
        }

    @classmethod
    def from_dict(cls, data: Any, depth: int = 0) -> "Shape":
        """Return what `to_dict` wrote.

        Raises:
            ValueError: it is something else.

        """
        try:
            if depth > MAX_DEPTH + 1:
                raise ValueError("a shape is nested too deeply")
            fields = {k: cls.from_dict(part, depth + 1) for k, part in data["fields"].items()}
            items = None if data["items"] is None else cls.from_dict(data["items"], depth + 1)
            types = {str(name): int(count) for name, count in data["types"].items()}
            return cls(
                int(data["count"]), types, int(data["objects"]), fields, bool(data["is_map"]), items
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("it is no shape") from error


def type_name(value: Any) -> str:
    """Return the JSON Schema type of a value."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, float) and value.is_integer():
        return "integer"
    return next((name for kind, name in _TYPES if isinstance(value, kind)), "string")


_TYPES: tuple[tuple[Any, str], ...] = (
    (str, "string"), (int, "integer"), (float, "number"), (list, "array"), (dict, "object"),
    (type(None), "null"),
)  # fmt: skip


def schema_of(values: Iterable[Any]) -> Schema:
    """Return the JSON Schema that all these values fit."""
    shape = Shape()
    for value in values:
        shape.add(value)
    return shape.schema()


@dataclass(frozen=True, slots=True)
class Drift:
    """A result that does not fit what a tool has returned in so many calls before."""

    tool: str
    observations: int
    faults: tuple[str, ...]

    @property
    def message(self) -> str:
        """What happened, in a sentence for people."""
        shown = "; ".join(self.faults)
        return (
            f"{self.tool} returned something else than in {self.observations} calls before: {shown}"
        )


def observe(shape: Shape, tool: str, value: Any, *, enough: int = ENOUGH) -> Drift | None:
    """Take a result into account; return the alarm if it is unlike `enough` ones before it."""
    alarm = None
    if shape.count >= enough and (faults := schema_faults(value, shape.schema(), root="result")):
        alarm = Drift(tool, shape.count, tuple(map(str, faults[:SHOWN])))
    shape.add(value)
    return alarm


@dataclass(slots=True)
class _Known:
    definition: str
    shape: Shape
    drift: Drift | None = None  # the latest

    def to_dict(self) -> dict[str, Any]:
        drift = self.drift and {"after": self.drift.observations, "faults": self.drift.faults}
        return {**self.shape.to_dict(), "drift": drift}

    @classmethod
    def from_dict(cls, tool: str, definition: str, data: dict[str, Any]) -> "_Known":
        drift = data.get("drift")
        seen = drift and Drift(tool, int(drift["after"]), tuple(map(str, drift["faults"])))
        return cls(definition, Shape.from_dict(data), seen or None)


class ObservedSchemas:
    """What each tool has returned so far; for the checker, and for alarms.

    A tool whose definition changed begins anew. Call `load` once, and `flush` now and then.
    Results may be observed on any thread.
    """

    def __init__(self, store: ShapeStore, *, enough: int = ENOUGH) -> None:
        self._store = store
        self._enough = enough
        self._known: dict[str, _Known] = {}
        self._changed: set[str] = set()
        self._turn = threading.Lock()

    async def load(self) -> None:
        """Take up what was kept; what cannot be read is begun anew.

        Raises:
            TracesError: the store cannot be read.

        """
        for tool, definition, data in await self._store.shapes():
            try:
                self._known[tool] = _Known.from_dict(tool, definition, data)
            except (ValueError, TypeError, KeyError, AttributeError):
                continue

    def observe(self, tool: str, definition: str, value: Any) -> Drift | None:
        """Take a result into account; return an alarm if it is unlike those before.

        `tool` is `server.tool`, `definition` the hash of its definition.
        """
        with self._turn:
            known = self._known.get(tool)
            if known is None and len(self._known) >= MAX_TOOLS:
                return None
            if known is None or known.definition != definition:
                known = self._known[tool] = _Known(definition, Shape())
            self._changed.add(tool)
            drift = observe(known.shape, tool, value, enough=self._enough)
            known.drift = drift or known.drift
            return drift

    def schema(self, tool: str, definition: str) -> Schema | None:
        """Return what a tool's results look like; None before enough were seen."""
        with self._turn:
            known = self._known.get(tool)
            if known is None or known.definition != definition or known.shape.count < self._enough:
                return None
            return known.shape.schema()

    def described(self, tool: Tool) -> Tool:
        """Return a tool with what its results look like, where it does not say so itself."""
        if tool.output_schema is not None or tool.full_name not in self._known:
            return tool
        return replace(
            tool, output_schema=self.schema(tool.full_name, definition_hash(tool.definition))
        )

    def drifts(self) -> list[Drift]:
        """Return the latest alarm of each tool that has returned something else not long ago."""
        with self._turn:
            found = [(known.drift, known.shape) for known in self._known.values()]
        return [
            drift
            for drift, shape in found
            if drift is not None and shape.count <= drift.observations + REMEMBERED
        ]

    async def flush(self) -> None:
        """Keep what changed.

        Raises:
            TracesError: the store cannot be written; it is tried again at the next flush.

        """
        with self._turn:
            changed, self._changed = self._changed, set()
            known = {tool: self._known[tool] for tool in sorted(changed)}
            rows = [(tool, each.definition, each.to_dict()) for tool, each in known.items()]
        try:
            if rows:
                await self._store.keep_shapes(rows)
        except BaseException:
            with self._turn:
                self._changed |= changed
            raise
