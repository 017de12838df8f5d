"""Events of an execution to lines on a terminal that change while the steps run."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from podium.cli.output import duration
from podium.domain.execution import Event
from podium.text.clean import printable, shortened

if TYPE_CHECKING:
    from rich.table import Table

    from podium.domain.ports import EventListener

REFRESHES_PER_SECOND = 12
MESSAGE_WIDTH = 60  # characters; a line that wraps makes the display jump
MARKS = {
    "done": ("✓", "green"),
    "failed": ("✗", "red"),
    "skipped": ("–", "dim"),
    "cancelled": ("–", "dim"),
    "in_doubt": ("?", "yellow"),
    "waiting": ("?", "cyan"),
    "undone": ("↶", "yellow"),
}


@dataclass(slots=True)
class Line:
    """What is known of one step; an empty status means that it runs."""

    tool: str = ""
    status: str = ""
    message: str = ""
    started: float = 0.0
    duration_ms: float | None = None


@dataclass(slots=True)
class Progress:
    """The steps in the order in which they started, and whether the execution has ended."""

    lines: dict[str, Line] = field(default_factory=dict)
    finished: bool = False

    def apply(self, event: Event, now: float) -> None:
        """Take in one event."""
        if event.kind == "execution_finished":
            self.finished = True
        if not event.step_id:
            return
        line = self.lines.setdefault(event.step_id, Line(started=now))
        line.tool = event.tool or line.tool
        line.message = event.message
        if event.kind == "step_finished":
            line.status = event.status or "done"
            line.duration_ms = event.duration_ms


@contextmanager
def watching() -> Iterator["EventListener | None"]:
    """Show progress while the body runs, if stderr is a terminal; yield the listener for it."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.live import Live  # noqa: PLC0415

    progress = Progress()

    async def listen(event: Event) -> None:
        progress.apply(event, time.monotonic())

    with Live(
        get_renderable=lambda: _rendered(progress, time.monotonic()),
        console=Console(stderr=True, highlight=False),
        refresh_per_second=REFRESHES_PER_SECOND,
    ) as live:
        try:
            yield listen
        finally:
            progress.finished = True
            live.transient = not progress.lines  # no empty line is left behind


def _rendered(progress: Progress, now: float) -> "Table":
    from rich.spinner import Spinner  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    grid = Table.grid(padding=(0, 1))
    for step_id, line in progress.lines.items():
        mark, style = MARKS.get(line.status, ("…", "cyan"))
        took = line.duration_ms if line.status else (now - line.started) * 1000
        grid.add_row(
            Text(mark, style=style),
            Text(step_id, style="bold"),
            Text(printable(line.tool), style="cyan"),
            Text(duration(took), style="dim", justify="right"),
            Text(shortened(" ".join(printable(line.message).split()), MESSAGE_WIDTH), style="dim"),
        )
    if not progress.lines and not progress.finished:
        grid.add_row(Spinner("dots", text="working…"))
    return grid
