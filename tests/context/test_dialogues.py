"""Whole conversations, as data, through the orchestrator: what is understood from what was said."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.context.world import FOLDERS, World

pytestmark = pytest.mark.anyio

HERE = Path(__file__).parent
DIALOGUES = [
    pytest.param(dialogue, id=f"{path.stem}: {dialogue['name']}")
    for path in sorted((HERE / "dialogues").glob("*.yaml"))
    for dialogue in yaml.safe_load(path.read_text("utf-8"))
]


def seen(reply: dict[str, Any], turn: dict[str, Any]) -> dict[str, Any]:
    """Return of a reply what a turn says something about, in the turn's words."""
    intent, question = reply["intent"] or {}, reply["question"] or {}
    told: dict[str, Any] = {
        "status": reply["status"],
        "intent": intent.get("type"),
        "params": intent.get("params"),
        "asks": question.get("id"),
        "kind": question.get("kind"),
        "options": question.get("schema", {}).get("enum"),
        "message": reply["data"]["message"],
        "result": reply["data"]["result"],
    }
    return {name: told[name] for name in {**turn, "status": ""} if name in told}


@pytest.mark.parametrize("dialogue", DIALOGUES)
async def test_a_dialogue_goes_as_it_should(tmp_path: Path, dialogue: dict[str, Any]) -> None:
    world = World(tmp_path)
    expected, happened = [], []

    for turn in dialogue["turns"]:
        world.clock.time += turn.get("after_seconds", 1)
        reply = await world.say(
            turn["say"],
            turn.get("user", "ana"),
            turn.get("conversation", "c1"),
            context=turn.get("context"),
        )
        wanted = {"status": "success", **turn}
        happened.append(seen(reply, turn))
        expected.append({name: wanted[name] for name in happened[-1]})

    assert happened == expected


def test_there_are_enough_dialogues_in_both_languages() -> None:
    assert len(DIALOGUES) >= 80
    assert "docs" in FOLDERS
