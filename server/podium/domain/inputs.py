"""What callers hand in, before anything is done with it: checked, never trusted."""

from collections.abc import Mapping
from typing import Any

from podium.domain.errors import InvalidParamsError, RequestInvalidError
from podium.domain.values import json_fault


def json_object(name: str, value: Any) -> dict[str, Any]:
    """Return params, arguments or context as a dict of their own.

    Raises:
        InvalidParamsError: it is no JSON object.

    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidParamsError(f"{name} should be an object, not {type(value).__name__}")
    if fault := json_fault(value, name):
        raise InvalidParamsError(
            fault, hint="give texts, numbers, true, false, null, lists, objects"
        )
    return dict(value)


def refuse_strange_ids(*ids: Any) -> None:
    """Refuse ids, names and comments that are neither text nor left out.

    Raises:
        RequestInvalidError: one is something else.

    """
    strange = [value for value in ids if not isinstance(value, str | None)]
    if strange:
        raise RequestInvalidError(f"an id should be a text, not {strange[0]!r:.50}")


def text_or_empty(value: Any) -> str:
    """Return a text as it is, and "" for anything else."""
    return value if isinstance(value, str) else ""
