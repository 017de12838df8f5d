"""How long to leave an upstream alone after it failed."""

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 30.0


def backoff_seconds(failures: int, chance: float) -> float:
    """Return the pause after so many failures in a row, between half of it and all by chance.

    The chance (0..1) keeps upstreams that failed together from coming back together.
    """
    if failures <= 0:
        return 0.0
    doublings = min(failures - 1, 16)  # beyond that the longest pause is long reached
    pause = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0**doublings)
    return float(pause * (0.5 + 0.5 * chance))
