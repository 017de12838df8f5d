"""A request that was answered before: what learning from one's own use begins with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MAX_PAST_REQUESTS = 2_000  # that are looked at; older ones say little about how people ask now


@dataclass(frozen=True, slots=True)
class PastRequest:
    """How somebody asked for something that was then done, with the params it was done with."""

    text: str
    intent_type: str
    params: Mapping[str, Any] = field(default_factory=dict)
