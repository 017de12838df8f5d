"""SIGINT and SIGTERM as an orderly end: what is running may finish, then closes what it holds."""

import signal
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio

Finish = Callable[[], Awaitable[None]]


@asynccontextmanager
async def ended_by_signals(finish: Finish | None = None) -> AsyncIterator[None]:
    """Cancel the body on SIGINT or SIGTERM, once `finish` is done; a second signal does not wait.

    Without this SIGTERM, the way clients and service managers stop a server, would end the
    process before its upstreams are closed. Only the main thread can listen for signals, and on
    Windows no event loop can.
    """
    can_listen = sys.platform != "win32" and threading.current_thread() is threading.main_thread()
    async with anyio.create_task_group() as tasks:
        if can_listen:
            tasks.start_soon(_cancel_on_signal, tasks.cancel_scope, finish)
        yield
        tasks.cancel_scope.cancel()


async def _cancel_on_signal(scope: anyio.CancelScope, finish: Finish | None) -> None:
    async def finish_and_cancel() -> None:
        if finish is not None:
            await finish()
        scope.cancel()

    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with anyio.create_task_group() as tasks:
            await anext(signals)
            tasks.start_soon(finish_and_cancel)
            await anext(signals)
            scope.cancel()
