"""Where a command is found and what environment its process gets.

Claude Desktop starts programs with a bare PATH, in the folder `/`; servers that were installed
beside Podium must still be found then.
"""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from podium.domain.errors import UpstreamUnavailableError
from podium.upstreams.sdk import safe_environment


def child_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return the few variables that are safe to inherit, plus the entry's own.

    The interpreter's folder ends the PATH, so that what a server starts is found as well.
    """
    environment = {**safe_environment(), **extra}
    environment["PATH"] = os.pathsep.join(
        [environment.get("PATH") or os.defpath, str(_beside_interpreter())]
    )
    return environment


def find_command(command: str, cwd: Path | None, environment: Mapping[str, str]) -> str:
    """Return the program to run: on PATH, then beside the running interpreter.

    Raises:
        UpstreamUnavailableError: it is in neither; says where was looked.

    """
    if os.path.dirname(command):  # noqa: PTH120 - Path("./x").parent no longer tells "./x" from "x"
        path = (cwd or Path.cwd()) / Path(command).expanduser()
        if shutil.which(path):
            return str(path)
        problem = "cannot be run" if path.exists() else "does not exist"
        raise UpstreamUnavailableError(
            f"command '{path}' {problem}",
            hint="correct `command` in config.yaml",
            retryable=False,
            sent=False,
        )
    if (found := shutil.which(command, path=environment["PATH"])) is not None:
        return found
    folders = environment["PATH"].split(os.pathsep)
    raise UpstreamUnavailableError(
        f"command '{command}' was not found on PATH ({os.pathsep.join(folders[:-1])}) "
        f"nor beside the interpreter ({folders[-1]})",
        hint="install it, or give its absolute path as `command` in config.yaml",
        retryable=False,
        sent=False,
    )


def _beside_interpreter() -> Path:
    return Path(sys.executable).parent
