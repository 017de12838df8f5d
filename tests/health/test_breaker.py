"""The breaker's rules: a table of stories, and what holds whatever the calls do."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podium.domain.breaker import Breaker, BreakerRules, Outcome

STORIES = json.loads(Path(__file__).with_name("breaker.json").read_text("utf-8"))
OUTCOMES: tuple[Outcome, ...] = ("succeeded", "failed", "given_up")


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story["name"])
def test_a_breaker_follows_its_story(story: dict[str, Any]) -> None:
    rules, breaker, now = BreakerRules(**story["rules"]), Breaker(), 0.0

    for kind, *seconds in story["steps"]:
        if kind == "wait":
            now += seconds[0]
            continue
        admitted = breaker.admit(now, rules)
        assert (admitted is None) == (kind == "refused")
        if admitted is not None:
            breaker = admitted.settle(admitted.turn, kind, now, rules)

    assert breaker.circuit == story["circuit"]


_MOVES = st.one_of(
    st.just(("ask",)),
    st.tuples(st.just("end"), st.integers(0, 20), st.sampled_from(OUTCOMES)),
    st.tuples(st.just("wait"), st.integers(0, 20)),
)


@given(moves=st.lists(_MOVES, max_size=60), failures=st.integers(1, 4))
def test_however_calls_overlap_at_most_one_probe_is_out_and_every_open_time_ends(
    moves: list[tuple[Any, ...]], failures: int
) -> None:
    rules, breaker, now = BreakerRules(failures, open_seconds=10), Breaker(), 0.0
    out: list[tuple[int, bool]] = []  # the calls on their way: turn, whether it is a probe

    for kind, *rest in moves:
        if kind == "wait":
            now += rest[0]
        elif kind == "ask" and (admitted := breaker.admit(now, rules)) is not None:
            breaker = admitted
            out.append((breaker.turn, breaker.circuit == "half_open"))
        elif kind == "end" and out:
            turn, _ = out.pop(rest[0] % len(out))
            breaker = breaker.settle(turn, rest[1], now, rules)
        probes = [turn for turn, is_probe in out if is_probe and turn == breaker.turn]

        assert len(probes) == (breaker.circuit == "half_open")
        assert breaker.seconds_to_probe(now, rules) <= rules.open_seconds

    for turn, _ in out:
        breaker = breaker.settle(turn, "given_up", now, rules)
    admitted = breaker.admit(now + rules.open_seconds, rules)
    assert admitted is not None
    assert admitted.settle(admitted.turn, "succeeded", now, rules).circuit == "closed"
