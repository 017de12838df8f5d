"""What one run of a composition, or of a tool, takes: counts to what may be expected. Pure."""

from dataclasses import asdict, dataclass
from typing import Any

from podium.domain.tallies import Tally


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of a run: half and 95 % of the durations were shorter than these.

    `calls`, `rounds` and `tokens` are means over all runs; `error_rate` is over those that counted,
    None without any. A run of a tool is a step of a composition, with all rounds of its loop.
    """

    runs: int
    typical_ms: float | None
    p95_ms: float | None
    calls: float
    rounds: float
    tokens: float
    error_rate: float | None

    def remaining_seconds(self, elapsed_seconds: float = 0.0) -> float | None:
        """Return how long one call goes on that has taken so long already; None: nobody knows.

        One that has outlived most others may hang.
        """
        if self.typical_ms is None or self.p95_ms is None:
            return None
        scale = 1 / (1_000 * max(1.0, self.rounds))
        ends = (self.typical_ms * scale, self.p95_ms * scale)
        return next((end - elapsed_seconds for end in ends if elapsed_seconds < end), None)

    def to_dict(self) -> dict[str, Any]:
        """Return the public form."""
        return {name: _rounded(value) for name, value in asdict(self).items()}


def profile_of(tally: Tally) -> Profile:
    """Return what the counts of a subject say about its next run."""
    counted = tally.successes + tally.failures
    runs = max(1, tally.runs)
    return Profile(
        runs=tally.runs,
        typical_ms=tally.durations.percentile(0.5),
        p95_ms=tally.durations.percentile(0.95),
        calls=tally.calls / runs,
        rounds=tally.rounds / runs,
        tokens=tally.tokens / runs,
        error_rate=tally.failures / counted if counted else None,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
