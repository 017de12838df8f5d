"""Every page is played as a reader would: its files written, its commands run, in their order."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, README, Block, blocks_of

pytestmark = pytest.mark.slow

PORT = "8321"  # on the pages; the tests use a free one instead
SECONDS = 120  # of one block
START_SECONDS = 60  # until a server says that it serves
PLAYED = [page for page in PAGES if any(block.kind == "tried" for block in blocks_of(page))]


@dataclass
class Shell:
    """Where a reader of a page is: a folder that `cd` changes, and an environment."""

    folder: Path
    environment: dict[str, str]
    port: str

    def run(self, script: str) -> str:
        """Run a script and return all that it prints; go on in the folder where it ends."""
        with tempfile.NamedTemporaryFile("r") as place:
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", f"{script}\npwd > '{place.name}'"],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=SECONDS,
                check=False,
            )
            self.folder = Path(place.read().strip() or self.folder)
        assert done.returncode == 0, f"{script}\nexit code {done.returncode}\n{done.stdout}"
        assert "Traceback" not in done.stdout, done.stdout
        return done.stdout

    def write(self, block: Block) -> None:
        path = self.folder / block.argument
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.adapted(block.text), encoding="utf-8")

    @contextmanager
    def serving(self, command: str) -> Iterator[None]:
        """Run a server while the body runs; it must have said that it serves."""
        with tempfile.NamedTemporaryFile("w+") as said:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {command}"],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
            try:
                wait_for("serving http", Path(said.name), process)
                yield
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(START_SECONDS)
            assert process.returncode == 0, Path(said.name).read_text()

    def adapted(self, text: str) -> str:
        return text.replace(PORT, self.port)


def wait_for(words: str, output: Path, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while words not in output.read_text():
        assert process.poll() is None, output.read_text()
        assert time.monotonic() < end, f"no '{words}' in: {output.read_text()}"
        time.sleep(0.1)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    home = tmp_path / "home"
    home.mkdir()
    beside = Path(sys.executable).parent
    environment = {
        "HOME": str(home),
        "PATH": f"{beside}{os.pathsep}{os.defpath}",
        "LANG": "C.UTF-8",
    }
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
    folder = tmp_path / "reader"
    folder.mkdir()
    return Shell(folder, environment, port)


@pytest.mark.parametrize("page", PLAYED, ids=lambda page: page.name)
def test_a_page_does_what_it_says(page: Path, shell: Shell) -> None:
    if page != README:  # which begins before there is a workspace
        shell.run("podium init my-podium && cd my-podium")

    play(blocks_of(page), shell)


def play(blocks: list[Block], shell: Shell) -> None:
    """Play blocks in their order; the programs that no command of the page runs come last."""
    output = ""
    with ExitStack() as servers:
        for block in blocks:
            if block.kind == "file":
                shell.write(block)
            elif block.kind == "tried":
                output = shell.run(shell.adapted(block.text))
            elif block.kind == "prints":
                assert_printed(block, output)
            elif block.kind == "served":
                servers.enter_context(shell.serving(shell.adapted(block.text).strip()))
        for program in programs(blocks):
            shell.run(f"python {program}")


def programs(blocks: list[Block]) -> list[str]:
    """Return the Python files beside `config.yaml` that no block runs by itself."""
    scripts = "\n".join(block.text for block in blocks if block.kind == "tried")
    names = [b.argument for b in blocks if b.kind == "file" and b.argument.endswith(".py")]
    return [name for name in names if "/" not in name and f"python {name}" not in scripts]


def assert_printed(block: Block, output: str) -> None:
    printed = " ".join(output.split())
    for line in filter(None, map(str.split, block.text.splitlines())):
        wanted = ".*?".join(map(re.escape, " ".join(line).split("…")))
        assert re.search(wanted, printed), f"{block.where}: {' '.join(line)}\nis not in:\n{output}"


def test_the_demo_of_the_readme_plays(shell: Shell) -> None:
    (block,) = [each for each in blocks_of(README) if each.kind == "demo command"]
    command = block.text.strip().rpartition("&&")[2].strip()
    assert command == ".venv/bin/podium demo"

    output = shell.run("podium demo")

    assert "understood as" in output
    assert "asked for in words: 3 calls -> 1 call" in output
