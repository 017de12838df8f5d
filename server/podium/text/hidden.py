"""Characters that nobody sees but a model reads: taken out of a text, or made visible in it."""

import json

import regex

from podium.text.clean import ESCAPES

# `DI` are the code points that Unicode says are shown as nothing (tag characters, variation
# selectors, Hangul fillers); the blank Braille pattern is shown as a blank.
_HIDDEN = r"[[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{DI}\u2800]--[\n\t]]"
_VISIBLE = r"[[^\x00-\x7f]--[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{DI}\u2800]]"
# Emoji and some scripts need joiners: one between two visible characters stays.
_TABLE = regex.compile(
    rf"(?<kept>(?<={_VISIBLE}\ufe0f?)[\u200c\u200d](?={_VISIBLE})|(?<={_VISIBLE})\ufe0f)"
    rf"|(?<line>[\p{{Zl}}\p{{Zp}}])|{_HIDDEN}",
    regex.V1,
)


def without_hidden(text: str) -> str:
    """Return the text without terminal escapes, control and invisible characters."""
    if text.isascii() and text.isprintable():
        return text
    return str(_TABLE.sub(_shown, ESCAPES.sub("", text)))


def has_hidden(text: str) -> bool:
    """Whether the text holds characters that `without_hidden` takes out."""
    return without_hidden(text) != text


def escaped(text: str) -> str:
    """Return the text on one line, what cannot be seen written as JSON writes it."""
    if text.isascii() and text.isprintable():
        return text
    shown = _TABLE.sub(lambda found: found["kept"] or _code(found[0]), text)
    return str(shown).translate(_BLANKS)


_BLANKS = {ord("\n"): "\\n", ord("\t"): "\\t"}


def _code(char: str) -> str:
    return json.dumps(char)[1:-1] if char != "\x7f" else "\\u007f"


def _shown(found: "regex.Match[str]") -> str:
    if found["line"]:
        return "\n"
    return found["kept"] or ""
