"""Calls in, learning files out: what a client did three times, and what a person does with it."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from podium.domain.errors import NotLearntError, TracesError
from podium.domain.redaction import REDACTED, Redactor
from podium.domain.tool import Effects
from podium.domain.trace import Trace, TracedCall
from podium.mapping.expressions import Evaluator
from podium.monitor.traces.cleaning import Refusal
from podium.monitor.traces.learner import Learner, LearnerSettings, Proposal, compiled_together
from podium.monitor.traces.recorder import (
    ConversationKey,
    Recorder,
    TraceBounds,
    conversation_key,
)
from podium.storage.traces import LearntFolder, SqliteTraces
from podium.testing import FakeClock, SequentialIds
from tests.learning.recorded import new_evaluator

pytestmark = pytest.mark.anyio

PEOPLE = [("Alice Roy", "usr-101"), ("Jean Petit", "usr-202"), ("Chloé Dubois", "usr-303")]
CONFIGURED = "hunter2hunter2"


class Gate:
    """A gate that finds what the test says."""

    def __init__(self, *faults: str) -> None:
        self._faults = list(faults)

    def faults(self, pattern: dict[str, Any]) -> list[str]:
        """Return the faults; the pattern does not matter."""
        assert pattern["regex"]
        return self._faults


class World:
    """A learner over real files and a real store, with a clock that the test sets."""

    def __init__(self, folder: Path, gate: Gate | None = None, **settings: Any) -> None:
        self.folder = folder
        self.clock = FakeClock()
        redactor = Redactor([CONFIGURED])
        self.recorder = Recorder(clock=self.clock, ids=SequentialIds(), redactor=redactor)
        self.store = SqliteTraces(folder / "traces.db", clock=self.clock, redactor=redactor)
        self.learner = Learner(
            recorder=self.recorder,
            store=self.store,
            files=LearntFolder(folder / "compositions", folder / "patterns"),
            make_evaluator=new_evaluator,
            clock=self.clock,
            gate=gate,
            settings=LearnerSettings(**settings),
        )

    def file(self, composition_id: str) -> Path:
        return self.folder / "compositions" / "learning" / f"{composition_id}.json"

    def solve(self, name: str, user: str, conversation: str, owner: str = "marc") -> None:
        key = ConversationKey(owner, conversation)
        request = f"Montre les notes de {name}"
        find = call("find", {"name": name}, {"user": {"id": user}})
        self.recorder.record(key, replace(find, request=request))
        self.recorder.record(key, call("notes", {"user_id": user}, {"notes": [f"n of {user}"]}))

    async def solve_and_end(self, count: int, owner: str = "marc") -> list[Proposal | Refusal]:
        outcomes = []
        for number, (name, user) in enumerate(PEOPLE[:count]):
            self.solve(name, user, f"{owner}-{number}-{self.clock.time}", owner)
            self.clock.time += 1_000
            outcomes += await self.learner.sweep()
        return outcomes


def call(tool: str, arguments: dict[str, Any], value: Any, effects: Effects = "read") -> TracedCall:
    return TracedCall("s", tool, arguments, value, effects=effects)


async def test_the_third_conversation_writes_a_learning_file(tmp_path: Path) -> None:
    world = World(tmp_path)

    outcomes = await world.solve_and_end(3)

    statuses = [outcome.status for outcome in outcomes if isinstance(outcome, Proposal)]
    assert statuses == ["proposed", "proposed", "learnt"]
    last = outcomes[-1]
    assert isinstance(last, Proposal)
    written = json.loads(world.file(last.composition_id).read_text("utf-8"))
    assert written == last.composition
    assert [step["input_mapping"] for step in written["steps"]] == [
        {"name": "name"},
        {"user_id": "find.user.id"},
    ]
    assert written["input_schema"]["required"] == ["name"]
    assert last.evidence["stable"] == last.evidence["subsets"] == 3


async def test_one_conversation_is_proposed_and_nothing_is_written(tmp_path: Path) -> None:
    world = World(tmp_path)

    (outcome,) = await world.solve_and_end(1)

    assert isinstance(outcome, Proposal)
    assert not world.file(outcome.composition_id).exists()
    assert [shown.composition_id for shown in await world.learner.learnt()] == [
        outcome.composition_id
    ]


async def test_a_refused_task_is_never_proposed_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    (outcome,) = await world.solve_and_end(1)
    assert isinstance(outcome, Proposal)

    await world.learner.refuse(outcome.composition_id)
    again = await World(tmp_path).solve_and_end(3)

    assert again == []
    assert await world.learner.learnt() == []
    assert not world.file(outcome.composition_id).exists()


async def test_an_edit_by_hand_is_never_overwritten(tmp_path: Path) -> None:
    world = World(tmp_path)
    last = (await world.solve_and_end(3))[-1]
    assert isinstance(last, Proposal)
    path = world.file(last.composition_id)
    edited = path.read_text("utf-8").replace('"name": "', '"name": "My own ')
    path.write_text(edited, "utf-8")

    outcomes = await world.solve_and_end(2)

    assert path.read_text("utf-8") == edited
    newest = outcomes[-1]
    assert isinstance(newest, Proposal)
    assert newest.status == "edited"
    assert "My own" in newest.diff


@pytest.mark.parametrize("folder", ["", "validated"])
async def test_a_file_that_was_deleted_or_promoted_is_not_written_again(
    tmp_path: Path, folder: str
) -> None:
    world = World(tmp_path)
    last = (await world.solve_and_end(3))[-1]
    assert isinstance(last, Proposal)
    path = world.file(last.composition_id)
    if folder:
        target = tmp_path / "compositions" / folder / path.name
        target.parent.mkdir()
        path.rename(target)
    else:
        path.unlink()

    newest = (await world.solve_and_end(1))[-1]

    assert isinstance(newest, Proposal)
    assert newest.status == "gone"
    assert not path.exists()


async def test_an_accepted_proposal_is_written_with_its_pattern(tmp_path: Path) -> None:
    world = World(tmp_path, Gate())
    (outcome,) = await world.solve_and_end(1)
    assert isinstance(outcome, Proposal)

    accepted = await world.learner.accept(outcome.composition_id)

    assert accepted.status == "learnt"
    (pattern,) = json.loads(
        (tmp_path / "patterns" / f"{outcome.composition_id}.json").read_text("utf-8")
    )["patterns"]
    assert pattern["regex"] == [r"^montre\s+les\s+notes\s+de\s+(?P<name>.*[^\s.?!…])[\s.?!…]*$"]
    assert pattern["examples"] == [
        {"text": "Montre les notes de Alice Roy", "params": {"name": "Alice Roy"}}
    ]


async def test_a_pattern_that_would_take_other_requests_is_shown_and_not_written(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, Gate("it takes 'Montre les notes' from 'show_notes'"))
    (outcome,) = await world.solve_and_end(1)
    assert isinstance(outcome, Proposal)

    accepted = await world.learner.accept(outcome.composition_id)

    assert accepted.pattern_faults == ("it takes 'Montre les notes' from 'show_notes'",)
    assert not (tmp_path / "patterns").exists()


async def test_a_client_names_the_trace_it_just_made(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.solve(*PEOPLE[0], "c1")
    key = ConversationKey("marc", "c1")

    saved = await world.learner.save(key, "Notes d'une personne", "Ses notes, par son nom.")

    assert (saved.composition_id, saved.status) == ("notes_d_une_personne", "learnt")
    written = json.loads(world.file("notes_d_une_personne").read_text("utf-8"))
    assert (written["name"], written["description"]) == (
        "Notes d'une personne",
        "Ses notes, par son nom.",
    )
    world.clock.time += 1_000
    assert await world.learner.sweep() == []  # it is not learnt a second time


async def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    world = World(tmp_path)
    path = world.file("weekly")
    path.parent.mkdir(parents=True)
    path.write_text("{}", "utf-8")
    world.solve(*PEOPLE[0], "c1")

    with pytest.raises(NotLearntError, match="'weekly' already"):
        await world.learner.save(ConversationKey("marc", "c1"), "weekly")

    assert path.read_text("utf-8") == "{}"


async def test_a_name_that_a_validated_composition_has_is_refused(tmp_path: Path) -> None:
    world = World(tmp_path)
    validated = tmp_path / "compositions" / "validated" / "weekly.json"
    validated.parent.mkdir(parents=True)
    validated.write_text("{}", "utf-8")
    world.solve(*PEOPLE[0], "c1")

    with pytest.raises(NotLearntError, match="'weekly' already"):
        await world.learner.save(ConversationKey("marc", "c1"), "weekly")

    assert not world.file("weekly").exists()
    assert await world.learner.learnt() == []
    saved = await world.learner.save(ConversationKey("marc", "c1"), "weekly notes")
    assert saved.status == "learnt"  # the trace is still there for another name


async def test_a_store_that_fails_loses_no_trace(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.solve(*PEOPLE[0], "c1")
    world.clock.time += 1_000
    (tmp_path / "traces.db").mkdir()

    with pytest.raises(TracesError):
        await world.learner.sweep()
    (tmp_path / "traces.db").rmdir()

    assert len(await world.learner.sweep()) == 1


async def test_a_program_that_broke_off_between_file_and_record_goes_on(tmp_path: Path) -> None:
    world = World(tmp_path)
    last = (await world.solve_and_end(3))[-1]
    assert isinstance(last, Proposal)
    (noted,) = await world.store.learnt()
    await world.store.keep(replace(noted, sha256=""))  # as if the record had not been reached

    again = (await world.solve_and_end(1))[-1]

    assert isinstance(again, Proposal)
    assert (again.composition_id, again.status) == (last.composition_id, "learnt")


async def test_a_trace_that_breaks_the_learning_does_not_stop_that_of_others(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    broken = ConversationKey("marc", "broken")
    world.recorder.record(broken, call("find", {"q": object()}, {"id": "cus-10077"}))
    world.recorder.record(broken, call("show", {"id": "cus-10077"}, {"n": 1}))

    refused, outcome = await world.solve_and_end(1)

    assert isinstance(refused, Refusal)
    assert refused.code == "failed"
    assert isinstance(outcome, Proposal)
    assert await world.learner.sweep() == []


@pytest.mark.parametrize(
    ("name", "composition_id", "title"),
    [
        ("../../etc/passwd", "etc_passwd", "../../etc/passwd"),
        ("CON", "con_composition", "CON"),
        ("Été à l'île", "ete_a_l_ile", "Été à l'île"),
        ("🎉 party\x1b[31m\n2", "party_2", "🎉 party 2"),
        ("x" * 300, "x" * 64, "x" * 79 + "…"),
    ],
)
async def test_any_name_becomes_a_file_below_the_folder(
    tmp_path: Path, name: str, composition_id: str, title: str
) -> None:
    world = World(tmp_path)
    world.solve(*PEOPLE[0], "c1")

    saved = await world.learner.save(ConversationKey("marc", "c1"), name)

    assert (saved.composition_id, saved.composition["name"]) == (composition_id, title)
    assert world.file(composition_id).exists()


@pytest.mark.parametrize("name", ["", "..", "🎉", "日本語"])
async def test_a_name_without_letters_or_digits_is_refused(tmp_path: Path, name: str) -> None:
    world = World(tmp_path)
    world.solve(*PEOPLE[0], "c1")

    with pytest.raises(NotLearntError, match="letters or digits"):
        await world.learner.save(ConversationKey("marc", "c1"), name)


async def test_saving_without_calls_says_what_to_do(tmp_path: Path) -> None:
    world = World(tmp_path)

    with pytest.raises(NotLearntError) as caught:
        await world.learner.save(ConversationKey("marc", "c1"), "x")

    assert "call_tool" in caught.value.hint


async def test_traces_of_two_people_never_meet(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.solve_and_end(2, owner="marc")

    outcomes = await world.solve_and_end(2, owner="zoe")

    assert [o.traces for o in outcomes if isinstance(o, Proposal)] == [1, 2]


async def test_learning_that_is_off_keeps_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, is_enabled=False)

    assert await world.solve_and_end(3) == []
    assert not (tmp_path / "traces.db").exists()


async def test_a_corrupt_record_is_set_aside_and_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "traces.db").write_bytes(b"this is no database " * 400)
    world = World(tmp_path)

    (outcome,) = await world.solve_and_end(1)

    assert isinstance(outcome, Proposal)
    assert any("traces.db.corrupt-" in path.name for path in files_below(tmp_path))


async def test_no_secret_is_ever_on_disk(tmp_path: Path) -> None:
    world = World(tmp_path, traces_before_learning=1)
    key = ConversationKey("marc", "c1")
    login = {"user": "marc-01", "password": "correct horse battery", "note": f"key {CONFIGURED}"}
    world.recorder.record(key, call("login", login, {"session": "sess-1234", "echo": CONFIGURED}))
    world.recorder.record(key, call("inbox", {"session": "sess-1234"}, {"mails": []}))
    world.clock.time += 1_000

    (outcome,) = await world.learner.sweep()

    assert isinstance(outcome, Proposal)
    assert {"user", "password"} <= set(outcome.composition["input_schema"]["required"])
    for path in files_below(tmp_path):
        data = path.read_bytes()
        assert CONFIGURED.encode() not in data
        assert b"correct horse" not in data


async def test_a_secret_argument_is_nowhere_else_on_disk_either(tmp_path: Path) -> None:
    world = World(tmp_path, traces_before_learning=1)
    key = ConversationKey("marc", "c1")
    # "session" is a word that stands in names as well.
    arguments = {"credentials": {"pin": 90210317, "words": ["xyzzy plugh", "session"]}, "box": "in"}
    login = call("login", arguments, {"said": "xyzzy plugh", "session": "sess-1234"})
    request = "Log in with xyzzy plugh and 90210317 and read my mail"
    world.recorder.record(key, replace(login, request=request))
    world.recorder.record(key, call("note", {"text": "said: xyzzy plugh"}, {"ok": True}, "write"))
    world.recorder.record(key, call("mails", {"session": "sess-1234"}, {"mails": []}))
    world.clock.time += 1_000

    (outcome,) = await world.learner.sweep()

    assert isinstance(outcome, Proposal)
    assert world.file(outcome.composition_id).exists()
    assert outcome.composition["steps"][-1]["input_mapping"] == {"session": "login.session"}
    for path in files_below(tmp_path):
        assert b"xyzzy" not in path.read_bytes()
        assert b"90210317" not in path.read_bytes()


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_the_store_keeps_so_many_traces_of_a_task(tmp_path: Path) -> None:
    world = World(tmp_path)
    for number in range(30):
        await world.store.add("task", Trace(f"t{number}", (call("a", {"n": number}, None),)))
        world.clock.time += 1

    kept = await world.store.of_task("task", 100)

    assert [trace.id for trace in kept] == [f"t{number}" for number in range(10, 30)]
    assert kept[-1] == Trace("t29", (call("a", {"n": 29}, None),))


def test_a_call_belongs_to_the_given_conversation_else_to_its_connection() -> None:
    assert conversation_key("u", "c", "stdio") == ConversationKey("u", "c")
    assert conversation_key("u", "", "stdio") == ConversationKey("u", "connection stdio")
    assert conversation_key("u", "", None) is None


def recorder_with(**bounds: Any) -> tuple[Recorder, FakeClock]:
    clock = FakeClock()
    return (
        Recorder(
            clock=clock, ids=SequentialIds(), redactor=Redactor(), bounds=TraceBounds(**bounds)
        ),
        clock,
    )


def test_stateless_calls_without_a_conversation_are_not_traced() -> None:
    recorder, _ = recorder_with()

    recorder.record(None, call("a", {}, None))
    recorder.end_all()

    assert recorder.ended() == []


def test_calls_beyond_the_bound_make_a_trace_unusable() -> None:
    recorder, _ = recorder_with(calls=3)
    key = ConversationKey("u", "c")
    for number in range(5):
        recorder.record(key, call("a", {"n": number}, None))

    trace = recorder.current(key)

    assert trace is not None
    assert (len(trace.calls), trace.is_whole) == (3, False)


def test_results_beyond_the_bound_are_cut_and_say_so() -> None:
    recorder, _ = recorder_with(bytes=1_000, call_bytes=800)
    key = ConversationKey("u", "c")
    recorder.record(key, call("a", {}, "x" * 900))
    recorder.record(key, call("b", {}, "y" * 700))
    recorder.record(key, call("c", {}, "z" * 700))

    trace = recorder.current(key)

    assert trace is not None
    assert [(c.tool_id, c.is_cut, c.value is None) for c in trace.calls] == [
        ("a", True, True),
        ("b", False, False),
        ("c", True, True),
    ]


def test_a_conversation_is_over_when_it_is_idle_and_not_before() -> None:
    recorder, clock = recorder_with(idle_seconds=60)
    recorder.record(ConversationKey("u", "c"), call("a", {}, 1))
    clock.time += 59
    early = recorder.ended()
    clock.time += 1

    late = recorder.ended()

    assert early == []
    assert [trace.conversation_id for trace in late] == ["c"]
    assert recorder.ended() == []


def test_another_request_in_the_same_conversation_begins_another_trace() -> None:
    recorder, _ = recorder_with()
    key = ConversationKey("u", "c")
    recorder.note_request(key, "Montre le dossier DOS-1")
    recorder.record(key, call("a", {}, 1))
    recorder.note_request(key, "Montre le dossier DOS-2")
    recorder.record(key, call("a", {}, 2))
    recorder.end_all()

    ended = recorder.ended()

    assert [(trace.request, len(trace.calls)) for trace in ended] == [
        ("Montre le dossier DOS-1", 1),
        ("Montre le dossier DOS-2", 1),
    ]


def test_beyond_so_many_conversations_the_oldest_ends() -> None:
    recorder, _ = recorder_with(conversations=2)
    for name in ("one", "two", "three"):
        recorder.record(ConversationKey("u", name), call("a", {}, 1))

    assert [trace.conversation_id for trace in recorder.ended()] == ["one"]


def test_requests_without_calls_make_room_before_conversations_do() -> None:
    recorder, _ = recorder_with(conversations=2)
    recorder.record(ConversationKey("u", "one"), call("a", {}, 1))
    for number in range(5):
        recorder.note_request(ConversationKey("u", f"asked {number}"), "who are you")

    assert recorder.ended() == []
    assert recorder.current(ConversationKey("u", "one")) is not None


def test_calls_made_before_a_request_that_nothing_answers_are_not_for_it() -> None:
    recorder, _ = recorder_with()
    key = ConversationKey("u", "c")
    recorder.record(key, call("a", {}, 1))
    recorder.note_request(key, "Montre le dossier DOS-1")
    recorder.record(key, call("b", {}, 2))
    recorder.note_request(key, "Montre le dossier DOS-1")
    recorder.end_all()

    ended = recorder.ended()

    assert [(trace.request, len(trace.calls)) for trace in ended] == [
        ("", 1),
        ("Montre le dossier DOS-1", 1),
    ]


def test_a_connection_that_closes_ends_only_what_was_told_by_it_alone() -> None:
    recorder, _ = recorder_with()
    for conversation_id, connection_id in (("", "x"), ("", "y"), ("c", "x")):
        key = conversation_key("u", conversation_id, connection_id)
        recorder.record(key, call("a", {"by": f"{conversation_id}{connection_id}"}, 1))

    recorder.disconnect("x")

    assert [trace.calls[0].arguments for trace in recorder.ended()] == [{"by": "x"}]


def test_a_call_that_could_not_be_recorded_makes_its_trace_unusable() -> None:
    recorder, _ = recorder_with()
    key = ConversationKey("u", "c")
    recorder.record(key, call("a", {}, 1))
    recorder.lose(key)

    trace = recorder.current(key)

    assert trace is not None
    assert not trace.is_whole


def test_calls_are_in_the_order_in_which_they_were_sent() -> None:
    recorder, _ = recorder_with()
    key = ConversationKey("u", "c")
    for tool, started_at in (("late", 2.0), ("early", 1.0)):
        recorder.record(key, replace(call(tool, {}, 1), started_at=started_at))

    trace = recorder.current(key)

    assert trace is not None
    assert [each.tool_id for each in trace.calls] == ["early", "late"]


def test_a_secret_argument_is_masked_wherever_it_is_nested() -> None:
    recorder, _ = recorder_with()
    key = ConversationKey("u", "c")
    arguments = {"auth": {"api_key": "abc", "page_token": "p2"}, "logins": [{"Password": "x"}]}

    recorder.record(key, call("a", arguments, None))

    trace = recorder.current(key)
    assert trace is not None
    assert trace.calls[0].arguments == {
        "auth": {"api_key": REDACTED, "page_token": "p2"},
        "logins": [{"Password": REDACTED}],
    }
    assert arguments["logins"] == [{"Password": "x"}]  # the call itself is not changed


def test_an_earlier_trace_of_another_task_with_the_same_tools_does_not_count() -> None:
    evaluator: Evaluator = new_evaluator()
    order = Trace(
        "order",
        (
            call("find", {"q": "Alice Roy"}, {"hit": {"id": "usr-101"}}),
            call("show", {"id": "usr-101"}, {"n": 1}, "write"),
        ),
    )
    unlike = Trace(
        "unlike",
        (
            call("show", {"id": "zzz-999"}, {"n": 5}, "write"),
            call("find", {"q": "Jean Petit"}, {"hit": {"id": "usr-202"}}),
        ),
    )

    result = compiled_together([unlike], order, evaluator)

    assert not isinstance(result, Refusal)
    assert result.evidence.traces == ("order",)
    assert result.composition["steps"][1]["input_mapping"] == {"id": "find.hit.id"}


def test_a_file_is_written_only_over_the_text_that_is_known(tmp_path: Path) -> None:
    files = LearntFolder(tmp_path / "compositions", tmp_path / "patterns")

    first = files.write("x", "one", "")
    second = files.write("x", "two", "")
    third = files.write("x", "two", hashlib.sha256(b"one").hexdigest())

    assert (first, second, third, files.read("x")) == (True, False, True, "two")
