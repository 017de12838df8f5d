"""Where the real servers are that tests call: npm's, if somebody installed them."""

import os
import shutil
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
NPM_VARIABLE = "PODIUM_NPM_SERVERS"  # a node_modules folder; .ci/run fills the one in .cache/npm


def npm_server(name: str) -> list[str] | None:
    """Return the command of `@modelcontextprotocol/server-NAME`, or None if it is not installed."""
    node = shutil.which("node")
    folder = Path(os.environ.get(NPM_VARIABLE) or REPOSITORY / ".cache" / "npm" / "node_modules")
    script = folder / "@modelcontextprotocol" / f"server-{name}" / "dist" / "index.js"
    return [node, str(script)] if node and script.is_file() else None


def need_npm_server(name: str) -> list[str]:
    """Return the command of an npm server, or skip the test and say what is missing."""
    command = npm_server(name)
    if command is None:
        pytest.skip(
            f"needs node and @modelcontextprotocol/server-{name}: install it with npm into "
            f".cache/npm, or name its node_modules folder in {NPM_VARIABLE}"
        )
    return command


CONFORMANCE_VARIABLE = "PODIUM_CONFORMANCE"  # a node_modules folder, as `.ci/run` fills one


def need_conformance_suite() -> list[str]:
    """Return the command of the protocol's conformance suite, or skip and say what is missing."""
    cached = REPOSITORY / ".cache" / "conformance" / "node_modules"
    modules = Path(os.environ.get(CONFORMANCE_VARIABLE) or cached)
    node = modules / "node" / "bin" / "node"
    script = modules / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
    if not node.is_file() or not script.is_file():
        pytest.skip(
            "needs npm's node@22 and @modelcontextprotocol/conformance@0.2.0-alpha.12: install "
            "them into .cache/conformance, or name their node_modules folder in "
            f"{CONFORMANCE_VARIABLE}"
        )
    return [str(node), str(script)]
