"""How far a success rate can be trusted: Wilson's bounds, one-sided."""

from math import sqrt
from statistics import NormalDist

_NORMAL = NormalDist()


def lower_bound(successes: int, runs: int, confidence: float) -> float:
    """Return the rate that the true one exceeds with this confidence; 0 without any run."""
    return 0.0 if runs == 0 else _bound(successes, runs, -_deviations(confidence))


def upper_bound(successes: int, runs: int, confidence: float) -> float:
    """Return the rate that the true one stays below with this confidence; 1 without any run."""
    return 1.0 if runs == 0 else _bound(successes, runs, _deviations(confidence))


def _deviations(confidence: float) -> float:
    # A one-sided confidence of a half is the bare rate; less would turn the bounds round.
    return _NORMAL.inv_cdf(confidence) if confidence > 0.5 else 0.0


def _bound(successes: int, runs: int, z: float) -> float:
    rate = successes / runs
    spread = z * sqrt(rate * (1 - rate) / runs + z * z / (4 * runs * runs))
    return (rate + z * z / (2 * runs) + spread) / (1 + z * z / runs)
