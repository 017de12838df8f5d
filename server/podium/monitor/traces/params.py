"""The params of a composition in the making: what varies and comes from nowhere else."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from podium.domain.composition import ITERATION_VARIABLES
from podium.mapping.references import MISSING
from podium.monitor.schemas import schema_of
from podium.monitor.traces.values import bits, same
from podium.text.clean import printable, shortened

DESCRIPTION_CHARACTERS = 300
_KEPT = ("type", "format", "enum", "description", "items", "pattern", "minimum", "maximum")
_TAKEN = ITERATION_VARIABLES | {"context", "previous", "error"}
_ENOUGH = 8.0  # bits; two arguments with one such value mean the same thing


@dataclass(slots=True)
class Param:
    """One param: its value in each trace where a call took it.

    `is_optional`: a call was made without it. (Where a list was empty, nothing took it either.)
    """

    name: str
    values: dict[int, Any]
    schema: dict[str, Any]
    is_asked: bool = False
    default: Any = MISSING
    argument: str = ""
    is_optional: bool = False


class Params:
    """All params, with what expressions of each trace see of them."""

    def __init__(self, traces: int, taken: Iterable[str], fields: Iterable[str]) -> None:
        self.views: list[dict[str, Any]] = [{} for _ in range(traces)]
        self._taken = {*taken, *_TAKEN}
        self._fields = frozenset(fields)
        self.all: dict[str, Param] = {}

    def add(
        self,
        argument: str,
        values: Mapping[int, Any],
        schema: Mapping[str, Any] | None,
        *,
        is_asked: bool = False,
        is_optional: bool = False,
        default: Any = MISSING,
    ) -> str:
        """Return the name of the param with these values; made if there is none."""
        for known in self.all.values():
            if self._is_same(known, argument, values):
                known.is_asked = known.is_asked or is_asked
                return known.name
        name = self._name(argument, is_optional=is_optional)
        own = {key: (schema or {})[key] for key in _KEPT if key in (schema or {})}
        if isinstance(own.get("description"), str):  # an upstream's words, shown to clients
            own["description"] = shortened(printable(own["description"]), DESCRIPTION_CHARACTERS)
        if "type" not in own and "enum" not in own:
            own = {**schema_of(list(values.values())), **own}
        self.all[name] = Param(name, dict(values), own, is_asked, default, argument, is_optional)
        for trace, value in values.items():
            self.views[trace][name] = value
        return name

    def rollback(self, names: set[str]) -> None:
        """Forget every param but these."""
        for name in [name for name in self.all if name not in names]:
            del self.all[name]
            for view in self.views:
                view.pop(name, None)

    def _is_same(self, known: Param, argument: str, values: Mapping[int, Any]) -> bool:
        if known.values.keys() != values.keys():
            return False
        if not all(same(known.values[trace], value) for trace, value in values.items()):
            return False
        return known.argument == argument or _evidence(values.values()) >= _ENOUGH

    def _name(self, argument: str, *, is_optional: bool) -> str:
        base = re.sub(r"\W+", "_", argument, flags=re.ASCII).strip("_") or "value"
        base = f"p_{base}" if base[0].isdigit() else base[:48]
        # An optional param that is not given would otherwise mean a field of an earlier result.
        refused = self._taken | self.all.keys() | (self._fields if is_optional else set())
        names = [base, f"{base}_param", *(f"{base}_{number}" for number in range(2, 1_000))]
        return next(name for name in names if name not in refused)


def _evidence(values: Iterable[Any]) -> float:
    seen: list[Any] = []
    for value in values:
        if not any(same(value, other) for other in seen):
            seen.append(value)
    return sum(bits(value) for value in seen)
