"""The servers of a client's configuration to entries in `config.yaml`, whose comments all stay.

The file is edited as text, because writing it anew would lose what a person wrote in it. What
comes out is parsed again and compared with what was meant before anything is written.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from podium.cli.files import read_text, write_text
from podium.config import CONFIG_NAME, Config, UpstreamEntry, config_text
from podium.documents import Document, read_document, validate
from podium.domain.errors import ConfigError, WorkspaceError

KEY = "mcpServers"
KNOWN_KEYS = {name: model for name, model in UpstreamEntry.model_fields.items() if name[-1] != "_"}
OWN_NAMES = frozenset({"podium", "podium-mcp"})
_ENVIRONMENT = re.compile(r"\$\{(?:env|input):([^}]+)\}")  # as VS Code writes it
_INDENT = "  "


@dataclass(slots=True)
class Import:
    """What became of each server of the file, and what a person should know about it."""

    added: dict[str, dict[str, Any]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the public form."""
        return {"added": list(self.added), "skipped": self.skipped, "notes": self.notes}


def import_servers(source: Path, workspace: Path, environ: Mapping[str, str]) -> Import:
    """Copy the servers of a client's configuration into the workspace's `config.yaml`.

    Raises:
        ConfigError: one of the two files cannot be used; nothing is written then.

    """
    servers = _servers_of(source)
    target = (workspace / CONFIG_NAME).resolve()
    text = read_text(target)
    known = {server.server_id for server in config_text(text, workspace, environ).servers}
    result = chosen(servers, known)
    if result.added:
        new_text = with_servers(text, result.added)
        config = config_text(new_text, workspace, environ)
        result.notes += _secret_notes(result.added, config)
        write_text(target, new_text)
    return result


def _servers_of(source: Path) -> dict[str, Any]:
    value = read_document(source).value
    root = value if isinstance(value, dict) else {}
    vs_code = root.get("mcp") if isinstance(root.get("mcp"), dict) else {}
    for servers in (root.get(KEY), root.get("servers"), (vs_code or {}).get("servers")):
        if isinstance(servers, dict):
            return servers
    raise ConfigError(
        f"{source}: has no servers",
        hint=f'expected {{"{KEY}": {{…}}}} as Claude Desktop has it, or {{"servers": {{…}}}}',
    )


# --- which entries come over, and how


def chosen(servers: Mapping[str, Any], known: set[str]) -> Import:
    """Return the entries to add; each one left out says why, each change is noted."""
    result = Import()
    for given_name, given in servers.items():
        name = _plain_name(str(given_name))
        if name in known or name in result.added:
            result.skipped[str(given_name)] = f"config.yaml already has a server '{name}'"
        elif not isinstance(given, dict):
            result.skipped[str(given_name)] = "is not an object"
        elif is_podium(given):
            result.skipped[str(given_name)] = "is Podium itself"
        elif problem := _problem(entry := _entry(given)):
            result.skipped[str(given_name)] = problem
        else:
            result.added[name] = entry
            result.notes += _notes(str(given_name), name, given)
    return result


def is_podium(entry: Mapping[str, Any]) -> bool:
    """Tell whether an entry starts Podium's own server, however it is started."""
    arguments = entry.get("args")
    words = [entry.get("command"), *(arguments if isinstance(arguments, list) else ())]
    names = [_program_name(word) for word in words if isinstance(word, str)]
    own = next((at for at, name in enumerate(names) if name in OWN_NAMES), None)
    return own is not None and "serve" in names[own + 1 :]


def _program_name(word: str) -> str:
    return PurePosixPath(word.replace("\\", "/")).name.removesuffix(".exe")


def _plain_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-_")[:64] or "server"


def _entry(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys that Podium knows; those that say nothing are left out."""
    kept = {key: value for key, value in given.items() if key in KNOWN_KEYS}
    return {key: _adapted(value) for key, value in kept.items() if value not in (None, [], {}, "")}


def _adapted(value: Any) -> Any:
    if isinstance(value, str):
        # `$$` stands for one dollar here; elsewhere it is two.
        return _ENVIRONMENT.sub(lambda m: f"${{{_variable(m[1])}}}", value.replace("$$", "$$$$"))
    if isinstance(value, list):
        return [_adapted(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _adapted(item) for key, item in value.items() if item is not None}
    return value


def _variable(name: str) -> str:
    plain = re.sub(r"\W", "_", name, flags=re.ASCII)
    return plain if name == plain else plain.upper()


def _problem(entry: Mapping[str, Any]) -> str:
    if entry.get("type") == "sse":
        return "speaks the SSE transport, which MCP has given up; use its streamable HTTP address"
    try:
        validate(Document(Path(KEY), entry), UpstreamEntry)
    except WorkspaceError as error:
        return "; ".join(str(fault) for fault in error.faults)
    return ""


def _notes(given_name: str, name: str, given: Mapping[str, Any]) -> Iterator[str]:
    if name != given_name:
        yield f"'{given_name}' is called '{name}' here"
    if unknown := [str(key) for key in given if key not in KNOWN_KEYS]:
        yield f"{name}: left out what Podium does not know: {', '.join(unknown)}"
    for variable in sorted({_variable(found) for found in _ENVIRONMENT.findall(str(given))}):
        yield f"{name}: set the environment variable {variable}"


def _secret_notes(added: Mapping[str, Mapping[str, Any]], config: Config) -> Iterator[str]:
    for name, entry in added.items():
        for part in ("env", "headers"):
            for key, value in entry.get(part, {}).items():
                if value in config.secrets and "${" not in value:
                    variable = _variable(key.upper())
                    yield f"{name}: {part}.{key} holds a secret; better write ${{{variable}}} there"


# --- the text of config.yaml


def with_servers(text: str, servers: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the text of a valid `config.yaml` with servers added.

    Raises:
        ConfigError: the text is written in a way that cannot be extended safely.

    """
    before = yaml.safe_load(text) or {}
    wanted = {**before, KEY: {**(before.get(KEY) or {}), **servers}}
    edited = _edited(text, servers)
    with suppress(yaml.YAMLError):
        if yaml.safe_load(edited) == wanted:
            return edited
    raise ConfigError(
        f"{CONFIG_NAME}: the way {KEY} is written there cannot be extended safely",
        hint=f"add this by hand under {KEY}:\n{_block(servers, _INDENT)}",
    )


def _edited(text: str, servers: Mapping[str, Any]) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    key, value = next(((k, v) for k, v in pairs if k.value == KEY), (None, None))
    if key is None or value is None:
        return _joined(text, newline, f"{KEY}:\n{_block(servers, _INDENT)}", len(text))
    if not (isinstance(value, yaml.MappingNode) and value.value):
        # Nothing there yet: `mcpServers:`, `mcpServers: {}` or `mcpServers: null`.
        bare = text[: value.start_mark.index].rstrip(" ") + text[value.end_mark.index :]
        at = _end_of_line(bare, key.end_mark.index)
        return _joined(bare, newline, _block(servers, _INDENT), at)
    if value.flow_style:
        last = value.value[-1][1].end_mark.index
        return f"{text[:last]}, {_flow(servers)}{text[last:]}"
    indent = " " * value.start_mark.column
    return _joined(text, newline, _block(servers, indent), _end_of_line(text, _end(value)))


def _joined(text: str, newline: str, block: str, at: int) -> str:
    head = text[:at]
    gap = "" if not head or head.endswith("\n") else newline
    return head + gap + block.replace("\n", newline) + text[at:]


def _end_of_line(text: str, index: int) -> int:
    """Return where the next line begins."""
    if index and text[index - 1] == "\n":
        return index
    found = text.find("\n", index)
    return len(text) if found == -1 else found + 1


def _end(node: yaml.Node) -> int:
    """Return where a node's own text ends; a block's own mark lies behind later comments."""
    if isinstance(node, yaml.MappingNode) and node.value and not node.flow_style:
        return _end(node.value[-1][1])
    if isinstance(node, yaml.SequenceNode) and node.value and not node.flow_style:
        return _end(node.value[-1])
    return int(node.end_mark.index)


def _block(servers: Mapping[str, Any], indent: str) -> str:
    lines = _dumped(servers, flow=None).splitlines()
    return "".join(f"{indent}{line}\n" for line in lines)


def _flow(servers: Mapping[str, Any]) -> str:
    return _dumped(servers, flow=True).strip()[1:-1]


def _dumped(servers: Mapping[str, Any], *, flow: bool | None) -> str:
    return yaml.safe_dump(
        dict(servers), sort_keys=False, allow_unicode=True, width=10**6, default_flow_style=flow
    )
