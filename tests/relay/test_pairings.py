"""Each era in front of each: what an upstream asks, reports and announces reaches the client."""

import json

import anyio
import mcp_types as types
import pytest
from mcp.shared.exceptions import MCPError

from tests.relay.conftest import MODES, WAIT_SECONDS, Person

pytestmark = pytest.mark.anyio

ERAS = [(front, back) for front in MODES for back in ("legacy", "modern", "both")]
OVER_HTTP = [pytest.param(*eras, "http", id=f"{eras[0]}-{eras[1]}-http") for eras in ERAS]
OVER_STDIO = [
    pytest.param(*eras, "stdio", id=f"{eras[0]}-{eras[1]}-stdio", marks=pytest.mark.slow)
    for eras in ERAS
]
NAMES = ("front", "back", "transport")
everywhere = pytest.mark.parametrize(NAMES, [*OVER_HTTP, *OVER_STDIO])
over_http = pytest.mark.parametrize(NAMES, OVER_HTTP)


def said(result):
    return result.content[0].text


@everywhere
async def test_a_person_is_asked_and_the_upstream_gets_the_answers(
    open_scene, front, back, transport
):
    person = Person()
    async with (
        open_scene(front=front, back=back, transport=transport) as scene,
        scene.client(person) as client,
    ):
        form = await client.call_tool("test_elicitation", {"message": "Who?"})
        sampled = await client.call_tool("test_sampling", {"prompt": "Say hi"})
        roots = await client.call_tool("test_input_required_result_list_roots", {})
        rounds = await client.call_tool("test_input_required_result_multi_round", {})
        many = await client.call_tool("test_input_required_result_multiple_inputs", {})
        state = await client.call_tool("test_input_required_result_request_state", {})
        prompt = await client.get_prompt("test_input_required_result_prompt", {})

    answer = json.loads(said(form).removeprefix("User response: "))
    assert answer["content"] == {"username": "ada", "email": "ada@example.org"}
    assert said(sampled) == "LLM response: ada says hi"
    assert said(roots) == "file:///home/ada"
    assert said(rounds) == "both rounds done"
    assert said(many) == '["client_roots", "greeting", "user_name"]'
    assert said(state) == "state-ok"
    assert prompt.messages[0].content.text == "Context: work"
    assert person.asked[:5] == [
        "Who?",
        "Say hi",
        "roots",
        "Step 1: What is your name?",
        "Step 2: What is your favorite color?",
    ]


@over_http
async def test_a_client_that_offers_nothing_is_asked_nothing(open_scene, front, back, transport):
    async with (
        open_scene(front=front, back=back, transport=transport) as scene,
        scene.client() as client,
    ):
        with pytest.raises(MCPError) as refused:
            await client.call_tool("test_sampling", {"prompt": "Say hi"})
        seen = await client.call_tool("show_call", {})

    assert refused.value.error.code == -32021
    assert refused.value.error.data == {"requiredCapabilities": {"sampling": {}}}
    assert json.loads(said(seen))["capabilities"] == {}


@everywhere
async def test_progress_and_logs_come_with_the_call(open_scene, front, back, transport):
    reported, person = [], Person()

    async def report(progress, total, message):
        reported.append((progress, total, message))

    async with (
        open_scene(front=front, back=back, transport=transport) as scene,
        scene.client(person) as client,
    ):
        if front == "handshake":
            await client.session.send_request(
                types.SetLevelRequest(params=types.SetLevelRequestParams(level="info")),
                types.EmptyResult,
            )
        meta = {"io.modelcontextprotocol/logLevel": "info"} if front == "modern" else None
        await client.call_tool("test_tool_with_progress", {}, progress_callback=report)
        await client.call_tool("test_tool_with_logging", {}, meta=meta)

    assert reported == [
        (0.0, 100.0, "0 of 100"),
        (50.0, 100.0, "50 of 100"),
        (100.0, 100.0, "100 of 100"),
    ]
    assert person.logged == [
        "Tool execution started",
        "Tool processing data",
        "Tool execution completed",
    ]


@over_http
@pytest.mark.parametrize("offers", [True, False])
async def test_a_cancelled_call_is_cancelled_at_the_upstream(
    open_scene, front, back, transport, offers
):
    begun = anyio.Event()

    async def report(*_progress):
        begun.set()

    async with (
        open_scene(front=front, back=back, transport=transport) as scene,
        scene.client(Person() if offers else None) as client,
    ):
        async with anyio.create_task_group() as tasks:

            async def call():
                await client.call_tool("wait_for_ever", {}, progress_callback=report)

            tasks.start_soon(call)
            with anyio.fail_after(WAIT_SECONDS):
                await begun.wait()
            tasks.cancel_scope.cancel()
        with anyio.fail_after(WAIT_SECONDS):
            seen = await scene.count(client)
            while seen["waiting"]:
                seen = await scene.count(client)

    assert seen == {"waiting": 0, "cancelled": 1}


KINDS = {
    "tools_list_changed": ("test_trigger_tool_change", types.ToolListChangedNotification),
    "prompts_list_changed": ("test_trigger_prompt_change", types.PromptListChangedNotification),
    "resources_list_changed": ("trigger_resource_change", types.ResourceListChangedNotification),
}


@over_http
@pytest.mark.parametrize("kind", KINDS)
async def test_a_changed_list_is_announced_and_is_then_the_new_one(
    open_scene, front, back, transport, kind
):
    tool, notification = KINDS[kind]
    person = Person()
    async with (
        open_scene(front=front, back=back, transport=transport) as scene,
        scene.client(person) as client,
    ):
        before = await _names(client)
        if front == "modern":
            async with client.listen(**{kind: True}) as events:
                await client.call_tool(tool, {})
                with anyio.fail_after(WAIT_SECONDS):
                    await anext(aiter(events))
        else:
            await client.call_tool(tool, {})
            await person.has_heard(notification)
        after = await _names(client)

    gained = {"tools_list_changed": {"extra_tool"}, "prompts_list_changed": {"extra_prompt"}}
    assert after - before == gained.get(kind, set())


@pytest.mark.slow
@pytest.mark.parametrize("back", ["legacy", "modern"])
async def test_a_program_that_changes_its_tools_is_the_one_that_is_listed(open_scene, back):
    person = Person()
    async with (
        open_scene(front="handshake", back=back, transport="stdio") as scene,
        scene.client(person) as client,
    ):
        await client.call_tool("test_trigger_tool_change", {})
        await person.has_heard(types.ToolListChangedNotification)
        after = await _names(client)

    assert "extra_tool" in after


async def _names(client):
    tools = await client.list_tools(cache_mode="bypass")
    prompts = await client.list_prompts(cache_mode="bypass")
    return {one.name for one in (*tools.tools, *prompts.prompts)}


@everywhere
async def test_a_watched_resource_is_reported_when_it_changes(open_scene, front, back, transport):
    uri, person = "test://watched-resource", Person()
    async with (
        open_scene(front=front, back=back, transport=transport) as scene,
        scene.client(person) as client,
    ):
        if front == "modern":
            async with client.listen(resource_subscriptions=[uri]) as events:
                heard = await _touched(client, uri, anext(aiter(events)))
        else:
            await client.session.send_request(
                types.SubscribeRequest(params=types.SubscribeRequestParams(uri=uri)),
                types.EmptyResult,
            )
            heard = await _touched(client, uri, person.has_heard(types.ResourceUpdatedNotification))

    assert getattr(heard, "uri", None) == uri or heard.params.uri == uri


async def _touched(client, uri, hearing):
    """Touch a resource until that is heard: a stream may only just be opening."""
    heard = []
    async with anyio.create_task_group() as tasks:

        async def hear():
            heard.append(await hearing)
            tasks.cancel_scope.cancel()

        tasks.start_soon(hear)
        with anyio.fail_after(WAIT_SECONDS):
            while True:
                await client.call_tool("touch_resource", {"uri": uri})
                await anyio.sleep(0.1)
    return heard[0]


@everywhere
async def test_a_call_carries_what_the_client_sent_and_brings_back_what_came(
    open_scene, front, back, transport
):
    async with (
        open_scene(front=front, back=back, transport=transport) as scene,
        scene.client() as client,
    ):
        result = await client.call_tool("show_call", {}, meta={"vendor/id": [1, "é"]})

    # Over stdio a client that offers nothing shares the process with Podium itself.
    shares = (back, transport) == ("both", "stdio")
    modern = back == "modern" or (back == "both" and (front == "modern" or shares))
    seen = json.loads(said(result))
    assert seen["era"] == ("2026-07-28" if modern else "2025-11-25")
    assert seen["meta"]["vendor/id"] == [1, "é"]
    assert result.meta["vendor/trace"] == "abc"
