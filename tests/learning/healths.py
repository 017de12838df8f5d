"""Healths and runs for tests of the rules."""

from collections.abc import Iterable

from podium.domain.composition import CompositionStatus
from podium.domain.learning import Change, Health, LearningRules, Run
from podium.monitor.promotion import after_run

RULES = LearningRules()
HOUR = 3_600.0


def health(status: CompositionStatus = "learning", **changes: object) -> Health:
    values: dict[str, object] = {
        "composition_id": "notes",
        "version": "v1",
        "meaning": "m1",
        "tools": {"files.read": "t1"},
        "status": status,
        "since": 0.0,
    }
    return Health(**{**values, **changes})  # type: ignore[arg-type]


def played(
    start: Health, outcomes: str, rules: LearningRules = RULES, *, seconds_apart: float = HOUR
) -> tuple[Health, list[Change]]:
    """Return the health after runs given as `+` and `-`, and all that changed."""
    now, changes = start.window[-1].at if start.window else start.since, []
    for number, outcome in enumerate(outcomes):
        now += seconds_apart
        start, found = after_run(start, Run(f"e{number}@{now:g}", outcome == "+", now), rules)
        changes += found
    return start, changes


def kinds(changes: Iterable[Change]) -> list[str]:
    return [change.kind for change in changes]
