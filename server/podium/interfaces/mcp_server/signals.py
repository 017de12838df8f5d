"""SIGINT and SIGTERM as an orderly end: what is running is cancelled and closes what it holds."""

import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio


@asynccontextmanager
async def ended_by_signals() -> AsyncIterator[None]:
    """Cancel the body on SIGINT or SIGTERM.

    Without this SIGTERM, the way clients and service managers stop a server, would end the
    process before its upstreams are closed. Only the main thread can listen for signals, and on
    Windows no event loop can.
    """
    can_listen = sys.platform != "win32" and threading.current_thread() is threading.main_thread()
    async with anyio.create_task_group() as tasks:
        if can_listen:
            tasks.start_soon(_cancel_on_signal, tasks.cancel_scope)
        yield
        tasks.cancel_scope.cancel()


async def _cancel_on_signal(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
            return
