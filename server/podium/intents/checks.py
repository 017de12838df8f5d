"""A pattern library tried on its own words; used by `podium check` and by tests of data."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from podium.domain.findings import Finding
from podium.domain.intent import Analysis
from podium.intents.backtracking import explosion
from podium.intents.files import PatternExample
from podium.intents.library import LoadedPattern, PatternLibrary
from podium.intents.matcher import Matcher
from podium.intents.params import Group
from podium.intents.samples import samples
from podium.text.folding import fold_text

MAX_PROBED = 500  # suspicious regexes tried for catastrophic backtracking; each may take a second
FEW_EXAMPLES = 3  # with fewer, what they leave out says little


def check_patterns(library: PatternLibrary, matcher: Matcher) -> list[Finding]:
    """Return the library's warnings, and everything that its patterns say in vain.

    An example must yield its pattern's intent (and exactly its params, where it gives some); a
    counterexample must not. A pattern that never wins, a group or slot that no example fills, and a
    regex that can be made to run for ever are told too. What could not be loaded is in
    `library.faults` already.
    """
    findings = list(library.warnings)
    twins = _twins(library.patterns)
    probes = MAX_PROBED
    for loaded in library.patterns:
        analyses = [
            (example, matcher.analyse(example.text)) for example in loaded.pattern.all_examples()
        ]
        findings += _examples(loaded, analyses, matcher)
        if (twin := twins.get(loaded.order)) is not None:
            findings.append(_never_wins(loaded, f"{twin.name} ({twin.source}) says the same"))
        else:
            findings += _unreachable(loaded, analyses, matcher)
        findings += _never_filled(loaded, [analysis for _, analysis in analyses])
        if probes > 0:
            probes -= len(loaded.regexes)
            findings += _explosions(loaded)
    return findings


def example_findings(library: PatternLibrary, matcher: Matcher) -> Iterator[Finding]:
    """Yield what goes wrong with the examples and counterexamples of all patterns."""
    for loaded in library.patterns:
        examples = loaded.pattern.all_examples()
        analyses = [(example, matcher.analyse(example.text)) for example in examples]
        yield from _examples(loaded, analyses, matcher)


def _examples(
    loaded: LoadedPattern, analyses: Sequence[tuple[PatternExample, Analysis]], matcher: Matcher
) -> Iterator[Finding]:
    for number, (example, analysis) in enumerate(analyses):
        problem = _example_problem(example, loaded.name, analysis)
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
        return (
            f"is refused: {analysis.refusal}" if analysis.refusal else f"matches no pattern{late}"
        )
    if analysis.plan:
        parts = ", ".join(intent.type for intent in analysis.plan)
        return f"is taken for several things: {parts}"
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


# --- patterns that never win


def _twins(patterns: Sequence[LoadedPattern]) -> dict[int, LoadedPattern]:
    """Return the patterns whose every word another pattern says that wins, by their order."""
    winners: dict[Any, LoadedPattern] = {}
    for loaded in sorted(patterns, key=lambda each: (-each.pattern.priority, each.order)):
        for said in _says(loaded):
            winners.setdefault(said, loaded)
    beaten: dict[int, LoadedPattern] = {}
    for loaded in patterns:
        others = [winners[said] for said in _says(loaded)]
        if all(other is not loaded and other.name != loaded.name for other in others):
            beaten[loaded.order] = others[0]
    return beaten


def _says(loaded: LoadedPattern) -> list[Any]:
    regexes = [("regex", fold_text(each.source)) for each in loaded.regexes]
    return [*regexes, *(("sentence", sentence.tree) for sentence in loaded.sentences)]


def _unreachable(
    loaded: LoadedPattern,
    analyses: Sequence[tuple[PatternExample, Analysis]],
    matcher: Matcher,
) -> Iterator[Finding]:
    """Tell of sentences that another intent wins, whatever is said."""
    if any(analysis.intent and analysis.intent.type == loaded.name for _, analysis in analyses):
        return
    lost: dict[str, str] = {}
    for sentence in loaded.sentences:
        for text in samples(sentence, loaded.language):
            analysis = matcher.analyse(text)
            if analysis.intent is None or analysis.intent.type == loaded.name:
                return
            winner = analysis.candidates[0]
            lost[text] = f"{analysis.intent.type} ({winner.source}) wins '{text}'"
    if lost:
        yield _never_wins(loaded, next(iter(lost.values())))


def _never_wins(loaded: LoadedPattern, why: str) -> Finding:
    return loaded.finding(
        "warning",
        f"{loaded.name} never wins: {why}",
        hint="make one of the two more exact, or give this one a higher priority",
    )


# --- groups and slots that nobody fills


def _never_filled(loaded: LoadedPattern, analyses: Sequence[Analysis]) -> Iterator[Finding]:
    """Tell of params that take a group or slot which takes part in none of several examples."""
    own = [each for each in analyses if each.intent and each.intent.type == loaded.name]
    if len(own) < FEW_EXAMPLES:
        return
    filled = {
        param
        for analysis in own
        for candidate in analysis.candidates
        if candidate.source == loaded.source
        for param in candidate.intent.params
    }
    if not filled and not any(c.source == loaded.source for a in own for c in a.candidates):
        return  # the examples are those of another pattern of the same intent
    for param, source in loaded.params.items():
        if isinstance(source, Group) and param not in filled:
            yield loaded.finding(
                "warning",
                f"${source.key} takes part in none of the examples, so that '{param}' is never set",
                "params",
                param,
                hint="refer to the group of the branch that matches, or add an example of this one",
            )


# --- regexes that can be made to run for ever


def _explosions(loaded: LoadedPattern) -> Iterator[Finding]:
    examples = [fold_text(example.text) for example in loaded.pattern.all_examples()][:2]
    for number, each in enumerate(loaded.regexes):
        if text := explosion(each, examples):
            keys = ("regex",) if isinstance(loaded.pattern.regex, str) else ("regex", number)
            yield loaded.finding(
                "warning",
                f"the regex can take for ever, as on {json.dumps(text, ensure_ascii=False)}",
                *keys,
                hint="two parts that repeat compete for the same text: make one of them exact, or "
                "end it with what cannot be in the other",
            )
