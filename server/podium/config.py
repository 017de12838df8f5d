"""`config.yaml` to checked settings; every default lives here, every fault names key and line."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from podium.documents import Document, dotted, invalid_file, parse_document, read_document, validate
from podium.domain.composition import FileModel
from podium.domain.conversation import ConversationBounds
from podium.domain.errors import (
    ConfigError,
    Fault,
    FileInvalidError,
    MissingVariableError,
    WorkspaceError,
)
from podium.domain.limits import Limits
from podium.domain.tool import Effects
from podium.upstreams.addresses import is_loopback_host

CONFIG_NAME = "config.yaml"
STATE_FOLDER = ".podium"  # inside the workspace: journal, remembered eras
_UNFILLED = {"command": "(a variable is not set)"}
_LIMITS = Limits()
_BOUNDS = ConversationBounds()
_SERVER_ID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")


class OrchestratorSection(FileModel):
    """How requests are understood and compositions are played."""

    max_steps_per_composition: int = Field(
        10, ge=1, le=1000, description="Steps of one composition."
    )
    max_depth: int = Field(5, ge=1, le=50, description="Levels of nested compositions.")
    execution_timeout: float = Field(
        30, gt=0, le=86_400, description="Seconds for a whole execution."
    )
    intent_patterns_path: Path = Field(
        Path("./patterns"), description="Folder of the pattern files."
    )
    compositions_path: Path = Field(
        Path("./compositions"), description="Folder of the compositions."
    )
    transformers_path: Path = Field(
        Path("./transformers"), description="Folder of the transformers."
    )
    default_intent_type: str = Field(
        "generic", description="A composition of this type answers what nothing else matched."
    )
    parallel_execution: bool = Field(default=True, description="false: one call at a time.")
    retry_failed_steps: bool = Field(
        default=True, description="Retry reads that failed in passing."
    )
    max_retries: int = Field(
        3, ge=0, le=20, description="Retries of a step, after its first attempt."
    )
    synthesis: bool = Field(
        default=True, description="Make a composition for a request that none answers."
    )
    learning_enabled: bool = Field(default=True, description="Learn compositions from what worked.")
    min_success_rate: float = Field(
        0.7, ge=0, le=1, description="Success rate needed for promotion."
    )
    min_executions: int = Field(5, ge=1, description="Executions needed for promotion.")
    promotion_confidence: float = Field(
        0.8, ge=0, lt=1, description="One-sided confidence of the rate; 0 = the bare rate."
    )


class LimitsSection(FileModel):
    """Bounds, each with its unit in its name."""

    request_bytes: int = Field(_LIMITS.request_bytes, ge=1)
    result_bytes: int = Field(_LIMITS.result_bytes, ge=1024)
    regex_seconds: float = Field(_LIMITS.regex_seconds, gt=0, le=10)
    expression_seconds: float = Field(_LIMITS.expression_seconds, gt=0, le=60)
    expression_items: int = Field(_LIMITS.expression_items, ge=1)
    max_iterations: int = Field(_LIMITS.max_iterations, ge=1)
    journal_value_bytes: int = Field(_LIMITS.journal_value_bytes, ge=256)
    journal_executions: int = Field(_LIMITS.journal_executions, ge=1)
    start_seconds: float = Field(_LIMITS.start_seconds, gt=0, le=600)
    tools_per_server: int = Field(_LIMITS.tools_per_server, ge=1)
    concurrent_calls_per_server: int = Field(_LIMITS.concurrent_calls_per_server, ge=1)


class ExecutionSection(FileModel):
    """How many calls run at once, and what becomes of executions that wait or have failed."""

    workers: int = Field(
        64, ge=1, le=10_000, description="Calls at once, of all executions together."
    )
    parallel_limited: int = Field(2, ge=1, le=1_000, description="Calls at once of one execution.")
    parallel_full: int = Field(4, ge=1, le=1_000, description="The same, for parallel_full.")
    retry_budget: int = Field(
        10, ge=0, le=1_000, description="Retries of all steps of one execution together."
    )
    ask_wait_seconds: float = Field(
        120, ge=0, le=3_600, description="For an answer, before an execution is put aside."
    )
    resume_days: float = Field(
        7, gt=0, le=365, description="How long one put aside, or failed, can be played on."
    )
    resume_most: int = Field(1_000, ge=1, le=100_000, description="How many of them are kept.")
    resume_bytes: int = Field(
        33_554_432, ge=1_024, description="One of them; a larger one cannot be played on."
    )

    @model_validator(mode="after")
    def _limited_is_less(self) -> "ExecutionSection":
        if self.parallel_limited > self.parallel_full:
            raise ValueError("'parallel_limited' should not be more than 'parallel_full'")
        return self


class CacheSection(FileModel):
    """Results of reads that are used again, where a step or a server's `cache` says so."""

    ttl_seconds: float = Field(
        300, gt=0, le=31_536_000, description='Of steps that say no more than "cache": true.'
    )
    size_bytes: int = Field(67_108_864, ge=1_048_576, description="On disk, all together.")
    value_bytes: int = Field(1_048_576, ge=1, description="One result; a larger one is not kept.")


class HealthSection(FileModel):
    """When an upstream that keeps failing is left alone, and how Podium itself ends."""

    open_after_failures: int = Field(
        5, ge=0, le=1_000, description="Failed calls in a row; 0: it is never left alone."
    )
    open_seconds: float = Field(
        30, gt=0, le=3_600, description="Until one call is let through as a probe."
    )
    drain_seconds: float = Field(
        5, ge=0, le=600, description="For calls in flight when Podium is told to stop."
    )


class ConversationsSection(FileModel):
    """What is remembered of each conversation, and where."""

    store: Literal["sqlite", "memory_server"] = Field(
        "sqlite", description="sqlite: with the journal; memory_server: in the server named below."
    )
    server: str = Field(
        "memory",
        min_length=1,
        description="The upstream that is an MCP memory server, for `store: memory_server`.",
    )
    ttl_seconds: float = Field(
        _BOUNDS.ttl_seconds, gt=0, le=31_536_000, description="Silence after which it is forgotten."
    )
    turns: int = Field(_BOUNDS.turns, ge=1, le=200, description="Turns remembered of each.")
    per_user: int = Field(
        _BOUNDS.per_user, ge=1, le=100_000, description="Conversations kept of one person."
    )
    in_all: int = Field(_BOUNDS.in_all, ge=1, le=1_000_000, description="Conversations kept.")

    def bounds(self) -> ConversationBounds:
        """Return the bounds that these settings give."""
        return replace(
            _BOUNDS,
            ttl_seconds=self.ttl_seconds,
            turns=self.turns,
            per_user=self.per_user,
            in_all=self.in_all,
        )


class HttpSection(FileModel):
    """How much `podium serve --http` takes on; what is beyond is refused."""

    requests: int = Field(1_024, ge=1, le=100_000, description="At once; one more gets 503.")
    connections: int = Field(
        4_096, ge=1, le=100_000, description="At once; with more every request gets 503."
    )
    head_bytes: int = Field(65_536, ge=1_024, le=1_048_576, description="Headers of one request.")
    request_seconds: float = Field(
        15, gt=0, le=600, description="For a connection to bring a request whole."
    )


class EntryLimits(FileModel):
    """Bounds of one server, where they shall differ from the section `limits`."""

    concurrent_calls: int | None = Field(None, ge=1, description="Calls at once; others wait.")
    result_bytes: int | None = Field(None, ge=1024, description="One message of the server.")
    calls_per_minute: int | None = Field(
        None, ge=1, le=1_000_000, description="Calls beyond are refused; none set: no bound."
    )


class OAuthSection(FileModel):
    """How Podium logs in to a server (`podium login SERVER`); `{}` where it registers itself."""

    scopes: tuple[str, ...] = Field((), description="What to ask for; none: what it suggests.")
    client_id: str | None = Field(
        None, min_length=1, description="Of a client registered by hand; none: Podium registers."
    )
    client_secret: str | None = Field(None, min_length=1, description="Of that client, if any.")
    client_metadata_url: str | None = Field(
        None, description="Of a document about the client, which is then its id where allowed."
    )
    redirect_port: int = Field(
        0, ge=0, le=65_535, description="Of http://127.0.0.1:PORT/callback; 0: any free one."
    )

    @model_validator(mode="after")
    def _is_one_client(self) -> "OAuthSection":
        if self.client_metadata_url is None:
            return self
        if self.client_id is not None:
            raise ValueError("either 'client_id' or 'client_metadata_url', not both")
        parts = urlsplit(self.client_metadata_url)
        if parts.scheme != "https" or not parts.hostname or parts.path in ("", "/"):
            raise ValueError("'client_metadata_url' should be like https://example.org/podium.json")
        return self


class UpstreamEntry(FileModel):
    """One MCP server that Podium calls: a command to start, or a URL to reach."""

    type: Literal["stdio", "http", "streamable-http", "streamableHttp"] | None = Field(
        None, description="stdio or http; normally left out, the other keys tell."
    )
    command: str | None = Field(None, min_length=1, description="Program to start.")
    args: tuple[str, ...] = Field((), description="Its arguments.")
    env: dict[str, str] = Field(default_factory=dict, description="Its environment variables.")
    cwd: Path | None = Field(None, description="Its working folder; default: the workspace.")
    url: str | None = Field(None, pattern=r"^https?://", description="Streamable HTTP address.")
    headers: dict[str, str] = Field(default_factory=dict, description="Headers of each request.")
    allow_addresses: tuple[str, ...] = Field(
        (), description="Private addresses or networks that the URL may lead to: 10.0.0.0/8."
    )
    oauth: OAuthSection | None = Field(None, description="Log in with OAuth.")
    limits: EntryLimits = Field(
        default_factory=EntryLimits, description="Bounds of this server alone."
    )
    disabled: bool = Field(default=False, description="true: Podium leaves it alone.")
    allow: tuple[str, ...] = Field((), description="Globs: only these tools are offered.")
    deny: tuple[str, ...] = Field((), description="Globs: these tools are not offered.")
    effects: dict[str, Effects] = Field(
        default_factory=dict, description='What tools do to the world: {"get_*": "read"}.'
    )
    cache: dict[str, Annotated[float, Field(gt=0, le=31_536_000)]] = Field(
        default_factory=dict,
        description='Seconds to use results of reads again: {"get_*": 60}.',
    )
    start_seconds: float | None = Field(None, gt=0, le=600, description="Time to start and list.")
    sleep_after_seconds: float = Field(
        0, ge=0, le=604_800, description="Without a call it is ended until the next; 0: never."
    )

    @model_validator(mode="after")
    def _can_log_in(self) -> "UpstreamEntry":
        if self.url is None and self.allow_addresses:
            raise ValueError("'allow_addresses' is for servers with a 'url'")
        if self.oauth is None:
            return self
        parts = urlsplit(self.url or "")
        if parts.scheme != "https" and not is_loopback_host(parts.hostname or ""):
            raise ValueError("'oauth' needs a 'url' with https, or on this machine")
        if any(name.lower() == "authorization" for name in self.headers):
            raise ValueError("either 'oauth' or an Authorization header, not both")
        return self

    @field_validator("allow_addresses")
    @classmethod
    def _are_networks(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            try:
                ip_network(text, strict=False)
            except ValueError:
                raise ValueError(
                    f"'{text}' should be an address or a network such as 10.0.0.0/8"
                ) from None
        return texts

    @model_validator(mode="after")
    def _is_one_kind(self) -> "UpstreamEntry":
        if (self.command is None) == (self.url is None):
            raise ValueError("needs either 'command' (a program to start) or 'url', not both")
        if self.url is not None and self.sleep_after_seconds:
            raise ValueError("'sleep_after_seconds' is for servers with a 'command'")
        return self


class ConfigFile(FileModel):
    """The whole of `config.yaml`."""

    schema_: str | None = Field(None, alias="$schema", description="For editors.")
    orchestrator: OrchestratorSection = Field(default_factory=OrchestratorSection)
    limits: LimitsSection = Field(default_factory=LimitsSection)
    health: HealthSection = Field(default_factory=HealthSection)
    conversations: ConversationsSection = Field(default_factory=ConversationsSection)
    execution: ExecutionSection = Field(default_factory=ExecutionSection)
    cache: CacheSection = Field(default_factory=CacheSection)
    http: HttpSection = Field(default_factory=HttpSection)
    mcpServers: dict[str, UpstreamEntry] = Field(  # noqa: N815 - the name Claude Desktop uses
        default_factory=dict, description="The MCP servers, in Claude Desktop's shape."
    )
    expose: Literal["none", "all"] | tuple[str, ...] = Field(
        "none", description="Upstream tools to pass through: none, all, or globs over server.tool."
    )
    prefix: str = Field(
        "{server}__",
        max_length=64,
        pattern=r"^(\{server\}|[A-Za-z0-9_-])*$",
        description="Put before the names of passed-through tools; may be empty.",
    )

    @model_validator(mode="after")
    def _knows_the_memory_server(self) -> "ConfigFile":
        section = self.conversations
        if section.store == "memory_server" and section.server not in self.mcpServers:
            raise ValueError(
                f"conversations.server names no entry of mcpServers: '{section.server}'"
            )
        return self

    @field_validator("mcpServers")
    @classmethod
    def _names_are_plain(cls, servers: dict[str, UpstreamEntry]) -> dict[str, UpstreamEntry]:
        for name in servers:
            if not _SERVER_ID.match(name):
                raise ValueError(
                    f"the server name '{name}' should be letters, digits, '_' and '-' (at most 64)"
                )
        return servers


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """One upstream with its variables filled in; `fault` says why it cannot be used, if so."""

    server_id: str
    entry: UpstreamEntry
    fault: WorkspaceError | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """A workspace's settings, paths resolved against its folder."""

    workspace: Path
    orchestrator: OrchestratorSection
    limits: Limits
    servers: tuple[ServerConfig, ...]
    expose: tuple[str, ...] = ()
    prefix: str = "{server}__"
    health: HealthSection = field(default_factory=HealthSection)
    conversations: ConversationsSection = field(default_factory=ConversationsSection)
    execution: ExecutionSection = field(default_factory=ExecutionSection)
    cache: CacheSection = field(default_factory=CacheSection)
    http: HttpSection = field(default_factory=HttpSection)
    secrets: frozenset[str] = field(default_factory=frozenset, repr=False)

    @property
    def state_folder(self) -> Path:
        """Where Podium keeps what it remembers."""
        return self.workspace / STATE_FOLDER

    def folder(self, path: Path) -> Path:
        """Return a path of the configuration, relative ones taken from the workspace."""
        return (self.workspace / path.expanduser()).resolve()


def load_config(path: Path, environ: Mapping[str, str] | None = None) -> Config:
    """Read a `config.yaml`; the folder it stands in is the workspace.

    Raises:
        ConfigError: it cannot be read or has faults; all are listed.
        MissingVariableError: a `${VAR}` outside an upstream's entry is not set.

    """
    try:
        document = read_document(path)
    except FileInvalidError as error:
        raise _config_error(error) from error
    return config_of(document, environ)


def _config_error(error: FileInvalidError) -> ConfigError:
    return ConfigError(error.message, hint=error.hint, faults=error.faults, source=error.source)


def config_text(text: str, workspace: Path, environ: Mapping[str, str] | None = None) -> Config:
    """Return the configuration that a text would give in a workspace; errors as `load_config`."""
    try:
        document = parse_document(workspace / CONFIG_NAME, text)
    except FileInvalidError as error:
        raise _config_error(error) from error
    return config_of(document, environ)


def config_of(document: Document, environ: Mapping[str, str] | None = None) -> Config:
    """Check a parsed configuration; errors as `load_config`."""
    environ = os.environ if environ is None else environ
    value = {} if document.value is None else document.value
    if not isinstance(value, dict):
        raise invalid_file(
            document.path, [Fault("should be a mapping of keys", line=1)], ConfigError
        )
    # A section whose keys are all commented out is there, and null.
    value = {key: part for key, part in value.items() if part is not None}
    variables = _Variables(environ)
    servers = value.get("mcpServers")
    entries = servers if isinstance(servers, dict) else {}
    filled, faults = {}, {}
    for name, entry in entries.items():
        try:
            filled[name] = variables.fill(entry, document, ("mcpServers", name))
        except MissingVariableError as error:
            # Never started; what stands there instead keeps the other entries' checks going.
            filled[name], faults[name] = _UNFILLED, error
    rest = variables.fill({k: v for k, v in value.items() if k != "mcpServers"}, document, ())
    if "mcpServers" in value:
        rest["mcpServers"] = filled if isinstance(servers, dict) else servers
    checked = validate(Document(document.path, rest, document.lines), ConfigFile, ConfigError)
    return Config(
        workspace=document.path.parent.resolve(),
        orchestrator=checked.orchestrator,
        health=checked.health,
        conversations=checked.conversations,
        execution=checked.execution,
        cache=checked.cache,
        http=checked.http,
        limits=Limits(**{f.name: getattr(checked.limits, f.name) for f in fields(Limits)}),
        servers=tuple(
            ServerConfig(name, entry, faults.get(name))
            for name, entry in checked.mcpServers.items()
        ),
        expose=_globs(checked.expose),
        prefix=checked.prefix,
        secrets=frozenset(variables.used | _secret_values(checked)),
    )


def _globs(expose: str | tuple[str, ...]) -> tuple[str, ...]:
    if isinstance(expose, tuple):
        return expose
    return ("*",) if expose == "all" else ()


# --- ${VAR}

_VARIABLE = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_SECRET_NAME = re.compile(r"(?i)token|secret|passw|api_?key|authorization|credential|private")
_NOT_SECRET = frozenset({"HOME", "PATH", "USER", "LOGNAME", "SHELL", "PWD", "TMPDIR", "LANG"})


class _Variables:
    """Fills `${VAR}` and `${VAR:-default}`, and remembers the values, which count as secrets."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.used: set[str] = set()

    def fill(self, value: Any, document: Document, at: tuple[str | int, ...]) -> Any:
        if isinstance(value, str):
            return _VARIABLE.sub(lambda match: self._value_of(match, document, at), value)
        if isinstance(value, dict):
            return {k: self.fill(v, document, (*at, k)) for k, v in value.items()}
        if isinstance(value, list):
            return [self.fill(v, document, (*at, i)) for i, v in enumerate(value)]
        return value

    def _value_of(self, match: re.Match[str], document: Document, at: tuple[str | int, ...]) -> str:
        name, default = match.groups()
        if name is None:
            return "$"  # `$$` writes a plain dollar
        value = self._environ.get(name, default)
        if value is None:
            line = document.line_of(at)
            place = f"{document.path}:{line}" if line is not None else str(document.path)
            message = f"the environment variable {name} is not set"
            hint = f"set {name}, or write ${{{name}:-default}}"
            raise MissingVariableError(
                f"{place}: {dotted(at)}: {message}",
                hint=hint,
                faults=[Fault(message, dotted(at), line, hint)],
                source=str(document.path),
            )
        if name not in _NOT_SECRET and name in self._environ:
            self.used.add(value)
        return value


def _secret_values(checked: ConfigFile) -> set[str]:
    """Return the values that are secrets by the name they go under."""
    found = set()
    for entry in checked.mcpServers.values():
        if entry.oauth is not None and entry.oauth.client_secret:
            found.add(entry.oauth.client_secret)
        for name, value in {**entry.env, **entry.headers}.items():
            if _SECRET_NAME.search(name):
                found |= {value, value.removeprefix("Bearer ").removeprefix("Basic ")}
    return found


# --- where the workspace is


def find_workspace(
    explicit: Path | None, *, environ: Mapping[str, str], cwd: Path, home: Path
) -> Path:
    """Return the workspace: `--workspace`, `$PODIUM_WORKSPACE`, the current folder, `~/.podium`.

    The current folder counts if it has a `config.yaml`; only the last one may not exist yet.

    Raises:
        ConfigError: the named workspace has no `config.yaml`.

    """
    named = explicit or (
        Path(environ["PODIUM_WORKSPACE"]) if environ.get("PODIUM_WORKSPACE") else None
    )
    if named is not None:
        folder = named.expanduser().resolve()
        if folder.name == CONFIG_NAME and folder.is_file():
            return folder.parent
        if not (folder / CONFIG_NAME).is_file():
            raise ConfigError(
                f"{folder}: has no {CONFIG_NAME}",
                hint=f"make a workspace there: podium init {named}",
            )
        return folder
    if (cwd / CONFIG_NAME).is_file():
        return cwd.resolve()
    return home / ".podium"
