"""A world of fakes with compositions that are on trial, and one that an author vouches for."""

import json
from pathlib import Path

import pytest

from tests.context.world import World

HERE = Path(__file__).parent


def make_folder(folder: Path) -> Path:
    (folder / "patterns").mkdir()
    patterns = (HERE / "patterns.json").read_text("utf-8")
    (folder / "patterns" / "all.json").write_text(patterns, "utf-8")
    for status, found in json.loads((HERE / "compositions.json").read_text("utf-8")).items():
        (folder / "compositions" / status).mkdir(parents=True)
        for document in found:
            path = folder / "compositions" / status / f"{document['id']}.json"
            path.write_text(json.dumps(document), "utf-8")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path)


@pytest.fixture
def world(folder: Path) -> World:
    return World(folder)
