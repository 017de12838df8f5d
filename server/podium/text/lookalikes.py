"""Names that look alike to a reader although they are not the same."""

import unicodedata
from collections.abc import Iterable

# What compatibility folding (NFKC) leaves apart: letters of other alphabets and digits that are
# drawn like a Latin letter. Case is folded before.
_DRAWN_LIKE = str.maketrans(
    {
        **dict(zip("аеорсухіјѕһԁԛԝӏмткнвгпьъ", "aeopcyxljshdqwlmtkhbrnbb", strict=True)),
        **dict(zip("αβγεηικνορτυχω", "abyenlkvoptuxw", strict=True)),
        **dict(zip("օսոհցքԍıɑɡɩʟǀ|10", "ounhgqglaglllllo", strict=True)),
        **dict.fromkeys("i1lι", "l"),
        **dict.fromkeys("-–—‐‑./: ·", "_"),
    }
)
_PAIRS = (("rn", "m"), ("vv", "w"))


def skeleton(name: str) -> str:
    """Return what a name looks like; two names with the same are easily taken for one another."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold())
    plain = "".join(char for char in folded if not unicodedata.combining(char))
    drawn = plain.translate(_DRAWN_LIKE)
    for written, looks in _PAIRS:
        drawn = drawn.replace(written, looks)
    return drawn


def look_alikes(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the groups of different names that look alike, each in the order of the names."""
    groups: dict[str, dict[str, None]] = {}
    for name in names:
        groups.setdefault(skeleton(name), {})[name] = None
    return [tuple(group) for group in groups.values() if len(group) > 1]
