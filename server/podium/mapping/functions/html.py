"""HTML to the text that a reader of the page would see."""

import re
from html.parser import HTMLParser
from typing import Any

from typing_extensions import override

from podium.mapping.functions.common import UnusableError
from podium.mapping.templates import show

MAX_CHARACTERS = 2_000_000  # a large page; reading it takes about a second

_HIDDEN = frozenset({"script", "style", "template", "title", "noscript", "svg"})
_BLOCK_NAMES = """
    address article aside blockquote body dd details div dl dt fieldset figcaption figure footer
    form h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section summary table tbody tfoot thead
    tr ul"""
_BLOCKS = frozenset(_BLOCK_NAMES.split())
_PARAGRAPHS = frozenset(
    {"p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "table", "ul", "ol"}
)
_CELLS = frozenset({"td", "th"})


def html_to_text(html: Any) -> str:
    """Return the text of HTML: no tags, scripts or styles; paragraphs, lines and lists stay.

    List items start with "- ", table cells are parted by " | ". Nothing gives an empty text.
    """
    source = show(html)
    if len(source) > MAX_CHARACTERS:
        raise UnusableError(f"the HTML has more than {MAX_CHARACTERS} characters")
    reader = _Reader()
    reader.feed(source)
    reader.close()
    return reader.text()


class _Reader(HTMLParser):
    """Collects the pieces of text, and between them the line breaks that tags ask for."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._pieces: list[str] = []
        self._hidden: list[str] = []
        self._preformatted = 0

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _HIDDEN:
            self._hidden.append(tag)
        elif tag == "br":
            self._pieces.append("\n")
        elif tag in _CELLS:
            self._pieces.append("\0")
        else:
            self._break(tag)
        if tag == "li":
            self._add("- ")
        elif tag == "pre":
            self._preformatted += 1
        elif tag == "img":
            self._add(dict(attrs).get("alt") or "")

    @override
    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _HIDDEN:
            self.handle_starttag(tag, attrs)

    @override
    def handle_endtag(self, tag: str) -> None:
        if tag in self._hidden:
            while self._hidden.pop() != tag:
                pass
        elif tag == "pre":
            self._preformatted = max(0, self._preformatted - 1)
        self._break(tag)

    @override
    def handle_data(self, data: str) -> None:
        self._add(data if self._preformatted else re.sub(r"\s+", " ", data))

    def _add(self, text: str) -> None:
        if not self._hidden:
            self._pieces.append(text.replace("\0", " "))

    def _break(self, tag: str) -> None:
        if tag in _BLOCKS and not self._hidden:
            self._pieces.append("\n\n" if tag in _PARAGRAPHS else "\n")

    def text(self) -> str:
        """Return what was collected, with at most one empty line between paragraphs."""
        text = "".join(self._pieces)
        text = re.sub(r"\n[ \t]*\0", "\n", text).replace("\0", " | ")  # the first cell of a row
        lines = [re.sub(r"(?<=\S)[ \t]+", " ", line).rstrip() for line in text.split("\n")]
        lines = [line[1:] if line[:1] == " " and line[1:2] != " " else line for line in lines]
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
