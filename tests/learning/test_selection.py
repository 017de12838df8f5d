"""Which composition answers: the best one mostly, one on trial now and then."""

import random
from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from podium.domain.learning import LearningRules
from podium.monitor.selection import Candidate, Choice, choose
from tests.learning.healths import RULES, health, played

NOW = 1e9


def candidate(
    id_: str, status: Any, runs: str = "", *, only_reads: bool = True, **more: Any
) -> Candidate:
    known, _ = played(health(status, **more), runs, LearningRules(is_enabled=False))
    return Candidate(id_, status, only_reads, known)


def shares(candidates: list[Candidate], draws: int = 4_000) -> Counter[str]:
    """Return who would get which share if it were always the turn of those on trial."""
    source = random.Random(3)
    chosen = (choose(candidates, NOW, RULES, source, is_turn=True) for _ in range(draws))
    counted = Counter(choice.composition_id for choice in chosen if choice)
    return Counter({id_: count / draws for id_, count in counted.items()})


def test_one_on_trial_answers_only_when_it_is_its_turn() -> None:
    both = [candidate("old", "validated", "+-" * 10), candidate("new", "learning", "+" * 20)]

    got = shares(both)
    other = choose(both, NOW, RULES, random.Random(3), is_turn=False)

    assert got["new"] > 0.9
    assert other == Choice("old", "the only one", turn="passed")


def test_a_probe_of_one_on_trial_waits_for_its_turn_as_well() -> None:
    known, _ = played(health("learning"), "---")
    paused = Candidate("new", "learning", only_reads=True, health=known)
    both = [candidate("old", "validated", "+" * 20), paused]

    early = choose(both, NOW, RULES, random.Random(1), is_turn=False)
    late = choose(both, NOW, RULES, random.Random(1), is_turn=True)

    assert early == Choice("old", "the only one", turn="passed")
    assert late == Choice("new", "probe", is_probe=True, is_unproven=True, turn="taken")


def test_one_on_trial_that_writes_gets_none_while_a_proven_one_can_answer() -> None:
    writing = candidate("new", "learning", "+" * 20, only_reads=False)

    assert shares([candidate("old", "validated", "+-" * 10), writing])["new"] == 0


def test_where_nothing_is_proven_the_one_on_trial_answers() -> None:
    choice = choose(
        [candidate("new", "learning", only_reads=False)], NOW, RULES, random.Random(1), is_turn=True
    )

    assert choice is not None
    assert (choice.composition_id, choice.is_unproven) == ("new", True)


def test_the_better_of_two_proven_ones_gets_most_requests() -> None:
    got = shares([candidate("a", "validated", "+--+" * 5), candidate("b", "validated", "+" * 20)])

    assert got["b"] > 0.95


def test_a_template_nobody_knows_yet_stands_against_one_that_just_passed() -> None:
    got = shares([candidate("authored", "template"), candidate("learnt", "validated", "+++++")])

    assert 0.3 < got["authored"] < 0.7


def test_what_a_person_pinned_answers_and_what_is_forbidden_does_not() -> None:
    pinned = candidate("mine", "learning", "---", hold="pinned")
    forbidden = candidate("never", "validated", "+" * 20, hold="forbidden")

    assert shares([candidate("old", "validated", "+" * 20), pinned])["mine"] == 1
    assert shares([candidate("old", "template"), forbidden])["never"] == 0


def test_a_paused_one_waits_and_then_gets_one_probe() -> None:
    known, _ = played(health("validated"), "+" * 12 + "---")
    assert known.pause is not None
    paused = Candidate("bad", "validated", only_reads=True, health=known)
    other = candidate("good", "template")

    early = choose([paused, other], known.pause.until - 1, RULES, random.Random(1), is_turn=True)
    due = choose([paused, other], known.pause.until, RULES, random.Random(1), is_turn=True)

    assert early is not None
    assert early.composition_id == "good"
    assert due is not None
    assert (due.composition_id, due.is_probe) == ("bad", True)


def test_a_paused_one_that_writes_is_not_probed_on_somebody_who_could_be_served() -> None:
    known, _ = played(health("validated"), "+" * 12 + "---")
    writing = Candidate("bad", "validated", only_reads=False, health=known)

    choice = choose(
        [writing, candidate("good", "template")], NOW, RULES, random.Random(1), is_turn=True
    )
    alone = choose([writing], NOW, RULES, random.Random(1), is_turn=True)

    assert choice is not None
    assert choice.composition_id == "good"
    assert alone is not None
    assert alone.is_probe


def test_nothing_answers_while_all_are_paused() -> None:
    known, _ = played(health("validated"), "+" * 12 + "---")
    paused = Candidate("bad", "validated", only_reads=True, health=known)

    assert choose([paused], 0.0, RULES, random.Random(1), is_turn=True) is None
    assert choose([], NOW, RULES, random.Random(1), is_turn=True) is None


def test_while_learning_is_off_the_status_decides() -> None:
    rules = LearningRules(is_enabled=False)
    all_ = [
        candidate("l", "learning"),
        candidate("t", "template"),
        candidate("v", "validated", "---"),
    ]

    choice = choose(all_, NOW, rules, random.Random(1), is_turn=True)

    assert choice is not None
    assert choice.composition_id == "v"


STATUSES = st.sampled_from(["template", "learning", "validated", "deprecated"])
HOLDS = st.sampled_from(["", "", "", "pinned", "forbidden"])


@given(
    all_=st.lists(st.tuples(STATUSES, st.text("+-", max_size=8), HOLDS, st.booleans()), max_size=5),
    seed=st.integers(0, 99),
    is_turn=st.booleans(),
)
def test_what_is_chosen_may_always_answer(all_: list[Any], seed: int, *, is_turn: bool) -> None:
    known = [
        candidate(str(n), status, runs, only_reads=reads, hold=hold)
        for n, (status, runs, hold, reads) in enumerate(all_)
    ]

    choice = choose(known, NOW, RULES, random.Random(seed), is_turn=is_turn)

    if choice is not None:
        chosen = known[int(choice.composition_id)]
        assert chosen.status != "deprecated"
        assert chosen.hold != "forbidden"
    else:
        assert all(c.status == "deprecated" or c.hold == "forbidden" for c in known)
