"""Pools over real processes, and the ways to look at what those did."""

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest

from podium.domain.breaker import BreakerRules
from podium.domain.limits import Limits
from podium.domain.redaction import Redactor
from podium.upstreams.pool import UpstreamPool
from podium.upstreams.settings import UpstreamSettings

FAULTY_SERVER = str(Path(__file__).with_name("faulty_server.py"))


class SettableClock:
    """Real time plus what a test adds to it; once stopped, only what a test adds."""

    def __init__(self) -> None:
        self.added = 0.0
        self._stopped_at: float | None = None

    def stop(self) -> None:
        self._stopped_at = time.monotonic()

    def now(self) -> float:
        return time.time() + self.added

    def monotonic(self) -> float:
        return (self._stopped_at or time.monotonic()) + self.added

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


@dataclass
class EraNotes:
    """An era memory that can be looked into; one process long."""

    eras: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def recall(self, server_id: str, fingerprint: str) -> dict[str, Any] | None:
        return self.eras.get((server_id, fingerprint))

    def remember(self, server_id: str, fingerprint: str, era: dict[str, Any]) -> None:
        self.eras[server_id, fingerprint] = era


PoolMaker = Callable[..., UpstreamPool]


@pytest.fixture
def eras() -> EraNotes:
    return EraNotes()


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def pool_of(eras: EraNotes, clock: SettableClock) -> PoolMaker:
    """Make a pool of the given upstreams, without jitter."""

    def make(
        *settings: UpstreamSettings,
        limits: Limits | None = None,
        secrets: tuple[str, ...] = (),
        rules: BreakerRules | None = None,
    ) -> UpstreamPool:
        return UpstreamPool(
            settings,
            eras=eras,
            clock=clock,
            limits=limits,
            chance=lambda: 1.0,
            redactor=Redactor(secrets),
            rules=rules,
        )

    return make


def faulty(
    mode: str, *, server_id: str = "faulty", record: Path | None = None, **more: Any
) -> UpstreamSettings:
    """Return the settings of a server that misbehaves in one way."""
    args = (FAULTY_SERVER, mode, *([str(record)] if record else []))
    return UpstreamSettings(server_id, command=sys.executable, args=args, **more)


def received(record: Path) -> list[dict[str, Any]]:
    """Return what a faulty server wrote down."""
    lines = record.read_text().splitlines() if record.exists() else []
    return [json.loads(line) for line in lines]


def methods(record: Path) -> list[str]:
    """Return the methods of the messages that a faulty server received."""
    return [message["method"] for message in received(record) if "method" in message]


def processes(record: Path) -> list[int]:
    """Return the ids of a faulty server's process and of what it started."""
    return [
        message[kind]
        for message in received(record)
        for kind in ("pid", "grandchild")
        if kind in message
    ]


def is_running(pid: int) -> bool:
    """Whether a process still runs; one that only waits for its parent to notice does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return stat.parent.parent.exists() is False  # no /proc at all: the signal has decided


async def eventually(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until something holds, within a bound."""
    with anyio.fail_after(seconds):
        while not holds():  # noqa: ASYNC110 - other processes set no event here
            await anyio.sleep(0.02)
