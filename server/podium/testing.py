"""Fakes of every port, for tests of Podium and of programs that use it; no processes, no disk."""

import asyncio
import json
import selectors
from collections.abc import Awaitable, Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

import anyio
import anyio.lowlevel
from typing_extensions import override

from podium.domain.conversation import Conversation, ConversationBounds
from podium.domain.errors import (
    PodiumError,
    UnknownServerError,
    UnknownToolError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from podium.domain.execution import Checkpoint, Event, Execution, StepRecord
from podium.domain.naming import did_you_mean
from podium.domain.past import PastRequest
from podium.domain.ports import Clock, Front, ProgressCallback
from podium.domain.relay import Message, UpstreamChange
from podium.domain.synthesis import PastPlan, WritingTask
from podium.domain.tool import Tool, ToolMatch, ToolResult, UpstreamStatus

Handler = Callable[[dict[str, Any]], Awaitable[Any]]
"""Takes the arguments; returns a `ToolResult`, or any JSON value as structured content."""


class FakeClock:
    """A clock that a test sets; sleeping moves it on at once."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.time = now
        self.slept: list[float] = []

    def now(self) -> float:
        """Return the wall-clock time."""
        return self.time

    def monotonic(self) -> float:
        """Return the same time; it never jumps by itself."""
        return self.time

    async def sleep(self, seconds: float) -> None:
        """Move the time on and let other tasks run."""
        self.slept.append(seconds)
        self.time += seconds
        await anyio.lowlevel.checkpoint()


class DeadlockError(Exception):
    """Every task waits, and nothing that could wake one will ever happen."""


class _JumpingSelector(selectors.DefaultSelector):
    """Waits for nothing: when no file is ready, the loop's time jumps to its next timer."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            # Only a thread could still wake the loop; one that is at work does so soon.
            ready = super().select(_THREAD_SECONDS)
            if not ready:
                raise DeadlockError("every task waits and no timer is set: nothing can happen")
            return ready
        self.now += max(timeout, 0.0)
        return ready


_THREAD_SECONDS = 1.0  # of real time


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes at once: for tests of whatever waits.

    When no task can run, the clock jumps to the next timer; so hours of waiting take milliseconds,
    and what happens at which time is exact. When there is nothing left to happen, it raises
    `DeadlockError`. It is not for real connections or processes: it does not wait for them. With
    anyio: `anyio.run(main, backend_options={"loop_factory": VirtualTimeLoop})`.
    """

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    @override
    def time(self) -> float:
        """Return the virtual seconds since the loop was made."""
        return self._jumping.now


class LoopClock:
    """A clock that tells the event loop's time, for tests on a `VirtualTimeLoop`."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.slept: list[float] = []
        self._start = now

    def now(self) -> float:
        """Return the wall-clock time: the loop's, begun at a date."""
        return self._start + anyio.current_time()

    def monotonic(self) -> float:
        """Return the loop's time."""
        return anyio.current_time()

    async def sleep(self, seconds: float) -> None:
        """Wait on the loop."""
        self.slept.append(seconds)
        await anyio.sleep(seconds)


class SequentialIds:
    """Ids that a test can foresee: `exec_1`, `exec_2`, `conv_3`."""

    def __init__(self) -> None:
        self._count = 0

    def new(self, prefix: str) -> str:
        """Return the next id."""
        self._count += 1
        return f"{prefix}_{self._count}"


class MemoryJournal:
    """A journal in memory.

    `durable` lists the steps whose intent was committed, in order; `rounds` holds the records of
    single rounds, such as `read[3]`.
    """

    def __init__(self) -> None:
        self.executions: dict[str, Execution] = {}
        self.durable: list[str] = []
        self.rounds: dict[str, StepRecord] = {}

    async def record_execution(self, execution: Execution) -> None:
        """Keep a copy of the execution."""
        self.executions[execution.id] = deepcopy(execution)

    async def record_step(
        self, execution_id: str, step: StepRecord, *, durable: bool = False
    ) -> None:
        """Keep a copy of the step."""
        if durable:
            self.durable.append(step.step_id)
        if "[" in step.step_id:
            self.rounds[step.step_id] = deepcopy(step)
        elif execution_id in self.executions:
            self.executions[execution_id].steps[step.step_id] = deepcopy(step)

    async def get(self, execution_id: str) -> Execution | None:
        """Return one execution."""
        return self.executions.get(execution_id)

    async def recent(self, limit: int) -> list[Execution]:
        """Return the latest executions, newest first."""
        return list(reversed(self.executions.values()))[:limit]

    async def past_requests(self, limit: int) -> list[PastRequest]:
        """Return the latest requests that were answered, newest first."""
        answered = [
            PastRequest(each.request, each.intent_type, each.params)
            for each in reversed(self.executions.values())
            if each.status == "success" and each.request and each.intent_type
        ]
        return answered[:limit]


class FixedPlans:
    """What was served before, as a test says it."""

    def __init__(self, plans: Sequence[PastPlan] = ()) -> None:
        self.plans = list(plans)
        self.error: PodiumError | None = None

    async def past_plans(self, limit: int) -> list[PastPlan]:
        """Return the plans, or raise what was set as `error`."""
        if self.error is not None:
            raise self.error
        return self.plans[:limit]


class MemoryConversations:
    """Conversations in memory, as JSON, so that a test sees what a file would hold.

    `conflicts` is how many saves to come find that somebody else was quicker; `error` is raised by
    whatever is asked of the store.
    """

    def __init__(
        self, clock: Clock | None = None, bounds: ConversationBounds | None = None
    ) -> None:
        self.rows: dict[tuple[str, str], tuple[str, int, float]] = {}
        self.conflicts = 0
        self.error: PodiumError | None = None
        self._clock = clock or FakeClock()
        self._bounds = bounds or ConversationBounds()

    async def load(self, user_id: str, conversation_id: str) -> tuple[Conversation, int]:
        """Return the state and its version; an old one counts as empty."""
        await self._work()
        text, version, at = self.rows.get((user_id, conversation_id), ("{}", 0, 0.0))
        is_old = at < self._clock.now() - self._bounds.ttl_seconds
        state = Conversation() if is_old else Conversation.from_dict(json.loads(text))
        return state or Conversation(), version

    async def save(
        self, user_id: str, conversation_id: str, state: Conversation, version: int
    ) -> bool:
        """Keep the state, if this is still its version."""
        await self._work()
        key = user_id, conversation_id
        _, current, _ = self.rows.get(key, ("", 0, 0.0))
        if self.conflicts > 0 or current != version:
            self.conflicts = max(0, self.conflicts - 1)
            return False
        self.rows[key] = json.dumps(state.to_dict()), version + 1, self._clock.now()
        return True

    async def sweep(self) -> int:
        """Forget what is too old."""
        before = self._clock.now() - self._bounds.ttl_seconds
        old = [key for key, (_, _, at) in self.rows.items() if at < before]
        for key in old:
            del self.rows[key]
        return len(old)

    async def _work(self) -> None:
        await anyio.lowlevel.checkpoint()  # as a real store does: others come in between
        if self.error is not None:
            raise self.error


class MemoryCheckpoints:
    """Checkpoints that forget at the end of the test; exact copies come out."""

    def __init__(self) -> None:
        self.kept: dict[str, Checkpoint] = {}

    async def save(self, checkpoint: Checkpoint) -> bool:
        """Keep a copy."""
        self.kept[checkpoint.execution.id] = deepcopy(checkpoint)
        return True

    async def load(self, execution_id: str) -> Checkpoint | None:
        """Return a copy, or None."""
        return deepcopy(self.kept.get(execution_id))

    async def claim(self, execution_id: str) -> Checkpoint | None:
        """Take it, once."""
        return self.kept.pop(execution_id, None)

    async def discard(self, execution_id: str) -> None:
        """Forget it."""
        self.kept.pop(execution_id, None)


class MemoryEras:
    """An era memory that forgets at the end of the test."""

    def __init__(self) -> None:
        self.eras: dict[tuple[str, str], dict[str, Any]] = {}

    def recall(self, server_id: str, fingerprint: str) -> dict[str, Any] | None:
        """Return what was remembered."""
        return self.eras.get((server_id, fingerprint))

    def remember(self, server_id: str, fingerprint: str, era: dict[str, Any]) -> None:
        """Keep it."""
        self.eras[server_id, fingerprint] = era


class FakeUpstreams:
    """Upstreams whose tools are functions of the test; `calls` records what was called."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.running = 0
        self.most_running = 0
        self.failing_starts: dict[str, int] = {}  # server -> how often it cannot be started
        self.progress: dict[str, list[tuple[float, float | None, str | None]]] = {}
        self._tools: dict[str, dict[str, Tool]] = {}
        self._handlers: dict[str, Handler] = {}

    def add(
        self,
        full_name: str,
        handler: Handler,
        *,
        input_schema: Mapping[str, Any] | None = None,
        output_schema: Mapping[str, Any] | None = None,
        effects: str = "read",
        idempotent: bool = False,
        description: str = "",
    ) -> None:
        """Add the tool `server.tool`."""
        server_id, _, name = full_name.partition(".")
        annotations: dict[str, Any] = {
            "readOnlyHint": effects == "read",
            "destructiveHint": effects == "destructive",
            "idempotentHint": idempotent,
        }
        self._tools.setdefault(server_id, {})[name] = Tool(
            server_id,
            name,
            description,
            dict(input_schema or {"type": "object"}),
            None if output_schema is None else dict(output_schema),
            annotations,
            {"name": name, "inputSchema": dict(input_schema or {"type": "object"})},
        )
        self._handlers[full_name] = handler

    def server_ids(self) -> tuple[str, ...]:
        """Return the servers, in the order of their first tool."""
        return tuple(self._tools)

    async def tool(self, server_id: str, tool_id: str) -> Tool:
        """Return a tool, or raise as the real upstreams do."""
        if server_id not in self._tools:
            raise UnknownServerError(
                f"no server is configured under the name '{server_id}'",
                hint=did_you_mean(server_id, self._tools),
            )
        if self.failing_starts.get(server_id, 0) > 0:
            self.failing_starts[server_id] -= 1
            raise UpstreamUnavailableError(f"{server_id}: it did not start", sent=False)
        tools = self._tools[server_id]
        if tool_id not in tools:
            raise UnknownToolError(
                f"the server '{server_id}' has no tool '{tool_id}'",
                hint=did_you_mean(tool_id, tools),
            )
        return tools[tool_id]

    async def call_tool(
        self,
        server_id: str,
        tool_id: str,
        arguments: dict[str, Any],
        *,
        timeout_seconds: float | None = None,
        on_progress: ProgressCallback | None = None,
    ) -> ToolResult:
        """Report the tool's `progress`, call the handler and wrap what it returns."""
        tool = await self.tool(server_id, tool_id)
        self.calls.append((tool.full_name, arguments))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            with anyio.fail_after(timeout_seconds):
                for report in self.progress.get(tool.full_name, []):
                    if on_progress is not None:
                        await on_progress(*report)
                value = await self._handlers[tool.full_name](arguments)
        except TimeoutError:
            raise UpstreamTimeoutError(f"{tool.full_name}: no answer in time") from None
        finally:
            self.running -= 1
        if isinstance(value, ToolResult):
            return value
        return ToolResult(structured=value, has_structured=True)

    async def search(self, query: str, limit: int) -> list[ToolMatch]:
        """Return the tools whose name or description holds the query."""
        tools = [tool for by_name in self._tools.values() for tool in by_name.values()]
        return [
            ToolMatch(tool, 1.0)
            for tool in tools
            if query.casefold() in f"{tool.full_name} {tool.description}".casefold()
        ][:limit]

    async def start_all(self) -> None:
        """Do nothing: they are always ready."""

    def statuses(self) -> list[UpstreamStatus]:
        """Return every server as ready."""
        return [
            UpstreamStatus(server_id, "ready", tools=len(tools))
            for server_id, tools in self._tools.items()
        ]


class FakeRelay:
    """A relay whose answers are data: `answers` and `errors` by (server, method).

    `requests` records all.
    """

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], Message] = {}
        self.errors: dict[tuple[str, str], Exception] = {}
        self.requests: list[tuple[str, str, Message]] = []
        self.listeners: list[Callable[[UpstreamChange], None]] = []

    def server_ids(self) -> tuple[str, ...]:
        """Return the servers that have answers."""
        return tuple(dict.fromkeys(server_id for server_id, _ in self.answers))

    async def request(
        self,
        server_id: str,
        method: str,
        params: Message,
        front: Front,  # noqa: ARG002 - part of the port
        on_progress: ProgressCallback | None = None,  # noqa: ARG002 - part of the port
    ) -> Message:
        """Return the answer."""
        self.requests.append((server_id, method, params))
        if (server_id, method) in self.errors:
            raise self.errors[server_id, method]
        return self.answers[server_id, method]

    async def listed(self, server_id: str, method: str) -> list[Message]:
        """Return the items of a listing's answer."""
        items: list[Message] = self.answers.get((server_id, method), {}).get("items", [])
        return items

    async def watch(self, server_id: str, uri: str) -> None:
        """Record it."""
        self.requests.append((server_id, "watch", {"uri": uri}))

    async def unwatch(self, server_id: str, uri: str) -> None:
        """Record it."""
        self.requests.append((server_id, "unwatch", {"uri": uri}))

    def listen(self, listener: Callable[[UpstreamChange], None]) -> Callable[[], None]:
        """Keep the listener until it is ended."""
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def note_offer(self, capabilities: Mapping[str, Any]) -> None:
        """Record it."""
        self.requests.append(("", "offer", dict(capabilities)))

    async def tell(self, session: str, method: str, params: Message) -> None:
        """Record it."""
        self.requests.append((session, method, params))

    def leave(self, session: str) -> None:
        """Record it."""
        self.requests.append((session, "leave", {}))


class Watcher:
    """An event listener that keeps what it hears."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def __call__(self, event: Event) -> None:
        """Keep an event."""
        self.events.append(event)


class FakePlanWriter:
    """A model that gives scripted answers, one a task; the last again and again.

    An exception among them is raised. `tasks` are what it was asked; `seconds` is how long each
    answer takes on the event loop.
    """

    def __init__(self, *answers: str | Exception, seconds: float = 0.0) -> None:
        self.tasks: list[WritingTask] = []
        self._answers = answers
        self._seconds = seconds

    async def write(self, task: WritingTask) -> str:
        """Return the next answer."""
        self.tasks.append(task)
        await anyio.sleep(self._seconds)
        answer = self._answers[min(len(self.tasks), len(self._answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer
