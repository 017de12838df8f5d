"""How much of the slots is free in the next moment, from the calls that are out or wait. Pure.

A slot that is free again in a few milliseconds is not as busy as one that is held for a minute. So
each call takes the part of the next second that it is expected to hold a slot; one of which nothing
is known, or that takes longer than it ever did, all of it.
"""

from collections.abc import Iterable

from podium.execution.slots import Ticket

HORIZON_SECONDS = 1.0


def room_of(tickets: Iterable[Ticket], limit: int, now: float) -> float:
    """Return how much is free, from 1 (all) to 0 (what is out or waits fills the next second)."""
    return max(0.0, 1 - sum(_share(ticket, now) for ticket in tickets) / limit)


def _share(ticket: Ticket, now: float) -> float:
    if ticket.expected is None:
        return 1.0
    elapsed = now - ticket.granted_at if ticket.state == "granted" else 0.0
    seconds = ticket.expected.remaining_seconds(max(0.0, elapsed))
    return 1.0 if seconds is None else min(1.0, seconds / HORIZON_SECONDS)
