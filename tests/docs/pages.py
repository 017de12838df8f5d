"""Pages of documentation to their blocks of code, and each block to what a test does with it.

A comment on the line before a block says what it is (nothing: it is only looked at):

`tried`          a shell script, run in the page's workspace; it must end with exit code 0
`served`         a command that runs beside the rest of the page, such as a server
`file: PATH`     the content of a file of that workspace
`prints`         lines that the block before it prints; `…` stands for any text
`test command`   the README's command that `.ci/run` uses
`demo command`   the README's command that shows the demo
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
README = REPOSITORY / "README.md"
PAGES = (README, *sorted((REPOSITORY / "docs").glob("*.md")))
KINDS = frozenset({"", "tried", "served", "file", "prints", "test command", "demo command"})

_BLOCK = re.compile(
    r"^(?:<!-- (?!made: )(?P<kind>[^:>]*?)(?:: (?P<argument>[^>]*?))? -->\n)?"
    r"```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_INLINE = re.compile(r"`([^`\n]+)`")
_OPERATORS = frozenset({"|", "||", "&&", ";", "&", ">", ">>", "<", "--"})


@dataclass(frozen=True)
class Block:
    """One fenced block; `line` is where its fence opens, 1-based."""

    page: Path
    line: int
    kind: str
    argument: str
    language: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            page=page,
            line=text.count("\n", 0, found.start("text")),
            kind=(found["kind"] or "").strip(),
            argument=(found["argument"] or "").strip(),
            language=found["language"],
            text=found["text"],
        )
        for found in _BLOCK.finditer(text)
    ]


def prose_of(page: Path) -> str:
    """Return a page without its blocks."""
    return _BLOCK.sub("", page.read_text(encoding="utf-8"))


def inline_code(page: Path) -> list[str]:
    return _INLINE.findall(prose_of(page))


def podium_commands(page: Path) -> Iterator[list[str]]:
    """Yield the arguments of each `podium …` that the page tells people to run."""
    lines = [
        line for block in blocks_of(page) if block.language == "sh" for line in lines_of(block)
    ]
    spoken = [code for code in inline_code(page) if code.startswith("podium ")]
    for line in [*lines, *spoken]:
        yield from _podium_calls(line)


def lines_of(block: Block) -> list[str]:
    return block.text.replace("\\\n", " ").splitlines()


def _podium_calls(line: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.commenters = "#"
    call: list[str] | None = None
    for word in [*lexer, ";"]:
        if word in _OPERATORS:
            if call:
                yield call
            call = None
        elif call is not None:
            call.append(word)
        elif word.rpartition("/")[2] == "podium":
            call = []
