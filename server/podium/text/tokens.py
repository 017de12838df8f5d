"""A text to the words that a search compares: split, folded, without stop words, stemmed lightly.

French and English share one pass: the aim is that `list_directories`, `listDirectory`, "Lister le
répertoire" and "listing" meet where they can, not that a stem is a word of either language.
"""

import re

from podium.text.folding import fold_text

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
_STOP_WORDS = frozenset(_FUNCTION_WORDS.split())
# Longest first; each ending is cut or replaced once, and a silent final `e` after that.
_ENDINGS = (
    ("issements", ""), ("issement", ""), ("ations", "at"), ("ation", "at"), ("ements", ""),
    ("ement", ""), ("ories", "ori"), ("ingly", ""), ("euses", "eur"), ("ings", ""), ("ment", ""),
    ("eurs", "eur"), ("euse", "eur"), ("ies", "i"), ("ing", ""), ("ons", ""), ("ent", ""),
    ("ers", ""), ("ees", ""), ("ed", ""), ("ee", ""), ("er", ""), ("ez", ""), ("ir", ""),
    ("es", ""), ("y", "i"), ("s", ""), ("x", ""),
)  # fmt: skip


def tokens(text: str) -> list[str]:
    """Return the stems of a text's words in their order, stop words left out.

    camelCase, snake_case and kebab-case are split into their words.
    """
    words = _WORD.findall(fold_text(_CASE_CHANGES.sub(" ", text)))
    return [stem(word) for word in words if word not in _STOP_WORDS]


def stem(word: str) -> str:
    """Return the light stem of one folded word."""
    for ending, replacement in _ENDINGS:
        kept = len(word) - len(ending)
        if kept >= SHORTEST_STEM and word.endswith(ending):
            word = word[:kept] + replacement
            break
    if len(word) > SHORTEST_STEM and word.endswith("e"):
        return word[:-1]
    return word
