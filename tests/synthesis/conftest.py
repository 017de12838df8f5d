"""What the tests of synthesis use."""

from pathlib import Path

import pytest

from tests.synthesis.workspaces import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")
