"""`learn`: what was learnt from the calls of clients, and what a person decides about it."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from podium.cli.output import notice, say, say_json, table
from podium.cli.session import Json, Session, Workspace, run, session_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from podium.app import Orchestrator

Found = dict[str, Any]


def learn(
    ctx: typer.Context,
    composition_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="One of what was learnt; else all of it.")
    ] = None,
    *,
    accept: Annotated[
        bool, typer.Option("--accept", help="Write its file, and its pattern if it passes.")
    ] = False,
    refuse: Annotated[bool, typer.Option("--refuse", help="Never propose it again.")] = False,
    workspace: Workspace = None,
    as_json: Json = False,
) -> None:
    """Show what was learnt from tool calls, with its evidence; accept or refuse it."""
    session = session_of(ctx, workspace, as_json)
    if accept and refuse:
        raise typer.BadParameter("give --accept or --refuse, not both", ctx=ctx)
    if composition_id is None:
        if accept or refuse:
            raise typer.BadParameter("say which one: podium learn ID", ctx=ctx)
        _list(session)
    elif refuse:
        _refuse(composition_id, session)
    else:
        _show(composition_id, session, accept=accept)


def _list(session: Session) -> None:
    async def act(orchestrator: "Orchestrator") -> list[Found]:
        return [each.to_dict() for each in await orchestrator.tracing.proposals()]

    found = run(session, act)
    if session.json:
        say_json(found)
    elif found:
        table(
            ("id", "status", "traces", "steps", "pattern", "name"),
            (
                (
                    each["composition_id"],
                    each["status"],
                    str(each["traces"]),
                    str(len(each["composition"]["steps"])),
                    _standing(each),
                    each["composition"]["name"],
                )
                for each in found
            ),
        )
        notice("one of them with its evidence: podium learn ID")
    else:
        notice("nothing was learnt yet: it takes a conversation with two tool calls or more")


def _standing(found: "Mapping[str, Any]") -> str:
    """Return what there is of a pattern, in a word or two."""
    if found["pattern_active"]:
        return "active"
    if found["pattern"] is None:
        return ""
    return "does not pass" if found["pattern_faults"] else "proposed"


def _refuse(composition_id: str, session: Session) -> None:
    async def act(orchestrator: "Orchestrator") -> None:
        await orchestrator.tracing.refuse(composition_id)

    run(session, act)
    if session.json:
        say_json({"composition_id": composition_id, "status": "refused"})
    else:
        say(f"{composition_id}: refused; it is not proposed again, its file, if any, stays")


def _show(composition_id: str, session: Session, *, accept: bool) -> None:
    async def act(orchestrator: "Orchestrator") -> Found:
        tracing = orchestrator.tracing
        if accept:
            return (await tracing.accept(composition_id)).to_dict()
        return (await tracing.proposal(composition_id)).to_dict()

    found = run(session, act)
    if session.json:
        say_json(found)
    elif accept:
        _show_accepted(found)
    else:
        _show_proposal(found)


def _show_accepted(found: "Mapping[str, Any]") -> None:
    say(f"{found['composition_id']}: {found['status']}, pattern: {_standing(found) or 'none'}")
    _say_lines("the pattern is not active", found["pattern_faults"])
    if found["status"] == "edited":
        notice("the file was edited by hand and stays as it is")


def _show_proposal(found: "Mapping[str, Any]") -> None:
    evidence = found["evidence"]
    say(f"{found['composition_id']}  {found['status']}  {found['composition']['name']}")
    say(
        f"learnt from {found['traces']} conversation(s) of {evidence.get('client_calls', 0)} calls "
        f"and about {evidence.get('client_tokens', 0)} tokens each; leaving one out gives the same "
        f"in {evidence.get('stable', 0)} of {evidence.get('subsets', 0)} cases"
    )
    _show_arguments(evidence.get("arguments", ()))
    for param in evidence.get("params", ()):
        said = "in the request" if param["is_asked"] else "not in the request"
        say(f"param {param['name']} ({said}): {json.dumps(param['values'], ensure_ascii=False)}")
    _say_lines("left out", evidence.get("dropped", ()))
    _say_lines("fragile", evidence.get("fragile", ()))
    say(json.dumps(found["composition"], ensure_ascii=False, indent=2))
    if found["pattern"] is not None:
        say(f"pattern ({_standing(found)}):")
        say(json.dumps(found["pattern"], ensure_ascii=False, indent=2))
        _say_lines("the pattern is not active", found["pattern_faults"])
    if found["diff"]:
        say("the file differs from what was learnt:")
        say(found["diff"])


def _show_arguments(arguments: "Sequence[Mapping[str, Any]]") -> None:
    table(
        ("step", "argument", "from", "expression", "support", "would fit as well"),
        (
            (
                each["step_id"],
                each["argument"],
                each["kind"],
                each["expression"],
                f"{each['support']:.0f} bits",
                ", ".join(each["rivals"][:2]),
            )
            for each in arguments
        ),
    )


def _say_lines(title: str, lines: "Sequence[str]") -> None:
    for line in lines:
        say(f"{title}: {line}")
