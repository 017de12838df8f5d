"""What a sentence template says, a few ways: for checks that try a pattern without an example."""

from collections.abc import Iterator, Mapping
from typing import Any

from podium.intents.grammar import Choice, Gap, Sequence, Word
from podium.intents.sentences import BoundSlot, Sentence
from podium.intents.slots import ListSlot

MAX_SAMPLES = 4  # ways to say one sentence

VALUES: Mapping[str, tuple[str, str]] = {
    "text": ("quelque chose", "something"),
    "word": ("truc", "stuff"),
    "number": ("12", "12"),
    "integer": ("12", "12"),
    "ordinal": ("deuxième", "second"),
    "percentage": ("40 %", "40 %"),
    "duration": ("5 minutes", "5 minutes"),
    "date": ("demain", "tomorrow"),
    "time": ("15 h 30", "3:30 pm"),
    "datetime": ("demain à 15 h", "tomorrow at 3 pm"),
    "path": ("docs/notes.md", "docs/notes.md"),
    "email": ("zoe@example.com", "zoe@example.com"),
    "url": ("https://example.com/a", "https://example.com/a"),
    "quoted": ('"bonjour"', '"hello"'),
    "boolean": ("oui", "yes"),
}
"""For each type what is said in French and in English."""


def samples(sentence: Sentence, language: str | None) -> Iterator[str]:
    """Yield a few different requests that a sentence says: its shortest, its longest, others."""
    found: dict[str, None] = {}
    for way in range(MAX_SAMPLES):
        text = " ".join(_said(sentence.tree, way, language).split())
        if text:
            found[text] = None
    yield from found


def _said(part: Any, way: int, language: str | None) -> str:
    match part:
        case Word(text):
            return text
        case Gap():
            return " "
        case Sequence(items):
            return "".join(_said(item, way, language) for item in items)
        case Choice(options):
            return _said(_option(options, way), way, language)
        case BoundSlot(kind=ListSlot(forms=forms)) if forms.values:
            values = list(forms.values)
            return values[way % len(values)]
        case BoundSlot(kind=kind):
            french, english = VALUES.get(kind.kind, VALUES["word"])
            return english if language == "en" else french
        case _:
            return ""


def _option(options: tuple[Sequence, ...], way: int) -> Sequence:
    """Return the last option first, as it is the empty one where there is one; then the others."""
    return options[-1] if way == 0 else options[(way - 1) % len(options)]
