"""A process that writes to a journal and then does what its second argument says."""

import resource
import sys
from pathlib import Path

import anyio

from podium.domain.errors import JournalError
from podium.domain.execution import Execution, StepRecord
from podium.domain.limits import Limits
from podium.domain.redaction import Redactor
from podium.storage.journal import SqliteJournal


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def begin(journal: SqliteJournal, execution_id: str) -> Execution:
    execution = Execution(execution_id, "notes", {"n": 1}, started_at=1.0)
    await journal.record_execution(execution)
    await journal.record_step(execution_id, StepRecord("look", effects="read"))
    await journal.record_step(execution_id, StepRecord("send", effects="write"), durable=True)
    return execution


async def wait_to_be_killed(journal: SqliteJournal) -> None:
    await begin(journal, "exec_killed")
    say("ready")
    await anyio.sleep(60)


async def write_until_killed(journal: SqliteJournal) -> None:
    for number in range(1_000_000):
        await journal.record_step("exec_killed", StepRecord(f"step_{number}"), durable=True)
        say(f"step_{number}")


async def finish_when_told(journal: SqliteJournal) -> None:
    execution = await begin(journal, "exec_other")
    say("ready")
    await anyio.to_thread.run_sync(sys.stdin.readline)
    execution.status = "success"
    await journal.record_execution(execution)


async def fill_the_disk(journal: SqliteJournal) -> None:
    await begin(journal, "exec_before")
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
    for number in range(40):
        step = StepRecord(f"step_{number}", effects="write", output="x" * 20_000)
        await journal.record_step("exec_before", step)
    try:
        await journal.record_step(
            "exec_before", StepRecord("last", output="x" * 20_000), durable=True
        )
        say("no error")
    except JournalError as error:
        say(error.code)
    say("lost" if journal.lost_writes else "nothing lost")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await journal.record_step("exec_before", StepRecord("after"), durable=True)
    say("recovered")


async def main() -> None:
    acts = {
        act.__name__: act
        for act in (wait_to_be_killed, write_until_killed, finish_when_told, fill_the_disk)
    }
    async with SqliteJournal.open(
        Path(sys.argv[1]), redactor=Redactor(), limits=Limits()
    ) as journal:
        await acts[sys.argv[2]](journal)


anyio.run(main)
