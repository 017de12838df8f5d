"""The published servers of both eras, over real pipes."""

import sys
from pathlib import Path

import anyio
import pytest

from podium.upstreams.settings import UpstreamSettings
from tests.servers import need_npm_server
from tests.upstreams.conftest import PoolMaker

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


def npm(name: str, *args: str, **more: object) -> UpstreamSettings:
    command, *script = need_npm_server(name)
    return UpstreamSettings(name, command=command, args=(*script, *args), **more)  # type: ignore[arg-type]


async def test_python_servers_speak_the_modern_era(pool_of: PoolMaker, tmp_path: Path) -> None:
    await anyio.run_process(["git", "init", "-q", str(tmp_path)])
    (tmp_path / "new.txt").write_text("new")
    pool = pool_of(
        UpstreamSettings("git", command="mcp-server-git", cwd=Path("/")),
        UpstreamSettings("time", command="mcp-server-time", cwd=Path("/")),
    )

    async with pool:
        await pool.start_all()
        status = await pool.call_tool("git", "git_status", {"repo_path": str(tmp_path)})
        time = await pool.call_tool("time", "get_current_time", {"timezone": "Europe/Paris"})
        wrong = await pool.call_tool("time", "get_current_time", {"timezone": "Nowhere"})
        eras = [status.era for status in pool.statuses()]
        found = await pool.search("convertir l'heure / convert time", 1)

    assert eras == ["2026-07-28"] * 2
    assert "new.txt" in status.text
    assert time.value()["timezone"] == "Europe/Paris"
    assert wrong.is_error
    assert [match.tool.full_name for match in found] == ["time.convert_time"]


async def test_npm_servers_speak_the_handshake_era(pool_of: PoolMaker, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("bonjour")
    steps: list[float] = []
    pool = pool_of(
        npm("filesystem", str(tmp_path)),
        npm("memory", env={"MEMORY_FILE_PATH": str(tmp_path / "memory.json")}),
        npm("everything"),
    )

    async def on_progress(progress: float, _total: float | None, _message: str | None) -> None:
        steps.append(progress)

    async with pool:
        await pool.start_all()
        states = {status.server_id: (status.state, status.era) for status in pool.statuses()}
        read = await pool.call_tool(
            "filesystem", "read_text_file", {"path": str(tmp_path / "note.txt")}
        )
        graph = await pool.call_tool("memory", "read_graph", {})
        await pool.call_tool(
            "everything",
            "trigger-long-running-operation",
            {"duration": 0.2, "steps": 2},
            on_progress=on_progress,
        )

    assert states == dict.fromkeys(("filesystem", "memory", "everything"), ("ready", "2025-11-25"))
    assert read.value() == {"content": "bonjour"}
    assert graph.value() == {"entities": [], "relations": []}
    assert steps == [1, 2]


async def test_a_server_beside_the_interpreter_is_found_with_a_bare_path(
    pool_of: PoolMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.chdir("/")

    async with pool_of(UpstreamSettings("time", command="mcp-server-time")) as pool:
        answer = await pool.call_tool("time", "get_current_time", {"timezone": "UTC"})

    assert answer.value()["timezone"] == "UTC"


async def test_children_get_only_the_safe_variables_and_their_own(
    pool_of: PoolMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PODIUM_TEST_SECRET", "s3cret")
    settings = npm("everything", env={"OWN": "mine"})

    async with pool_of(settings) as pool:
        answer = await pool.call_tool("everything", "get-env", {})

    environment = answer.value()
    assert environment["OWN"] == "mine"
    assert environment["PATH"].endswith(str(Path(sys.executable).parent))
    assert "PODIUM_TEST_SECRET" not in environment
