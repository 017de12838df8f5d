"""Podium: one MCP server in front of all of a person's other MCP servers.

It understands a request without asking a model, plays the composition that answers it, and gives
the reply. `Orchestrator.open("config.yaml")` is the way in from Python.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from podium.app import Orchestrator
    from podium.domain.errors import PodiumError
    from podium.mapping.transformers import transformer

    __version__: str

__all__ = ["Orchestrator", "PodiumError", "__version__", "transformer"]

# Loaded on first use: importing mcp costs about a second, and `podium --help` needs none of it.
_HOMES = {
    "Orchestrator": "podium.app",
    "PodiumError": "podium.domain.errors",
    "transformer": "podium.mapping.transformers",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("podium-mcp")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'podium' has no attribute '{name}'")
