"""Events of an execution to the client's progress notifications, which may only ever grow."""

import anyio
from mcp.server.session import ServerSession

from podium.domain.execution import Event

REPORT_SECONDS = 1.0  # a client that does not read its progress must not hold up the work


class Progress:
    """The progress of one request; says nothing when the client did not ask for it."""

    def __init__(self, session: ServerSession | None) -> None:
        self._session = session
        self._counted = Count()
        self._highest = float("-inf")

    async def on_event(self, event: Event) -> None:
        """Report an event of an execution."""
        if event.kind != "execution_finished":  # the answer itself says so
            value = self._counted.next(event.done)
            await self._report(value, event.total or None, describe(event))

    async def on_progress(self, value: float, total: float | None, message: str | None) -> None:
        """Forward what an upstream reports about a single call."""
        await self._report(value, total, message)

    async def _report(self, value: float, total: float | None, message: str | None) -> None:
        if self._session is None or value <= self._highest:
            return
        self._highest = value
        with anyio.move_on_after(REPORT_SECONDS):
            await self._session.report_progress(value, total, message)


class Count:
    """Finished steps as a number that grows with every event, even when no step has finished."""

    def __init__(self) -> None:
        self._done = -1
        self._events = 0

    def next(self, done: int) -> float:
        """Return `done` when it has grown, else something above the last and below the next."""
        if done > self._done:
            self._done, self._events = done, 0
        else:
            self._events += 1
        return self._done + self._events / (self._events + 1)


def describe(event: Event) -> str:
    """Return one line: `2/3 read: done (files.read_file, 12 ms)`."""
    counted = f"{event.done}/{event.total} "
    if event.kind == "execution_started":
        return f"{counted}{event.composition_id}: started"
    if event.kind == "step_progress":
        return f"{counted}{event.step_id}: {event.message}"
    word = _WORDS.get(event.kind, event.status)
    took = f"{event.duration_ms:.0f} ms" if event.duration_ms is not None else ""
    details = ", ".join(part for part in (event.tool, took) if part)
    return (
        f"{counted}{event.step_id}: {word}"
        + (f" ({details})" if details else "")
        + (f": {event.message}" if event.message else "")
    )


_WORDS = {
    "step_started": "started",
    "step_retried": "trying again",
    "step_cached": "known from before",
    "step_waiting": "waiting for an answer",
}
