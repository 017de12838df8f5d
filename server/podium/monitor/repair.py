"""A step that fails again and again to what could stand in for it: other arguments, another tool.

Pure. What is proposed is a whole composition that differs in one step; it is put on trial as
`learning` like any other, so a wrong guess costs a trial and nothing more. A stand-in does to the
world what the old tool did, and what later steps read of its result must be there.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any, Literal

from podium.domain.composition import Composition
from podium.domain.errors import PodiumError
from podium.domain.learning import Lifetime, Recent
from podium.domain.tool import Effects, Tool
from podium.mapping.expressions import parse
from podium.monitor.blame import charge_of
from podium.text.tokens import tokens

Kind = Literal["arguments", "tool"]

LEAST_LIKENESS = 0.5  # of two argument names, to be one under two names
LEAST_SCORE = 0.35  # of a stand-in; below it a wrong guess is likelier than a right one
MOST_TOOLS = 50  # stand-ins that are looked at
MOST_PROPOSALS = 3

# n failures with one code among the last m runs: an outage gets more time to pass by itself.
_AGAIN_AND_AGAIN: Mapping[str, tuple[int, int]] = {
    "composition": (3, 6),
    "both": (3, 6),
    "tool": (8, 10),
}
# After these another tool does not help: the values never were right.
_OF_ARGUMENTS = frozenset({"argument_invalid", "missing_value", "expression_failed"})
# After these the tool's own arguments do not matter.
_OF_THE_TOOL = frozenset({"unknown_tool", "unknown_server"})


@dataclass(frozen=True, slots=True)
class Trouble:
    """A step that fails again and again: `times` among its last `runs`, with one code."""

    step_id: str
    code: str
    times: int
    runs: int


@dataclass(frozen=True, slots=True)
class Proposal:
    """A composition that may mend a trouble; `document` is its file's content."""

    trouble: Trouble
    kind: Kind
    document: dict[str, Any]
    reason: str
    score: float
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Known:
    """What a repair may draw on: the tools there are, and what other compositions do."""

    tools: Sequence[Tool] = ()
    compositions: Sequence[Composition] = ()

    def tool(self, full_name: str) -> Tool | None:
        """Return a tool by its name, if there is one."""
        return next((tool for tool in self.tools if tool.full_name == full_name), None)


@dataclass(frozen=True, slots=True)
class _Step:
    """A tool step as its file says it, and what may be read in it."""

    raw: dict[str, Any]
    names: frozenset[str]

    @property
    def full_name(self) -> str:
        return f"{self.raw['server_id']}.{self.raw['tool_id']}"

    @property
    def is_iterated(self) -> bool:
        return "iterations" in self.raw


@dataclass(frozen=True, slots=True)
class _Fit:
    """Arguments that suit a tool; `share` of the old ones found a place."""

    mapping: dict[str, str]
    literals: dict[str, Any]
    share: float


def troubles(steps: Iterable[Lifetime]) -> list[Trouble]:
    """Return the steps that fail again and again, the worst first."""
    found = [trouble for step in steps for trouble in _trouble(step.subject.name, step.recent)]
    return sorted(found, key=lambda trouble: (-trouble.times / trouble.runs, trouble.step_id))


def _trouble(step_id: str, recent: Sequence[Recent]) -> Iterator[Trouble]:
    for code in dict.fromkeys(run.code for run in recent if run.verdict == "failure" and run.code):
        least, among = _AGAIN_AND_AGAIN.get(charge_of(code), (0, 0))
        latest = recent[:among]
        times = sum(run.code == code and run.verdict == "failure" for run in latest)
        if least and times >= least and latest[0].verdict == "failure":
            yield Trouble(step_id, code, times, len(latest))


def propose(composition: Composition, trouble: Trouble, known: Known) -> list[Proposal]:
    """Return what could mend a trouble, the likeliest first; nothing where nothing is likely."""
    document = composition.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    step = _find(document, composition, trouble.step_id)
    if step is None:
        return []
    found = [
        *(_other_arguments(step, known) if trouble.code not in _OF_THE_TOOL else ()),
        *(_other_tools(step, document, known) if trouble.code not in _OF_ARGUMENTS else ()),
    ]
    proposals = []
    for kind, raw, reason, score, evidence in sorted(found, key=lambda one: -one[3]):
        changed = _with_step(document, step.raw, raw)
        if score >= LEAST_SCORE and _is_composition(changed):
            proposals.append(Proposal(trouble, kind, changed, reason, round(score, 3), evidence))
    return proposals[:MOST_PROPOSALS]


_Found = tuple[Kind, dict[str, Any], str, float, dict[str, Any]]


# --- other arguments for the same tool


def _other_arguments(step: _Step, known: Known) -> Iterator[_Found]:
    tool = known.tool(step.full_name)
    if tool is not None and (fit := _fit(step, tool)) is not None:
        raw = _with_arguments(step.raw, fit)
        if raw != step.raw:
            reason = f"the arguments of {step.full_name} as its definition names them now"
            yield "arguments", raw, reason, 0.5 + 0.5 * fit.share, {"tool": tool.full_name}
    for other in known.compositions:
        for theirs in _calls_of(other, step.full_name):
            if (borrowed := _borrowed(step, theirs, tool)) is not None:
                reason = f"the arguments that '{other.id}' gives to {step.full_name}"
                yield "arguments", borrowed, reason, 0.6, {"from": other.id}


def _calls_of(composition: Composition, full_name: str) -> Iterator[dict[str, Any]]:
    document = composition.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    for _, raw in _tool_steps(document["steps"], ""):
        if f"{raw['server_id']}.{raw['tool_id']}" == full_name:
            yield raw


def _borrowed(step: _Step, theirs: dict[str, Any], tool: Tool | None) -> dict[str, Any] | None:
    """Return the step with another's arguments as far as they can be read here, if that helps."""
    if step.is_iterated != ("iterations" in theirs):
        return None
    mapping = {
        name: source
        for name, source in theirs.get("input_mapping", {}).items()
        if _reads_only(source, step)
    }
    mine = {**step.raw.get("input_mapping", {}), **mapping}
    literals = {**theirs.get("arguments", {}), **step.raw.get("arguments", {})}
    literals = {name: value for name, value in literals.items() if name not in mine}
    required = _required(tool.input_schema) if tool else ()
    if any(name not in mine and name not in literals for name in required):
        return None
    raw = _with_arguments(step.raw, _Fit(mine, literals, 1.0))
    return None if raw == step.raw else raw


def _reads_only(source: str, step: _Step) -> bool:
    try:
        expression = parse(source, iterating=step.is_iterated)
    except PodiumError:
        return False
    return not expression.whole_scope and expression.names <= step.names


# --- another tool


def _other_tools(step: _Step, document: dict[str, Any], known: Known) -> Iterator[_Found]:
    old = known.tool(step.full_name)
    wanted = step.raw.get("effects") or (old.effects if old else "read")
    read = _fields_read(document, str(step.raw["id"]))
    ranked = sorted(known.tools, key=lambda tool: -_likeness(step, old, tool))[:MOST_TOOLS]
    for tool in ranked:
        if tool.full_name == step.full_name or not _may_stand_in(tool, wanted, read, step):
            continue
        if (fit := _fit(step, tool)) is None:
            continue
        raw = _with_arguments(step.raw, fit)
        raw |= {"server_id": tool.server_id, "tool_id": tool.name}
        score = _likeness(step, old, tool) * (0.5 + 0.5 * fit.share)
        evidence = {"before": step.full_name, "now": tool.full_name, "arguments_kept": fit.share}
        yield "tool", raw, f"{tool.full_name} in place of {step.full_name}", score, evidence


def _may_stand_in(tool: Tool, wanted: Effects, read: frozenset[str], step: _Step) -> bool:
    if tool.effects != wanted or tool.effects == "destructive":
        return False
    fields = (tool.output_schema or {}).get("properties")
    if isinstance(fields, dict):
        return read <= fields.keys()
    # Its result is unknown: only a tool of the same server is likely to name things alike.
    return not read or tool.server_id == step.raw["server_id"]


def _likeness(step: _Step, old: Tool | None, tool: Tool) -> float:
    name = _shared(tokens(str(step.raw["tool_id"])), tokens(tool.name))
    server = float(tool.server_id == step.raw["server_id"])
    about = _shared(tokens(old.description), tokens(tool.description)) if old else name
    return 0.6 * name + 0.2 * server + 0.2 * about


def _fields_read(document: Mapping[str, Any], step_id: str) -> frozenset[str]:
    """Return the fields of a step's result that other expressions name."""
    read: set[str] = set()
    for source in _texts(document):
        if step_id not in source:
            continue
        for iterating in (False, True):
            try:
                expression = parse(source, iterating=iterating)
            except PodiumError:
                continue
            read |= {name for head, name in expression.head_fields if head == step_id}
    return frozenset(read)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)


# --- arguments for a schema


def _fit(step: _Step, tool: Tool) -> _Fit | None:
    """Return a step's arguments under the names of a tool's schema; None if a required one lacks.

    What has the same name stays; what is left goes to the parameter whose name is most alike, each
    taken once; what a required parameter still lacks comes from a param of the same name or from
    the schema itself.
    """
    properties = tool.input_schema.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    old = [*step.raw.get("input_mapping", {}), *step.raw.get("arguments", {})]
    # A schema that names nothing takes anything.
    places = _places(old, list(properties)) if properties else {name: name for name in old}
    mapping = {
        places[name]: source
        for name, source in step.raw.get("input_mapping", {}).items()
        if name in places
    }
    literals = {
        places[name]: value
        for name, value in step.raw.get("arguments", {}).items()
        if name in places
    }
    for name in _required(tool.input_schema):
        if name in mapping or name in literals:
            continue
        given = _given(properties.get(name))
        if name in step.names:
            mapping[name] = name
        elif given:
            literals[name] = given[0]
        else:
            return None
    return _Fit(mapping, literals, round(len(places) / len(old), 3) if old else 1.0)


def _places(old: Sequence[str], properties: Sequence[str]) -> dict[str, str]:
    places = {name: name for name in old if name in properties}
    pairs = sorted(
        (
            (_alike(name, other), name, other)
            for name in old
            if name not in places
            for other in properties
            if other not in places
        ),
        key=lambda pair: (-pair[0], pair[1], pair[2]),
    )
    for likeness, name, other in pairs:
        if likeness >= LEAST_LIKENESS and name not in places and other not in places.values():
            places[name] = other
    return places


def _required(schema: Mapping[str, Any]) -> tuple[str, ...]:
    required = schema.get("required")
    return tuple(name for name in required if isinstance(name, str)) if required else ()


def _given(definition: Any) -> list[Any]:
    """Return the value that a parameter's schema names, if there is exactly one."""
    if not isinstance(definition, dict):
        return []
    for key in ("const", "default"):
        if key in definition:
            return [definition[key]]
    values = definition.get("enum")
    return values if isinstance(values, list) and len(values) == 1 else []


def _alike(one: str, other: str) -> float:
    shared = _shared(tokens(one), tokens(other))
    return max(shared, SequenceMatcher(None, one.casefold(), other.casefold()).ratio() - 0.1)


def _shared(one: Iterable[str], other: Iterable[str]) -> float:
    left, right = set(one), set(other)
    return len(left & right) / len(left | right) if left and right else 0.0


# --- the document


def _find(document: Mapping[str, Any], composition: Composition, path: str) -> _Step | None:
    found = [raw for at, raw in _tool_steps(document["steps"], "") if at == path]
    if not found:
        return None
    params = (composition.input_schema or {}).get("properties")
    names = frozenset(params) if isinstance(params, dict) else frozenset()
    return _Step(found[0], names | {"context"} | _earlier(document["steps"], path))


def _earlier(steps: Sequence[Mapping[str, Any]], path: str) -> frozenset[str]:
    """Return the top-level steps before one: what its expressions may read."""
    ids = [str(step["id"]) for step in steps]
    head = path.partition(".")[0].partition("[")[0]
    return frozenset(ids[: ids.index(head)] if head in ids else ())


def _tool_steps(steps: Any, prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every tool step with its path, nested ones too."""
    for step in steps if isinstance(steps, list) else ():
        if not isinstance(step, dict) or "id" not in step:
            continue
        path = f"{prefix}{step['id']}"
        if "tool_id" in step:
            yield path, step
        for part in step.values():
            for nested in part if isinstance(part, list) else ():
                if isinstance(nested, dict) and "id" not in nested:  # a case, a catch
                    yield from _tool_steps(nested.get("steps"), f"{path}.")
            yield from _tool_steps(part, f"{path}.")


def _with_step(
    document: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[str, Any]:
    def swapped(value: Any) -> Any:
        if value is before:
            return deepcopy(dict(after))
        if isinstance(value, dict):
            return {key: swapped(part) for key, part in value.items()}
        return [swapped(part) for part in value] if isinstance(value, list) else value

    changed: dict[str, Any] = swapped(dict(document))
    return changed


def _with_arguments(raw: Mapping[str, Any], fit: _Fit) -> dict[str, Any]:
    rest = {key: value for key, value in raw.items() if key not in {"input_mapping", "arguments"}}
    if fit.mapping:
        rest["input_mapping"] = fit.mapping
    if fit.literals:
        rest["arguments"] = fit.literals
    return rest


def _is_composition(document: Mapping[str, Any]) -> bool:
    try:
        Composition.model_validate(document, by_alias=True, by_name=False)
    except ValueError:
        return False
    return True
