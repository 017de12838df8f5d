"""What a client did itself becomes a composition: over real servers, with the official client."""

import json
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from podium import Orchestrator
from podium.cli.boundary import run
from podium.domain.errors import NotLearntError
from tests.learning.conftest import WAIT_SECONDS, Workspace
from tests.learning.test_end_to_end import names_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SHOP = str(Path(__file__).with_name("shop_server.py"))
CITIES = ("Lyon", "Nantes", "Lille", "Brest", "Metz")
PEOPLE = ("Alice Roy", "Jean Petit", "Chloé Dubois")
Call = Callable[..., Any]


async def podium(workspace: Workspace, *arguments: str, code: int = 0) -> Any:
    command = [sys.executable, "-m", "podium", *arguments, "--json", "-w", str(workspace.folder)]
    with anyio.fail_after(WAIT_SECONDS):
        done = await anyio.run_process(command, check=False)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


class Shop:
    """A workspace over the shop and the files server; who does the task says so in words."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.folder = workspace.folder
        self.describe("Finds a customer by name.")
        for city in CITIES:
            hours = f"{city}: open from 9 to 17."
            (self.folder / "documents" / f"{city}.txt").write_text(hours, "utf-8")
        self.configure()

    def configure(self, **more: Any) -> None:
        """Add the shop to the servers, and keys to the configuration."""
        path = self.folder / "config.yaml"
        config = json.loads(path.read_text("utf-8")) | more
        command = {"command": sys.executable, "args": [SHOP, str(self.folder / "about.txt")]}
        config["mcpServers"]["shop"] = command
        path.write_text(json.dumps(config), "utf-8")

    def describe(self, description: str) -> None:
        """Let `find_customer` be described so; it takes effect when the server says so."""
        (self.folder / "about.txt").write_text(description, "utf-8")

    def learnt(self, status: str = "learning") -> list[str]:
        """Return the ids of the compositions of a status that were learnt."""
        folder = self.folder / "compositions" / status
        return sorted(path.stem for path in folder.glob("learnt_*.json"))


@pytest.fixture
def shop(workspace: Workspace) -> Shop:
    return Shop(workspace)


def words(name: str) -> str:
    return f"When can {name} fetch the parcel?"


async def solve(call: Call, name: str) -> str:
    """Solve the task with five calls, as a client with a model would."""
    customer = await call("shop", "find_customer", {"name": name})
    orders = await call("shop", "list_orders", {"customer_id": customer["customer"]["id"]})
    order = await call("shop", "get_order", {"order_id": orders["orders"][0]["id"]})
    parcel = await call("shop", "track_parcel", {"parcel_id": order["order"]["parcel_id"]})
    hours = await call("files", "read_file", {"file_path": f"{parcel['place']}.txt"})
    return str(hours["text"])


def over_mcp(client: Any, request: str) -> Call:
    async def call(server_id: str, tool_id: str, arguments: dict[str, Any]) -> Any:
        asked = {"server_id": server_id, "tool_id": tool_id, "arguments": arguments}
        answer = await client.call_tool("call_tool", {**asked, "request": request})
        assert not answer.is_error, answer
        return answer.structured_content["result"]

    return call


def in_process(orchestrator: Orchestrator, conversation_id: str, request: str = "") -> Call:
    async def call(server_id: str, tool_id: str, arguments: dict[str, Any]) -> Any:
        result = await orchestrator.call_tool(
            server_id,
            tool_id,
            arguments,
            user_id="ana",
            conversation_id=conversation_id,
            request=request,
        )
        return result.value()

    return call


async def test_what_a_client_did_three_times_answers_words_becomes_a_tool_and_is_withdrawn(
    shop: Shop, era: str
) -> None:
    async with shop.workspace.served(era) as (client, heard):
        before = await names_of(client)
        for name in PEOPLE:
            answer = await solve(over_mcp(client, words(name)), name)
            assert "open from 9" in answer
        replies = []
        for name in ("Dora Klein", "Émile Faure", *PEOPLE):
            asked = await client.call_tool("process_request", {"request": words(name)})
            replies.append(asked.structured_content)
            if len(replies) == 1:
                on_trial = shop.learnt()
        await heard.wait()
        (learnt,) = await names_of(client) - before
        risen = shop.learnt("validated")
        as_a_tool = await client.call_tool(learnt, {"name": "Dora Klein"})

        shop.describe("Finds a customer, and tells everybody who was looked for.")
        await client.call_tool("call_tool", {"server_id": "shop", "tool_id": "announce"})
        await heard.wait()
        after = await names_of(client)

    assert [reply["status"] for reply in replies] == ["success"] * 5, replies[0]
    assert replies[0]["data"]["result"]["text"] == "Brest: open from 9 to 17."
    assert {reply["composition_id"] for reply in replies} == {learnt}
    assert on_trial == risen == [learnt]
    assert as_a_tool.structured_content["data"]["result"]["text"] == "Brest: open from 9 to 17."
    assert after == before
    assert (shop.learnt(), shop.learnt("validated")) == ([learnt], [])


async def test_calls_of_passed_through_tools_are_saved_under_a_name(shop: Shop, era: str) -> None:
    shop.configure(expose="all")

    async with shop.workspace.served(era) as (client, _):

        async def call(server_id: str, tool_id: str, arguments: dict[str, Any]) -> Any:
            done = await client.call_tool(f"{server_id}__{tool_id}", arguments)
            assert not done.is_error, done
            return done.structured_content

        unknown = await client.call_tool("process_request", {"request": words("Alice Roy")})
        await solve(call, "Alice Roy")
        saved = await client.call_tool("save_composition", {"name": "Opening hours"})
        played = await client.call_tool(
            "execute_composition",
            {"composition_id": "opening_hours", "params": {"name": "Jean Petit"}},
        )
        again = await client.call_tool("save_composition", {"name": "Opening hours"})

    assert unknown.structured_content["status"] == "no_match"
    assert saved.structured_content["composition_id"] == "opening_hours"
    assert "one conversation only" in saved.content[0].text
    assert played.structured_content["data"]["result"]["text"] == "Nantes: open from 9 to 17."
    assert again.is_error
    assert again.structured_content["error"]["code"] == "not_learnt"
    assert "call_tool" in again.structured_content["error"]["hint"]


async def test_what_was_done_when_the_program_ended_is_learnt_at_the_next_start(
    shop: Shop,
) -> None:
    for name in PEOPLE:
        async with Orchestrator.open(shop.folder) as orchestrator:
            await solve(in_process(orchestrator, f"c {name}", words(name)), name)
    written_before = shop.learnt()

    async with Orchestrator.open(shop.folder) as orchestrator:
        (proposal,) = await orchestrator.tracing.proposals()
        reply = await orchestrator.process_request(words("Dora Klein"), "ana")
        report = await orchestrator.learning.report(proposal.composition_id)

    assert written_before == []
    assert (proposal.status, proposal.traces, proposal.is_pattern_active) == ("learnt", 3, True)
    assert reply["composition_id"] == proposal.composition_id
    assert report["statistics"]["calls_saved"] == 4
    assert 0 < report["statistics"]["tokens_saved"] < proposal.baseline.tokens


def test_a_person_sees_accepts_and_refuses_at_the_command_line(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    async def work() -> None:
        async with Orchestrator.open(shop.folder) as orchestrator:
            await solve(in_process(orchestrator, "c1", words("Alice Roy")), "Alice Roy")
            note = in_process(orchestrator, "c2")
            found = await note("shop", "find_customer", {"name": "Jean Petit"})
            await note("shop", "note", {"text": found["customer"]["id"]})

    def says(*arguments: str, code: int = 0) -> str:
        assert run([*arguments, "-w", str(shop.folder)]) == code
        return capsys.readouterr().out

    def learn(*arguments: str, code: int = 0) -> Any:
        return json.loads(says("learn", *arguments, "--json", code=code))

    anyio.run(work)
    listed = learn()
    by_steps = {len(each["composition"]["steps"]): each["composition_id"] for each in listed}
    hours, noting = by_steps[5], by_steps[2]
    page = says("learn", hours)
    accepted = learn(hours, "--accept")
    reply = json.loads(says("ask", words("Dora Klein"), "--json"))
    refused = learn(noting, "--refuse")
    left = learn()
    unknown = learn("learnt_nothing", code=2)
    both = learn(hours, "--accept", "--refuse", code=2)

    assert {each["status"] for each in listed} == {"proposed"}
    assert "learnt from 1 conversation(s) of 5 calls" in page
    assert "find_customer.customer.id" in page
    assert '"composition": "' + hours in page
    assert (accepted["status"], accepted["pattern_active"]) == ("learnt", True)
    assert reply["data"]["result"]["text"] == "Brest: open from 9 to 17."
    assert refused == {"composition_id": noting, "status": "refused"}
    assert [each["composition_id"] for each in left] == [hours]
    assert unknown["error"]["code"] == "not_learnt"
    assert both["error"]["code"] == "usage"


# --- in one process


async def learn_from(
    orchestrator: Orchestrator, calls: list[tuple[str, dict[str, Any]]], conversation_id: str
) -> None:
    """Make calls of the shop in a conversation; what the shop says to them does not matter."""
    call = in_process(orchestrator, conversation_id)
    for tool_id, arguments in calls:
        await call("shop", tool_id, arguments)


async def why_not(orchestrator: Orchestrator, conversation_id: str, name: str = "x") -> str:
    """Return why the calls of a conversation cannot be saved."""
    with pytest.raises(NotLearntError) as caught:
        await orchestrator.save_composition(name, user_id="ana", conversation_id=conversation_id)
    assert caught.value.code == "not_learnt"
    return caught.value.message


async def test_what_writes_answers_words_only_when_a_person_has_accepted_it(shop: Shop) -> None:
    async with Orchestrator.open(shop.folder) as orchestrator:
        for name in PEOPLE:
            call = in_process(orchestrator, "c1", f"Note the number of {name} please")
            found = await call("shop", "find_customer", {"name": name})
            await call("shop", "note", {"text": found["customer"]["id"]})
        asked = "Note the number of Dora Klein please"
        before = await orchestrator.process_request(asked, "ana", "c1")
        (proposal,) = await orchestrator.tracing.proposals()
        accepted = await orchestrator.tracing.accept(proposal.composition_id)
        after = await orchestrator.process_request(asked, "ana", "c2")

    assert (proposal.status, proposal.is_pattern_active) == ("learnt", False)
    assert proposal.pattern_faults == ()
    assert before["composition_id"] != proposal.composition_id
    assert accepted.is_pattern_active
    assert after["composition_id"] == proposal.composition_id


async def test_a_pattern_that_would_take_words_of_another_does_not_become_active(
    shop: Shop,
) -> None:
    others = {"name": "parcels", "sentences": ["when can {who} fetch the parcel"],
              "examples": [{"text": "When can Alice Roy fetch the parcel?"}],
              "priority": -1, "composition": "read_note"}  # fmt: skip
    (shop.folder / "patterns" / "parcels.json").write_text(json.dumps({"patterns": [others]}))

    async with Orchestrator.open(shop.folder) as orchestrator:
        for name in (*PEOPLE, "Dora Klein"):
            await solve(in_process(orchestrator, "c1", words(name)), name)
        (proposal,) = await orchestrator.tracing.proposals()

    assert proposal.status == "learnt"
    assert not proposal.is_pattern_active
    assert "'When can Alice Roy fetch the parcel?' is taken for" in proposal.pattern_faults[0]


async def test_a_call_that_belongs_to_no_conversation_is_not_recorded(shop: Shop) -> None:
    async with Orchestrator.open(shop.folder) as orchestrator:
        await solve(in_process(orchestrator, ""), "Alice Roy")

        assert "no tool calls" in await why_not(orchestrator, "")


async def test_with_learning_off_nothing_is_recorded_or_saved(
    make_workspace: Callable[..., Workspace],
) -> None:
    shop = Shop(make_workspace(learning_enabled=False))

    async with Orchestrator.open(shop.folder) as orchestrator:
        await solve(in_process(orchestrator, "c1"), "Alice Roy")

        assert "learning is off" in await why_not(orchestrator, "c1")


async def test_a_name_that_is_taken_and_calls_that_go_page_by_page_are_refused(shop: Shop) -> None:
    pages = [("list_orders", {"customer_id": "cus-101", "page": page}) for page in (1, 2, 3)]

    async with Orchestrator.open(shop.folder) as orchestrator:
        await solve(in_process(orchestrator, "c1"), "Alice Roy")
        await learn_from(orchestrator, pages, "c2")
        taken = await why_not(orchestrator, "c1", "read note")
        paged = await why_not(orchestrator, "c2")
        saved = await orchestrator.save_composition(
            "Hours", "When a parcel can be fetched.", user_id="ana", conversation_id="c1"
        )

    assert "'read_note' already" in taken
    assert "page by page" in paged
    assert saved["composition"]["description"] == "When a parcel can be fetched."


async def test_more_calls_than_a_trace_may_have_are_refused_and_cost_little(shop: Shop) -> None:
    calls = [("note", {"text": f"note {number}"}) for number in range(501)]

    async with Orchestrator.open(shop.folder) as orchestrator:
        await learn_from(orchestrator, calls, "c1")
        many = await why_not(orchestrator, "c1")
        await learn_from(orchestrator, calls[:12], "c2")
        steps = await why_not(orchestrator, "c2")

    assert "were not recorded" in many
    assert "12 steps" in steps  # a composition may have ten


async def test_traces_that_contradict_one_another_do_not_become_one_composition(
    shop: Shop,
) -> None:
    find, note = "find_customer", "note"
    first = [(find, {"name": "Alice Roy"}), (note, {"text": "cus-101"})]
    other = [(note, {"text": "begin"}), (find, {"name": "Jean Petit"}), (note, {"text": "x-9"})]

    async with Orchestrator.open(shop.folder) as orchestrator:
        for number, calls in enumerate((first, other, first)):
            await learn_from(orchestrator, calls, f"c{number}")
            await orchestrator.process_request("what is the meaning of this", "ana", f"c{number}")
        (proposal,) = await orchestrator.tracing.proposals()

    assert (proposal.status, proposal.traces) == ("proposed", 2)  # the other one stays out
    assert [step["tool_id"] for step in proposal.composition["steps"]] == [find, note]


async def test_a_list_that_is_empty_in_one_conversation_is_still_gone_round(shop: Shop) -> None:
    async with Orchestrator.open(shop.folder) as orchestrator:
        for name in ("Rose Often", "Nobody New", "Hugo Twice"):
            call = in_process(orchestrator, "c1", f"Show all orders of {name}")
            found = await call("shop", "find_customer", {"name": name})
            listed = await call("shop", "list_orders", {"customer_id": found["customer"]["id"]})
            for order in listed["orders"]:
                await call("shop", "get_order", {"order_id": order["id"]})
        saved = await orchestrator.save_composition("Orders", user_id="ana", conversation_id="c1")
        nobody = await orchestrator.execute_composition("orders", {"name": "Nobody New"})
        dora = await orchestrator.execute_composition("orders", {"name": "Dora Klein"})

    assert saved["composition"]["steps"][-1]["iterations"] == "list_orders.orders"
    assert (nobody["status"], nobody["data"]["result"]) == ("success", [])
    assert [each["order"]["id"] for each in dora["data"]["result"]] == ["ord-9004"]


async def test_results_of_megabytes_are_passed_on_and_are_no_part_of_what_is_learnt(
    shop: Shop,
) -> None:
    async with Orchestrator.open(shop.folder) as orchestrator:
        call = in_process(orchestrator, "c1")
        dumped = await call("shop", "dump", {"bytes": 5_000_000})
        await call("shop", "note", {"text": dumped["rows"][-1]["id"]})

        assert "too large to be kept" in await why_not(orchestrator, "c1")
    state = shop.folder / ".podium"
    assert len(dumped["rows"]) > 40_000
    assert (state / "traces.sqlite3").stat().st_size < 1_000_000


async def test_a_value_that_stands_in_ten_places_is_taken_from_where_it_is_called_so(
    shop: Shop,
) -> None:
    async with Orchestrator.open(shop.folder) as orchestrator:
        for name in PEOPLE:
            call = in_process(orchestrator, "c1", f"Parcel {name}")
            found = (await call("shop", "find_customer", {"name": name}))["customer"]
            for _ in range(8):  # the same id again and again, in what comes back
                await call("shop", "note", {"text": found["id"]})
            await call("shop", "list_orders", {"customer_id": found["id"]})
        saved = await orchestrator.save_composition("Ten", user_id="ana", conversation_id="c1")

    last = saved["composition"]["steps"][-1]
    assert last["input_mapping"] == {"customer_id": "find_customer.customer.id"}


@pytest.mark.parametrize("damage", ["garbage", "cut"])
async def test_a_corrupt_record_of_traces_is_set_aside_and_everything_goes_on(
    shop: Shop, damage: str
) -> None:
    state = shop.folder / ".podium"
    async with Orchestrator.open(shop.folder) as orchestrator:
        await solve(in_process(orchestrator, "c1", words("Alice Roy")), "Alice Roy")
        await orchestrator.tracing.settled()
    path = state / "traces.sqlite3"
    data = path.read_bytes()
    path.write_bytes(b"no database at all " * 500 if damage == "garbage" else data[:5_000])

    async with Orchestrator.open(shop.folder) as orchestrator:
        hours = await solve(in_process(orchestrator, "c1", words("Jean Petit")), "Jean Petit")
        saved = await orchestrator.save_composition("H", user_id="ana", conversation_id="c1")

    assert hours == "Nantes: open from 9 to 17."
    assert saved["traces"] == 1
    assert list(state.glob("traces.sqlite3.corrupt-*"))
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_a_tool_that_returns_something_else_than_before_is_told(shop: Shop) -> None:
    async with Orchestrator.open(shop.folder) as orchestrator:
        for _ in range(5):
            await orchestrator.call_tool("shop", "list_orders", {"customer_id": "cus-101"})
        await orchestrator.tracing.settled()
        before = orchestrator.drifts()
        await orchestrator.call_tool("changing", "greet")
        await orchestrator.call_tool("shop", "list_orders", {"customer_id": "cus-606"})
        await orchestrator.tracing.settled()
        fits = orchestrator.drifts()
        await orchestrator.call_tool("shop", "list_orders", {"customer_id": "odd"})
        await orchestrator.tracing.settled()
        drifts = orchestrator.drifts()
    checked = await podium(shop.workspace, "check", "--offline")

    assert before == fits == []
    assert [drift.tool for drift in drifts] == ["shop.list_orders"]
    (warning,) = checked["findings"]
    assert "shop.list_orders returned something else than in 6 calls before" in warning["message"]


async def test_a_client_that_goes_away_ends_its_conversation(shop: Shop) -> None:
    async with Orchestrator.open(shop.folder) as orchestrator:
        for number, name in enumerate(PEOPLE):
            for tool_id, arguments in (
                ("find_customer", {"name": name}),
                ("list_orders", {"customer_id": f"cus-{101 * (number + 1)}"}),
            ):
                await orchestrator.call_tool(
                    "shop", tool_id, arguments, connection_id=f"session {number}"
                )
            orchestrator.disconnected(f"session {number}")
        with anyio.fail_after(WAIT_SECONDS):
            (proposal,) = await orchestrator.tracing.proposals()

    assert (proposal.status, proposal.traces) == ("learnt", 3)
