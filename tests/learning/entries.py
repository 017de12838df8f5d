"""Entries of executions as the monitor makes them, for tests of what keeps them."""

from podium.domain.learning import Decide, Decision, Entry, Health, LearningRules, Run, Verdict
from podium.domain.tallies import Histogram, Subject, Tally
from podium.monitor.promotion import after_run
from tests.learning.healths import health

OWN = Subject("composition", "v1", "notes")
TOOL = Subject("tool", "", "files.read")


def entry(
    execution_id: str,
    verdict: Verdict = "success",
    *,
    at: float = 1.0,
    code: str = "",
    user: str = "",
) -> Entry:
    tally = Tally(
        runs=1,
        successes=verdict == "success",
        failures=verdict == "failure",
        calls=2,
        durations=Histogram.of([10.0]),
        errors={code: 1} if code else {},
    )
    return Entry(
        execution_id, "notes", "v1", verdict, at, {OWN: tally, TOOL: tally}, code, 10.0, user
    )


def after(execution_id: str, *, is_success: bool, rules: LearningRules | None = None) -> Decide:
    def decide(known: Health | None) -> Decision:
        known = known or health()
        return after_run(
            known, Run(execution_id, is_success, known.since), rules or LearningRules()
        )

    return decide
