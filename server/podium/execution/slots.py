"""Who gets a free slot: requests and releases in, grants out; no input or output, no clock."""

from collections import deque
from dataclasses import dataclass
from typing import Literal

from podium.domain.profiles import Profile

Rank = Literal["primary", "high", "normal", "low"]

RANKS: tuple[Rank, ...] = ("primary", "high", "normal", "low")
TURN_OF_THE_OTHERS = 8  # every so many grants go to who has waited longest, whatever the rank

TicketState = Literal["new", "waiting", "granted", "over"]


@dataclass(slots=True, eq=False)
class Ticket:
    """One request for a slot. `number` is its place in the order of arrival.

    `expected` is what is known of the call that wants it; `granted_at` is in seconds of a clock
    that never jumps.
    """

    rank: Rank = "normal"
    expected: Profile | None = None
    number: int = 0
    state: TicketState = "new"
    granted_at: float = 0.0


class Slots:
    """A number of slots and the queues before them.

    A primary request always goes first. Of the others the highest rank goes first, first come first
    served inside a rank; but every `TURN_OF_THE_OTHERS`th grant goes to the request that has waited
    longest of all, whatever its rank, so that none waits for ever.
    """

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError("there must be a slot")
        self.limit = limit
        self.used = 0
        self.waiting = 0
        self._queues: dict[Rank, deque[Ticket]] = {rank: deque() for rank in RANKS}
        self._arrivals = 0
        self._grants = 0

    def request(self, ticket: Ticket) -> bool:
        """Grant the ticket a slot at once if one is free, else let it wait."""
        if self.used < self.limit and not self.waiting:
            self.used += 1
            ticket.state = "granted"
            return True
        self._arrivals += 1
        ticket.number, ticket.state = self._arrivals, "waiting"
        self._queues[ticket.rank].append(ticket)
        self.waiting += 1
        return False

    def give_back(self, ticket: Ticket) -> Ticket | None:
        """End a request, granted or waiting; return the ticket that gets its slot, if any."""
        was, ticket.state = ticket.state, "over"
        if was == "waiting":
            self.waiting -= 1
            self._queues[ticket.rank].remove(ticket)
            return None
        if was != "granted":
            raise ValueError(f"a slot cannot be given back by a ticket that is {was}")
        if not self.waiting:
            self.used -= 1
            return None
        following = self._next().popleft()  # the slot stays in use and changes hands
        following.state = "granted"
        self.waiting -= 1
        return following

    def _next(self) -> deque[Ticket]:
        """Return the queue whose turn it is; one is not empty."""
        first, *others = [queue for queue in self._queues.values() if queue]
        if not others or first is self._queues["primary"]:
            return first
        self._grants += 1
        if self._grants % TURN_OF_THE_OTHERS:
            return first
        return min(first, *others, key=lambda queue: queue[0].number)
