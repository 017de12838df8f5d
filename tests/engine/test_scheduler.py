"""The pure parts on random input: every step ends once, limits hold, nothing waits for ever."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podium.domain.errors import ToolFailedError
from podium.execution.joins import join_of
from podium.execution.memory import Memory, Outcome, remembered
from podium.execution.rounds import Rounds
from podium.execution.scheduler import TRANSITIONS, Scheduler
from podium.execution.slots import RANKS, TURN_OF_THE_OTHERS, Slots, Ticket


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, set[str]]:
    """Draw an acyclic graph whose steps stand in any order in the file."""
    size = draw(st.integers(1, 12))
    names = [f"s{number}" for number in range(size)]
    waits = {
        name: draw(st.sets(st.sampled_from(names[:position]))) if position else set()
        for position, name in enumerate(names)
    }
    order = draw(st.permutations(names))
    return {name: waits[name] for name in order}


# --- the scheduler


@given(graphs(), st.data())
def test_every_step_starts_once_and_after_all_it_waits_for(
    graph: dict[str, set[str]], data: st.DataObject
) -> None:
    scheduler = Scheduler(graph)
    running, over, started = set(), set(), []

    while len(over) < len(graph):
        ready = scheduler.ready()
        assert all(graph[step] <= over for step in ready)
        started += ready
        running |= set(ready)
        assert running, "nothing runs and something waits: a deadlock"
        step = data.draw(st.sampled_from(sorted(running)))
        scheduler.finish(step)
        running.remove(step)
        over.add(step)

    assert sorted(started) == sorted(graph)
    assert (scheduler.ready(), scheduler.finished_count) == ([], len(graph))


@given(graphs(), st.integers(0, 12))
def test_after_a_stop_nothing_starts_and_every_step_is_accounted_for(
    graph: dict[str, set[str]], finished: int
) -> None:
    scheduler = Scheduler(graph)
    running = scheduler.ready()
    over = []
    for _ in range(min(finished, len(graph) - 1)):
        step = running.pop(0)
        scheduler.finish(step)
        over.append(step)
        running += scheduler.ready()

    scheduler.stop()
    for step in running:
        scheduler.finish(step)

    assert scheduler.ready() == []
    assert scheduler.finished_count == len(over) + len(running)
    assert {scheduler.state(step) for step in graph} <= {"over", "dropped"}


@given(graphs(), st.data())
def test_what_waits_for_a_step_on_hold_never_starts_and_all_else_does(
    graph: dict[str, set[str]], data: st.DataObject
) -> None:
    scheduler = Scheduler(graph)
    held = data.draw(st.sampled_from(sorted(graph)))
    behind = {held}
    for _ in graph:
        behind |= {step for step, waits in graph.items() if waits & behind}

    started = []
    while ready := scheduler.ready():
        started += ready
        for step in ready:
            (scheduler.hold if step == held else scheduler.finish)(step)

    assert set(started) == (graph.keys() - behind) | {held}
    assert scheduler.has_hold


def test_a_step_does_not_wait_for_a_slow_one_that_it_does_not_need() -> None:
    scheduler = Scheduler({"quick": (), "slow": (), "after_quick": ("quick",)})

    first = scheduler.ready()
    scheduler.finish("quick")

    assert (first, scheduler.ready()) == (["quick", "slow"], ["after_quick"])


def test_whatever_the_table_does_not_hold_is_refused() -> None:
    scheduler = Scheduler({"a": (), "b": ("a",)})
    scheduler.ready()

    scheduler.finish("a")

    with pytest.raises(KeyError):
        scheduler.finish("a")
    with pytest.raises(KeyError):
        Scheduler({"a": ("nothing",)})
    assert ("over", "start") not in TRANSITIONS


# --- joins


@given(st.integers(1, 8), st.data())
def test_a_join_decides_at_the_first_moment_at_which_nothing_can_change_it(
    total: int, data: st.DataObject
) -> None:
    wanted = data.draw(st.sampled_from(["all", "any", data.draw(st.integers(1, total))]))
    endings = data.draw(
        st.lists(st.sampled_from(["done", "failed", "skipped"]), min_size=total, max_size=total)
    )
    join = join_of(wanted, total)

    verdicts = [join.note(ending) for ending in endings]

    for number, verdict in enumerate(verdicts, start=1):
        past = endings[:number]
        assert verdict == _verdict(wanted, past, total - number)
    if wanted != "all":
        assert verdicts[-1] != "open"


def _verdict(wanted: Any, past: list[str], left: int) -> str:
    """Return the same by counting over."""
    if wanted == "all":
        return "impossible" if "failed" in past else "open"
    needed = 1 if wanted == "any" else wanted
    if past.count("done") >= needed:
        return "enough"
    return "impossible" if past.count("done") + left < needed else "open"


# --- rounds


@given(st.integers(0, 20), st.integers(0, 5), st.integers(1, 6), st.data())
def test_rounds_begin_in_order_end_once_and_keep_their_places(
    count: int, tolerated: int, workers: int, data: st.DataObject
) -> None:
    rounds: Rounds[int] = Rounds(count, tolerated)
    begun, running, bad = [], [], []

    while True:
        while len(running) < workers and (number := rounds.begin()) is not None:
            begun.append(number)
            running.append(number)
        if not running:
            break
        number = running.pop(data.draw(st.integers(0, len(running) - 1)))
        if data.draw(st.booleans()):
            rounds.finish(number, number)
        else:
            bad.append(number)
            assert rounds.fail(number, ToolFailedError("no")) == (len(bad) <= tolerated)

    assert begun == list(range(len(begun)))
    assert rounds.done + len(rounds.failed) == len(begun)
    assert (rounds.failure is None) == (len(bad) <= tolerated)
    if rounds.failure is None:
        assert len(begun) == count
        assert rounds.results == [None if n in bad else n for n in range(count)]
    else:
        assert rounds.failed_at == bad[tolerated]


# --- slots


@given(st.integers(1, 4), st.data())
def test_slots_are_never_exceeded_never_lost_and_every_request_ends(
    limit: int, data: st.DataObject
) -> None:
    slots = Slots(limit)
    holding: list[Ticket] = []
    waiting: list[Ticket] = []

    for _ in range(data.draw(st.integers(0, 60))):
        move = data.draw(st.sampled_from(["ask", "give", "withdraw"]))
        if move == "ask":
            ticket = Ticket(data.draw(st.sampled_from(RANKS)))
            (holding if slots.request(ticket) else waiting).append(ticket)
        elif move == "give" and holding:
            _end(slots, holding.pop(data.draw(st.integers(0, len(holding) - 1))), holding, waiting)
        elif move == "withdraw" and waiting:
            _end(slots, waiting.pop(data.draw(st.integers(0, len(waiting) - 1))), holding, waiting)
        assert slots.used == len(holding) <= limit
        assert slots.waiting == len(waiting)
        assert not waiting or len(holding) == limit, "a slot is free and somebody waits"
    while holding:
        _end(slots, holding.pop(), holding, waiting)

    assert (slots.used, slots.waiting, waiting) == (0, 0, [])


def _end(slots: Slots, ticket: Ticket, holding: list[Ticket], waiting: list[Ticket]) -> None:
    following = slots.give_back(ticket)
    if following is not None:
        waiting.remove(following)
        holding.append(following)


@given(st.lists(st.sampled_from(["high", "normal", "low"]), min_size=1, max_size=80))
def test_nobody_waits_longer_than_their_turn_of_the_others(ranks: list[Any]) -> None:
    slots, order = Slots(1), []
    slots.request(first := Ticket("normal"))
    tickets = [Ticket(rank) for rank in ranks]
    for ticket in tickets:
        slots.request(ticket)

    holder: Ticket | None = first
    while (holder := slots.give_back(holder)) is not None:
        order.append(holder)

    for place, ticket in enumerate(tickets):
        # At worst all that came before it have their turn of the others before it has its own.
        assert order.index(ticket) < TURN_OF_THE_OTHERS * (place + 1)
    for rank in ("high", "normal", "low"):
        numbers = [ticket.number for ticket in order if ticket.rank == rank]
        assert numbers == sorted(numbers)


def test_a_primary_request_is_always_first() -> None:
    slots = Slots(1)
    slots.request(first := Ticket())
    others = [Ticket(rank) for rank in ["low", "high"] * 20]
    primary = [Ticket("primary") for _ in range(20)]
    for ticket in (*others, *primary):
        slots.request(ticket)

    holder, order = first, []
    for _ in primary:
        holder = slots.give_back(holder)
        order.append(holder)

    assert order == primary


# --- memory

keys = st.sampled_from(["a", "b", "loop", "undo_"])
paths = st.lists(st.tuples(keys, st.none() | st.integers(0, 12)), min_size=1, max_size=4).map(
    lambda parts: ".".join(k if n is None else f"{k}[{n}]" for k, n in parts)
)


@given(st.dictionaries(paths, st.sampled_from(["done", "skipped", "failed"])), paths)
def test_a_memory_survives_its_written_form(kept: dict[str, Any], other: str) -> None:
    memory = Memory()
    for path, status in kept.items():
        memory.place(path).outcome = Outcome(status, value=path)

    again = remembered(memory.outcomes(), memory.choices())

    assert again.outcomes() == memory.outcomes()
    assert set(again.outcomes()) == set(kept)
    around = [p for p in kept if other == p or other.startswith((f"{p}.", f"{p}["))]
    assert again.covers(other) == bool(around)
