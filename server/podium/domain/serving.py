"""How much a server over HTTP takes on."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Bounds of serving HTTP; what is beyond them is refused, never left waiting."""

    requests: int = 1_024  # at once, listening streams included; one more gets 503
    connections: int = 4_096  # at once, idle ones included; with more every request gets 503
    head_bytes: int = 65_536  # of one request, roughly: a packet more may be read
    request_seconds: float = 15.0  # for a connection to bring a request whole
