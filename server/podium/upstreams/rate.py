"""How many calls of one upstream are let through in a minute: a bucket that fills evenly."""

from podium.domain.errors import RateLimitedError
from podium.domain.ports import Clock

MINUTE = 60.0


class CallBucket:
    """Holds a minute's calls at most, so that a pause is followed by a burst of that size."""

    def __init__(self, per_minute: int | None, clock: Clock) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._calls = float(per_minute or 0)
        self._filled_at = clock.monotonic()

    def take(self, tool: str) -> None:
        """Take one call out.

        Raises:
            RateLimitedError: none is left; it says when the next one may be made.

        """
        if self._per_minute is None:
            return
        now = self._clock.monotonic()
        gained = (now - self._filled_at) * self._per_minute / MINUTE
        self._calls = min(float(self._per_minute), self._calls + gained)
        self._filled_at = now
        if self._calls < 1.0:
            wait = (1.0 - self._calls) * MINUTE / self._per_minute
            raise RateLimitedError(
                f"{tool} was not called: its server's {self._per_minute} calls per minute are "
                f"used up; retry after {wait:.1f} s",
                hint="call it less often, or raise `limits.calls_per_minute` of the server",
                retry_after_seconds=wait,
            )
        self._calls -= 1.0
