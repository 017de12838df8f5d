"""What a relay costs: Podium beside other gateways, in one run, with the official client as load.

    python benchmarks/relay.py [--rounds 200] [--calls 640] [--only stdio|http]

Behind each relay stands the same small server of the official SDK, over stdio (over HTTP behind
mcp-proxy on stdio, which knows no other way); `direct` is that
server itself, on the transport of the table. The others (mcp-proxy; fastmcp's proxy) are installed
from the package index into environments of their own under .cache/relay; one that cannot be
installed is left out and said. Sequential calls go to all in turn, so that a slow moment of the
machine hits all alike. Compare the rows of one run, not the digits of two; the ratios at the end
are what counts.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

CACHE = Path(__file__).resolve().parents[1] / ".cache" / "relay"
SERVER = Path(__file__).resolve().with_name("relay_server.py")
INSTALL_SECONDS = 600
START_SECONDS = 60
CALL_SECONDS = 30
WARM_UP = 20
AT_ONCE = (16, 64)
PORT = "PORT"
BEHIND_URL = f"http://127.0.0.1:{PORT}/mcp"
REPEATS = 3  # of each measurement of throughput; the best counts
ARGUMENTS = {"text": "hello"}
THROUGH_CALL_TOOL = {"server_id": "echo", "tool_id": "echo", "arguments": ARGUMENTS}
FASTMCP_PROXY = """
import sys
from fastmcp.server import create_proxy

config = {"mcpServers": {"echo": {"command": sys.argv[1], "args": sys.argv[2:4]}}}
port = sys.argv[4:]
options = {"transport": "http", "host": "127.0.0.1", "port": int(port[0])} if port else {}
create_proxy(config).run(show_banner=False, **options)
"""


@dataclass(frozen=True)
class Way:
    """One way to the tool: what is started, and how the tool is called there."""

    name: str
    command: tuple[str, ...]  # with the word PORT in it, it is called over HTTP
    tool: str = "echo"
    arguments: dict[str, Any] = field(default_factory=lambda: dict(ARGUMENTS))
    behind: tuple[str, ...] = ()  # started first, on PORT, where it can only relay to HTTP


@dataclass
class Figures:
    """What was measured of one way."""

    seconds: list[float] = field(default_factory=list)
    per_second: dict[int, float] = field(default_factory=dict)
    cpu_ms: float = 0.0
    start_ms: float = 0.0
    memory_mb: float = 0.0

    def p50_us(self) -> float:
        """Return the median of the sequential calls."""
        return statistics.median(self.seconds) * 1e6

    def p99_us(self) -> float:
        """Return the time that one sequential call in a hundred exceeds."""
        return statistics.quantiles(self.seconds, n=100)[98] * 1e6


# --- the other gateways


def installed(package: str) -> Path | None:
    """Return the folder of programs of an environment that has the package; None if none can."""
    folder = CACHE / package
    programs = folder / "bin"
    if (folder / "ready").exists():
        return programs
    print(f"installing {package} into {folder} ...", file=sys.stderr)
    commands = (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [str(programs / "python"), "-m", "pip", "install", "-q", package],
    )
    try:
        for command in commands:
            subprocess.run(command, check=True, timeout=INSTALL_SECONDS, capture_output=True)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"{package} is left out: it cannot be installed: {error}", file=sys.stderr)
        return None
    (folder / "ready").touch()
    return programs


def ways(transport: str, folder: Path) -> list[Way]:
    """Return the ways to measure on a transport."""
    server = (sys.executable, str(SERVER))
    podium = (sys.executable, "-m", "podium", "--workspace", str(workspace(folder)), "serve")
    fastmcp = installed("fastmcp")
    if transport == "stdio":
        found = [
            Way("direct", (*server, "stdio")),
            Way("Podium, call_tool", podium, tool="call_tool", arguments=THROUGH_CALL_TOOL),
            Way("Podium, passed through", podium, tool="echo__echo"),
        ]
        if fastmcp is not None:
            script = proxy_script(folder)
            command = (str(fastmcp / "python"), script, *server, "stdio")
            found.append(Way("fastmcp proxy", command))
        if (mcp_proxy := installed("mcp-proxy")) is not None:
            command = (str(mcp_proxy / "mcp-proxy"), "--transport", "streamablehttp", BEHIND_URL)
            found.append(Way("mcp-proxy (to HTTP)", command, behind=(*server, "http", PORT)))
        return found
    podium_http = (*podium, "--http", "--port", PORT)
    found = [
        Way("direct", (*server, "http", PORT)),
        Way("Podium, call_tool", podium_http, tool="call_tool", arguments=THROUGH_CALL_TOOL),
        Way("Podium, passed through", podium_http, tool="echo__echo"),
    ]
    if (mcp_proxy := installed("mcp-proxy")) is not None:
        options = ("--pass-environment", "--port", PORT, "--")
        command = (str(mcp_proxy / "mcp-proxy"), *options, *server, "stdio")
        found.append(Way("mcp-proxy", command))
    if fastmcp is not None:
        command = (str(fastmcp / "python"), proxy_script(folder), *server, "stdio", PORT)
        found.append(Way("fastmcp proxy", command))
    return found


def workspace(folder: Path) -> Path:
    """Make a workspace with the server behind it and every tool passed through."""
    entry = {"command": sys.executable, "args": [str(SERVER), "stdio"]}
    config = {"mcpServers": {"echo": entry}, "expose": "all"}
    (folder / "config.yaml").write_text(json.dumps(config), "utf-8")  # JSON is YAML
    for name in ("patterns", "compositions", "transformers"):
        (folder / name).mkdir(exist_ok=True)
    return folder


def proxy_script(folder: Path) -> str:
    """Write the program that runs fastmcp's proxy; return its path."""
    script = folder / "fastmcp_proxy.py"
    script.write_text(FASTMCP_PROXY, "utf-8")
    return str(script)


def free_port() -> int:
    """Return a port that was free just now."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


# --- one way, open


@dataclass
class Opened:
    """A way with a client on it."""

    way: Way
    client: Client
    pid: int

    async def call(self) -> None:
        """Call the tool once."""
        result = await self.client.call_tool(self.way.tool, self.way.arguments)
        assert not result.is_error, result

    def cpu_seconds(self) -> float:
        """Return the processor time of the relay itself, without the server behind it."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        """Return the memory that the relay itself holds."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE") / 1e6


@asynccontextmanager
async def opened(way: Way, log: Any) -> AsyncIterator[tuple[Opened, float]]:
    """Start a way and connect to it; yields it and the seconds until the first answer."""
    began = time.perf_counter()
    async with AsyncExitStack() as stack:
        if PORT in way.command:
            port = free_port()
            command_line = tuple(str(port) if word == PORT else word for word in way.command)
            pid = stack.enter_context(started(command_line, log))
            client = await connected(stack, port)
        else:
            port = await stack.enter_async_context(server_behind(way, log))
            words = [word.replace(PORT, str(port)) for word in way.command]
            before = children()
            command = StdioServerParameters(command=words[0], args=words[1:], env=dict(os.environ))
            client = await stack.enter_async_context(
                Client(quiet(command, log), read_timeout_seconds=CALL_SECONDS)
            )
            (pid,) = children() - before
        one = Opened(way, client, pid)
        with anyio.fail_after(START_SECONDS):
            await one.call()
        yield one, time.perf_counter() - began


def quiet(command: StdioServerParameters, log: Any) -> Any:
    """Return the transport of a command whose stderr goes to a log."""
    return stdio_client(command, errlog=log)


@asynccontextmanager
async def server_behind(way: Way, log: Any) -> AsyncIterator[int]:
    """Run the server that a way wants behind it, if it wants one; yields its port, else 0."""
    if not way.behind:
        yield 0
        return
    port = free_port()
    with started(tuple(str(port) if word == PORT else word for word in way.behind), log):
        await listening(port)
        yield port


async def connected(stack: AsyncExitStack, port: int) -> Client:
    """Return a client once the server listens."""
    await listening(port)
    url = f"http://127.0.0.1:{port}/mcp"
    return await stack.enter_async_context(Client(url, read_timeout_seconds=CALL_SECONDS))


async def listening(port: int) -> None:
    """Wait until something listens on a port."""
    with anyio.fail_after(START_SECONDS):
        while True:
            try:
                stream = await anyio.connect_tcp("127.0.0.1", port)
            except OSError:
                await anyio.sleep(0.01)
            else:
                await stream.aclose()
                return


@contextmanager
def started(command: tuple[str, ...], log: Any) -> Iterator[int]:
    """Run a program meanwhile; yields its process id."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log) as process:
        try:
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def children() -> set[int]:
    """Return the processes that this one has started."""
    return set(map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()))


# --- measuring


async def measure(found: list[Way], rounds: int, calls: int, log: Any) -> dict[str, Figures]:
    """Return the figures of each way; one that does not work is left out and said."""
    figures: dict[str, Figures] = {}
    async with AsyncExitStack() as stack:
        ready: list[Opened] = []
        for way in found:
            try:
                one, seconds = await stack.enter_async_context(opened(way, log))
            except Exception as error:  # noqa: BLE001 - whatever ails another gateway, it is left out
                print(f"{way.name} is left out: {error!r}", file=sys.stderr)
                continue
            ready.append(one)
            figures[way.name] = Figures(start_ms=1000 * seconds)
        for one in ready:
            for _ in range(WARM_UP):
                await one.call()
        for _ in range(rounds):
            for one in ready:
                began = time.perf_counter()
                await one.call()
                figures[one.way.name].seconds.append(time.perf_counter() - began)
        for _ in range(REPEATS):
            for at_once in AT_ONCE:
                for one in ready:
                    figure = figures[one.way.name]
                    cpu, began = one.cpu_seconds(), time.perf_counter()
                    await burst(one, calls, at_once)
                    speed = calls / (time.perf_counter() - began)
                    figure.per_second[at_once] = max(speed, figure.per_second.get(at_once, 0.0))
                    figure.cpu_ms = 1000 * (one.cpu_seconds() - cpu) / calls
        for one in ready:
            figures[one.way.name].memory_mb = one.memory_mb()
    return figures


async def burst(one: Opened, calls: int, at_once: int) -> None:
    """Make so many calls, so many of them at a time."""
    rest = iter(range(calls))

    async def work() -> None:
        for _ in rest:
            await one.call()

    async with anyio.create_task_group() as tasks:
        for _ in range(at_once):
            tasks.start_soon(work)


# --- telling


def report(transport: str, figures: dict[str, Figures]) -> None:
    """Print the table of one transport and its ratios."""
    direct = figures["direct"]
    heads = ("p50 us", "p99 us", "added us", *(f"/s x{n}" for n in AT_ONCE), "cpu ms", "start ms")
    print(f"\n{transport:24}" + "".join(f"{head:>10}" for head in (*heads, "MB")))
    for name, one in figures.items():
        added = one.p50_us() - direct.p50_us()
        speeds = [one.per_second[n] for n in AT_ONCE]
        cells = (one.p50_us(), one.p99_us(), added, *speeds)
        print(
            f"{name:24}"
            + "".join(f"{cell:10.0f}" for cell in cells)
            + f"{one.cpu_ms:10.2f}{one.start_ms:10.0f}{one.memory_mb:10.0f}"
        )
    peers = [
        one for name, one in figures.items() if name not in ("direct",) and "Podium" not in name
    ]
    most = AT_ONCE[-1]
    for name, one in figures.items():
        if "Podium" not in name:
            continue
        words = [f"{one.per_second[most] / direct.per_second[most]:.0%} of direct at {most}"]
        if peers:
            least = min(peer.p50_us() for peer in peers) - direct.p50_us()
            best = max(peer.per_second[most] for peer in peers)
            share = (one.p50_us() - direct.p50_us()) / least
            words.insert(0, f"added p50 {share:.2f} of the best peer's (target 0.33)")
            words.append(f"{one.per_second[most] / best:.1f} x the best peer (target 3 x or 80 %)")
        print(f"{name}: " + "; ".join(words))


def bounded(least: int, most: int) -> Callable[[str], int]:
    """Return a reader of a number within bounds."""
    return lambda text: max(least, min(int(text), most))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=bounded(20, 5_000), default=200)
    parser.add_argument("--calls", type=bounded(64, 20_000), default=640)
    parser.add_argument("--only", choices=("stdio", "http"))
    options = parser.parse_args()
    print(f"{options.rounds} sequential rounds; {options.calls} calls at 16 and 64 at once")
    for transport in (options.only,) if options.only else ("stdio", "http"):
        with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w") as log:
            found = ways(transport, Path(folder))
            report(transport, anyio.run(measure, found, options.rounds, options.calls, log))


if __name__ == "__main__":
    main()
