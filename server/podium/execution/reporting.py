"""What watchers hear of an execution, and its timeline."""

import logging

import anyio

from podium.domain.execution import Event, EventKind, Execution, StepRecord
from podium.domain.ports import Clock, EventListener
from podium.execution import policy

logger = logging.getLogger("podium.execution")

TIMELINE_ENTRIES = 200  # of one execution; the end is always among them
NOTE_CHARACTERS = 200

# Progress, of which there may be much, leaves room for the rest.
_ROOM = {"execution_finished": TIMELINE_ENTRIES, "step_progress": TIMELINE_ENTRIES // 2}


class Reporter:
    """Tells the listener, for as long as it is quick enough, and writes the timeline.

    `done` and `total` count the steps of the composition and of the blocks that are played once, as
    they become known; rounds are not counted.
    """

    def __init__(
        self, execution: Execution, listener: EventListener | None, clock: Clock, began: float
    ) -> None:
        self._execution = execution
        self._listener = listener
        self._clock = clock
        self._began = began
        self.done = 0
        self.total = 0

    async def execution(self, kind: EventKind) -> None:
        """Report something about the whole execution."""
        execution = self._execution
        if kind != "execution_finished":  # `note_end` has noted that
            self._note(kind, "", execution.status)
        if self._listener is not None:
            error = execution.error["message"] if execution.error else ""
            await self._tell(
                self._event(kind, status=execution.status, message=error, ms=execution.duration_ms)
            )

    def note_end(self) -> None:
        """Write the end of the execution into the timeline, before it is journalled."""
        self._note("execution_finished", "", self._execution.status)

    async def step(self, kind: EventKind, record: StepRecord, message: str = "") -> None:
        """Report something about a step."""
        message = message or (record.error["message"] if record.error else "")
        is_end = kind == "step_finished"
        self._note(kind, record.step_id, record.status if is_end and not message else message)
        if self._listener is not None:
            await self._tell(
                self._event(
                    kind,
                    step_id=record.step_id,
                    tool=f"{record.server_id}.{record.tool_id}" if record.tool_id else "",
                    status=record.status,
                    message=message,
                    ms=record.duration_ms,
                )
            )

    def _event(
        self,
        kind: EventKind,
        *,
        step_id: str = "",
        tool: str = "",
        status: str,
        message: str,
        ms: float | None,
    ) -> Event:
        return Event(
            kind=kind,
            execution_id=self._execution.id,
            composition_id=self._execution.composition_id,
            step_id=step_id,
            tool=tool,
            status=status,
            message=message,
            done=self.done,
            total=self.total,
            duration_ms=ms,
        )

    def _note(self, kind: EventKind, step_id: str, note: str) -> None:
        timeline = self._execution.timeline
        if len(timeline) >= _ROOM.get(kind, TIMELINE_ENTRIES - 1):
            return
        ms = round(1000 * (self._clock.monotonic() - self._began), 3)
        if len(note) > NOTE_CHARACTERS:
            note = note[:NOTE_CHARACTERS] + "…"
        timeline.append({"ms": ms, "event": kind, "step": step_id, "note": note})

    async def _tell(self, event: Event) -> None:
        if self._listener is None:
            return
        try:
            with anyio.fail_after(policy.LISTENER_SECONDS):
                await self._listener(event)
        except TimeoutError:
            logger.warning(
                "event listener is too slow and hears no more", extra={"event": event.kind}
            )
            self._listener = None
        except Exception:
            # A watcher that fails must not fail the work it watches.
            logger.exception("event listener failed", extra={"event": event.kind})
