"""Sentence files of another project can be written in Podium's format, one to one."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from podium.domain.limits import Limits
from podium.intents.checks import check_patterns
from podium.intents.library import PatternLibrary, load_patterns
from podium.intents.matcher import Matcher
from podium.intents.runtime_lists import RuntimeLists
from podium.mapping.expressions import Evaluator
from podium.mapping.transformers import Transformers
from podium.testing import FakeClock, FakeUpstreams

pytestmark = pytest.mark.anyio
FOLDER = Path(__file__).parent / "converted"
REQUESTS = json.loads((FOLDER / "requests.json").read_text("utf-8"))
AT_RUN_TIME = ("area", "name")  # lists that the files do not hold: the house knows them

_RENAMED_LIST = re.compile(r"\{(\w+):(\w+)\}")


def converted(document: dict[str, Any]) -> dict[str, Any]:
    """Return a sentence file of the other project as a pattern file."""
    language = document["language"]
    patterns = [
        {"name": name, "sentences": [_sentence(each) for each in block["sentences"]],
         "params": block.get("slots", {})}
        for name, intent in document["intents"].items()
        for block in intent["data"]
    ]  # fmt: skip
    at_run_time = {
        name: {"from_tool": f"house.list_{name}s", "arguments": {"language": language}}
        for name in AT_RUN_TIME
    }
    return {
        "language": language,
        "rules": {name: _sentence(each) for name, each in document["expansion_rules"].items()},
        "slots": {**{n: _slot(each) for n, each in document["lists"].items()}, **at_run_time},
        "skip": document["skip_words"],
        "patterns": patterns,
    }


def _sentence(template: str) -> str:
    """Turn `{list:slot}` round into `{slot:list}`."""
    return _RENAMED_LIST.sub(r"{\2:\1}", template)


def _slot(definition: dict[str, Any]) -> dict[str, Any]:
    if "range" in definition:
        bounds = definition["range"]
        return {"type": "integer", "min": bounds["from"], "max": bounds["to"]}
    return definition


class House:
    """A server that knows the rooms and the lamps."""

    def __init__(self, library: PatternLibrary) -> None:
        self.library = library
        upstreams, clock = FakeUpstreams(), FakeClock()
        for kind in AT_RUN_TIME:
            upstreams.add(f"house.list_{kind}s", self._lister(f"{kind}s"))
        evaluator = Evaluator(Transformers(), clock=clock, limits=Limits())
        self.lists = RuntimeLists(upstreams, evaluator, clock)
        self.matcher = Matcher(library, limits=Limits(), lists=self.lists)

    def _lister(self, kind: str) -> Any:
        async def listed(arguments: dict[str, Any]) -> Any:
            return REQUESTS[kind][arguments["language"]]

        return listed


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> PatternLibrary:
    folder = tmp_path_factory.mktemp("converted")
    for path in FOLDER.glob("*.yaml"):
        document = yaml.safe_load(path.read_text("utf-8"))
        content = json.dumps(converted(document), ensure_ascii=False, indent=1)
        (folder / f"{path.stem}.json").write_text(content, encoding="utf-8")
    return load_patterns(folder)


def test_every_sentence_can_be_expressed(library: PatternLibrary) -> None:
    assert library.faults == ()
    assert sum(len(each.sentences) for each in library.patterns) >= 50


async def test_no_converted_pattern_is_in_vain(library: PatternLibrary) -> None:
    house = House(library)
    await house.lists.fill(library.queries)

    assert check_patterns(library, house.matcher) == []


@pytest.mark.parametrize(("text", "intent", "params"), REQUESTS["cases"])
async def test_a_request_yields_its_intent_and_slots(
    library: PatternLibrary, text: str, intent: str | None, params: dict[str, Any] | None
) -> None:
    house = House(library)
    await house.lists.fill(library.queries)

    found = house.matcher.analyse(text).intent

    assert (found and found.type, found and found.params) == (intent, params)
