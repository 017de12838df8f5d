"""A text to the repetition that it asks for: "encore", "the same but in Tokyo", "et pour docs ?".

And the last turn to the intent that is played again, with one param changed. Which one? That whose
value, put into the words of the last request, makes the same pattern fit again with only this
param changed; among several, the one after the same preposition, then the one whose value looks
alike; else it is asked.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from podium.domain.conversation import Turn
from podium.domain.intent import Analysis, Intent
from podium.intents.context.kinds import NOUN_PATTERN, NOUNS, NUMBER, TEXT, fits, kind_of_param
from podium.intents.context.references import Reference, bare, read_reference
from podium.text.folding import fold, fold_text

Analyse = Callable[[str], Analysis]

MAX_CHANGE_CHARACTERS = 120  # what is said anew; longer texts are requests of their own
MAX_REPETITION_CHARACTERS = 200
MAX_BARE_WORDS = 3  # of "et X ?", where no preposition says that it is a change
MAX_PARAMS = 12  # that are tried


@dataclass(frozen=True, slots=True)
class Repetition:
    """What is asked for again; `change` is what is new, in the words of the request, if anything.

    `is_bare`: no preposition stood before it. `kind` is that of the noun before it. `is_place`:
    nothing was said but a place in a list ("the third one").
    """

    change: str = ""
    preposition: str = ""
    kind: str | None = None
    is_bare: bool = False
    is_place: bool = False


_AGAIN = (
    r"(?:(?:refai[st]|refaites|recommence[rz]?|repete[rz]?|relance[rz]?|rejoue[rz]?|reessa[iy]e[rz]?)"
    r"(?:[- ](?:le|la|les|ca|cela|la meme chose|encore(?: une fois)?))?"
    r"|(?:fais|faites)(?:[- ](?:le|la|ca))? (?:encore(?: une fois)?|a nouveau|pareil|la meme chose)"
    r"|encore(?: une fois)?|une fois de plus|a nouveau|rebelote|on recommence|essaie encore"
    r"|(?:do|run|try|play|make|show)(?: (?:it|that|this))? (?:again|once more|one more time)"
    r"|(?:redo|repeat|rerun|retry)(?: (?:it|that|this))?"
    r"|do the same(?: thing)?(?: again)?|once again|(?:once|one) more(?: time)?|again)"
)
_ALIKE = (
    r"(?:(?:fais |faites )?(?:la )?meme chose|pareil|idem|de meme|"
    r"(?:the )?same(?: thing| again)?|likewise)"
)
_PREPOSITIONS = (
    r"(?:pour|avec|dans|en|a l'|a la|au|aux|a|sur|chez|vers|depuis|du|de la|de l'|des|de|d'|"
    r"for|with|using|in|inside|at|on|to|from|of|about)"
)
_IN = rf"(?:(?P<preposition>{_PREPOSITIONS})(?:(?<=')|\s+))"
_NEW = r"(?P<change>\S(?:.*\S)?)"
_BUT = r"(?:[\s,]+(?:mais|but|and|et))?[\s,]+"
_WITHOUT_CHANGE = re.compile(rf"(?:{_AGAIN}|{_ALIKE})(?: (?:{_AGAIN}))?")
_WITH_CHANGE = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?:(?:et|and|ok|puis|then|now|maintenant)[\s,]+)?(?:{_AGAIN}|{_ALIKE}){_BUT}{_IN}{_NEW}",
        rf"(?:et|and|puis|then|now|maintenant|mais|but|non|no)[\s,]+(?:plutot\s+)?{_IN}{_NEW}",
        rf"(?:et|and|mais|but)\s+(?:si|if)\s+(?:c'etait|it was|it were)\s+(?:{_IN})?{_NEW}",
        rf"(?:qu'en est-il|what about|how about|quid)\s+(?:{_IN})?{_NEW}",
        rf"(?:plutot|rather)\s+(?:{_IN})?{_NEW}",
        rf"(?:{_IN})?{_NEW}\s+(?:plutot|instead)",
    )
)
_PLACES = frozenset({"ordinal", "previous", "next", "other"})
_BARE = re.compile(rf"(?:et|and)\s+{_NEW}\s*\?")
_LEFT_OVER = re.compile(
    r"[\s,]+(?:aussi|egalement|too|as well|also|plutot|instead|cette fois|this time)$"
)
_NOUN_BEFORE = re.compile(
    rf"(?:(?:le|la|les|l'|the|mon|ma|my)\s*)?\b(?P<noun>{NOUN_PATTERN})\s+(?P<name>\S.*)"
)
_NO_NAME = re.compile(
    r"(?:le|la|les|un|une|des|du|the|an?|my|your|mon|ma|mes|ton|ta|tes|son|sa|ses|leur|leurs|notre|"
    r"votre|nos|vos|moi|toi|lui|elle|eux|elles|nous|vous|me|you|him|her|us|them|it|alors|apres|"
    r"ensuite|puis|quoi|comment|pourquoi|qui|quand|ou|combien|so|then|what|why|how|who|when|where|"
    r"oui|non|yes|no|si|maintenant|now|merci|thanks|bien|rien|nothing|tout|all|je|tu|il|on|i|he|"
    r"she|we|they|ca|cela|this|that|la-bas|ici|here|there|autre chose|else)(?![\w-]).*"
)


def read_repetition(text: str) -> Repetition | None:
    """Return what a text asks for again, or None if it asks for something of its own."""
    text = text.strip()
    if len(text) > MAX_REPETITION_CHARACTERS:
        return None
    folded = fold(text)
    first, last = bare(folded.text)
    said = folded.text[first:last]
    if _WITHOUT_CHANGE.fullmatch(" ".join(said.split())):
        return Repetition()
    whole = folded.text.strip()
    for pattern in (*_WITH_CHANGE, _BARE):
        is_bare = pattern is _BARE
        source, offset = (whole, folded.text.find(whole)) if is_bare else (said, first)
        if (match := pattern.fullmatch(source)) is None:
            continue
        start, end = match.span("change")
        named = match.groupdict().get("preposition")
        change = folded.text[start + offset : end + offset]
        end -= len(change) - len(_LEFT_OVER.sub("", change).rstrip(" ?!."))
        if start >= end or end - start > MAX_CHANGE_CHARACTERS:
            return None
        original = folded.original(start + offset, end + offset)
        return _repetition(original, named or "", is_bare=is_bare or named is None)
    return _place_alone(folded.original(first, last)) if said else None


def _place_alone(said: str) -> Repetition | None:
    reference = read_reference(said)
    if reference is None or reference.is_weak or reference.form not in _PLACES:
        return None
    return Repetition(said, is_bare=True, is_place=True)


def _repetition(change: str, preposition: str, *, is_bare: bool) -> Repetition | None:
    folded = fold(change)
    if read_reference(change) is not None:
        return Repetition(change, preposition, is_bare=is_bare)
    if (match := _NOUN_BEFORE.fullmatch(folded.text)) is not None:
        name = folded.original(*match.span("name"))
        return Repetition(_unquoted(name), preposition, NOUNS[match["noun"]].kind, is_bare)
    if _NO_NAME.fullmatch(folded.text) or (is_bare and len(change.split()) > MAX_BARE_WORDS):
        return None
    return Repetition(_unquoted(change), preposition, is_bare=is_bare)


def _unquoted(text: str) -> str:
    inner = text.strip()
    if len(inner) > 2 and (inner[0], inner[-1]) in (('"', '"'), ("“", "”"), ("«", "»"), ("'", "'")):
        return inner[1:-1].strip()
    return inner


# --- which param changes


@dataclass(frozen=True, slots=True)
class Change:
    """One way to play the last turn again; `text` is what one would have said for it.

    `reference`: the value is still to be found.
    """

    param: str
    intent: Intent
    text: str
    reference: Reference | None = None


def intent_of(turn: Turn, params: Mapping[str, Any] | None = None) -> Intent:
    """Return the intent of an earlier turn, to be played again."""
    return Intent(
        type=turn.intent_type or "",
        params=dict(turn.params if params is None else params),
        matched_by="context",
        language=turn.language,
        composition_id=turn.composition,
    )


def changes(
    repetition: Repetition, turn: Turn, schema: Mapping[str, Any], analyse: Analyse
) -> tuple[Change, ...]:
    """Return the ways in which the change may be meant, the likely ones only; none: it cannot."""
    reference = read_reference(repetition.change)
    if reference is not None and not reference.is_weak:
        return _to_reference(reference, turn, schema)
    found = _by_words(repetition, turn, schema, analyse) or _by_kind(repetition, turn, schema)
    if not found and reference is not None:
        return _to_reference(reference, turn, schema)
    if len(found) > 1:
        found = _narrowed(found, lambda c: _preposition_of(c.param, turn) == repetition.preposition)
    if len(found) > 1:
        found = _narrowed(
            found, lambda c: shape_of(turn.params[c.param]) == shape_of(repetition.change)
        )
    return tuple(found)


def _to_reference(
    reference: Reference, turn: Turn, schema: Mapping[str, Any]
) -> tuple[Change, ...]:
    return tuple(
        Change(name, intent_of(turn), turn.text, reference)
        for name in list(turn.params)[:MAX_PARAMS]
        if _kind(name, turn, schema) not in (TEXT, NUMBER)
        and (reference.kind is None or fits(reference.kind, _kind(name, turn, schema)))
    )


def _by_words(
    repetition: Repetition, turn: Turn, schema: Mapping[str, Any], analyse: Analyse
) -> list[Change]:
    found = []
    for name, value in list(turn.params.items())[:MAX_PARAMS]:
        place = _place_of(value, turn.text)
        if place is None or not _may_be(repetition, name, value, turn, schema):
            continue
        start, end = place
        text = f"{turn.text[:start]}{repetition.change}{turn.text[end:]}"
        intent = analyse(text).intent
        if intent is not None and _is_same_but(name, intent, turn):
            found.append(Change(name, intent_of(turn, intent.params), text))
    return found


def _is_same_but(name: str, intent: Intent, turn: Turn) -> bool:
    if intent.type != turn.intent_type or name not in intent.params:
        return False
    others = {key: value for key, value in intent.params.items() if key != name}
    # What came from elsewhere (an answer, the conversation) is not in the words: it stays.
    said = {key: value for key, value in turn.params.items() if key in others}
    return others == said and intent.params[name] != turn.params[name]


def _by_kind(repetition: Repetition, turn: Turn, schema: Mapping[str, Any]) -> list[Change]:
    """Return the changes of params that the last request's words do not hold."""
    return [
        Change(name, intent_of(turn, {**turn.params, name: repetition.change}), "")
        for name, value in list(turn.params.items())[:MAX_PARAMS]
        if isinstance(value, str | int | float)
        and not isinstance(value, bool)
        and _place_of(value, turn.text) is None
        and _may_be(repetition, name, value, turn, schema)
        and shape_of(value) == shape_of(repetition.change)
    ]


def _may_be(
    repetition: Repetition, name: str, value: Any, turn: Turn, schema: Mapping[str, Any]
) -> bool:
    kind = _kind(name, turn, schema)
    if repetition.kind is not None:
        return fits(repetition.kind, kind)
    if kind in _IN_FOLDERS and repetition.preposition in _ELSEWHERE:
        # "and to archive?" after "copy it to docs" is a folder, after "list docs" a town.
        return repetition.preposition == _preposition_of(name, turn)
    shape = shape_of(repetition.change)
    if kind in _SHAPES_OF_KINDS and shape not in _SHAPES_OF_KINDS[kind]:
        return False
    if kind == TEXT:
        return not repetition.is_bare and shape in ("word", "name", "words")
    return not repetition.is_bare or _is_alike(shape, shape_of(value))


_IN_FOLDERS = frozenset({"file", "folder", "path"})
_ELSEWHERE = frozenset(
    {"a", "a l'", "a la", "au", "aux", "en", "chez", "vers", "depuis", "at", "on", "to"}
)


def _is_alike(shape: str, other: str) -> bool:
    return shape == other or {shape, other} <= {"word", "name"}


_SHAPES_OF_KINDS: dict[str, frozenset[str]] = {
    "email": frozenset({"email"}),
    "url": frozenset({"url"}),
    NUMBER: frozenset({"number"}),
    "file": frozenset({"file", "path", "word", "name"}),
    "folder": frozenset({"path", "word", "name", "file", "words"}),
    "path": frozenset({"file", "path", "word", "name"}),
    "city": frozenset({"word", "name", "words", "path"}),  # Europe/Paris
    "person": frozenset({"word", "name", "words", "email"}),
}
_SHAPES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("email", re.compile(r"[^\s@]+@[^\s@]+\.\w+")),
    ("url", re.compile(r"https?://\S+")),
    ("number", re.compile(r"[-+]?\d+(?:[.,]\d+)?")),
    ("file", re.compile(r"[^\n]*[^\s/\\]\.[A-Za-z]\w{0,7}")),
    ("path", re.compile(r"\S*[/\\]\S*")),
    ("name", re.compile(r"[A-ZÀ-Þ][\w'’-]*(?:[ -][A-ZÀ-Þ][\w'’-]*)*")),
    ("word", re.compile(r"[\w'’-]+")),
)


def shape_of(value: Any) -> str:
    """Return what a value looks like: a file, a number, one word, several."""
    text = str(value)
    return next((name for name, pattern in _SHAPES if pattern.fullmatch(text)), "words")


def _kind(name: str, turn: Turn, schema: Mapping[str, Any]) -> str:
    properties = schema.get("properties")
    part = properties.get(name) if isinstance(properties, Mapping) else None
    return kind_of_param(name, part, turn.intent_type or "")


def _place_of(value: Any, text: str) -> tuple[int, int] | None:
    """Return where a value stands in a text as a word of its own, if it does so exactly once."""
    if not isinstance(value, str | int | float) or isinstance(value, bool) or not str(value):
        return None
    pattern = rf"(?<!\w){re.escape(str(value))}(?!\w)"
    places = [match.span() for match in re.finditer(pattern, text)]
    return places[0] if len(places) == 1 else None


def _preposition_of(name: str, turn: Turn) -> str:
    place = _place_of(turn.params[name], turn.text)
    if place is None:
        return ""
    before = fold_text(turn.text[: place[0]])
    match = re.search(rf"(?<!\w)({_PREPOSITIONS})\s*$", before)
    return match[1] if match else ""


def _narrowed(found: Sequence[Change], is_likely: Callable[[Change], bool]) -> list[Change]:
    return [change for change in found if is_likely(change)] or list(found)
