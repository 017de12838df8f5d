"""A text to the words that a search compares: split, folded, without stop words, stemmed lightly.

French and English share one pass: the aim is that `list_directories`, `listDirectory`, "Lister le
répertoire" and "listing" meet where they can, not that a stem is a word of either language.
"""

import re
from functools import lru_cache

from podium.text.folding import fold_text

KEPT_STEMS = 20_000  # of the words seen last, so that a catalogue and its requests are quick
SHORTEST_STEM = 3  # characters; cutting further would make different words meet

_CASE_CHANGES = re.compile(r"(?<=[a-zà-ÿ0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})")
_WORD = re.compile(r"[^\W_]+")
_FUNCTION_WORDS = """
    a an and any are as at be been but by can could do does for from had has have how i if in into
    is it its like may me more my no not of on or our out over please so some such than that the
    their them then there these they this those to too up us use used using via was we what when
    where which who will with would you your
    au aux avec ce ces cet cette comme d dans de des du elle elles en est et eux il ils j je l la le
    les leur leurs lui m ma mais mes moi mon n ne nos notre nous on ou par pas pour plus qu que quel
    quelle quelles quels qui s sa sans se ses si son sont sur t ta te tes toi ton tous tout toute
    toutes tu un une vers vos votre vous y
"""
STOP_WORDS = frozenset(_FUNCTION_WORDS.split())
# Longest first; each ending is cut or replaced once, a doubled letter and a silent `e` after that.
_ENDINGS = (
    ("issements", ""), ("issement", ""), ("ations", "at"), ("ements", ""), ("ation", "at"),
    ("ement", ""), ("ories", "ori"), ("ingly", ""), ("euses", "eur"), ("ments", ""), ("sses", "ss"),
    ("ysis", "yz"), ("yses", "yz"), ("ings", ""), ("ment", ""), ("eurs", "eur"), ("euse", "eur"),
    ("eaux", "eau"), ("ies", "i"), ("ing", ""), ("ers", ""), ("ees", ""), ("eux", "eu"),
    ("oux", "ou"), ("aux", "al"), ("ss", "ss"), ("ed", ""), ("ee", ""), ("er", ""), ("ez", ""),
    ("ir", ""), ("es", ""), ("y", "i"), ("s", ""),
)  # fmt: skip
_DOUBLING = frozenset({"ing", "ings", "ed", "er", "ers"})  # endings before which a letter doubles
_DOUBLED = frozenset("bdgmnprt")
_SPELLINGS = (("ys", "yz"), ("is", "iz"))  # analyse, organise


def tokens(text: str) -> list[str]:
    """Return the stems of a text's words in their order, stop words left out.

    camelCase, snake_case and kebab-case are split into their words.
    """
    return [stem(word) for word in words(text)]


def words(text: str) -> list[str]:
    """Return a text's words in their order, folded and split as above, stop words left out."""
    return [word for word in all_words(text) if word not in STOP_WORDS]


def all_words(text: str) -> list[str]:
    """Return a text's words in their order, folded and split as above."""
    return _WORD.findall(fold_text(_CASE_CHANGES.sub(" ", text)))


@lru_cache(maxsize=KEPT_STEMS)
def stem(word: str) -> str:
    """Return the light stem of one folded word."""
    for ending, replacement in _ENDINGS:
        kept = len(word) - len(ending)
        if kept >= SHORTEST_STEM and word.endswith(ending):
            word = _single(word[:kept], ending) + replacement
            break
    if len(word) > SHORTEST_STEM and word.endswith("e"):
        word = word[:-1]
    for ending, replacement in _SPELLINGS:
        if len(word) > len(ending) + SHORTEST_STEM and word.endswith(ending):
            return word.removesuffix(ending) + replacement
    return word


def _single(word: str, ending: str) -> str:
    """Return the rest before an ending without the letter that was doubled for it: `runn`."""
    is_doubled = ending in _DOUBLING and word[-1] in _DOUBLED and word[-1] == word[-2]
    return word[:-1] if is_doubled and len(word) > SHORTEST_STEM else word
