"""What a run takes, and what that says about how busy the slots will be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podium.domain.execution import Execution, StepRecord
from podium.domain.profiles import Profile, profile_of
from podium.domain.tallies import Histogram, Subject, Tally
from podium.execution.load import room_of
from podium.execution.slots import Ticket
from podium.monitor.statistics import delta_of

QUICK = Profile(10, 10.0, 40.0, 1.0, 1.0, 0.0, 0.0)
SLOW = Profile(10, 10_000.0, 40_000.0, 1.0, 1.0, 0.0, 0.0)
LOOP = Profile(10, 10_000.0, 40_000.0, 20.0, 20.0, 0.0, 0.0)


def test_a_profile_says_what_one_run_takes() -> None:
    counted = Tally(
        runs=4, successes=2, failures=1, uncounted=1, calls=10, rounds=8, tokens=100,
        durations=Histogram.of([1.0, 1.0, 1.0, 800.0]),
    )  # fmt: skip

    found = profile_of(counted)

    assert found.to_dict() == {
        "runs": 4,
        "typical_ms": pytest.approx(1.0, rel=0.1),
        "p95_ms": pytest.approx(800.0, rel=0.1),
        "calls": 2.5,
        "rounds": 2.0,
        "tokens": 25.0,
        "error_rate": 0.333,
    }


def test_what_never_ran_has_no_durations_and_no_error_rate() -> None:
    found = profile_of(Tally())

    assert (found.typical_ms, found.error_rate, found.calls) == (None, None, 0.0)
    assert found.remaining_seconds() is None


def test_a_loop_counts_its_rounds_and_their_calls() -> None:
    step = StepRecord("read", "files", "read", "done", attempts=2, duration_ms=30.0)
    step.inputs = [{"path": "a"}, {"path": "b"}, {"path": "c"}]
    played = Execution("e1", "notes", {}, status="success", duration_ms=30.0, steps={"read": step})

    delta = delta_of(played, "success", "v1")

    tool = delta[Subject("tool", "", "files.read")]
    assert (tool.runs, tool.rounds, tool.calls, tool.retries) == (1, 3, 4, 1)
    assert delta[Subject("composition", "v1", "notes")].rounds == 3


@pytest.mark.parametrize(
    ("expected", "elapsed", "seconds"),
    [
        (QUICK, 0.0, 0.01),
        (QUICK, 0.008, 0.002),
        (QUICK, 0.03, 0.01),  # as long as the slowest take
        (QUICK, 5.0, None),  # it hangs
        (LOOP, 0.0, 0.5),  # one of twenty rounds
    ],
)
def test_a_call_goes_on_as_long_as_others_did(
    expected: Profile, elapsed: float, seconds: float | None
) -> None:
    assert expected.remaining_seconds(elapsed) == pytest.approx(seconds)


def tickets_of(*calls: tuple[Profile | None, bool]) -> list[Ticket]:
    return [
        Ticket(expected=expected, state="granted" if is_out else "waiting", granted_at=100.0)
        for expected, is_out in calls
    ]


def test_calls_that_will_be_over_at_once_leave_room_and_long_ones_do_not() -> None:
    quick = tickets_of(*[(QUICK, True)] * 4)
    slow = tickets_of(*[(SLOW, True)] * 4)
    queued = tickets_of(*[(QUICK, True)] * 4, *[(QUICK, False)] * 40)

    assert room_of(quick, 4, 100.0) == pytest.approx(0.99)
    assert room_of(queued, 4, 100.0) == pytest.approx(0.89)
    assert room_of(slow, 4, 100.0) == 0
    assert room_of(quick, 4, 105.0) == 0  # they should have been over long ago


CALLS = st.tuples(st.sampled_from([None, QUICK, SLOW, LOOP]), st.booleans())


@given(calls=st.lists(CALLS, max_size=20), one=CALLS, limit=st.integers(1, 9), now=st.floats(0, 1))
def test_one_more_call_never_makes_more_room(
    calls: list[tuple[Profile | None, bool]],
    one: tuple[Profile | None, bool],
    limit: int,
    now: float,
) -> None:
    before = room_of(tickets_of(*calls), limit, 100 + now)
    after = room_of(tickets_of(*calls, one), limit, 100 + now)

    assert 0 <= after <= before <= 1
    assert before >= max(0.0, 1 - len(calls) / limit)


@given(count=st.integers(0, 20), limit=st.integers(1, 9))
def test_of_calls_that_nobody_knows_each_fills_a_slot(count: int, limit: int) -> None:
    assert room_of(tickets_of(*[(None, True)] * count), limit, 0.0) == max(0.0, 1 - count / limit)
