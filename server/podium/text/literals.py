"""The values in a request that show what they are: quoted texts, paths, addresses, numbers, times.

They say nothing about which intent is meant, but they fill its params.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from podium.text.folding import Folded

LiteralKind = Literal["quoted", "url", "email", "path", "file", "time", "number"]
MAX_LITERALS = 20  # of one request

# Over folded text, the first that fits counts. Every repeat is bounded.
_CLOCK = r"\d{1,2}(?::\d{2}(?::\d{2})?| ?h(?: ?\d{2})?(?!\w)| heures?(?: \d{2}(?!\d))?)"
_TIMES = (
    rf"(?<![\w.]){_CLOCK}(?: ?[ap]\.?m\.?(?!\w))?",
    r"(?<![\w.])\d{1,2} ?(?:[ap]m(?!\w)|[ap]\.m\.|o'clock)",
    r"(?<!\w)(?:midi|minuit|noon|midnight)(?!\w)",
)
_FOLDERS = r"(?<!\w)(?:~|\.{1,2}|[a-z]:)?(?:[\w.-]{1,100}[/\\]|[/\\]){1,20}"
_FILE_NAME = r"[\w-]{1,100}(?:\.[\w-]{1,40}){0,4}\.[a-z][a-z0-9]{0,7}(?![\w/\\]|\.\w)"
_KINDS: tuple[tuple[LiteralKind, str], ...] = (
    ("quoted", r'"[^"\n]{1,500}"|(?<!\w)\'[^\'\n]{1,200}\'(?!\w)'),
    ("url", r"https?://[^\s<>\"]{1,500}"),
    ("email", r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}"),
    ("time", "|".join(_TIMES)),
    ("file", rf"{_FOLDERS}{_FILE_NAME}|(?<![\w.]){_FILE_NAME}"),
    ("path", rf"{_FOLDERS}[\w.-]{{0,100}}"),
    ("number", r"(?<![\w.])\d{1,15}(?:[.,]\d{1,10})?(?![\w])"),
)
_LITERAL = re.compile("|".join(f"(?P<{kind}>{source})" for kind, source in _KINDS))

SAMPLES: Mapping[str, str] = {  # a value of each kind, for a text that only names the kind
    "quoted": '"x{number}"',
    "url": "https://x{number}.example",
    "email": "x{number}@x.example",
    "path": "x{number}/",
    "file": "x{number}.txt",
    "time": "{number}:00",
    "number": "{number}",
}


@dataclass(frozen=True, slots=True)
class LiteralValue:
    """A value in a folded text: its kind, where it stands, and what was written."""

    kind: LiteralKind
    start: int
    end: int
    text: str


def literals(folded: Folded) -> tuple[LiteralValue, ...]:
    """Return the values of a text in their order; quotation marks are left out of `text`."""
    found: list[LiteralValue] = []
    for match in _LITERAL.finditer(folded.text):
        kind = match.lastgroup
        start, end = match.span()
        written = folded.original(start, end)
        if kind == "quoted":
            written = written[1:-1].strip()
        elif kind in ("path", "file"):
            written = written.rstrip(".")
        if written and len(found) < MAX_LITERALS:
            found.append(LiteralValue(kind, start, end, written))  # type: ignore[arg-type]
    return tuple(found)
