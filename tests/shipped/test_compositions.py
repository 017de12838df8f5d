"""The shipped templates: whole, checked, and reached by the requests that they name."""

import pytest

from podium.compositions.checker import Checker
from podium.compositions.library import CompositionLibrary, load_compositions
from podium.compositions.params import checked_params
from podium.domain.composition import Composition, CompositionExample
from podium.intents.matcher import Matcher
from podium.mapping.transformers import Transformers
from podium.resources import default_directory

TEMPLATES = [
    stored.composition for stored in load_compositions(default_directory("compositions")).all()
]
EXAMPLES = [
    pytest.param(template, example, id=f"{template.id}: {example.request or example.params}")
    for template in TEMPLATES
    for example in template.examples
]
MAX_STEPS = 10  # as config.yaml has it


def test_every_file_loads_and_is_a_template_that_passes_the_checker(
    compositions: CompositionLibrary, transformers: Transformers
) -> None:
    checker = Checker(max_steps=MAX_STEPS, functions=transformers.names())

    findings = [
        finding
        for stored in compositions.all()
        for finding in checker.check(stored, document=compositions.document(stored.id))
    ]

    assert compositions.faults == []
    assert findings == []
    assert {stored.status for stored in compositions.all()} == {"template"}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.id)
def test_every_template_tells_people_what_it_does(template: Composition) -> None:
    properties = (template.input_schema or {})["properties"]

    assert template.id == f"template_{template.intent_type}"
    assert template.name
    assert template.description
    assert template.examples
    assert isinstance(template.output, dict)
    assert "message" in template.output
    assert all(part["title"] and part["description"] for part in properties.values())


@pytest.mark.parametrize(("template", "example"), EXAMPLES)
def test_every_example_fits_the_input_schema(
    template: Composition, example: CompositionExample
) -> None:
    params = checked_params(template, example.params, is_strict=True)

    assert params.items() >= example.params.items()


@pytest.mark.parametrize(("template", "example"), EXAMPLES)
def test_the_request_of_an_example_leads_to_its_template_with_its_params(
    template: Composition, example: CompositionExample, matcher: Matcher
) -> None:
    if example.request is None:
        return

    intent = matcher.analyse(example.request).intent

    assert intent is not None
    assert intent.type == template.intent_type
    assert checked_params(template, intent.params, is_strict=False) == checked_params(
        template, example.params, is_strict=True
    )


def test_one_template_spans_three_servers() -> None:
    servers = {template.id: {step.server_id for step in template.steps} for template in TEMPLATES}

    assert servers["template_project_briefing"] == {"files", "git", "time"}
