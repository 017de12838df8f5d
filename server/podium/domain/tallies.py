"""Counts of what ran, made to be added: in any order and grouping they come to the same.

A histogram has fixed logarithmic buckets, so that two of them merge exactly and it never grows
beyond `BUCKETS`; a percentile read from it is off by at most half a bucket (about 9 %).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any, Literal, TypeVar

BUCKET_GROWTH = 2 ** (1 / 4)  # each bucket ends 19 % above the one before
FIRST_BUCKET_MS = 0.1  # everything quicker is in the first bucket
BUCKETS = 120  # the last one begins at about a day

SubjectKind = Literal["composition", "step", "tool"]
_Key = TypeVar("_Key")


@dataclass(frozen=True, slots=True)
class Subject:
    """What is counted: a composition version, one of its steps, or a tool (of no version)."""

    kind: SubjectKind
    version: str
    name: str


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often a duration fell into each bucket; buckets that are empty are left out."""

    counts: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, durations_ms: Iterable[float]) -> "Histogram":
        """Return the histogram of some durations."""
        counts: dict[int, int] = {}
        for duration in durations_ms:
            bucket = bucket_of(duration)
            counts[bucket] = counts.get(bucket, 0) + 1
        return cls(counts)

    @property
    def total(self) -> int:
        """How many durations it holds."""
        return sum(self.counts.values())

    def percentile(self, share: float) -> float | None:
        """Return the duration in ms that a share (0 to 1) did not exceed; None without any."""
        wanted = max(1, math.ceil(share * self.total))
        seen = 0
        for bucket, count in sorted(self.counts.items()):
            seen += count
            if seen >= wanted:
                return bucket_ms(bucket)
        return None


def bucket_of(duration_ms: float) -> int:
    """Return the number of the bucket that a duration falls into."""
    if not duration_ms > FIRST_BUCKET_MS:  # NaN as well
        return 0
    exact = math.log(duration_ms / FIRST_BUCKET_MS) / math.log(BUCKET_GROWTH)
    return math.ceil(min(BUCKETS - 1, exact))


def bucket_ms(bucket: int) -> float:
    """Return the duration that stands for a bucket: its middle, as ratios go."""
    return float(FIRST_BUCKET_MS * BUCKET_GROWTH ** (bucket - 0.5 if bucket else 0))


@dataclass(frozen=True, slots=True)
class Tally:
    """What is known of one subject over its lifetime.

    `uncounted` runs say nothing about it (cancelled, input missing, an outage of a tool). `calls`
    are tool calls, attempts included; `rounds` those of loops, one for each run without a loop;
    `tokens` about what a model reads of the results. `calls_saved` and `tokens_saved` are against
    the trace that a composition came from. `errors` counts error codes.
    """

    runs: int = 0
    successes: int = 0
    failures: int = 0
    uncounted: int = 0
    calls: int = 0
    rounds: int = 0
    tokens: int = 0
    retries: int = 0
    cache_hits: int = 0
    calls_saved: int = 0
    tokens_saved: int = 0
    durations: Histogram = field(default_factory=Histogram)
    errors: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def total(cls, tallies: Sequence["Tally"]) -> "Tally":
        """Return the sum of one or more tallies."""
        if len(tallies) == 1:
            return tallies[0]
        columns = zip(*map(_counts_of, tallies), strict=True)
        return cls(
            **dict(zip(COUNTS, map(sum, columns), strict=True)),
            durations=Histogram(_summed([tally.durations.counts for tally in tallies])),
            errors=_summed([tally.errors for tally in tallies]),
        )

    @property
    def success_rate(self) -> float | None:
        """Successes among the runs that count; None without any."""
        counted = self.successes + self.failures
        return self.successes / counted if counted else None

    def to_dict(self) -> dict[str, Any]:
        """Return the public form."""
        rate = self.success_rate
        return {
            **{name: getattr(self, name) for name in COUNTS},
            "success_rate": None if rate is None else round(rate, 4),
            "p50_ms": _rounded(self.durations.percentile(0.5)),
            "p95_ms": _rounded(self.durations.percentile(0.95)),
            "errors": dict(sorted(self.errors.items())),
        }


COUNTS = tuple(f.name for f in fields(Tally) if f.name not in {"durations", "errors"})
"""The plain counts of a tally, in the order in which they are kept."""

_counts_of = attrgetter(*COUNTS)

Delta = Mapping[Subject, Tally]
"""What one or more executions add to the counts."""


def merged(deltas: Iterable[Delta]) -> dict[Subject, Tally]:
    """Return the sum of deltas."""
    parts: dict[Subject, list[Tally]] = {}
    for delta in deltas:
        for subject, tally in delta.items():
            parts.setdefault(subject, []).append(tally)
    return {subject: Tally.total(tallies) for subject, tallies in parts.items()}


def _summed(parts: Sequence[Mapping[_Key, int]]) -> dict[_Key, int]:
    total: dict[_Key, int] = {}
    for counts in parts:
        for key, count in counts.items():
            total[key] = total.get(key, 0) + count
    return {key: count for key, count in total.items() if count}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
