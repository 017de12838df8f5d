"""What is known of one upstream before it is started: how to reach it, and its bounds."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import orjson

from podium.domain.errors import PodiumError
from podium.domain.limits import Limits
from podium.domain.ports import Tokens
from podium.domain.tool import Effects
from podium.upstreams.addresses import Network

_LIMITS = Limits()
_SECRET_PARTS_OF_URL = re.compile(r"(?<=//)[^/?#]*@|[?#].*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class OAuthSettings:
    """How Podium logs in to an upstream; without a `client_id` it registers itself.

    Where the authorization server allows it, `client_metadata_url`, the address of a document about
    the client, is its id instead. A `redirect_port` of 0 is any free one.
    """

    scopes: tuple[str, ...] = ()
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    client_metadata_url: str | None = None
    redirect_port: int = 0


@dataclass(frozen=True, slots=True)
class UpstreamSettings:
    """One entry of `mcpServers`, variables filled in.

    `allow` and `deny` are globs over tool names (no `allow` allows all); `effects` maps globs to
    what those tools do, the first that fits wins over their annotations. With a `fault` the
    upstream is never started: it is reported as failed for that reason.
    """

    server_id: str
    command: str | None = None
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    cwd: Path | None = None
    url: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    allow_addresses: tuple[Network, ...] = ()
    oauth: OAuthSettings | None = None
    tokens: Tokens | None = field(default=None, repr=False, compare=False)
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    effects: Mapping[str, Effects] = field(default_factory=dict)
    start_seconds: float = _LIMITS.start_seconds
    sleep_after_seconds: float = 0.0  # without a call; 0: never
    result_bytes: int = _LIMITS.result_bytes
    concurrent_calls: int = _LIMITS.concurrent_calls_per_server
    calls_per_minute: int | None = None  # None: as many as there are
    disabled: bool = False
    fault: PodiumError | None = None

    @property
    def target(self) -> str:
        """What people call it by: the command line, or the address without user and query."""
        if self.url is not None:
            return _SECRET_PARTS_OF_URL.sub("", self.url)
        return " ".join((self.command or "", *self.args)).strip()

    @property
    def fingerprint(self) -> str:
        """A hash of what decides which server answers; values of variables are not in it."""
        defining = [self.command, self.args, self.url, sorted(self.env)]
        return hashlib.sha256(orjson.dumps(defining)).hexdigest()

    def offers(self, tool: str) -> bool:
        """Whether the globs let this tool through."""
        allowed = not self.allow or _fits(tool, self.allow)
        return allowed and not _fits(tool, self.deny)

    def declared_effects(self, tool: str) -> Effects | None:
        """Return what the entry says that this tool does, if it says anything."""
        return next(
            (effects for glob, effects in self.effects.items() if fnmatchcase(tool, glob)), None
        )


def _fits(tool: str, globs: tuple[str, ...]) -> bool:
    return any(fnmatchcase(tool, glob) for glob in globs)
