"""Counts that merge, and what an execution adds to them."""

import math
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podium.domain import tallies
from podium.domain.errors import CompositionPausedError, PodiumError
from podium.domain.execution import Execution, StepRecord
from podium.domain.learning import Baseline
from podium.domain.tallies import BUCKETS, Histogram, Subject, Tally, merged
from podium.monitor.blame import CHARGES, OTHER, verdict_on
from podium.monitor.statistics import correction, delta_of

MS = st.floats(0, 1e12)
TALLIES = st.builds(
    Tally,
    **{name: st.integers(0, 9) for name in tallies.COUNTS},
    durations=st.lists(MS, max_size=4).map(Histogram.of),
    errors=st.dictionaries(st.sampled_from(["tool_failed", "missing_value"]), st.integers(1, 9)),
)
SUBJECTS = st.builds(
    Subject, st.sampled_from(["composition", "step", "tool"]), st.just("v"), st.sampled_from("ab")
)
DELTAS = st.dictionaries(SUBJECTS, TALLIES, max_size=4)


@given(one=DELTAS, two=DELTAS, three=DELTAS)
def test_deltas_merge_in_any_order_and_grouping(
    one: dict[Subject, Tally], two: dict[Subject, Tally], three: dict[Subject, Tally]
) -> None:
    together = merged([one, two, three])

    assert merged([merged([one, two]), three]) == together
    assert merged([one, merged([two, three])]) == together
    assert merged([three, one, two]) == together


@given(durations=st.lists(st.floats(0.1, 1e7), min_size=1, max_size=200))
def test_a_percentile_is_near_the_true_one(durations: list[float]) -> None:
    histogram = Histogram.of(durations)
    for share in (0.5, 0.95):
        true = sorted(durations)[max(1, math.ceil(share * len(durations))) - 1]
        read = histogram.percentile(share)

        assert read is not None
        assert 0.9 <= read / true <= 1.1


@given(durations=st.lists(st.floats(allow_nan=True, allow_infinity=True)))
def test_a_histogram_never_grows_beyond_its_buckets(durations: list[float]) -> None:
    histogram = Histogram.of(durations)

    assert all(0 <= bucket < BUCKETS for bucket in histogram.counts)
    assert histogram.total == len(durations)


# --- what an execution adds


def execution(status: str = "success", code: str = "", **steps: StepRecord) -> Execution:
    found = Execution("exec_1", "notes", {}, status=status, duration_ms=40.0, steps=steps)  # type: ignore[arg-type]
    found.error = {"code": code} if code else None
    found.result = {"text": "x" * 392}
    return found


def step(step_id: str, status: str = "done", code: str = "", attempts: int = 1) -> StepRecord:
    error = {"code": code} if code else None
    return StepRecord(
        step_id,
        "files",
        step_id,
        status,
        attempts,
        duration_ms=10.0,
        error=error,  # type: ignore[arg-type]
    )


def test_an_execution_counts_for_its_composition_its_steps_and_its_tools() -> None:
    played = execution(
        list=step("list", attempts=3), read=step("read"), skip=step("skip", "skipped", attempts=0)
    )
    played.steps["read"].is_cached = True

    delta = delta_of(played, "success", "v1", Baseline(calls=7, tokens=1_000))

    own = delta[Subject("composition", "v1", "notes")]
    assert (own.runs, own.successes, own.calls, own.retries, own.cache_hits) == (1, 1, 3, 2, 1)
    assert (own.calls_saved, own.tokens_saved) == (6, 900)
    assert delta[Subject("step", "v1", "list")].retries == 2
    assert delta[Subject("tool", "", "files.read")].cache_hits == 1
    assert {s.name for s in delta if s.kind == "tool"} == {"files.list", "files.read"}
    assert Subject("step", "v1", "skip") not in delta


def test_a_call_outside_any_composition_counts_for_its_tool_alone() -> None:
    delta = delta_of(execution(call=step("call")), "success", "")

    assert list(delta) == [Subject("tool", "", "files.call")]


def test_a_failure_before_the_call_is_not_the_tool_s() -> None:
    wrong = execution("error", "argument_invalid", read=step("read", "failed", "argument_invalid"))

    delta = delta_of(wrong, "failure", "v1")

    assert {subject.kind for subject in delta} == {"composition", "step"}
    assert delta[Subject("step", "v1", "read")].errors == {"argument_invalid": 1}


def test_an_unknown_code_is_counted_under_one_name() -> None:
    delta = delta_of(
        execution("error", "made_up", read=step("read", "failed", "made_up")), "failure", "v"
    )

    assert delta[Subject("step", "v", "read")].errors == {OTHER: 1}


@pytest.mark.parametrize(
    ("status", "code", "step_code", "verdict"),
    [
        ("success", "", "", "success"),
        ("success", "", "tool_failed", "success"),  # a step it can do without
        ("cancelled", "", "", "uncounted"),
        ("error", "tool_failed", "tool_failed", "failure"),
        ("error", "output_invalid", "", "failure"),
        ("error", "missing_value", "missing_value", "failure"),
        ("error", "upstream_unavailable", "upstream_unavailable", "uncounted"),
        ("error", "upstream_closed", "upstream_closed", "uncounted"),
        ("error", "upstream_timeout", "upstream_timeout", "uncounted"),
        ("error", "upstream_open", "upstream_open", "uncounted"),
        ("error", "rate_limited", "rate_limited", "uncounted"),
        ("error", "execution_timeout", "", "failure"),
        ("error", "execution_timeout", "upstream_timeout", "uncounted"),
        ("error", "invalid_params", "", "uncounted"),
        ("error", "interrupted", "", "uncounted"),
        ("error", "internal_error", "", "uncounted"),
        ("error", "never_heard_of", "", "failure"),
    ],
)
def test_a_failure_is_charged_to_who_answers_for_it(
    status: str, code: str, step_code: str, verdict: str
) -> None:
    steps = {"a": step("a", "failed", step_code)} if step_code else {}

    assert verdict_on(execution(status, code, **steps)) == verdict


def test_every_error_of_the_project_has_somebody_who_answers_for_it() -> None:
    ours = (e for e in below(PodiumError) if e.__module__.startswith("podium.domain"))
    codes = {error.code for error in ours}

    assert codes - CHARGES.keys() == set()
    assert CompositionPausedError.code in codes


def below(root: type[PodiumError]) -> Iterator[type[PodiumError]]:
    yield root
    for error in root.__subclasses__():
        yield from below(error)


def test_a_correction_takes_from_one_side_what_it_gives_to_the_other() -> None:
    subject = Subject("composition", "v", "notes")
    run = {subject: Tally(runs=1, successes=1)}

    corrected = merged([run, correction("success", "failure", "v", "notes")])

    assert corrected == {subject: Tally(runs=1, failures=1)}
