"""Secrets are replaced before anything is written down or shown."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable
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
        # JSON escapes character by character: what holds a secret holds it escaped.
        self._escaped = {
            json.dumps(secret, ensure_ascii=is_ascii)[1:-1]
            for secret in self._secrets
            for is_ascii in (True, False)
        }

    def may_be_in(self, text: str) -> bool:
        """Return whether JSON text may hold a secret; quicker than `value`, and False is sure."""
        return bool(self._escaped) and any(escaped in text for escaped in self._escaped)

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


class UnknownSecretError(LookupError):
    """A reference to a secret that is not configured (any more)."""


class SecretReferences:
    """Writes each configured secret as a reference to it, and back.

    For what is kept for Podium's own use: exact values come out, but no secret lies on the disk.
    """

    _REFERENCE = re.compile("\u27e6secret:([0-9a-f]{32})\u27e7")

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._by_reference = {
            hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()[:32]: secret
            for secret in secrets
            if len(secret) >= SHORTEST_SECRET
        }
        longest_first = sorted(self._by_reference.items(), key=lambda pair: -len(pair[1]))
        self._references = [
            (f"\u27e6secret:{name}\u27e7", secret) for name, secret in longest_first
        ]

    def hide(self, value: Any) -> Any:
        """Return a JSON value with references in place of secrets."""
        return _mapped(value, self._hidden) if self._references else value

    def show(self, value: Any) -> Any:
        """Return a JSON value with the secrets in place of their references.

        Raises:
            UnknownSecretError: one of them is not configured.

        """
        return _mapped(value, self._shown)

    def _hidden(self, text: str) -> str:
        for reference, secret in self._references:
            if secret in text:
                text = text.replace(secret, reference)
        return text

    def _shown(self, text: str) -> str:
        return self._REFERENCE.sub(self._secret_of, text)

    def _secret_of(self, match: re.Match[str]) -> str:
        secret = self._by_reference.get(match[1])
        if secret is None:
            raise UnknownSecretError(match[0])
        return secret


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(str(key)): _mapped(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mapped(item, change) for item in value]
    return value
