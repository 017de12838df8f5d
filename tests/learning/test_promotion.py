"""Promotion, withdrawal and pauses: a table of stories, what always holds, and the figures."""

import json
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.promotion import RULES as RULES_OF_THE_BENCHMARK
from benchmarks.promotion import TRIAL, alarms_from_nothing, falls, trials
from podium.domain.learning import Health, LearningRules
from podium.monitor.bounds import lower_bound, upper_bound
from podium.monitor.promotion import (
    Seen,
    after_correction,
    after_look,
    by_person,
    probe,
)
from tests.learning.healths import HOUR, RULES, health, kinds, played

STORIES = json.loads(Path(__file__).with_name("promotion.json").read_text("utf-8"))
DEFAULT = RULES_OF_THE_BENCHMARK["80 % (default)"]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story["name"])
def test_a_composition_follows_its_story(story: dict[str, Any]) -> None:
    rules = LearningRules(**story.get("rules", {}))
    start = health(story.get("from", "learning"), **story.get("health", {}))

    end, changes = played(start, story["runs"], rules)

    assert (kinds(changes), end.status) == (story["changes"], story["status"])


# --- the figures the project promises


def test_a_coin_flip_is_promoted_in_at_most_one_case_in_ten_and_a_good_one_nearly_always() -> None:
    bad, good = trials(0.5, DEFAULT, 2_000, seed=6), trials(0.9, DEFAULT, 2_000, seed=6)

    assert bad.promoted <= 0.10
    assert good.promoted >= 0.99
    assert good.median is not None
    assert good.median <= 8
    assert trials(0.5, RULES_OF_THE_BENCHMARK["bare rate"], 500, seed=6).promoted > 0.25


def test_what_falls_to_two_in_ten_is_withdrawn_soon_and_what_stays_healthy_is_kept() -> None:
    fallen = falls(0.2, DEFAULT, 600, seed=6)

    assert fallen.false_alarms < 0.03
    assert alarms_from_nothing(DEFAULT, 1_500, seed=6) < 0.03
    assert fallen.withdrawn == 1.0
    assert fallen.median is not None
    assert fallen.median <= 10


def test_the_share_of_promoted_coin_flips_is_the_one_that_can_be_computed() -> None:
    exact = exactly_promoted(0.5, TRIAL)

    assert exact <= 0.10
    assert abs(trials(0.5, DEFAULT, 2_000, seed=11).promoted - exact) < 0.02


def exactly_promoted(rate: float, runs: int) -> float:
    """Return the chance of promotion, from all ways the runs can go: written down independently."""
    z = 0.8416212335729143
    states = {(0, 0, 0, -1): 1.0}  # successes, failures, failures in a row, probes done (-1: open)
    promoted = 0.0
    for _ in range(runs):
        following: dict[tuple[int, int, int, int], float] = {}
        for (good, bad, streak, probes), chance in states.items():
            for is_success in (True, False):
                share = chance * (rate if is_success else 1 - rate)
                s, f = good + is_success, bad + (not is_success)
                row = 0 if is_success else streak + 1
                done = probes if probes < 0 else (probes + 1 if is_success else 0)
                done = -1 if done >= 2 else done
                n, p = s + f, s / (s + f)
                spread = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
                low = (p + z * z / (2 * n) - spread) / (1 + z * z / n)
                if done < 0 and n >= 5 and low >= 0.7:
                    promoted += share
                    continue
                done = 0 if done < 0 and row >= 3 else done
                key = (s, f, min(row, 3), done)
                following[key] = following.get(key, 0.0) + share
        states = following
    return promoted


# --- what always holds

OUTCOMES = st.text(alphabet="+-", max_size=60)


@given(outcomes=OUTCOMES, seconds=st.sampled_from([1.0, 30.0, HOUR]))
def test_whatever_happens_the_record_stays_bounded_and_true_to_itself(
    outcomes: str, seconds: float
) -> None:
    end, changes = played(health(), outcomes, seconds_apart=seconds)

    assert len(end.window) <= RULES.window
    assert Health.from_dict(json.loads(json.dumps(end.to_dict()))) == end
    assert end.pause is None or 60 <= end.pause.wait_seconds <= 3_600
    for change in changes:
        assert change.reason
        assert change.evidence["rules"]["min_executions"] == RULES.min_executions
        assert change.is_move == (change.from_status != change.to_status)


@given(outcomes=OUTCOMES)
def test_the_same_runs_come_to_the_same(outcomes: str) -> None:
    assert played(health(), outcomes) == played(health(), outcomes)


@given(runs=st.integers(1, 500), share=st.floats(0, 1), confidence=st.floats(0, 0.999))
def test_the_bounds_enclose_the_rate_and_a_confidence_of_none_is_the_rate(
    runs: int, share: float, confidence: float
) -> None:
    successes = round(share * runs)
    low, high = lower_bound(successes, runs, confidence), upper_bound(successes, runs, confidence)

    assert -1e-9 <= low <= successes / runs + 1e-9
    assert successes / runs - 1e-9 <= high <= 1 + 1e-9
    assert lower_bound(successes, runs, 0) == successes / runs


@given(outcomes=st.text(alphabet="+-", min_size=1, max_size=20), place=st.integers(0, 19))
def test_a_correction_and_its_correction_leave_the_counts_as_they_were(
    outcomes: str, place: int
) -> None:
    rules = LearningRules(is_enabled=False)
    before, _ = played(health(), outcomes, rules)
    run = before.window[place % len(before.window)]

    other, _ = after_correction(
        before, run.execution_id, rules, HOUR, is_success=not run.is_success
    )
    back, _ = after_correction(other, run.execution_id, rules, HOUR, is_success=run.is_success)

    assert (back.successes, back.failures, back.window) == (
        before.successes,
        before.failures,
        before.window,
    )


# --- pauses


def test_each_failed_probe_doubles_the_wait_up_to_an_hour() -> None:
    rules = LearningRules(min_success_rate=0.0)  # so that nothing withdraws it
    paused, _ = played(health("validated"), "---", rules)
    waits = []
    for _ in range(8):
        assert paused.pause is not None
        waits.append(paused.pause.wait_seconds)
        assert probe(paused, paused.pause.until - 1, rules) is None
        paused, _ = played(paused, "-", rules)

    assert waits == [60, 120, 240, 480, 960, 1_920, 3_600, 3_600]


def test_a_probe_lets_one_request_through_and_no_second_before_it_ended() -> None:
    paused, _ = played(health("validated"), "---")
    assert paused.pause is not None
    due = paused.pause.until

    first = probe(paused, due, RULES)

    assert first is not None
    assert probe(first, due, RULES) is None
    assert probe(first, due + 60, RULES) is not None  # a probe that never came back blocks nothing


# --- files and tools


def seen(**changes: Any) -> Seen:
    values: dict[str, Any] = {
        "composition_id": "notes",
        "status": "validated",
        "meaning": "m1",
        "tools": {"files.read": "t1"},
    }
    return Seen(**{**values, **changes})


def test_a_changed_tool_puts_a_validated_one_on_trial_again_and_is_no_demotion() -> None:
    proven, _ = played(health(), "+++++")

    after, changes = after_look(proven, seen(tools={"files.read": "t2"}), HOUR, RULES)

    assert after is not None
    assert (after.status, after.demotions, after.successes) == ("learning", 0, 0)
    assert after.version != proven.version
    assert [(c.kind, c.from_status, c.to_status) for c in changes] == [
        ("relearning", "validated", "learning")
    ]
    assert changes[0].evidence["tools"] == {"files.read": {"before": "t1", "now": "t2"}}


def test_a_tool_whose_server_is_down_counts_as_unchanged() -> None:
    proven, _ = played(health(), "+++++")

    assert after_look(proven, seen(tools={"files.read": None}), HOUR, RULES) == (proven, ())


def test_what_a_person_edited_stays_where_it_is_and_proves_itself_anew() -> None:
    proven, _ = played(health(), "+++++")

    after, changes = after_look(proven, seen(meaning="m2"), HOUR, RULES)

    assert after is not None
    assert (after.status, after.successes, after.window) == ("validated", 0, ())
    assert kinds(changes) == ["edited"]
    assert not changes[0].is_move


def test_the_folder_decides_the_status() -> None:
    after, changes = after_look(health("learning"), seen(status="validated"), HOUR, RULES)

    assert after is not None
    assert (after.status, changes) == ("validated", ())


# --- a person's word


@pytest.mark.parametrize(
    ("status", "command", "becomes"),
    [
        ("learning", "promote", "validated"),
        ("deprecated", "promote", "learning"),
        ("template", "promote", "validated"),
        ("validated", "promote", "validated"),
        ("validated", "demote", "learning"),
        ("learning", "demote", "deprecated"),
        ("deprecated", "demote", "deprecated"),
    ],
)
def test_a_person_moves_it_one_step(status: Any, command: Any, becomes: str) -> None:
    after, changes = by_person(health(status), command, HOUR, RULES)

    assert after is not None
    assert after.status == becomes
    assert bool(changes) == (status != becomes)
    assert all(change.by == "a person" for change in changes)


def test_a_person_ends_a_pause() -> None:
    paused, _ = played(health("validated"), "---")

    after, changes = by_person(paused, "release", HOUR, RULES)

    assert after is not None
    assert after.pause is None
    assert kinds(changes) == ["released"]


def test_what_is_said_twice_changes_nothing_more() -> None:
    pinned, first = by_person(health("validated"), "pin", HOUR, RULES)
    assert pinned is not None

    again, second = by_person(pinned, "pin", HOUR, RULES)

    assert (kinds(first), kinds(second), again) == (["held"], [], pinned)
