"""What is built is what people install: it carries the data, and `podium` runs from it."""

import json
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from podium.resources import default_directory

ROOT = Path(__file__).parents[2]
DATA = ("patterns", "compositions", "transformers")


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist, and the wheel from it, with the backend that is installed here."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return folder


def data_files(folder: Path) -> set[str]:
    """Return the data files below a folder, as paths relative to it."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix in (".json", ".py") and "__pycache__" not in path.parts
    }


def test_an_editable_install_reads_the_checkouts_own_data() -> None:
    assert {name: default_directory(name) for name in DATA} == {name: ROOT / name for name in DATA}


@pytest.mark.slow
def test_the_wheel_built_from_the_sdist_carries_every_data_file(distributions: Path) -> None:
    wheel = next(distributions.glob("*.whl"))

    names = zipfile.ZipFile(wheel).namelist()

    for folder in DATA:
        inside = {
            name.removeprefix(f"podium/defaults/{folder}/")
            for name in names
            if name.startswith(f"podium/defaults/{folder}/")
        }
        assert inside >= data_files(ROOT / folder)
    assert not [name for name in names if not name.startswith(("podium/", "podium_mcp-"))]


@pytest.mark.slow
def test_the_sdist_carries_sources_data_and_tests(distributions: Path) -> None:
    archive = next(distributions.glob("*.tar.gz"))

    with tarfile.open(archive) as tar:
        tops = {name.split("/")[1] for name in tar.getnames() if "/" in name}

    assert tops >= {"server", "patterns", "compositions", "transformers", "tests", "README.md"}


@pytest.mark.slow
def test_podium_runs_from_an_empty_folder_in_a_fresh_environment(
    distributions: Path, tmp_path: Path
) -> None:
    environment, empty = tmp_path / "venv", tmp_path / "empty"
    venv.create(environment, with_pip=True)
    empty.mkdir()
    bin_folder = environment / "bin"
    wheel = next(distributions.glob("*.whl"))
    install = [bin_folder / "pip", "install", "--quiet", "--disable-pip-version-check", wheel]
    subprocess.run(install, check=True, timeout=300)
    clean = {"HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}

    def podium(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [bin_folder / "podium", *arguments]
        return subprocess.run(
            command,
            cwd=empty,
            env=clean,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    made = podium("init", "space")
    asked = podium("--workspace", "space", "ask", "liste les fichiers", "--json")

    assert (made.returncode, made.stderr) == (0, "")
    assert (empty / "space" / "patterns").is_dir()
    reply = json.loads(asked.stdout)
    assert (asked.returncode, reply["status"]) == (0, "success"), asked.stderr
    assert [path.name for path in empty.iterdir()] == ["space"]
