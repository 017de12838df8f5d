"""Finding tools by what a person would say."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from podium.domain.tool import Tool
from podium.text.bm25 import Bm25
from podium.text.tokens import stem, tokens
from podium.upstreams.catalog import Catalog

CASES = yaml.safe_load(Path(__file__).with_name("search_cases.yaml").read_text())


def tool(full_name: str, description: str, **parameters: str) -> Tool:
    server_id, name = full_name.split(".")
    properties = {name: {"description": text} for name, text in parameters.items()}
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    return Tool(server_id, name, description, schema)


TOOLS = (
    tool("files.list_directory", "Names and sizes of what is in a folder", path="where"),
    tool("files.readTextFile", "Return what a file holds", path="the file"),
    tool("files.write_file", "Store text in a file", path="the file", text="what to store"),
    tool("fr.lireFichier", "Rend le contenu d'un fichier texte", chemin="le fichier"),
    tool("fr.memoriser_entites", "Garde des entités dans la mémoire"),
    tool("time.convert_time", "Convert time between timezones", source_timezone="from where"),
    tool("time.get_current_time", "What time it is now"),
    tool("mail.send", "Post a letter", recipient="who gets it"),
    tool("git.log", "Show the latest commits"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["query"])
def test_the_tool_that_fits_comes_first(case: dict[str, str]) -> None:
    matches = Catalog(TOOLS).search(case["query"], 3)

    assert matches[0].tool.full_name == case["first"]
    assert matches[0].score > 0


def test_an_empty_query_lists_all_in_order_and_an_odd_one_nothing() -> None:
    catalog = Catalog(TOOLS)

    assert [match.tool for match in catalog.search("  ", 100)] == list(TOOLS)
    assert len(catalog.search("", 2)) == 2
    assert catalog.search("zzz 🎻", 5) == []
    assert catalog.search("le de of the", 5) == []
    assert Catalog(()).search("anything", 5) == []


def test_schemas_of_any_shape_are_indexed() -> None:
    odd: list[dict[str, Any]] = [{"properties": []}, {"properties": {"a": 1, "b": {}}}, {}]

    catalog = Catalog([Tool("s", f"tool{n}", input_schema=schema) for n, schema in enumerate(odd)])

    assert [match.tool.name for match in catalog.search("tool1", 5)] == ["tool1"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("list_directory listDirectory list-directory", ["list", "directori"] * 3),
        ("HTTPServer getURLs", ["http", "serv", "get", "url"]),
        ("créé créer Créées", ["cre", "cre", "cre"]),
        ("L'œuvre d’un été", ["oeuvr", "ete"]),
        ("", []),
    ],
)
def test_words_are_split_folded_and_stemmed(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


@given(st.text(max_size=200))
def test_any_text_gives_the_same_tokens_twice_and_none_is_empty(text: str) -> None:
    found = tokens(text)

    assert found == tokens(text)
    assert all(found)


@given(st.text("abcdeginorstuvxyz", min_size=1, max_size=12))
def test_a_stem_is_never_longer_than_its_word_nor_shorter_than_three_letters(word: str) -> None:
    assert min(len(word), 3) <= len(stem(word)) <= len(word)


@given(st.lists(st.lists(st.sampled_from("abcde"), max_size=6), max_size=8))
def test_only_documents_with_a_word_of_the_query_are_ranked_best_first(
    documents: list[list[str]],
) -> None:
    ranked = Bm25(documents).rank(["a", "b", "a"])

    assert {place for place, _ in ranked} == {
        place for place, document in enumerate(documents) if {"a", "b"} & set(document)
    }
    assert [score for _, score in ranked] == sorted((s for _, s in ranked), reverse=True)
    assert all(score > 0 for _, score in ranked)


WEIGHED = st.dictionaries(st.sampled_from("abcde"), st.sampled_from([0.5, 1.0]), max_size=3)


@given(
    st.lists(st.lists(st.sampled_from("abcde"), max_size=6), max_size=8),
    st.lists(WEIGHED, max_size=4),
)
def test_a_concept_counts_by_the_best_of_its_words(
    documents: list[list[str]], concepts: list[dict[str, float]]
) -> None:
    index = Bm25(documents)
    alone = {word: dict(index.rank([word])) for word in "abcde"}

    scores = index.best(concepts, 100)

    for place in range(len(documents)):
        expected = sum(
            max((w * alone[word].get(place, 0.0) for word, w in concept.items()), default=0.0)
            for concept in concepts
        )
        assert scores.get(place, 0.0) == pytest.approx(expected)


@given(st.lists(st.lists(st.sampled_from("abcde"), max_size=6), max_size=8), st.integers(1, 4))
def test_the_best_documents_are_the_best_of_all(documents: list[list[str]], limit: int) -> None:
    index = Bm25(documents)
    concepts: list[dict[str, float]] = [{"a": 1.0}, {"b": 1.0}]

    best, every = index.best(concepts, limit), index.best(concepts, 100)

    assert len(best) >= min(limit, len(every))
    assert all(every[place] == score for place, score in best.items())
    assert all(score <= min(best.values()) for place, score in every.items() if place not in best)
