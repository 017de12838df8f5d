"""A proposed pattern among all the others: what would go wrong with it, and nothing else."""

import json
from pathlib import Path

from podium.domain.limits import Limits
from podium.intents.gate import CorpusGate
from podium.intents.library import PatternLibrary
from podium.intents.matcher import Matcher

SHOW = {
    "name": "show",
    "sentences": ["show {what} please"],
    "examples": ["show the notes please", "this was wrong before"],
    "priority": -1,
}


def matcher(library: PatternLibrary) -> Matcher:
    return Matcher(library, limits=Limits())


def gate_over(folder: Path) -> CorpusGate:
    (folder / "show.json").write_text(json.dumps({"patterns": [SHOW]}))
    return CorpusGate(folder, matcher)


def proposed(regex: str, *examples: str) -> dict[str, object]:
    return {"name": "learnt_x", "regex": [regex], "examples": list(examples)}


def test_a_pattern_that_takes_nothing_from_others_passes_whatever_else_is_wrong(
    tmp_path: Path,
) -> None:
    assert gate_over(tmp_path).faults(proposed("^where is (?P<x>.+)$", "where is Alice")) == []


def test_a_pattern_that_takes_the_example_of_another_does_not_pass(tmp_path: Path) -> None:
    (fault,) = gate_over(tmp_path).faults(proposed("^show the (?P<x>notes) please$"))

    assert "'show the notes please' is taken for learnt_x" in fault


def test_a_pattern_that_another_only_outranks_for_its_examples_does_not_pass(
    tmp_path: Path,
) -> None:
    gate = gate_over(tmp_path)
    notes = {"name": "notes", "regex": ["^(all) my notes$"], "examples": ["all my notes"]}
    (tmp_path / "notes.json").write_text(json.dumps({"patterns": [notes]}))

    (fault,) = gate.faults(proposed("^(?P<x>.+) notes$", "some good notes"))

    assert fault == "'all my notes' of notes would fit it as well"


def test_a_pattern_that_misses_its_own_example_or_is_none_does_not_pass(tmp_path: Path) -> None:
    gate = gate_over(tmp_path)

    (missed,) = gate.faults(proposed("^where is (?P<x>.+)$", "who is Alice"))
    (broken,) = gate.faults(proposed("^where is (?P<x>.+$", "where is Alice"))

    assert "'who is Alice' matches no pattern" in missed
    assert "learnt_x" in broken


def test_a_pattern_is_held_against_the_others_and_not_against_what_it_was_before(
    tmp_path: Path,
) -> None:
    gate = gate_over(tmp_path)
    before = proposed("^where is (?P<x>.+)$", "where is Alice")
    (tmp_path / "learnt_x.json").write_text(json.dumps({"patterns": [before]}))

    assert gate.faults(proposed("^where was (?P<x>.+)$", "where was Alice")) == []
