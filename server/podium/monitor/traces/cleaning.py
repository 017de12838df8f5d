"""A trace without what did not help: failed calls, their retries, the same read made twice.

Pagination and polling are recognised and refused: how often they go round is decided by results
that were not seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from podium.domain.trace import Trace, TracedCall
from podium.monitor.traces.values import canonical, leaves, name_words

MOST_CALLS = 500  # of one trace
MOST_ARGUMENT_LEAVES = 2_000  # of one call that are compared
_CURSORS = frozenset().union(
    *map(name_words, ("cursor", "page", "offset", "skip", "continuation", "next", "token", "start"))
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why no composition was made of traces; the codes are stable.

    `code`: empty, not_whole, too_long, too_large, contradictory, pagination, polling,
    unexplained, too_much_work, too_many_steps, not_reproduced, failed.
    """

    code: str
    message: str
    hint: str = ""


class RefusedError(Exception):
    """Carries a refusal out of the depths of a compilation."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.refusal = Refusal(code, message, hint)


@dataclass(frozen=True, slots=True)
class CleanTrace:
    """The calls that count, each with its place in the trace as it was recorded.

    `repeats` are the positions of reads that were made before with the same result; a loop over a
    list that names a thing twice has such calls, otherwise they are no help.
    """

    id: str
    request: str
    calls: tuple[TracedCall, ...]
    places: tuple[int, ...]
    dropped: tuple[str, ...]
    repeats: frozenset[int] = frozenset()


def request_of(trace: Trace) -> str:
    """Return the user's words of a trace: its own, else the first that a call carries."""
    return trace.request or next((call.request for call in trace.calls if call.request), "")


def cleaned(trace: Trace, left_out: frozenset[int] = frozenset()) -> CleanTrace:
    """Return the calls of a trace that its task needed; `left_out` are places not to use.

    Raises:
        RefusedError: nothing can be learnt from the trace.

    """
    _require_usable(trace)
    kept: list[tuple[int, TracedCall]] = []
    dropped: list[str] = []
    repeats: set[int] = set()
    reads: dict[str, TracedCall] = {}  # since the last write, by tool and arguments
    for place, call in enumerate(trace.calls):
        if call.is_error:
            dropped.append(f"{call.full_name} (failed)")
            continue
        if place in left_out:
            dropped.append(f"{call.full_name} (nothing used its result)")
            continue
        if call.effects != "read":
            reads.clear()
        elif _is_repeated(call, reads, kept):
            repeats.add(len(kept))
        kept.append((place, call))
    if not kept:
        raise RefusedError("empty", f"trace '{trace.id}': no call succeeded")
    if any(call.is_cut for _, call in kept):
        name = next(call.full_name for _, call in kept if call.is_cut)
        raise RefusedError(
            "too_large", f"trace '{trace.id}': what {name} returned was too large to be kept"
        )
    calls = tuple(call for _, call in kept)
    _refuse_pages(trace, calls)
    places = tuple(place for place, _ in kept)
    return CleanTrace(
        trace.id, request_of(trace), calls, places, tuple(dropped), frozenset(repeats)
    )


def _require_usable(trace: Trace) -> None:
    if not trace.is_whole:
        raise RefusedError(
            "not_whole",
            f"trace '{trace.id}': calls of it were not recorded",
            "a conversation is recorded up to learning's bounds; solve the task in a new one",
        )
    if len(trace.calls) > MOST_CALLS:
        raise RefusedError(
            "too_long", f"trace '{trace.id}': it has {len(trace.calls)} calls, {MOST_CALLS} at most"
        )


def _is_repeated(
    call: TracedCall, reads: dict[str, TracedCall], kept: Sequence[tuple[int, TracedCall]]
) -> bool:
    """Return whether a read was made before, with the same result, nothing written in between."""
    key = f"{call.full_name} {canonical(call.arguments)}"
    before = reads.get(key)
    reads[key] = call
    if before is None:
        return False
    if canonical(before.value) == canonical(call.value):
        return True
    if kept[-1][1] is before:
        raise RefusedError(
            "polling",
            f"{call.full_name} was asked again until its answer changed; how often that is "
            "needed cannot be told from a trace",
            "write the composition by hand, with a `repeat` step",
        )
    return False


def _refuse_pages(trace: Trace, calls: Sequence[TracedCall]) -> None:
    latest: dict[str, TracedCall] = {}
    for call in calls:
        if call.effects != "read":
            continue
        before = latest.get(call.full_name)
        latest[call.full_name] = call
        if before is not None and (argument := _cursor(before, call)) is not None:
            raise RefusedError(
                "pagination",
                f"trace '{trace.id}': {call.full_name} was called page by page ('{argument}'); how "
                "many pages there are cannot be told from a trace",
                "write the composition by hand, with a `repeat` step",
            )


def _cursor(one: TracedCall, two: TracedCall) -> str | None:
    """Return the argument that alone differs, if it says where the next page begins."""
    names = one.arguments.keys() | two.arguments.keys()
    differing = [
        name
        for name in names
        if canonical(one.arguments.get(name)) != canonical(two.arguments.get(name))
    ]
    if len(differing) != 1 or not name_words(differing[0]) & _CURSORS:
        return None
    name = differing[0]
    value, before = two.arguments.get(name), one.arguments.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        follows = before is None or (isinstance(before, int) and value > before)
        return name if follows else None
    wanted = canonical(value)
    found = any(canonical(leaf) == wanted for _, leaf in leaves(one.value, 5_000))
    return name if found else None


def argument_leaves(arguments: dict[str, Any]) -> list[Any]:
    """Return every scalar of a call's arguments."""
    return [leaf for _, leaf in leaves(arguments, MOST_ARGUMENT_LEAVES)]
