"""What may pass through Podium as data: JSON, and nothing else."""

import math
from collections.abc import Mapping
from typing import Any

from podium.domain.tool import MAX_DEPTH


def json_fault(value: Any, where: str, levels: int = MAX_DEPTH) -> str | None:
    """Return what keeps a value from being JSON, with its place; None when nothing does."""
    if value is None or isinstance(value, str | bool | int):
        return None
    if isinstance(value, float):
        return None if math.isfinite(value) else f"{where}: {value} is no JSON number"
    if levels == 0:
        return f"{where}: is nested deeper than {MAX_DEPTH} levels"
    if isinstance(value, Mapping):
        for key, part in value.items():
            if not isinstance(key, str):
                return f"{where}: the key {key!r:.50} is no text"
            if fault := json_fault(part, f"{where}.{key}", levels - 1):
                return fault
        return None
    if isinstance(value, list | tuple):
        faults = (json_fault(part, f"{where}[{i}]", levels - 1) for i, part in enumerate(value))
        return next((fault for fault in faults if fault), None)
    return f"{where}: {type(value).__name__} is no JSON value"
