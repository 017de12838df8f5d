"""`tools`, `executions`: what the workspace has, as tables or as JSON."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from podium.cli.output import compact, duration, notice, say, say_error, say_json, table
from podium.cli.session import Json, Workspace, run, session_of
from podium.domain.errors import UnknownExecutionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from podium.app import Orchestrator
    from podium.domain.execution import Execution, StepRecord
    from podium.domain.tool import ToolMatch, UpstreamStatus

ALL = 100_000  # more compositions or tools than a workspace can hold
MATCHES = 10  # tools that a query shows
LOOKED_THROUGH = 1_000  # latest executions in which the beginning of an id is looked for

Limit = Annotated[
    int,
    typer.Option("--limit", min=1, metavar="N", help="How many at most.", show_default=False),
]


def input_params(input_schema: dict[str, Any] | None) -> str:
    """Return the names of the params; a question mark follows an optional one."""
    schema = input_schema or {}
    required = schema.get("required", [])
    return ", ".join(
        name if name in required else f"{name}?" for name in schema.get("properties", {})
    )


def tools(
    ctx: typer.Context,
    query: Annotated[
        str, typer.Argument(metavar="QUERY", help="What the tools should be about.")
    ] = "",
    *,
    limit: Limit = ALL,
    workspace: Workspace = None,
    as_json: Json = False,
) -> None:
    """Show how the MCP servers are, and their tools or those that fit a query."""
    session = session_of(ctx, workspace, as_json)
    most = MATCHES if query and limit == ALL else limit

    async def act(
        orchestrator: "Orchestrator",
    ) -> tuple[list["UpstreamStatus"], list["ToolMatch"]]:
        await orchestrator.start_upstreams()
        matches = await orchestrator.search_tools(query, most)
        return orchestrator.statuses(), matches

    statuses, matches = run(session, act)
    if session.json:
        say_json({"servers": [each.to_dict() for each in statuses], "tools": _public(matches)})
        return
    if not query:
        _show_statuses(statuses)
    _show_troubles(statuses)
    _show_tools(matches, query)


def _public(matches: "Sequence[ToolMatch]") -> list[dict[str, Any]]:
    return [
        {
            "server_id": match.tool.server_id,
            "tool_id": match.tool.name,
            "description": match.tool.description,
            "effects": match.tool.effects,
            "input_schema": match.tool.input_schema,
            "output_schema": match.tool.output_schema,
            "score": match.score,
        }
        for match in matches
    ]


def _show_statuses(statuses: "Sequence[UpstreamStatus]") -> None:
    if not statuses:
        notice("no MCP servers yet: name some under mcpServers in config.yaml, or podium import")
        return
    table(
        ("server", "state", "tools", "protocol", "started in", "target"),
        (
            (
                each.server_id,
                each.state,
                str(each.tools) if each.state in ("ready", "asleep") else "",
                each.era,
                duration(each.started_in_ms),
                each.target,
            )
            for each in statuses
        ),
    )


def _show_troubles(statuses: "Sequence[UpstreamStatus]") -> None:
    for each in statuses:
        if each.state == "failed":
            say_error({"message": f"{each.server_id}: {each.reason}"})
        if each.circuit != "closed":
            say_error({"message": _left_alone(each)})
        if dropped := _dropped(each):
            notice(f"dropped: {each.server_id}: {dropped}")
        for tool in each.quarantined:
            notice(f"set aside: {each.server_id}.{tool.name}: {tool.reason}")
        _show_held(each)
    for warning in dict.fromkeys(w for each in statuses for w in each.warnings):
        notice(f"warning: {warning}")


def _left_alone(status: "UpstreamStatus") -> str:
    wait = status.probe_in_seconds or 0.0
    return (
        f"{status.server_id}: left alone after {status.failures_in_a_row} failures in a row; "
        f"one call is let through in {wait:g} s"
    )


def _dropped(status: "UpstreamStatus") -> str:
    """Return what nobody waited for and was dropped; empty for nothing worth a word."""
    noise = status.noise
    counts = (
        (noise.ignored_lines, "lines on stdout that are no answer"),
        (noise.dropped_notifications, "notifications, which came too fast"),
    )
    return ", ".join(f"{count:,} {what}" for count, what in counts if count)


def _show_held(status: "UpstreamStatus") -> None:
    changed = [tool for tool in status.held if tool.definition is not None]
    for tool in changed:
        say_error({"message": f"held back: {status.server_id}.{tool.name}: {tool.reason}"})
        for change in tool.changes:
            notice(f"  {change}")
    if changed:
        notice(f"  if that is right: podium trust {status.server_id}")
    elif status.held:
        say_error(
            {"message": f"held back: all tools of {status.server_id}: {status.held[0].reason}"}
        )


def _show_tools(matches: "Sequence[ToolMatch]", query: str) -> None:
    if not matches:
        notice(f"no tool fits '{query}'" if query else "no tools")
        return
    table(
        ("tool", "effects", "description"),
        ((m.tool.full_name, m.tool.effects, _first_line(m.tool.description)) for m in matches),
    )


def _first_line(text: str) -> str:
    return compact(text.strip().partition("\n")[0])


def executions(
    ctx: typer.Context,
    execution_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="One execution: its id, or its beginning.")
    ] = None,
    *,
    limit: Limit = 20,
    workspace: Workspace = None,
    as_json: Json = False,
) -> None:
    """List the latest executions, or show one with its steps."""
    session = session_of(ctx, workspace, as_json)
    if execution_id is None:
        _list_executions(run(session, _recent(limit), tells_faults=False), as_json=session.json)
        return
    wanted = execution_id

    async def act(orchestrator: "Orchestrator") -> "Execution":
        return await execution_of(orchestrator, wanted)

    found = run(session, act, tells_faults=False)
    if session.json:
        say_json(found.to_dict())
    else:
        _show_execution(found)


def _recent(limit: int) -> Any:
    async def act(orchestrator: "Orchestrator") -> "list[Execution]":
        return await orchestrator.recent_executions(limit)

    return act


async def execution_of(orchestrator: "Orchestrator", wanted: str) -> "Execution":
    """Return the execution with this id, or the only one whose id begins so.

    Raises:
        UnknownExecutionError: there is none, or more than one.

    """
    if (exact := await orchestrator.get_execution(wanted)) is not None:
        return exact
    recent = await orchestrator.recent_executions(LOOKED_THROUGH)
    beginning = [
        each
        for each in recent
        if each.id.removeprefix("exec_").startswith(wanted.removeprefix("exec_"))
    ]
    if len(beginning) == 1:
        return beginning[0]
    if beginning:
        ids = ", ".join(each.id for each in beginning[:5])
        raise UnknownExecutionError(
            f"'{wanted}' begins {len(beginning)} executions", hint=f"write more of it: {ids}"
        )
    raise UnknownExecutionError(
        f"there is no execution '{wanted}'", hint="podium executions lists the latest"
    )


def _list_executions(found: "Sequence[Execution]", *, as_json: bool) -> None:
    if as_json:
        say_json([each.to_dict() for each in found])
    elif found:
        table(
            ("id", "when", "composition", "status", "took", "request"),
            (
                (
                    each.id,
                    when(each.started_at),
                    each.composition_id,
                    each.status,
                    duration(each.duration_ms),
                    compact(each.request, 60),
                )
                for each in found
            ),
        )
    else:
        notice("nothing has run yet")


def _show_execution(found: "Execution") -> None:
    say(f"{found.id}  {found.composition_id}  {found.status}")
    say(f"{when(found.started_at)}  {duration(found.duration_ms)}")
    for label, value in (
        ("request", found.request),
        ("intent", found.intent_type),
        ("user", found.user_id),
        ("conversation", found.conversation_id),
        ("params", found.params),
    ):
        if value:
            say(f"{label}: {compact(value)}")
    table(
        ("step", "tool", "status", "attempts", "took", "inputs", "output or error"),
        (
            (
                step.step_id,
                f"{step.server_id}.{step.tool_id}" if step.tool_id else step.kind,
                "cached" if step.is_cached else step.status,
                str(step.attempts),
                duration(step.duration_ms),
                _value(step.inputs),
                _outcome(step),
            )
            for step in found.steps.values()
        ),
    )
    if found.error:
        say_error(found.error)
    if found.question:
        say(f"asks: {found.question.message}")
    if found.is_resumable:
        answer = " ANSWER" if found.question else ""
        notice(f"to play on from here: podium resume {found.id}{answer}")


def _outcome(step: "StepRecord") -> str:
    if step.error:
        return compact(f"{step.error.get('code')}: {step.error.get('message')}")
    return _value(step.output)


def _value(value: Any) -> str:
    return "" if value is None else compact(value)


def when(seconds: float) -> str:
    """Return a time as people here read it."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")
