"""The nearest known name to one that somebody mistyped."""

from collections.abc import Iterable
from difflib import get_close_matches

SHORTEST_PREFIX = 3  # characters; a shorter beginning says too little


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name closest to `name`, or None when nothing is close."""
    names = list(known)
    folded = {candidate.casefold(): candidate for candidate in names}
    wanted = name.casefold()
    if len(wanted) >= SHORTEST_PREFIX:
        begins = sorted((key for key in folded if key.startswith(wanted)), key=len)
        if begins:  # `max_step` means `max_steps_per_composition`, however long that is
            return folded[begins[0]]
    close = get_close_matches(wanted, folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def did_you_mean(name: str, known: Iterable[str], *, otherwise: str = "") -> str:
    """Return a hint that names the nearest known name, or the known names when none is near."""
    names = sorted(known)
    if (close := nearest(name, names)) is not None:
        return f"did you mean '{close}'?"
    if not names:
        return otherwise
    return f"known: {', '.join(names[:10])}{', …' if len(names) > 10 else ''}"
