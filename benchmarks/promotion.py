"""What the rules of promotion and withdrawal do to compositions whose true success rate is known.

    python benchmarks/promotion.py [--runs 2000] [--seed 6]

Each composition is asked about after every execution, as the monitor does; time passes between two
executions, so that a pause only decides which one is the next probe. The very rules of
`podium.monitor.promotion` are run; `bare rate` is the same rules with `promotion_confidence: 0`.
"""

import argparse
import random
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from podium.domain.learning import Change, Health, LearningRules, Run
from podium.monitor.promotion import after_run

TRIAL = 50  # executions in which a composition may prove itself
HEALTHY = 100  # executions at 0.9 in which a withdrawal is a false alarm
FALLEN = 200  # executions after the fall in which it should be withdrawn
SECONDS_BETWEEN = 10_000.0
RULES = {
    "bare rate": LearningRules(promotion_confidence=0.0),
    "80 % (default)": LearningRules(),
    "90 %": LearningRules(promotion_confidence=0.9),
    "95 %": LearningRules(promotion_confidence=0.95),
}


@dataclass(frozen=True)
class Trials:
    """How many of the compositions were promoted, and after how many executions."""

    promoted: float
    median: float | None


@dataclass(frozen=True)
class Falls:
    """Share of healthy ones that were withdrawn or paused; how soon bad ones were withdrawn."""

    false_alarms: float
    paused: float
    withdrawn: float
    median: float | None


def fresh() -> Health:
    return Health("simulated", "v1", "m1", {}, "learning", 0.0)


def changes_of(
    health: Health, rate: float, runs: int, rules: LearningRules, source: random.Random
) -> Iterator[tuple[int, Health, Change]]:
    """Yield (executions so far, health then, change) for each change in so many executions."""
    now = health.window[-1].at if health.window else 0.0
    for number in range(1, runs + 1):
        run = Run(f"e{number}", source.random() < rate, now + number * SECONDS_BETWEEN)
        health, changes = after_run(health, run, rules)
        for change in changes:
            yield number, health, change


def trials(rate: float, rules: LearningRules, runs: int, seed: int) -> Trials:
    source = random.Random(seed)  # noqa: S311 - a simulation that can be repeated
    took = [promotion_of(rate, rules, source) for _ in range(runs)]
    needed = [n for n in took if n is not None]
    return Trials(len(needed) / runs, statistics.median(needed) if needed else None)


def promotion_of(rate: float, rules: LearningRules, source: random.Random) -> int | None:
    found = changes_of(fresh(), rate, TRIAL, rules, source)
    return next((number for number, _, change in found if change.kind == "promoted"), None)


def validated(rules: LearningRules, source: random.Random) -> Health:
    """Return one that was just promoted at a true rate of 0.9."""
    while True:
        for _, health, change in changes_of(fresh(), 0.9, TRIAL, rules, source):
            if change.kind == "promoted":
                return health


def falls(rate: float, rules: LearningRules, runs: int, seed: int) -> Falls:
    """Return what happens to validated ones: healthy for a while, then at this true rate."""
    source = random.Random(seed)  # noqa: S311 - a simulation that can be repeated
    alarms, pauses, took = 0, 0, []
    for _ in range(runs):
        health, is_withdrawn, was_paused = healthy_time(validated(rules, source), rules, source)
        alarms += is_withdrawn
        pauses += was_paused
        if not is_withdrawn:
            took.append(withdrawal_of(health, rate, FALLEN, rules, source))
    needed = [n for n in took if n is not None]
    return Falls(
        alarms / runs,
        pauses / runs,
        len(needed) / len(took) if took else 0.0,
        statistics.median(needed) if needed else None,
    )


def alarms_from_nothing(rules: LearningRules, runs: int, seed: int) -> float:
    """Return the share of false alarms where the window is empty at first, as after an edit."""
    source = random.Random(seed)  # noqa: S311 - a simulation that can be repeated
    start = replace(fresh(), status="validated")
    return sum(healthy_time(start, rules, source)[1] for _ in range(runs)) / runs


def healthy_time(
    health: Health, rules: LearningRules, source: random.Random
) -> tuple[Health, bool, bool]:
    was_paused = False
    now = health.window[-1].at if health.window else 0.0
    for number in range(1, HEALTHY + 1):
        run = Run(f"h{number}", source.random() < 0.9, now + number * SECONDS_BETWEEN)
        health, changes = after_run(health, run, rules)
        was_paused |= any(change.kind == "paused" for change in changes)
        if health.status != "validated":
            return health, True, was_paused
    return health, False, was_paused


def withdrawal_of(
    health: Health, rate: float, runs: int, rules: LearningRules, source: random.Random
) -> int | None:
    found = changes_of(health, rate, runs, rules, source)
    return next((n for n, _, c in found if c.kind in {"demoted", "archived"}), None)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    for row in (header, *rows):
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--runs", type=int, default=2_000, help="compositions per figure")
    parser.add_argument("--seed", type=int, default=6)
    options = parser.parse_args()
    rates = (0.5, 0.6, 0.7, 0.8, 0.9)
    print(f"Ever promoted within {TRIAL} executions, % (min rate 0.7, at least 5 executions)")
    rows = []
    for name, rules in RULES.items():
        found = [trials(rate, rules, options.runs, options.seed) for rate in rates]
        shares = [f"{100 * trial.promoted:.1f}" for trial in found]
        rows.append([name, *shares, f"{found[-1].median:g}" if found[-1].median else "-"])
    table(["rule", *(f"at {rate}" for rate in rates), "median n at 0.9"], rows)
    print(
        f"Validated, {HEALTHY} executions at 0.9, then worse: executions until withdrawn (median)"
    )
    rows = []
    for name, rules in RULES.items():
        fallen = [falls(rate, rules, options.runs // 4, options.seed) for rate in (0.5, 0.2, 0.0)]
        delays = [f"{fall.median:g}" if fall.median else "-" for fall in fallen]
        alarms = f"{100 * statistics.mean(fall.false_alarms for fall in fallen):.1f}"
        edited = f"{100 * alarms_from_nothing(rules, options.runs, options.seed):.1f}"
        rows.append([name, alarms, edited, f"{100 * fallen[0].paused:.1f}", *delays])
    columns = ("false alarms %", "edited before %", "paused %", "at 0.5", "at 0.2", "at 0.0")
    table(["rule", *columns], rows)
    streak = replace(RULES["80 % (default)"], pausing_failures=0)
    without = falls(0.2, streak, options.runs // 4, options.seed)
    alarms = f"{100 * without.false_alarms:.1f} %"
    print(f"the default rule without pausing: false alarms {alarms}, at 0.2 {without.median:g}")


if __name__ == "__main__":
    main()
