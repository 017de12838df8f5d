"""`intent --explain`: a request in, every step of its analysis out."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from podium.cli.output import compact, notice, say, say_json, table
from podium.cli.session import Session, tell_faults, workspace_of
from podium.text.clean import shortened

MAX_SHOWN = 160  # characters of a regex or sentence; --json has all of it

if TYPE_CHECKING:
    from podium.domain.intent import Analysis, Candidate
    from podium.intents.matcher import Explanation


def explain_request(text: str, session: Session) -> bool:
    """Show how a request is analysed; return whether it has an intent."""
    from podium.config import load_config  # noqa: PLC0415
    from podium.intents.analysis import checked_request  # noqa: PLC0415
    from podium.workspace import config_path, loaded_patterns  # noqa: PLC0415

    settings = load_config(config_path(workspace_of(session)))
    checked_request(text, settings.limits)
    patterns, matcher = loaded_patterns(settings)
    tell_faults(len(patterns.faults))
    explained = matcher.explain(text)
    if session.json:
        say_json(_to_dict(explained))
    else:
        _show(explained)
    return explained.analysis.intent is not None


def _to_dict(explained: "Explanation") -> dict[str, Any]:
    analysis = explained.analysis
    return {
        **replace(analysis, candidates=()).to_dict(),
        "spoken": explained.spoken,
        "without_politeness": explained.without_politeness,
        "considered": {
            "sentences": _counted(explained.sentences),
            "regexes": _counted(explained.regexes),
        },
        "candidates": [candidate.to_explanation() for candidate in analysis.candidates],
    }


def _counted(counts: tuple[int, int]) -> dict[str, int]:
    return {"tried": counts[0], "of": counts[1]}


def _show(explained: "Explanation") -> None:
    analysis = explained.analysis
    say(f"as it is said:       {explained.spoken}")
    say(f"without politeness:  {explained.without_politeness}")
    say(
        f"tried:               {explained.sentences[0]} of {explained.sentences[1]} sentences, "
        f"{explained.regexes[0]} of {explained.regexes[1]} regexes"
    )
    for late in analysis.timed_out:
        notice(f"{late}: ran out of time and was left out; podium check says more")
    for rank, candidate in enumerate(analysis.candidates, start=1):
        _show_candidate(rank, candidate)
    _show_outcome(analysis)


def _show_candidate(rank: int, candidate: "Candidate") -> None:
    found = candidate.intent
    part = "the whole request" if candidate.whole else f"characters {_span(candidate.span)}"
    say("")
    say(f"{rank}. {found.type}  ({candidate.source}, confidence {found.confidence:.2f}, {part})")
    say(f"   by   {shortened(candidate.text, MAX_SHOWN)}")
    say(f"   why  {candidate.reason}")
    if candidate.slots:
        table(
            ("", "slot", "type", "said", "at", "value"),
            (
                ("  ", slot.name, slot.type, slot.text, _span(slot.span), compact(slot.value))
                for slot in candidate.slots
            ),
        )
    for name, value in found.params.items():
        say(f"   {name} = {compact(value)}")
    for name, source in found.from_context.items():
        say(f"   {name}: from the conversation's '{source}'")


def _span(span: tuple[int, int]) -> str:
    return f"{span[0]}-{span[1]}"


def _show_outcome(analysis: "Analysis") -> None:
    say("")
    if analysis.plan:
        say("several things: " + ", then ".join(intent.type for intent in analysis.plan))
    elif analysis.intent is not None:
        say(f"the intent is {analysis.intent.type}")
    else:
        say(f"refused: {analysis.refusal}" if analysis.refusal else "nothing matches")
        for suggestion in analysis.suggestions:
            say(f"near: {suggestion.type}: {suggestion.example}")
