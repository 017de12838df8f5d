"""An execution, an error or a refusal to the reply a person reads, in French or English."""

import json
import textwrap
from collections.abc import Sequence
from typing import Any

from podium.domain.errors import PodiumError
from podium.domain.execution import Execution, ExecutionStatus
from podium.domain.intent import Intent, Suggestion
from podium.domain.request import Reply, ReplyStatus
from podium.text.clean import printable, shortened

MESSAGE_CHARACTERS = 20_000  # of a message made from a result; the whole result is beside it
SHOWN_LEVELS = 8  # levels of nesting that are laid out in lines
LIST_ITEMS = 50  # elements of a list that such a message shows

# What happened, in a few words; by code, else the general words. The detail follows in English.
_GENERAL = {"en": "This did not work", "fr": "La demande n'a pas abouti"}
_LEADS: dict[str, dict[str, str]] = {
    "request_invalid": {
        "en": "The request cannot be read",
        "fr": "La demande n'est pas lisible",
    },
    "request_too_large": {"en": "The request is too long", "fr": "La demande est trop longue"},
    "invalid_params": {
        "en": "Something is missing or wrong in the request",
        "fr": "Il manque une information ou elle est incorrecte",
    },
    "unknown_composition": {
        "en": "Nothing can answer this yet",
        "fr": "Rien ne sait encore répondre à cette demande",
    },
    "unknown_server": {
        "en": "A server that this needs is not configured",
        "fr": "Un serveur nécessaire n'est pas configuré",
    },
    "unknown_tool": {
        "en": "A tool that this needs does not exist",
        "fr": "Un outil nécessaire n'existe pas",
    },
    "upstream_unavailable": {
        "en": "A server that this needs cannot be reached",
        "fr": "Un serveur nécessaire est injoignable",
    },
    "upstream_closed": {
        "en": "A server went away in the middle of the work",
        "fr": "Un serveur s'est arrêté en plein travail",
    },
    "upstream_timeout": {"en": "A server did not answer in time", "fr": "Un serveur tarde trop"},
    "step_timeout": {"en": "A step took too long", "fr": "Une étape a pris trop de temps"},
    "execution_timeout": {"en": "It took too long", "fr": "L'exécution a pris trop de temps"},
    "tool_failed": {"en": "A tool reported an error", "fr": "Un outil a signalé une erreur"},
    "result_too_large": {
        "en": "A result is too large",
        "fr": "Un résultat est trop volumineux",
    },
    "composition_invalid": {
        "en": "The composition is not valid",
        "fr": "La composition n'est pas valide",
    },
}
_HINT = {"en": "What to do", "fr": "Que faire"}
_NOT_UNDERSTOOD = {
    "en": "I did not understand this request.",
    "fr": "Je n'ai pas compris cette demande.",
}
_NEAREST = {
    "en": "What I can do comes near to:",
    "fr": "Ce que je sais faire de plus proche :",
}
_WITHOUT = {"en": "Went on without", "fr": "Fait sans"}
_RESUME = {
    "en": "What was done is kept; to play on from there: podium resume {id} (or resume_execution)",
    "fr": "Ce qui est fait est gardé ; pour reprendre : podium resume {id} (ou resume_execution)",
}
_DONE = {"en": "Done.", "fr": "C'est fait."}
_REFUSED = {"en": "All right, nothing is done.", "fr": "D'accord, je ne fais rien."}


def reply_of(execution: Execution, intent: Intent | None, language: str) -> Reply:
    """Return the reply to a finished execution."""
    return Reply(
        status=_STATUSES.get(execution.status, "error"),
        message=_message_of(execution, language),
        result=execution.result,
        files=execution.files,
        intent=intent.to_dict() if intent else None,
        composition_id=execution.composition_id,
        execution_id=execution.id,
        conversation_id=execution.conversation_id,
        execution_info={
            "duration_ms": execution.duration_ms,
            "steps": {step_id: step.summary() for step_id, step in execution.steps.items()},
            "wrote": list(execution.wrote),
            "in_doubt": list(dict.fromkeys([*_in_doubt(execution), *execution.in_doubt])),
            "went_without": list(execution.went_without),
            "resumable": execution.is_resumable,
        },
        error=execution.error,
        question=execution.question.to_dict() if execution.question else None,
        is_refused=execution.status == "cancelled",
    )


def question_reply(
    question: dict[str, Any],
    *,
    conversation_id: str,
    execution_id: str,
    intent: Intent | None = None,
    composition_id: str | None = None,
) -> Reply:
    """Return the reply that asks something before anything is played."""
    return Reply(
        status="needs_input",
        message=printable(question["message"]),
        intent=intent.to_dict() if intent else None,
        composition_id=composition_id,
        execution_id=execution_id,
        conversation_id=conversation_id,
        question=question,
    )


def told_reply(message: str, *, conversation_id: str, execution_id: str | None = None) -> Reply:
    """Return a reply that only says something: that nothing is done, as was wished."""
    return Reply(
        status="success",
        message=printable(message),
        conversation_id=conversation_id,
        execution_id=execution_id,
    )


_STATUSES: dict[ExecutionStatus, ReplyStatus] = {
    "success": "success",
    "needs_input": "needs_input",
    "cancelled": "success",  # a person said no; whoever goes away gets no reply at all
}


def _in_doubt(execution: Execution) -> list[str]:
    return [path for path, step in execution.steps.items() if step.status == "in_doubt"]


def _message_of(execution: Execution, language: str) -> str:
    if execution.question is not None:
        return printable(execution.question.message)
    if execution.status == "success":
        return _success_message(execution.result, language) + _without(execution, language)
    if execution.error is None:
        return _of(_REFUSED, language)
    message = _error_message(execution.error, language)
    if execution.is_resumable:
        message += f"\n{_of(_RESUME, language).format(id=execution.id)}"
    return message


def _without(execution: Execution, language: str) -> str:
    """Return what a person should know of steps that failed although it went well."""
    lines = []
    for path in execution.went_without:
        record = execution.steps.get(path)
        reason = record.error["message"] if record is not None and record.error else ""
        lines.append(f"- {path}: {printable(reason)}" if reason else f"- {path}")
    if not lines:
        return ""
    colon = " :" if language == "fr" else ":"
    return "\n".join(["", f"{_of(_WITHOUT, language)}{colon}", *lines[:LIST_ITEMS]])


def error_reply(
    error: PodiumError,
    language: str,
    *,
    conversation_id: str,
    intent: Intent | None = None,
    composition_id: str | None = None,
) -> Reply:
    """Return the reply to a request that failed before anything was played."""
    public = error.to_dict()
    return Reply(
        status="error",
        message=_error_message(public, language),
        intent=intent.to_dict() if intent else None,
        composition_id=composition_id,
        conversation_id=conversation_id,
        error=public,
    )


def no_match_reply(
    suggestions: Sequence[Suggestion], language: str, *, conversation_id: str
) -> Reply:
    """Return the reply to a request that no pattern matches, with what comes nearest."""
    message = _of(_NOT_UNDERSTOOD, language)
    if suggestions:
        examples = "\n".join(f"- {suggestion.example}" for suggestion in suggestions)
        message = f"{message} {_of(_NEAREST, language)}\n{examples}"
    return Reply(
        status="no_match",
        message=message,
        result={"suggestions": [suggestion.to_dict() for suggestion in suggestions]},
        conversation_id=conversation_id,
    )


def _success_message(result: Any, language: str) -> str:
    """Return the output's own `message`, else the result as readable text."""
    if isinstance(result, dict) and isinstance(result.get("message"), str):
        return printable(result["message"])
    text = printable(_readable(result)).strip()
    return shortened(text, MESSAGE_CHARACTERS) or _of(_DONE, language)


def _readable(value: Any, levels: int = SHOWN_LEVELS) -> str:
    """Return a JSON value as indented lines; what is nested too deeply for that, as JSON."""
    if isinstance(value, dict) and set(value) == {"text"}:
        return _readable(value["text"], levels)
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if not isinstance(value, dict | list) or not value or levels == 0:
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, dict):
        return "\n".join(_entry(f"{key}:", item, levels) for key, item in value.items())
    lines = [_entry("-", item, levels) for item in value[:LIST_ITEMS]]
    if len(value) > LIST_ITEMS:
        lines.append(f"… {len(value) - LIST_ITEMS} +")
    return "\n".join(lines)


def _entry(head: str, item: Any, levels: int) -> str:
    text = _readable(item, levels - 1)
    is_block = "\n" in text or (isinstance(item, dict | list) and bool(item) and levels > 1)
    return f"{head}\n{textwrap.indent(text, '  ')}" if is_block else f"{head} {text}".rstrip()


def _error_message(error: dict[str, Any], language: str) -> str:
    lead = _of(_LEADS.get(error["code"], _GENERAL), language)
    colon = " :" if language == "fr" else ":"
    message = f"{lead}{colon} {printable(error['message'])}"
    if error["hint"]:
        message += f"\n{_of(_HINT, language)}{colon} {printable(error['hint'])}"
    return message


def _of(words: dict[str, str], language: str) -> str:
    return words.get(language, words["en"])
