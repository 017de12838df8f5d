"""A result to whether it says anything: no, zero, and lists without elements do not."""

from typing import Any


def is_void(value: Any) -> bool:
    """Return whether a JSON value says nothing.

    Beside a list, numbers and single words say how and where it was looked for, not what was found.
    """
    if isinstance(value, dict):
        parts = list(value.values())
        if any(isinstance(part, list) for part in parts):
            parts = [part for part in parts if not _is_word(part)]
        return all(map(is_void, parts))
    if isinstance(value, list):
        return all(map(is_void, value))
    return not value or (isinstance(value, str) and value.strip() in ("", "0"))


def _is_word(value: Any) -> bool:
    return not isinstance(value, dict | list) and len(str(value).split()) < 2
