"""How well Podium knows which tools a request needs, by how much it has seen: a rising curve.

    python benchmarks/synthesis.py FOLDER        (or PODIUM_SYNTHESIS_DATA=FOLDER)

FOLDER holds the requests of UltraTool as the authors of GNN4TaskPlan published them (MIT; not part
of this repository): `gnn4plan_data.json`, one request a line with the tools that served it in their
order, `gnn4plan_split_ids.json` with the requests that are asked, and `gnn4plan_tool_desc.json`.
All others are the past, of which Podium is told 0, 100, 1,000 and all: the words of each request,
and its tools. Of those that are asked it gets the words only.

node-F1: the tools found and needed. link-F1: which tool follows which. exact: all tools needed and
no other. Each is the mean over all requests, in percent. Beside Podium's sketches, made by the
class that serves requests, are three plain ways: the two tools whose texts are nearest by tf-idf,
the plan of the nearest past request, and a vote of the ten nearest. Times are processor time of one
request; the machine's speed is in all of them, so compare the ratios.

Everything was tuned by cross-validation within the past.
"""

import json
import math
import random
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from podium.compositions.synthesizer.sketching import Sketcher
from podium.domain.synthesis import PastPlan
from podium.domain.tool import Tool
from podium.text.tokens import tokens
from podium.upstreams.catalog import Catalog

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.given import data_folder

VARIABLE = "PODIUM_SYNTHESIS_DATA"
FILES = ("gnn4plan_data.json", "gnn4plan_split_ids.json", "gnn4plan_tool_desc.json")
SERVER = "tools"  # the tools of the data have no servers
SIZES = (0, 100, 1_000)  # past requests, and all of them
SEED = 20_261_121
VOTERS = 10
TARGETS = {"node-F1": 78.0, "link-F1": 50.0}  # with all past requests; percent
BAR = 50  # characters for 100 percent

Tools = tuple[str, ...]
Guess = Callable[[str], Tools]


@dataclass(frozen=True)
class Score:
    """Means over all requests: percentages, and processor milliseconds of one."""

    node: float
    link: float
    exact: float
    p50: float
    p99: float


@dataclass(frozen=True)
class Data:
    """The tools, the requests of the past, and those that are asked, each with its tools."""

    tools: list[Tool]
    past: list[PastPlan]
    asked: list[PastPlan]


def main() -> int:
    folder = data_folder(
        "Measure which tools Podium takes for a request.", "GNN4TaskPlan", FILES, VARIABLE
    )
    if folder is None:
        return 2
    data = read(folder)
    print(f"{len(data.tools)} tools, {len(data.past)} past requests, {len(data.asked)} asked\n")
    print(f"{'':38}{'node-F1':>9}{'link-F1':>9}{'exact':>8}{'p50 ms':>9}{'p99 ms':>9}")
    plain = {name: measured(guess, data.asked) for name, guess in plain_ways(data).items()}
    for name, score in plain.items():
        print(row_of(name, score))
    curve = {size: podium_after(size, data) for size in sizes(len(data.past))}
    for size, score in curve.items():
        print(row_of(f"podium, {size:,} past requests", score))
    best, vote = curve[max(curve)], plain[f"vote of the {VOTERS} nearest"]
    print(row_of("podium with all, beside the vote", difference(best, vote), sign="+"))
    print(f"a sketch takes {best.p50 / vote.p50:.1f} times as long as the vote\n")
    print("\n".join(plotted(curve)))
    reached = best.node >= TARGETS["node-F1"] and best.link >= TARGETS["link-F1"]
    print("\nthe targets are reached" if reached else "\nA TARGET IS MISSED")
    return 0 if reached else 1


# --- the data


def read(folder: Path) -> Data:
    records, split, described = FILES
    ids = json.loads((folder / split).read_text(encoding="utf-8"))["test_ids"]
    asked_ids = {each for of_kind in ids.values() for each in of_kind}
    nodes = json.loads((folder / described).read_text(encoding="utf-8"))["nodes"]
    rows = list(lines(folder / records))
    return Data(
        [Tool(SERVER, node["id"], node["desc"]) for node in nodes],
        [plan_of(row) for row in rows if row["id"] not in asked_ids],
        [plan_of(row) for row in rows if row["id"] in asked_ids],
    )


def lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as text:
        yield from (json.loads(line) for line in text if line.strip())


def plan_of(row: dict[str, Any]) -> PastPlan:
    names = [node["task"] for node in row["task_nodes"]]
    return PastPlan(row["user_request"], tuple(f"{SERVER}.{name}" for name in names))


def sizes(every: int) -> list[int]:
    return [*(size for size in SIZES if size < every), every]


# --- Podium


def podium_after(size: int, data: Data) -> Score:
    """Return how good the sketches are once so many past requests are learnt."""
    seen = random.Random(SEED).sample(data.past, size)  # noqa: S311 - the same past each time
    sketcher = Sketcher(data.tools, Catalog(data.tools).search)
    sketcher.learn(as_remembered(plan) for plan in seen)
    return measured(lambda text: tools_of(sketcher, text), data.asked)


def as_remembered(plan: PastPlan) -> PastPlan:
    """Return a plan as Podium keeps it: each tool where it was first called."""
    return replace(plan, tools=tuple(dict.fromkeys(plan.tools)))


def tools_of(sketcher: Sketcher, text: str) -> Tools:
    sketch = sketcher.sketch(text)
    return sketch.tools if sketch else ()


# --- the plain ways


class Nearest:
    """Texts by the cosine of their words, weighted by tf-idf."""

    def __init__(self, texts: Sequence[str]) -> None:
        counts = [Counter(tokens(text)) for text in texts]
        self._held = Counter(word for count in counts for word in count)
        self._size = len(texts)
        self._postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for place, count in enumerate(counts):
            for word, weight in self._weights(count).items():
                self._postings[word].append((place, weight))

    def find(self, text: str, limit: int) -> list[tuple[int, float]]:
        """Return (place, cosine) of the nearest texts, the nearest first."""
        scores: dict[int, float] = defaultdict(float)
        for word, weight in self._weights(Counter(tokens(text))).items():
            for place, its in self._postings.get(word, ()):
                scores[place] += weight * its
        return sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:limit]

    def _weights(self, count: Counter[str]) -> dict[str, float]:
        weights = {
            word: times * (1 + math.log((1 + self._size) / (1 + self._held[word])))
            for word, times in count.items()
        }
        length = math.hypot(*weights.values()) or 1.0
        return {word: weight / length for word, weight in weights.items()}


def plain_ways(data: Data) -> dict[str, Guess]:
    described = Nearest([f"{tool.name} {tool.description}" for tool in data.tools])
    asked_before = Nearest([plan.text for plan in data.past])

    def by_texts(text: str) -> Tools:
        return tuple(data.tools[place].full_name for place, _ in described.find(text, 2))

    def by_the_nearest(text: str) -> Tools:
        found = asked_before.find(text, 1)
        return data.past[found[0][0]].tools if found else ()

    def by_vote(text: str) -> Tools:
        found = asked_before.find(text, VOTERS)
        return voted([(data.past[place].tools, score) for place, score in found])

    return {
        "two tools by tf-idf": by_texts,
        "plan of the nearest": by_the_nearest,
        f"vote of the {VOTERS} nearest": by_vote,
    }


def voted(plans: Sequence[tuple[Tools, float]]) -> Tools:
    """Return the tools with most votes, as many as the plans have, in the order that they have."""
    votes: dict[str, float] = defaultdict(float)
    places: dict[str, float] = defaultdict(float)
    size = 0.0
    for tools, weight in plans:
        distinct = tuple(dict.fromkeys(tools))
        size += weight * len(distinct)
        for place, tool in enumerate(distinct):
            votes[tool] += weight
            places[tool] += weight * place
    if not votes:
        return ()
    wanted = round(size / sum(weight for _, weight in plans))
    best = sorted(votes, key=lambda tool: (-votes[tool], tool))[:wanted]
    return tuple(sorted(best, key=lambda tool: places[tool] / votes[tool]))


# --- the measures


def f1(found: frozenset[Any], needed: frozenset[Any]) -> float:
    """Return twice what both have, beside what each has; 1 for two empty sets."""
    sizes = len(found) + len(needed)
    return 2 * len(found & needed) / sizes if sizes else 1.0


def judged(found: Tools, needed: Tools) -> tuple[float, float, float]:
    """Return node-F1, link-F1 and whether all tools are right, each 0..1."""
    nodes, right = frozenset(found), frozenset(needed)
    link = f1(frozenset(pairwise(found)), frozenset(pairwise(needed)))
    return f1(nodes, right), link, float(nodes == right)


def measured(guess: Guess, asked: Sequence[PastPlan]) -> Score:
    judgements, times = [], []
    for plan in asked:
        began = time.process_time()
        found = guess(plan.text)
        times.append(1000 * (time.process_time() - began))
        judgements.append(judged(found, plan.tools))
    node, link, exact = (100 * statistics.mean(each) for each in zip(*judgements, strict=True))
    late = sorted(times)[int(0.99 * (len(times) - 1))]
    return Score(node, link, exact, statistics.median(times), late)


def difference(one: Score, other: Score) -> Score:
    node, link, exact = one.node - other.node, one.link - other.link, one.exact - other.exact
    return Score(node, link, exact, one.p50 - other.p50, one.p99 - other.p99)


def row_of(name: str, score: Score, sign: str = "") -> str:
    percent = f"{score.node:{sign}9.1f}{score.link:{sign}9.1f}{score.exact:{sign}8.1f}"
    return f"{name:38}{percent}{score.p50:{sign}9.2f}{score.p99:{sign}9.2f}"


def plotted(curve: dict[int, Score]) -> Iterator[str]:
    """Yield the curve of learning as bars: node-F1 to its end, link-F1 in the darker part."""
    for size, score in curve.items():
        link, node = round(BAR * score.link / 100), round(BAR * score.node / 100)
        yield f"{size:7,} {'█' * link}{'░' * (node - link)} {score.link:.0f} / {score.node:.0f}"
    yield f"{'past':>7} {'█'} link-F1  {'░'} node-F1"


if __name__ == "__main__":
    sys.exit(main())
