"""When those on trial answer: one of any ten requests in a row that something proven can answer.

What matters is how many requests have passed since the last turn. Each process counts its own and
adds them to the record now and then; a turn is taken on the record, so processes share the turns of
a workspace, and one that begins anew begins where the others were. What is lost on the way only
makes turns rarer. All processes together never give more than their share.
"""

import math

from podium.domain.ports import Statistics


class Turns:
    """The turns of every intent; bounded by the intents that compositions serve."""

    def __init__(self, statistics: Statistics, share: float) -> None:
        """`share` is the most of the requests that go to those on trial, from 0 to 1."""
        self._statistics = statistics
        self._apart = math.ceil(1 / share) - 1 if share > 0 else math.inf
        self._passed: dict[str, int] = {}  # by intent, as far as this process knows
        self._unsaved: dict[str, int] = {}

    def is_due(self, intent_type: str) -> bool:
        """Return whether one on trial may try to take a turn; the record has the last word."""
        return self._passed.get(intent_type, self._apart) >= self._apart

    def let_pass(self, intent_type: str) -> None:
        """Take note of a request that something proven answered while another was on trial."""
        known = self._passed.get(intent_type)
        if known is None or known < self._apart:  # more than enough need not be counted
            self._unsaved[intent_type] = self._unsaved.get(intent_type, 0) + 1
        if known is not None:
            self._passed[intent_type] = known + 1

    async def take(self, intent_type: str) -> bool:
        """Take a turn if enough requests have passed, by all that is on record.

        Raises:
            StatisticsError: the record cannot be written; there is no turn then.

        """
        passed = await self._save(intent_type, is_taken=True)
        return passed >= self._apart

    async def save(self) -> None:
        """Add what has passed to the record.

        Raises:
            StatisticsError: the record cannot be written.

        """
        for intent_type in tuple(self._unsaved):
            await self._save(intent_type, is_taken=False)

    async def _save(self, intent_type: str, *, is_taken: bool) -> int:
        """Return how many requests have passed; with enough of them, a turn begins the count."""
        own = self._unsaved.pop(intent_type, 0)
        total = 0

        def added(known: int) -> int:
            nonlocal total
            total = known + own
            return 0 if is_taken and total >= self._apart else total

        kept = await self._statistics.note_passed(intent_type, added)
        self._passed[intent_type] = kept + self._unsaved.get(intent_type, 0)
        return total
