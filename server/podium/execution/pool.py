"""Slots that tasks wait for: strictly bounded, by rank, and nested."""

import time
from collections.abc import Callable
from types import TracebackType

import anyio
from anyio.lowlevel import checkpoint

from podium.domain.profiles import Profile
from podium.execution.load import room_of
from podium.execution.slots import Rank, Slots, Ticket

Held = list[tuple["Pool", Ticket]]


class Pool:
    """Calls that may be out at once.

    A pool inside another takes a slot of both, its own first: there is no circle in which tasks
    could wait for each other. A slot that is granted to a task which is cancelled in the same
    moment goes on to the next.
    """

    def __init__(
        self,
        limit: int,
        around: "Pool | None" = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`monotonic` tells how long the calls have been out, in seconds."""
        self._slots = Slots(limit)
        self._monotonic = monotonic
        self.around = around
        self._tickets: dict[Ticket, None] = {}  # of all that are out or wait
        self._granted: dict[Ticket, anyio.Event] = {}
        self.most_used = 0

    @property
    def limit(self) -> int:
        """How many slots there are."""
        return self._slots.limit

    @property
    def used(self) -> int:
        """How many are taken."""
        return self._slots.used

    @property
    def room(self) -> float:
        """How much is free, from 1 (all) to 0 (none for a while, or others wait already)."""
        return room_of(self._tickets, self.limit, self._monotonic())

    def hold(self, rank: Rank = "normal", expected: Profile | None = None) -> "Hold":
        """Return a context that holds a slot, waiting for it first."""
        return Hold(self, rank, expected)

    async def take(self, rank: Rank, expected: Profile | None = None) -> Held:
        """Wait for a slot here and in every pool around; return what `give` wants back.

        `expected` is what is known of the call that it is for.
        """
        held: Held = []
        pool: Pool | None = self
        is_granted = False
        try:
            while pool is not None:
                ticket = Ticket(rank, expected)
                pool._tickets[ticket] = None  # noqa: SLF001 - of the same class
                is_granted = pool._slots.request(ticket)  # noqa: SLF001 - of the same class
                held.append((pool, ticket))
                if not is_granted:
                    await pool._turn(ticket)  # noqa: SLF001 - as above
                ticket.granted_at = pool._monotonic()  # noqa: SLF001 - as above
                pool.most_used = max(pool.most_used, pool.used)
                # The primary step of one execution is not more than that of another.
                pool, rank = pool.around, "high" if rank == "primary" else rank
            if is_granted:  # calls that never wait let others in here
                await checkpoint()
        except BaseException:
            give(held)
            raise
        return held

    async def _turn(self, ticket: Ticket) -> None:
        granted = self._granted[ticket] = anyio.Event()
        try:
            await granted.wait()
        finally:
            del self._granted[ticket]

    def _give_back(self, ticket: Ticket) -> None:
        del self._tickets[ticket]
        following = self._slots.give_back(ticket)
        if following is not None:
            self._granted[following].set()


def give(held: Held) -> None:
    """Give back what `Pool.take` took."""
    while held:
        pool, ticket = held.pop()
        pool._give_back(ticket)  # noqa: SLF001 - of the same module


class Hold:
    """A slot while it is held."""

    __slots__ = ("_expected", "_held", "_pool", "_rank")

    def __init__(self, pool: Pool, rank: Rank, expected: Profile | None) -> None:
        self._pool = pool
        self._rank = rank
        self._expected = expected
        self._held: Held = []

    async def __aenter__(self) -> None:
        self._held = await self._pool.take(self._rank, self._expected)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        give(self._held)
