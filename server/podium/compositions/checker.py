"""What is wrong with a composition before it runs: by its text alone, and against live tools."""

from collections.abc import Collection, Iterator

from podium.compositions import (
    live_rules,
    nesting_rules,
    reading_rules,
    step_rules,
)
from podium.compositions.facts import Facts, Issue, Tools, error
from podium.compositions.graph import build_plan, declared_params
from podium.compositions.library import CompositionLibrary
from podium.compositions.nesting_rules import Bounds
from podium.compositions.params import checked_params
from podium.compositions.places import Place, keys_of, output_readings, whole
from podium.documents import Document, dotted
from podium.domain.composition import (
    BlockStep,
    Composition,
    StoredComposition,
    all_steps,
)
from podium.domain.errors import CompositionInvalidError, InvalidParamsError
from podium.domain.findings import Finding

__all__ = ["Checker", "Tools"]


class Checker:
    """Checks compositions; holds what they are checked against."""

    def __init__(
        self,
        *,
        max_steps: int,
        functions: Collection[str] | None = None,
        max_depth: int = 5,
        max_rounds: int = 10_000,
        library: CompositionLibrary | None = None,
    ) -> None:
        """Take the bounds, and what compositions may refer to.

        `max_rounds` are those of one loop, `functions` the transformers' names (None: they are not
        checked); `library` holds the compositions that steps may play.
        """
        self._bounds = Bounds(max_steps, max_depth, max_rounds)
        self._functions = functions
        self._library = library or CompositionLibrary()

    def check(
        self,
        stored: StoredComposition,
        *,
        document: Document | None = None,
        tools: Tools | None = None,
    ) -> list[Finding]:
        """Return every finding; with `tools`, also against the tools as they are now."""
        size = sum(1 for _ in all_steps(stored.composition.steps))
        if size > self._bounds.max_steps:  # no more: looking at a huge one takes long
            return [_finding(nesting_rules.too_many(size, self._bounds), stored, document)]
        facts = Facts(
            stored.composition, tools=tools, functions=self._functions, library=self._library
        )
        return [_finding(issue, stored, document) for issue in _issues(facts, self._bounds)]

    def require(self, stored: StoredComposition) -> None:
        """Refuse a composition that cannot be played.

        Raises:
            CompositionInvalidError: it has errors; the first is in the message.

        """
        errors = [finding for finding in self.check(stored) if finding.severity == "error"]
        if errors:
            first = errors[0]
            where = f"{first.where}: " if first.where else ""
            more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
            raise CompositionInvalidError(
                f"composition '{stored.id}': {where}{first.message}{more}",
                hint=first.hint or "see every fault: podium check",
            )


def _finding(issue: Issue, stored: StoredComposition, document: Document | None) -> Finding:
    line = document.line_of(issue.keys) if document else None
    return Finding(
        issue.severity, stored.source, issue.message, dotted(issue.keys), line, issue.hint
    )


def _issues(facts: Facts, bounds: Bounds) -> Iterator[Issue]:
    """Yield every finding; what makes others meaningless comes alone."""
    composition = facts.composition
    for key in ("input_schema", "output_schema"):
        yield from step_rules.schema_issues(getattr(composition, key), (key,))
    unread = list(reading_rules.syntax_issues(facts))
    yield from unread
    if unread:
        return
    try:
        build_plan(composition, declared_params(composition))
    except CompositionInvalidError as refused:
        for fault in refused.faults:
            yield error(fault.message, keys_of(fault.where), fault.hint)
        return
    yield from nesting_rules.bound_issues(facts, bounds)
    yield from _example_issues(composition)
    yield from step_rules.body_issues(whole(composition))
    for place in facts.places:
        yield from _place_issues(place, facts)
        yield from nesting_rules.round_issues(place, bounds)
    for reading in output_readings(composition):
        yield from reading_rules.reading_issues(reading, facts)
    yield from step_rules.undo_issues(facts)


def _place_issues(place: Place, facts: Facts) -> Iterator[Issue]:
    blocks = frozenset(block.id for block in (*place.around, place.step))
    for reading in place.readings():
        yield from reading_rules.reading_issues(reading, facts, blocks)
    yield from step_rules.step_issues(place, facts)
    yield from reading_rules.mapped_issues(place, facts)
    yield from reading_rules.bound_issues(place)
    yield from nesting_rules.played_issues(place, facts)
    yield from live_rules.live_issues(place, facts)
    if isinstance(place.step, BlockStep):
        for body in place.bodies():
            yield from step_rules.body_issues(body)


def _without_required(composition: Composition, names: Collection[str]) -> Composition:
    """Return the composition with a schema that does not require these params."""
    schema = composition.input_schema
    required = (schema or {}).get("required")
    if not names or schema is None or not isinstance(required, list):
        return composition
    less = {**schema, "required": [name for name in required if name not in names]}
    return composition.model_copy(update={"input_schema": less})


def _example_issues(composition: Composition) -> Iterator[Issue]:
    for index, example in enumerate(composition.examples):
        try:
            asked = _without_required(composition, example.open_params)
            checked_params(asked, example.params, is_strict=True)
        except InvalidParamsError as invalid:
            for fault in invalid.faults:
                yield error(str(fault), ("examples", index))
