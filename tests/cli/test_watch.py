"""The lines that show how far an execution is."""

from rich.console import Console

from podium.cli.watch import Line, Progress, _rendered
from podium.domain.execution import Event, EventKind


def event(kind: EventKind, step_id: str = "", **more: object) -> Event:
    return Event(kind, "exec_1", "demo", step_id, **more)  # type: ignore[arg-type]


EVENTS = [
    event("execution_started", total=2),
    event("step_started", "list", tool="files.list_directory"),
    event("step_finished", "list", tool="files.list_directory", status="done", duration_ms=12.4),
    event("step_started", "read", tool="files.read_file"),
    event("step_progress", "read", tool="files.read_file", message="3 of\n 7 \x1b[31mfiles"),
]


def progress_after(events: list[Event]) -> Progress:
    progress = Progress()
    for each in events:
        progress.apply(each, now=100.0)
    return progress


def shown(progress: Progress) -> list[str]:
    console = Console(width=100, force_terminal=False)
    with console.capture() as capture:
        console.print(_rendered(progress, now=101.5))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_a_step_is_one_line_that_changes() -> None:
    progress = progress_after(EVENTS)

    assert progress.lines == {
        "list": Line("files.list_directory", "done", "", 100.0, 12.4),
        "read": Line("files.read_file", "", "3 of\n 7 \x1b[31mfiles", 100.0, None),
    }


def test_the_lines_carry_no_terminal_codes_of_others() -> None:
    lines = shown(progress_after(EVENTS))

    assert lines == [
        "✓ list files.list_directory 12 ms",
        "… read files.read_file      1.5 s 3 of 7 files",
    ]


def test_a_failed_step_says_why() -> None:
    failed = event(
        "step_finished", "read", status="failed", message="no such file", duration_ms=1200.0
    )

    lines = shown(progress_after([*EVENTS, failed, event("execution_finished", status="error")]))

    assert lines[1] == "✗ read files.read_file      1.2 s no such file"


def test_before_the_first_step_something_moves_and_at_the_end_nothing_is_left() -> None:
    assert any("working" in line for line in shown(progress_after([])))
    assert shown(progress_after([event("execution_finished")])) == [""]
