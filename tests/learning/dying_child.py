"""A process that plays `read_note` in a workspace and is killed at a certain moment: FOLDER MOMENT.

It says the id of each execution that has ended. The moments inside Podium are found by profiling
its threads: nothing of it is replaced. At "any" moment somebody else has to kill it.
"""

import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import anyio

from podium import Orchestrator

MOST = 1_000
BEFORE = 3  # executions before one is counted by halves
_said = 0


def is_move(frame: FrameType, arg: Any) -> bool:
    return arg is os.rename and "validated" in str(frame.f_locals.get("target"))


def is_inside_a_count(frame: FrameType, _arg: Any) -> bool:
    return _said > BEFORE and frame.f_code.co_name == "note_recent"


MOMENTS = {
    "before the move": ("c_call", is_move),
    "after the move": ("c_return", is_move),
    "inside a count": ("c_call", is_inside_a_count),
}


async def main(folder: str, moment: str) -> None:
    global _said  # noqa: PLW0603 - the hook has no other way to know
    if moment in MOMENTS:
        wanted, is_it = MOMENTS[moment]

        def hook(frame: FrameType, event: str, arg: Any) -> None:
            if event == wanted and is_it(frame, arg):
                os.kill(os.getpid(), signal.SIGKILL)

        threading.setprofile(hook)
    async with Orchestrator.open(Path(folder)) as orchestrator:
        for number in range(MOST):
            is_good = moment.endswith("the move") or number % 2 == 0
            params = {"name": "today" if is_good else "nowhere"}
            reply = await orchestrator.execute_composition("read_note", params)
            sys.stdout.write(f"{reply['execution_id']}\n")
            sys.stdout.flush()
            _said += 1


anyio.run(main, *sys.argv[1:])
