"""The one place where a failure becomes words and an exit code; no traceback leaves it."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import typer
from typer.main import get_command

from podium.cli.logs import DEBUG, is_debugging
from podium.cli.output import say_error, say_json
from podium.cli.program import program
from podium.cli.session import Session
from podium.domain.errors import InternalError, PodiumError

FAILED = 1
INTERRUPTED = 130  # as shells say it: 128 + SIGINT
PIPE_CLOSED = 141  # 128 + SIGPIPE


def main() -> NoReturn:
    """Run `podium` with the arguments of the process."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by whoever started us
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - for good
        else:  # a name in an odd encoding must not end the program
            stream.reconfigure(errors="backslashreplace")
    # As Ctrl-C does it: what runs is cancelled, and the servers it started are closed. A shell
    # has its background jobs ignore SIGINT; then the event loop would hear of neither.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command; return its exit code."""
    session = Session(json=_asks_for_json(arguments))
    try:
        code = _invoke(arguments, session)
        sys.stdout.flush()
    except BrokenPipeError:
        _silence_stdout()
        return PIPE_CLOSED
    except OSError as error:
        _silence_stdout()
        say_error({"message": f"the answer cannot be written: {error.strerror or error}"})
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _invoke(arguments: Sequence[str], session: Session) -> int:
    try:
        result = get_command(program()).main(
            args=list(arguments), prog_name="podium", standalone_mode=False, obj=session
        )
    except typer.TyperException as error:
        return _report(_usage(error), session, error.exit_code)
    except typer.Abort:
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - the boundary: whatever it is, a person reads it
        return _failed(error, session)
    return result if isinstance(result, int) else 0


def _failed(error: Exception, session: Session) -> int:
    cause = _single(error)
    if is_debugging():
        sys.excepthook(type(error), error, error.__traceback__)
    known = cause if isinstance(cause, PodiumError) else _unexpected(cause)
    return _report(known.to_dict(), session, known.exit_code)


def _single(error: Exception) -> Exception:
    """Return the one error that a task group has wrapped, else the error itself."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _unexpected(error: Exception) -> PodiumError:
    hint = f"{DEBUG}=1 shows the traceback; please report it with that"
    return InternalError(f"internal error: {type(error).__name__}: {error}", hint=hint)


def _usage(error: typer.TyperException) -> dict[str, object]:
    """Return a wrong command line in the public form of an error."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "podium"
    return {
        "code": "usage",
        "message": error.format_message(),
        "hint": f"{command} --help",
        "step_id": None,
        "retryable": False,
    }


def _report(error: dict[str, object], session: Session, exit_code: int) -> int:
    if session.json:
        say_json({"error": error})
    else:
        say_error(error)
    return exit_code


def _asks_for_json(arguments: Sequence[str]) -> bool:
    """Tell whether `--json` stands among the options, for a command line that cannot be read."""
    options = list(arguments)
    return "--json" in (options[: options.index("--")] if "--" in options else options)


def _silence_stdout() -> None:
    """Let the interpreter's last flush go nowhere: the reader has left."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
