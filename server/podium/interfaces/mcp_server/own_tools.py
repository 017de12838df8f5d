"""Podium's own tools: what clients see of each, and what a call of it does."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from podium.domain.errors import InvalidParamsError, PodiumError, UnknownExecutionError
from podium.domain.execution import Execution
from podium.domain.tool import ToolMatch
from podium.interfaces.mcp_server import results, schemas
from podium.interfaces.mcp_server.progress import Progress
from podium.interfaces.mcp_server.results import Result
from podium.mapping.coercion import coerce_arguments, schema_faults
from podium.orchestrator import Orchestrator

Arguments = Mapping[str, Any]
Definition = dict[str, Any]
"""A tool as `tools/list` shows it."""

LIST_LIMIT = 10
MAX_COMPOSITIONS = 1_000
MAX_TOOLS = 200  # matches of one search; each carries its whole input schema
MAX_NAME = 256  # characters of an id in an argument
DESCRIPTION_CHARACTERS = 200  # of a tool, in the text form of a search


@dataclass(frozen=True, slots=True)
class OwnTool:
    """A tool of Podium: its definition, what a call does, how it tells that a call failed."""

    definition: Definition
    run: Callable[[Orchestrator, Arguments, Progress], Awaitable[Result]]
    failed: Callable[[PodiumError, Arguments], Result]

    @property
    def name(self) -> str:
        """The name clients call it by."""
        return str(self.definition["name"])


def checked(tool: OwnTool, arguments: Arguments) -> dict[str, Any]:
    """Return the arguments as the tool's schema wants them; null means not given.

    Raises:
        InvalidParamsError: they do not fit; every fault is listed.

    """
    schema = tool.definition["inputSchema"]
    given = {name: value for name, value in arguments.items() if value is not None}
    filled = coerce_arguments(given, schema)
    if faults := schema_faults(filled, schema):
        raise InvalidParamsError(
            f"the arguments do not fit the tool '{tool.name}': {'; '.join(map(str, faults))}",
            hint="its input schema says what it takes",
            faults=faults,
        )
    return dict(filled)


# --- what a call does


async def _process_request(
    orchestrator: Orchestrator, arguments: Arguments, progress: Progress
) -> Result:
    return results.of_reply(
        await orchestrator.process_request(
            arguments["request"],
            arguments.get("user_id", ""),
            arguments.get("conversation_id", ""),
            arguments.get("context"),
            on_event=progress.on_event,
        )
    )


async def _get_compositions(
    orchestrator: Orchestrator, arguments: Arguments, _progress: Progress
) -> Result:
    found = orchestrator.get_compositions(
        arguments.get("intent_type"), arguments.get("limit", LIST_LIMIT)
    )
    text = "\n".join(map(_composition_line, found)) or "There is no such composition."
    return results.answer({"compositions": found}, text)


async def _execute_composition(
    orchestrator: Orchestrator, arguments: Arguments, progress: Progress
) -> Result:
    return results.of_reply(
        await orchestrator.execute_composition(
            arguments["composition_id"],
            arguments.get("params"),
            arguments.get("user_id", ""),
            arguments.get("conversation_id", ""),
            on_event=progress.on_event,
        )
    )


async def _search_tools(
    orchestrator: Orchestrator, arguments: Arguments, _progress: Progress
) -> Result:
    found = await orchestrator.search_tools(
        arguments.get("query", ""), arguments.get("limit", LIST_LIMIT)
    )
    text = "\n".join(map(_tool_line, found)) or "No tool fits."
    return results.answer({"tools": [_tool_match(match) for match in found]}, text)


async def _call_tool(
    orchestrator: Orchestrator, arguments: Arguments, progress: Progress
) -> Result:
    server_id, tool_id = arguments["server_id"], arguments["tool_id"]
    result = await orchestrator.call_tool(
        server_id,
        tool_id,
        arguments.get("arguments"),
        user_id=arguments.get("user_id", ""),
        conversation_id=arguments.get("conversation_id", ""),
        request=arguments.get("request"),
        on_progress=progress.on_progress,
    )
    return results.of_tool_result(server_id, tool_id, result)


async def _get_execution(
    orchestrator: Orchestrator, arguments: Arguments, _progress: Progress
) -> Result:
    execution_id = arguments["execution_id"]
    execution = await orchestrator.get_execution(execution_id)
    if execution is None:
        raise UnknownExecutionError(
            f"there is no execution '{execution_id}'",
            hint="execution ids stand in the replies of process_request and execute_composition",
        )
    return results.answer({"execution": execution.to_dict()}, _execution_text(execution))


# --- the answers as text


def _composition_line(composition: Mapping[str, Any]) -> str:
    about = composition.get("description") or composition.get("name") or ""
    params = _signature(composition.get("input_schema") or {})
    return f"{composition['id']}({params}): {about}"


def _tool_match(match: ToolMatch) -> dict[str, Any]:
    tool = match.tool
    return {
        "server_id": tool.server_id,
        "tool_id": tool.name,
        "description": tool.description,
        "input_schema": tool.input_schema,
        "effects": tool.effects,
        "score": match.score,
    }


def _tool_line(match: ToolMatch) -> str:
    tool = match.tool
    about = " ".join(tool.description.split())
    if len(about) > DESCRIPTION_CHARACTERS:
        about = about[: DESCRIPTION_CHARACTERS - 1] + "…"
    return f"{tool.full_name}({_signature(tool.input_schema)}) [{tool.effects}]: {about}"


def _signature(schema: Mapping[str, Any]) -> str:
    """Return the argument names, those that may be left out with a question mark."""
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, Mapping):
        return ""
    needed = required if isinstance(required, list) else ()
    return ", ".join(name if name in needed else f"{name}?" for name in properties)


def _execution_text(execution: Execution) -> str:
    took = f" in {execution.duration_ms:.0f} ms" if execution.duration_ms is not None else ""
    lines = [f"{execution.composition_id}: {execution.status}{took}"]
    for step in execution.steps.values():
        reason = f": {step.error.get('message', '')}" if step.error else ""
        lines.append(f"- {step.step_id} ({step.server_id}.{step.tool_id}): {step.status}{reason}")
    return "\n".join(lines)


# --- what clients see

_READS = {"readOnlyHint": True, "idempotentHint": True, "openWorldHint": False}
# Whatever the configured servers can do, these can: the honest hints are the worst ones.
_DOES_ANYTHING = {
    "readOnlyHint": False,
    "destructiveHint": True,
    "idempotentHint": False,
    "openWorldHint": True,
}

_USER = {
    "type": "string",
    "maxLength": MAX_NAME,
    "description": "Who asks, if several people share this connection.",
}
_CONVERSATION = {
    "type": "string",
    "maxLength": MAX_NAME,
    "description": "The conversation_id of an earlier reply, to continue that conversation.",
}


def _name(description: str) -> dict[str, Any]:
    return {
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_NAME,
        "description": description,
    }


def _limit(most: int) -> dict[str, Any]:
    return {
        "type": "integer",
        "minimum": 1,
        "maximum": most,
        "default": LIST_LIMIT,
        "description": "How many to return at most.",
    }


def _definition(
    name: str,
    title: str,
    description: str,
    *,
    properties: dict[str, Any],
    required: tuple[str, ...] = (),
    output: dict[str, Any],
    annotations: dict[str, bool],
) -> Definition:
    return {
        "name": name,
        "title": title,
        "description": description,
        "inputSchema": {
            "type": "object",
            "properties": properties,
            "required": list(required),
            "additionalProperties": False,
        },
        "outputSchema": output,
        "annotations": {"title": title, **annotations},
    }


def _error_alone(error: PodiumError, _arguments: Arguments) -> Result:
    return results.of_error(error)


OWN_TOOLS: tuple[OwnTool, ...] = (
    OwnTool(
        _definition(
            "process_request",
            "Ask in plain words",
            "Get something done by saying it in plain words, in English or French. Podium "
            "recognises what is meant, plays the prepared composition that answers it (several "
            "tool calls on several servers, data passed between them) and returns the outcome in "
            "one call. Try this first. Status `no_match` means that nothing prepared fits: then "
            "use search_tools and call_tool. Status `needs_input` says what is missing: ask again "
            "with it.",
            properties={
                "request": {
                    "type": "string",
                    "description": "The user's request, in the user's own words.",
                },
                "user_id": _USER,
                "conversation_id": _CONVERSATION,
                "context": {
                    "type": "object",
                    "description": "Facts for the composition, as a JSON object; normally absent.",
                },
            },
            required=("request",),
            output=schemas.REPLY,
            annotations=_DOES_ANYTHING,
        ),
        _process_request,
        results.of_failed_request,
    ),
    OwnTool(
        _definition(
            "get_compositions",
            "List compositions",
            "List the compositions (prepared sequences of tool calls) with their ids, what they "
            "do and the params they take, for execute_composition.",
            properties={
                "intent_type": _name("Only those that answer this intent."),
                "limit": _limit(MAX_COMPOSITIONS),
            },
            output=schemas.COMPOSITIONS,
            annotations=_READS,
        ),
        _get_compositions,
        _error_alone,
    ),
    OwnTool(
        _definition(
            "execute_composition",
            "Play a composition",
            "Play one composition by its id, with params that fit its input schema "
            "(get_compositions shows both), and return its output. Reports progress per step.",
            properties={
                "composition_id": _name("Id of the composition."),
                "params": {
                    "type": "object",
                    "description": "Its params, as its input schema names them.",
                },
                "user_id": _USER,
                "conversation_id": _CONVERSATION,
            },
            required=("composition_id",),
            output=schemas.REPLY,
            annotations=_DOES_ANYTHING,
        ),
        _execute_composition,
        results.of_failed_request,
    ),
    OwnTool(
        _definition(
            "search_tools",
            "Search tools",
            "Find tools of the connected servers by what they do, with the input schema of each, "
            "for call_tool. Without a query it lists them all, up to the limit.",
            properties={
                "query": {
                    "type": "string",
                    "maxLength": 1_000,
                    "description": "A few words on what the tool should do.",
                },
                "limit": _limit(MAX_TOOLS),
            },
            output=schemas.TOOLS,
            annotations=_READS,
        ),
        _search_tools,
        _error_alone,
    ),
    OwnTool(
        _definition(
            "call_tool",
            "Call a tool",
            "Call one tool of one connected server and return its result as it is. search_tools "
            "shows the ids and the arguments. For tasks that process_request does not know.",
            properties={
                "server_id": _name("Id of the server, as search_tools shows it."),
                "tool_id": _name("Name of the tool, as search_tools shows it."),
                "arguments": {
                    "type": "object",
                    "description": "The tool's arguments, as its input schema names them.",
                },
                "user_id": _USER,
                "conversation_id": _CONVERSATION,
                "request": {
                    "type": "string",
                    "description": "What the user asked for, in the user's own words.",
                },
            },
            required=("server_id", "tool_id"),
            output=schemas.TOOL_CALL,
            annotations=_DOES_ANYTHING,
        ),
        _call_tool,
        _error_alone,
    ),
    OwnTool(
        _definition(
            "get_execution",
            "Show an execution",
            "Show the record of one execution: each step with its tool, status, times, inputs, "
            "output and error. The execution_id stands in every reply.",
            properties={"execution_id": _name("Id of the execution.")},
            required=("execution_id",),
            output=schemas.EXECUTION,
            annotations=_READS,
        ),
        _get_execution,
        _error_alone,
    ),
)
