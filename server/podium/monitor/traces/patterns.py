"""The user's words to a proposed pattern: the values that became params are its slots."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import regex

from podium.monitor.traces.params import Param
from podium.monitor.traces.wording import Words
from podium.text.folding import fold, fold_text
from podium.text.language import guess_language
from podium.text.tokens import STOP_WORDS, all_words

MOST_REGEXES = 5  # ways to say it
LEAST_WORDS = 2  # of its own; a pattern of one word would take other requests
LEAST_TELLING = 1  # of these that say what it is about; "show me ..." alone would take anything
REQUEST_CHARACTERS = 500  # nobody says a longer one again
REGEX_SECONDS = 0.05
_SAID_OF_ANYTHING = """
    show give get tell find search look say see know want need like help do make now today here
    hey hello hi thanks thank just also again about some something anything thing things montre
    montrer affiche afficher donne donner dis dites dire trouve trouver cherche chercher regarde
    regarder vois voir veux voudrais veut peux peut pouvez pourrais pourriez fais fait faire va
    bonjour salut merci svp stp plait maintenant aussi encore ici ca quoi chose choses besoin
    aide aimerais
"""
_FILLERS = frozenset(_SAID_OF_ANYTHING.split())
_ENDS = " \t\n.?!…"
_ANY_END = r"[\s.?!…]*"  # else the last value would take the question mark


def proposed_pattern(
    composition: dict[str, Any], words: Sequence[Words], params: Sequence[Param]
) -> dict[str, Any] | None:
    """Return a pattern file's entry that yields each trace's params from its request.

    None where the words do not say all that is needed. It must still pass the checks of the whole
    pattern corpus before it is active.
    """
    required_names = set(composition["input_schema"].get("required", []))
    if any(param.name in required_names and not param.is_asked for param in params):
        return None
    asked = [param for param in params if param.is_asked]
    regexes: list[str] = []
    examples: list[dict[str, Any]] = []
    for trace, own in enumerate(words):
        values = {p.name: p.values[trace] for p in asked if trace in p.values}
        if not required_names <= values.keys():
            continue  # a list was empty, so nothing took the words for it
        made = _regex_of(own, values, asked)
        if made is None:
            return None
        if made not in regexes:
            regexes.append(made)
        example = {"text": own.request, "params": {n: str(v) for n, v in values.items()}}
        if example not in examples:
            examples.append(example)
    if not regexes:
        return None
    return {
        "name": composition["intent_type"],
        "language": guess_language(words[0].request),
        "regex": regexes[:MOST_REGEXES],
        "composition": composition["id"],
        "examples": examples[:MOST_REGEXES],
    }


def _regex_of(words: Words, values: dict[str, Any], params: Sequence[Param]) -> str | None:
    request = words.request.rstrip(_ENDS)
    if not request.strip() or len(request) > REQUEST_CHARACTERS:
        return None
    spans: list[tuple[int, int, str]] = []
    for name, value in values.items():
        span = None if isinstance(value, list) else words.exactly(value)
        if span is None:
            return None
        spans.append((span.start, min(span.end, len(request)), name))
    spans.sort()
    if any(one[1] > two[0] for one, two in pairwise(spans)):
        return None
    known = {param.name: param for param in params}
    text, done, literals = "^", len(request) - len(request.lstrip()), ""
    for start, end, name in spans:
        shape = _shape(known[name], is_last=end == len(request))
        text += _literal(request[done:start]) + f"(?P<{name}>{shape})"
        literals += f" {request[done:start]}"
        done = end
    text += f"{_literal(request[done:])}{_ANY_END}$"
    literals += f" {request[done:]}"
    if not _is_telling(literals) or _says_again(literals, values):
        return None
    return text if _yields(text, words.request.strip(), values) else None


def _is_telling(literals: str) -> bool:
    """Return whether words are enough to know a task by, whatever stands between them."""
    said = [word for word in all_words(literals) if any(map(str.isalpha, word))]
    telling = [word for word in said if len(word) > 1 and word not in STOP_WORDS | _FILLERS]
    return len(said) >= LEAST_WORDS and len(telling) >= LEAST_TELLING


def _says_again(literals: str, values: Mapping[str, Any]) -> bool:
    """Return whether a value is said a second time; it would stand in the pattern for ever."""
    said = f" {' '.join(all_words(literals))} "
    again = (" ".join(all_words(str(value))) for value in values.values())
    return any(len(value) > 1 and f" {value} " in said for value in again)


def _shape(param: Param, *, is_last: bool) -> str:
    """Return what a value looks like; one that ends the request leaves the signs behind it out."""
    texts = [str(value) for value in param.values.values()]
    if all(text.isdecimal() for text in texts):
        return r"\d+"
    has_blanks = any(char.isspace() for text in texts for char in text)
    piece = "." if has_blanks else r"\S"
    return piece + (r"*[^\s.?!…]" if is_last else "+?")


def _literal(text: str) -> str:
    words = [regex.escape(fold_text(part)) for part in text.split()]
    if not words:
        return r"\s+" if text else ""
    lead = r"\s+" if text[0].isspace() else ""
    tail = r"\s+" if text[-1].isspace() else ""
    return lead + r"\s+".join(words) + tail


def _yields(pattern: str, request: str, values: dict[str, Any]) -> bool:
    """Return whether the pattern finds the very values in its own request."""
    folded = fold(request)
    try:
        found = regex.fullmatch(pattern, folded.text, timeout=REGEX_SECONDS)
    except (TimeoutError, regex.error):
        return False
    if found is None:
        return False
    return all(
        folded.original(*found.span(name)).strip() == str(value) for name, value in values.items()
    )
