"""Random compositions, played by the real engine; their traces compiled; what comes out played."""

import random
from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.trace_worlds import Task, played, random_task, traces_of
from benchmarks.traces import judge
from podium.compositions.checker import Checker
from podium.domain.composition import Composition, StoredComposition
from podium.monitor.traces.compiler import Compiled, compile_traces
from podium.monitor.traces.values import canonical
from tests.learning.recorded import new_evaluator

FEW = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


@FEW
@given(seed=st.integers(0, 2**32), count=st.integers(1, 3))
def test_what_is_accepted_passes_the_checker_and_makes_the_calls_of_every_trace(
    seed: int, count: int
) -> None:
    source = random.Random(seed)
    task = random_task(source)
    pairs = traces_of(task, count, source, share=0.1)

    compiled = compile_traces([trace for trace, _ in pairs], new_evaluator())

    if not isinstance(compiled, Compiled):
        # Coincidences may make one trace look like another task; nothing else may go wrong.
        assert compiled.code in {"contradictory", "not_reproduced"}
        return
    model = Composition.model_validate(compiled.composition)
    Checker(max_steps=20).require(StoredComposition(model, "learning", "test"))
    for number, (trace, _) in enumerate(pairs):
        made = replayed_calls(task, compiled, number)
        observed = {
            canonical([call.full_name, call.arguments]) for call in trace.calls if not call.is_error
        }
        assert made <= observed
        dropped = {name.partition(" ")[0] for name in compiled.evidence.dropped}
        missing = {call for call in observed - made if not any(name in call for name in dropped)}
        assert not missing


@FEW
@given(seed=st.integers(0, 2**32))
def test_the_same_traces_give_the_same_composition(seed: int) -> None:
    source = random.Random(seed)
    traces = [trace for trace, _ in traces_of(random_task(source), 2, source)]

    first = compile_traces(traces, new_evaluator())
    second = compile_traces(traces, new_evaluator())

    assert first == second


def test_three_traces_are_enough_where_they_show_all_there_is_to_learn() -> None:
    tally: Counter[str] = Counter()
    for number in range(40):
        source = random.Random(f"1 {number}")
        task = random_task(source)
        pairs = traces_of(task, 3, source)
        traces, params = [trace for trace, _ in pairs], [given for _, given in pairs]
        compiled = compile_traces(traces, new_evaluator())
        judge(task, compiled, traces, params, tally, number)

    assert tally["equivalent where shown"] >= 0.98 * tally["shown"]
    assert tally["spurious"] == 0
    assert tally["right"] >= 0.95 * max(tally["learnt"], tally["true"])


def replayed_calls(task: Task, compiled: Compiled, world: int) -> set[str]:
    """Play what was compiled in the world of a trace, with the params that were found in it."""
    calls, status = played(compiled.composition, task.shapes, compiled.params[world], world)
    assert status == "success"
    return {canonical([call.full_name, call.arguments]) for call in calls}
