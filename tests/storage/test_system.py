"""Time moves on and identifiers never repeat."""

import re

import anyio
import pytest

from podium.domain.ports import Clock, Ids
from podium.storage.system import RandomIds, SystemClock


def test_ids_carry_their_prefix_and_never_repeat() -> None:
    ids: Ids = RandomIds()

    made = [ids.new("exec") for _ in range(1_000)]

    assert len(set(made)) == 1_000
    assert all(re.fullmatch(r"exec_[0-9a-f]{32}", one) for one in made)


@pytest.mark.anyio
async def test_the_clock_waits_as_long_as_it_is_told() -> None:
    clock: Clock = SystemClock()
    before = clock.monotonic()

    with anyio.fail_after(5):
        await clock.sleep(0.01)

    assert clock.monotonic() - before >= 0.009
    assert clock.now() > 1_700_000_000
