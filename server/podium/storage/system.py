"""Time and identifiers from the system."""

import secrets
import time

import anyio

RANDOM_BYTES = 16  # 128 bits: an id is also what keeps strangers from an execution


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """Return wall-clock seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that never jump."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await anyio.sleep(seconds)


class RandomIds:
    """Identifiers that nobody can guess."""

    def new(self, prefix: str) -> str:
        """Return `prefix_` and 32 random hexadecimal digits."""
        return f"{prefix}_{secrets.token_hex(RANDOM_BYTES)}"
