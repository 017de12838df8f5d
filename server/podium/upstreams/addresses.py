"""Which addresses an upstream's URL may lead to: decided before, and used for, each connection.

What the configuration itself names on loopback or by a private address is allowed. A name may lead
to public addresses only, unless `allow_addresses` names them: whoever controls a name's records
could otherwise point Podium at the machine it runs on, or at what stands beside it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Where clouds hand out credentials to whoever asks from inside.
_METADATA = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",
        "169.254.170.2",
        "fd00:ec2::254",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
    )
)
_TRANSLATED = ip_network("64:ff9b::/96")  # IPv4 behind a translator
_NAMES_OF_LOOPBACK = ("localhost", ".localhost")


class AddressRefusedError(Exception):
    """Why an address is not connected to."""


def network_of(text: str) -> Network:
    """Return the network that an entry of `allow_addresses` names, a single address being one.

    Raises:
        ValueError: it names none.

    """
    return ip_network(text, strict=False)


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """What the URL of one upstream and its `allow_addresses` allow."""

    url: str
    allowed: tuple[Network, ...] = ()

    @property
    def is_local(self) -> bool:
        """Whether the configured URL itself is on loopback."""
        return is_loopback_host(urlsplit(self.url).hostname or "")

    def check(self, host: str, addresses: Iterable[str]) -> list[str]:
        """Return the addresses that a host name or a literal address stands for, all of them safe.

        Raises:
            AddressRefusedError: one of them is not to be connected to.

        """
        found = list(addresses)
        for address in (ip_address(text.partition("%")[0]) for text in found):
            if (reason := self._refusal(host, address)) is not None:
                what = f"{address}" if literal(host) == address else f"{host} leads to {address},"
                raise AddressRefusedError(f"{what} {reason}")
        return found

    def _refusal(self, host: str, address: Address) -> str | None:
        forms = _forms(address)
        if any(form in network for form in forms for network in self.allowed):
            return None
        for form in forms:
            if (reason := _never(form)) is not None:
                return f"which is {reason}"
        if all(map(_is_public, forms)) or self._is_named(host, forms):
            return None
        kind = "a loopback" if any(form.is_loopback for form in forms) else "a private"
        return f"which is {kind} address that the configuration does not name"

    def _is_named(self, host: str, forms: Sequence[Address]) -> bool:
        """Whether the configured URL itself names the address, or is on loopback as it is."""
        if all(form.is_loopback for form in forms[-1:]):
            return self.is_local and is_loopback_host(host)
        configured = literal(urlsplit(self.url).hostname or "")
        return configured is not None and configured == literal(host)


def literal(host: str) -> Address | None:
    """Return the address that a host is written as in full, None for a name.

    Forms that only some resolvers take for an address (`2130706433`, `0x7f.1`, `0177.0.0.1`) are
    names: what they lead to is then checked as for any other name.
    """
    try:
        return ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


def is_loopback_host(host: str) -> bool:
    """Whether a host is written as this machine: a loopback address or `localhost`."""
    address = literal(host)
    if address is not None:
        return _forms(address)[-1].is_loopback
    name = host.lower().rstrip(".")
    return name == _NAMES_OF_LOOPBACK[0] or name.endswith(_NAMES_OF_LOOPBACK[1])


def _forms(address: Address) -> list[Address]:
    """Return the address and, at the end, the IPv4 one that it carries inside, if it does."""
    if isinstance(address, IPv4Address):
        return [address]
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and address.teredo is not None:
        inner = address.teredo[1]
    if inner is None and address in _TRANSLATED:
        inner = IPv4Address(int(address) & 0xFFFF_FFFF)
    if inner is None:
        return [address]
    # A mapped one is the IPv4 address itself; the others are addresses of their own.
    return [inner] if address.ipv4_mapped else [address, inner]


def _is_public(address: Address) -> bool:
    was_private = isinstance(address, IPv6Address) and address.is_site_local  # before RFC 3879
    return address.is_global and not was_private


def _never(address: Address) -> str | None:
    """Return what makes an address unfit whoever names it, unless it is allowed by number."""
    if address in _METADATA:
        return "an address where clouds hand out credentials"
    if address.is_unspecified:
        return "no address of a server"
    if address.is_link_local:
        return "a link-local address"
    if address.is_multicast:
        return "a multicast address"
    if isinstance(address, IPv4Address) and address.is_reserved:
        return "a reserved address"
    return None
