"""What ends the processes of upstreams when Podium itself is killed and can end nothing any more.

A shell of a few lines waits beside Podium. Podium tells it each process group that begins or ends;
when the pipe between them breaks, it ends those that are left. The kernel's own way
(PR_SET_PDEATHSIG) is Linux only, has to run between fork and exec, and spares grandchildren.
"""

import os
import shutil
from contextlib import suppress
from subprocess import DEVNULL, PIPE

import anyio
import anyio.abc

CLOSE_SECONDS = 1.0  # for the shell to end once nothing is left to watch

# Servers see the end of their stdin at the same time: a second to go by themselves, one after TERM.
SCRIPT = """
trap '' HUP INT TERM
groups=' '
while read -r what group; do
  case $what in
    begun) groups="$groups$group " ;;
    ended) case $groups in
      *" $group "*) groups="${groups%%" $group "*} ${groups#*" $group "}" ;;
    esac ;;
  esac
done
[ "$groups" = ' ' ] && exit
for signal in TERM KILL; do
  sleep 1
  for group in $groups; do kill -s "$signal" -- "-$group"; done
done
"""


class Keeper:
    """The shell, started with the first process; without a shell there is none and no harm."""

    def __init__(self) -> None:
        self._turn = anyio.Lock()
        self._shell: anyio.abc.Process | None = None
        self._is_missing = os.name != "posix" or shutil.which("sh") is None

    async def begun(self, group: int) -> None:
        """Take note of a process group that has to end with Podium."""
        async with self._turn:
            if self._shell is None and not self._is_missing:
                await self._start()
            await self._tell("begun", group)

    async def ended(self, group: int) -> None:
        """Take note that a group is gone; its number may soon be somebody else's."""
        async with self._turn:
            await self._tell("ended", group)

    async def aclose(self) -> None:
        """End the shell."""
        shell, self._shell = self._shell, None
        if shell is not None:
            with anyio.move_on_after(CLOSE_SECONDS, shield=True):
                await shell.aclose()

    async def _start(self) -> None:
        try:
            self._shell = await anyio.open_process(
                ["sh", "-c", SCRIPT, "podium-keeper"],
                stdin=PIPE,
                stdout=DEVNULL,
                stderr=DEVNULL,
                start_new_session=True,
            )
        except OSError:
            self._is_missing = True

    async def _tell(self, what: str, group: int) -> None:
        if self._shell is None or self._shell.stdin is None:
            return
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            await self._shell.stdin.send(f"{what} {group}\n".encode())
