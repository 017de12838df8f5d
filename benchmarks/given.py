"""What a benchmark is given that is not part of this repository: a folder of public data."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path


def data_folder(description: str, source: str, files: Sequence[str], variable: str) -> Path | None:
    """Return the folder of the command line, or of the environment's `variable`.

    None, said on stderr, where one of the `files` of `source` is not in it.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("folder", nargs="?", default=os.environ.get(variable))
    given = parser.parse_args().folder
    missing = [name for name in files if given is None or not (Path(given) / name).is_file()]
    if not missing:
        return Path(given)
    where = f"in {given}" if given else "anywhere, as no folder is given"
    print(
        f"There is no {' and no '.join(missing)} {where}.\n"
        f"Give the folder with the data of {source} as an argument or in {variable}.",
        file=sys.stderr,
    )
    return None
