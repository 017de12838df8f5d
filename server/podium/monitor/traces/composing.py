"""Steps to the JSON of a composition file, and what speaks for each of its arguments."""

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from podium.mapping.references import MISSING
from podium.monitor.schemas import schema_of
from podium.monitor.traces.cleaning import CleanTrace
from podium.monitor.traces.hypotheses import Kind
from podium.monitor.traces.params import Param
from podium.monitor.traces.steps import Builder, StepMade
from podium.monitor.traces.values import SHORT
from podium.text.clean import printable, shortened
from podium.text.folding import fold, fold_text
from podium.text.language import guess_language

NAME_CHARACTERS = 80
SHOWN_VALUES = 5  # of a param, in its evidence
_DESCRIPTIONS = {
    "en": "Learnt from {count} conversation(s): {tools}.",
    "fr": "Appris de {count} conversation(s) : {tools}.",
}


@dataclass(frozen=True, slots=True)
class ArgumentEvidence:
    """Where an argument comes from, how much speaks for it (bits), and what else would fit."""

    step_id: str
    argument: str
    expression: str
    kind: Kind
    reads: tuple[str, ...]
    support: float
    rivals: tuple[str, ...]
    is_fragile: bool


@dataclass(frozen=True, slots=True)
class ParamEvidence:
    """A param, its values in the traces, and whether the user's words hold them."""

    name: str
    values: tuple[Any, ...]
    is_asked: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a composition is believed.

    `stable` of `subsets`: leaving one trace out gives the same composition. `dropped` are calls
    that it does not make. `fragile` says in sentences what to look at. `client_calls` and
    `client_tokens` are what one conversation had cost its client, on average.
    """

    traces: tuple[str, ...]
    calls: int
    arguments: tuple[ArgumentEvidence, ...]
    params: tuple[ParamEvidence, ...]
    dropped: tuple[str, ...]
    fragile: tuple[str, ...]
    stable: int = 0
    subsets: int = 0
    client_calls: int = 0
    client_tokens: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the public form."""
        return asdict(self)


def used_params(builder: Builder) -> list[Param]:
    """Return the params that the steps read, in the order of their first use."""
    heads = list(
        dict.fromkeys(
            head
            for step in builder.steps
            for used in [*([step.array] if step.array else []), *_hypotheses(step)]
            for head in sorted(used.heads)
        )
    )
    return [builder.params.all[head] for head in heads if head in builder.params.all]


def _hypotheses(step: StepMade) -> list[Any]:
    return [solution.hypothesis for solution in step.solutions.values()]


def composition_of(builder: Builder, traces: Sequence[CleanTrace]) -> dict[str, Any]:
    """Return the composition as its file says it."""
    params = used_params(builder)
    request = next((trace.request for trace in traces if trace.request), "")
    steps = [_step_json(step, builder) for step in builder.steps]
    output = _output(builder.steps)
    identity = hashlib.sha256(json.dumps([steps, output], sort_keys=True).encode()).hexdigest()
    composition_id = f"learnt_{_slug(builder.steps)}_{identity[:6]}"
    tools = ", ".join(dict.fromkeys(step.call.full_name for step in builder.steps))
    description = _DESCRIPTIONS[guess_language(request)].format(count=len(traces), tools=tools)
    return {
        "id": composition_id,
        "name": _title(request, params) or tools[:NAME_CHARACTERS],
        "description": shortened(description, 400),
        "intent_type": composition_id,
        "input_schema": _input_schema(params),
        "steps": steps,
        "output": output,
        "output_schema": schema_of(_outputs(builder, output, len(traces))),
    }


def _slug(steps: Sequence[StepMade]) -> str:
    names = [steps[-1].id] if len(steps) == 1 else [steps[0].id, steps[-1].id]
    return "_".join(names)[:40].strip("_")


def _title(request: str, params: Sequence[Param]) -> str:
    """Return the request with its values as holes, since the next one has others."""
    title = printable(request)
    for param in params:
        value = param.values.get(0)
        for part in value if isinstance(value, list) else [value]:
            if param.is_asked and isinstance(part, str | int) and len(str(part)) > 1:
                title = _with_holes(title, str(part), f"{{{param.name}}}")
    return shortened(" ".join(title.split()), NAME_CHARACTERS)


def _with_holes(title: str, value: str, hole: str) -> str:
    """Return a title with holes wherever a value is said, in whatever letter case."""
    folded = fold(title)
    wanted = re.escape(fold_text(value))
    pieces, done = [], 0
    for found in re.finditer(rf"(?<!\w){wanted}(?!\w)", folded.text):
        start, end = folded.span(*found.span())
        pieces += [title[done:start], hole]
        done = end
    return "".join([*pieces, title[done:]])


def _input_schema(params: Sequence[Param]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for param in params:
        own = dict(param.schema)
        if param.default is not MISSING:
            own["default"] = param.default
        properties[param.name] = own
    required = [p.name for p in params if p.default is MISSING and not p.is_optional]
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    return {**schema, "required": required} if required else schema


def _step_json(step: StepMade, builder: Builder) -> dict[str, Any]:
    written: dict[str, Any] = {
        "id": step.id,
        "server_id": step.call.server_id,
        "tool_id": step.call.tool_id,
    }
    if step.array is not None:
        written["iterations"] = step.array.text
    fixed, mapping = {}, {}
    for name, solution in step.solutions.items():
        if solution.hypothesis.kind == "constant":
            fixed[name] = solution.hypothesis.value
        else:
            mapping[name] = solution.hypothesis.text
    if mapping:
        written["input_mapping"] = mapping
    if fixed:
        written["arguments"] = fixed
    if waits := _waits(step, builder.steps):
        written["depends_on"] = waits
    return written


def _waits(step: StepMade, steps: Sequence[StepMade]) -> list[str]:
    """Return the steps to wait for because of what they do to the world.

    Writes keep their order; on one server, a read sees the writes made before it and a write comes
    after the reads before it. What differs in order between two traces does not matter.
    """
    known = {other.id: other for other in steps}
    reached = _reachable(step.heads & known.keys(), known)
    waits: list[str] = []
    for other in reversed(steps):
        if other is step or other.id in reached or not _precedes(other, step):
            continue
        both_read = step.call.effects == other.call.effects == "read"
        both_write = "read" not in (step.call.effects, other.call.effects)
        one_server = step.call.server_id == other.call.server_id
        if both_write or (one_server and not both_read):
            waits.append(other.id)
            reached |= _reachable({other.id}, known)
    return waits[::-1]


def _reachable(start: Any, known: dict[str, StepMade]) -> set[str]:
    """Return steps that are done when these are; writes wait for one another, so do theirs."""
    found: set[str] = set()
    waiting = list(start)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(known[name].heads & known.keys())
            if known[name].call.effects != "read":
                waiting.extend(
                    other.id
                    for other in known.values()
                    if other.call.effects != "read" and _precedes(other, known[name])
                )
    return found


def _precedes(one: StepMade, two: StepMade) -> bool:
    """Return whether a step begins before another in every trace that has both."""
    pairs = [
        (first[0].position, second[0].position)
        for first, second in zip(one.calls, two.calls, strict=True)
        if first and second
    ]
    return bool(pairs) and all(first < second for first, second in pairs)


def _output(steps: Sequence[StepMade]) -> str | dict[str, str]:
    """Return the results that nothing else used: they were what the client wanted to know."""
    read = frozenset().union(*(step.heads for step in steps))
    ends = [step.id for step in steps if step.id not in read] or [steps[-1].id]
    return ends[0] if len(ends) == 1 else {name: name for name in ends}


def _outputs(builder: Builder, output: str | dict[str, str], traces: int) -> list[Any]:
    by_id = {step.id: step for step in builder.steps}

    def result(name: str, trace: int) -> Any:
        step = by_id[name]
        values = [placed.call.value for placed in step.calls[trace]]
        return values if step.array is not None else values[0]

    if isinstance(output, str):
        return [result(output, trace) for trace in range(traces)]
    return [{name: result(name, trace) for name in output} for trace in range(traces)]


def evidence_of(builder: Builder, traces: Sequence[CleanTrace]) -> Evidence:
    """Return what speaks for the steps, and what is fragile in them."""
    arguments = tuple(
        ArgumentEvidence(
            step.id,
            name,
            solution.hypothesis.text,
            solution.hypothesis.kind,
            tuple(sorted(solution.hypothesis.heads)),
            round(solution.support, 1),
            solution.rivals,
            solution.hypothesis.is_fragile,
        )
        for step in builder.steps
        for name, solution in step.solutions.items()
    )
    params = used_params(builder)
    return Evidence(
        traces=tuple(trace.id for trace in traces),
        calls=sum(len(trace.calls) for trace in traces),
        arguments=arguments,
        params=tuple(
            ParamEvidence(p.name, tuple(p.values.values())[:SHOWN_VALUES], p.is_asked)
            for p in params
        ),
        dropped=tuple(name for trace in traces for name in trace.dropped),
        fragile=tuple(_fragile(builder, arguments, len(traces))),
    )


def _fragile(builder: Builder, arguments: Sequence[ArgumentEvidence], traces: int) -> list[str]:
    found = [
        f"{a.step_id}.{a.argument}: `{a.expression}` fits what was seen, by a number or a position"
        for a in arguments
        if a.is_fragile
    ]
    if traces == 1:
        found.append("one conversation only: what is constant and what varies is a guess")
        found += [
            f"{a.step_id}.{a.argument}: `{a.rivals[0]}` would fit as well"
            for a in arguments
            if a.rivals and a.kind == "result"
        ]
    loops = [s for s in builder.steps if s.array is not None and s.call.effects != "read"]
    for one in loops:
        for two in loops:
            if one is not two and _are_interleaved(one, two):
                found.append(f"{one.id} and {two.id} took turns; now one comes after the other")
    return found


def _are_interleaved(one: StepMade, two: StepMade) -> bool:
    return any(
        first and second and first[0].position < second[0].position < first[-1].position
        for first, second in zip(one.calls, two.calls, strict=True)
    )


def unused(builder: Builder) -> list[StepMade]:
    """Return the reads that did not help: nothing used their result, nor was it the answer."""
    read = frozenset().union(*(step.heads for step in builder.steps))
    # Not the order of their beginnings: a loop may go on after a later step.
    by_end = sorted(builder.steps, key=lambda s: sum(_ends_before(o, s) for o in builder.steps))
    last = by_end[-1]
    answers = _answers(by_end, read)
    known = {step.id for step in builder.steps}
    is_task = _of_task(builder)
    found: list[StepMade] = []
    for step in builder.steps:
        if step.id in read or step is last or step.call.effects != "read":
            continue
        others = [other for other in builder.steps if other is not step]
        is_lost = step.id not in answers and _is_dead_end(step, others, read)
        if is_lost or not _serves(step, others, answers, known, is_task):
            found.append(step)
    return found


def _ends_before(one: StepMade, two: StepMade) -> bool:
    """Return whether a step is over before another is, in every trace that has both."""
    pairs = [
        (first[-1].position, second[-1].position)
        for first, second in zip(one.calls, two.calls, strict=True)
        if first and second
    ]
    return bool(pairs) and all(first < second for first, second in pairs)


def _answers(steps: Sequence[StepMade], read: frozenset[str]) -> set[str]:
    """Return the reads at the very end that nothing uses: together they are the answer."""
    found: set[str] = set()
    for step in reversed(steps):
        if step.id in read or step.call.effects != "read":
            break
        found.add(step.id)
    return found


def _is_dead_end(step: StepMade, others: Sequence[StepMade], read: frozenset[str]) -> bool:
    if all(_is_empty(placed.call.value) for calls in step.calls for placed in calls):
        return True
    return any(
        other.call.full_name == step.call.full_name and other.id in read and _precedes(step, other)
        for other in others
    )


def _is_empty(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_empty, value.values()))
    return value in (None, "", 0, False) or (isinstance(value, list) and not value)


def _serves(
    step: StepMade,
    others: Sequence[StepMade],
    answers: set[str],
    known: set[str],
    is_task: Callable[[Any], bool],
) -> bool:
    """Return whether a read took something of the task that no other step takes."""
    own = _inputs(step, is_task)
    if step.id in answers:
        return bool(own)
    taken = frozenset().union(*(_inputs(other, is_task) for other in others))
    return bool(own - known - taken)


def _inputs(step: StepMade, is_task: Callable[[Any], bool]) -> set[str]:
    """Return what a step takes: steps and params it reads, constants that are of the task."""
    fixed = [s.hypothesis.value for s in step.solutions.values() if s.hypothesis.kind == "constant"]
    return {*step.heads, *(f"'{value}'" for value in fixed if is_task(value))}


def _of_task(builder: Builder) -> Callable[[Any], bool]:
    """Return what tells a constant that belongs to the task from a habit of the client.

    It is in the user's words; where no words are known, one trace cannot tell.
    """
    words = [own for own in builder.words if own.count]

    def is_task(value: Any) -> bool:
        if not isinstance(value, str) or len(value) < SHORT:
            return False
        return any(own.loosely(value) for own in words) if words else len(builder.words) == 1

    return is_task
