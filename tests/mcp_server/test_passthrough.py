"""Tools of upstreams that are passed through under a prefix."""

import pytest
from mcp import Client

from podium.domain.tool import Tool
from podium.interfaces.mcp_server import mcp_server
from podium.interfaces.mcp_server.passthrough import exposed_names, passed_on

pytestmark = pytest.mark.anyio


async def test_exposed_tools_follow_podiums_own_under_the_prefix(near):
    async with near(expose=("files.*",), prefix="up_{server}_") as client:
        tools = (await client.list_tools()).tools

    assert [tool.name for tool in tools][-2:] == ["up_files_read_file", "up_files_count"]
    assert tools[-2].title == "Read"


async def test_only_tools_that_a_glob_names_are_passed_through(near):
    async with near(expose=("files.r*",)) as client:
        tools = (await client.list_tools()).tools

    assert [tool.name for tool in tools if "__" in tool.name] == ["files__read_file"]


async def test_a_passed_through_tool_answers_with_the_upstreams_result(connect):
    async with connect(expose=("*",)) as client:
        result = await client.call_tool("files__read_file", {"path": "a"})
        failed = await client.call_tool("files__read_file", {"path": "nowhere"})

    assert result.content[0].text == '{"lines": 7}'
    assert result.structured_content is None
    assert not result.is_error
    assert failed.is_error
    assert failed.content[0].text == "no such file"


async def test_output_that_is_no_object_reaches_only_clients_that_may_have_it(near, era):
    async with near(expose=("*",)) as client:
        count = (await client.list_tools()).tools[-1]
        result = await client.call_tool("files__count", {})

    modern = era == "modern"
    assert count.output_schema == ({"type": "integer"} if modern else None)
    assert result.structured_content == (7 if modern else None)
    assert result.content[0].text == "7"


async def test_a_tool_can_be_called_before_it_was_ever_listed(orchestrator):
    orchestrator.config_expose = ("*",)
    async with Client(mcp_server(orchestrator)) as client:
        result = await client.call_tool("files__read_file", {"path": "a"})

    assert not result.is_error


def tool(full_name):
    server_id, _, name = full_name.partition(".")
    return Tool(server_id, name)


@pytest.mark.parametrize(
    ("prefix", "tools", "names"),
    [
        ("{server}__", ["a.x", "b.x"], ["a__x", "b__x"]),
        ("", ["a.x", "a.y"], ["x", "y"]),
        ("", ["a.call_tool", "a.y"], ["a__call_tool", "y"]),
        ("", ["a.x", "b.x", "b.y"], ["a__x", "b__x", "y"]),
    ],
)
def test_a_name_claimed_twice_gets_its_server_in_front(prefix, tools, names):
    found = exposed_names(map(tool, tools), prefix, taken=["call_tool"])

    assert [name for name, _ in found] == names


@pytest.mark.parametrize(
    "odd",
    [
        {"annotations": {"readOnlyHint": "yes"}},
        {"outputSchema": True},
        {"description": 7},
        {"inputSchema": {"properties": {}}},
        {"icons": "none"},
    ],
)
def test_an_odd_definition_is_reduced_to_its_sound_part(odd):
    schema = {"type": "object", "properties": {}}
    upstream = Tool(
        "a", "x", "Do x.", schema, definition={"name": "x", "inputSchema": schema, "v": 1, **odd}
    )

    assert passed_on(upstream, "a__x") == {
        "name": "a__x",
        "description": "Do x.",
        "inputSchema": schema,
        "annotations": {},
    }


def test_what_an_upstream_leaves_empty_is_left_out():
    definition = {"name": "x", "inputSchema": {"type": "object"}, "outputSchema": None, "v": 1}

    shown = passed_on(Tool("a", "x", definition=definition), "a__x")

    assert shown == {"name": "a__x", "inputSchema": {"type": "object"}, "v": 1}
