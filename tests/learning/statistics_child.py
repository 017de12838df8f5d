"""A process that counts executions in a shared file: FILE NAME COUNT; then it says so."""

import sys
from pathlib import Path

import anyio

from podium.storage.statistics import SqliteStatistics
from podium.storage.system import SystemClock
from tests.learning.entries import after, entry


async def main() -> None:
    path, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    statistics = SqliteStatistics(path, clock=SystemClock())

    async def count_some(begin: int) -> None:
        for number in range(begin, count, 4):
            id_ = f"{name}_{number}"
            await statistics.apply([(entry(id_, at=float(number)), after(id_, is_success=True))])
            sys.stdout.write(f"{id_}\n")
            sys.stdout.flush()

    async with anyio.create_task_group() as group:
        for begin in range(4):
            group.start_soon(count_some, begin)
    await statistics.close()


anyio.run(main)
