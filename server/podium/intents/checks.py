"""A pattern library tried on its own examples; used by `podium check` and by tests of data."""

import json
from collections.abc import Iterator
from typing import Any

from podium.domain.findings import Finding
from podium.domain.intent import Analysis
from podium.intents.files import PatternExample
from podium.intents.library import LoadedPattern, PatternLibrary
from podium.intents.matcher import Matcher


def check_patterns(library: PatternLibrary, matcher: Matcher) -> list[Finding]:
    """Return the library's warnings, and each example that fails.

    An example must yield its pattern's intent (and exactly its params, where it gives some); a
    counterexample must not. What could not be loaded is in `library.faults` already.
    """
    findings = list(library.warnings)
    for loaded in library.patterns:
        findings += _examples(loaded, matcher)
    return findings


def _examples(loaded: LoadedPattern, matcher: Matcher) -> Iterator[Finding]:
    for number, example in enumerate(loaded.pattern.all_examples()):
        problem = _example_problem(example, loaded.name, matcher.analyse(example.text))
        if problem:
            message = f"'{example.text}' {problem}"
            yield loaded.finding("error", message, "examples", number)
    for number, text in enumerate(loaded.pattern.counterexamples):
        analysis = matcher.analyse(text)
        if analysis.intent is not None and analysis.intent.type == loaded.name:
            message = f"'{text}' must not be {loaded.name}, but is: {_why(analysis)}"
            yield loaded.finding("error", message, "counterexamples", number)


def _example_problem(example: PatternExample, name: str, analysis: Analysis) -> str:
    if analysis.intent is None:
        late = f" ({', '.join(analysis.timed_out)} ran out of time)" if analysis.timed_out else ""
        return f"matches no pattern{late}"
    if analysis.intent.type != name:
        return f"is taken for {analysis.intent.type}: {_why(analysis)}"
    if example.params is not None and analysis.intent.params != example.params:
        return f"yields the params {_json(analysis.intent.params)}, not {_json(example.params)}"
    return ""


def _json(params: dict[str, Any]) -> str:
    return json.dumps(params, ensure_ascii=False)


def _why(analysis: Analysis) -> str:
    winner = analysis.candidates[0]
    return f"{winner.reason} ({winner.source})"
