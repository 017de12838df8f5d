"""What `docs/slots.md` and `docs/slots.fr.md` say of each type is what it reads."""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from podium.text.values import NOT_A_VALUE, TYPES

DOCS = Path(__file__).parents[3] / "docs"
PAGES = {"en": DOCS / "slots.md", "fr": DOCS / "slots.fr.md"}
NOW = datetime(2026, 11, 18, 10, 30)  # noqa: DTZ001 - local by contract

_SECTION = re.compile(r"^## `(\w+)`\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r"^\| (.+?) \| (?:`(.+?)`|(?:none|aucun)) \|", re.MULTILINE)


def examples() -> Iterator[Any]:
    for language, page in PAGES.items():
        for name, body in _SECTION.findall(page.read_text("utf-8")):
            for said, value in _ROW.findall(body):
                yield pytest.param(name, language, said, value, id=f"{page.name} {name}: {said}")


@pytest.mark.parametrize(("name", "language", "said", "value"), list(examples()))
def test_a_page_tells_what_a_type_reads(name: str, language: str, said: str, value: str) -> None:
    read = TYPES[name].read(said, language=language, now=NOW)

    assert read == (json.loads(value) if value else NOT_A_VALUE)


@pytest.mark.parametrize("page", list(PAGES.values()), ids=list(PAGES))
def test_a_page_lists_every_type(page: Path) -> None:
    first_table = page.read_text("utf-8").split("\n## ")[0]

    assert re.findall(r"^\| `(\w+)` \|", first_table, re.MULTILINE) == list(TYPES)
