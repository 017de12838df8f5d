"""HTML to the text that a reader of the page would see.

Pages come from strangers. `html.parser` needs minutes for some of 100 kB (measured: `<a ` 50,000
times takes 500 s), so a small scanner, linear in the size of the page, looks for the tags.
"""

import html as entities
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from podium.mapping.functions.common import UnusableError
from podium.mapping.templates import show

MAX_CHARACTERS = 2_000_000  # a very large page; the worst takes about two seconds

_RAW = frozenset({"script", "style", "title"})  # their content is no HTML, and nobody reads it
_HIDDEN = frozenset({"template", "noscript", "svg"})
_BLOCK_NAMES = """
    address article aside body dd details div dl dt fieldset figcaption figure footer form header hr
    li main nav ol section summary tbody tfoot thead tr ul"""
_PARAGRAPH_NAMES = "p h1 h2 h3 h4 h5 h6 blockquote pre table"
_BREAKS = {
    **dict.fromkeys(_BLOCK_NAMES.split(), 1),
    **dict.fromkeys(_PARAGRAPH_NAMES.split(), 2),
}


def html_to_text(html: Any) -> str:
    """Return the text of HTML: no tags, scripts or styles; paragraphs, lines and lists stay.

    List items start with "- ", table cells are parted by " | ". Nothing gives an empty text.
    """
    source = show(html)
    if len(source) > MAX_CHARACTERS:
        raise UnusableError(f"the HTML has more than {MAX_CHARACTERS} characters")
    page = _Page()
    for piece in _pieces(source):
        if isinstance(piece, _Tag):
            page.tag(piece)
        else:
            page.text(entities.unescape(piece))
    return "".join(page.written).strip()


@dataclass(frozen=True, slots=True)
class _Tag:
    name: str
    is_end: bool
    is_empty: bool
    rest: str


_NAME = re.compile(r"/?([A-Za-z][^\s/>]*+)")
_TO_END = re.compile(r"""[^>"']*+(?:(?:"[^"]*+"|'[^']*+')[^>"']*+)*+>""")
_ALT = re.compile(r"""\balt\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s>]++))""", re.IGNORECASE)


def _pieces(source: str) -> Iterator[str | _Tag]:
    """Yield texts and tags; comments, declarations and what is hidden by its kind are left out."""
    place, quotes = 0, True
    last = source.rfind(">")
    while place < len(source):
        start = source.find("<", place)
        if start == -1 or start > last:
            yield source[place:]
            return
        if start > place:
            yield source[place:start]
        name = _NAME.match(source, start + 1)
        if name is None:
            place = _after_markup(source, start)
            if place == start:
                yield "<"
                place += 1
            continue
        end = _TO_END.match(source, name.end()) if quotes else None
        if end is None:
            quotes = False  # a quote is not closed: from here on a tag ends at the next ">"
        place = source.find(">", name.end()) + 1 if end is None else end.end()
        tag = _Tag(
            name[1].lower(),
            source[start + 1] == "/",
            source[place - 2] == "/",
            source[name.end() : place],
        )
        if tag.name in _RAW and not tag.is_end:
            place = _after_raw(source, tag.name, place)
        yield tag


def _after_markup(source: str, start: int) -> int:
    """Return where a comment or a declaration ends; `start` if there is neither."""
    if source.startswith("<!--", start):
        end = source.find("-->", start + 4)
        return len(source) if end == -1 else end + 3
    if source.startswith(("<!", "<?"), start):
        return source.find(">", start) + 1
    return start


def _after_raw(source: str, name: str, place: int) -> int:
    end = re.compile(f"</{name}[^>]*+>?", re.IGNORECASE).search(source, place)
    return len(source) if end is None else end.end()


@dataclass(slots=True)
class _Page:
    """What was written so far, and what must come before the next text."""

    written: list[str] = field(default_factory=list)
    breaks: int = 0  # line breaks
    lines: int = 0  # of these, asked for by <br>
    blank: bool = False
    bullet: bool = False
    cell: bool = False
    preformatted: int = 0
    hidden: str = ""  # the element that hides what is inside of it, and how often it is open
    depth: int = 0

    def tag(self, tag: _Tag) -> None:
        """Note what a tag asks for."""
        if self._hides(tag):
            return
        self.breaks = max(self.breaks, _BREAKS.get(tag.name, 0))
        if tag.name == "pre":
            self.preformatted = max(0, self.preformatted + (-1 if tag.is_end else 1))
        elif not tag.is_end and (note := _STARTS.get(tag.name)) is not None:
            note(self, tag)

    def text(self, text: str) -> None:
        """Write a text as a browser would: blanks run together outside of <pre>."""
        if self.hidden or not text:
            return
        words = " ".join(text.split())
        if self.preformatted and words:
            self._begin("")
            self.written.append(text.strip("\r\n") if self.preformatted else text)
        elif words:
            self._begin(" " if self.blank or text[0].isspace() else "")
            self.written.append(words)
        self.blank = text[-1].isspace() if words else True

    def _begin(self, blank: str) -> None:
        breaks = max(self.breaks, self.lines)
        if self.written:
            parted = " | " if self.cell else blank
            self.written.append("\n" * min(breaks, 2) if breaks else parted)
        if self.bullet:
            self.written.append("- ")
        self.breaks = self.lines = 0
        self.bullet = self.cell = False

    def _hides(self, tag: _Tag) -> bool:
        if not self.hidden and tag.name in _HIDDEN and not tag.is_end and not tag.is_empty:
            self.hidden = tag.name
        if tag.name == self.hidden and not tag.is_empty:
            self.depth += -1 if tag.is_end else 1
            if self.depth == 0:
                self.hidden = ""
                return True
        return bool(self.hidden)

    def note_line(self, _tag: _Tag) -> None:
        """Note a <br>."""
        self.lines += 1

    def note_item(self, _tag: _Tag) -> None:
        """Note a list item."""
        self.bullet = True

    def note_cell(self, _tag: _Tag) -> None:
        """Note a table cell."""
        self.cell = True

    def note_image(self, tag: _Tag) -> None:
        """Write what an image shows."""
        if (alt := _ALT.search(tag.rest)) is not None:
            self.text(entities.unescape(alt[1] or alt[2] or alt[3] or ""))


_STARTS: dict[str, Callable[[_Page, _Tag], None]] = {
    "br": _Page.note_line,
    "li": _Page.note_item,
    "td": _Page.note_cell,
    "th": _Page.note_cell,
    "img": _Page.note_image,
}
