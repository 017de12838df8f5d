"""What every request holds that a sentence template matches: words, as a prefilter wants them."""

import re
from collections.abc import Sequence as Row
from typing import Any

from podium.intents.grammar import GAP, Choice, Gap, Sequence, Word
from podium.intents.regexes import Clause
from podium.intents.sentences import BoundSlot
from podium.intents.slots import ListSlot

MAX_FORMS = 64  # spellings of one word, its optional letters multiplied out; more say too little
MAX_LISTED = 64  # values of a list whose words are filed; more fill the index for little

_WORD = re.compile(r"\w+")
_FRESH = [""]


def needs_of(tree: Sequence) -> tuple[Clause, ...]:
    """Return sets of words: a request that matches has at least one word of each."""
    return tuple(dict.fromkeys(_needs(tree.items)))


def _needs(items: Row[Any]) -> list[Clause]:
    """Walk the parts; `forms` are the spellings of the word so far, None where they are not known.

    Only words with a border on either side count, as only those are words of the request too.
    """
    found: list[Clause] = []
    forms: list[str] | None = _FRESH
    for index, item in enumerate(items):
        is_before_border = index + 1 == len(items) or _begins_apart(items[index + 1])
        match item:
            case Gap():
                found += _clause(forms)
                forms = _FRESH
            case Word(text):
                forms = _spelt(forms, [text])
            case BoundSlot(kind=ListSlot(query=None) as kind):
                if forms == _FRESH and is_before_border and len(kind.forms.values) <= MAX_LISTED:
                    found += _clause(list(kind.forms.values))
                forms = None
            case Choice(options) if (spellings := _spellings(item)) is not None:
                del options
                forms = _spelt(forms, spellings)
            case Choice(options):
                clauses, forms = _of_choice(options, forms, is_before_border=is_before_border)
                found += clauses
            case _:
                forms = None
    return found + _clause(forms)


def _of_choice(
    options: Row[Sequence], forms: list[str] | None, *, is_before_border: bool
) -> tuple[list[Clause], list[str] | None]:
    """Return what a choice of more than spellings needs, and the spellings of what goes on."""
    found: list[Clause] = []
    is_optional = any(not option.items for option in options)
    begins_apart = all(not option.items or option.items[0] == GAP for option in options)
    ends_apart = all(not option.items or option.items[-1] == GAP for option in options)
    was_fresh = forms == _FRESH
    if begins_apart and (is_before_border or not is_optional):
        found += _clause(forms)
    if (
        not is_optional
        and (was_fresh or begins_apart)
        and (is_before_border or ends_apart)
        and all(needs := [_needs(option.items) for option in options])
    ):
        found.append(frozenset[str]().union(*map(_best, needs)))
    goes_on_fresh = ends_apart and (was_fresh or not is_optional)
    return found, _FRESH if goes_on_fresh else None


def _begins_apart(item: Any) -> bool:
    if item == GAP:
        return True
    return isinstance(item, Choice) and all(
        bool(option.items) and option.items[0] == GAP for option in item.options
    )


def _spelt(forms: list[str] | None, endings: list[str]) -> list[str] | None:
    if forms is None or len(forms) * len(endings) > MAX_FORMS:
        return None
    return [form + ending for form in forms for ending in endings]


def _spellings(item: Any) -> list[str] | None:
    """Return the spellings of a part that is letters only, or None."""
    match item:
        case Word(text):
            return [text]
        case Sequence(items):
            forms: list[str] | None = _FRESH
            for each in items:
                endings = _spellings(each)
                forms = None if endings is None else _spelt(forms, endings)
                if forms is None:
                    return None
            return forms
        case Choice(options):
            found: list[str] = []
            for option in options:
                spellings = _spellings(option)
                if spellings is None or len(found) + len(spellings) > MAX_LISTED:
                    return None
                found += spellings
            return found
        case _:
            return None


def _clause(forms: list[str] | None) -> list[Clause]:
    """Return one clause: of each spelling its longest word; none where one has no word."""
    if not forms:
        return []
    words = [max(_WORD.findall(form), key=len, default="") for form in forms]
    return [frozenset(words)] if all(words) else []


def _best(needs: Row[Clause]) -> Clause:
    """Return the clause that says most: few words, and long ones."""
    return min(needs, key=lambda clause: (len(clause), -min(map(len, clause)), sorted(clause)))
