"""What Podium adds to a call: one run, side by side, over real pipes with the official client.

    python benchmarks/overhead.py [--calls 200]

Each round makes one call of every kind in turn, so that a slow moment of the machine hits all
alike; compare the rows of one run, not the digits of two runs.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
from mcp import Client, StdioServerParameters

from podium.domain.limits import Limits
from podium.intents.library import load_patterns
from podium.intents.matcher import Matcher
from podium.resources import default_directory

FILES = ["-m", "podium", "upstream", "files"]
CONFIG = (
    "mcpServers:\n  files: {command: PYTHON, args: [-m, podium, upstream, files, ./documents]}\n"
)
THREE_STEPS = {
    "id": "three_steps",
    "input_schema": {"type": "object", "properties": {"query": {"type": "string"}}},
    "steps": [
        {"id": "list", "server_id": "files", "tool_id": "list_directory"},
        {
            "id": "read",
            "server_id": "files",
            "tool_id": "read_file",
            "input_mapping": {"file_path": "list.files[0]"},
        },
        {
            "id": "info",
            "server_id": "files",
            "tool_id": "file_info",
            "input_mapping": {"file_path": "read.file_path"},
        },
    ],
    "output": {"text": "read.text", "size": "info.size"},
}
REQUESTS = (
    "liste les fichiers du dossier documents",
    "what time is it in Tokyo when it is 9:30 in Paris?",
    "cherche budget dans les fichiers",
    "what changed in the repository?",
    "raconte-moi une blague sur les girafes",
    "please remember the milk, and do something else entirely",
)
Measured = Callable[[], Awaitable[object]]


def workspace_in(folder: Path) -> Path:
    """Make a workspace with one document and the three-step composition."""
    (folder / "documents").mkdir()
    (folder / "patterns").mkdir()
    (folder / "documents" / "note.txt").write_text("a short note\n" * 20, encoding="utf-8")
    templates = folder / "compositions" / "templates"
    templates.mkdir(parents=True)
    (templates / "three_steps.json").write_text(json.dumps(THREE_STEPS), encoding="utf-8")
    config = CONFIG.replace("PYTHON", json.dumps(sys.executable))
    (folder / "config.yaml").write_text(config, encoding="utf-8")
    return folder


async def microseconds(measured: Measured) -> float:
    """Return how long one call takes."""
    started = time.perf_counter()
    await measured()
    return (time.perf_counter() - started) * 1e6


def row(name: str, times: list[float], floor: list[float] | None) -> str:
    """Return a line of the table; the ratio is of medians."""
    quantiles = statistics.quantiles(times, n=100)
    ratio = "" if floor is None else f"{statistics.median(times) / statistics.median(floor):8.2f}"
    return f"{name:44} {statistics.median(times):10.0f} {quantiles[98]:10.0f} {ratio:>8}"


async def measure(calls: int, folder: Path) -> dict[str, list[float]]:
    """Return the times of each kind of call, in microseconds."""
    direct_server = StdioServerParameters(
        command=sys.executable, args=[*FILES, str(folder / "documents")]
    )
    podium_server = StdioServerParameters(
        command=sys.executable, args=["-m", "podium", "--workspace", str(folder), "serve"]
    )
    matcher = Matcher(load_patterns(default_directory("patterns")), limits=Limits())
    read = {"file_path": "note.txt"}
    through = {"server_id": "files", "tool_id": "read_file", "arguments": read}
    play = {"composition_id": "three_steps", "params": {}}
    async with Client(direct_server) as direct, Client(podium_server) as podium:

        async def three_direct_calls() -> None:
            listed = await direct.call_tool("list_directory", {})
            name = (listed.structured_content or {})["files"][0]
            text = await direct.call_tool("read_file", {"file_path": name})
            path = (text.structured_content or {})["file_path"]
            await direct.call_tool("file_info", {"file_path": path})

        async def analyse() -> None:
            for request in REQUESTS:
                matcher.analyse(request)

        kinds: dict[str, Measured] = {
            "direct call": lambda: direct.call_tool("read_file", read),
            "the same through call_tool": lambda: podium.call_tool("call_tool", through),
            "three direct calls, mapped by hand": three_direct_calls,
            "three-step composition": lambda: podium.call_tool("execute_composition", play),
            "intent analysis": analyse,
        }
        for measured in kinds.values():  # warm up: processes started, code and caches loaded
            for _ in range(10):
                await measured()
        times: dict[str, list[float]] = {name: [] for name in kinds}
        for _ in range(calls):
            for name, measured in kinds.items():
                times[name].append(await microseconds(measured))
    times["intent analysis"] = [t / len(REQUESTS) for t in times["intent analysis"]]
    return times


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=200, help="rounds to measure (default 200)")
    calls = max(10, min(parser.parse_args().calls, 10_000))
    with tempfile.TemporaryDirectory() as folder:
        times = anyio.run(measure, calls, workspace_in(Path(folder)))
    direct, three = times["direct call"], times["three direct calls, mapped by hand"]
    print(f"{calls} rounds; microseconds; official client over stdio\n")
    print(f"{'':44} {'p50':>10} {'p99':>10} {'x floor':>8}")
    print(row("direct call of files.read_file", direct, direct))
    print(row("the same through call_tool", times["the same through call_tool"], direct))
    print(row("three direct calls, mapped by hand", three, three))
    print(row("three-step composition", times["three-step composition"], three))
    print(row("intent analysis, shipped patterns", times["intent analysis"], None))


if __name__ == "__main__":
    main()
