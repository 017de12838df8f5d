"""Two versions of a tool's definition to a few lines that say what is different."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from podium.text.clean import shortened
from podium.text.hidden import escaped

SHOWN_CHANGES = 5  # in a list of tools; `podium trust` shows more
LONGEST_SHOWN = 60  # characters of one value
CONTEXT = 12  # characters shown before the place where two texts part
DEEPEST = 60  # levels that are compared; below that a difference is only stated


class Change(NamedTuple):
    """What is different at one place; None stands for nothing."""

    where: str
    old: str | None
    new: str | None


def changes(
    old: Any, new: Any, *, most: int = SHOWN_CHANGES, longest: int = LONGEST_SHOWN
) -> tuple[str, ...]:
    """Return what is different, a line for each place, `most` at most; hidden characters show."""
    found: list[str] = []
    for change in _differences(old, new, "", 0):
        if len(found) == most:
            found.append("and more")
            break
        found.append(_line(change, longest))
    return tuple(found)


def _differences(old: Any, new: Any, where: str, depth: int) -> Iterator[Change]:
    if isinstance(old, dict) and isinstance(new, dict) and depth < DEEPEST:
        for key in (*old, *(key for key in new if key not in old)):
            place = f"{where}.{key}" if where else key
            if key not in new:
                yield Change(place, _text(old[key]), None)
            elif key not in old:
                yield Change(place, None, _text(new[key]))
            else:
                yield from _differences(old[key], new[key], place, depth + 1)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _differences(one, other, f"{where}[{index}]", depth + 1)
    elif type(old) is not type(new) or old != new:
        yield Change(where, _text(old), _text(new))


def _text(value: Any) -> str:
    if isinstance(value, str):
        return f'"{escaped(value)}"'
    try:
        return escaped(orjson.dumps(value).decode())
    except (orjson.JSONEncodeError, RecursionError):
        return "…"


def _line(change: Change, longest: int) -> str:
    where = shortened(escaped(change.where), longest) or "the definition"
    if change.old is None:
        return f"{where}: added {shortened(change.new or '', longest)}"
    if change.new is None:
        return f"{where}: removed {shortened(change.old, longest)}"
    old, new = _excerpts(change.old, change.new, longest)
    return f"{where}: {old} → {new}"


def _excerpts(old: str, new: str, longest: int) -> tuple[str, str]:
    """Cut two long texts so that the place where they part can be seen."""
    if max(len(old), len(new)) <= longest:
        return old, new
    same = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), len(old))
    begin = max(0, min(same, len(old), len(new)) - CONTEXT)
    lead = "…" if begin else ""
    return tuple(lead + shortened(text[begin:], longest) for text in (old, new))  # type: ignore[return-value]
