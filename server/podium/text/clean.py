"""Words of others made safe to show: no control characters, no terminal escapes, bounded."""

import re
import unicodedata

# CSI and OSC sequences first, as a whole, so that no harmless-looking rest of them stays.
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])")
_KEPT = frozenset("\n\t")


def printable(text: str) -> str:
    """Return the text without escape sequences, control and invisible formatting characters."""
    if text.isprintable():
        return text
    text = ESCAPES.sub("", text)
    return "".join(
        char
        for char in text
        if char in _KEPT or char == "\u200d" or unicodedata.category(char) not in ("Cc", "Cf", "Cs")
    )


def shortened(text: str, length: int) -> str:
    """Return at most `length` characters, the last one an ellipsis when something was cut."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
