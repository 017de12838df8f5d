"""What the pages say holds: their data is valid, their links and commands exist."""

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import BaseModel
from typer.main import get_command

from podium.cli.program import program
from podium.cli.schemas import schema_of
from podium.compositions.checker import Checker
from podium.compositions.library import CompositionLibrary
from podium.config import UpstreamEntry, config_text
from podium.domain.composition import (
    STEP_KINDS,
    Case,
    Catch,
    Composition,
    FileModel,
    Retry,
    StoredComposition,
)
from podium.domain.errors import PodiumError
from podium.domain.execution import EventKind, ExecutionStatus, StepStatus
from podium.domain.request import ReplyStatus
from podium.domain.tool import UpstreamState
from podium.intents.files import Pattern, PatternFile
from podium.interfaces.mcp_server.own_tools import OWN_TOOLS
from podium.mapping.files import TransformerFile
from podium.mapping.transformers import Transformers
from tests.docs.made import MAKERS, made_parts
from tests.docs.pages import (
    KINDS,
    PAGES,
    README,
    REPOSITORY,
    Block,
    blocks_of,
    inline_code,
    podium_commands,
    prose_of,
)

DOCS = REPOSITORY / "docs"
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)

# A JSON block is what its keys make it; one with none of these only has to be JSON.
MODELS: tuple[tuple[frozenset[str], type[BaseModel]], ...] = (
    (frozenset({"patterns"}), PatternFile),
    (frozenset({"steps", "id"}), Composition),
    *((frozenset({key, "id"}), model) for key, model in STEP_KINDS.items() if key != "steps"),
    (frozenset({"expression", "name"}), TransformerFile),
    (frozenset({"transformers"}), TransformerFile),
)


@every_page
def test_every_block_is_of_a_known_kind(page: Path) -> None:
    kinds = {block.kind for block in blocks_of(page)}
    comment = re.compile(r"^<!-- (?!made: |end of )([^:>]*?)(?::[^>]*)? -->$", re.MULTILINE)
    comments = comment.findall(page.read_text())

    assert kinds <= KINDS
    assert sorted(comments) == sorted(b.kind for b in blocks_of(page) if b.kind), (
        "a comment must stand right before its block"
    )


@every_page
def test_every_json_block_is_what_it_looks_like(page: Path) -> None:
    for block in of_language(page, "json"):
        value = json.loads(block.text)
        if isinstance(value, dict):
            check_model(value, block)


def check_model(value: dict[str, Any], block: Block) -> None:
    model = next((model for keys, model in MODELS if keys <= value.keys()), None)
    if model is not None:
        model.model_validate(value, by_alias=True, by_name=False)
    assert "steps" not in value or model is not None, f"{block.where}: steps without an id"


@every_page
def test_every_composition_passes_the_check(page: Path) -> None:
    compositions = [
        StoredComposition(Composition.model_validate(value, by_name=False), "template", block.where)
        for block in of_language(page, "json")
        if isinstance(value := json.loads(block.text), dict) and {"steps", "id"} <= value.keys()
    ]
    library = CompositionLibrary(compositions)
    functions = {*Transformers().names(), "word_count", *functions_made_on(page)}
    checker = Checker(max_steps=10, functions=functions, library=library)

    found = [str(finding) for stored in compositions for finding in checker.check(stored)]
    schema = Draft202012Validator(schema_of("composition"))
    for stored in compositions:
        value = stored.composition.model_dump(by_alias=True, exclude_unset=True, mode="json")
        found += [f"{stored.source}: {fault.message}" for fault in schema.iter_errors(value)]

    assert (found, library.faults) == ([], [])


def functions_made_on(page: Path) -> Iterator[str]:
    """Yield the transformers that the blocks of a page make; `word_count` every workspace has."""
    for block in of_language(page, "python"):
        yield from re.findall(r"^def (\w+)", block.text, re.MULTILINE)
    for block in of_language(page, "json"):
        value = json.loads(block.text)
        listed = value.get("transformers", [value]) if isinstance(value, dict) else []
        yield from (each["name"] for each in listed if "expression" in each)


@every_page
def test_every_yaml_block_is_a_valid_configuration(page: Path) -> None:
    for block in of_language(page, "yaml"):
        variables = re.findall(r"\$\{(\w+)\}", block.text)
        assert isinstance(yaml.safe_load(block.text), dict), block.where

        config_text(block.text, REPOSITORY, dict.fromkeys(variables, "anything"))


@every_page
def test_every_python_block_compiles(page: Path) -> None:
    for block in of_language(page, "python"):
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        compile(block.text, block.where, "exec", flags=flags)


def of_language(page: Path, language: str) -> Iterator[Block]:
    return (block for block in blocks_of(page) if block.language == language)


@every_page
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose_of(page)):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in anchors_of(linked), f"{page.name}: {target}"


def anchors_of(page: Path) -> set[str]:
    """Return the anchors that a forge gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", prose_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every_page
def test_every_command_exists_with_its_options(page: Path) -> None:
    for words in podium_commands(page):
        check_command(words)


def check_command(words: list[str]) -> None:
    at: Any = get_command(program())
    options = {name for param in at.params for name in param.opts} | {"--help", "-h"}
    for word in words:
        if word.startswith("-"):
            assert word.partition("=")[0] in options, f"podium {' '.join(words)}: no option {word}"
        elif hasattr(at, "commands") and not is_value(word, words):
            assert word in at.commands, f"podium {' '.join(words)}: no command {word}"
            at = at.commands[word]
            options |= {name for param in at.params for name in param.opts}


def is_value(word: str, words: list[str]) -> bool:
    """Tell whether a word belongs to the `--workspace` before it."""
    return words[words.index(word) - 1] in ("--workspace", "-w") and word != words[0]


@every_page
def test_every_extra_that_pages_install_exists(page: Path) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = set(re.findall(r"(?:\.|podium-mcp)\[(\w+)\]", page.read_text()))

    assert extras <= project["optional-dependencies"].keys()


def test_every_page_can_be_reached_from_the_readme() -> None:
    linked = {
        (page.parent / target).resolve()
        for page in PAGES
        for target in re.findall(r"\]\(([^)#\s]+\.md)", prose_of(page))
    }

    assert set(PAGES) - {README} <= linked


# --- what is made from the code, or held against it


def test_the_made_parts_are_up_to_date() -> None:
    parts = [(name, text) for page in PAGES for name, text in made_parts(page)]

    assert {name for name, _ in parts} == MAKERS.keys()
    for name, text in parts:
        assert text == MAKERS[name](), f"run: python -m tests.docs.made ({name})"


def test_every_error_code_has_its_row() -> None:
    rows = table_rows(DOCS / "operate.md", "code")
    kinds = [PodiumError, *subclasses(PodiumError)]
    expected = {
        kind.code: (str(kind.exit_code), "yes" if kind.retryable_by_default else "")
        for kind in kinds
    }

    assert {row[0].strip("`"): (row[1], row[2]) for row in rows} == expected
    assert all(row[3] and row[4] for row in rows)


def subclasses(kind: type[PodiumError]) -> Iterator[type[PodiumError]]:
    for each in kind.__subclasses__():
        if each.__module__.startswith("podium.domain"):
            yield each
            yield from subclasses(each)


def table_rows(page: Path, first_column: str) -> list[list[str]]:
    """Return the cells of the table whose first column has this title."""
    text = page.read_text().partition(f"\n| {first_column} |")[2]
    lines = text.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def keys_of(model: type[FileModel]) -> set[str]:
    names = {field.alias or name for name, field in model.model_fields.items()}
    return names - {"$schema", "$comment"}


STEP_KEYS = {key for model in (*STEP_KINDS.values(), Retry, Case, Catch) for key in keys_of(model)}
VOCABULARIES: dict[str, tuple[str, set[str]]] = {
    "the tools of Podium": ("connect.md", {tool.name for tool in OWN_TOOLS}),
    "keys of a pattern": ("patterns.md", keys_of(Pattern)),
    "keys of a pattern, in French": ("patterns.fr.md", keys_of(Pattern)),
    "keys of a composition": ("compositions.md", keys_of(Composition)),
    "keys of a composition, in French": ("compositions.fr.md", keys_of(Composition)),
    "keys of a step": ("compositions.md", STEP_KEYS),
    "keys of a step, in French": ("compositions.fr.md", STEP_KEYS),
    "keys of an upstream": ("operate.md", keys_of(UpstreamEntry)),
    "states of an upstream": ("operate.md", set(get_args(UpstreamState))),
    "states of a step": ("operate.md", set(get_args(StepStatus))),
    "states of an execution": ("operate.md", set(get_args(ExecutionStatus))),
    "ways a reply ends": ("python.md", set(get_args(ReplyStatus))),
    "events": ("python.md", set(get_args(EventKind))),
    "the package's parts": (
        "develop.md",
        {
            f"{path.stem}/" if path.is_dir() else path.name
            for path in (REPOSITORY / "server" / "podium").iterdir()
            if path.name not in ("__pycache__", "__init__.py", "py.typed", "defaults")
        },
    ),
}


@pytest.mark.parametrize("name", VOCABULARIES)
def test_a_page_names_every(name: str) -> None:
    page, words = VOCABULARIES[name]

    assert words - set(inline_code(DOCS / page)) == set()


def test_the_readme_names_the_command_that_ci_runs() -> None:
    commands = [b for page in PAGES for b in blocks_of(page) if b.kind == "test command"]

    assert [block.page for block in commands] == [README]
    assert "test command" in (REPOSITORY / ".ci" / "run").read_text()


def test_the_npm_command_is_that_of_ci() -> None:
    written = (REPOSITORY / ".ci" / "run").read_text()
    for name in ("npm", "conformance"):
        written = written.replace(f'"${name}_folder"', f".cache/{name}")
    ci = plain(written)
    given = [plain(b.text) for b in blocks_of(DOCS / "develop.md") if "npm install" in b.text]

    assert given
    assert all(command in ci for command in given)


def plain(script: str) -> str:
    return " ".join(script.replace("\\\n", " ").split())
