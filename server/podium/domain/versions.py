"""When two compositions, or two definitions of a tool, are the same: hashes of what they mean."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from podium.domain.composition import Composition

HASH_CHARACTERS = 16  # 64 bits: enough to tell the versions of one workspace apart

# Said to people and clients only: another wording plays the same.
_WORDS = frozenset(
    {"$schema", "$comment", "id", "name", "description", "version", "examples", "tool"}
)
_WORDS_OF_STEPS = frozenset({"$comment", "description"})
_STEPS = frozenset({"steps", "parallel", "repeat", "try", "finally", "default"})
_CASES = frozenset({"switch", "catch"})


def meaning_of(composition: Composition) -> str:
    """Return the hash of what a composition does; words for people do not count."""
    document = composition.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    kept = {key: value for key, value in document.items() if key not in _WORDS}
    kept["steps"] = [_step(step) for step in kept["steps"]]
    return _hash(kept)


def definition_hash(definition: Mapping[str, Any]) -> str:
    """Return the hash of a tool's definition as the server lists it."""
    return _hash(definition)


def version_of(meaning: str, tools: Mapping[str, str]) -> str:
    """Return what tells one version from another: what it does, and with which tools."""
    return _hash([meaning, dict(tools)])


def tools_of(composition: Composition) -> tuple[str, ...]:
    """Return every tool that a composition may call, as `server.tool`, nested ones too."""
    document = composition.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return tuple(sorted(set(_calls(document["steps"]))))


def _calls(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for part in value:
            yield from _calls(part)
    elif isinstance(value, dict):
        if isinstance(value.get("server_id"), str) and isinstance(value.get("tool_id"), str):
            yield f"{value['server_id']}.{value['tool_id']}"
        for key, part in value.items():
            if key not in {"arguments", "input_schema", "output_schema"}:  # data, no steps
                yield from _calls(part)


def _step(step: Any) -> Any:
    if not isinstance(step, dict):
        return step
    return {key: _part(key, value) for key, value in step.items() if key not in _WORDS_OF_STEPS}


def _part(key: str, value: Any) -> Any:
    if key in _STEPS | _CASES and isinstance(value, list):
        return [_step(part) for part in value]
    return value


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_CHARACTERS]
