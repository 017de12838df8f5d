"""A served folder with something of everything, and callers that reach it in memory."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import pytest
from mcp import Client

from podium.interfaces.files_server import build_server
from tests.files_server.caller import Caller

OUTSIDE_TEXT = "what nobody must read"


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """Make `served/` with two notes and every kind of link; beside it lies what is outside."""
    root = tmp_path / "served"
    (root / "sub").mkdir(parents=True)
    (root / "notes.md").write_text("first line\nÉté à Paris\n", encoding="utf-8")
    (root / "sub" / "deep.md").write_text("deep ete", encoding="utf-8")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text(OUTSIDE_TEXT)
    (tmp_path / "outside.txt").write_text(OUTSIDE_TEXT)
    links: dict[str, Path | str] = {
        "link_to_outside_file": tmp_path / "outside.txt",
        "link_to_outside_folder": outside,
        "link_to_parent": "..",
        "link_to_link_outside": "link_to_outside_file",
        "dangling_link_outside": tmp_path / "nothing_there.txt",
        "link_loop": "link_loop",
    }
    for name, target in links.items():
        os.symlink(target, root / name)  # noqa: PTH211 - a relative target stays as it is
    return root


@pytest.fixture(params=["auto", "legacy"])
def era(request: pytest.FixtureRequest) -> Literal["auto", "legacy"]:
    """Run a test once per protocol era."""
    era: Literal["auto", "legacy"] = request.param
    return era


@pytest.fixture
async def files(served: Path) -> AsyncIterator[Caller]:
    """Connect to the server of the served folder."""
    async with Client(build_server(served)) as client:
        yield Caller(client)
