"""Slots that tasks wait for: strictly bounded, by rank, and nested."""

from types import TracebackType

import anyio
from anyio.lowlevel import checkpoint

from podium.execution.slots import Rank, Slots, Ticket

Held = list[tuple["Pool", Ticket]]


class Pool:
    """Calls that may be out at once.

    A pool inside another takes a slot of both, its own first: there is no circle in which tasks
    could wait for each other. A slot that is granted to a task which is cancelled in the same
    moment goes on to the next.
    """

    def __init__(self, limit: int, around: "Pool | None" = None) -> None:
        self._slots = Slots(limit)
        self.around = around
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
        """How much is free, from 1 (all) to 0 (none, or others wait already)."""
        taken = self._slots.used + self._slots.waiting
        return max(0.0, 1 - taken / self._slots.limit)

    def hold(self, rank: Rank = "normal") -> "Hold":
        """Return a context that holds a slot, waiting for it first."""
        return Hold(self, rank)

    async def take(self, rank: Rank) -> Held:
        """Wait for a slot here and in every pool around; return what `give` wants back."""
        held: Held = []
        pool: Pool | None = self
        is_granted = False
        try:
            while pool is not None:
                ticket = Ticket(rank)
                is_granted = pool._slots.request(ticket)  # noqa: SLF001 - of the same class
                held.append((pool, ticket))
                if not is_granted:
                    await pool._turn(ticket)  # noqa: SLF001 - as above
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

    __slots__ = ("_held", "_pool", "_rank")

    def __init__(self, pool: Pool, rank: Rank) -> None:
        self._pool = pool
        self._rank = rank
        self._held: Held = []

    async def __aenter__(self) -> None:
        self._held = await self._pool.take(self._rank)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        give(self._held)
