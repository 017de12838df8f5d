"""The protocol's own conformance suite, run against Podium in front of a complete server."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers import need_conformance_suite

pytestmark = pytest.mark.slow

EVERYTHING = Path(__file__).parent / "everything.py"
SUITE_SECONDS = 240
RUNS = {
    "2026-07-28": ["--requirements", "2026-07-28"],
    "2025-11-25": ["--suite", "all", "--spec-version", "2025-11-25"],
}
CONFIG = """
mcpServers:
  everything: {{url: "{url}"}}
expose: all
prefix: ""
"""


@contextmanager
def running(command: list[str], stream: str, pattern: str) -> Iterator[str]:
    """Run a server and yield the address that it prints."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        for line in getattr(process, stream):
            if match := re.search(pattern, line):
                yield match.group()
                return
        raise AssertionError(f"{command} ended before it served")
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.fixture
def suite() -> list[str]:
    return need_conformance_suite()


@pytest.fixture
def podium(tmp_path: Path) -> Iterator[str]:
    """Serve Podium over HTTP in front of the complete server, everything exposed unprefixed."""
    program = shutil.which("podium", path=str(Path(sys.executable).parent))
    assert program is not None
    for folder in ("patterns", "compositions", "transformers"):
        (tmp_path / folder).mkdir()
    address = r"http://\S+/mcp"
    with running([sys.executable, str(EVERYTHING), "--http"], "stdout", address) as url:
        (tmp_path / "config.yaml").write_text(CONFIG.format(url=url))
        serve = [program, "serve", "--http", "--port", "0", "--workspace", str(tmp_path)]
        with running(serve, "stderr", address) as served:
            yield served


@pytest.mark.parametrize("revision", RUNS)
def test_every_required_scenario_passes_through_podium(suite, podium, revision, tmp_path):
    command = [*suite, "server", "--url", podium, *RUNS[revision], "-o", str(tmp_path / "results")]

    ran = subprocess.run(
        command, capture_output=True, text=True, timeout=SUITE_SECONDS, cwd=tmp_path, check=False
    )

    checks = [
        {**check, "scenario": results.parent.name}
        for results in (tmp_path / "results").glob("**/checks.json")
        for check in json.loads(results.read_text())
    ]
    failed = [
        (check["scenario"], check.get("errorMessage"))
        for check in checks
        if check["status"] == "FAILURE" and "-tasks-" not in check["scenario"]
    ]
    # The suite itself tells the required scenarios from the rest; tasks are an extension.
    assert failed == []
    assert ran.returncode == 0, ran.stdout[-4_000:]
    assert len(checks) > 70
