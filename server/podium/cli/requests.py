"""`ask`, `intent`, `run`: a request or a composition in, a reply and its exit code out."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from podium.cli.listings import ALL, execution_of
from podium.cli.output import compact, notice, say, say_error, say_json, table
from podium.cli.params import params_of, value_of
from podium.cli.session import (
    Json,
    Session,
    Workspace,
    run,
    session_of,
    tell_faults,
    workspace_of,
)
from podium.cli.watch import watching
from podium.domain.errors import PodiumError, ResumeConflictError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from podium.app import Orchestrator
    from podium.domain.intent import Analysis, Candidate, Intent

MOST_QUESTIONS = 16  # that one command asks, one after the other
FAILED, NEEDS_INPUT = 1, 3  # exit codes; 2 is for usage and configuration

User = Annotated[str, typer.Option("--user", metavar="ID", help="Who asks.")]
Conversation = Annotated[
    str, typer.Option("--conversation", metavar="ID", help="The conversation to go on with.")
]


def ask(
    ctx: typer.Context,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The request, in French or English.")],
    *,
    user: User = "",
    conversation: Conversation = "",
    workspace: Workspace = None,
    as_json: Json = False,
) -> int:
    """Answer a request."""
    session = session_of(ctx, workspace, as_json)

    async def act(orchestrator: "Orchestrator") -> dict[str, Any]:
        with watching() as listener:
            reply = await orchestrator.process_request(text, user, conversation, on_event=listener)
        return await _answered(reply, orchestrator, session)

    return show_reply(run(session, act), session)


def intent(
    ctx: typer.Context,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The request to analyse.")],
    *,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show each step of it, and what the slots took.")
    ] = False,
    workspace: Workspace = None,
    as_json: Json = False,
) -> int:
    """Show how a request is understood, and why. Nothing is played."""
    session = session_of(ctx, workspace, as_json)
    if explain:
        from podium.cli.explaining import explain_request  # noqa: PLC0415

        return 0 if explain_request(text, session) else FAILED
    analysis = _analysed(text, workspace_of(session))
    if session.json:
        say_json(analysis.to_dict())
    else:
        _show_analysis(analysis)
    return 0 if analysis.intent else FAILED


def run_composition(
    ctx: typer.Context,
    composition: Annotated[
        str, typer.Argument(metavar="ID|FILE.json", help="A composition's id, or a file with one.")
    ],
    *,
    param: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="NAME=VALUE", help="One param; may be repeated."),
    ] = None,
    params: Annotated[
        str | None, typer.Option("--params", metavar="JSON", help="All params as a JSON object.")
    ] = None,
    user: User = "",
    conversation: Conversation = "",
    workspace: Workspace = None,
    as_json: Json = False,
) -> int:
    """Play a composition of the workspace, or one from a file.

    A VALUE is read as the type that the composition's input schema gives the param. Where it
    gives none, JSON numbers, true, false, lists and objects are read as such, the rest is text.
    """
    session = session_of(ctx, workspace, as_json)
    played = _composition_of(composition)

    async def act(orchestrator: "Orchestrator") -> dict[str, Any]:
        given = params_of(param or (), params, _input_schema(played, orchestrator))
        with watching() as listener:
            reply = await orchestrator.execute_composition(
                played, given, user, conversation, on_event=listener
            )
        return await _answered(reply, orchestrator, session)

    return show_reply(run(session, act), session)


def resume(
    ctx: typer.Context,
    execution_id: Annotated[
        str, typer.Argument(metavar="ID", help="The execution; the beginning of its id will do.")
    ],
    answer: Annotated[
        str | None, typer.Argument(metavar="[ANSWER]", help="The answer to its question.")
    ] = None,
    *,
    param: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="NAME=VALUE", help="A param to change."),
    ] = None,
    workspace: Workspace = None,
    as_json: Json = False,
) -> int:
    """Play an execution on that failed or asked something; what is done is not done again."""
    session = session_of(ctx, workspace, as_json)

    async def act(orchestrator: "Orchestrator") -> dict[str, Any]:
        found = await execution_of(orchestrator, execution_id)
        given = params_of(param or (), None, _input_schema(found.composition_id, orchestrator))
        if answer is not None:
            if found.question is None:
                raise typer.BadParameter(f"{found.id} has asked nothing", param_hint="ANSWER")
            given[found.question.id] = value_of(answer, found.question.schema)
        with watching() as listener:
            reply = await orchestrator.resume_execution(found.id, given, on_event=listener)
        return await _answered(reply, orchestrator, session)

    return show_reply(run(session, act), session)


async def _answered(
    reply: dict[str, Any], orchestrator: "Orchestrator", session: Session
) -> dict[str, Any]:
    """Ask the person at the terminal, if there is one, for as long as the reply is a question."""
    for _ in range(MOST_QUESTIONS):
        question = reply["question"]
        if not question or not reply["execution_id"] or session.json or not _is_terminal():
            break
        notice(question["message"])
        text = _prompted(question["schema"])
        if not text:
            break
        given = {question["id"]: value_of(text, question["schema"])}
        with watching() as listener:
            reply = await orchestrator.resume_execution(
                reply["execution_id"], given, on_event=listener
            )
    return reply


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _prompted(schema: Mapping[str, Any]) -> str:
    """Return the line that the person types; empty to leave the question for later."""
    options = schema.get("enum") or (
        ["oui/yes", "non/no"] if schema.get("type") == "boolean" else []
    )
    shown = f" ({', '.join(map(str, options))})" if options else ""
    try:
        answer: str = typer.prompt(f"answer{shown}", default="", show_default=False, err=True)
    except typer.Abort:
        return ""
    return answer.strip()


def show_reply(reply: dict[str, Any], session: Session) -> int:
    """Print a reply of Podium; return the exit code that goes with it."""
    if session.json:
        say_json(reply)
    else:
        _SHOW[reply["status"]](reply)
    return _exit_code(reply)


def _exit_code(reply: dict[str, Any]) -> int:
    if reply["status"] == "error":
        error = reply["error"]
        is_refusal = error is not None and error["code"] == ResumeConflictError.code
        if error is None or (error["step_id"] and not is_refusal):
            return FAILED  # what goes wrong inside a step is the execution's failure
        return _exit_codes(PodiumError).get(error["code"], FAILED)
    return {"success": 0, "no_match": FAILED, "needs_input": NEEDS_INPUT}[reply["status"]]


def _exit_codes(root: type[PodiumError]) -> dict[str, int]:
    codes = {root.code: root.exit_code}
    for kind in root.__subclasses__():
        codes |= _exit_codes(kind)
    return codes


def _show_success(reply: dict[str, Any]) -> None:
    data = reply["data"]
    say(data["message"])
    for file in data["files"]:
        notice(f"file: {file.get('name') or file.get('uri') or compact(file)}")


def _show_error(reply: dict[str, Any]) -> None:
    # The message is in the language of the request, names the step and ends with the hint.
    faults = (reply["error"] or {}).get("faults", [])
    say_error({"message": reply["data"]["message"], "faults": faults})
    if reply["execution_id"]:
        notice(f"what ran: podium executions {reply['execution_id']}")


def _show_no_match(reply: dict[str, Any]) -> None:
    typer.echo(reply["data"]["message"], err=True)


def _show_question(reply: dict[str, Any]) -> None:
    say(reply["data"]["message"])
    options = ((reply["question"] or {}).get("schema") or {}).get("enum")
    if options:
        notice(f"one of: {', '.join(map(compact, options))}")
    if reply["execution_id"]:
        notice(f"answer it with: podium resume {reply['execution_id']} ANSWER")


_SHOW = {
    "success": _show_success,
    "error": _show_error,
    "no_match": _show_no_match,
    "needs_input": _show_question,
}


def _analysed(text: str, folder: Path) -> "Analysis":
    """Analyse a request with the files of the workspace: no upstream, no protocol is loaded."""
    from podium.config import load_config  # noqa: PLC0415
    from podium.intents.analysis import analyse  # noqa: PLC0415
    from podium.workspace import config_path, loaded_understanding  # noqa: PLC0415

    settings = load_config(config_path(folder))
    patterns, understanding = loaded_understanding(settings)
    tell_faults(len(patterns.faults))
    return analyse(text, understanding, settings.limits)


def _show_analysis(analysis: "Analysis") -> None:
    for late in analysis.timed_out:
        notice(f"{late}: a regex ran out of time and was left out; podium check says more")
    if analysis.choices:
        typer.echo("no pattern matches; these may be meant, and would be asked about", err=True)
        _show_candidates(analysis.choices)
        return
    if analysis.intent is None:
        typer.echo("nothing matches", err=True)
        for suggestion in analysis.suggestions:
            notice(f"{suggestion.type}: {suggestion.example}")
        return
    for number, found in enumerate(analysis.plan or (analysis.intent,), start=1):
        _show_intent(found, f"{number}. " if analysis.plan else "")
    _show_candidates(analysis.candidates)


def _show_intent(found: "Intent", number: str) -> None:
    guessed = ", guessed" if found.matched_by == "heuristic" else ""
    spoken = found.language or "any language"
    say(f"{number}{found.type}  (confidence {found.confidence:.2f}, {spoken}{guessed})")
    for name, value in found.params.items():
        say(f"{' ' * len(number)}  {name} = {compact(value)}")


def _show_candidates(candidates: "Sequence[Candidate]") -> None:
    table(
        ("", "intent", "params", "reason", "file"),
        (
            (
                str(rank),
                candidate.intent.type,
                compact(candidate.intent.params),
                candidate.reason,
                candidate.source,
            )
            for rank, candidate in enumerate(candidates, start=1)
        ),
    )


def _composition_of(text: str) -> str | dict[str, Any]:
    """Return the id as it is, or the content of the file that is named.

    Raises:
        FileInvalidError: the file cannot be read.
        CompositionInvalidError: it holds no JSON object.

    """
    path = Path(text)
    if path.suffix.lower() not in (".json", ".yaml", ".yml"):
        return text
    from podium.documents import read_document  # noqa: PLC0415
    from podium.domain.errors import CompositionInvalidError  # noqa: PLC0415

    value = read_document(path).value
    if not isinstance(value, dict):
        raise CompositionInvalidError(f"{path}: should hold a composition, a JSON object")
    return value


def _input_schema(played: str | dict[str, Any], orchestrator: "Orchestrator") -> Any:
    if isinstance(played, dict):
        schema = played.get("input_schema")
        return schema if isinstance(schema, dict) else None
    known = orchestrator.get_compositions(limit=ALL)
    return next((each["input_schema"] for each in known if each["id"] == played), None)
