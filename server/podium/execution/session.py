"""One execution while it runs: what its steps share, and where each of them is played."""

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio

from podium.domain.composition import Plan, PlannedStep, Step, Strategy
from podium.domain.execution import Execution, Question, StepRecord
from podium.domain.limits import Limits
from podium.domain.ports import Asker, Clock, Plans, Profiles, Upstreams
from podium.domain.profiles import Profile
from podium.domain.tool import Tool, ToolResult
from podium.execution import policy
from podium.execution.binding import Binder, Spot
from podium.execution.deadlines import TimeLimit
from podium.execution.joins import Join
from podium.execution.memory import Memory
from podium.execution.pool import Pool
from podium.execution.recorder import Recorder
from podium.execution.reporting import Reporter
from podium.execution.reuse import Reuse
from podium.execution.scope import Blocks, Bound, FrameNames, Scope, names_of
from podium.execution.spans import Spans
from podium.execution.stops import Stop
from podium.mapping.expressions import Evaluator

MOST_PATHS = 1_000  # in `went_without` and `wrote`; the rounds of a loop may be many


@dataclass(frozen=True, slots=True)
class RunnerSettings:
    """What the configuration says about playing compositions.

    `strategy_limits` are the calls of one execution at once, by strategy; `process_slots` those of
    all executions and of direct calls together.
    """

    execution_seconds: float = 30.0
    is_parallel: bool = True
    max_retries: int = 3  # after the first attempt; 0 switches retrying off
    ask_wait_seconds: float = 120.0  # for a person's answer; 0 = never wait, suspend at once
    strategy_limits: Mapping[str, int] = field(default_factory=lambda: policy.STRATEGY_LIMITS)
    process_slots: int = 64
    max_depth: int = 5  # levels of sub-compositions below the one that was asked for
    max_steps: int = 10  # of a composition and the sub-compositions it plays; rounds count once
    retry_budget: int = policy.RETRY_BUDGET  # retries of one execution together
    default_cache_seconds: float = 300.0  # of `cache: true` where nothing else says how long


@dataclass(frozen=True, slots=True)
class Outside:
    """The ports that steps need, and the bounds that hold for every execution."""

    upstreams: Upstreams
    evaluator: Evaluator
    recorder: Recorder
    clock: Clock
    limits: Limits
    settings: RunnerSettings
    random: random.Random
    pool: Pool
    plans: Plans | None
    reuse: Reuse
    cache_seconds: Callable[[Tool], float | None]
    on_result: Callable[[Tool, ToolResult], None]
    profiles: Profiles | None = None  # None: nothing is known of how long calls take

    def profile(self, tool: Tool) -> Profile | None:
        """Return what is known of the calls of a tool."""
        return self.profiles.of_tool(tool.full_name) if self.profiles is not None else None

    def width(self, strategy: Strategy | None) -> int:
        """Return how many calls of a composition may be out at once, as things are now."""
        return policy.width(
            strategy,
            self.settings.strategy_limits,
            self.pool.room if strategy == "auto" else 0.0,
            is_parallel=self.settings.is_parallel,
        )


@dataclass(slots=True, eq=False)
class Part:
    """A composition while it is played: the one that was asked for, or one that a step plays."""

    plan: Plan
    binder: Binder
    pool: Pool
    depth: int = 0
    keeps_undo: bool = False  # some composition around says `undo: true`
    _names: dict[int, FrameNames] = field(default_factory=dict)

    def names(self, steps: tuple[PlannedStep, ...]) -> FrameNames:
        """Return the names that the steps of a frame give; found once for all rounds."""
        found = self._names.get(id(steps))
        if found is None:
            found = self._names[id(steps)] = names_of(steps)
        return found


PlayFrame = Callable[["Inside", tuple[PlannedStep, ...], Join | None], Awaitable[None]]


@dataclass(slots=True, eq=False)
class Session:
    """What all steps of one execution share."""

    outside: Outside
    execution: Execution
    context: Mapping[str, Any]
    reporter: Reporter
    spans: Spans
    budget: policy.RetryBudget
    memory: Memory
    play_frame: PlayFrame
    own_steps: tuple[Step, ...]
    asker: Asker | None = None
    answers: dict[str, Any] = field(default_factory=dict)
    is_kept: bool = False  # a checkpoint may be made of it
    questions: dict[str, Question] = field(default_factory=dict)
    in_doubt: dict[str, None] = field(default_factory=dict)  # to be asked about
    doubts: dict[str, None] = field(default_factory=dict)  # all, with those that it went on with
    wrote: dict[str, None] = field(default_factory=dict)  # paths of calls that changed something
    went_without: dict[str, None] = field(default_factory=dict)
    files: list[dict[str, Any]] = field(default_factory=list)
    steps_by_part: dict[str, int] = field(default_factory=dict)
    undo_count: int = 0
    is_anybody_there: bool = True
    asking: anyio.Lock = field(default_factory=anyio.Lock)

    def go_without(self, path: str) -> None:
        """Take note of a failed step that the execution goes on without."""
        if len(self.went_without) < MOST_PATHS:
            self.went_without[path] = None

    def note_write(self, path: str) -> None:
        """Take note of a call that has changed something."""
        if len(self.wrote) < MOST_PATHS:
            self.wrote[path] = None

    def note_doubt(self, path: str) -> None:
        """Take note of a write whose outcome nobody knows."""
        self.in_doubt[path] = self.doubts[path] = None

    def end_doubt(self, path: str) -> None:
        """Forget a doubt: a person has looked, and it is made again or taken as done."""
        del self.in_doubt[path], self.doubts[path]

    def drop_questions(self, prefix: str) -> None:
        """Forget what was asked inside a place that is over."""
        self.questions = {p: q for p, q in self.questions.items() if not p.startswith(prefix)}

    def settle_doubt(self, path: str) -> None:
        """Go on in spite of writes in doubt at or inside a path; they stay on record."""
        for doubtful in list(self.in_doubt):
            if is_inside(doubtful, path):
                del self.in_doubt[doubtful]
                self.go_without(doubtful)


@dataclass(slots=True, eq=False)
class Inside:
    """Where the steps of a frame are played: in a composition, a block, or a round of one."""

    session: Session
    part: Part
    prefix: str  # of the paths of its steps
    scope: Scope
    bound: Bound
    memory: Memory
    limit: TimeLimit
    stop: Stop
    is_round: bool = False  # then its steps have no records in `Execution.steps`
    doubtful: set[str] = field(default_factory=set)  # the block's own


@dataclass(slots=True, eq=False)
class Site:
    """Where one step is played, and how it goes.

    `out` are the paths of the writes whose answer is still to come, or never came because the call
    was broken off; `doubtful` those that failed in a way that may have changed something, inside a
    block too.
    """

    inside: Inside
    spot: Spot
    record: StepRecord
    memory: Memory
    limit: TimeLimit
    stop: Stop
    out: set[str] = field(default_factory=set)
    doubtful: set[str] = field(default_factory=set)
    began: float | None = None

    @property
    def session(self) -> Session:
        """The execution."""
        return self.inside.session

    @property
    def part(self) -> Part:
        """The composition it belongs to."""
        return self.inside.part

    @property
    def binder(self) -> Binder:
        """What evaluates its expressions."""
        return self.inside.part.binder

    @property
    def path(self) -> str:
        """Its path in the execution."""
        return self.spot.path

    @property
    def place(self) -> str:
        """How errors name it."""
        return self.inside.part.binder.place(self.spot.path)

    @property
    def is_in_doubt(self) -> bool:
        """Whether something may have been changed without a word about it."""
        return bool(self.doubtful or self.out)

    def settle(self, path: str) -> None:
        """Go on in spite of writes in doubt at or inside a path."""
        self.session.settle_doubt(path)
        self.doubtful -= {doubtful for doubtful in self.doubtful if is_inside(doubtful, path)}
        self.out -= {path}

    def begin(self) -> None:
        """Begin the step's time, once; waiting for a slot before is not its fault."""
        if self.began is None:
            self.began = self.session.outside.clock.monotonic()
        self.limit.begin()

    def frame(
        self,
        steps: tuple[PlannedStep, ...],
        *,
        stop: Stop,
        scope: Scope | None = None,
        bound: Bound | None = None,
        key: str = "",
    ) -> Inside:
        """Return where a body of this block is played; with a `key` (`[3]`), in that round."""
        names = self.part.names(steps)
        return Inside(
            session=self.session,
            part=self.part,
            prefix=f"{self.spot.path}{key}.",
            scope=(scope or self.spot.scope).inside(names),
            bound=self.spot.bound if bound is None else bound,
            memory=self.memory.at(key) if key else self.memory,
            limit=self.limit,
            stop=stop,
            is_round=self.inside.is_round or bool(key),
            doubtful=self.doubtful,
        )


def is_inside(path: str, around: str) -> bool:
    """Return whether a path is another one, or leads into it."""
    return path.startswith(around) and path[len(around) : len(around) + 1] in ("", ".", "[")


@dataclass(slots=True)
class Result:
    """What a step gives."""

    value: Any
    blocks: Blocks = ()
    mapped: dict[str, Any] | None = None  # None: of its `output_mapping` over the value
