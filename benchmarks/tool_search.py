"""How well, and how fast, `search_tools` finds tools by what people say; in English and in French.

    python benchmarks/tool_search.py FOLDER        (or PODIUM_TOOL_SEARCH_DATA=FOLDER)

FOLDER holds the tools and requests of Seal-Tools (Apache-2.0; not part of this repository):
`tool.jsonl` with one tool a line (`api_name`, `api_description`, `field`, `parameters`) and
`test_in_domain.jsonl`
with one request a line (`query`, and the tools that it needs in `calling`). The French requests are
data/tool_search_fr.json: 100 of them, translated for Podium.

hit@1: the first tool found is one that the request needs. recall@5: the mean share of the needed
tools among the first five. The weights and the lexicon were tuned on the requests of even position
only; "held out" are the others. `plain BM25` is one query of all words against the same texts: a
ratio of times tells more than either, as the machine's speed is in both.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from podium.domain.tool import Tool
from podium.text.bm25 import Bm25
from podium.text.tokens import tokens
from podium.upstreams.catalog import Catalog

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.given import data_folder

FRENCH = Path(__file__).with_name("data") / "tool_search_fr.json"
VARIABLE = "PODIUM_TOOL_SEARCH_DATA"
FILES = ("tool.jsonl", "test_in_domain.jsonl")
FOUND = 5
WARM_UP = 50
TARGETS = {"English": (96.0, 90.0), "French": (80.0, 0.0)}  # hit@1, recall@5; percent

Search = Callable[[str], list[str]]


@dataclass(frozen=True)
class Case:
    """A request and the names of the tools that it needs."""

    request: str
    needed: frozenset[str]


@dataclass(frozen=True)
class Score:
    """Percentages, and processor milliseconds of a request."""

    hit: float
    recall: float
    p50: float
    p99: float


def main() -> int:
    folder = data_folder("Measure the search of tools.", "Seal-Tools", FILES, VARIABLE)
    if folder is None:
        return 2
    tools = [tool_of(row) for row in rows(folder / FILES[0])]
    english = [case_of(row) for row in rows(folder / FILES[1])]
    french = french_cases()
    began = time.process_time()
    catalog = Catalog(tools)
    took = time.process_time() - began
    print(f"{len(tools)} tools, indexed in {took:.2f} s\n")
    print(f"{'':34}{'hit@1':>8}{'recall@5':>10}{'p50 ms':>9}{'p99 ms':>9}")
    searches: dict[str, Search] = {"podium": by_catalog(catalog), "plain BM25": by_words(tools)}
    reached = True
    for language, cases in (("English", english), ("French", french)):
        for name, search in searches.items():
            for part, chosen in (("", cases), (", held out", cases[1::2])):
                score = measured(search, chosen)
                print(row_of(f"{language}, {name}{part}", score))
                if name == "podium" and not part:
                    hit, recall = TARGETS[language]
                    reached = reached and score.hit >= hit and score.recall >= recall
    print("\nthe targets are reached" if reached else "\nA TARGET IS MISSED")
    return 0 if reached else 1


def rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines if line.strip())


def tool_of(row: dict[str, Any]) -> Tool:
    properties = {
        name: {"description": definition.get("description", "")}
        for name, definition in row["parameters"].items()
    }
    schema = {"type": "object", "properties": properties}
    return Tool(row["field"], row["api_name"], row["api_description"], schema)


def case_of(row: dict[str, Any]) -> Case:
    return Case(row["query"], frozenset(call["api"] for call in row["calling"]))


def french_cases() -> list[Case]:
    data = json.loads(FRENCH.read_text(encoding="utf-8"))
    return [Case(each["request"], frozenset(each["tools"])) for each in data["requests"]]


def by_catalog(catalog: Catalog) -> Search:
    return lambda request: [match.tool.name for match in catalog.search(request, FOUND)]


def by_words(tools: Sequence[Tool]) -> Search:
    """Return the plain search: every word of the request against all words of each tool."""
    index = Bm25(
        tokens(f"{tool.name} {tool.description} {json.dumps(tool.input_schema['properties'])}")
        for tool in tools
    )
    return lambda request: [tools[place].name for place, _ in index.rank(tokens(request))[:FOUND]]


def measured(search: Search, cases: Sequence[Case]) -> Score:
    for case in cases[:WARM_UP]:
        search(case.request)
    hits, recalls, times = 0, [], []
    for case in cases:
        began = time.process_time()
        found = search(case.request)
        times.append(1000 * (time.process_time() - began))
        hits += bool(found) and found[0] in case.needed
        recalls.append(len(case.needed.intersection(found)) / len(case.needed))
    late = sorted(times)[int(0.99 * (len(times) - 1))]
    hit = 100 * hits / len(cases)
    return Score(hit, 100 * statistics.mean(recalls), statistics.median(times), late)


def row_of(name: str, score: Score) -> str:
    return f"{name:34}{score.hit:8.1f}{score.recall:10.1f}{score.p50:9.2f}{score.p99:9.2f}"


if __name__ == "__main__":
    sys.exit(main())
