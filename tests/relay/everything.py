"""A complete MCP server in both eras: what the conformance suite asks for, and more to watch.

As a program: `everything.py [--era both|legacy|modern] [--http]`; on HTTP it prints its address.
Tool requests are answered as plain JSON, with fields that no SDK model knows.
"""

import argparse
import hashlib
import hmac
import json
import secrets
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import anyio
import mcp_types as types
import uvicorn
from mcp.server import CacheHint, NotificationOptions, Server
from mcp.server.runner import serve_loop
from mcp.server.stdio import stdio_server
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ListenHandler,
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ToolsListChanged,
)
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.exceptions import MCPError
from mcp_types.version import LATEST_MODERN_VERSION, MODERN_PROTOCOL_VERSIONS

Json = dict[str, Any]

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAF"
    "BQIAX8jx0gAAAABJRU5ErkJggg=="
)
SILENCE = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA="
KEY = secrets.token_bytes(32)
INFO = {"name": "everything", "version": "1.0"}
MISSING_CAPABILITY = -32021
PAUSE_SECONDS = 0.05


def text(value: str) -> Json:
    return {"type": "text", "text": value}


def elicitation(message: str, name: str, kind: str = "string") -> Json:
    schema = {"type": "object", "properties": {name: {"type": kind}}, "required": [name]}
    return {
        "method": "elicitation/create",
        "params": {"message": message, "requestedSchema": schema},
    }


def sampling(prompt: str, tokens: int = 100) -> Json:
    message = {"role": "user", "content": text(prompt)}
    return {
        "method": "sampling/createMessage",
        "params": {"messages": [message], "maxTokens": tokens},
    }


ROOTS: Json = {"method": "roots/list", "params": {}}
CAPABILITY_OF = {
    "elicitation/create": "elicitation",
    "sampling/createMessage": "sampling",
    "roots/list": "roots",
}


class InputNeededError(Exception):
    """The modern way to ask: the call ends and is made again with the answers."""

    def __init__(self, requests: Json, state: str | None) -> None:
        super().__init__()
        self.requests = requests
        self.state = state


@dataclass
class Call:
    """One request of a client, in either era."""

    context: Any
    server: "Everything"
    params: Mapping[str, Any]

    @property
    def is_modern(self) -> bool:
        return self.context.protocol_version in MODERN_PROTOCOL_VERSIONS

    @property
    def arguments(self) -> Mapping[str, Any]:
        return self.params.get("arguments") or {}

    @property
    def capabilities(self) -> Json:
        declared = self.context.session.client_capabilities
        return {} if declared is None else declared.model_dump(by_alias=True, exclude_none=True)

    @property
    def state(self) -> str | None:
        return self.params.get("requestState")

    @property
    def outbound(self) -> Any:
        return self.context.session._request_outbound

    async def ask(self, requests: Json, state: str | None = None) -> Json:
        """Return the client's answers by their keys."""
        for request in requests.values():
            needed = CAPABILITY_OF[request["method"]]
            if needed not in self.capabilities:
                raise MCPError(
                    MISSING_CAPABILITY,
                    f"the client does not offer {needed}",
                    {"requiredCapabilities": {needed: {}}},
                )
        if self.is_modern:
            answers = self.params.get("inputResponses") or {}
            if any(not isinstance(answers.get(key), dict) for key in requests):
                raise InputNeededError(requests, state)
            return {key: answers[key] for key in requests}
        return {
            key: await self.outbound.send_raw_request(request["method"], request["params"])
            for key, request in requests.items()
        }

    async def log(self, message: str, level: str = "info") -> None:
        is_wanted = types.LOG_LEVEL_META_KEY in (self.params.get("_meta") or {})
        if is_wanted or not self.is_modern:
            await self.outbound.notify("notifications/message", {"level": level, "data": message})

    async def progress(self, value: float, total: float) -> None:
        await self.context.session.report_progress(value, total, f"{value:g} of {total:g}")


Handler = Callable[[Call], Awaitable[Json]]
TOOLS: dict[str, tuple[Json, Handler]] = {}
PROMPTS: dict[str, tuple[Json, Handler]] = {}


def tool(name: str, *arguments: str, schema: Json | None = None) -> Callable[[Handler], Handler]:
    given = {
        "type": "object",
        "properties": {argument: {"type": "string"} for argument in arguments},
        "required": list(arguments),
    }
    definition = {
        "name": name,
        "description": f"The tool {name}.",
        "inputSchema": schema or given,
        "x-vendor": {"kept": [1, None, "é"]},
    }

    def register(handler: Handler) -> Handler:
        TOOLS[name] = (definition, handler)
        return handler

    return register


def prompt(name: str, *arguments: str) -> Callable[[Handler], Handler]:
    listed = [{"name": one, "description": f"The {one}.", "required": True} for one in arguments]
    definition = {"name": name, "description": f"The prompt {name}.", "arguments": listed}

    def register(handler: Handler) -> Handler:
        PROMPTS[name] = (definition, handler)
        return handler

    return register


def says(*blocks: Json, **more: Any) -> Json:
    return {"content": list(blocks), **more}


# --- tools that answer


@tool("test_simple_text")
async def _simple(_call: Call) -> Json:
    return says(text("This is a simple text response for testing."))


@tool("test_image_content")
async def _image(_call: Call) -> Json:
    return says({"type": "image", "data": PIXEL, "mimeType": "image/png"})


@tool("test_audio_content")
async def _audio(_call: Call) -> Json:
    return says({"type": "audio", "data": SILENCE, "mimeType": "audio/wav"})


def embedded(uri: str, body: str, kind: str = "text/plain") -> Json:
    return {"type": "resource", "resource": {"uri": uri, "mimeType": kind, "text": body}}


@tool("test_embedded_resource")
async def _embedded(_call: Call) -> Json:
    return says(embedded("test://embedded-resource", "This is an embedded resource content."))


@tool("test_multiple_content_types")
async def _mixed(_call: Call) -> Json:
    data = '{"test":"data","value":123}'
    return says(
        text("Multiple content types test:"),
        {"type": "image", "data": PIXEL, "mimeType": "image/png"},
        embedded("test://mixed-content-resource", data, "application/json"),
    )


@tool("test_error_handling")
async def _error(_call: Call) -> Json:
    return says(text("This tool intentionally returns an error for testing"), isError=True)


@tool(
    "json_schema_2020_12_tool",
    schema={
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
            }
        },
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": False,
    },
)
async def _schema(call: Call) -> Json:
    return says(text(json.dumps(dict(call.arguments))))


@tool(
    "test_x_mcp_header",
    schema={
        "type": "object",
        "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
    },
)
async def _header(call: Call) -> Json:
    request = call.context.request
    header = None if request is None else request.headers.get("mcp-param-region")
    return says(text(json.dumps({"region": call.arguments.get("region"), "header": header})))


@tool("show_call")
async def _show(call: Call) -> Json:
    """Tell how the call arrived; with fields that no model knows."""
    seen = {
        "era": call.context.protocol_version,
        "capabilities": call.capabilities,
        "meta": call.params.get("_meta"),
        "vendor": call.params.get("x-vendor"),
        "session": call.server.session_name(call.context),
    }
    return says(
        {**text(json.dumps(seen)), "x-block": {"deep": [1, None]}},
        structuredContent=seen,
        _meta={"vendor/trace": "abc", "n": None},
        **{"x-result": True},
    )


@tool("return_list")
async def _list(_call: Call) -> Json:
    return says(text("[1]"), structuredContent=[1])


# --- tools that report


@tool("test_tool_with_logging")
async def _logging(call: Call) -> Json:
    for line in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await call.log(line)
        await anyio.sleep(PAUSE_SECONDS)
    return says(text("Tool with logging executed successfully"))


@tool("test_logging_tool")
async def _logging_tool(call: Call) -> Json:
    await call.log("one line")
    return says(text("logged, if that was wanted"))


@tool("test_tool_with_progress")
async def _progress(call: Call) -> Json:
    for value in (0, 50, 100):
        await call.progress(value, 100)
        await anyio.sleep(PAUSE_SECONDS)
    return says(text("Tool with progress executed successfully"))


@tool("test_reconnection")
async def _reconnection(call: Call) -> Json:
    if call.context.close_sse_stream is not None:
        await call.context.close_sse_stream()
    await anyio.sleep(PAUSE_SECONDS)
    return says(text("Reconnection test completed successfully"))


@tool("wait_for_ever")
async def _wait(call: Call) -> Json:
    call.server.waiting += 1
    try:
        await call.progress(1, 2)
        await anyio.sleep_forever()
    finally:
        call.server.waiting -= 1
        call.server.cancelled += 1
    raise AssertionError


@tool("count_cancelled")
async def _cancelled(call: Call) -> Json:
    seen = {"waiting": call.server.waiting, "cancelled": call.server.cancelled}
    return says(text(json.dumps(seen)), structuredContent=seen)


# --- tools that change things


@tool("test_trigger_tool_change")
async def _tool_change(call: Call) -> Json:
    call.server.has_extra = not call.server.has_extra
    await call.server.announce(ToolsListChanged(), "notifications/tools/list_changed")
    return says(text("tools changed"))


@tool("test_trigger_prompt_change")
async def _prompt_change(call: Call) -> Json:
    call.server.has_extra_prompt = not call.server.has_extra_prompt
    await call.server.announce(PromptsListChanged(), "notifications/prompts/list_changed")
    return says(text("prompts changed"))


@tool("trigger_resource_change")
async def _resource_change(call: Call) -> Json:
    await call.server.announce(ResourcesListChanged(), "notifications/resources/list_changed")
    return says(text("resources changed"))


@tool("touch_resource", "uri")
async def _touch(call: Call) -> Json:
    await call.server.touch(call.arguments["uri"])
    return says(text("touched"))


async def _extra(_call: Call) -> Json:
    return says(text("extra"))


EXTRA = {
    "name": "extra_tool",
    "description": "It comes and goes.",
    "inputSchema": {"type": "object"},
}


# --- tools that ask


@tool("test_sampling", "prompt")
async def _sampling(call: Call) -> Json:
    answers = await call.ask({"answer": sampling(call.arguments["prompt"])})
    return says(text(f"LLM response: {answers['answer']['content']['text']}"))


USER_SCHEMA = {
    "type": "object",
    "properties": {
        "username": {"type": "string", "description": "User's response"},
        "email": {"type": "string", "description": "User's email address"},
    },
    "required": ["username", "email"],
}


@tool("test_elicitation", "message")
async def _elicitation(call: Call) -> Json:
    asked = {"message": call.arguments["message"], "requestedSchema": USER_SCHEMA}
    answers = await call.ask({"user": {"method": "elicitation/create", "params": asked}})
    return says(text(f"User response: {json.dumps(answers['user'])}"))


async def _elicited(call: Call, message: str, properties: Json) -> Json:
    schema = {"type": "object", "properties": properties, "required": []}
    asked = {"message": message, "requestedSchema": schema}
    answer = (await call.ask({"form": {"method": "elicitation/create", "params": asked}}))["form"]
    shown = f"action={answer['action']}, content={json.dumps(answer.get('content'))}"
    return says(text(f"Elicitation completed: {shown}"))


@tool("test_elicitation_sep1034_defaults")
async def _defaults(call: Call) -> Json:
    return await _elicited(
        call,
        "Defaults",
        {
            "name": {"type": "string", "default": "John Doe"},
            "age": {"type": "integer", "default": 30},
            "score": {"type": "number", "default": 95.5},
            "status": {
                "type": "string",
                "enum": ["active", "inactive", "pending"],
                "default": "active",
            },
            "verified": {"type": "boolean", "default": True},
        },
    )


def _titled(*titles: str) -> list[Json]:
    return [{"const": f"value{n}", "title": title} for n, title in enumerate(titles, 1)]


@tool("test_elicitation_sep1330_enums")
async def _enums(call: Call) -> Json:
    options = ["option1", "option2", "option3"]
    titles = ("First Option", "Second Option", "Third Option")
    names = ["Option One", "Option Two", "Option Three"]
    return await _elicited(
        call,
        "Choices",
        {
            "untitledSingle": {"type": "string", "enum": options},
            "titledSingle": {"type": "string", "oneOf": _titled(*titles)},
            "legacyEnum": {
                "type": "string",
                "enum": ["opt1", "opt2", "opt3"],
                "enumNames": names,
            },
            "untitledMulti": {"type": "array", "items": {"type": "string", "enum": options}},
            "titledMulti": {"type": "array", "items": {"anyOf": _titled(*titles)}},
        },
    )


@tool("test_missing_capability")
async def _missing(call: Call) -> Json:
    await call.ask({"answer": sampling("Anything")})
    return says(text("sampled"))


@tool("test_streaming_elicitation")
async def _streaming(call: Call) -> Json:
    await call.progress(1, 2)
    await call.ask({"name": elicitation("What is your name?", "name")})
    return says(text("streamed"))


@tool("test_input_required_result_elicitation")
async def _mrtr_elicitation(call: Call) -> Json:
    answers = await call.ask({"user_name": elicitation("What is your name?", "name")})
    content = answers["user_name"].get("content") or {}
    return says(text(f"Hello, {content.get('name')}!"))


@tool("test_input_required_result_sampling")
async def _mrtr_sampling(call: Call) -> Json:
    asked = sampling("What is the capital of France?")
    answers = await call.ask({"capital_question": asked})
    return says(text(answers["capital_question"]["content"]["text"]))


@tool("test_input_required_result_list_roots")
async def _mrtr_roots(call: Call) -> Json:
    answers = await call.ask({"client_roots": ROOTS})
    return says(text(", ".join(root["uri"] for root in answers["client_roots"]["roots"])))


def sealed(value: str) -> str:
    return f"{value}.{hmac.new(KEY, value.encode(), hashlib.sha256).hexdigest()}"


def opened(state: str | None) -> str:
    value, _, _seal = (state or "").partition(".")
    if state is None or not hmac.compare_digest(state, sealed(value)):
        raise MCPError(types.INVALID_PARAMS, "requestState failed its integrity check")
    return value


@tool("test_input_required_result_request_state")
async def _mrtr_state(call: Call) -> Json:
    await call.ask({"confirm": elicitation("Please confirm", "ok", "boolean")}, sealed("one"))
    if call.is_modern:
        opened(call.state)
    return says(text("state-ok"))


@tool("test_input_required_result_tampered_state")
async def _mrtr_tampered(call: Call) -> Json:
    if call.state is not None:
        opened(call.state)
    await call.ask({"confirm": elicitation("Please confirm", "ok", "boolean")}, sealed("two"))
    return says(text("state-ok"))


@tool("test_input_required_result_multiple_inputs")
async def _mrtr_many(call: Call) -> Json:
    requests = {
        "user_name": elicitation("What is your name?", "name"),
        "greeting": sampling("Generate a greeting", 50),
        "client_roots": ROOTS,
    }
    answers = await call.ask(requests, sealed("many"))
    return says(text(json.dumps(sorted(answers))), structuredContent=answers)


@tool("test_input_required_result_multi_round")
async def _mrtr_rounds(call: Call) -> Json:
    first = {"step1": elicitation("Step 1: What is your name?", "name")}
    second = {"step2": elicitation("Step 2: What is your favorite color?", "color")}
    if call.is_modern and call.state is None:
        await call.ask(first, sealed("round 1"))
    if not call.is_modern:
        await call.ask(first)
    await call.ask(second, sealed("round 2"))
    return says(text("both rounds done"))


@tool("test_input_required_result_capabilities")
async def _mrtr_capabilities(call: Call) -> Json:
    every = {"name": elicitation("Name?", "name"), "greeting": sampling("Hi"), "roots": ROOTS}
    allowed = {
        key: request
        for key, request in every.items()
        if CAPABILITY_OF[request["method"]] in call.capabilities
    }
    await call.ask(allowed)
    return says(text(json.dumps(sorted(allowed))))


# --- prompts and resources


def user(*blocks: Json) -> Json:
    return {"messages": [{"role": "user", "content": block} for block in blocks]}


@prompt("test_simple_prompt")
async def _simple_prompt(_call: Call) -> Json:
    return user(text("This is a simple prompt for testing."))


@prompt("test_prompt_with_arguments", "arg1", "arg2")
async def _arguments_prompt(call: Call) -> Json:
    one, two = call.arguments.get("arg1"), call.arguments.get("arg2")
    return user(text(f"Prompt with arguments: arg1='{one}', arg2='{two}'"))


@prompt("test_prompt_with_embedded_resource", "resourceUri")
async def _resource_prompt(call: Call) -> Json:
    block = embedded(call.arguments["resourceUri"], "Embedded resource content for testing.")
    return user(block, text("Please process the embedded resource above."))


@prompt("test_prompt_with_image")
async def _image_prompt(_call: Call) -> Json:
    image = {"type": "image", "data": PIXEL, "mimeType": "image/png"}
    return user(image, text("Please analyze the image above."))


@prompt("test_input_required_result_prompt")
async def _asking_prompt(call: Call) -> Json:
    asked = elicitation("What context should the prompt use?", "context")
    answers = await call.ask({"user_context": asked})
    return user(text(f"Context: {(answers['user_context'].get('content') or {}).get('context')}"))


RESOURCES: dict[str, Json] = {
    "test://static-text": {
        "mimeType": "text/plain",
        "text": "This is the content of the static text resource.",
    },
    "test://static-binary": {"mimeType": "image/png", "blob": PIXEL},
    "test://watched-resource": {"mimeType": "text/plain", "text": "Watched."},
}
TEMPLATE = {
    "uriTemplate": "test://template/{id}/data",
    "name": "template",
    "description": "Data by id.",
    "mimeType": "application/json",
}


# --- the server


@dataclass
class Everything:
    """The state of one server; `era` says which of the two it speaks."""

    era: str = "both"
    has_extra: bool = False
    has_extra_prompt: bool = False
    waiting: int = 0
    cancelled: int = 0
    log_levels: list[str] = field(default_factory=list)
    watchers: dict[str, dict[Any, None]] = field(default_factory=dict)
    connections: dict[Any, str] = field(default_factory=dict)
    bus: InMemorySubscriptionBus = field(default_factory=InMemorySubscriptionBus)

    def session_name(self, context: Any) -> str | None:
        return self.connections.get(context.session._connection)

    async def announce(self, event: Any, method: str) -> None:
        await self.bus.publish(event)
        for connection in list(self.connections):
            await connection.notify(method, None)

    async def touch(self, uri: str) -> None:
        await self.bus.publish(ResourceUpdated(uri))
        for connection in list(self.watchers.get(uri, ())):
            await connection.notify("notifications/resources/updated", {"uri": uri})

    def build(self) -> Server[Any]:
        server: Server[Any] = _Server(
            "everything",
            version="1.0",
            title="Everything",
            get_tool_input_schema=lambda name: (
                TOOLS[name][0]["inputSchema"] if name in TOOLS else None
            ),
            cache_hints={
                method: CacheHint(ttl_ms=0, scope="private")
                for method in (
                    "prompts/list",
                    "resources/list",
                    "resources/templates/list",
                    "resources/read",
                )
            },
            on_subscriptions_listen=ListenHandler(self.bus),
        )
        for method, params_type, handler in (
            ("tools/list", types.PaginatedRequestParams, None),
            ("tools/call", types.CallToolRequestParams, None),
            ("prompts/list", types.PaginatedRequestParams, self._prompts),
            ("prompts/get", types.GetPromptRequestParams, self._prompt),
            ("resources/list", types.PaginatedRequestParams, self._resources),
            ("resources/templates/list", types.PaginatedRequestParams, self._templates),
            ("resources/read", types.ReadResourceRequestParams, self._read),
            ("resources/subscribe", types.SubscribeRequestParams, self._subscribe),
            ("resources/unsubscribe", types.UnsubscribeRequestParams, self._unsubscribe),
            ("completion/complete", types.CompleteRequestParams, self._complete),
            ("logging/setLevel", types.SetLevelRequestParams, self._level),
        ):
            server.add_request_handler(method, params_type, _whole(handler or self._unreachable))
        self._raw = {"tools/list": self._tools, "tools/call": self._tool}
        server.middleware[:] = [self._answer]
        return server

    async def _answer(self, ctx: Any, call_next: Any) -> Any:
        is_modern = ctx.protocol_version in MODERN_PROTOCOL_VERSIONS
        if is_modern and self.era == "legacy":
            raise MCPError(types.METHOD_NOT_FOUND, "Method not found")
        if not is_modern and self.era == "modern" and ctx.request_id is not None:
            data = {"supported": [LATEST_MODERN_VERSION], "requested": ctx.protocol_version}
            raise MCPError(types.UNSUPPORTED_PROTOCOL_VERSION, "only 2026-07-28", data)
        if ctx.method == "notifications/initialized":
            self._join(ctx.session._connection)
        answer = self._raw.get(ctx.method)
        if answer is None or not ctx.session._connection.initialize_accepted:
            return await call_next(ctx)
        result = await answer(ctx)
        if is_modern:
            result = {"resultType": "complete", **result}
            meta = {**(result.get("_meta") or {}), types.SERVER_INFO_META_KEY: INFO}
            result["_meta"] = meta
        return result

    def _join(self, connection: Any) -> None:
        self.connections[connection] = f"session-{len(self.connections) + 1}-{secrets.token_hex(4)}"
        connection.exit_stack.callback(self._leave, connection)

    def _leave(self, connection: Any) -> None:
        self.connections.pop(connection, None)
        for watching in self.watchers.values():
            watching.pop(connection, None)

    async def _unreachable(self, _ctx: Any, _params: Any) -> Json:
        raise AssertionError

    async def _tools(self, ctx: Any) -> Json:
        listed = [definition for definition, _handler in TOOLS.values()]
        listed += [EXTRA] if self.has_extra else []
        if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
            return {"tools": listed, "ttlMs": 0, "cacheScope": "private"}
        return {"tools": listed}

    async def _tool(self, ctx: Any) -> Json:
        params = ctx.params or {}
        known = {**TOOLS, "extra_tool": (EXTRA, _extra)}
        if params.get("name") not in known:
            raise MCPError(types.INVALID_PARAMS, f"Unknown tool: {params.get('name')}")
        return await self._run(known[params["name"]][1], ctx, params)

    async def _run(self, handler: Handler, ctx: Any, params: Mapping[str, Any]) -> Json:
        try:
            return await handler(Call(ctx, self, params))
        except InputNeededError as needed:
            result = {"resultType": "input_required", "inputRequests": needed.requests}
            return result if needed.state is None else {**result, "requestState": needed.state}

    async def _prompts(self, _ctx: Any, _params: Any) -> Json:
        listed = [definition for definition, _handler in PROMPTS.values()]
        extra = (
            [{"name": "extra_prompt", "description": "It comes and goes."}]
            if self.has_extra_prompt
            else []
        )
        return {"prompts": [*listed, *extra]}

    async def _prompt(self, ctx: Any, params: Any) -> Json:
        if params.name not in PROMPTS:
            raise MCPError(types.INVALID_PARAMS, f"Unknown prompt: {params.name}")
        return await self._run(PROMPTS[params.name][1], ctx, ctx.params or {})

    async def _resources(self, _ctx: Any, _params: Any) -> Json:
        return {
            "resources": [
                {
                    "uri": uri,
                    "name": uri.removeprefix("test://"),
                    "description": f"The resource {uri}.",
                    "mimeType": content["mimeType"],
                }
                for uri, content in RESOURCES.items()
            ]
        }

    async def _templates(self, _ctx: Any, _params: Any) -> Json:
        return {"resourceTemplates": [TEMPLATE]}

    async def _read(self, _ctx: Any, params: Any) -> Json:
        uri = str(params.uri)
        if uri in RESOURCES:
            return {"contents": [{"uri": uri, **RESOURCES[uri]}]}
        if uri.startswith("test://template/") and uri.endswith("/data"):
            id_ = uri.removeprefix("test://template/").removesuffix("/data")
            data = {"id": id_, "templateTest": True, "data": f"Data for ID: {id_}"}
            content = {"uri": uri, "mimeType": "application/json", "text": json.dumps(data)}
            return {"contents": [content]}
        raise MCPError(types.INVALID_PARAMS, "Resource not found", {"uri": uri})

    async def _subscribe(self, ctx: Any, params: Any) -> Json:
        self.watchers.setdefault(str(params.uri), {})[ctx.session._connection] = None
        return {}

    async def _unsubscribe(self, ctx: Any, params: Any) -> Json:
        self.watchers.get(str(params.uri), {}).pop(ctx.session._connection, None)
        return {}

    async def _complete(self, _ctx: Any, params: Any) -> Json:
        found = [one for one in ("paris", "park", "party") if one.startswith(params.argument.value)]
        return {"completion": {"values": found, "total": len(found), "hasMore": False}}

    async def _level(self, _ctx: Any, params: Any) -> Json:
        self.log_levels.append(params.level)
        return {}


def _whole(handler: Any) -> Any:
    async def handle(ctx: Any, params: Any) -> Json:
        result = await handler(ctx, params)
        if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
            return {"resultType": "complete", **result}
        return result

    return handle


class _Server(Server[Any]):
    def create_initialization_options(self, *_args: Any, **_options: Any) -> Any:
        every = NotificationOptions(
            tools_changed=True, prompts_changed=True, resources_changed=True
        )
        return super().create_initialization_options(every)


# --- as a program


async def serve_http(
    everything: Everything, *, task_status: Any = anyio.TASK_STATUS_IGNORED
) -> None:
    """Serve on a free port of the loopback address; reports the address."""
    local = ["127.0.0.1:*", "localhost:*"]
    security = TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=local,
        allowed_origins=[f"http://{one}" for one in local],
    )
    app = everything.build().streamable_http_app(transport_security=security)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, http="h11", ws="none", log_config=None, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    server.capture_signals = _no_signals  # type: ignore[method-assign,assignment]
    task_status.started(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_serve_shielded, server, listener, tasks)
        try:
            await anyio.sleep_forever()
        finally:
            server.should_exit = True
            server.force_exit = True


def _no_signals() -> Any:
    return nullcontext()


async def _serve_shielded(server: Any, listener: socket.socket, tasks: Any) -> None:
    with anyio.CancelScope(shield=True):
        await server.serve(sockets=[listener])
    tasks.cancel_scope.cancel()


async def serve_stdio(everything: Everything) -> None:
    server = everything.build()
    async with stdio_server() as (read, write):
        if everything.era == "legacy":
            await serve_loop(server, read, write, lifespan_state={})
        else:
            await server.run(read, write, server.create_initialization_options())


async def _serve_and_tell(everything: Everything) -> None:
    async with anyio.create_task_group() as tasks:
        url = await tasks.start(serve_http, everything)
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--era", choices=("both", "legacy", "modern"), default="both")
    parser.add_argument("--http", action="store_true")
    options = parser.parse_args()
    everything = Everything(options.era)
    anyio.run(_serve_and_tell if options.http else serve_stdio, everything)


if __name__ == "__main__":
    main()
