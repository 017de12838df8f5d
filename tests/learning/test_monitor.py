"""The monitor as a whole: executions in, files moved, statistics kept; real files and SQLite."""

import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from podium.compositions.library import load_compositions
from podium.domain.errors import (
    CompositionForbiddenError,
    CompositionPausedError,
    RequestInvalidError,
    UnknownCompositionError,
    UnknownExecutionError,
)
from podium.domain.execution import Execution, StepRecord
from podium.domain.learning import Baseline, Change, LearningRules
from podium.domain.ports import Shelf, Statistics
from podium.domain.tool import Tool
from podium.domain.versions import meaning_of, tools_of
from podium.monitor.observer import Monitor
from podium.monitor.promotion import Seen
from podium.monitor.repair import Known
from podium.monitor.selection import Candidate
from podium.storage.shelf import FileShelf
from podium.storage.statistics import SqliteStatistics
from podium.testing import FakeClock
from tests.learning.healths import kinds

pytestmark = pytest.mark.anyio


class World:
    """A workspace with one composition on trial, and the monitor that watches it."""

    def __init__(self, folder: Path, rules: LearningRules | None = None) -> None:
        self.folder = folder / "compositions"
        self.clock = FakeClock()
        self.statistics = SqliteStatistics(folder / "statistics.sqlite3", clock=self.clock)
        self.heard: list[Change] = []
        self.tools: dict[str, str | None] = {"files.read_file": "t1"}
        self.rules = rules or LearningRules()
        self.monitor = self.another()
        self.count = 0
        self.write("learning", {})

    def another(self) -> Monitor:
        """Return the monitor of another process in the same workspace."""
        statistics: Statistics = self.statistics
        shelf: Shelf = FileShelf(self.folder, clock=self.clock)
        return Monitor(
            statistics=statistics,
            shelf=shelf,
            rules=self.rules,
            clock=self.clock,
            source=random.Random(5),
            on_change=self.hear,
        )

    async def hear(self, change: Change) -> None:
        self.heard.append(change)

    def write(self, folder: str, changed: dict[str, Any]) -> None:
        step = {"id": "read", "server_id": "files", "tool_id": "read_file"}
        path = self.folder / folder / "notes.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            json.dumps({"id": "notes", "intent_type": "notes", "steps": [step], **changed})
        )

    async def look(self) -> tuple[Change, ...]:
        stored = load_compositions(self.folder).all()
        seen = [
            Seen(
                s.id,
                s.status,
                meaning_of(s.composition),
                {name: self.tools.get(name) for name in tools_of(s.composition)},
            )
            for s in stored
        ]
        return await self.monitor.look(seen)

    async def play(self, outcomes: str, *, code: str = "tool_failed", **more: Any) -> list[Change]:
        changes: list[Change] = []
        for outcome in outcomes:
            self.count += 1
            self.clock.time += 10_000
            failed = "" if outcome == "+" else code
            played = self.execution(f"exec_{self.count}", failed, **more)
            changes += await self.monitor.counting.observe([played])
        return changes

    def execution(self, id_: str, code: str = "", **more: Any) -> Execution:
        error = {"code": code} if code else None
        step = StepRecord("read", "files", "read_file", "failed" if code else "done", 1)
        step.error, step.duration_ms = error, 5.0
        values: dict[str, Any] = {
            "composition_id": "notes",
            "params": {},
            "started_at": self.clock.time,
            "duration_ms": 10.0,
            "status": "error" if code else "success",
            "error": error,
            "steps": {"read": step},
        }
        return Execution(id_, **{**values, **more})

    def statuses(self) -> dict[str, str]:
        return {stored.id: stored.status for stored in load_compositions(self.folder).all()}

    async def statistics_of(self, id_: str = "notes") -> dict[str, Any]:
        found: dict[str, Any] = (await self.monitor.report(id_))["statistics"]
        return found


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    await made.look()
    yield made
    await made.statistics.close()


def reader(*, only_reads: bool = True) -> Candidate:
    return Candidate("notes", "learning", only_reads)


# --- its life


async def test_what_proves_itself_moves_to_validated_with_the_evidence(world: World) -> None:
    changes = await world.play("+++++")

    assert kinds(changes) == ["promoted"]
    assert world.statuses() == {"notes": "validated"}
    assert world.heard == changes
    (version,) = await world.monitor.versions("notes")
    assert version.evidence["successes"] == 5
    assert version.evidence["executions"] == [f"exec_{n}" for n in range(1, 6)]
    report = await world.monitor.report("notes")
    assert [change["kind"] for change in report["changes"]] == ["promoted"]


async def test_its_whole_life_withdrawn_archived_and_back_on_trial(world: World) -> None:
    assert kinds(await world.play("+++++---")) == ["promoted", "paused"]
    assert kinds(await world.play("-")) == ["demoted"]
    assert world.statuses() == {"notes": "learning"}
    assert kinds(await world.play("+++++---")) == ["promoted", "paused"]
    assert world.statuses() == {"notes": "validated"}
    assert kinds(await world.play("-")) == ["archived"]
    assert world.statuses() == {"notes": "deprecated"}
    assert kinds(await world.play("+++++")) == ["returned"]
    assert world.statuses() == {"notes": "learning"}


async def test_an_outage_is_charged_to_the_tool_and_withdraws_nothing(world: World) -> None:
    await world.play("+++++")

    changes = await world.play("-" * 30, code="upstream_unavailable")

    assert changes == []
    assert world.statuses() == {"notes": "validated"}
    counts = await world.statistics_of()
    assert (counts["successes"], counts["failures"], counts["uncounted"]) == (5, 0, 30)
    (tool,) = await world.monitor.tools()
    assert (tool.tally.failures, tool.tally.errors) == (30, {"upstream_unavailable": 30})


async def test_a_changed_tool_puts_it_on_trial_again_and_proof_brings_it_back(world: World) -> None:
    await world.play("+++++")
    world.tools["files.read_file"] = "t2"

    changes = await world.look()

    assert kinds(changes) == ["relearning"]
    assert world.statuses() == {"notes": "learning"}
    assert (await world.monitor.report("notes"))["statistics"] is None  # nothing of this version
    assert kinds(await world.play("+++++")) == ["promoted"]
    assert world.statuses() == {"notes": "validated"}


async def test_a_file_edited_in_use_is_not_moved_and_proves_itself(world: World) -> None:
    await world.play("++++")
    world.write("learning", {"output": "read"})

    await world.play("+")

    assert world.statuses() == {"notes": "learning"}
    assert (await world.another().healths())["notes"].status == "learning"
    assert await world.statistics.changes(only_open=True) == []
    assert kinds(await world.look()) == ["edited"]
    assert await world.play("++++") == []
    assert kinds(await world.play("+")) == ["promoted"]
    stored = load_compositions(world.folder).get("notes")
    assert stored.composition.output == "read"


async def test_a_move_that_a_crash_left_undone_is_done_at_the_next_start(world: World) -> None:
    blocked = world.folder / "validated"
    blocked.write_text("no folder")  # so the file cannot be moved there
    await world.play("+++++")
    assert world.statuses() == {"notes": "learning"}

    blocked.unlink()
    await world.another().finish_moves()

    assert world.statuses() == {"notes": "validated"}
    assert await world.statistics.changes(only_open=True) == []


async def test_nothing_moves_while_learning_is_off_but_all_is_counted(tmp_path: Path) -> None:
    world = World(tmp_path, LearningRules(is_enabled=False))
    await world.look()

    assert await world.play("+++++-----") == []
    assert world.statuses() == {"notes": "learning"}
    assert (await world.statistics_of())["runs"] == 10
    await world.statistics.close()


async def test_two_processes_prove_it_together(world: World) -> None:
    other = world.another()
    await other.look([Seen("notes", "learning", *_meaning(world))])

    await world.play("+++")
    world.monitor = other
    changes = await world.play("++")

    assert kinds(changes) == ["promoted"]


async def test_a_process_that_plays_the_version_before_proves_nothing_about_the_new_one(
    world: World,
) -> None:
    slow = world.another()
    await slow.look([Seen("notes", "learning", *_meaning(world))])
    world.clock.time += 10
    world.write("learning", {"output": "read"})
    await world.look()

    for number in range(5):
        await slow.counting.observe([world.execution(f"old_{number}")])

    assert world.statuses() == {"notes": "learning"}
    assert (await world.another().healths())["notes"].successes == 0


def _meaning(world: World) -> tuple[str, dict[str, str | None]]:
    (stored,) = load_compositions(world.folder).all()
    return meaning_of(stored.composition), dict(world.tools)


async def test_executions_that_end_at_once_are_all_counted_and_promote_it_once(
    world: World,
) -> None:
    async with anyio.create_task_group() as group:
        for number in range(50):
            group.start_soon(world.monitor.counting.observe, [world.execution(f"e{number}")])

    assert (await world.statistics_of())["successes"] == 50
    assert kinds(world.heard) == ["promoted"]


# --- statistics


async def test_savings_are_against_the_trace_it_came_from(world: World) -> None:
    await world.monitor.born("notes", Baseline(calls=6, tokens=900))

    await world.play("++-", result={"text": "x" * 391})

    counts = await world.statistics_of()
    assert (counts["calls_saved"], counts["tokens_saved"]) == (10, 1_600)


async def test_an_execution_that_still_asks_is_counted_when_it_ends(world: World) -> None:
    asking = world.execution("exec_a", status="needs_input")
    await world.monitor.counting.observe([asking])
    asking.status = "success"
    await world.monitor.counting.observe([asking])

    assert (await world.statistics_of())["runs"] == 1


async def test_what_began_before_the_file_was_edited_proves_nothing_about_the_edit(
    world: World,
) -> None:
    slow = world.execution("slow", code="tool_failed")
    world.clock.time += 5
    world.write("learning", {"output": "read"})
    await world.look()

    await world.monitor.counting.observe([slow])

    assert await world.statistics_of() is None


async def test_what_a_crash_left_uncounted_is_counted_from_the_journal_once(world: World) -> None:
    await world.play("++")
    world.clock.time += 10
    journal = [world.execution(f"exec_{n}") for n in (1, 2, 3, 4)]
    world.monitor = other = world.another()
    await other.finish_moves()
    await world.look()

    assert await other.counting.catch_up(journal) == 2
    assert await other.counting.catch_up(journal) == 0
    assert (await world.statistics_of())["runs"] == 4


async def test_a_record_that_cannot_be_written_fails_no_request(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocker = tmp_path / "blocked"
    blocker.write_text("x")
    world.statistics = SqliteStatistics(blocker / "s.sqlite3", clock=world.clock)
    monitor = world.another()

    assert await monitor.counting.observe([world.execution("e")]) == ()
    assert await monitor.counting.observe([world.execution("f")]) == ()
    choice = await monitor.choosing.choose("notes", [reader()])

    assert choice is not None
    assert monitor.state()["lost"] >= 2
    assert caplog.text.count("not counted") == 1


# --- pauses, choices


async def test_a_paused_one_refuses_until_its_probe_and_two_successes_end_it(world: World) -> None:
    await world.play("-++-+-+---")
    world.clock.time += 30

    with pytest.raises(CompositionPausedError) as raised:
        await world.monitor.choosing.choose("notes", [reader()])
    assert "30 s" in raised.value.message

    world.clock.time += 31
    choice = await world.monitor.choosing.choose("notes", [reader()])
    assert choice is not None
    assert choice.is_probe
    with pytest.raises(CompositionPausedError):
        await world.monitor.choosing.choose("notes", [reader()])  # one probe at a time
    assert kinds(await world.play("++")) == ["resumed"]
    await world.monitor.choosing.admit("notes")


async def test_of_two_processes_only_one_gets_the_probe(world: World) -> None:
    await world.play("-++-+-+---")
    world.clock.time += 61
    other = world.another()

    first, second = await world.monitor.choosing.choose("notes", [reader()]), None
    with pytest.raises(CompositionPausedError):
        second = await other.choosing.choose("notes", [reader()])

    assert first is not None
    assert second is None


async def test_what_is_forbidden_is_refused_also_by_its_id(world: World) -> None:
    await world.monitor.command("notes", "forbid")

    with pytest.raises(CompositionForbiddenError):
        await world.monitor.choosing.choose("notes", [reader()])
    with pytest.raises(CompositionForbiddenError):
        await world.monitor.choosing.admit("notes")
    await world.monitor.command("notes", "release")
    await world.monitor.choosing.admit("notes")
    assert await world.monitor.choosing.choose("notes", []) is None


# --- feedback


async def test_bad_feedback_counts_against_it_and_good_feedback_takes_that_back(
    world: World,
) -> None:
    await world.play("++++", user_id="ann")

    said = await world.monitor.counting.give_feedback("exec_4", "bad", "wrong file", user_id="ann")
    assert (said["verdict"], said["rating"]) == ("failure", "bad")
    assert kinds(await world.play("+")) == []  # four of five
    said = await world.monitor.counting.give_feedback("exec_4", "good", user_id="ann")

    assert said["verdict"] == "success"
    assert [change["kind"] for change in said["changes"]] == ["promoted"]
    counts = await world.statistics_of()
    assert (counts["successes"], counts["failures"]) == (5, 0)


async def test_feedback_withdraws_what_was_only_silently_wrong(world: World) -> None:
    await world.play("+++++")
    changes = []
    for number in (1, 2, 3, 4, 5):
        changes += (await world.monitor.counting.give_feedback(f"exec_{number}", "bad"))["changes"]

    assert "demoted" in [change["kind"] for change in changes]
    assert world.statuses() == {"notes": "learning"}


async def test_feedback_is_for_ones_own_executions_and_says_good_or_bad(world: World) -> None:
    await world.play("+", user_id="ann")

    with pytest.raises(UnknownExecutionError):
        await world.monitor.counting.give_feedback("exec_1", "bad", user_id="bob")
    with pytest.raises(UnknownExecutionError):
        await world.monitor.counting.give_feedback("exec_99", "bad", user_id="ann")
    with pytest.raises(RequestInvalidError):
        await world.monitor.counting.give_feedback("exec_1", "meh", user_id="ann")
    assert (await world.statistics_of())["failures"] == 0


async def test_a_redo_right_after_counts_against_the_answer_before(world: World) -> None:
    words = {"request": "liste les notes", "conversation_id": "c", "intent_type": "notes"}
    await world.monitor.counting.observe([world.execution("first", **words)])
    world.clock.time += 5
    await world.monitor.counting.observe([world.execution("second", **words)])

    counts = await world.statistics_of()

    assert (counts["successes"], counts["failures"]) == (1, 1)
    assert (await world.statistics.counted(["first"]))["first"].is_redone


# --- a person


async def test_a_person_promotes_demotes_and_pins(world: World) -> None:
    await world.monitor.command("notes", "promote", "ann")
    assert world.statuses() == {"notes": "validated"}

    await world.monitor.command("notes", "pin")
    await world.play("-" * 10)
    assert world.statuses() == {"notes": "validated"}

    await world.monitor.command("notes", "demote")
    assert world.statuses() == {"notes": "learning"}
    assert world.heard[0].by == "ann"
    with pytest.raises(UnknownCompositionError) as raised:
        await world.monitor.command("note", "promote")
    assert "notes" in raised.value.hint


async def test_a_person_rolls_back(world: World) -> None:
    await world.play("+++++")
    world.write("validated", {"output": "read"})
    await world.look()

    assert '"output"' in await world.monitor.diff("notes", 1)
    change = await world.monitor.rollback("notes", 1, "ann")

    assert (change.kind, change.by) == ("rolled_back", "ann")
    assert load_compositions(world.folder).get("notes").composition.output is None
    assert await world.statistics.changes(only_open=True) == []


# --- repair


def tool(name: str) -> Tool:
    return Tool("files", name, "Read a file", {"type": "object"}, None, {"readOnlyHint": True})


async def test_a_step_that_fails_again_and_again_gets_a_stand_in_on_trial(world: World) -> None:
    await world.play("+" * 12)
    composition = load_compositions(world.folder).get("notes").composition
    known = Known([tool("read_text_file")])
    assert await world.monitor.repairs(composition, known) == []
    await world.play("---", code="unknown_tool")

    (proposal,) = await world.monitor.repairs(composition, known)
    change = await world.monitor.repair(composition, proposal, {"notes"})

    assert world.statuses() == {"notes": "validated", "notes_repair1": "learning"}
    assert change.evidence["failures"] == "3 of the last 6 runs"
    assert await world.monitor.repairs(composition, known) == []  # once is enough
    (version,) = await world.monitor.versions("notes_repair1")
    assert version.evidence["now"] == "files.read_text_file"


async def test_one_that_is_on_trial_is_repaired_in_place_and_can_be_rolled_back(
    world: World,
) -> None:
    await world.play("---", code="unknown_tool")
    composition = load_compositions(world.folder).get("notes").composition
    (proposal,) = await world.monitor.repairs(composition, Known([tool("read_text_file")]))

    await world.monitor.repair(composition, proposal)
    assert _tool_of(world) == "read_text_file"
    await world.monitor.rollback("notes", 1)

    assert _tool_of(world) == "read_file"


def _tool_of(world: World) -> str:
    (step,) = load_compositions(world.folder).get("notes").composition.steps
    return step.tool_id
