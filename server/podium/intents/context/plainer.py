"""A request to the same in plainer words: "en fait, relis-le" is "lis-le"."""

import re

from podium.text.folding import fold

MAX_PLAINER_CHARACTERS = 1_000  # a longer request is no afterthought
MAX_LEADS = 3  # "ok, non, en fait, ..."

# What opens a change of mind. A short word counts only where a sign divides it from the rest:
# "no, list the files" asks for the files, "no files" does not.
_LEAD = re.compile(
    r"(?:(?:actually|in fact|by the way|en fait|au fait|finalement|tout compte fait)\b[\s,;:!.…]*"
    r"|(?:no|non|ok|okay|d'accord|well|wait|oh|ah|euh|hmm+|uh|um|bon|alors|attends|sinon|and|et|"
    r"thanks|merci|super|great|perfect|parfait)\b\s*[,;:!.…]+)\s*(?=\w)"
)
# To do once more is to do: the conversation knows what it was done with.
_ONCE_MORE = {
    "relis": "lis", "relire": "lire", "relisez": "lisez", "rouvre": "ouvre", "rouvrir": "ouvrir",
    "rouvrez": "ouvrez", "remontre": "montre", "remontrer": "montrer", "reliste": "liste",
    "relister": "lister", "reaffiche": "affiche", "reafficher": "afficher", "reread": "read",
    "reopen": "open", "relist": "list",
}  # fmt: skip
_VERB = re.compile(rf"(?<![\w-])(?:{'|'.join(_ONCE_MORE)})(?!\w)")


def plainer(text: str) -> str:
    """Return a request without the words that only lead up to it; the text itself if none do."""
    if len(text) > MAX_PLAINER_CHARACTERS:
        return text
    folded = fold(text)
    start = len(folded.text) - len(folded.text.lstrip())
    for _ in range(MAX_LEADS):
        if (match := _LEAD.match(folded.text, start)) is None:
            break
        start = match.end()
    said = folded.original(start, len(folded.text)) if start else text
    return _done_once_more(said)


def _done_once_more(text: str) -> str:
    folded = fold(text)
    if (match := _VERB.search(folded.text)) is None:
        return text
    before = folded.original(0, match.start()) if match.start() else ""
    end = match.end()
    after = folded.original(end, len(folded.text)) if end < len(folded.text) else ""
    return f"{before}{_ONCE_MORE[match.group()]}{after}"
