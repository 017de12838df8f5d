"""Who sits before Podium in the conformance suite's client scenarios: a person with a browser.

They put the scenario's server into a workspace, open Podium with an MCP client in front of it,
call tools, answer questions, and log in when an error says so. What the suite looks at, the traffic
with its server, is all Podium's.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import httpx2
import mcp_types as types
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from podium import Orchestrator
from podium.app import log_in_to
from podium.domain.errors import PodiumError
from podium.interfaces.mcp_server import mcp_server
from tests.relay.conftest import wired, workspace

PREFIX = "remote__"
LOG_IN = "podium login remote"  # what errors say that should be done
MOST_LOGINS = 3
LOGIN_SECONDS = 30.0
AT_ONCE = 4
DOCUMENT_ABOUT_PODIUM = "https://conformance-test.local/client-metadata.json"
"""The address that the suite expects as the client's id; nothing is there."""


@dataclass(frozen=True)
class Scenario:
    """What the suite asks for."""

    name: str
    version: str
    url: str
    context: Mapping[str, Any] = field(default_factory=dict)

    @property
    def entry(self) -> dict[str, Any]:
        """The server as `mcpServers` has it."""
        if not self.name.startswith("auth/"):
            return {"url": self.url}
        known = ("client_id", "client_secret")
        oauth = {key: self.context[key] for key in known if key in self.context}
        if self.name == "auth/basic-cimd":
            oauth["client_metadata_url"] = DOCUMENT_ABOUT_PODIUM
        return {"url": self.url, "oauth": oauth}

    @property
    def front(self) -> str:
        """The era of the person's client: that of the scenario's server."""
        return self.version if self.version in MODERN_PROTOCOL_VERSIONS else "legacy"


class StillNotInError(Exception):
    """However often one logs in, another login is asked for."""


async def play(scenario: Scenario, folder: Path) -> None:
    """Do what a scenario is about.

    Raises:
        PodiumError, StillNotInError: it cannot be done, which some scenarios are about.

    """
    workspace(folder, {"remote": scenario.entry}, prefix="{server}__")
    act = ACTS.get(scenario.name, _use)
    for _ in range(MOST_LOGINS):
        async with _podium(folder, scenario.front) as client:
            said = await act(client, scenario)
        if LOG_IN not in said:
            return
        await _log_in(folder)
    raise StillNotInError(f"after {MOST_LOGINS} logins: {said}")


@asynccontextmanager
async def _podium(folder: Path, front: str) -> AsyncIterator[Client]:
    async with (
        Orchestrator.open(folder) as orchestrator,
        Client(wired(mcp_server(orchestrator)), mode=front, elicitation_callback=_agree) as client,
    ):
        yield client


async def _agree(_context: Any, params: Any) -> types.ElicitResult:
    """Answer with what a form proposes, and yes."""
    properties = params.requested_schema["properties"]
    content = {
        name: schema["default"] for name, schema in properties.items() if "default" in schema
    }
    if "confirmed" in properties:
        content["confirmed"] = True
    return types.ElicitResult(action="accept", content=content)


async def _log_in(folder: Path) -> None:
    """Log in with a browser that goes wherever it is led; nobody types a password."""
    failure: PodiumError | None = None
    async with anyio.create_task_group() as tasks:

        async def browse(address: str) -> None:
            async with httpx2.AsyncClient(follow_redirects=True) as browser:
                await browser.get(address)

        async def show(address: str) -> None:
            tasks.start_soon(browse, address)

        try:
            with anyio.fail_after(LOGIN_SECONDS):
                await log_in_to("remote", folder, show)
        except PodiumError as error:  # leaving the group with it would wrap it
            failure = error
    if failure is not None:
        raise failure


# --- what is done in front of Podium; each returns what was last said


Act = Callable[[Client, Scenario], Awaitable[str]]


async def _tools(client: Client) -> dict[str, types.Tool]:
    """Return the tools of the scenario's server, as Podium passes them on."""
    tools = (await client.list_tools()).tools
    return {tool.name.removeprefix(PREFIX): tool for tool in tools if tool.name.startswith(PREFIX)}


async def _call(client: Client, tool: str, arguments: Mapping[str, Any]) -> str:
    """Call a tool and read what comes, be it an error."""
    try:
        result = await client.call_tool(PREFIX + tool, dict(arguments))
    except MCPError as error:
        return error.message
    return "\n".join(block.text for block in result.content if block.type == "text")


async def _use(client: Client, _scenario: Scenario) -> str:
    """Call the first tool, with what it may want."""
    for name, tool in (await _tools(client)).items():
        return await _call(client, name, _something_for(tool))
    # The reason why there are none is told to whoever insists.
    asked = {"server_id": "remote", "tool_id": "anything", "arguments": {}}
    result = await client.call_tool("call_tool", asked)
    return json.dumps(result.structured_content)


async def _use_all(client: Client, _scenario: Scenario) -> str:
    """Call every tool that is there."""
    said = ""
    for name, tool in (await _tools(client)).items():
        said = await _call(client, name, _something_for(tool))
    return said


async def _replay(client: Client, scenario: Scenario) -> str:
    """Make the calls that the suite asks for."""
    said = ""
    offered = await _tools(client)
    for call in scenario.context["toolCalls"]:
        if call["name"] in offered:
            said = await _call(client, call["name"], call.get("arguments") or {})
    return said


async def _be_asked(client: Client, _scenario: Scenario) -> str:
    """Call tools that ask back, and one in between that does not."""
    said = ""
    await _tools(client)
    for name in ("echo_state", "unrelated", "no_state", "no_result_type"):
        said = await _call(client, f"test_mrtr_{name}", {})
    return said


async def _echo_schema(client: Client, _scenario: Scenario) -> str:
    """Give a tool's schema back to its server."""
    schema = (await _tools(client))["json_schema_2020_12_tool"].input_schema
    return await _call(client, "json_schema_echo", {"schema": schema})


ACTS: Mapping[str, Act] = {
    "http-custom-headers": _replay,
    "http-invalid-tool-headers": _use_all,
    "json-schema-2020-12-preservation": _echo_schema,
    "sep-2322-client-request-state": _be_asked,
}

_VALUES = {"integer": 5, "number": 5, "boolean": False, "object": {}, "array": [], "null": None}


def _something_for(tool: types.Tool) -> dict[str, Any]:
    properties = tool.input_schema.get("properties", {})
    return {
        name: _VALUES.get(properties.get(name, {}).get("type"), "x")
        for name in tool.input_schema.get("required", [])
    }


# --- for many clients


async def serve(
    folder: Path, *, task_status: anyio.abc.TaskStatus[int] = anyio.TASK_STATUS_IGNORED
) -> None:
    """Play what `conformance_client` asks for, a few scenarios at once; starts with the port."""
    places = anyio.CapacityLimiter(AT_ONCE)

    async def answer(stream: anyio.abc.SocketStream) -> None:
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError):  # it no longer waits
            await take(stream)

    async def take(stream: anyio.abc.SocketStream) -> None:
        async with stream, places:
            asked = b""
            while not asked.endswith(b"\n"):
                asked += await stream.receive()
            failure = await failure_of(Scenario(**json.loads(asked)))
            await stream.send(json.dumps({"failure": failure}).encode() + b"\n")

    async def failure_of(scenario: Scenario) -> str:
        place = folder / f"{scenario.name.replace('/', '-')}-{scenario.version}"
        place.mkdir()
        try:
            await play(scenario, place)
        except Exception as error:  # noqa: BLE001 - the suite shows it, and judges
            return f"{type(error).__name__}: {error}"
        return ""

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener:
        task_status.started(listener.extra(anyio.abc.SocketAttribute.local_port))  # noqa: S610
        await listener.serve(answer)
