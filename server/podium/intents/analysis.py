"""A request to its analysis; what cannot be a request is refused before any pattern is tried."""

from podium.domain.errors import RequestInvalidError, RequestTooLargeError
from podium.domain.intent import Analysis
from podium.domain.limits import Limits
from podium.intents.matcher import Matcher


def analyse(text: str, matcher: Matcher, limits: Limits) -> Analysis:
    """Return what a request means, with every candidate.

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
    return matcher.analyse(text)
