"""Values to the terminal: answers and JSON on stdout, everything else on stderr.

Texts of upstreams and files pass through `printable`, so that none can steer the terminal.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import typer

from podium.text.clean import printable, shortened

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 160  # columns of a table that no terminal measures
SHOWN_VALUE = 200  # characters of an input or output in a listing; --json has all of it


def say(text: str) -> None:
    """Print a part of the answer."""
    typer.echo(printable(text))


def notice(text: str) -> None:
    """Print a remark on stderr."""
    typer.secho(printable(text), err=True, dim=True)


def say_json(value: Any, *, err: bool = False) -> None:
    """Print one JSON value, readable, and valid whatever it holds."""
    stream = sys.stderr if err else sys.stdout
    unicode = (getattr(stream, "encoding", None) or "").lower().startswith("utf")
    text = _json(value, ascii_only=not unicode)
    typer.echo(text if text.isascii() else _steerless(text), err=err)


def _json(value: Any, *, ascii_only: bool) -> str:
    try:
        return json.dumps(value, ensure_ascii=ascii_only, indent=2, default=str, allow_nan=False)
    except ValueError:  # NaN and infinities are no JSON
        finite = json.loads(json.dumps(value, default=str), parse_constant=lambda _: None)
        return json.dumps(finite, ensure_ascii=ascii_only, indent=2)


def _steerless(text: str) -> str:
    """Escape the characters that JSON allows in a text but a terminal may obey, or refuse."""
    return "".join(
        char if char == "\n" or char.isprintable() else json.dumps(char)[1:-1] for char in text
    )


def say_error(error: dict[str, Any]) -> None:
    """Print an error in its public form (`PodiumError.to_dict()`) on stderr."""
    label = typer.style("error:", fg="red", bold=True)
    typer.echo(f"{label} {printable(str(error['message']))}", err=True)
    faults = error.get("faults") or []
    if len(faults) > 1:
        for fault in faults:
            typer.echo(printable(f"  - {_fault_line(fault)}"), err=True)
    if error.get("hint") and not (len(faults) > 1 and faults[0].get("hint") == error["hint"]):
        typer.echo(f"{typer.style('hint:', fg='cyan')} {printable(str(error['hint']))}", err=True)


def _fault_line(fault: dict[str, Any]) -> str:
    line = f"line {fault['line']}: " if fault.get("line") is not None else ""
    where = f"{fault['where']}: " if fault.get("where") else ""
    hint = f" ({fault['hint']})" if fault.get("hint") else ""
    return f"{line}{where}{fault['message']}{hint}"


def compact(value: Any, length: int = SHOWN_VALUE) -> str:
    """Return a value on one line, shortened."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return shortened(" ".join(printable(text).split()), length)


def duration(milliseconds: float | None) -> str:
    """Return a duration as people read it."""
    if milliseconds is None:
        return ""
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"


def table(columns: Sequence[str], rows: Iterable[Sequence[str | None]], *, title: str = "") -> None:
    """Print a table; a cell is plain text, never markup."""
    from rich import box  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    grid: Table = Table(
        title=Text(printable(title)) if title else None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        grid.add_row(
            *(Text(printable(cell or ""), style=_STYLES.get(cell or "", "")) for cell in row)
        )
    console().print(grid)


_STYLES = {  # words that stand in a table's cell by themselves
    "ready": "green",
    "done": "green",
    "success": "green",
    "failed": "red",
    "error": "red",
    "destructive": "red",
    "write": "yellow",
    "warning": "yellow",
    "skipped": "dim",
    "cancelled": "dim",
    "disabled": "dim",
}


def console() -> "Console":
    """Return a console on stdout; wide when it is no terminal, so that pipes lose nothing."""
    from rich.console import Console  # noqa: PLC0415

    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False)
