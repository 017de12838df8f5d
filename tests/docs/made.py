"""Parts of the pages that are made from the code: `python -m tests.docs.made` writes them anew.

A part stands between `<!-- made: NAME -->` and `<!-- end of NAME -->`; a test compares it.
"""

import inspect
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

from podium.mapping.transformers import Transformers
from tests.docs.pages import PAGES, REPOSITORY

_PART = re.compile(r"(<!-- made: (\w+) -->\n)(.*?)(<!-- end of \2 -->)", re.DOTALL)


def transformers() -> str:
    """Return the built-in transformers as a table, in the order of their module."""
    rows = ["| call | what it does |", "|---|---|"]
    registry = Transformers()
    for name in registry.converters:
        made = registry.get(name)
        assert made is not None
        about = " ".join(inspect.cleandoc(made.description).split("\n\n")[0].split())
        rows.append(f"| `{_as_json(made.usage)}` | {_cell(about)} |")
    return "\n".join(rows) + "\n"


def layers() -> str:
    """Return the layers of the import contract, from the top down."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    contract = next(each for each in contracts if each["type"] == "layers")
    return "\n".join(["```text", *contract["layers"], "```"]) + "\n"


MAKERS: dict[str, Callable[[], str]] = {"transformers": transformers, "layers": layers}


def made_parts(page: Path) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each part of a page."""
    for found in _PART.finditer(page.read_text(encoding="utf-8")):
        yield found[2], found[3]


def with_parts(text: str) -> str:
    """Return a page's text with its parts made anew."""
    return _PART.sub(lambda found: found[1] + MAKERS[found[2]]() + found[4], text)


def _as_json(usage: str) -> str:
    for python, json in (("None", "null"), ("True", "true"), ("False", "false")):
        usage = usage.replace(f"={python}", f"={json}")
    return usage


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    for path in PAGES:
        before = path.read_text(encoding="utf-8")
        path.write_text(with_parts(before), encoding="utf-8")
