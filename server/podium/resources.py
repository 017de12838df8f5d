"""The data that ships with Podium, found in an installed wheel and in a checkout alike."""

from importlib.resources import files
from pathlib import Path
from typing import Literal

DataFolder = Literal["patterns", "compositions", "transformers"]


def default_directory(name: DataFolder) -> Path:
    """Return a folder of shipped data: in the installed package, else beside the sources."""
    packaged = Path(str(files("podium"))) / "defaults" / name
    if packaged.is_dir():
        return packaged
    return Path(__file__).parents[2] / name
