"""The profiles of tools and compositions, at hand for whoever cannot wait for the record."""

import math
from collections.abc import Mapping

from podium.domain.learning import Health
from podium.domain.ports import Clock, Statistics
from podium.domain.profiles import Profile, profile_of

KEPT_SECONDS = 5.0  # how old they may be while executions are counted


class ProfileBook:
    """Satisfies `podium.domain.ports.Profiles`; empty until it was renewed once."""

    def __init__(self, statistics: Statistics, clock: Clock) -> None:
        self._statistics = statistics
        self._clock = clock
        self._read_at = -math.inf
        self._is_old = True
        self._tools: Mapping[str, Profile] = {}
        self._compositions: Mapping[str, Profile] = {}

    def of_tool(self, full_name: str) -> Profile | None:
        """Return what is known of a tool (`server.tool`), or None."""
        return self._tools.get(full_name)

    def of_composition(self, composition_id: str) -> Profile | None:
        """Return what is known of a composition as it is now, or None."""
        return self._compositions.get(composition_id)

    def outdate(self) -> None:
        """Take note that something was counted."""
        self._is_old = True

    async def renew(self, healths: Mapping[str, Health]) -> None:
        """Read them again if they are old; of each composition the version that its health names.

        Raises:
            StatisticsError: the record cannot be read; what was known stays.

        """
        now = self._clock.monotonic()
        if not self._is_old or 0 <= now - self._read_at < KEPT_SECONDS:
            return
        self._read_at, self._is_old = now, False
        versions = {(health.version, id_) for id_, health in healths.items()}
        tools = await self._statistics.tallies("tool")
        own = await self._statistics.tallies("composition")
        self._tools = {subject.name: profile_of(tally) for subject, tally in tools.items()}
        self._compositions = {
            subject.name: profile_of(tally)
            for subject, tally in own.items()
            if (subject.version, subject.name) in versions
        }
