"""A grown plan to a draft: a composition that can be read, checked, played and played again.

What the request said becomes params with its values, so that other values can be given; what only
the tools' schemas said stays as it is.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from podium.compositions.synthesizer.asked import Asked, Pick
from podium.compositions.synthesizer.filling import Filling
from podium.compositions.synthesizer.known import Toolbox
from podium.compositions.synthesizer.names import listed, name_words
from podium.compositions.synthesizer.plans import (
    Again,
    Binding,
    Call,
    Constant,
    Given,
    Growing,
    Read,
    Told,
)
from podium.compositions.synthesizer.ports import Field, Port, described
from podium.compositions.synthesizer.wording import Language, reason
from podium.domain.composition import Composition, OutputMap
from podium.domain.versions import meaning_of
from podium.text.clean import printable, shortened

MAX_ID = 64
HASH = 6  # characters that tell two ids apart
MAX_NAME = 80
MAX_STEP = 50  # characters of a step's id
MAX_ENUM = 100  # choices that a param lists; the tool itself knows the rest
MAX_DESCRIPTION = 200
_KEPT: Mapping[str, str] = {  # keywords that a param keeps, and what their values must be
    "type": "types", "description": "text", "format": "text", "pattern": "text", "enum": "list",
    "const": "any", "default": "any", "minimum": "number", "maximum": "number",
    "exclusiveMinimum": "number", "exclusiveMaximum": "number", "minLength": "size",
    "maxLength": "size",
}  # fmt: skip
_TYPES = listed("string number integer boolean array object null")
_RESERVED = listed("and or in true false null function context item index i error previous")
_FIELD = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+", re.ASCII)
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
# What an element is compared by, as words of field names.
_MEASURES: Mapping[str, str] = {
    "date": "date start create update time due timestamp publish send receive day departure",
    "price": "price total amount fee",
    "size": "size population count length total amount area",
    "rating": "rating score star vote popularity rank",
    "duration": "duration length minute time",
    "distance": "distance km mile",
    "temperature": "temperature max",
}
_TEXTS = listed("text content summary translation message transcript diff output markdown answer")
_ELEMENT = "$item"
_MISSING: Any = object()


@dataclass(slots=True)
class Param:
    """A param of the composition, and the value that the request has for it."""

    name: str
    schema: dict[str, Any]
    is_required: bool
    is_missing: bool = False
    value: Any = None


@dataclass(slots=True)
class Drafting:
    """One plan on its way to a composition."""

    plan: Growing
    toolbox: Toolbox
    asked: Asked
    language: Language
    ids: list[str] = field(default_factory=list)
    params: dict[str, Param] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    _of_argument: dict[tuple[int, str], str] = field(default_factory=dict)
    _of_value: dict[tuple[str, str], str] = field(default_factory=dict)

    def composition(self) -> Composition:
        """Return the composition; `params` and `reasons` are then there too."""
        self.ids = _step_ids(self.plan.calls)
        steps = [self._step(index, call) for index, call in enumerate(self.plan.calls)]
        required = [each.name for each in self.params.values() if each.is_required]
        words = shortened(printable(self.asked.folded.source).replace("\n", " ").strip(), MAX_NAME)
        return Composition.model_validate(
            {
                "id": _composition_id(self.plan.calls),
                "name": words,
                "description": self._description(),
                "input_schema": {
                    "type": "object",
                    "properties": {each.name: each.schema for each in self.params.values()},
                    **({"required": required} if required else {}),
                    "additionalProperties": False,
                },
                "steps": steps,
                "output": self._output(),
            }
        )

    # --- steps

    def _step(self, index: int, call: Call) -> dict[str, Any]:
        kind = "target" if call.is_target else "reader"
        clause = self.asked.clauses[call.clause]
        said = self.asked.folded.original(clause.start, clause.end)
        self._say(kind, tool=call.known.name, said=said)
        step: dict[str, Any] = {
            "id": self.ids[index],
            "server_id": call.known.tool.server_id,
            "tool_id": call.known.tool.name,
        }
        if (rounds := call.rounds) is not None:
            step["iterations"] = self._elements(rounds)
        mapping: dict[str, str] = {}
        arguments: dict[str, Any] = {}
        for binding in call.bindings:
            if (constant := _constant(binding)) is not None:
                arguments[binding.port.name] = constant[0]
                self._say("constant", port=binding.port.name, value=_shown(constant[0]))
            else:
                mapping[binding.port.name] = self._expression(index, binding)
        if mapping:
            step["input_mapping"] = mapping
        if arguments:
            step["arguments"] = arguments
        if waits := self._waits(index, call):
            step["depends_on"] = waits
        return step

    def _waits(self, index: int, call: Call) -> list[str]:
        """Return the steps of earlier clauses whose effects come first, or must not come before."""
        waits = [
            earlier
            for earlier, other in enumerate(self.plan.calls[:index])
            if other.clause < call.clause
            and not (call.known.is_reader and other.known.is_reader)
            and not self.plan.depends(index, earlier)
        ]
        return [
            self.ids[each]
            for each in waits
            if not any(self.plan.depends(later, each) for later in waits if later != each)
        ]

    # --- expressions

    def _expression(self, index: int, binding: Binding) -> str:
        port = binding.port
        match binding.source:
            case Given(filling):
                value = filling.value
                name = self._param(index, port, value, filling.taken)
                self._say("given", port=port.name, value=_shown(value))
                return quoted(name)
            case Again(call, of):
                self._say("again", port=port.name, step=self.ids[call])
                self._of_argument[index, port.name] = self._of_argument[call, of]
                return quoted(self._of_argument[call, of])
            case Read() as read:
                kind = "seen" if read.is_seen else "guessed" if read.is_guessed else read.how
                shown = ".".join(read.field.path) or read.field.name or "element"
                self._say(kind, port=port.name, field=shown, step=self.ids[read.call])
                return self._reading(index, read, self.plan.calls[index].rounds)
            case Told(calls, picks):
                told = " + ".join(self.ids[call] for call in calls)
                self._say("told", port=port.name, step=told)
                return self._telling(calls, picks)
            case _:
                self._say("wanted", port=port.name)
                return quoted(self._param(index, port, _MISSING, frozenset()))

    def _reading(self, index: int, read: Read, rounds: Read | None) -> str:
        length = self._list_length(read)
        if rounds is not None and read.how in ("each", "pick") and self._same_list(read, rounds):
            return ".".join([_ELEMENT, *map(quoted, read.field.path[length:])])
        path = [quoted(self.ids[read.call]), *map(quoted, read.field.path)]
        if read.how == "pick":
            if read.named is not None:
                picked = self._named(index, read, length, *read.named)
            else:
                picked = self._picked(read.call, read.field, length, read.pick)
            return ".".join([picked, *map(quoted, read.field.path[length:])])
        return ".".join(path)

    def _same_list(self, read: Read, rounds: Read) -> bool:
        ours, theirs = self._list_length(read), self._list_length(rounds)
        same = read.field.path[:ours] == rounds.field.path[:theirs]
        return read.call == rounds.call and ours == theirs and same

    def _list_length(self, read: Read) -> int:
        """Return how much of a path names the list; a step with rounds gives a list itself."""
        return max(0, read.field.list_length)

    def _elements(self, read: Read) -> str:
        length = self._list_length(read)
        return ".".join([quoted(self.ids[read.call]), *map(quoted, read.field.path[:length])])

    def _picked(self, call: int, of: Field, length: int, pick: Pick) -> str:
        elements = ".".join([quoted(self.ids[call]), *map(quoted, of.path[:length])])
        key = self._measure(call, of, length, pick[0])
        if key is not None:
            elements = f"({elements}^({'>' if pick[1] == 'down' else ''}{quoted(key)}))"
        return f"{elements}[{-1 if pick[1] == 'last' else 0}]"

    def _named(self, index: int, read: Read, length: int, name: str, filling: Filling) -> str:
        """Return the first element of a list whose name is what the request says, case apart."""
        param = self._param(index, filling.port, filling.value, filling.taken)
        elements = ".".join([quoted(self.ids[read.call]), *map(quoted, read.field.path[:length])])
        return f"{elements}[$lowercase({quoted(name)}) = $lowercase($$.{quoted(param)})][0]"

    def _measure(self, call: int, of: Field, length: int, measure: str) -> str | None:
        """Return the field of a list's elements that they are compared by."""
        wanted = {word for name in _MEASURES.get(measure, "").split() for word in name_words(name)}
        for each in self.toolbox.fields(self.plan.calls[call].known):
            inside = len(each.path) == length + 1 and each.path[:length] == of.path[:length]
            if not inside or not each.is_scalar:
                continue
            if wanted.intersection(name_words(each.name)) or (
                measure == "date" and each.kind in ("date", "datetime")
            ):
                return each.name
        return None

    def _telling(self, calls: Sequence[int], picks: Sequence[Pick | None]) -> str:
        holes = [self._hole(call, pick) for call, pick in zip(calls, picks, strict=True)]
        if len(holes) == 1 and _FIELD.fullmatch(holes[0]):
            return holes[0]
        text = "\\n\\n".join(f"{{{hole}}}" for hole in holes)
        return f"$template('{text}')"

    def _hole(self, call: int, pick: Pick | None) -> str:
        """Return what a text tells of a result: its one text where it has one, else all of it."""
        known = self.plan.calls[call].known
        own = quoted(self.ids[call])
        fields = self.toolbox.fields(known)
        if not fields:
            return f"{own}.text ? {own}.text : {own}"
        top = next((each for each in fields if not each.path or len(each.path) == 1), None)
        lists = next((each for each in fields if each.list_length >= 0), None)
        if pick is not None and lists is not None and self.plan.calls[call].rounds is None:
            return self._picked(call, lists, lists.list_length, pick)
        texts = [
            each
            for each in fields
            if len(each.path) == 1 and each.name in _TEXTS and each.types <= {"string"}
        ]
        return f"{own}.{quoted(texts[0].name)}" if top and len(texts) == 1 else own

    # --- params

    def _param(self, index: int, port: Port, value: Any, taken: frozenset[str]) -> str:
        """Return the name of the param for an argument; one that takes the same value is shared."""
        text = json.dumps(value, sort_keys=True, default=repr)
        key = (port.kind if isinstance(value, str) else ",".join(sorted(taken))), text
        if taken and key in self._of_value:
            name = self._of_value[key]
            self.params[name].is_required |= port.is_required
        else:
            name = self._free_name(port.name)
            self.params[name] = Param(
                name, plain_schema(port), port.is_required, value is _MISSING, value
            )
            if taken:
                self._of_value[key] = name
        self._of_argument[index, port.name] = name
        return name

    def _free_name(self, wanted: str) -> str:
        plain = re.sub(r"\W+", "_", wanted, flags=re.ASCII).strip("_")[:MAX_STEP].lower() or "value"
        plain = plain if not plain[0].isdigit() else f"_{plain}"
        taken = {*self.params, *self.ids, *_RESERVED}
        names = (plain, *(f"{plain}_{number}" for number in range(2, 200)))
        return next(name for name in names if name not in taken)

    # --- for people

    def _say(self, kind: str, **parts: str) -> None:
        self.reasons.append(
            reason(kind, self.language, **{k: printable(v) for k, v in parts.items()})
        )

    def _description(self) -> str:
        tools = ", ".join(dict.fromkeys(call.known.name for call in self.plan.calls))
        words = shortened(printable(self.asked.folded.source).strip(), MAX_DESCRIPTION)
        lead = "Fait ce que demande" if self.language == "fr" else "Does what was asked with"
        return (
            f"{lead} « {words} » ({tools})."
            if self.language == "fr"
            else f"{lead} “{words}” ({tools})."
        )

    # --- output

    def _output(self) -> OutputMap:
        """Return what was asked for: the results that nothing reads, else the last one."""
        consumed = self.plan.consumed()
        ends = [index for index in range(len(self.plan.calls)) if index not in consumed]
        reads = [index for index in ends if self.plan.calls[index].known.is_reader] or ends[-1:]
        if len(reads) == 1:
            return self._result(reads[0])
        return {self.ids[index]: self._result(index) for index in reads}

    def _result(self, index: int) -> str:
        call = self.plan.calls[index]
        clause = self.asked.clauses[call.clause]
        own = quoted(self.ids[index])
        lists = [each for each in self.toolbox.fields(call.known) if each.list_length >= 0]
        if not lists or call.rounds is not None or not call.known.is_reader:
            return own
        field_ = lists[0]
        elements = ".".join([own, *map(quoted, field_.path[: field_.list_length])])
        if clause.wants_count:
            return f"$count({elements})"
        if clause.pick is None or _is_plural_pick(self.asked, call):
            return own
        length, measure = field_.list_length, clause.pick[0]
        if measure and self._measure(index, field_, length, measure) is None:
            return own
        return self._picked(index, field_, length, clause.pick)


def _is_plural_pick(asked: Asked, call: Call) -> bool:
    """Return whether several are wanted: "the latest commits", "the 5 last mails"."""
    clause = asked.clauses[call.clause]
    about = frozenset(call.known.nouns)
    plural = any(word.is_plural and word.stems & about for word in clause.words)
    return plural or any(value.mention.kind == "number" for value in clause.values)


def quoted(name: str) -> str:
    """Return a name as expressions write it."""
    if _NAME.fullmatch(name) and name not in ("and", "or", "in", "true", "false", "null"):
        return name
    return f"`{name.replace('`', '')}`"


def plain_schema(port: Port) -> dict[str, Any]:
    """Return the part of an argument's schema that stands by itself."""
    schema = {key: port.schema[key] for key in _KEPT if _is_sound(key, port.schema)}
    if described(port.schema):
        schema["description"] = shortened(printable(described(port.schema)), MAX_DESCRIPTION)
    else:
        schema.pop("description", None)
    if len(schema.get("enum", ())) > MAX_ENUM:
        del schema["enum"]
    return schema


def _is_sound(key: str, schema: Mapping[str, Any]) -> bool:
    """Return whether a schema has a keyword, with a value that it can have."""
    if key not in schema:
        return False
    value = schema[key]
    match _KEPT[key]:
        case "types":
            names = value if isinstance(value, list) else [value]
            return bool(names) and all(isinstance(name, str) and name in _TYPES for name in names)
        case "text":
            return isinstance(value, str)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "size":
            return isinstance(value, int) and not isinstance(value, bool) and value >= 0
        case "list":
            return isinstance(value, list) and bool(value)
        case _:
            return True


def _constant(binding: Binding) -> tuple[Any] | None:
    match binding.source:
        case Constant(value):
            return (value,)
        case Given(filling) if filling.is_constant:
            return (filling.value,)
        case _:
            return None


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _step_ids(calls: Sequence[Call]) -> list[str]:
    ids: list[str] = []
    for call in calls:
        plain = re.sub(r"\W+", "_", call.known.tool.name, flags=re.ASCII).strip("_")[:MAX_STEP]
        plain = plain.lower() or "step"
        plain = f"_{plain}" if plain[0].isdigit() or plain in _RESERVED else plain
        number = 1
        name = plain
        while name in ids:
            number += 1
            name = f"{plain}_{number}"
        ids.append(name)
    return ids


def _composition_id(calls: Sequence[Call]) -> str:
    targets = [call.known.tool.name for call in calls if call.is_target]
    names = dict.fromkeys(
        re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "step" for name in targets
    )
    return "_then_".join(names)[:MAX_ID].strip("_") or "composition"


def told_apart(compositions: Sequence[Composition]) -> list[Composition]:
    """Return the compositions with a short hash in each id that one before it has too."""
    ids = [each.id for each in compositions]
    return [
        each.model_copy(update={"id": f"{each.id[: MAX_ID - HASH - 1]}_{meaning_of(each)[:HASH]}"})
        if each.id in ids[:place]
        else each
        for place, each in enumerate(compositions)
    ]
