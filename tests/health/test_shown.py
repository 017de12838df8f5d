"""What `/healthz` and `podium tools` tell of upstreams that are not well."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import pytest

from podium.cli.listings import _dropped, _left_alone
from podium.domain.tool import Noise, UpstreamStatus
from tests.faults.serving import call, served_on_http, workspace
from tests.faults.test_clients import exchange, posted

pytestmark = [pytest.mark.anyio]


async def health(url: str) -> dict[str, Any]:
    return {each["server_id"]: each for each in (await healthz(url))["upstreams"]}


async def healthz(url: str) -> dict[str, Any]:
    place = urlsplit(url)
    ask = f"GET /healthz HTTP/1.1\r\nHost: {place.netloc}\r\nConnection: close\r\n\r\n"
    status, body = await exchange(url, ask.encode())
    assert status == 200
    shown: dict[str, Any] = json.loads(body)
    return shown


@pytest.mark.slow
async def test_healthz_shows_how_busy_it_is_and_what_the_cache_spares(tmp_path: Path) -> None:
    folder = workspace(tmp_path, "well")
    config = json.loads((folder / "config.yaml").read_text())
    config["execution"] = {"workers": 8}
    (folder / "config.yaml").write_text(json.dumps(config))
    templates = folder / "compositions" / "templates"
    templates.mkdir(parents=True, exist_ok=True)
    step = {"id": "a", "server_id": "well", "tool_id": "echo", "effects": "read", "cache": True}
    (templates / "again.json").write_text(json.dumps({"id": "again", "steps": [step]}))
    play = {"name": "execute_composition", "arguments": {"composition_id": "again"}}

    async with served_on_http(folder) as (url, _):
        for number in (1, 2, 3):
            await exchange(url, posted(call(number, "well") | {"params": play}))
        shown = await healthz(url)

    assert shown["learning"]["learning"] == shown["learning"]["lost"] == 0
    assert shown["cache"] == {"hits": 2, "misses": 1, "shared": 0}
    assert shown["workers"] == {"busy": 0, "limit": 8, "capacity_score": 1.0}


@pytest.mark.slow
async def test_healthz_shows_files_that_cannot_be_used(tmp_path: Path) -> None:
    folder = workspace(tmp_path, "well")
    patterns = folder / "patterns"
    patterns.mkdir(parents=True, exist_ok=True)
    (patterns / "a.json").write_text('{"patterns": [{"name": "go", "sentences": "go ("}]}')

    async with served_on_http(folder) as (url, _):
        (fault,) = (await healthz(url))["faults"]

    assert "a.json:1" in fault
    assert "'(' is never closed" in fault


@pytest.mark.slow
async def test_healthz_shows_what_is_left_alone_asleep_and_noisy(tmp_path: Path) -> None:
    folder = workspace(
        tmp_path,
        "hangs",
        "stderr_flood",
        "noise_flood",
        orchestrator={"execution_timeout": 1},
        health={"open_after_failures": 1},
    )
    config = json.loads((folder / "config.yaml").read_text())
    config["mcpServers"]["well"]["sleep_after_seconds"] = 0.2
    (folder / "config.yaml").write_text(json.dumps(config))

    async with served_on_http(folder) as (url, _):
        for mode in ("well", "hangs", "stderr_flood"):
            await exchange(url, posted(call(1, mode)))
        with anyio.fail_after(10):
            while (shown := await health(url))["well"]["state"] != "asleep":  # noqa: ASYNC110 - another process sets no event here
                await anyio.sleep(0.05)

    assert shown["hangs"]["circuit"] == "open"
    assert 0 < shown["hangs"]["probe_in_seconds"] <= 30
    assert shown["hangs"]["failures_in_a_row"] == 1
    assert shown["well"]["tools"] == 1
    assert shown["stderr_flood"]["noise"]["stderr_bytes"] == 8 << 20
    assert shown["stderr_flood"]["circuit"] == "closed"


def test_the_command_line_says_it_in_words() -> None:
    status = UpstreamStatus(
        "files",
        "ready",
        circuit="open",
        failures_in_a_row=5,
        probe_in_seconds=12.5,
        noise=Noise(ignored_lines=50_000, dropped_notifications=7),
    )

    assert _left_alone(status) == (
        "files: left alone after 5 failures in a row; one call is let through in 12.5 s"
    )
    assert _dropped(status) == (
        "50,000 lines on stdout that are no answer, 7 notifications, which came too fast"
    )
    assert _dropped(UpstreamStatus("files", "ready")) == ""
