"""Several upstreams under one roof: names, URIs, templates, completion, what is exposed."""

import anyio
import pytest
from mcp.shared.exceptions import MCPError
from mcp_types import PromptReference, ResourceTemplateReference, ToolListChangedNotification

from podium.interfaces.mcp_server.definitions import PROCESS_REQUEST
from tests.relay.conftest import Person

pytestmark = pytest.mark.anyio

TEXT = "This is the content of the static text resource."


@pytest.mark.parametrize(
    ("prefix", "name"),
    [
        ("{server}__", "two__test_simple_prompt"),
        ("", "two__test_simple_prompt"),
        ("x_{server}_", "x_two_test_simple_prompt"),
    ],
)
async def test_prompts_are_named_like_tools(open_two, prefix, name):
    async with open_two(prefix=prefix) as scene, scene.client() as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        prompts = [prompt.name for prompt in (await client.list_prompts()).prompts]
        simple = await client.get_prompt(name, {})

    assert name in prompts
    assert name.replace("test_simple_prompt", "test_simple_text") in tools
    assert tools[0] == PROCESS_REQUEST["name"]
    assert len(prompts) == len(set(prompts)) == 10
    assert simple.messages[0].content.text == "This is a simple prompt for testing."


async def test_a_uri_that_two_upstreams_list_is_told_apart(open_two):
    async with open_two() as scene, scene.client() as client:
        uris = [str(resource.uri) for resource in (await client.list_resources()).resources]
        read = await client.read_resource("podium://two/test%3A%2F%2Fstatic-text")

    assert len(uris) == 6
    assert uris[0] == "podium://one/test%3A%2F%2Fstatic-text"
    assert uris[3] == "podium://two/test%3A%2F%2Fstatic-text"
    assert str(read.contents[0].uri) == "podium://two/test%3A%2F%2Fstatic-text"
    assert read.contents[0].text == TEXT


async def test_a_uri_stays_as_it_is_where_one_upstream_lists_it(open_two):
    async with open_two(expose=["two.*"]) as scene, scene.client() as client:
        uris = [str(resource.uri) for resource in (await client.list_resources()).resources]
        read = await client.read_resource("test://static-text")

    assert uris == ["test://static-text", "test://static-binary", "test://watched-resource"]
    assert read.contents[0].text == TEXT


@pytest.mark.parametrize("front", ["handshake", "modern"])
async def test_templates_and_completion_reach_the_upstream(open_two, front):
    template = "test://template/{id}/data"
    async with open_two(front=front) as scene, scene.client() as client:
        listed = (await client.list_resource_templates()).resource_templates
        read = await client.read_resource("test://template/7/data")
        of_template = await client.complete(
            ResourceTemplateReference(uri=template), {"name": "id", "value": "par"}
        )
        of_prompt = await client.complete(
            PromptReference(name="two__test_prompt_with_arguments"),
            {"name": "arg1", "value": "pari"},
        )

    assert [one.uri_template for one in listed] == [template]
    assert '"id": "7"' in read.contents[0].text
    assert of_template.completion.values == ["paris", "park", "party"]
    assert of_prompt.completion.values == ["paris"]


@pytest.mark.parametrize(
    ("method", "name"),
    [("read_resource", "test://nowhere"), ("get_prompt", "nothing"), ("call_tool", "nothing")],
)
async def test_what_nobody_offers_is_a_protocol_error(open_two, method, name):
    async with open_two() as scene, scene.client() as client:
        with pytest.raises(MCPError) as refused:
            await getattr(client, method)(name)

    assert refused.value.error.code == -32602


async def test_only_what_a_glob_names_is_exposed(open_two):
    async with open_two(expose=["one.test_simple_*"]) as scene, scene.client() as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        prompts = [prompt.name for prompt in (await client.list_prompts()).prompts]
        resources = (await client.list_resources()).resources
        with pytest.raises(MCPError):
            await client.read_resource("podium://one/test%3A%2F%2Fstatic-text")
        with pytest.raises(MCPError):
            await client.call_tool("test_image_content", {})

    assert [name for name in tools if name.startswith("test_")] == ["test_simple_text"]
    assert prompts == ["test_simple_prompt"]
    assert resources == []


async def test_nothing_but_podiums_own_tools_is_offered_unless_exposed(open_two):
    async with open_two(expose="none") as scene, scene.client() as client:
        capabilities = client.server_capabilities
        tools = [tool.name for tool in (await client.list_tools()).tools]

    assert capabilities.prompts is capabilities.resources is capabilities.completions is None
    assert not [name for name in tools if "test_" in name]


async def test_an_upstream_that_is_down_hides_none_of_the_others(open_two):
    dead = {"dead": {"command": "no-such-program"}}
    async with open_two(more_servers=dead) as scene, scene.client() as client:
        prompts = (await client.list_prompts()).prompts
        resources = (await client.list_resources()).resources
        read = await client.read_resource("test://template/1/data")

    assert len(prompts) == 10
    assert len(resources) == 6
    assert '"id": "1"' in read.contents[0].text


@pytest.mark.parametrize("expose", ["none", ["two.*"]])
async def test_a_change_of_what_is_not_exposed_is_not_announced(open_two, expose):
    person = Person()
    async with open_two(front="handshake", expose=expose) as scene, scene.client(person) as client:
        await client.list_tools()
        change = {"server_id": "one", "tool_id": "test_trigger_tool_change"}
        await client.call_tool("call_tool", change)
        with anyio.move_on_after(0.5):
            await person.has_heard(ToolListChangedNotification)

    assert person.heard == []
