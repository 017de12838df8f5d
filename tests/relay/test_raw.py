"""Nothing is lost on the way: messages as they are on the wire, on both sides of Podium."""

import json

import anyio
import httpx2
import pytest

from podium.interfaces.mcp_server import serve_http
from tests.relay.everything import TOOLS

pytestmark = pytest.mark.anyio

ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}, "x-odd": {"a": [1]}},
}


async def post(url, method, params, *, session=None, name=None, modern=True):
    headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    if modern:
        params = {**params, "_meta": {**ENVELOPE, **params.get("_meta", {})}}
        headers |= {"mcp-protocol-version": "2026-07-28", "mcp-method": method}
        headers |= {"mcp-name": name} if name else {}
    elif session:
        headers |= {"mcp-session-id": session, "mcp-protocol-version": "2025-11-25"}
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    async with httpx2.AsyncClient() as client:
        response = await client.post(url, headers=headers, json=body)
    if response.headers["content-type"].startswith("text/event-stream"):
        lines = [line for line in response.text.splitlines() if line.startswith("data: {")]
        return json.loads(lines[-1].removeprefix("data: ")), response.headers
    return response.json(), response.headers


async def handshake(url):
    offer = {
        "protocolVersion": "2025-11-25",
        "capabilities": {"elicitation": {}, "x-odd": {"a": [1]}},
        "clientInfo": {"name": "raw", "version": "1"},
    }
    _answer, headers = await post(url, "initialize", offer, modern=False)
    return headers["mcp-session-id"]


@pytest.fixture(params=["legacy", "modern"])
def back(request):
    return request.param


@pytest.mark.parametrize("modern", [True, False])
async def test_unknown_fields_arrive_in_both_directions(open_scene, back, modern):
    call = {
        "name": "show_call",
        "arguments": {},
        "x-vendor": {"sent": [1, None]},
        "_meta": {"vendor/id": "7"},
    }
    async with open_scene(back=back) as scene, anyio.create_task_group() as tasks:
        url = await tasks.start(serve_http, scene.orchestrator, "127.0.0.1", 0)
        session = None if modern else await handshake(url)
        listed, _ = await post(url, "tools/list", {}, session=session, modern=modern)
        called, _ = await post(
            url, "tools/call", call, session=session, modern=modern, name="show_call"
        )
        tasks.cancel_scope.cancel()

    tools = {tool["name"]: tool for tool in listed["result"]["tools"]}
    rich = "json_schema_2020_12_tool"
    assert tools[rich] == TOOLS[rich][0]
    result = called["result"]
    seen = result["structuredContent"]
    assert seen["vendor"] == {"sent": [1, None]}
    assert seen["meta"]["vendor/id"] == "7"
    assert result["x-result"] is True
    assert result["content"][0]["x-block"] == {"deep": [1, None]}
    assert result["_meta"]["vendor/trace"] == "abc"
    assert result["_meta"]["n"] is None
    assert ("resultType" in result) is modern


async def test_structured_content_that_is_no_object_is_for_modern_clients(open_scene):
    call = {"name": "return_list", "arguments": {}}
    async with open_scene() as scene, anyio.create_task_group() as tasks:
        url = await tasks.start(serve_http, scene.orchestrator, "127.0.0.1", 0)
        modern, _ = await post(url, "tools/call", call, name="return_list")
        session = await handshake(url)
        legacy, _ = await post(url, "tools/call", call, session=session, modern=False)
        tasks.cancel_scope.cancel()

    assert modern["result"]["structuredContent"] == [1]
    assert "structuredContent" not in legacy["result"]
    assert legacy["result"]["content"] == [{"type": "text", "text": "[1]"}]


async def test_a_call_that_was_passed_on_is_kept_with_its_outcome(open_scene):
    async with open_scene() as scene, scene.client() as client:
        await client.call_tool("test_x_mcp_header", {"region": "here"})
        await client.call_tool("test_error_handling", {})
        kept = await scene.orchestrator.recent_executions()

    told = [(one.status, *one.steps["call"].to_dict().values()) for one in reversed(kept)]
    assert [(status, tool, state) for status, _id, _kind, tool, state, *_rest in told] == [
        ("success", "one.test_x_mcp_header", "done"),
        ("error", "one.test_error_handling", "failed"),
    ]
