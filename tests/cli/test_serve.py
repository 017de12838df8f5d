"""`podium serve` as clients start it, and the first words of a new user, as real processes."""

import os
import pty
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import anyio
import pytest
from mcp import Client, StdioServerParameters

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SECONDS = 60  # for one conversation, on a busy machine as well
PODIUM = Path(sys.executable).parent / "podium"
TOUR = {
    "en": ("Give me a tour of my documents", "Your documents:"),
    "fr": ("Peux-tu faire le tour de mes documents ?", "Vos documents :"),
}


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a desktop program hands down: hardly anything."""
    return {"HOME": str(tmp_path_factory.mktemp("home")), "PATH": "/usr/bin:/bin"}


@pytest.fixture(scope="module")
def made(bare: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace as `podium init` makes it."""
    folder = tmp_path_factory.mktemp("made") / "workspace"
    shell(bare, "init", str(folder))
    return folder


def shell(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PODIUM, *arguments],
        cwd="/",
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )


@contextmanager
def started(
    environment: dict[str, str], *arguments: str, in_background: bool = False
) -> Iterator[subprocess.Popen[str]]:
    """Start `podium`; `in_background`, as a job of a script, it is born with SIGINT ignored."""
    job = ["/bin/sh", "-c", 'trap "" INT; exec "$0" "$@"'] if in_background else []
    with subprocess.Popen(
        [*job, PODIUM, *arguments],
        cwd="/",
        env=environment,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


@pytest.mark.parametrize("language", TOUR)
def test_the_first_question_in_a_new_workspace_is_answered(
    bare: dict[str, str], made: Path, language: str
) -> None:
    request, beginning = TOUR[language]

    asked = shell(bare, "--workspace", str(made), "ask", request)

    assert asked.stdout.splitlines()[0] == beginning
    assert "welcome.md" in asked.stdout
    assert asked.stderr == ""


async def test_a_desktop_client_is_served_over_stdio(bare: dict[str, str], made: Path) -> None:
    command = StdioServerParameters(
        command=str(PODIUM), args=["serve", "--workspace", str(made)], env=bare, cwd="/"
    )

    with anyio.fail_after(SECONDS):
        async with Client(command) as client:
            reply = await client.call_tool("process_request", {"request": TOUR["fr"][0]})

    assert reply.structured_content["status"] == "success"
    assert reply.structured_content["data"]["message"].startswith(TOUR["fr"][1])


async def test_a_port_is_served_until_the_end_is_asked_for(
    bare: dict[str, str], made: Path
) -> None:
    with started(bare, "serve", "--http", "--port", "0", "-w", str(made)) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        url = re.fullmatch(r"serving (http://127\.0\.0\.1:\d+/mcp)\n", line)
        assert url is not None, line

        with anyio.fail_after(SECONDS):
            async with Client(url[1]) as client:
                reply = await client.call_tool("process_request", {"request": TOUR["en"][0]})
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=SECONDS)

    assert reply.structured_content["data"]["message"].startswith(TOUR["en"][1])
    assert (process.returncode, out, err) == (0, "", "")


def test_a_port_that_is_taken_is_said(bare: dict[str, str], made: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with started(bare, "serve", "--http", "--port", str(port), "-w", str(made)) as process:
            out, err = process.communicate(timeout=SECONDS)

    assert (process.returncode, out) == (2, "")
    assert f"cannot listen on 127.0.0.1:{port}" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("ending", "in_background"),
    [(signal.SIGINT, False), (signal.SIGTERM, False), (signal.SIGTERM, True)],
)
async def test_an_interrupted_request_ends_quietly_and_ends_its_servers(
    bare: dict[str, str],
    made: Path,
    tmp_path: Path,
    ending: signal.Signals,
    in_background: bool,  # noqa: FBT001 - a case
) -> None:
    (tmp_path / "patterns").mkdir()
    (tmp_path / "config.yaml").write_text(
        "mcpServers: {files: {command: /bin/sleep, args: ['600']}}\n"
        "limits: {start_seconds: 60}\norchestrator: {execution_timeout: 60}\n"
    )
    play = made / "compositions/templates/my_first_composition.json"

    with started(
        bare, "-w", str(tmp_path), "run", str(play), in_background=in_background
    ) as process:
        server = await _first_child(process.pid)
        process.send_signal(ending)
        out, err = process.communicate(timeout=SECONDS)

    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert not await anyio.Path(f"/proc/{server}").exists()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_the_file_server_ends_when_it_is_told_to(
    bare: dict[str, str], made: Path, ending: signal.Signals
) -> None:
    hello = '{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n'
    with subprocess.Popen(
        [PODIUM, "upstream", "files", str(made)],
        env=bare,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(hello)
        process.stdin.flush()
        assert '"id":1' in process.stdout.readline()

        process.send_signal(ending)  # while it waits for more on stdin

        assert process.wait(timeout=SECONDS) == -ending


async def _first_child(pid: int) -> str:
    """Return the id of the first server that a process starts."""
    children = anyio.Path(f"/proc/{pid}/task/{pid}/children")
    with anyio.fail_after(SECONDS):
        while not (found := (await children.read_text()).split()):  # noqa: ASYNC110 - not ours to signal
            await anyio.sleep(0.02)
    return found[0]


def test_progress_is_shown_on_a_terminal_only(bare: dict[str, str], made: Path) -> None:
    terminal, side = pty.openpty()
    with subprocess.Popen(
        [PODIUM, "-w", str(made), "ask", TOUR["en"][0], "--json"],
        env={**bare, "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=side,
        text=True,
    ) as process:
        os.close(side)
        shown = b"".join(_until_ended(terminal, process)).decode()
        out = process.stdout.read() if process.stdout else ""

    assert "✓" in shown
    assert "files.list_directory" in shown
    assert out.startswith("{\n")
    assert "\x1b" not in out


def _until_ended(terminal: int, process: "subprocess.Popen[str]") -> Iterator[bytes]:
    """Yield what is shown; that nobody has the other side open may be so before it is used too."""
    try:
        while process.poll() is None:
            with suppress(OSError):
                while data := os.read(terminal, 65_536):
                    yield data
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
    finally:
        os.close(terminal)
