"""What a slot type is: a pattern that finds what may be meant, and a reader that says what it is.

In the regexes of this package `~` stands for the blanks between two words; `spelled` puts them in.
They are bounded, so that a million blanks cost nothing.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, Protocol, final

from typing_extensions import override

from podium.text.folding import fold_text

MAX_CHARACTERS = 160  # of a number, a date or the like; nobody says a longer one
_PLAIN_FIGURES = re.compile("0|[1-9][0-9]{0,8}")  # they mean the same in each language


@final
class NotAValue:
    """The one answer of a reader that means "this is none of mine"; it counts as false."""

    def __bool__(self) -> bool:
        return False

    @override
    def __repr__(self) -> str:
        return "NOT_A_VALUE"


NOT_A_VALUE: Final = NotAValue()


class ValueType(Protocol):
    """A type that a slot can have.

    `pattern` is the source of a regex over folded text (see `podium.text.folding`), for `re` and
    `regex` alike: without capturing groups, bounded, and never slower than its text is long. It
    may match too much, never too little: whatever `read` takes, `pattern` matches as a whole.
    """

    @property
    def name(self) -> str:
        """Return the name that a pattern file calls the type by."""
        ...

    @property
    def pattern(self) -> str:
        """Return the source of the regex."""
        ...

    def read(self, said: str, *, language: str | None, now: datetime) -> Any:
        """Return the JSON value of a whole text as it was written, or NOT_A_VALUE.

        `language` ("fr", "en") decides where the two disagree (03/04, 1,234); None leaves it to
        what the text itself shows. `now` is local time, with or without a zone.
        """
        ...


@dataclass(frozen=True, slots=True)
class Said:
    """What a reader is given: the original words, and what they are relative to."""

    text: str
    language: str | None
    now: datetime


Groups = dict[str, str]
"""The named groups of a form that took part, folded, with single blanks."""


@dataclass(frozen=True, slots=True)
class Form:
    """One way to say a value: a regex with named groups, and what the groups mean."""

    source: str
    meaning: Callable[[Groups, Said], Any]


@dataclass(frozen=True, slots=True)
class FormType:
    """A type that is a table of forms; the first form that fits and has a meaning decides.

    The pattern stands in the regex of each template that uses the type, and compiling costs by the
    character: so it may be a shorter, wider regex than the forms, and guards them. What most people
    write for a number, a few figures, is read without either.
    """

    name: str
    pattern: str
    forms: Sequence[Form]
    max_characters: int = MAX_CHARACTERS
    is_number: bool = False

    def read(self, said: str, *, language: str | None, now: datetime) -> Any:
        """Return the value of what was said, or NOT_A_VALUE."""
        text = said.strip()
        if self.is_number and _PLAIN_FIGURES.fullmatch(text):
            return int(text)
        if not 0 < len(text) <= self.max_characters:
            return NOT_A_VALUE
        folded = fold_text(text)
        if compiled(self.pattern).fullmatch(folded) is None:
            return NOT_A_VALUE
        return read_forms(self.forms, folded, Said(text, language, now))


def form_type(
    name: str,
    forms: Sequence[Form],
    *,
    pattern: str = "",
    max_characters: int = MAX_CHARACTERS,
    is_number: bool = False,
) -> FormType:
    """Return the type of these forms; without a pattern it is the forms side by side."""
    wide = pattern or any_of(form.source for form in forms)
    return FormType(name, spelled(without_names(wide)), forms, max_characters, is_number)


def read_forms(forms: Iterable[Form], folded: str, said: Said) -> Any:
    """Return what the first fitting form means, or NOT_A_VALUE."""
    for form in forms:
        match = compiled(form.source).fullmatch(folded)
        if match is None:
            continue
        groups = {
            name: " ".join(text.split())
            for name, text in match.groupdict().items()
            if text is not None
        }
        value = form.meaning(groups, said)
        if value is not NOT_A_VALUE:
            return value
    return NOT_A_VALUE


@lru_cache(maxsize=256)  # more than there are; at first use, so that starting costs nothing
def compiled(source: str) -> re.Pattern[str]:
    """Return the compiled regex of a source as it is written here."""
    return re.compile(spelled(source))


def any_of(sources: Iterable[str]) -> str:
    """Return a regex of alternatives, as one group."""
    return f"(?:{'|'.join(sources)})"


def words(text: str) -> str:
    """Return a regex of the words of a text, the longest first; a blank is written `_`."""
    ordered = sorted(text.split(), key=lambda word: (-len(word), word))
    return any_of(word.replace("_", "~") for word in ordered)


def without_names(source: str) -> str:
    """Return the regex with its named groups made plain ones."""
    return re.sub(r"\(\?P<\w+>", "(?:", source)


def spelled(source: str) -> str:
    """Return the regex with the blanks between words spelled out."""
    return source.replace("~", r"(?:\s{1,3})")
