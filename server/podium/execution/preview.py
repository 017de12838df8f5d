"""A composition to what it would do: each call with its effects and what of its arguments is known.

Nothing is called; upstreams are only asked how they describe their tools.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from podium.domain.composition import (
    Call,
    Composition,
    CompositionStep,
    Iterating,
    RepeatStep,
    Step,
    ToolStep,
    all_steps,
    bodies,
)
from podium.domain.deed import Circumstance, Deed
from podium.domain.errors import PodiumError
from podium.domain.ports import Upstreams
from podium.domain.tool import Effects
from podium.mapping.expressions import MISSING, Evaluator, parse

MOST_DEEDS = 200  # of one composition and those it plays; beyond it nobody reads on

Find = Callable[[str], Composition | None]
"""Called with the id of a composition that a step plays."""


@dataclass(frozen=True, slots=True)
class _Planned:
    """A call as the file says it; `effects` is None where the tool decides."""

    server_id: str
    tool_id: str
    effects: Effects | None
    deed: Deed


async def foresee(
    composition: Composition,
    params: Mapping[str, Any],
    *,
    upstreams: Upstreams,
    evaluator: Evaluator,
    find: Find,
    max_depth: int,
) -> tuple[Deed, ...]:
    """Return every call that it may make, in file order.

    A tool that nobody can describe, a composition that cannot be found, and what goes beyond
    `MOST_DEEDS` count as writing.
    """
    preview = _Preview(evaluator, find, max_depth)
    known: dict[tuple[str, str], Effects] = {}
    deeds: list[Deed] = []
    for call in islice(preview.calls(composition, params), MOST_DEEDS):
        key = call.server_id, call.tool_id
        if call.effects is None and key not in known:
            known[key] = await _effects_of(*key, upstreams)
        deeds.append(replace(call.deed, effects=call.effects or known[key]))
    if len(deeds) == MOST_DEEDS:  # whatever else it does
        deeds.append(Deed("…", "write"))
    return tuple(deeds)


async def _effects_of(server_id: str, tool_id: str, upstreams: Upstreams) -> Effects:
    try:
        return (await upstreams.tool(server_id, tool_id)).effects
    except PodiumError:  # playing it says why
        return "write"


@dataclass(frozen=True, slots=True)
class _Preview:
    evaluator: Evaluator
    find: Find
    depth_left: int

    def calls(self, composition: Composition, params: Mapping[str, Any]) -> Iterator[_Planned]:
        known = {n: v for n, v in params.items() if n not in _names_inside(composition)}
        yield from self._of_steps(composition.steps, known, ())

    def _of_steps(
        self, steps: tuple[Step, ...], known: Mapping[str, Any], around: tuple[Circumstance, ...]
    ) -> Iterator[_Planned]:
        for step in steps:
            here = tuple(dict.fromkeys((*around, *_circumstances(step))))
            if isinstance(step, ToolStep):
                yield self._planned(step, step.effects, known, here)
                for other in step.alternatives:
                    yield self._planned(other, other.effects, known, (*here, "instead"))
                if step.undo is not None:
                    yield self._planned(step.undo, None, known, (*here, "undo"))
            elif isinstance(step, CompositionStep):
                yield from self._of_composition(step, known, here)
            for key, body in bodies(step):
                is_sure = key in _SURE_BODIES
                yield from self._of_steps(body, known, here if is_sure else (*here, "maybe"))

    def _of_composition(
        self, step: CompositionStep, known: Mapping[str, Any], here: tuple[Circumstance, ...]
    ) -> Iterator[_Planned]:
        arguments, sources = self._arguments(step, known)
        found = self.find(step.composition) if self.depth_left > 0 else None
        if found is None:
            deed = Deed(step.composition, "write", arguments, sources, here)
            yield _Planned("", "", "write", deed)
            return
        inner = replace(self, depth_left=self.depth_left - 1)
        for call in inner.calls(found, arguments):
            around = tuple(dict.fromkeys((*here, *call.deed.circumstances)))
            yield replace(call, deed=replace(call.deed, circumstances=around))

    def _planned(
        self,
        call: Call,
        effects: Effects | None,
        known: Mapping[str, Any],
        here: tuple[Circumstance, ...],
    ) -> _Planned:
        arguments, sources = self._arguments(call, known)
        name = f"{call.server_id}.{call.tool_id}"
        deed = Deed(name, "write", arguments, sources, tuple(dict.fromkeys(here)))
        return _Planned(call.server_id, call.tool_id, effects, deed)

    def _arguments(
        self, call: Call | CompositionStep, known: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, str]]:
        arguments, sources = dict(call.arguments), {}
        for name, source in call.input_mapping.items():
            value = self._value(source, known)
            if value is MISSING:
                sources[name] = source
            else:
                arguments[name] = value
        return arguments, sources

    def _value(self, source: str, known: Mapping[str, Any]) -> Any:
        """Return what an expression gives here and now and always; MISSING if that is not known.

        A transformer may give something else each time.
        """
        try:
            expression = parse(source)
            reads_more = expression.whole_scope or expression.variables or expression.functions
            if reads_more or not expression.names <= known.keys() or _CHANGING.search(source):
                return MISSING
            return self.evaluator.evaluate(expression, known)
        except PodiumError:
            return MISSING


_CHANGING = re.compile(r"\$(?:now|millis|random|shuffle)\b")
_SURE_BODIES = frozenset({"steps", "parallel", "repeat", "try", "finally"})


def _circumstances(step: Step) -> Iterator[Circumstance]:
    if step.when is not None:
        yield "maybe"
    if isinstance(step, RepeatStep) or (isinstance(step, Iterating) and step.iterations):
        yield "each"


def _names_inside(composition: Composition) -> frozenset[str]:
    """Return the names that steps give: where a param has the same one, theirs may be meant."""
    steps = list(all_steps(composition.steps))
    mapped = (name for step in steps for name in step.output_mapping.values())
    return frozenset({*(step.id for step in steps), *mapped})
