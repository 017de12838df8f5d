"""Podium's own tools as clients see them: what each is for, what it takes, what it may do."""

from typing import Any

from podium.interfaces.mcp_server import schemas

Definition = dict[str, Any]
"""A tool as `tools/list` shows it."""

LIST_LIMIT = 10
MAX_COMPOSITIONS = 1_000
MAX_TOOLS = 200  # matches of one search; each carries its whole input schema
MAX_NAME = 256  # characters of an id in an argument

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


PROCESS_REQUEST = _definition(
    "process_request",
    "Ask in plain words",
    "Get something done by saying it in plain words, in English or French. Podium "
    "recognises what is meant, plays the prepared composition that answers it (several "
    "tool calls on several servers, data passed between them) and returns the outcome in "
    "one call. Try this first. Status `no_match` means that nothing prepared fits: then "
    "use search_tools and call_tool. Status `needs_input` holds a question for the user: "
    "answer it with the next process_request of the same conversation_id, in the user's own "
    "words, or with resume_execution.",
    properties={
        "request": {
            "type": "string",
            "description": "The user's request, in the user's own words.",
        },
        "user_id": _USER,
        "conversation_id": _CONVERSATION,
        "context": {
            "type": "object",
            "description": "What the caller knows already: `variables` (name: value), `entities` "
            "(kind, value, label), `language` (fr, en); any other key is read by compositions as "
            "context.<key>. Normally absent.",
        },
    },
    required=("request",),
    output=schemas.REPLY,
    annotations=_DOES_ANYTHING,
)
GET_COMPOSITIONS = _definition(
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
)
EXECUTE_COMPOSITION = _definition(
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
)
SEARCH_TOOLS = _definition(
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
)
CALL_TOOL = _definition(
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
)
GET_EXECUTION = _definition(
    "get_execution",
    "Show an execution",
    "Show the record of one execution: each step with its tool, status, times, inputs, "
    "output and error. Its execution_id stands in the reply of the run.",
    properties={"execution_id": _name("Id of the execution.")},
    required=("execution_id",),
    output=schemas.EXECUTION,
    annotations=_READS,
)
RESUME_EXECUTION = _definition(
    "resume_execution",
    "Play an execution on",
    "Continue an execution that asked something (status `needs_input`) or that failed and is "
    "resumable: what is finished is not done again. Give the answer under the question's id, or "
    "params to change.",
    properties={
        "execution_id": _name("The execution_id of the reply."),
        "params": {
            "type": "object",
            "description": "The answer, as {question.id: answer}, and params to change.",
        },
        "user_id": _USER,
    },
    required=("execution_id",),
    output=schemas.REPLY,
    annotations=_DOES_ANYTHING,
)
SAVE_COMPOSITION = _definition(
    "save_composition",
    "Save what was just done",
    "Keep the call_tool calls of this conversation as a composition under a name: what varied "
    "becomes params, what came from an earlier result stays connected. Use it once the task is "
    "solved and the user wants to do it again. It is on trial until it has proved itself.",
    properties={
        "name": _name("What to call it, in the user's words."),
        "description": {
            "type": "string",
            "maxLength": 1_000,
            "description": "What it does, in a sentence.",
        },
        "user_id": _USER,
        "conversation_id": {
            **_CONVERSATION,
            "description": "That of the calls; without one, those of this connection.",
        },
    },
    required=("name",),
    output=schemas.SAVED,
    annotations={
        "readOnlyHint": False,
        "destructiveHint": False,
        "idempotentHint": False,
        "openWorldHint": False,
    },
)
GIVE_FEEDBACK = _definition(
    "give_feedback",
    "Say whether an answer was right",
    "Tell Podium what the user says about an answer: `good` or `bad`. It decides which "
    "compositions are trusted, so say only what the user said; the last word counts.",
    properties={
        "execution_id": _name("The execution_id of the reply."),
        "rating": {
            "type": "string",
            "enum": ["good", "bad"],
            "description": "Whether the answer was right.",
        },
        "comment": {
            "type": "string",
            "maxLength": 1_000,
            "description": "What was wrong, in the user's words.",
        },
        "user_id": _USER,
    },
    required=("execution_id", "rating"),
    output=schemas.FEEDBACK,
    annotations={
        "readOnlyHint": False,
        "destructiveHint": False,
        "idempotentHint": True,
        "openWorldHint": False,
    },
)
