"""Words of an upstream made fit for an error or a terminal: printable, short, one line."""

from podium.text.clean import printable, shortened

LAST_WORDS = "its last words on stderr"
LONGEST_WORDS = 500  # characters of an upstream's own words in one message


def words_of(text: str, longest: int = LONGEST_WORDS) -> str:
    """Return an upstream's words without control characters, on one line, bounded."""
    # Cut first: cleaning a text of megabytes to keep its first line would be wasted time.
    return shortened(" ".join(printable(text[: 8 * longest]).split()), longest)


def last_words_of(raw: bytes, longest: int = LONGEST_WORDS) -> str:
    """Return the end of what a process wrote to stderr, on one line, bounded."""
    text = " ".join(printable(raw[-8 * longest :].decode("utf-8", "replace")).split())
    return text if len(text) <= longest else "…" + text[1 - longest :].lstrip()
