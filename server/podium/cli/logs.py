"""Log records to single lines on stderr; tracebacks only for whoever asks for them."""

import logging
import os
import sys
from types import TracebackType
from typing import TypeAlias

from typing_extensions import override

DEBUG = "PODIUM_DEBUG"

_ExceptionInfo: TypeAlias = (
    tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
)


def is_debugging() -> bool:
    """Tell whether everything should be shown, tracebacks included."""
    return bool(os.environ.get(DEBUG))


def log_to_stderr(level: int) -> None:
    """Send log records from a level upwards to stderr; all of them when debugging."""
    handler = logging.StreamHandler(sys.stderr)
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    handler.setFormatter(logging.Formatter(form) if is_debugging() else _OneLine(form))
    logging.basicConfig(level=logging.DEBUG if is_debugging() else level, handlers=[handler])


class _OneLine(logging.Formatter):
    """Names an exception without its traceback."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        return " ".join(super().format(record).split("\n"))

    @override
    def formatException(self, ei: _ExceptionInfo) -> str:
        return f"({ei[0].__name__}: {ei[1]})" if ei[0] else ""
