"""When a failed call is made again, and how long to wait before it."""

import random
from dataclasses import dataclass

from podium.domain.errors import PodiumError, UpstreamError
from podium.domain.tool import Effects

FIRST_BACKOFF_SECONDS = 0.1
LONGEST_BACKOFF_SECONDS = 5.0
LISTENER_SECONDS = 1.0  # a watcher that takes longer over one event hears no more
RETRY_BUDGET = 10  # retries of all steps of one execution together; more is a failing upstream

# After these the upstream may have done the work although no answer came.
DOUBTFUL_CODES = frozenset({"upstream_closed", "upstream_timeout", "result_too_large"})

STRATEGY_LIMITS = {"serial": 1, "parallel_limited": 2, "parallel_full": 4}


@dataclass(slots=True)
class RetryBudget:
    """How many retries an execution has left."""

    left: int = RETRY_BUDGET

    def take(self) -> bool:
        """Use one up, if there is one."""
        self.left -= 1
        return self.left >= 0


def may_repeat(error: PodiumError, effects: Effects, *, idempotent: bool) -> bool:
    """Return whether calling again is useful and does no harm.

    Only reads and idempotent calls are repeated; any call is when it never reached the upstream.
    """
    if not error.retryable:
        return False
    never_sent = isinstance(error, UpstreamError) and not error.sent
    return effects == "read" or idempotent or never_sent


def backoff_seconds(attempt: int, source: random.Random) -> float:
    """Return the wait after a failed attempt (1, 2, …): exponential, with full jitter."""
    longest = min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** (attempt - 1))
    return source.uniform(0, longest)


def leaves_doubt(error: PodiumError, effects: Effects) -> bool:
    """Return whether a failed call may have changed something all the same."""
    return (
        effects != "read"
        and error.code in DOUBTFUL_CODES
        and not (isinstance(error, UpstreamError) and not error.sent)
    )
