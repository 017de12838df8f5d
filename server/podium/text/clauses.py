"""A request to its clauses: what it asks for one after the other, in either language."""

import re

from podium.text.folding import fold_text

CLAUSES = 12  # of one request; what follows is part of the last

_CLAUSE_ENDS = re.compile(
    r"(?<=[^\s.])[.!?;:]+(?=\s|$)|\n+|,?\s(?:and then|then|after that|finally|lastly|puis|ensuite"
    r"|apres (?:ca|cela)|enfin|pour finir)(?=[\s,])"
)


def clauses(text: str) -> list[str]:
    """Return the clauses of a text, without what parts them; none is blank."""
    # Split where the folded text says so; both have the same words in the same order.
    folded = fold_text(text) if len(fold_text(text)) == len(text) else text
    found: list[str] = []
    start = 0
    for end in _CLAUSE_ENDS.finditer(folded):
        if len(found) + 1 == CLAUSES:
            break
        found.append(text[start : end.start()])
        start = end.end()
    found.append(text[start:])
    return [clause for clause in found if clause.strip()]
