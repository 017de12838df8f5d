"""What a relay costs: Podium beside other gateways, in one run, with the official client as load.

    python benchmarks/relay.py [--rounds 200] [--calls 640] [--only stdio|http|http-to-stdio]

Three tables, each with the same small server of the official SDK behind every relay:

- stdio: clients on stdio, the server on stdio (on HTTP behind mcp-proxy, which knows no other way
  there); `direct` is that server on stdio.
- http: clients on HTTP, the server on HTTP, and `direct` is that very server, the same process.
- http-to-stdio: clients on HTTP, the server on stdio, which is what mcp-proxy is for. There nothing
  is its like called directly, so that two baselines are measured: the server called over HTTP, and
  over stdio. What a relay adds to the one or the other is told for both.

The others (mcp-proxy; fastmcp's proxy) are installed from the package index into environments of
their own under .cache/relay; one that cannot be installed is left out and said. Sequential calls
go to all in turn, so that a slow moment of the machine hits all alike. Compare rows of one run, not
the digits of two; the ratios at the end are what counts.
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
ECHO = (sys.executable, str(Path(__file__).resolve().with_name("relay_server.py")))
ON_STDIO: dict[str, Any] = {"command": ECHO[0], "args": [ECHO[1], "stdio"]}
INSTALL_SECONDS = 600
START_SECONDS = 60
CALL_SECONDS = 30
BURST_SECONDS = 2  # after which no further calls of a measurement are begun
WARM_UP = 20
AT_ONCE = (16, 64)
REPEATS = 3  # of each measurement of throughput; the best counts
ARGUMENTS = {"text": "hello"}
THROUGH_CALL_TOOL = {"server_id": "echo", "tool_id": "echo", "arguments": ARGUMENTS}
FASTMCP_PROXY = """
import asyncio
import json
import sys
from fastmcp import Client
from fastmcp.server import create_proxy

server, port, session = json.loads(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
options = {"transport": "stdio"}
if port:
    options = {"transport": "http", "host": "127.0.0.1", "port": port}
config = {"mcpServers": {"echo": server}}


async def serve_one_session():
    async with Client(config) as client:
        await create_proxy(client).run_async(show_banner=False, **options)


if session == "one":
    asyncio.run(serve_one_session())
else:
    create_proxy(config).run(show_banner=False, **options)
"""


@dataclass(frozen=True)
class Way:
    """One way to the tool: what is started, and how the tool is called there."""

    name: str
    command: tuple[str, ...]
    port: int = 0  # where it serves HTTP; 0: it is called over stdio
    tool: str = "echo"
    arguments: dict[str, Any] = field(default_factory=lambda: dict(ARGUMENTS))
    kind: str = "peer"  # or "direct", "Podium"


@dataclass(frozen=True)
class Table:
    """One comparison: the ways of it, and what is said of a peer that is none of them."""

    name: str
    ways: tuple[Way, ...]
    behind: int = 0  # the port of a server over HTTP that is started first; 0: none is
    remark: str = ""


@dataclass
class Figures:
    """What was measured of one way."""

    kind: str
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


def stdio_table(folder: Path) -> Table:
    """Return the comparison of stdio in front of stdio."""
    behind = free_port()
    ways = [
        Way("direct", (*ECHO, "stdio"), kind="direct"),
        *podium_ways(folder, ON_STDIO),
        *fastmcp_ways(folder, ON_STDIO),
    ]
    if (program := program_of("mcp-proxy")) is not None:
        command = (program, "--transport", "streamablehttp", url_of(behind))
        ways.append(Way("mcp-proxy (to HTTP)", command))
    return Table("stdio", tuple(ways), behind=behind)


def http_table(folder: Path) -> Table:
    """Return the comparison of HTTP in front of HTTP, the same server behind all."""
    port = free_port()
    direct = Way("direct", (*ECHO, "http", str(port)), port, kind="direct")
    server = {"url": url_of(port)}
    ways = (
        direct,
        *podium_ways(folder, server, http=True),
        *fastmcp_ways(folder, server, http=True),
    )
    remark = "mcp-proxy is no row here: on HTTP it serves nothing but servers on stdio"
    return Table("http", ways, remark=remark)


def http_to_stdio_table(folder: Path) -> Table:
    """Return the comparison of HTTP in front of stdio."""
    port = free_port()
    ways = [
        Way("direct over HTTP", (*ECHO, "http", str(port)), port, kind="direct"),
        Way("direct over stdio", (*ECHO, "stdio"), kind="direct"),
        *podium_ways(folder, ON_STDIO, http=True),
        *fastmcp_ways(folder, ON_STDIO, http=True),
    ]
    if (program := program_of("mcp-proxy")) is not None:
        port = free_port()
        command = (program, "--pass-environment", "--port", str(port), "--", *ECHO, "stdio")
        ways.append(Way("mcp-proxy", command, port))
    return Table("http-to-stdio", tuple(ways))


TABLES: dict[str, Callable[[Path], Table]] = {
    "stdio": stdio_table,
    "http": http_table,
    "http-to-stdio": http_to_stdio_table,
}


def podium_ways(folder: Path, server: dict[str, Any], *, http: bool = False) -> list[Way]:
    """Return the two ways through Podium: the tool passed through, and its own `call_tool`."""
    found = []
    command = (sys.executable, "-m", "podium", "--workspace", str(workspace(folder, server)))
    for name, tool, arguments in (
        ("Podium, call_tool", "call_tool", THROUGH_CALL_TOOL),
        ("Podium, passed through", "echo__echo", ARGUMENTS),
    ):
        port = free_port() if http else 0
        options = ("--http", "--port", str(port)) if http else ()
        found.append(Way(name, (*command, "serve", *options), port, tool, arguments, "Podium"))
    return found


def fastmcp_ways(folder: Path, server: dict[str, Any], *, http: bool = False) -> list[Way]:
    """Return the ways through fastmcp's proxy, if it can be installed.

    To a server over HTTP it begins a session with each request, unless it is given an open one.
    """
    if (program := program_of("fastmcp", "python")) is None:
        return []
    names = {"each": "fastmcp proxy"}
    if "url" in server:
        names["one"] = "fastmcp, one session"
    found = []
    for session, name in names.items():
        port = free_port() if http else 0
        command = (program, proxy_script(folder), json.dumps(server), str(port), session)
        found.append(Way(name, command, port))
    return found


def program_of(package: str, name: str = "") -> str | None:
    """Return a program of a package's own environment; None if it cannot be installed."""
    programs = installed(package)
    return None if programs is None else str(programs / (name or package))


def workspace(folder: Path, server: dict[str, Any]) -> Path:
    """Make a workspace with the server behind it and every tool passed through."""
    config = {"mcpServers": {"echo": server}, "expose": "all"}
    (folder / "config.yaml").write_text(json.dumps(config), "utf-8")  # JSON is YAML
    for name in ("patterns", "compositions", "transformers"):
        (folder / name).mkdir(exist_ok=True)
    return folder


def proxy_script(folder: Path) -> str:
    """Write the program that runs fastmcp's proxy; return its path."""
    script = folder / "fastmcp_proxy.py"
    script.write_text(FASTMCP_PROXY, "utf-8")
    return str(script)


def url_of(port: int) -> str:
    """Return the address of a server on a port."""
    return f"http://127.0.0.1:{port}/mcp"


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
        if way.port:
            pid = stack.enter_context(started(way.command, log))
            client = await connected(stack, way.port)
        else:
            before = children()
            command = StdioServerParameters(
                command=way.command[0], args=list(way.command[1:]), env=dict(os.environ)
            )
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


async def connected(stack: AsyncExitStack, port: int) -> Client:
    """Return a client once the server listens."""
    await listening(port)
    return await stack.enter_async_context(Client(url_of(port), read_timeout_seconds=CALL_SECONDS))


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


async def measure(table: Table, rounds: int, calls: int, log: Any) -> dict[str, Figures]:
    """Return the figures of each way; one that does not work is left out and said."""
    figures: dict[str, Figures] = {}
    async with AsyncExitStack() as stack:
        if table.behind:
            stack.enter_context(started((*ECHO, "http", str(table.behind)), log))
            await listening(table.behind)
        ready: list[Opened] = []
        for way in table.ways:
            try:
                one, seconds = await stack.enter_async_context(opened(way, log))
            except Exception as error:  # noqa: BLE001 - whatever ails another gateway, it is left out
                print(f"{way.name} is left out: {error!r}", file=sys.stderr)
                continue
            ready.append(one)
            figures[way.name] = Figures(way.kind, start_ms=1000 * seconds)
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
                    done = await burst(one, calls, at_once)
                    speed = done / (time.perf_counter() - began)
                    figure.per_second[at_once] = max(speed, figure.per_second.get(at_once, 0.0))
                    figure.cpu_ms = 1000 * (one.cpu_seconds() - cpu) / done
        for one in ready:
            figures[one.way.name].memory_mb = one.memory_mb()
    return figures


async def burst(one: Opened, calls: int, at_once: int) -> int:
    """Make so many calls, so many of them at a time, as time allows; return how many were made."""
    rest = iter(range(calls))
    until = time.perf_counter() + BURST_SECONDS
    done = 0

    async def work() -> None:
        nonlocal done
        for _ in rest:
            await one.call()
            done += 1
            if time.perf_counter() > until:
                return

    async with anyio.create_task_group() as tasks:
        for _ in range(at_once):
            tasks.start_soon(work)
    return done


# --- telling


def report(table: Table, figures: dict[str, Figures]) -> None:
    """Print one table and its ratios, against each baseline that it has."""
    baselines = {name: one for name, one in figures.items() if one.kind == "direct"}
    peers = [one for one in figures.values() if one.kind == "peer"]
    first = next(iter(baselines.values()), None)
    heads = ("p50 us", "p99 us", "added us", *(f"/s x{n}" for n in AT_ONCE), "cpu ms", "start ms")
    print(f"\n{table.name:24}" + "".join(f"{head:>10}" for head in (*heads, "MB")))
    for name, one in figures.items():
        added = one.p50_us() - (first.p50_us() if first else 0)
        cells = (one.p50_us(), one.p99_us(), added, *(one.per_second[n] for n in AT_ONCE))
        print(
            f"{name:24}"
            + "".join(f"{cell:10.0f}" for cell in cells)
            + f"{one.cpu_ms:10.2f}{one.start_ms:10.0f}{one.memory_mb:10.0f}"
        )
    if table.remark:
        print(table.remark)
    for name, one in figures.items():
        if one.kind == "Podium":
            for baseline, direct in baselines.items():
                print(f"{name}, over {baseline}: {ratios(one, direct, peers)}")


def ratios(one: Figures, direct: Figures, peers: list[Figures]) -> str:
    """Return what a way adds to a baseline, beside what the best peer adds to it."""
    most = AT_ONCE[-1]
    words = [f"{one.per_second[most] / direct.per_second[most]:.0%} of direct at {most}"]
    if peers:
        added = one.p50_us() - direct.p50_us()
        least = min(peer.p50_us() for peer in peers) - direct.p50_us()
        best = max(peer.per_second[most] for peer in peers)
        # A peer may be as fast as a baseline of another transport; then there is no ratio.
        share = f"{added / least:.2f} of" if least > 0 else f"{added - least:+.0f} us to"
        words.insert(0, f"added p50 {share} the best peer's (target 0.33 of it)")
        words.append(f"{one.per_second[most] / best:.1f} x the best peer (target 3 x or 80 %)")
    return "; ".join(words)


def bounded(least: int, most: int) -> Callable[[str], int]:
    """Return a reader of a number within bounds."""
    return lambda text: max(least, min(int(text), most))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=bounded(20, 5_000), default=200)
    parser.add_argument("--calls", type=bounded(64, 20_000), default=640)
    parser.add_argument("--only", choices=tuple(TABLES))
    options = parser.parse_args()
    print(f"{options.rounds} sequential rounds; {options.calls} calls at 16 and 64 at once")
    for name in (options.only,) if options.only else TABLES:
        with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w") as log:
            table = TABLES[name](Path(folder))
            report(table, anyio.run(measure, table, options.rounds, options.calls, log))


if __name__ == "__main__":
    main()
