"""Bytes of a file to text, text to what a search compares, names to glob patterns."""

import codecs
import unicodedata
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from podium.interfaces.files_server.folder import comparable
from podium.text.folding import fold_text

# The longer mark first: UTF-32's little-endian one begins with UTF-16's.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_FALLBACKS = ("utf-8", "cp1252", "latin-1")  # latin-1 takes every byte


def decode(data: bytes, *, complete: bool) -> tuple[str, str] | None:
    """Return a file's text and its encoding, or None when it is binary.

    Unless `complete`, the data may end in the middle of a character, which is then left out.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            text = _decode(data[len(mark) :], encoding, complete=complete)
            return None if text is None else (text, encoding)
    if b"\0" in data:
        return None
    for encoding in _FALLBACKS:
        text = _decode(data, encoding, complete=complete)
        if text is not None:
            return text, encoding
    return None


def _decode(data: bytes, encoding: str, *, complete: bool) -> str | None:
    try:
        return codecs.getincrementaldecoder(encoding)().decode(data, final=complete)
    except UnicodeDecodeError:
        return None


def count_lines(text: str) -> int:
    """Return the number of lines; a last one without a line end counts."""
    return text.count("\n") + (bool(text) and not text.endswith("\n"))


def find_lines(
    text: str, wanted: str, *, case_sensitive: bool, width: int
) -> Iterator[tuple[int, str]]:
    """Yield each line that holds the wanted text: its number and at most `width` characters."""
    text, wanted = unicodedata.normalize("NFC", text), unicodedata.normalize("NFC", wanted)
    needle = wanted if case_sensitive else fold_text(wanted)
    haystack = text if case_sensitive else fold_text(text)
    if needle not in haystack:
        return
    pairs = zip(text.split("\n"), haystack.split("\n"), strict=True)
    for number, (line, searched) in enumerate(pairs, 1):
        if (position := searched.find(needle)) >= 0:
            yield number, _excerpt(line.rstrip("\r"), position, len(needle), width)


def _excerpt(line: str, position: int, length: int, width: int) -> str:
    if len(line) <= width:
        return line
    start = max(0, min(position - max(0, width - length) // 2, len(line) - width))
    before = "…" if start > 0 else ""
    after = "…" if start + width < len(line) else ""
    return f"{before}{line[start : start + width]}{after}"


def matches_glob(parts: Sequence[str], pattern: str) -> bool:
    """Return whether a path fits a glob; one without `/` is about the name alone.

    `**` stands for any number of folders. Letter case makes no difference.
    """
    wanted = comparable(pattern).strip("/").split("/")
    names = [comparable(part) for part in parts]
    if len(wanted) == 1:
        return fnmatchcase(names[-1], wanted[0])
    reached = _past_stars({0}, wanted)  # how much of the pattern the names so far can stand for
    for name in names:
        stay = {at for at in reached if at < len(wanted) and wanted[at] == "**"}
        step = {
            at + 1
            for at in reached
            if at < len(wanted) and wanted[at] != "**" and fnmatchcase(name, wanted[at])
        }
        reached = _past_stars(stay | step, wanted)
    return len(wanted) in reached


def _past_stars(reached: set[int], wanted: Sequence[str]) -> set[int]:
    for at, part in enumerate(wanted):
        if at in reached and part == "**":
            reached.add(at + 1)
    return reached
