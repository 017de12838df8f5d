"""When a composition is promoted, withdrawn, paused and given another chance.

Pure: a health and what happened to the new health, and the changes with their evidence. A
composition proves itself since its last change; it is withdrawn for its recent window only, so one
that was good for a year is withdrawn as soon as a new one. Pausing is quick and harmless,
withdrawing is slow and sure: three failures in a row happen to 8 of 100 healthy ones.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from podium.domain.composition import CompositionStatus
from podium.domain.learning import (
    Change,
    ChangeKind,
    Decision,
    Health,
    LearningRules,
    Pause,
    Run,
)
from podium.domain.versions import version_of
from podium.monitor.bounds import lower_bound, upper_bound

FADING = 0.98  # what a run still weighs after the next one, when compositions are compared
WATCHED: frozenset[CompositionStatus] = frozenset({"learning", "validated", "deprecated"})
"""What moves by rule; templates are their author's, and are only counted."""

Command = Literal["promote", "demote", "pin", "forbid", "release"]


@dataclass(frozen=True, slots=True)
class Seen:
    """A composition as it is on disk now, with the tools that are known now."""

    composition_id: str
    status: CompositionStatus
    meaning: str
    tools: Mapping[str, str | None]


# --- after a run


def after_run(health: Health, run: Run, rules: LearningRules) -> Decision:
    """Return what one more counted run makes of it."""
    counted = replace(
        health,
        successes=health.successes + run.is_success,
        failures=health.failures + (not run.is_success),
        weight_successes=health.weight_successes * FADING + run.is_success,
        weight_failures=health.weight_failures * FADING + (not run.is_success),
        window=(*health.window, run)[-rules.window :],
    )
    return _judged(counted, run, rules)


def after_correction(
    health: Health, execution_id: str, rules: LearningRules, now: float, *, is_success: bool
) -> Decision:
    """Return what it comes to when an earlier run turns out to have been the other thing.

    A run that has left the window still corrects the counts, and decides nothing by itself.
    """
    place = next((i for i, run in enumerate(health.window) if run.execution_id == execution_id), -1)
    step = 1 if is_success else -1
    faded = FADING ** (len(health.window) - 1 - place) if place >= 0 else 0.0
    corrected = replace(
        health,
        successes=max(0, health.successes + step),
        failures=max(0, health.failures - step),
        weight_successes=max(0.0, health.weight_successes + step * faded),
        weight_failures=max(0.0, health.weight_failures - step * faded),
        window=tuple(
            replace(run, is_success=is_success) if i == place else run
            for i, run in enumerate(health.window)
        ),
    )
    if place < 0:
        return corrected, ()
    return _judged(corrected, Run(execution_id, is_success, now), rules, is_new=False)


def _judged(health: Health, run: Run, rules: LearningRules, *, is_new: bool = True) -> Decision:
    if not rules.is_enabled or health.status not in WATCHED:
        return health, ()
    changes: tuple[Change, ...] = ()
    if is_new and health.pause is not None:
        health, changes = _after_probe(health, health.pause, run, rules)
    for rule in _RULES:
        if health.hold != "pinned" and (decided := rule(health, run.at, rules)) is not None:
            return decided[0], (*changes, *decided[1])
    return health, changes


def _after_probe(
    health: Health, pause: Pause, run: Run, rules: LearningRules
) -> tuple[Health, tuple[Change, ...]]:
    if not run.is_success:
        wait = min(2 * pause.wait_seconds, rules.longest_pause_seconds)
        return replace(health, pause=Pause(run.at + wait, wait)), ()
    successes = pause.successes + 1
    if successes < rules.closing_successes:
        # It may run again at once: a success asks for the next one, not for patience.
        return replace(health, pause=replace(pause, until=run.at, successes=successes)), ()
    open_again = replace(health, pause=None)
    reason = f"{successes} probes in a row succeeded"
    return open_again, (_change(open_again, "resumed", run.at, reason, rules),)


def _withdraw(health: Health, now: float, rules: LearningRules) -> Decision | None:
    if health.status != "validated" or len(health.window) < rules.min_executions:
        return None
    good = sum(run.is_success for run in health.window)
    bound = upper_bound(good, len(health.window), rules.promotion_confidence)
    if bound >= rules.min_success_rate:
        return None
    is_last = health.demotions + 1 >= rules.archiving_demotions
    reason = (
        f"{good} of its last {len(health.window)} runs succeeded: at best {bound:.2f}, "
        f"less than {rules.min_success_rate:g}"
    )
    kind: ChangeKind = "archived" if is_last else "demoted"
    change = _change(health, kind, now, reason, rules, to="deprecated" if is_last else "learning")
    fallen = replace(health, status=change.to_status, demotions=health.demotions + 1)
    return fallen.reset(now), (change,)


def _promote(health: Health, now: float, rules: LearningRules) -> Decision | None:
    runs = health.successes + health.failures
    if health.status not in {"learning", "deprecated"} or health.pause is not None:
        return None
    if health.hold == "forbidden" or runs < rules.min_executions:
        return None
    bound = lower_bound(health.successes, runs, rules.promotion_confidence)
    if bound < rules.min_success_rate:
        return None
    reason = (
        f"{health.successes} of {runs} runs succeeded: at least {bound:.2f}, "
        f"{rules.min_success_rate:g} is asked for"
    )
    # An archived one has failed twice: it is put on trial again before anybody is offered it.
    kind: ChangeKind = "promoted" if health.status == "learning" else "returned"
    target: CompositionStatus = "validated" if kind == "promoted" else "learning"
    change = _change(health, kind, now, reason, rules, to=target)
    risen = replace(health, status=target)
    return (risen if kind == "promoted" else risen.reset(now)), (change,)


def _pause(health: Health, now: float, rules: LearningRules) -> Decision | None:
    if health.pause is not None or health.status == "deprecated":
        return None
    if not 0 < rules.pausing_failures <= health.failures_in_a_row:
        return None
    wait = rules.first_pause_seconds
    paused = replace(health, pause=Pause(now + wait, wait))
    reason = f"{health.failures_in_a_row} failures in a row; the next try in {wait:g} s"
    return paused, (_change(paused, "paused", now, reason, rules),)


_RULES: tuple[Callable[[Health, float, LearningRules], Decision | None], ...] = (
    _withdraw,
    _promote,
    _pause,
)
"""Tried in this order; the first that decides is the only one that does."""


# --- when it may run


def probe(health: Health, now: float, rules: LearningRules) -> Health | None:
    """Return the health with a probe let through, or None while a pause still holds.

    Letting one through moves `until` on: the next request waits for the outcome or as long again.
    """
    if health.pause is None:
        return health
    if now < health.pause.until or not rules.is_enabled:
        return None if rules.is_enabled else health
    return replace(health, pause=replace(health.pause, until=now + health.pause.wait_seconds))


# --- when the file or a tool changed


def after_look(health: Health | None, seen: Seen, now: float, rules: LearningRules) -> Decision:
    """Return the health of a composition as it is on disk now.

    A tool that is not known now (its server is down) counts as unchanged. A changed tool puts a
    validated composition on trial again; that is nobody's fault and counts as no demotion. What a
    person changed stays where the person put it, with everything to prove anew.
    """
    before: Mapping[str, str] = health.tools if health else {}
    tools = {name: known or before.get(name, "") for name, known in seen.tools.items()}
    if health is None:
        return _begun(seen, tools, now), ()
    looked = replace(health, status=seen.status)
    if seen.meaning != health.meaning:
        fresh = replace(
            looked.reset(now), meaning=seen.meaning, tools=tools,
            version=version_of(seen.meaning, tools),
        )  # fmt: skip
        return fresh, (_change(fresh, "edited", now, "its file was changed", rules),)
    changed = [name for name, known in tools.items() if before.get(name) and known != before[name]]
    if changed:
        return _with_other_tools(looked, tools, changed, now, rules)
    # A tool seen for the first time completes what is known; it does not make another version.
    return replace(looked, tools=tools), ()


def _begun(seen: Seen, tools: Mapping[str, str], now: float) -> Health:
    return Health(
        composition_id=seen.composition_id,
        version=version_of(seen.meaning, tools),
        meaning=seen.meaning,
        tools=tools,
        status=seen.status,
        since=now,
    )


def _with_other_tools(
    health: Health, tools: Mapping[str, str], changed: list[str], now: float, rules: LearningRules
) -> Decision:
    version = version_of(health.meaning, tools)
    fresh = replace(health.reset(now), tools=tools, version=version)
    evidence = {
        "tools": {name: {"before": health.tools[name], "now": tools[name]} for name in changed}
    }
    reason = f"the definition of {', '.join(changed)} changed"
    moves = rules.is_enabled and health.status == "validated" and health.hold != "pinned"
    to: CompositionStatus = "learning" if moves else health.status
    kind: ChangeKind = "relearning" if moves else "edited"
    change = _change(fresh, kind, now, reason, rules, to=to, evidence=evidence)
    return replace(fresh, status=to), (change,)


# --- what a person decides

_BY_HAND: Mapping[tuple[Command, CompositionStatus], tuple[ChangeKind, CompositionStatus]] = {
    ("promote", "learning"): ("promoted", "validated"),
    ("promote", "template"): ("promoted", "validated"),
    ("promote", "deprecated"): ("returned", "learning"),
    ("demote", "validated"): ("demoted", "learning"),
    ("demote", "template"): ("demoted", "learning"),
    ("demote", "learning"): ("archived", "deprecated"),
    ("pin", "learning"): ("held", "learning"),
    ("pin", "template"): ("held", "template"),
    ("pin", "validated"): ("held", "validated"),
    ("forbid", "learning"): ("held", "learning"),
    ("forbid", "template"): ("held", "template"),
    ("forbid", "validated"): ("held", "validated"),
    ("forbid", "deprecated"): ("held", "deprecated"),
    ("release", "learning"): ("released", "learning"),
    ("release", "template"): ("released", "template"),
    ("release", "validated"): ("released", "validated"),
    ("release", "deprecated"): ("released", "deprecated"),
}

_ENDING_PAUSES: frozenset[Command] = frozenset({"promote", "pin", "release"})


def by_person(
    health: Health, command: Command, now: float, rules: LearningRules, *, who: str = "a person"
) -> Decision:
    """Return what a person's command makes of it; no change where there is nothing to do.

    A promotion by hand leaves the counts as they are: should they be bad, the rules withdraw it
    again unless it is pinned. The record of a demotion by hand begins anew.
    """
    found = _BY_HAND.get((command, health.status))
    if found is None:
        return health, ()
    kind, status = found
    hold = {"pin": "pinned", "forbid": "forbidden", "release": ""}.get(command, health.hold)
    ends_pause = health.pause is not None and command in _ENDING_PAUSES
    if hold == health.hold and status == health.status and not ends_pause:
        return health, ()
    reason = f"{who} decided: {command}"
    change = replace(_change(health, kind, now, reason, rules, to=status), by=who)
    decided = replace(health, status=status, hold=hold)  # type: ignore[arg-type] # of the table
    if command in _ENDING_PAUSES:
        return replace(decided, pause=None), (change,)
    return (decided.reset(now) if command == "demote" else decided), (change,)


def _change(
    health: Health,
    kind: ChangeKind,
    now: float,
    reason: str,
    rules: LearningRules,
    *,
    to: CompositionStatus | None = None,
    evidence: Mapping[str, Any] | None = None,
) -> Change:
    return Change(
        kind=kind,
        composition_id=health.composition_id,
        version=health.version,
        from_status=health.status,
        to_status=to or health.status,
        at=now,
        reason=reason,
        evidence={**evidence_of(health, rules), **(evidence or {})},
    )


def evidence_of(health: Health, rules: LearningRules) -> dict[str, Any]:
    """Return the numbers that a decision about it rests on."""
    runs = health.successes + health.failures
    good = sum(run.is_success for run in health.window)
    confidence = rules.promotion_confidence
    return {
        "successes": health.successes,
        "failures": health.failures,
        "lower_bound": round(lower_bound(health.successes, runs, confidence), 4),
        "recent_successes": good,
        "recent_runs": len(health.window),
        "recent_upper_bound": round(upper_bound(good, len(health.window), confidence), 4),
        "failures_in_a_row": health.failures_in_a_row,
        "demotions": health.demotions,
        "since": health.since,
        "rules": {
            "min_success_rate": rules.min_success_rate,
            "min_executions": rules.min_executions,
            "promotion_confidence": confidence,
            "window": rules.window,
        },
        "executions": [run.execution_id for run in health.window],
    }
