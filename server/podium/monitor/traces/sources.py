"""What an argument could have been made of: the values in sight of a call, found by what they are.

One `HeadIndex` is made per result and shared by all later calls. Everything in it is bounded: of a
result of megabytes the first leaves count, in breadth, and lists beyond `MOST_ELEMENTS` are
reached through filters and projections only.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from podium.mapping.functions.dates import to_date
from podium.mapping.references import MISSING
from podium.monitor.traces.hypotheses import Hypothesis, follow, project, reference
from podium.monitor.traces.values import Path, canonical, fold_key, leaves

MOST_LEAVES = 4_000  # of one result
MOST_ELEMENTS = 60  # of one list, by their number; nobody means the 61st
MOST_CONTAINERS = 800  # of one result
CONTAINER_CHARACTERS = 200_000  # of one list or object that is compared as a whole
LONGEST_SEARCHED = 200_000  # characters of a text that pieces are looked for in
MOST_CHAINS = 200  # fields of lists, of one result
LONGEST_PIECE = 400  # characters of a text that is looked for inside others
_DATE_CHARACTERS = 40


@dataclass(slots=True)
class HeadIndex:
    """The values of one result (or param, or element), by what they look like."""

    exact: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))
    folded: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))
    dates: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))
    texts: list[tuple[Path, str]] = field(default_factory=list)
    chains: list[tuple[Path, list[Any]]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def kind_of(value: Any) -> str:
    """Return which values a value can be mistaken for: truth values, numbers, or texts."""
    while isinstance(value, dict | list) and value:
        value = next(iter(value.values())) if isinstance(value, dict) else value[0]
    if isinstance(value, bool):
        return "truth"
    return "number" if isinstance(value, int | float) else "text"


def index_of(value: Any) -> HeadIndex:
    """Return the index of one value."""
    index = HeadIndex()
    for path, leaf in leaves(value, MOST_LEAVES):
        if any(isinstance(stage, int) and stage >= MOST_ELEMENTS for stage in path):
            continue
        index.counts[kind_of(leaf)] += 1
        index.exact[canonical(leaf)].append(path)
        if leaf is None or isinstance(leaf, bool):
            continue
        if isinstance(leaf, str):
            if 0 < len(leaf) <= LONGEST_PIECE:
                index.folded[fold_key(leaf)].append(path)
            if 0 < len(leaf) <= LONGEST_SEARCHED:
                index.texts.append((path, leaf))
        elif isinstance(leaf, int | float):
            index.folded[fold_key(str(leaf))].append(path)
            index.texts.append((path, str(leaf)))
        if (day := date_key(leaf)) is not None:
            index.dates[day].append(path)
    _add_containers(index, value)
    return index


def date_key(value: Any) -> str | None:
    """Return the day a value tells, as ISO text; None when it tells none."""
    if isinstance(value, int) and not isinstance(value, bool) and value < 10**9:
        return None
    if not isinstance(value, str | int) or isinstance(value, bool):
        return None
    if isinstance(value, str) and not (
        6 <= len(value) <= _DATE_CHARACTERS and any(map(str.isdigit, value))
    ):
        return None
    try:
        day = to_date(value, "%Y-%m-%d")
    except (ValueError, OverflowError):
        return None
    return day


def _add_containers(index: HeadIndex, value: Any) -> None:
    if not isinstance(value, dict | list):
        return
    waiting: deque[tuple[Path, Any]] = deque([((), value)])
    count = 0
    while waiting and count < MOST_CONTAINERS:
        path, part = waiting.popleft()
        count += 1
        # Its length is guessed first: writing each of 800 nested lists would take too long.
        if part and _size(part, CONTAINER_CHARACTERS // 20) < CONTAINER_CHARACTERS // 20:
            index.exact[canonical(part)].append(path)
        pairs = part.items() if isinstance(part, dict) else enumerate(part[:MOST_ELEMENTS])
        waiting.extend(((*path, key), item) for key, item in pairs if isinstance(item, dict | list))
    _add_chains(index, (), value)


def _size(value: Any, most: int) -> int:
    """Return how many scalars a value holds, counted up to a bound."""
    count, waiting = 0, [value]
    while waiting and count < most:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
        count += 1
    return count


def _add_chains(index: HeadIndex, path: Path, value: Any) -> None:
    """Add every list that a path of fields leads to, lists in lists spread out."""
    waiting: deque[tuple[Path, list[Any], bool]] = deque([(path, [value], False)])
    while waiting and len(index.chains) < MOST_CHAINS:
        here, values, is_many = waiting.popleft()
        spread: list[Any] = []
        has_list = is_many
        for part in values:
            if isinstance(part, list):
                has_list = True
                spread.extend(part)
            else:
                spread.append(part)
        if has_list:
            index.chains.append((here, spread))
            if not is_many and spread:  # the lists inside its first element, by themselves
                waiting.append(((*here, 0), [spread[0]], False))
        names = dict.fromkeys(
            key for part in spread[:MOST_ELEMENTS] if isinstance(part, dict) for key in part
        )
        for name in islice(names, MOST_CHAINS):
            inner = [part[name] for part in spread if isinstance(part, dict) and name in part]
            if any(isinstance(part, dict | list) for part in inner) or has_list:
                waiting.append(((*here, name), inner, has_list))


class Sources:
    """Everything in sight of one call, by head: `search`, `$item`, `read[$i]`, params."""

    def __init__(
        self,
        view: Mapping[str, Any],
        indexes: Mapping[str, HeadIndex],
        recency: Mapping[str, float],
    ) -> None:
        self.view = view
        self.indexes = indexes
        self._recency = recency

    def count_like(self, value: Any) -> int:
        """Return how many values there are that a value could be equal to by chance."""
        kind = kind_of(value)
        return sum(index.counts[kind] for index in self.indexes.values())

    def exact(self, value: Any) -> Iterator[tuple[str, Path]]:
        """Yield where an equal value stands."""
        key = canonical(value)
        for head, index in self.indexes.items():
            for path in index.exact.get(key, ()):
                yield head, path

    def folded(self, text: str) -> Iterator[tuple[str, Path]]:
        """Yield where a value of the same letters and digits stands."""
        key = fold_key(text)
        for head, index in self.indexes.items():
            for path in index.folded.get(key, ()) if key else ():
                yield head, path

    def dates(self, value: Any) -> Iterator[tuple[str, Path]]:
        """Yield where the same day stands."""
        day = date_key(value)
        for head, index in self.indexes.items():
            for path in index.dates.get(day, ()) if day else ():
                yield head, path

    def moments(self) -> Iterator[tuple[str, Path]]:
        """Yield where any day stands."""
        for head, index in self.indexes.items():
            for paths in index.dates.values():
                for path in paths:
                    yield head, path

    def texts(self) -> Iterator[tuple[str, Path, str]]:
        """Yield every text and number, as text."""
        for head, index in self.indexes.items():
            for path, text in index.texts:
                yield head, path, text

    def chains(self) -> Iterator[tuple[str, Path, list[Any]]]:
        """Yield every list, those that a field of each element makes included."""
        for head, index in self.indexes.items():
            for path, values in index.chains:
                yield head, path, values

    def recency_cost(self, head: str) -> float:
        """Return what speaks against an older result, in bits."""
        return self._recency.get(head, 0.0)

    def refer(self, head: str, path: Path) -> Hypothesis:
        """Return the reference to a place."""
        return reference(head, path, self.recency_cost(head))

    def value_at(self, head: str, path: Path) -> Any:
        """Return what stands at a place."""
        return follow(self.view.get(head, MISSING), path)


__all__ = ["HeadIndex", "Sources", "date_key", "index_of", "project"]
