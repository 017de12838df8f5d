"""Bytes of a pipe to lines, each bounded; a line that is too long leaves only its two ends."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

EDGE_BYTES = 512  # kept of each end of a dropped line: enough for the id at either end


@dataclass(frozen=True, slots=True)
class DroppedLine:
    """What is left of a line that was longer than allowed."""

    head: bytes
    tail: bytes
    size: int


class LineReader:
    """Splits a stream into lines at flat memory: at most one longest line is ever held.

    Chunks are kept in a list and joined once, since growing one buffer costs quadratic time.
    """

    def __init__(self, longest_bytes: int) -> None:
        self._longest = longest_bytes
        self._parts: list[bytes] = []
        self._size = 0
        self._head = b""
        self._tail = b""

    def feed(self, data: bytes) -> Iterator[bytes | DroppedLine]:
        """Take the next chunk and yield the lines it completes, without line ends."""
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            self._add(data[start:end])
            yield self._take()
            start = end + 1
        if start < len(data):
            self._add(data[start:])

    def _add(self, piece: bytes) -> None:
        was_dropping = self._size > self._longest
        self._size += len(piece)
        if was_dropping:
            self._head += piece[: EDGE_BYTES - len(self._head)]
            self._tail = (self._tail + piece)[-EDGE_BYTES:]
            return
        self._parts.append(piece)
        if self._size > self._longest:
            line = b"".join(self._parts)
            self._head, self._tail = line[:EDGE_BYTES], line[-EDGE_BYTES:]
            self._parts = []

    def _take(self) -> bytes | DroppedLine:
        dropped = self._size > self._longest
        line = DroppedLine(self._head, self._tail, self._size) if dropped else b"".join(self._parts)
        self._parts, self._size, self._head, self._tail = [], 0, b"", b""
        return line


_VERSION = rb'"jsonrpc"\s*:\s*"2\.0"'
_ID = rb'"id"\s*:\s*(-?\d{1,15}|"[^"\\]{1,128}")'
_ID_FIRST = re.compile(
    rb"\s*\{\s*(?:" + _VERSION + rb"\s*,\s*)?" + _ID + rb"\s*,\s*"
    rb"(?:" + _VERSION + rb'\s*,\s*)?"(?:result|error)"'
)
_ANSWER_FIRST = re.compile(rb"\s*\{\s*(?:" + _VERSION + rb'\s*,\s*)?"(?:result|error)"')
_ID_LAST = re.compile(rb",\s*" + _ID + rb"\s*(?:,\s*" + _VERSION + rb"\s*)?\}\s*\Z")


def looks_like_answer(head: bytes) -> bool:
    """Whether an unreadable line was meant as an answer, rather than printed by mistake."""
    return b'"jsonrpc"' in head or _ANSWER_FIRST.match(head) is not None


def answered_id(head: bytes, tail: bytes) -> int | str | None:
    """Return the id that an unreadable answer carries at one of its ends, or None.

    Only places where the id can be no one else's are looked at: before `result` or `error` (as
    Python servers write it), or at the very end after them (as TypeScript servers do).
    """
    found = _ID_FIRST.match(head)
    if found is None and _ANSWER_FIRST.match(head):
        found = _ID_LAST.search(tail)
    if found is None:
        return None
    literal = found[1]
    return literal[1:-1].decode("utf-8", "replace") if literal[:1] == b'"' else int(literal)
