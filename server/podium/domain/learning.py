"""What is known of a composition that is being watched, and the words for what comes of it."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from podium.domain.composition import CompositionStatus
from podium.domain.profiles import profile_of
from podium.domain.tallies import Delta, Subject, Tally

Verdict = Literal["success", "failure", "uncounted"]
Rating = Literal["good", "bad"]
Hold = Literal["", "pinned", "forbidden"]
"""What a person decided: pinned keeps its status and comes first, forbidden is never played."""
ChangeKind = Literal[
    "promoted", "demoted", "archived", "returned", "relearning", "paused", "resumed", "repaired",
    "edited", "rolled_back", "held", "released",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class LearningRules:
    """When a composition is promoted, withdrawn, paused.

    `promotion_confidence` is one-sided; 0 takes the bare success rate. `window` are the latest
    counted runs that a demotion looks at. `closing_successes` in a row end a pause.
    `unproven_share` is the most of an intent's traffic that compositions on trial get while a
    proven one can answer.
    """

    min_success_rate: float = 0.7
    min_executions: int = 5
    promotion_confidence: float = 0.8
    window: int = 20
    pausing_failures: int = 3
    first_pause_seconds: float = 60.0
    longest_pause_seconds: float = 3_600.0
    closing_successes: int = 2
    archiving_demotions: int = 2
    unproven_share: float = 0.1
    is_enabled: bool = True  # false: everything is counted and nothing moves by itself


@dataclass(frozen=True, slots=True)
class Run:
    """One counted run; `at` in seconds since the epoch."""

    execution_id: str
    is_success: bool
    at: float


@dataclass(frozen=True, slots=True)
class Pause:
    """Why nothing is played for now: the next probe may go at `until`."""

    until: float
    wait_seconds: float
    successes: int = 0


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the trace that a composition came from had cost: tool calls of the client, tokens."""

    calls: int = 0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Health:
    """What decides about one version of a composition.

    `meaning` is the hash of what its file says, `tools` the hash of each tool's definition;
    `version` is made of both. `successes` and `failures` count since it began to prove itself
    (`since`), `window` are its latest runs, oldest first. The weights are the same counts with the
    past fading out. `demotions` are those of this composition, over all its versions.
    """

    composition_id: str
    version: str
    meaning: str
    tools: Mapping[str, str]
    status: CompositionStatus
    since: float
    successes: int = 0
    failures: int = 0
    weight_successes: float = 0.0
    weight_failures: float = 0.0
    window: tuple[Run, ...] = ()
    pause: Pause | None = None
    demotions: int = 0
    hold: Hold = ""
    baseline: Baseline | None = None

    @property
    def failures_in_a_row(self) -> int:
        """How many of the latest runs failed without a success between them."""
        count = 0
        for run in reversed(self.window):
            if run.is_success:
                break
            count += 1
        return count

    def reset(self, now: float) -> "Health":
        """Return it with everything to prove again."""
        return replace(
            self, since=now, successes=0, failures=0, weight_successes=0.0, weight_failures=0.0,
            window=(), pause=None,
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON, which `from_dict` reads."""
        # Written after every run; `asdict` copies deeply, which takes ten times as long.
        plain = {each.name: getattr(self, each.name) for each in fields(self)}
        return {
            **plain,
            "tools": dict(self.tools),
            "window": [
                {"execution_id": r.execution_id, "is_success": r.is_success, "at": r.at}
                for r in self.window
            ],
            "pause": asdict(self.pause) if self.pause else None,
            "baseline": asdict(self.baseline) if self.baseline else None,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Health":
        """Return what `to_dict` wrote.

        Raises:
            TypeError, KeyError: it is something else.

        """
        parts = dict(data)
        parts["window"] = tuple(Run(**run) for run in parts["window"])
        parts["pause"] = Pause(**parts["pause"]) if parts["pause"] else None
        parts["baseline"] = Baseline(**parts["baseline"]) if parts["baseline"] else None
        return cls(**parts)


@dataclass(frozen=True, slots=True)
class Change:
    """Something decided about a composition, and the evidence for it.

    `from_status` and `to_status` differ when its file moves. `by` is "rules" or who asked for it.
    `number` is its place in the record of changes, 0 before it is there.
    """

    kind: ChangeKind
    composition_id: str
    version: str
    from_status: CompositionStatus
    to_status: CompositionStatus
    at: float
    reason: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    by: str = "rules"
    number: int = 0

    @property
    def is_move(self) -> bool:
        """Whether the file has to go to another folder."""
        return self.from_status != self.to_status

    def to_dict(self) -> dict[str, Any]:
        """Return the public form."""
        return {**asdict(self), "evidence": dict(self.evidence)}


Decision = tuple[Health | None, tuple[Change, ...]]
Decide = Callable[[Health | None], Decision]
"""A rule: the health as it is on record (None: nothing is) to what it becomes, and the changes."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one execution adds; `delta` is everything it counts, `user_key` stands for its user."""

    execution_id: str
    composition_id: str
    version: str
    verdict: Verdict
    at: float
    delta: Delta
    code: str = ""
    duration_ms: float | None = None
    user_key: str = ""


@dataclass(frozen=True, slots=True)
class Counted:
    """An execution as it was counted, with what a person said about it (`rating`, "" nothing).

    `measured` is the verdict before anybody said anything.
    """

    execution_id: str
    composition_id: str
    version: str
    verdict: Verdict
    at: float
    user_key: str = ""
    rating: Rating | Literal[""] = ""
    is_redone: bool = False
    measured: Verdict = "success"
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Recent:
    """One of the latest runs of a subject."""

    execution_id: str
    verdict: Verdict
    code: str
    duration_ms: float | None
    at: float


@dataclass(frozen=True, slots=True)
class Lifetime:
    """A subject with all its counts and its latest runs, newest first."""

    subject: Subject
    tally: Tally
    recent: tuple[Recent, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the public form: lifetime counts, and the recent window beside them."""
        counted = [run for run in self.recent if run.verdict != "uncounted"]
        successes = sum(run.verdict == "success" for run in counted)
        return {
            "kind": self.subject.kind,
            "name": self.subject.name,
            "version": self.subject.version,
            **self.tally.to_dict(),
            "profile": profile_of(self.tally).to_dict(),
            "recent": {
                "runs": len(self.recent),
                "successes": successes,
                "failures": len(counted) - successes,
                "success_rate": round(successes / len(counted), 4) if counted else None,
                "codes": [run.code for run in self.recent],
            },
        }


@dataclass(frozen=True, slots=True)
class ShelvedVersion:
    """One kept version of a composition; `text` is its file's content, `meaning` its hash."""

    composition_id: str
    number: int
    at: float
    status: CompositionStatus
    reason: str
    meaning: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    text: str = field(default="", repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the public form, without the text."""
        return {
            "composition_id": self.composition_id,
            "number": self.number,
            "at": self.at,
            "status": self.status,
            "reason": self.reason,
            "meaning": self.meaning,
            "evidence": dict(self.evidence),
        }


def user_key(user_id: str) -> str:
    """Return what stands for a user on record, which does not say who it was."""
    if not user_id:
        return ""
    return hashlib.sha256(user_id.encode("utf-8", "surrogatepass")).hexdigest()
