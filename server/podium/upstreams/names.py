"""Names of servers and tools that could be taken for one another, said as warnings."""

from collections.abc import Iterable, Sequence

from podium.domain.tool import Tool
from podium.text.hidden import escaped
from podium.text.lookalikes import look_alikes

MOST = 20  # warnings of one kind; a server that lists hundreds of such names is flagged anyway


def warnings_of_names(tools: Sequence[Tool], servers: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the warnings for each server.

    The same name on two servers is no warning, it is told apart by the server's; two names that
    only look the same are, wherever they stand.
    """
    found: dict[str, list[str]] = {}
    for server_ids in look_alikes(servers):
        listed = _listed(server_ids)
        for server_id in server_ids:
            found.setdefault(server_id, []).append(
                f"the names of these servers look alike: {listed}"
            )
    owners: dict[str, list[Tool]] = {}
    for tool in tools:
        owners.setdefault(tool.name, []).append(tool)
    for names in look_alikes(owners)[:MOST]:
        alike = [tool for name in names for tool in owners[name]]
        listed = _listed(tool.full_name for tool in alike)
        for server_id in dict.fromkeys(tool.server_id for tool in alike):
            found.setdefault(server_id, []).append(f"the names of these tools look alike: {listed}")
    return {server_id: tuple(warnings) for server_id, warnings in found.items()}


def _listed(names: Iterable[str]) -> str:
    """Return names with other alphabets spelled out: as letters they would look the same."""
    return ", ".join(_spelled(name) for name in names)


def _spelled(name: str) -> str:
    codes = sorted({f"U+{ord(char):04X}" for char in name if not char.isascii()})
    return f"{escaped(name)} (with {', '.join(codes)})" if codes else name
