"""A request to its analysis; what cannot be a request is refused before any pattern is tried."""

from typing import Protocol

from podium.domain.errors import RequestInvalidError, RequestTooLargeError
from podium.domain.intent import Analysis
from podium.domain.limits import Limits


class Analyser(Protocol):
    """What knows the patterns: a `Matcher`, or `LivePatterns`."""

    def analyse(self, text: str) -> Analysis:
        """Return what a request means."""
        ...


def analyse(text: str, matcher: Analyser, limits: Limits) -> Analysis:
    """Return what a request means, with every candidate; errors as below."""
    checked_request(text, limits)
    return matcher.analyse(text)


def checked_request(text: str, limits: Limits) -> None:
    """Refuse what cannot be a request.

    Raises:
        RequestInvalidError: it is empty or no text.
        RequestTooLargeError: it is longer than `limits.request_bytes`.

    """
    if not isinstance(text, str):
        raise RequestInvalidError(f"the request should be a text, not {type(text).__name__}")
    if not text.strip():
        raise RequestInvalidError("the request is empty", hint="say what you want done")
    size = len(text.encode("utf-8", "replace"))
    if size > limits.request_bytes:
        raise RequestTooLargeError(
            f"the request has {size} bytes, {limits.request_bytes} at most",
            hint="put long text into a file, or raise limits.request_bytes",
        )
