"""Requests that a pattern fits once what they point at is put in: "ouvre-le", "read this file"."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from podium.domain.conversation import Conversation
from podium.domain.intent import Analysis
from podium.intents.context.kinds import TEXT, THING, fits, kind_of_param
from podium.intents.context.moves import Analyse, Draft
from podium.intents.context.references import PLACE, Reference, Spot, spots
from podium.intents.context.referents import Target, find
from podium.intents.splitting import divisions, ways_to_divide
from podium.text.folding import fold, fold_text
from podium.text.language import guess_language

SURE = 0.5  # confidence from which a pattern's match of the whole request is left as it is
MAX_TRIES = 24  # rewritten requests that are analysed for one request
TRIED_REFERENTS = 4
MAX_WAYS = 3  # to divide a request, of which the parts are tried
MAX_REWRITTEN_CHARACTERS = 1_000  # a longer request is not about what was said before

# What stands for a reference while we look which pattern it may belong to, where the conversation
# has nothing that fits.
_SAMPLES: tuple[tuple[str, str], ...] = (
    ("file", "document.txt"),
    (THING, "element"),
    ("folder", "documents"),
    ("city", "Paris"),
    ("place", "Paris"),
    ("branch", "main"),
    ("person", "Paul"),
    ("message", "message"),
    ("url", "https://example.org/"),
)
_LEADS: dict[str, dict[str, str]] = {
    "fr": {"file": "le fichier", "folder": "le dossier", "note": "la note", "branch": "la branche",
           "repository": "le dépôt", "task": "la tâche", "list": "la liste",
           "event": "l'événement"},
    "en": {"file": "the file", "folder": "the folder", "note": "the note", "branch": "the branch",
           "repository": "the repository", "task": "the task", "list": "the list",
           "event": "the event"},
}  # fmt: skip


def is_sure(reading: Analysis, least: float = SURE) -> bool:
    """Return whether patterns fit a whole request in their own words."""
    if reading.intent is None or reading.intent.matched_by != "pattern":
        return False
    return bool(reading.plan) or bool(
        reading.candidates and reading.candidates[0].whole and reading.intent.confidence >= least
    )


def rewritten(request: str, conversation: Conversation, match: Analyse) -> Draft | None:
    """Return what a request means that a pattern fits once its reference is a value, if so."""
    if len(request) > MAX_REWRITTEN_CHARACTERS or PLACE in request:
        return None
    language = guess_language(request)
    tries = MAX_TRIES
    for spot in spots(request):
        for value, kind in _values_for(spot.reference, conversation):
            for text in _texts(spot, value, kind, language):
                if (tries := tries - 1) < 0:
                    return None
                draft = _read_with(text, value, spot.reference, match)
                if draft is not None:
                    return draft
    return None


def _values_for(reference: Reference, conversation: Conversation) -> Iterator[tuple[Any, str]]:
    target = Target("", reference.kind or THING)
    for referent in find(reference, target, conversation).referents[:TRIED_REFERENTS]:
        yield referent.value, referent.kind
    for kind, sample in _SAMPLES:
        if reference.kind in (None, kind):
            yield sample, kind
    if reference.kind is not None and reference.kind not in dict(_SAMPLES):
        yield "element", reference.kind


def _texts(spot: Spot, value: Any, kind: str, language: str) -> Iterator[str]:
    said = str(value)
    lead = _LEADS[language].get(kind)
    surfaces = [said, *([f"{lead} {said}"] if lead else []), f'"{said}"']
    for form in spot.forms:
        for surface in surfaces:
            yield form.replace(PLACE, surface)


def _read_with(text: str, value: Any, reference: Reference, match: Analyse) -> Draft | None:
    reading = match(text)
    if reading.plan or not is_sure(reading) or reading.intent is None:
        return None
    intent = reading.intent
    names = [name for name, taken in intent.params.items() if str(taken) == str(value)]
    if len(names) != 1 or text.count(str(value)) != 1:
        return None
    kind = kind_of_param(names[0], None, intent.type)
    if reference.kind is not None and kind != TEXT and not fits(reference.kind, kind):
        return None  # "the customer" is no file, whatever the pattern takes for one
    params = {name: taken for name, taken in intent.params.items() if name != names[0]}
    return Draft(
        replace(intent, params=params), text.replace(str(value), PLACE), {names[0]: reference}
    )


# --- requests for several things, of which a later one points at an earlier one


def divided(
    request: str, reading: Analysis, conversation: Conversation, match: Analyse
) -> tuple[Draft, ...] | None:
    """Return the parts of "list the files, then open the second": each fits, one by reference.

    Parts that all fit by their own words are `Analysis.plan`.
    """
    if reading.plan or len(request) > MAX_REWRITTEN_CHARACTERS:
        return None
    folded = fold(request)
    places = divisions(folded.text)
    if not places or (is_sure(reading) and not _is_swallowed(folded.text, places, reading)):
        return None
    for spans in islice(ways_to_divide(folded.text, places), MAX_WAYS):
        parts = [folded.original(*span).strip() for span in spans]
        drafts = [_part(part, conversation, match) for part in parts]
        if all(draft is not None for draft in drafts):
            return tuple(draft for draft in drafts if draft is not None)
    return None


def _is_swallowed(text: str, places: Sequence[tuple[int, int]], reading: Analysis) -> bool:
    """Return whether a param took the words that divide the request."""
    params = reading.intent.params if reading.intent else {}
    values = [fold_text(value) for value in params.values() if isinstance(value, str)]
    words = [text[slice(*place)] for place in places]
    return any(word in value for word in words for value in values)


def _part(part: str, conversation: Conversation, match: Analyse) -> Draft | None:
    reading = match(part)
    if is_sure(reading) and not reading.plan and reading.intent is not None:
        return Draft(reading.intent, part)
    return rewritten(part, conversation, match)
