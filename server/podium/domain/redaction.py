"""Secrets are replaced before anything is written down or shown."""

from collections.abc import Iterable
from typing import Any

REDACTED = "[redacted]"
SHORTEST_SECRET = (
    4  # characters; masking shorter ones would mangle ordinary text and reveal them by that
)


class Redactor:
    """Replaces each configured secret, wherever it stands in a text or a JSON value."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # Longest first, so that a secret that contains another leaves no rest behind.
        self._secrets = sorted(
            {s for s in secrets if len(s) >= SHORTEST_SECRET}, key=len, reverse=True
        )

    def text(self, text: str) -> str:
        """Return the text without secrets."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, REDACTED)
        return text

    def value(self, value: Any) -> Any:
        """Return a JSON value without secrets, keys included."""
        if not self._secrets:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(key)): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value
