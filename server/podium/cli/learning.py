"""`feedback` and what hangs below `compositions`: how they do, and what a person decides."""

from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from podium.cli.listings import ALL, Limit, input_params, when
from podium.cli.output import notice, say, say_json, table
from podium.cli.session import Json, Session, Workspace, run, session_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from podium.app import Orchestrator
    from podium.domain.learning import Change, Health, ShelvedVersion
    from podium.monitor.promotion import Command

SHOWN_CHANGES = 10
WHO = "a person at the command line"

Id = Annotated[str, typer.Argument(metavar="ID", help="The composition.")]
Number = Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="Of the kept version.")]

compositions = typer.Typer(
    invoke_without_command=True, help="List the compositions, or decide about one."
)


@compositions.callback()
def list_compositions(
    ctx: typer.Context,
    *,
    intent: Annotated[
        str | None, typer.Option("--intent", metavar="TYPE", help="Only those of this intent.")
    ] = None,
    limit: Limit = ALL,
    workspace: Workspace = None,
    as_json: Json = False,
) -> None:
    """List the compositions, or decide about one."""
    session = session_of(ctx, workspace, as_json)
    if ctx.invoked_subcommand is not None:
        return

    async def act(orchestrator: "Orchestrator") -> list[dict[str, Any]]:
        healths = await orchestrator.learning.healths()  # and with them the profiles
        found = orchestrator.get_compositions(intent, limit)
        return [{**each, **_record(healths.get(each["id"]))} for each in found]

    found = run(session, act)
    if session.json:
        say_json(found)
    elif found:
        table(
            ("id", "intent", "status", "success", "params", "description"),
            (
                (
                    each["id"],
                    each["intent_type"],
                    _standing(each),
                    _success(each),
                    input_params(each["input_schema"]),
                    each["description"] or each["name"],
                )
                for each in found
            ),
        )
    else:
        notice("no compositions" + (f" for the intent '{intent}'" if intent else ""))


def _record(health: "Health | None") -> dict[str, Any]:
    """Return what is on record: counts since it began to prove itself."""
    runs = health.successes + health.failures if health else 0
    return {
        "runs": runs,
        "success_rate": round(health.successes / runs, 4) if health and runs else None,
        "hold": (health.hold if health else "") or None,
        "paused_until": health.pause.until if health and health.pause else None,
    }


def _standing(each: "Mapping[str, Any]") -> str:
    paused = "paused" if each["paused_until"] else None
    return ", ".join(filter(None, (each["status"], each["hold"], paused)))


def _success(each: "Mapping[str, Any]") -> str:
    rate = each["success_rate"]
    return "" if rate is None else f"{rate:.0%} of {each['runs']}"


# --- what a person decides


def _decide(composition_id: str, command: "Command", session: Session) -> None:
    async def act(orchestrator: "Orchestrator") -> "Sequence[Change]":
        return await orchestrator.learning.command(composition_id, command, WHO)

    _show_changes(run(session, act), composition_id, session)


def _show_changes(changes: "Sequence[Change]", composition_id: str, session: Session) -> None:
    if session.json:
        say_json([change.to_dict() for change in changes])
        return
    for change in changes:
        say(f"{change.composition_id}: {change.kind}{_moved(change.to_dict())}")
    if not changes:
        notice(f"{composition_id}: nothing to do, it is so already")


def _moved(change: "Mapping[str, Any]") -> str:
    before, now = change["from_status"], change["to_status"]
    return "" if before == now else f", {before} → {now}"


@compositions.command()
def promote(
    ctx: typer.Context, composition_id: Id, *, workspace: Workspace = None, as_json: Json = False
) -> None:
    """Move it one step up: deprecated, learning, validated."""
    _decide(composition_id, "promote", session_of(ctx, workspace, as_json))


@compositions.command()
def demote(
    ctx: typer.Context, composition_id: Id, *, workspace: Workspace = None, as_json: Json = False
) -> None:
    """Move it one step down: validated, learning, deprecated."""
    _decide(composition_id, "demote", session_of(ctx, workspace, as_json))


@compositions.command()
def pin(
    ctx: typer.Context, composition_id: Id, *, workspace: Workspace = None, as_json: Json = False
) -> None:
    """Keep its status as it is, and let it answer first."""
    _decide(composition_id, "pin", session_of(ctx, workspace, as_json))


@compositions.command()
def forbid(
    ctx: typer.Context, composition_id: Id, *, workspace: Workspace = None, as_json: Json = False
) -> None:
    """Never play it."""
    _decide(composition_id, "forbid", session_of(ctx, workspace, as_json))


@compositions.command()
def release(
    ctx: typer.Context, composition_id: Id, *, workspace: Workspace = None, as_json: Json = False
) -> None:
    """Take `pin` or `forbid` back, and end a pause."""
    _decide(composition_id, "release", session_of(ctx, workspace, as_json))


# --- versions


@compositions.command()
def versions(
    ctx: typer.Context, composition_id: Id, *, workspace: Workspace = None, as_json: Json = False
) -> None:
    """List its kept versions, and why each was kept."""
    session = session_of(ctx, workspace, as_json)

    async def act(orchestrator: "Orchestrator") -> "list[ShelvedVersion]":
        return await orchestrator.learning.versions(composition_id)

    found = run(session, act)
    if session.json:
        say_json([version.to_dict() for version in found])
    elif found:
        table(
            ("number", "when", "status", "reason"),
            ((str(v.number), when(v.at), v.status, v.reason) for v in found),
        )
    else:
        notice(f"no version of '{composition_id}' is kept: it never moved")


@compositions.command()
def diff(
    ctx: typer.Context,
    composition_id: Id,
    number: Number,
    other: Annotated[
        int | None,
        typer.Argument(metavar="OTHER", min=1, help="Another version; else the file as it is."),
    ] = None,
    *,
    workspace: Workspace = None,
    as_json: Json = False,
) -> None:
    """Show what changed since a kept version."""
    session = session_of(ctx, workspace, as_json)

    async def act(orchestrator: "Orchestrator") -> str:
        return await orchestrator.learning.diff(composition_id, number, other)

    found = run(session, act)
    if session.json:
        say_json({"composition_id": composition_id, "diff": found})
    elif found:
        say(found.rstrip("\n"))
    else:
        notice("nothing changed")


@compositions.command()
def rollback(
    ctx: typer.Context,
    composition_id: Id,
    number: Number,
    *,
    workspace: Workspace = None,
    as_json: Json = False,
) -> None:
    """Put a kept version back where it was; it proves itself from then on."""
    session = session_of(ctx, workspace, as_json)

    async def act(orchestrator: "Orchestrator") -> "Change":
        return await orchestrator.learning.rollback(composition_id, number, WHO)

    _show_changes([run(session, act)], composition_id, session)


# --- reports


@compositions.command()
def report(
    ctx: typer.Context, composition_id: Id, *, workspace: Workspace = None, as_json: Json = False
) -> None:
    """Show how it does: its runs, its steps and tools, and what was decided."""
    session = session_of(ctx, workspace, as_json)

    async def act(orchestrator: "Orchestrator") -> dict[str, Any]:
        return await orchestrator.learning.report(composition_id)

    found = run(session, act)
    if session.json:
        say_json(found)
    else:
        _show_report(found)


def _show_report(found: "Mapping[str, Any]") -> None:
    paused = f"paused until {when(found['paused_until'])}" if found["paused_until"] else None
    say("  ".join(filter(None, (found["composition_id"], found["status"], found["hold"], paused))))
    evidence = found["evidence"]
    say(
        f"{evidence['successes']} successes, {evidence['failures']} failures; "
        f"lately {evidence['recent_successes']} of {evidence['recent_runs']}"
    )
    own = [found["statistics"]] if found["statistics"] else []
    for each in own:
        if each["calls_saved"]:
            tokens = each["tokens_saved"]
            say(f"saved its clients {each['calls_saved']} calls and about {tokens} tokens")
    counted = [*own, *found["steps"], *found["tools"]]
    if counted:
        table(
            (
                "what",
                "name",
                "runs",
                "successes",
                "failures",
                "p50",
                "p95",
                "calls",
                "tokens",
                "errors",
            ),
            (
                (
                    each["kind"],
                    each["name"],
                    str(each["runs"]),
                    str(each["successes"]),
                    str(each["failures"]),
                    _milliseconds(each["p50_ms"]),
                    _milliseconds(each["p95_ms"]),
                    f"{each['profile']['calls']:.3g}",
                    f"{each['profile']['tokens']:.0f}",
                    ", ".join(f"{code} {count}" for code, count in each["errors"].items()),
                )
                for each in counted
            ),
        )
    for change in found["changes"][:SHOWN_CHANGES]:
        say(f"{when(change['at'])}  {change['kind']}{_moved(change)}: {change['reason']}")


def _milliseconds(value: float | None) -> str:
    return "" if value is None else f"{value:.0f} ms"


# --- feedback


def feedback(
    ctx: typer.Context,
    execution_id: Annotated[str, typer.Argument(metavar="EXECUTION_ID", help="What was answered.")],
    rating: Annotated[str, typer.Argument(metavar="good|bad", help="Whether it was right.")],
    *,
    comment: Annotated[str, typer.Option("--comment", metavar="TEXT", help="What was wrong.")] = "",
    user: Annotated[str, typer.Option("--user", metavar="ID", help="Who asked.")] = "",
    workspace: Workspace = None,
    as_json: Json = False,
) -> None:
    """Say whether an answer was right."""
    from podium.domain.learning import Rating  # noqa: PLC0415

    session = session_of(ctx, workspace, as_json)
    if rating not in get_args(Rating):
        raise typer.BadParameter(f"'{rating}' is neither good nor bad", ctx=ctx)

    async def act(orchestrator: "Orchestrator") -> dict[str, Any]:
        return await orchestrator.give_feedback(execution_id, rating, comment, user)

    said = run(session, act)
    if session.json:
        say_json(said)
        return
    say(f"noted: {said['rating']}, counts as {said['verdict']}")
    for change in said["changes"]:
        say(f"{change['composition_id']}: {change['kind']}{_moved(change)}")
