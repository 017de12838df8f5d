"""The protocol's own conformance suite, with Podium as the client that it examines."""

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest

from tests.relay.conformance_user import serve
from tests.servers import need_conformance_suite

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

DRIVER = Path(__file__).with_name("conformance_client.py")
SUITE_SECONDS = 200
CLIENT_MILLISECONDS = 150_000  # all clients are started at once, and wait for their turn
REQUIRED = {"2026-07-28": 32, "2025-11-25": 18}
# Scenarios whose server is not to be trusted, with the reason that Podium has to give.
REFUSED = {
    "auth/iss-normalized": "Authorization response iss mismatch",
    "auth/iss-supported-missing": "Authorization response missing iss",
    "auth/iss-unexpected": "Authorization response iss mismatch",
    "auth/iss-wrong-issuer": "Authorization response iss mismatch",
    "auth/metadata-issuer-mismatch": "Authorization server metadata issuer mismatch",
    "auth/resource-mismatch": "does not match expected",
}


@dataclass(frozen=True)
class Outcome:
    """What the suite noted of one scenario."""

    statuses: frozenset[str]
    failure: str

    @classmethod
    def of(cls, folder: Path) -> "Outcome":
        checks = json.loads((folder / "checks.json").read_text())
        statuses = frozenset(check["status"] for check in checks)
        return cls(statuses, (folder / "stderr.txt").read_text().strip())


def outcomes_in(folder: Path) -> dict[str, Outcome]:
    return {
        re.sub(r"-\d{4}-\d\d-\d\dT.*", "", str(found.parent.relative_to(folder))): Outcome.of(
            found.parent
        )
        for found in folder.rglob("checks.json")
    }


async def run(*command: str, cwd: Path) -> tuple[int, str]:
    with anyio.fail_after(SUITE_SECONDS):
        ran = await anyio.run_process(command, cwd=cwd, check=False)
    return ran.returncode, (ran.stdout + ran.stderr).decode()


async def required_by(suite: list[str], revision: str, cwd: Path) -> list[str]:
    """Return the scenarios for clients that the suite itself calls required."""
    _, listed = await run(*suite, "list", "--requirements", revision, cwd=cwd)
    of_clients = listed.partition("Client scenarios")[2].partition("never scored")[0]
    return re.findall(r"^  - (\S+)$", of_clients, re.MULTILINE)


@pytest.fixture
def suite() -> list[str]:
    return need_conformance_suite()


@pytest.mark.parametrize("revision", REQUIRED)
async def test_every_required_scenario_passes_with_podium_as_the_client(
    suite: list[str], revision: str, tmp_path: Path
) -> None:
    required = await required_by(suite, revision, tmp_path)
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(serve, tmp_path)
        driver = f"{sys.executable} -S -I {DRIVER} {port}"
        options = ["--requirements", revision, "--timeout", str(CLIENT_MILLISECONDS)]
        code, told = await run(
            *suite, "client", "--command", driver, *options, "-o", "results", cwd=tmp_path
        )
        tasks.cancel_scope.cancel()

    outcomes = outcomes_in(tmp_path / "results")
    failed = {
        name: outcomes.get(name)
        for name in required
        if name not in outcomes or outcomes[name].statuses & {"FAILURE", "WARNING"}
    }
    failures = {name: outcomes[name].failure for name in required if outcomes[name].failure}
    assert failed == {}
    assert code == 0, told[-4_000:]
    assert len(required) == REQUIRED[revision]
    assert failures.keys() == REFUSED.keys() & set(required)
    assert all(REFUSED[name] in failure for name, failure in failures.items())
