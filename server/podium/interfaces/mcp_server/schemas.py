"""The JSON Schemas of what Podium's tools answer; every root is an object, as both eras want it."""

from typing import Any

Schema = dict[str, Any]

_NULLABLE_TEXT: Schema = {"type": ["string", "null"]}

ERROR: Schema = {
    "type": "object",
    "description": "What went wrong: a stable code, what happened and where, what to do about it.",
    "properties": {
        "code": {"type": "string"},
        "message": {"type": "string"},
        "hint": {"type": "string"},
        "step_id": _NULLABLE_TEXT,
        "retryable": {"type": "boolean"},
        "faults": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "where": {"type": "string"},
                    "line": {"type": ["integer", "null"]},
                    "message": {"type": "string"},
                    "hint": {"type": "string"},
                },
            },
        },
    },
    "required": ["code", "message"],
}

REPLY: Schema = {
    "type": "object",
    "properties": {
        "status": {
            "type": "string",
            "enum": ["success", "error", "needs_input", "no_match"],
            "description": "How it ended.",
        },
        "data": {
            "type": "object",
            "properties": {
                "message": {"type": "string", "description": "The answer for a person."},
                "result": {"description": "The composition's output; any JSON value."},
                "files": {"type": "array", "items": {"type": "object"}},
            },
            "required": ["message", "result", "files"],
        },
        "intent": {
            "type": ["object", "null"],
            "description": "What the request was understood to mean.",
        },
        "composition_id": _NULLABLE_TEXT,
        "execution_id": {**_NULLABLE_TEXT, "description": "For get_execution."},
        "conversation_id": {
            **_NULLABLE_TEXT,
            "description": "Send it with the next request of the same conversation.",
        },
        "execution_info": {
            "type": "object",
            "description": "Of each step status, attempts, duration and error; what was written, "
            "what is in doubt, and whether resume_execution can play on.",
        },
        "error": {**ERROR, "type": ["object", "null"]},
        "question": {
            "type": ["object", "null"],
            "description": "What to ask the user when status is needs_input: answer it with "
            "resume_execution, params {question.id: answer}.",
        },
    },
    "required": [
        "status",
        "data",
        "intent",
        "composition_id",
        "execution_id",
        "conversation_id",
        "execution_info",
        "error",
        "question",
    ],
}


def answer_or_error(properties: dict[str, Schema]) -> Schema:
    """Return the schema of an answer that is either these properties or `error` alone."""
    return {"type": "object", "properties": {**properties, "error": ERROR}}


COMPOSITIONS: Schema = answer_or_error(
    {
        "compositions": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "id": {"type": "string"},
                    "name": {"type": "string"},
                    "description": {"type": "string"},
                    "intent_type": _NULLABLE_TEXT,
                    "status": {"type": "string"},
                    "input_schema": {"type": ["object", "null"]},
                    "steps": {"type": "array", "items": {"type": "string"}},
                    "profile": {
                        "type": "object",
                        "description": "What a run takes: durations in ms, means over all runs.",
                    },
                },
                "required": ["id"],
            },
        }
    }
)

TOOLS: Schema = answer_or_error(
    {
        "tools": {
            "type": "array",
            "description": "Best first.",
            "items": {
                "type": "object",
                "properties": {
                    "server_id": {"type": "string"},
                    "tool_id": {"type": "string"},
                    "description": {"type": "string"},
                    "input_schema": {"type": "object"},
                    "effects": {"type": "string", "enum": ["read", "write", "destructive"]},
                    "score": {"type": "number"},
                },
                "required": ["server_id", "tool_id", "description", "input_schema", "effects"],
            },
        }
    }
)

TOOL_CALL: Schema = answer_or_error(
    {
        "server_id": {"type": "string"},
        "tool_id": {"type": "string"},
        "result": {"description": "What the tool returned; any JSON value."},
        "is_error": {"type": "boolean", "description": "Whether the tool itself reports failure."},
    }
)

EXECUTION: Schema = answer_or_error(
    {
        "execution": {
            "type": "object",
            "properties": {
                "id": {"type": "string"},
                "composition_id": {"type": "string"},
                "status": {
                    "type": "string",
                    "enum": ["running", "success", "error", "cancelled", "needs_input"],
                },
                "resumable": {"type": "boolean", "description": "By resume_execution."},
                "params": {"type": "object"},
                "result": {"description": "Any JSON value."},
                "error": {**ERROR, "type": ["object", "null"]},
                "steps": {"type": "array", "items": {"type": "object"}},
            },
            "required": ["id", "composition_id", "status", "steps"],
        }
    }
)

SAVED: Schema = answer_or_error(
    {
        "composition_id": {"type": "string"},
        "status": {"type": "string"},
        "composition": {"type": "object", "description": "Its file."},
        "evidence": {
            "type": "object",
            "description": "Where each argument comes from, and what in it is fragile.",
        },
        "traces": {"type": "integer", "description": "Conversations that it was learnt from."},
        "pattern": {
            "type": ["object", "null"],
            "description": "Words that it could answer, where they are known.",
        },
        "pattern_active": {"type": "boolean"},
        "pattern_faults": {"type": "array", "items": {"type": "string"}},
        "diff": {"type": "string"},
    }
)

FEEDBACK: Schema = answer_or_error(
    {
        "execution_id": {"type": "string"},
        "composition_id": {"type": "string"},
        "rating": {"type": "string", "enum": ["good", "bad"]},
        "verdict": {
            "type": "string",
            "enum": ["success", "failure", "uncounted"],
            "description": "How the execution counts now.",
        },
        "changes": {
            "type": "array",
            "items": {"type": "object"},
            "description": "What was decided about the composition because of it.",
        },
    }
)
