"""How far drafts can be trusted: requests of `trust/*.json`, served and near misses, in figures.

`python -m tests.synthesis_planner.trusting [PART ...]` prints them, and each request of the parts
that are named.
"""

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from podium.caution import SURE
from podium.compositions.synthesizer.planner import Planner
from podium.domain.synthesis import Draft
from podium.domain.tool import Tool
from podium.synthesis import LEAST_CONFIDENCE, NEAR
from podium.upstreams.catalog import Catalog
from tests.synthesis_planner.world import NOW, plain, tool_of

HERE = Path(__file__).with_name("trust")
PARTS = ("calibration", "second_look", "held_out")
BANDS = (0.0, LEAST_CONFIDENCE, SURE, 0.85)

NOT_MADE = (False, False)  # neither proposed nor played
Outcome = Literal["right", "wrong", "none"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a request: its best draft, and whether it is played without a question."""

    case: Mapping[str, Any]
    draft: Draft | None
    outcome: Outcome
    is_proposed: bool
    is_played: bool
    only_reads: bool  # what it should have become

    @property
    def confidence(self) -> float:
        """That of the best draft; 0 without one."""
        return self.draft.confidence if self.draft else 0.0

    def __str__(self) -> str:
        """Say it in one line."""
        made = plain(self.draft) if self.draft else {}
        shown = {key: made[key] for key in ("steps", "params", "output") if made}
        fate = "played" if self.is_played else "proposed" if self.is_proposed else "-"
        return f"{self.outcome:5} {self.confidence:.2f} {fate:8} {self.case['request']} -> {shown}"


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares from 0 to 1: of near misses, of served requests, and of those that only read."""

    near_misses_played: float
    near_misses_proposed: float
    served_right: float
    reads_played: float


def cases_of(part: str) -> list[dict[str, Any]]:
    """Return the cases of a part: `calibration` and `second_look`, which the rules were made by,
    or `held_out`: written half-way without trying it, and only its figures were looked at since.
    """
    found: list[dict[str, Any]] = json.loads((HERE / f"{part}.json").read_text("utf-8"))
    return found


def tools_named(name: str) -> list[Tool]:
    """Return a set of tools: definitions as servers give them, or the shorthand of cases."""
    said = json.loads((HERE / "tools" / f"{name}.json").read_text("utf-8"))
    if isinstance(said, list):
        return [Tool(**each) for each in said]
    return [tool_of(full_name, short) for full_name, short in said.items()]


def judged(cases: Sequence[Mapping[str, Any]]) -> list[Verdict]:
    """Return what becomes of each case, as `podium.synthesis` decides it."""
    sets = {name: tools_named(name) for name in sorted({case["tools"] for case in cases})}
    planners = {
        name: Planner(search=Catalog(tools).search, now=lambda: NOW) for name, tools in sets.items()
    }
    return [
        _verdict(
            case,
            planners[case["tools"]].plan(case["request"], case["language"], sets[case["tools"]]),
            {tool.full_name: tool for tool in sets[case["tools"]]},
        )
        for case in cases
    ]


def figures(verdicts: Sequence[Verdict]) -> Figures:
    """Return how often drafts were right, wrong, proposed and played."""
    near = [each for each in verdicts if "near_miss" in each.case]
    served = [each for each in verdicts if "near_miss" not in each.case]
    reads = [each for each in served if each.only_reads]
    return Figures(
        sum(each.is_played for each in near) / len(near),
        sum(each.is_proposed for each in near) / len(near),
        sum(each.outcome == "right" and each.is_proposed for each in served) / len(served),
        sum(each.outcome == "right" and each.is_played for each in reads) / len(reads),
    )


def _verdict(
    case: Mapping[str, Any], drafts: Sequence[Draft], tools: Mapping[str, Tool]
) -> Verdict:
    good = [draft for draft in drafts if draft.confidence >= LEAST_CONFIDENCE]
    best = next(iter(good or drafts), None)
    should_read = all(tools[step].effects == "read" for step in case.get("steps", ()))
    if best is None:
        return Verdict(case, None, "none", *NOT_MADE, should_read)
    made = plain(best)
    rivals = {
        tuple(sorted(plain(draft)["steps"]))
        for draft in good
        if best.confidence - draft.confidence <= NEAR
    }
    only_reads = all(tools[step].effects == "read" for step in made["steps"])
    is_played = best.confidence >= SURE and only_reads and not made["missing"] and len(rivals) < 2
    outcome: Outcome = "right" if _serves(made, case) else "wrong"
    return Verdict(case, best, outcome, bool(good), is_played, should_read)


def _serves(made: Mapping[str, Any], case: Mapping[str, Any]) -> bool:
    """Return whether the tools and all the values are the ones that the request means."""
    values = [*made["params"].values(), *made["arguments"].values()]
    said = sorted(str(each) for value in values for each in _flat(value))
    return made["steps"] == case.get("steps") and said == sorted(case["values"])


def _flat(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def main() -> None:
    """Print the figures of all parts, by confidence, and the requests of those that are named."""
    for part in PARTS:
        verdicts = judged(cases_of(part))
        print(part, figures(verdicts))  # noqa: T201 - what it is for
        table = Counter(
            (
                max(low for low in BANDS if low <= each.confidence),
                "near miss" if "near_miss" in each.case else "served",
                each.outcome,
            )
            for each in verdicts
        )
        for (low, kind, outcome), number in sorted(table.items()):
            print(f"  from {low:.2f}  {kind:9}  {outcome:5}  {number}")  # noqa: T201
        if part in sys.argv:
            for each in sorted(verdicts, key=lambda each: "near_miss" in each.case):
                print("   ", each.case.get("near_miss", ""), each)  # noqa: T201


if __name__ == "__main__":
    main()
