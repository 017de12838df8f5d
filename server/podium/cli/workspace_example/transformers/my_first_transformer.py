"""Functions for the expressions in compositions, written in Python.

Each function marked with @transformer can be called: reading_time(400) here is
$reading_time(400) there. Values are plain JSON values; an exception becomes a clear error.
"""

from podium import transformer

WORDS_PER_MINUTE = 200


@transformer("reading_time")
def reading_time(words: int) -> int:
    """Return about how many minutes it takes to read so many words."""
    return max(1, round(words / WORDS_PER_MINUTE))
