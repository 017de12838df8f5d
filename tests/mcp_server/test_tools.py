"""What a client sees and gets in both protocol eras; what transports carry, over each of them."""

import anyio
import pytest
from jsonschema import Draft202012Validator
from mcp import Client, MCPError

from podium.interfaces.mcp_server import mcp_server

pytestmark = pytest.mark.anyio

OWN = [
    "process_request",
    "get_compositions",
    "execute_composition",
    "search_tools",
    "call_tool",
    "get_execution",
    "resume_execution",
    "save_composition",
    "give_feedback",
]


async def test_the_list_holds_own_tools_then_compositions_in_a_stable_order(connect):
    async with connect() as client:
        first = (await client.list_tools()).tools
        second = (await client.list_tools(cache_mode="bypass")).tools

    assert [tool.name for tool in first] == [*OWN, "count_lines"]
    assert first == second


async def test_every_tool_is_described_and_its_schemas_are_valid_with_object_roots(near):
    async with near() as client:
        tools = (await client.list_tools()).tools

    for tool in tools:
        Draft202012Validator.check_schema(tool.input_schema)
        Draft202012Validator.check_schema(tool.output_schema)
        assert tool.input_schema["type"] == tool.output_schema["type"] == "object"
        assert tool.title
        assert len(tool.description) > 20
        assert tool.annotations.read_only_hint is not None
        assert tool.annotations.open_world_hint is not None
    for tool in tools[: len(OWN)]:
        assert tool.input_schema["additionalProperties"] is False
        assert all(part["description"] for part in tool.input_schema["properties"].values())


async def test_hints_tell_the_tools_that_only_read(near):
    async with near() as client:
        tools = (await client.list_tools()).tools

    reading = [tool.name for tool in tools if tool.annotations.read_only_hint]
    assert reading == ["get_compositions", "search_tools", "get_execution", "count_lines"]


async def test_a_composition_that_joins_or_leaves_is_seen_in_the_next_list(orchestrator):
    async with Client(mcp_server(orchestrator)) as client:
        before = (await client.list_tools()).tools
        orchestrator.compositions = []
        after = (await client.list_tools(cache_mode="bypass")).tools

    assert [tool.name for tool in before] == [*OWN, "count_lines"]
    assert [tool.name for tool in after] == OWN


async def test_a_client_is_told_how_to_begin(near):
    async with near() as client:
        assert "process_request" in client.instructions


async def test_a_request_is_answered_with_the_reply_and_its_message(connect):
    async with connect() as client:
        result = await client.call_tool(
            "process_request", {"request": "hello", "conversation_id": "conv_9", "user_id": None}
        )

    assert not result.is_error
    assert [block.text for block in result.content] == ["did hello"]
    assert result.structured_content == {
        "status": "success",
        "data": {"message": "did hello", "result": {"request": "hello"}, "files": []},
        "intent": None,
        "composition_id": None,
        "execution_id": "exec_1",
        "conversation_id": "conv_9",
        "execution_info": {"steps": {}},
        "error": None,
        "question": None,
    }


async def test_a_failed_request_is_a_tool_error_with_its_hint(near):
    async with near() as client:
        result = await client.call_tool("process_request", {"request": "fail"})

    assert result.is_error
    assert result.content[0].text == "there is no server 'fles'\ndid you mean 'files'?"
    assert result.structured_content["error"]["code"] == "unknown_server"


async def test_a_fault_of_ours_is_an_internal_error_that_gives_nothing_away(connect):
    async with connect() as client:
        result = await client.call_tool("process_request", {"request": "crash"})
        after = await client.call_tool("process_request", {"request": "hello"})

    assert result.is_error
    assert result.structured_content["error"]["code"] == "internal_error"
    assert "secret" not in result.model_dump_json()
    assert not after.is_error


async def test_compositions_are_listed_with_their_params(near):
    async with near() as client:
        result = await client.call_tool("get_compositions", {"limit": 1})

    assert [c["id"] for c in result.structured_content["compositions"]] == ["count_lines"]
    assert result.content[0].text == "count_lines(path): What count_lines does."


async def test_a_composition_is_played_by_its_id_or_as_a_tool_of_its_own(near):
    async with near() as client:
        by_id = await client.call_tool(
            "execute_composition", {"composition_id": "count_lines", "params": {"path": "a"}}
        )
        by_name = await client.call_tool("count_lines", {"path": "a"})

    assert by_id.structured_content["data"]["message"] == "played count_lines"
    assert by_id.structured_content == by_name.structured_content


async def test_tools_are_found_with_what_is_needed_to_call_them(near):
    async with near() as client:
        result = await client.call_tool("search_tools", {"query": "Read"})

    assert result.structured_content == {
        "tools": [
            {
                "server_id": "files",
                "tool_id": "read_file",
                "description": "Read a text file.",
                "input_schema": {
                    "type": "object",
                    "properties": {"path": {"type": "string"}, "encoding": {"type": "string"}},
                    "required": ["path"],
                },
                "effects": "read",
                "score": 1.5,
            }
        ]
    }
    assert result.content[0].text == "files.read_file(path, encoding?) [read]: Read a text file."


async def test_a_called_tool_answers_with_its_content_and_its_value(near):
    async with near() as client:
        result = await client.call_tool(
            "call_tool",
            {"server_id": "files", "tool_id": "read_file", "arguments": {"path": "a"}},
        )

    assert not result.is_error
    assert [block.text for block in result.content] == ['{"lines": 7}']
    assert result.structured_content == {
        "server_id": "files",
        "tool_id": "read_file",
        "result": {"lines": 7},
        "is_error": False,
    }


async def test_a_tool_that_reports_failure_is_a_tool_error(near):
    async with near() as client:
        result = await client.call_tool(
            "call_tool",
            {"server_id": "files", "tool_id": "read_file", "arguments": {"path": "nowhere"}},
        )

    assert result.is_error
    assert result.content[0].text == "no such file"
    assert result.structured_content["is_error"] is True


async def test_an_unknown_server_is_a_tool_error_with_code_and_hint(near):
    async with near() as client:
        result = await client.call_tool("call_tool", {"server_id": "fles", "tool_id": "x"})

    assert result.is_error
    assert result.content[0].text == "no server is called 'fles'\ndid you mean 'files'?"
    assert result.structured_content["error"]["code"] == "unknown_server"


async def test_what_was_done_is_saved_under_a_name_and_a_refusal_says_why(near):
    async with near() as client:
        saved = await client.call_tool("save_composition", {"name": "weekly"})
        refused = await client.call_tool("save_composition", {"name": "nothing"})

    assert saved.structured_content["composition_id"] == "weekly"
    assert saved.content[0].text == (
        "Saved as weekly(); it proves itself from now on.\n- one conversation only"
    )
    assert refused.is_error
    assert refused.structured_content["error"]["code"] == "not_learnt"
    assert refused.content[0].text == "no calls were recorded\ncall the tools first"


async def test_the_calls_of_a_session_come_by_one_connection_and_its_end_is_told(orchestrator):
    call = {"server_id": "files", "tool_id": "read_file"}
    async with Client(mcp_server(orchestrator), mode="legacy") as client:
        await client.call_tool("call_tool", call)
        await client.call_tool("process_request", {"request": "x"})
        await client.call_tool("save_composition", {"name": "weekly"})

    (connection_id,) = set(orchestrator.connections)
    assert connection_id
    assert orchestrator.gone == [connection_id]


async def test_a_call_without_a_session_stands_alone(orchestrator, serve_on_http):
    call = {"server_id": "files", "tool_id": "read_file"}
    async with serve_on_http(orchestrator) as url, Client(url) as client:
        await client.call_tool("call_tool", call)
        await client.call_tool("call_tool", call)

    assert orchestrator.connections == [None, None]


async def test_an_execution_is_shown_step_by_step(near):
    async with near() as client:
        result = await client.call_tool("get_execution", {"execution_id": "exec_1"})

    assert result.structured_content["execution"]["steps"][0]["step_id"] == "read"
    assert result.content[0].text == (
        "count_lines: success in 5 ms\n- read (files.read_file): failed: gone"
    )


async def test_an_unknown_execution_is_a_tool_error(near):
    async with near() as client:
        result = await client.call_tool("get_execution", {"execution_id": "exec_0"})

    assert result.is_error
    assert result.structured_content["error"]["code"] == "unknown_execution"


async def test_feedback_is_noted_with_what_it_came_to(near):
    said = {"execution_id": "exec_1", "rating": "bad", "comment": "not this file"}
    async with near() as client:
        result = await client.call_tool("give_feedback", said)

    assert not result.is_error
    assert result.content[0].text == "Noted: bad."
    assert result.structured_content == {
        "execution_id": "exec_1",
        "composition_id": "count_lines",
        "rating": "bad",
        "verdict": "failure",
        "changes": [],
    }


@pytest.mark.parametrize(
    ("execution_id", "rating", "code"),
    [("exec_0", "good", "unknown_execution"), ("exec_1", "so so", "invalid_params")],
)
async def test_feedback_that_cannot_be_counted_is_a_tool_error(near, execution_id, rating, code):
    said = {"execution_id": execution_id, "rating": rating}
    async with near() as client:
        result = await client.call_tool("give_feedback", said)

    assert result.is_error
    assert result.structured_content["error"]["code"] == code


async def test_wrong_arguments_are_a_tool_error_that_lists_every_fault(near):
    async with near() as client:
        result = await client.call_tool(
            "get_compositions", {"limit": "many", "intent_type": 7, "colour": "red"}
        )

    error = result.structured_content["error"]
    assert result.is_error
    assert error["code"] == "invalid_params"
    assert len(error["faults"]) >= 2
    assert "limit" in str(error)
    assert "colour" in str(error)


async def test_a_missing_argument_of_a_tool_that_replies_is_an_error_reply(near):
    async with near() as client:
        result = await client.call_tool("process_request", {"conversation_id": "conv_9"})

    assert result.is_error
    assert result.structured_content["status"] == "error"
    assert result.structured_content["conversation_id"] == "conv_9"
    assert result.structured_content["error"]["code"] == "invalid_params"
    assert "request" in result.content[0].text


async def test_an_unknown_tool_is_a_protocol_error_that_names_the_nearest(connect):
    async with connect() as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("proces_request", {})

    assert caught.value.error.code == -32602
    assert "did you mean 'process_request'?" in caught.value.error.message


async def test_progress_is_told_step_by_step_and_only_grows(connect):
    told = []

    async def hear(progress, total, message):
        told.append((progress, total, message))

    async with connect() as client:
        await client.call_tool("process_request", {"request": "steps"}, progress_callback=hear)

    assert told == [
        (0.0, 2.0, "0/2 list_and_read: started"),
        (0.5, 2.0, "0/2 list: started (files.list)"),
        (1.0, 2.0, "1/2 list: done (files.list, 3 ms)"),
        (1.5, 2.0, "1/2 read: half"),
        (2.0, 2.0, "2/2 read: failed (files.read, 12 ms): gone"),
    ]


async def test_what_an_upstream_reports_is_forwarded_as_long_as_it_grows(near):
    told = []

    async def hear(progress, total, message):
        told.append((progress, total, message))

    call = {"server_id": "files", "tool_id": "read_file", "arguments": {"path": "a"}}
    async with near() as client:
        await client.call_tool("call_tool", call, progress_callback=hear)

    assert told == [(1.0, 4.0, "a quarter"), (3.0, 4.0, None)]


async def test_a_client_that_gives_up_cancels_the_work(connect):
    started = anyio.Event()

    async def hear(*_):
        started.set()

    async with connect() as client:
        async with anyio.create_task_group() as tasks:

            async def ask():
                await client.call_tool(
                    "process_request", {"request": "wait"}, progress_callback=hear
                )

            tasks.start_soon(ask)
            await started.wait()
            tasks.cancel_scope.cancel()
        with anyio.fail_after(1):
            while await status(client) != "cancelled":
                await anyio.lowlevel.checkpoint()


async def status(client):
    result = await client.call_tool("get_execution", {"execution_id": "exec_1"})
    return result.structured_content["execution"]["status"]


async def test_many_calls_run_at_once(connect):
    async with connect() as client, anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(client.call_tool, "process_request", {"request": str(number)})
