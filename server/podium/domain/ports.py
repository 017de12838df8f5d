"""What the stages need from the outside world; adapters satisfy it without inheriting."""

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from podium.domain.composition import CompositionStatus, Plan
from podium.domain.conversation import Conversation
from podium.domain.errors import StatisticsError
from podium.domain.execution import Checkpoint, Event, Execution, Question, StepRecord
from podium.domain.learning import (
    Change,
    Counted,
    Decide,
    Decision,
    Entry,
    Health,
    Lifetime,
    ShelvedVersion,
)
from podium.domain.past import PastRequest
from podium.domain.profiles import Profile
from podium.domain.relay import Message, UpstreamChange
from podium.domain.synthesis import PastPlan, WritingTask
from podium.domain.tallies import Delta, Subject, Tally
from podium.domain.tool import Pin, Tool, ToolMatch, ToolResult, UpstreamStatus

ProgressCallback = Callable[[float, float | None, str | None], Awaitable[None]]
"""Called with (progress, total, message) as an upstream reports them."""

EventListener = Callable[[Event], Awaitable[None]]
"""Called with each event of an execution; what it raises is logged and otherwise ignored."""


NO_ANSWER: Any = type("NoAnswer", (), {"__repr__": lambda _: "NO_ANSWER"})()
"""What an `Asker` returns when there is no answer."""


class Clock(Protocol):
    """Time, so that tests can set it."""

    def now(self) -> float:
        """Return wall-clock seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never jump; for durations and deadlines."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class Ids(Protocol):
    """Fresh identifiers."""

    def new(self, prefix: str) -> str:
        """Return an unguessable id such as `exec_…` (at least 128 random bits)."""
        ...


class Upstreams(Protocol):
    """The MCP servers that Podium calls."""

    def server_ids(self) -> tuple[str, ...]:
        """Return every configured upstream that is not disabled, in file order."""
        ...

    async def tool(self, server_id: str, tool_id: str) -> Tool:
        """Return a tool's definition, starting its upstream if need be.

        Raises:
            UnknownServerError: no such upstream (the nearest name is in the hint).
            UnknownToolError: the upstream offers no such tool, or it is quarantined.
            UpstreamError: the upstream cannot be started.

        """
        ...

    async def call_tool(
        self,
        server_id: str,
        tool_id: str,
        arguments: dict[str, Any],
        *,
        timeout_seconds: float | None = None,
        on_progress: ProgressCallback | None = None,
    ) -> ToolResult:
        """Call a tool, starting its upstream if need be; an `isError` result is no exception.

        Cancelling the caller cancels the call at the upstream.

        Raises:
            UnknownServerError, UnknownToolError: as `tool`.
            UpstreamError: a subclass says what went wrong and whether the call was sent.
            ArgumentInvalidError: the arguments cannot be written as JSON; nothing was sent.

        """
        ...

    async def search(self, query: str, limit: int) -> list[ToolMatch]:
        """Return the tools that fit a query, best first, of every upstream that can be started.

        An empty query lists all tools, by server in file order, then as the server lists them.
        """
        ...

    async def start_all(self) -> None:
        """Start every upstream concurrently; return when each is ready or has failed."""
        ...

    def statuses(self) -> list[UpstreamStatus]:
        """Return the state of every configured upstream, in file order."""
        ...


class Front(Protocol):
    """The client behind one request that is passed on, as far as an upstream may know it."""

    @property
    def session(self) -> str:
        """A name of the client's session; of the request itself where there are no sessions."""
        ...

    @property
    def is_modern(self) -> bool:
        """Whether the client speaks 2026-07-28, where nobody asks it anything directly."""
        ...

    @property
    def principal(self) -> str:
        """Who has logged in; empty where nobody has to."""
        ...

    @property
    def capabilities(self) -> Mapping[str, Any]:
        """What the client offers, as it declared it."""
        ...

    @property
    def log_level(self) -> str | None:
        """The least severe log messages that the client wants; None if it did not say."""
        ...

    @property
    def home(self) -> "Front | None":
        """The client outside of any request, for as long as its session lasts."""
        ...

    async def ask(self, method: str, params: Message) -> Message:
        """Ask the client and return its answer.

        Raises:
            PeerError: it refused, or cannot be asked.

        """
        ...

    async def tell(self, method: str, params: Message) -> None:
        """Send the client a notification; one that is gone misses it."""
        ...


class Relay(Protocol):
    """The upstreams as clients see them through Podium: messages go both ways unchanged."""

    def server_ids(self) -> tuple[str, ...]:
        """Return every configured upstream that is not disabled, in file order."""
        ...

    async def request(
        self,
        server_id: str,
        method: str,
        params: Message,
        front: Front,
        on_progress: ProgressCallback | None = None,
    ) -> Message:
        """Pass a client's request on and return the result as it came.

        What the upstream asks meanwhile reaches the client: directly, or, where the client is
        modern, as an `input_required` result.

        Raises:
            PeerError: the upstream answered with a JSON-RPC error.
            PodiumError: it cannot be reached or used, and why.

        """
        ...

    async def listed(self, server_id: str, method: str) -> list[Message]:
        """Return all that an upstream lists; kept until it says that this changed.

        Raises:
            PodiumError: the upstream cannot be used.

        """
        ...

    async def watch(self, server_id: str, uri: str) -> None:
        """Have changes of a resource reported; every call wants its `unwatch`."""
        ...

    async def unwatch(self, server_id: str, uri: str) -> None:
        """Take one `watch` back."""
        ...

    def listen(self, listener: Callable[[UpstreamChange], None]) -> Callable[[], None]:
        """Have a listener called with every change; return what ends that."""
        ...

    def note_offer(self, capabilities: Mapping[str, Any]) -> None:
        """Take note of what a client offers, before any upstream is started for it."""
        ...

    async def tell(self, session: str, method: str, params: Message) -> None:
        """Pass a notification of a client on to the upstreams that know its session."""
        ...

    def leave(self, session: str) -> None:
        """Close what was opened for a client's session."""
        ...


class Journal(Protocol):
    """The record of executions."""

    async def record_execution(self, execution: Execution) -> None:
        """Write the execution's state, and each step's that is not yet written, lazily.

        That of one that still runs may be written a moment later, as it is then: nothing in it may
        be changed in place that is not to be written.
        """
        ...

    async def record_step(
        self, execution_id: str, step: StepRecord, *, durable: bool = False
    ) -> None:
        """Write one step's state; with `durable`, return only once it is committed.

        Without, a crash may lose it: what an execution has only read may be written a moment later,
        with its end at the latest.
        """
        ...

    async def get(self, execution_id: str) -> Execution | None:
        """Return one execution with its steps, or None."""
        ...

    async def recent(self, limit: int) -> list[Execution]:
        """Return the latest executions, newest first, with their steps."""
        ...


class PastRequests(Protocol):
    """What was asked before and came to a good end; a journal knows."""

    async def past_requests(self, limit: int) -> list[PastRequest]:
        """Return the latest requests that were answered, newest first.

        Raises:
            PodiumError: they cannot be read.

        """
        ...


class PastPlans(Protocol):
    """Which tools served what was asked before; a journal knows."""

    async def past_plans(self, limit: int) -> list[PastPlan]:
        """Return the latest requests that were served, newest first, with the tools of each.

        Raises:
            PodiumError: they cannot be read.

        """
        ...


class Conversations(Protocol):
    """What conversations know, by the person and the conversation; they survive a restart.

    Nobody reads another person's: the key is both ids, and anonymous callers share the user "".
    """

    async def load(self, user_id: str, conversation_id: str) -> tuple[Conversation, int]:
        """Return the state and its version; an empty one if there is none, or none any more.

        Raises:
            PodiumError: it cannot be read.

        """
        ...

    async def save(
        self, user_id: str, conversation_id: str, state: Conversation, version: int
    ) -> bool:
        """Keep the state that was made of this version; False if somebody else was quicker.

        The version is then one higher. Secrets are taken out of what is kept.

        Raises:
            PodiumError: it cannot be written.

        """
        ...

    async def sweep(self) -> int:
        """Forget what is too old or too much; return how many conversations that were."""
        ...


class Plans(Protocol):
    """The compositions that a step may play."""

    def plan(self, composition_id: str, params: Mapping[str, Any]) -> tuple[Plan, dict[str, Any]]:
        """Return the checked plan, and the params as its input schema wants them.

        Raises:
            UnknownCompositionError: there is none of this id.
            CompositionInvalidError: it cannot be played.
            InvalidParamsError: the params do not fit.

        """
        ...


class PlanWriter(Protocol):
    """A model that can write a plan; it keeps nothing between two tasks."""

    async def write(self, task: WritingTask) -> str:
        """Return what the model answers, as it came; the caller bounds the wait.

        Raises:
            PodiumError: it cannot be asked, or did not answer.

        """
        ...


class Asker(Protocol):
    """A way to ask the person while the execution waits."""

    async def __call__(self, question: Question) -> Any:
        """Return the answer; `NO_ANSWER` if there is nobody to ask, or who would not say.

        The caller bounds the wait. An answer that does not fit the schema is asked for again later.
        """
        ...


class Checkpoints(Protocol):
    """Unfinished executions that can be played on; they survive a restart."""

    async def save(self, checkpoint: Checkpoint) -> bool:
        """Keep it, on disk when this returns; False if it is too large or cannot be kept."""
        ...

    async def load(self, execution_id: str) -> Checkpoint | None:
        """Return it, or None if there is none (any more).

        Raises:
            JournalError: it cannot be read.

        """
        ...

    async def claim(self, execution_id: str) -> Checkpoint | None:
        """Take it to play it on, once; None if somebody else has (or it is gone).

        Raises:
            JournalError: it cannot be read; it is not taken then.

        """
        ...

    async def discard(self, execution_id: str) -> None:
        """Forget it."""
        ...


class ResultCache(Protocol):
    """Results of reads, for as long as they may be used again."""

    async def get(self, key: str) -> ToolResult | None:
        """Return what is kept and not too old; whatever goes wrong is a miss."""
        ...

    async def put(self, key: str, result: ToolResult, ttl_seconds: float) -> None:
        """Keep a result, if it is not too large; whatever goes wrong is logged."""
        ...


class EraMemory(Protocol):
    """Which protocol era each upstream speaks, so that no start has to find out again."""

    def recall(self, server_id: str, fingerprint: str) -> dict[str, Any] | None:
        """Return what was remembered, if the server's definition (fingerprint) is unchanged."""
        ...

    def remember(self, server_id: str, fingerprint: str, era: dict[str, Any]) -> None:
        """Keep it; failing to is not an error."""
        ...


class Pins(Protocol):
    """The definitions of tools that count as accepted: at first sight, then by a person only."""

    def of(self, server_id: str) -> Mapping[str, Pin]:
        """Return what is on record for a server, by the names of its tools.

        Raises:
            PinsInvalidError: the record cannot be relied on.

        """
        ...

    def keep(self, server_id: str, pins: Mapping[str, Pin], *, replace: bool) -> None:
        """Put definitions on record; unless `replace`, one that is there already stays.

        Raises:
            PinsInvalidError: the record cannot be relied on.

        """
        ...

    def version(self) -> Hashable:
        """Return a value that differs once the record has changed, whoever changed it."""
        ...


class Tokens(Protocol):
    """What logins brought, one JSON object for each server; nobody else may read it."""

    def load(self, server_id: str) -> dict[str, Any] | None:
        """Return what was kept, or None if there is nothing that can be used."""
        ...

    def save(self, server_id: str, login: Mapping[str, Any]) -> None:
        """Keep it.

        Raises:
            OSError: it cannot be written.

        """
        ...

    def locked(self, server_id: str) -> AbstractAsyncContextManager[None]:
        """Keep other processes from renewing the same tokens inside the block."""
        ...


class Statistics(Protocol):
    """What the monitor counts and decides, exact whoever else writes it.

    Each method but `apply` raises `StatisticsError` when the record cannot be read or written;
    nothing has changed then.
    """

    @property
    def remark(self) -> str:
        """What has become of the record since it was opened, for people; "" if it is as it was."""
        ...

    async def apply(
        self, entries: Sequence[tuple[Entry, Decide]]
    ) -> list[Decision | StatisticsError | None]:
        """Count executions, and decide about each as one with its count; None: it was counted.

        An error says that nothing of that execution was counted.
        """
        ...

    async def revise(
        self,
        execution_id: str,
        revise: Callable[[Counted], Counted],
        decide: Callable[[Counted, Counted], Decide],
        delta: Callable[[Counted, Counted], Delta],
    ) -> Decision | None:
        """Change how an execution counts; None if it is not known, or counts as it did."""
        ...

    async def update(self, composition_id: str, decide: Decide) -> Decision:
        """Change the health of a composition."""
        ...

    async def settle(self, number: int) -> None:
        """Take note that a change has been carried out, or cannot be."""
        ...

    async def note_passed(self, intent_type: str, change: Callable[[int], int]) -> int:
        """Change how many requests of an intent have passed since one on trial answered."""
        ...

    async def healths(self) -> dict[str, Health]:
        """Return the health of every composition on record."""
        ...

    async def counted(self, execution_ids: Sequence[str]) -> dict[str, Counted]:
        """Return those of the executions that have been counted."""
        ...

    async def lifetimes(self, kind: str, version: str | None = None) -> list[Lifetime]:
        """Return the counts of every subject of a kind (and version), by name."""
        ...

    async def tallies(self, kind: str) -> dict[Subject, Tally]:
        """Return the counts of every subject of a kind, without its error codes."""
        ...

    async def changes(
        self, composition_id: str | None = None, limit: int = 100, *, only_open: bool = False
    ) -> list[Change]:
        """Return the latest changes, newest first; open ones are not carried out yet."""
        ...


class Profiles(Protocol):
    """What is known of how long things take and what they cost; read without waiting."""

    def of_tool(self, full_name: str) -> Profile | None:
        """Return what is known of a tool (`server.tool`), or None."""
        ...

    def of_composition(self, composition_id: str) -> Profile | None:
        """Return what is known of a composition as it is now, or None."""
        ...


class Shelf(Protocol):
    """The composition files as the monitor moves them; every version is kept.

    Each method raises `ShelfError` when files cannot be read or written.
    """

    async def move(
        self,
        composition_id: str,
        from_status: CompositionStatus,
        to_status: CompositionStatus,
        *,
        meaning: str,
        reason: str,
        evidence: Mapping[str, Any],
    ) -> str:
        """Bring a composition's file to the folder of a status, and return its path.

        Raises:
            EditedMeanwhileError: it says something else than `meaning` by now, or was moved.

        """
        ...

    async def put(
        self,
        document: Mapping[str, Any],
        status: CompositionStatus,
        *,
        reason: str,
        evidence: Mapping[str, Any],
        replaces: str | None = None,
    ) -> str:
        """File a composition, and return its path; `replaces` is the meaning of the one before.

        Raises:
            EditedMeanwhileError: there is one of this id, and it is not the one to replace.

        """
        ...

    async def rollback(self, composition_id: str, number: int) -> ShelvedVersion:
        """Put a kept version back; what was there is kept as well.

        Raises:
            UnknownVersionError: there is no such version.

        """
        ...

    async def versions(self, composition_id: str) -> list[ShelvedVersion]:
        """Return the kept versions, oldest first."""
        ...

    async def diff(self, composition_id: str, number: int, other: int | None = None) -> str:
        """Return what changed from one version to another (None: the file as it is now).

        Raises:
            UnknownVersionError: one of them is not kept.

        """
        ...
