"""When a failed call is made again, how long to wait before it, and how many run at once."""

import functools
import random
from collections.abc import Mapping
from dataclasses import dataclass

from podium.domain.composition import Retry, Strategy
from podium.domain.errors import PodiumError, UpstreamError
from podium.domain.tool import Effects

FIRST_BACKOFF_SECONDS = 0.1
LONGEST_BACKOFF_SECONDS = 5.0
LISTENER_SECONDS = 1.0  # a watcher that takes longer over one event hears no more
RETRY_BUDGET = 10  # retries of all steps of one execution together; more is a failing upstream

# After these the upstream may have done the work although no answer came.
DOUBTFUL_CODES = frozenset({"upstream_closed", "upstream_timeout", "result_too_large"})

STRATEGY_LIMITS: Mapping[str, int] = {"serial": 1, "parallel_limited": 2, "parallel_full": 4}

# `auto`: the first whose share of the process's slots is free
_AUTO: tuple[tuple[float, Strategy], ...] = (
    (0.5, "parallel_full"),
    (0.2, "parallel_limited"),
    (0.0, "serial"),
)


@dataclass(slots=True)
class RetryBudget:
    """How many retries an execution has left."""

    left: int = RETRY_BUDGET

    def take(self) -> bool:
        """Use one up, if there is one."""
        if self.left <= 0:
            return False
        self.left -= 1
        return True


@dataclass(frozen=True, slots=True)
class RetryRule:
    """How a step's failed calls are made again; `codes` empty: whatever may pass by itself."""

    attempts: int
    first_seconds: float = FIRST_BACKOFF_SECONDS
    longest_seconds: float = LONGEST_BACKOFF_SECONDS
    codes: frozenset[str] = frozenset()
    writes: bool = False


def retry_rule(retry: Retry | None, max_retries: int) -> RetryRule:
    """Return the rule of a step: its own, else the configuration's."""
    if retry is None:
        return _configured_rule(max_retries)
    return RetryRule(
        retry.attempts,
        retry.first_seconds,
        retry.longest_seconds,
        frozenset(retry.codes),
        retry.writes,
    )


@functools.lru_cache(maxsize=16)
def _configured_rule(max_retries: int) -> RetryRule:
    return RetryRule(attempts=max_retries + 1)


def may_repeat(error: PodiumError, effects: Effects, rule: RetryRule, *, idempotent: bool) -> bool:
    """Return whether calling again is useful and does no harm.

    Only reads and idempotent calls are repeated, and others where the step says so; any call is
    when it never reached the upstream.
    """
    is_useful = error.code in rule.codes if rule.codes else error.retryable
    never_sent = isinstance(error, UpstreamError) and not error.sent
    return is_useful and (effects == "read" or idempotent or rule.writes or never_sent)


def wait_seconds(error: PodiumError, attempt: int, rule: RetryRule, source: random.Random) -> float:
    """Return the wait after a failed attempt (1, 2, …): exponential, with full jitter.

    It is never shorter than the upstream asked for (`Retry-After`).
    """
    # The exponent is bounded: 2 ** 1100 is no float.
    longest = min(rule.longest_seconds, rule.first_seconds * 2 ** min(attempt - 1, 30))
    asked = getattr(error, "retry_after_seconds", None)
    least = float(asked) if isinstance(asked, int | float) and asked > 0 else 0.0
    return max(source.uniform(0, longest), least)


def leaves_doubt(error: PodiumError, effects: Effects) -> bool:
    """Return whether a failed call may have changed something all the same."""
    return (
        effects != "read"
        and error.code in DOUBTFUL_CODES
        and not (isinstance(error, UpstreamError) and not error.sent)
    )


def width(
    strategy: Strategy | None, limits: Mapping[str, int], room: float, *, is_parallel: bool
) -> int:
    """Return how many calls of an execution may be out at once.

    `room` is how much of the process's slots is free, from 0 to 1; `auto` goes by it.
    """
    chosen: Strategy = strategy or "parallel_full"
    if chosen == "auto":
        chosen = next(name for least, name in _AUTO if room >= least)
    if not is_parallel:
        chosen = "serial"
    return limits.get(chosen, STRATEGY_LIMITS[chosen])
