"""How well traces become compositions: replay-equivalence and data-flow edges over generated tasks.

    python benchmarks/traces.py [--tasks 120] [--seed 1] [--show]

A compiled composition counts as replay-equivalent if it makes the very calls of the true one in
worlds and with params that it was not made from, and has no param too many.
`benchmarks/trace_worlds.py` says what the tasks are, and what that does not tell.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from podium.domain.limits import Limits
from podium.domain.trace import Trace, TracedCall
from podium.mapping.expressions import Evaluator
from podium.mapping.transformers import Transformers
from podium.monitor.traces.compiler import Compiled, compile_traces
from podium.monitor.traces.values import canonical
from podium.testing import FakeClock

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.trace_worlds import (
    Task,
    draw_params,
    edges_of,
    played,
    random_task,
    traces_of,
)

COUNTS = (1, 2, 3, 5)
FRESH_WORLDS = 3


def renamed(compiled: Compiled, given: Sequence[Mapping[str, Any]]) -> dict[str, str] | None:
    """Return the true param behind each learnt one; None if one is behind none."""
    names: dict[str, str] = {}
    for name in compiled.composition["input_schema"]["properties"]:
        # Where a list was empty, nothing took the param; its name decides between what is left.
        seen = [n for n, own in enumerate(compiled.params) if name in own]
        values = [canonical(compiled.params[n][name]) for n in seen]
        alike = [true for true in given[0] if [canonical(given[n][true]) for n in seen] == values]
        alike.sort(key=lambda true: not true.startswith(name))
        if not alike:
            return None
        names[name] = alike[0]
    return names


def is_equivalent(task: Task, compiled: Compiled, names: Mapping[str, str], seed: int) -> bool:
    """Return whether both make the same calls in fresh worlds, whatever their order."""
    source = random.Random(seed)  # noqa: S311
    for world in range(1_000, 1_000 + FRESH_WORLDS):
        params = draw_params(task, source)
        own = {name: params[true] for name, true in names.items()}
        truth, _ = played(task.composition, task.shapes, params, world)
        learnt, _ = played(compiled.composition, task.shapes, own, world)
        if _counted(truth) != _counted(learnt):
            return False
    return True


def _counted(calls: Sequence[TracedCall]) -> Counter[str]:
    return Counter(canonical([call.full_name, call.arguments]) for call in calls)


def is_shown(task: Task, traces: Sequence[Trace]) -> bool:
    """Return whether the traces show all there is to learn.

    They do not where an argument that depends on something had one value in all of them, or a loop
    never went round twice: then nobody can tell it from a constant, or from the first element.
    """
    for step in task.composition["steps"]:
        rounds = [
            [c for c in t.calls if c.tool_id == step["id"] and not c.is_error] for t in traces
        ]
        if (
            "iterations" in step
            and max(len({canonical(c.arguments) for c in own}) for own in rounds) < 2
        ):
            return False
        calls = [call for own in rounds for call in own]
        for argument in step.get("input_mapping", {}):
            if len({canonical(call.arguments.get(argument)) for call in calls}) < 2:
                return False
    return True


def edge_scores(task: Task, compiled: Compiled, names: Mapping[str, str]) -> tuple[int, int, int]:
    """Return how many edges are right, learnt, true; tools are called by one step each."""
    truth = task.edges()
    learnt = {
        (step, argument, f"param {names.get(read[6:], read[6:])}" if read[:6] == "param " else read)
        for step, argument, read in edges_of(compiled.composition)
    }
    return len(truth & learnt), len(learnt), len(truth)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--counts", type=int, nargs="*", default=COUNTS)
    parser.add_argument("--show", action="store_true", help="print what went wrong")
    options = parser.parse_args()
    evaluator = Evaluator(Transformers(), clock=FakeClock(), limits=Limits())
    print(
        "traces  tasks  refused  equivalent  shown  equiv. of shown  "
        "spurious params  edge precision  edge recall    ms"
    )
    for count in options.counts:
        print(row(count, options, evaluator))


def row(count: int, options: argparse.Namespace, evaluator: Evaluator) -> str:
    """Return one line of the table."""
    tally: Counter[str] = Counter()
    seconds = 0.0
    for number in range(options.tasks):
        source = random.Random(f"{options.seed} {number}")  # noqa: S311
        task = random_task(source)
        pairs = traces_of(task, count, source)
        started = time.perf_counter()
        compiled = compile_traces([trace for trace, _ in pairs], evaluator)
        seconds += time.perf_counter() - started
        verdict = judge(task, compiled, *_columns(pairs), tally, number)
        if options.show and verdict and (count == 1 or is_shown(task, _columns(pairs)[0])):
            explain(number, task, compiled, verdict, [trace for trace, _ in pairs])
    tasks = options.tasks
    return (
        f"{count:6}  {tasks:5}  {tally['refused']:7}  {tally['equivalent'] / tasks:10.1%}  "
        f"{tally['shown']:5}  {tally['equivalent where shown'] / max(1, tally['shown']):15.1%}  "
        f"{tally['spurious']:15}  {tally['right'] / max(1, tally['learnt']):14.1%}  "
        f"{tally['right'] / max(1, tally['true']):11.1%}  {1_000 * seconds / tasks:4.0f}"
    )


def _columns(pairs: Sequence[tuple[Trace, Any]]) -> tuple[list[Trace], list[Any]]:
    return [trace for trace, _ in pairs], [params for _, params in pairs]


def judge(
    task: Task,
    compiled: Any,
    traces: Sequence[Trace],
    given: Sequence[Mapping[str, Any]],
    tally: Counter[str],
    seed: int,
) -> str:
    """Count one outcome; return what was wrong with it."""
    shown = is_shown(task, traces)
    tally["shown"] += shown
    if not isinstance(compiled, Compiled):
        tally["refused"] += 1
        tally["true"] += len(task.edges())
        return f"refused: {compiled.message}"
    names = renamed(compiled, given)
    right, learnt, true = edge_scores(task, compiled, names or {})
    tally.update(right=right, learnt=learnt, true=true)
    if names is None:
        tally["spurious"] += 1
        return "a param too many"
    if not is_equivalent(task, compiled, names, seed):
        return "other calls"
    tally["equivalent"] += 1
    tally["equivalent where shown"] += shown
    return ""


def explain(number: int, task: Task, compiled: Any, verdict: str, traces: Sequence[Trace]) -> None:
    """Print the truth beside what was learnt."""
    print(f"--- task {number}: {verdict}; {traces[0].request}")
    learnt = compiled.composition["steps"] if isinstance(compiled, Compiled) else []
    by_id = {step["id"]: step for step in learnt}
    for step in task.composition["steps"]:
        own = by_id.get(step["id"])
        same = own is not None and all(
            own.get(key) == step.get(key) for key in ("iterations", "input_mapping", "arguments")
        )
        if not same:
            print("   true  ", json.dumps(step, ensure_ascii=False))
            print("   learnt", json.dumps(own, ensure_ascii=False))


if __name__ == "__main__":
    main()
