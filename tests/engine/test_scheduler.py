"""The scheduler on random graphs: every step starts once, after all it waits for, or is dropped."""

from hypothesis import given
from hypothesis import strategies as st

from podium.execution.scheduler import Scheduler


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


def test_a_step_does_not_wait_for_a_slow_one_that_it_does_not_need() -> None:
    scheduler = Scheduler({"quick": (), "slow": (), "after_quick": ("quick",)})

    first = scheduler.ready()
    scheduler.finish("quick")

    assert (first, scheduler.ready()) == (["quick", "slow"], ["after_quick"])
