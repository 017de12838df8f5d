"""Podium's own tools: what a call of each does."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from podium.domain.errors import InvalidParamsError, PodiumError, UnknownExecutionError
from podium.domain.ports import Asker
from podium.domain.tool import ToolMatch
from podium.interfaces.mcp_server import definitions, results
from podium.interfaces.mcp_server.asking import Resume, Talk
from podium.interfaces.mcp_server.definitions import Definition
from podium.interfaces.mcp_server.progress import Progress
from podium.interfaces.mcp_server.results import Result
from podium.interfaces.mcp_server.texts import (
    composition_line,
    execution_text,
    saved_text,
    tool_line,
)
from podium.mapping.coercion import coerce_arguments, schema_faults
from podium.orchestrator import Orchestrator

Arguments = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OwnTool:
    """A tool of Podium: its definition, what a call does, how it tells that a call failed."""

    definition: Definition
    run: Callable[[Orchestrator, Arguments, Progress, Talk], Awaitable[Result]]
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


async def _process_request(
    orchestrator: Orchestrator, arguments: Arguments, progress: Progress, talk: Talk
) -> Result:
    async def first(asker: Asker | None) -> dict[str, Any]:
        return await orchestrator.process_request(
            arguments["request"],
            arguments.get("user_id", ""),
            arguments.get("conversation_id", ""),
            arguments.get("context"),
            on_event=progress.on_event,
            asker=asker,
            connection_id=talk.connection_id,
        )

    return await talk.play(first, _resume(orchestrator, arguments, progress))


async def _get_compositions(
    orchestrator: Orchestrator, arguments: Arguments, _progress: Progress, _talk: Talk
) -> Result:
    found = orchestrator.get_compositions(
        arguments.get("intent_type"), arguments.get("limit", definitions.LIST_LIMIT)
    )
    text = "\n".join(map(composition_line, found)) or "There is no such composition."
    return results.answer({"compositions": found}, text)


async def _execute_composition(
    orchestrator: Orchestrator, arguments: Arguments, progress: Progress, talk: Talk
) -> Result:
    return await play_composition(
        arguments["composition_id"],
        arguments.get("params"),
        orchestrator,
        arguments,
        progress,
        talk,
    )


async def play_composition(
    composition_id: str,
    params: Mapping[str, Any] | None,
    orchestrator: Orchestrator,
    arguments: Arguments,
    progress: Progress,
    talk: Talk,
) -> Result:
    """Play a composition for the person that `talk` can ask; `arguments` say who they are."""

    async def first(asker: Asker | None) -> dict[str, Any]:
        return await orchestrator.execute_composition(
            composition_id,
            params,
            arguments.get("user_id", ""),
            arguments.get("conversation_id", ""),
            on_event=progress.on_event,
            asker=asker,
        )

    return await talk.play(first, _resume(orchestrator, arguments, progress))


async def _resume_execution(
    orchestrator: Orchestrator, arguments: Arguments, progress: Progress, talk: Talk
) -> Result:
    resume = _resume(orchestrator, arguments, progress)

    async def first(asker: Asker | None) -> dict[str, Any]:
        return await resume(arguments["execution_id"], dict(arguments.get("params") or {}), asker)

    return await talk.play(first, resume)


def _resume(orchestrator: Orchestrator, arguments: Arguments, progress: Progress) -> Resume:
    async def resume(
        execution_id: str, params: dict[str, Any], asker: Asker | None
    ) -> dict[str, Any]:
        return await orchestrator.resume_execution(
            execution_id,
            params,
            user_id=arguments.get("user_id", ""),
            on_event=progress.on_event,
            asker=asker,
        )

    return resume


async def _search_tools(
    orchestrator: Orchestrator, arguments: Arguments, _progress: Progress, _talk: Talk
) -> Result:
    found = await orchestrator.search_tools(
        arguments.get("query", ""), arguments.get("limit", definitions.LIST_LIMIT)
    )
    text = "\n".join(tool_line(match.tool) for match in found) or "No tool fits."
    return results.answer({"tools": [_tool_match(match) for match in found]}, text)


async def _call_tool(
    orchestrator: Orchestrator, arguments: Arguments, progress: Progress, talk: Talk
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
        connection_id=talk.connection_id,
    )
    return results.of_tool_result(server_id, tool_id, result)


async def _get_execution(
    orchestrator: Orchestrator, arguments: Arguments, _progress: Progress, _talk: Talk
) -> Result:
    execution_id = arguments["execution_id"]
    execution = await orchestrator.get_execution(execution_id)
    if execution is None:
        raise UnknownExecutionError(
            f"there is no execution '{execution_id}'",
            hint="execution ids stand in the replies of process_request and execute_composition",
        )
    return results.answer({"execution": execution.to_dict()}, execution_text(execution))


async def _save_composition(
    orchestrator: Orchestrator, arguments: Arguments, _progress: Progress, talk: Talk
) -> Result:
    saved = await orchestrator.save_composition(
        arguments["name"],
        arguments.get("description", ""),
        user_id=arguments.get("user_id", ""),
        conversation_id=arguments.get("conversation_id", ""),
        connection_id=talk.connection_id,
    )
    return results.answer(saved, saved_text(saved))


async def _give_feedback(
    orchestrator: Orchestrator, arguments: Arguments, _progress: Progress, _talk: Talk
) -> Result:
    said = await orchestrator.give_feedback(
        arguments["execution_id"],
        arguments["rating"],
        arguments.get("comment", ""),
        arguments.get("user_id", ""),
    )
    return results.answer(said, f"Noted: {said['rating']}.")


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


def _error_alone(error: PodiumError, _arguments: Arguments) -> Result:
    return results.of_error(error)


OWN_TOOLS: tuple[OwnTool, ...] = (
    OwnTool(definitions.PROCESS_REQUEST, _process_request, results.of_failed_request),
    OwnTool(definitions.GET_COMPOSITIONS, _get_compositions, _error_alone),
    OwnTool(definitions.EXECUTE_COMPOSITION, _execute_composition, results.of_failed_request),
    OwnTool(definitions.SEARCH_TOOLS, _search_tools, _error_alone),
    OwnTool(definitions.CALL_TOOL, _call_tool, _error_alone),
    OwnTool(definitions.GET_EXECUTION, _get_execution, _error_alone),
    OwnTool(definitions.RESUME_EXECUTION, _resume_execution, results.of_failed_request),
    OwnTool(definitions.SAVE_COMPOSITION, _save_composition, _error_alone),
    OwnTool(definitions.GIVE_FEEDBACK, _give_feedback, _error_alone),
)
