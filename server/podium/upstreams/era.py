"""Which revision of the protocol an upstream speaks: found out once, remembered, then stamped.

Two eras: up to 2025-11-25 a connection begins with a handshake; since 2026-07-28 every request
carries its own envelope and nothing has to be sent first.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version as installed_version
from typing import Any

from podium.domain.errors import UpstreamProtocolError
from podium.upstreams import sdk
from podium.upstreams.sdk import RpcError
from podium.upstreams.wire import Wire

PROBE_SECONDS = 3.0  # a server that does not know `server/discover` may just be silent
CLIENT = {"name": "podium", "version": installed_version("podium-mcp")}
LEGACY: Mapping[str, Any] = {"era": "legacy"}


_REMEMBERED: Mapping[str, tuple[str, ...]] = {
    "tools": ("listChanged",),
    "prompts": ("listChanged",),
    "resources": ("listChanged", "subscribe"),
    "completions": (),
    "logging": (),
}


class ProbeEndedError(Exception):
    """The server went away over `server/discover`: an old one that takes it badly."""


@dataclass(frozen=True, slots=True)
class Era:
    """The negotiated revision and the capabilities the server declared."""

    version: str
    is_modern: bool
    capabilities: Mapping[str, Any] = field(default_factory=dict)

    def stamped(
        self,
        method: str,
        params: Mapping[str, Any],
        input_schema: Mapping[str, Any] | None = None,
        client_capabilities: Mapping[str, Any] | None = None,
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """Return params and HTTP headers as this era wants them."""
        if self.is_modern:
            return sdk.modern_envelope(
                method, params, self.version, CLIENT, input_schema, client_capabilities
            )
        return dict(params), sdk.handshake_headers(self.version)

    def declares(self, name: str, feature: str | None = None) -> bool:
        """Whether the server declares a capability, or that feature of it."""
        declared = self.capabilities.get(name)
        if feature is None:
            return declared is not None
        return isinstance(declared, Mapping) and declared.get(feature) is True

    @property
    def announced(self) -> dict[str, bool]:
        """The lists whose changes the server announces, as `subscriptions/listen` names them."""
        return {
            f"{name}ListChanged": True
            for name in ("tools", "prompts", "resources")
            if self.declares(name, "listChanged")
        }

    def to_memory(self) -> dict[str, Any]:
        """Return what is worth remembering."""
        if not self.is_modern:
            return dict(LEGACY)
        return {
            "era": "modern",
            "version": self.version,
            "capabilities": {
                name: {feature: True for feature in features if self.declares(name, feature)}
                for name, features in _REMEMBERED.items()
                if self.declares(name)
            },
        }


def remembered_era(memory: Mapping[str, Any] | None) -> Era | None:
    """Return the modern era that was remembered, if this Podium still speaks it."""
    if memory is None or memory.get("era") != "modern":
        return None
    version, capabilities = memory.get("version"), memory.get("capabilities")
    if version not in sdk.MODERN_PROTOCOL_VERSIONS:
        return None
    return Era(
        version,
        is_modern=True,
        capabilities=capabilities if isinstance(capabilities, Mapping) else {},
    )


async def negotiate(
    wire: Wire, memory: Mapping[str, Any] | None, offer: Callable[[], Mapping[str, Any]]
) -> tuple[Era, Mapping[str, Any]]:
    """Find out the era on a fresh connection; a remembered legacy server is not probed again.

    With it comes what was offered in the handshake, if there was one.

    Raises:
        RpcError: the upstream refused, or went away.
        ProbeEndedError: it went away over the probe; a fresh connection should skip that.
        UpstreamProtocolError: there is no revision that both sides speak.

    """
    refusal: RpcError | None = None
    if not _is_legacy(memory):
        try:
            return await _discover(wire, sdk.LATEST_MODERN_VERSION), {}
        except _NotModernError as answer:
            if answer.version is not None:
                return await _rediscover(wire, answer.version), {}
            refusal = answer.refusal
    offered = offer()
    try:
        return await handshake(wire, offered), offered
    except RpcError as error:
        # This code is a modern server's: it was slow to start, and answered the probe too late.
        version = _mutual_version(error)
        if version is None:
            raise refusal or error from None
        return await _rediscover(wire, version), {}
    except UpstreamProtocolError:
        if refusal is not None:
            raise refusal from None
        raise


def _is_legacy(memory: Mapping[str, Any] | None) -> bool:
    return memory is not None and memory.get("era") == "legacy"


class _NotModernError(Exception):
    """The probe was not answered as a modern server does; `version` is one it names instead.

    A `refusal` without a login says more than what a handshake may fail with afterwards.
    """

    def __init__(self, version: str | None = None, refusal: RpcError | None = None) -> None:
        super().__init__(version)
        self.version = version
        self.refusal = refusal


async def _discover(wire: Wire, version: str) -> Era:
    params, headers = sdk.modern_envelope("server/discover", {}, version, CLIENT)
    try:
        result = await wire.request(
            "server/discover",
            params,
            headers=headers,
            timeout_seconds=PROBE_SECONDS,
            identifier=f"discover-{version}",
            can_be_cancelled=False,
        )
    except RpcError as error:
        if error.code == sdk.CLOSED:
            raise ProbeEndedError from error
        if error.code == sdk.UNREACHABLE:
            raise
        refusal = error if error.code == sdk.LOGIN_REQUIRED else None
        raise _NotModernError(_mutual_version(error), refusal) from error
    spoken = result.get("supportedVersions")
    mutual = _newest_mutual(spoken)
    if mutual is None:
        raise _NotModernError
    capabilities = result.get("capabilities")
    return Era(
        mutual, is_modern=True, capabilities=capabilities if isinstance(capabilities, dict) else {}
    )


async def _rediscover(wire: Wire, version: str) -> Era:
    try:
        return await _discover(wire, version)
    except _NotModernError as error:
        raise UpstreamProtocolError(
            f"it names the protocol revision {version} as its own but does not speak it",
            hint="update the server",
            sent=False,
        ) from error


async def handshake(wire: Wire, capabilities: Mapping[str, Any] | None = None) -> Era:
    """Begin a connection of the era before 2026-07-28, offering what a client offers.

    Raises:
        RpcError: the upstream refused, or went away.
        UpstreamProtocolError: there is no revision that both sides speak.

    """
    offer = {
        "protocolVersion": sdk.LATEST_HANDSHAKE_VERSION,
        "capabilities": dict(capabilities or {}),
        "clientInfo": CLIENT,
    }
    result = await wire.request("initialize", offer, can_be_cancelled=False)
    version = result.get("protocolVersion")
    if version not in sdk.HANDSHAKE_PROTOCOL_VERSIONS:
        raise UpstreamProtocolError(
            f"it wants the protocol revision {version!r:.40}, which Podium does not know",
            hint="update the server, or Podium",
            sent=False,
        )
    capabilities = result.get("capabilities")
    era = Era(
        version,
        is_modern=False,
        capabilities=capabilities if isinstance(capabilities, dict) else {},
    )
    await wire.notify("notifications/initialized", {}, sdk.handshake_headers(version))
    return era


def _mutual_version(error: RpcError) -> str | None:
    if error.code != sdk.UNSUPPORTED_VERSION or not isinstance(error.data, Mapping):
        return None
    return _newest_mutual(error.data.get("supported"))


def _newest_mutual(spoken: Any) -> str | None:
    if not isinstance(spoken, list):
        return None
    known = [version for version in sdk.MODERN_PROTOCOL_VERSIONS if version in spoken]
    return known[-1] if known else None
