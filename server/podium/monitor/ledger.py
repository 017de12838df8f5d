"""What is known of every composition, and the way of a decision: from the record to the files.

The record has the last word; what is known of it here may be some seconds old. A decision is on
record before its file moves, so that one which was broken off can be carried out later.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from podium.domain.errors import (
    EditedMeanwhileError,
    PodiumError,
    ShelfError,
    StatisticsError,
    UnknownCompositionError,
)
from podium.domain.learning import Change, Decision, Health
from podium.domain.naming import did_you_mean
from podium.domain.ports import Clock, Shelf, Statistics

REFRESH_SECONDS = 2.0  # how old what another process decided may be when a composition is chosen

logger = logging.getLogger("podium.monitor")

OnChange = Callable[[Change], Awaitable[None]]


class Ledger:
    """The healths at hand, over the record and the shelf; shared by the parts of the monitor."""

    def __init__(
        self, statistics: Statistics, shelf: Shelf, clock: Clock, on_change: OnChange | None
    ) -> None:
        self.statistics = statistics
        self.shelf = shelf
        self.healths: dict[str, Health] = {}
        # The version that this process plays: another process may have seen a newer one already.
        self.played: dict[str, str] = {}
        self.has_forgotten = False  # the record is another one: what there is, is to be seen anew
        self.lost = 0
        self.last_error = ""
        self._clock = clock
        self._on_change = on_change
        self._read_at: float | None = None

    async def current(self) -> dict[str, Health]:
        """Return every health, read again if that is some seconds ago."""
        now = self._clock.monotonic()
        if self._read_at is None or not 0 <= now - self._read_at < REFRESH_SECONDS:
            try:
                self.healths = await self.statistics.healths()
            except StatisticsError as error:
                self.note_loss(error)
            self._read_at = now
        return self.healths

    # --- carrying out

    async def follow(
        self, composition_id: str, decision: Decision | None, *, must_move: bool = False
    ) -> tuple[Change, ...]:
        """Take note of a decision that is on record, and carry it out.

        Raises:
            ShelfError, StatisticsError: its file `must_move`, and did not.

        """
        if decision is None:
            return ()
        health, changes = decision
        self.remember(composition_id, health)
        for change in changes:
            logger.info(
                "composition %s: %s (%s)", change.composition_id, change.kind, change.reason
            )
            await self.carry_out(change, health, must_move=must_move)
        return changes

    async def carry_out(
        self, change: Change, health: Health | None, *, must_move: bool = False
    ) -> None:
        """Move the file if need be, and tell whoever listens; errors as `follow`."""
        if change.is_move:
            try:
                await self._move(change, health)
            except (ShelfError, StatisticsError) as error:
                logger.warning("composition %s stays: %s", change.composition_id, error.message)
                if must_move:
                    raise
                return
        await self.tell(change)

    async def _move(self, change: Change, health: Health | None) -> None:
        """Move the file as a change says; one that was overtaken by another is only settled."""
        if health is not None and health.status == change.to_status:
            try:
                await self.shelf.move(
                    change.composition_id, change.from_status, change.to_status,
                    meaning=health.meaning, reason=change.reason, evidence=change.evidence,
                )  # fmt: skip
            except EditedMeanwhileError:
                await self._take_back(change)
                raise
        await self.settle(change)

    async def _take_back(self, change: Change) -> None:
        """Let the record say again what the folder says."""

        def decide(health: Health | None) -> Decision:
            is_this = health is not None and health.status == change.to_status
            return (
                replace(health, status=change.from_status) if is_this and health else health
            ), ()

        health, _ = await self.statistics.update(change.composition_id, decide)
        self.remember(change.composition_id, health)
        await self.settle(change)

    async def settle(self, change: Change) -> None:
        """Take note on record that a change has been carried out."""
        await self.statistics.settle(change.number)

    async def tell(self, change: Change) -> None:
        """Tell whoever listens of a change."""
        if self._on_change is None:
            return
        try:
            await self._on_change(change)
        except PodiumError as error:
            logger.warning("a change of %s was not taken up: %s", change.composition_id, error)

    async def require(self, composition_id: str) -> Health:
        """Return the health of a composition.

        Raises:
            UnknownCompositionError: it is not on record.

        """
        healths = await self.current()
        if (health := healths.get(composition_id)) is not None:
            return health
        raise UnknownCompositionError(
            f"there is no composition '{composition_id}'",
            hint=did_you_mean(composition_id, healths, otherwise="nothing was learnt yet"),
        )

    def remember(self, composition_id: str, health: Health | None) -> None:
        """Have a health at hand as it is on record now."""
        if health is not None:
            self.healths[composition_id] = health

    def note_loss(self, error: StatisticsError) -> None:
        """Take note that something could not be kept; the log says so once."""
        if self.lost == 0:
            logger.warning("what happens now is not counted: %s", error.message)
        self.lost += 1
        self.last_error = error.message
