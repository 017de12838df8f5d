"""A text to the reference that it is: "le deuxième", "this file", "celui d'avant", "them"."""

import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Literal

from podium.intents.context.kinds import NOUN_PATTERN, NOUNS, THING, Gender
from podium.text.folding import fold, fold_text

Form = Literal["pronoun", "noun", "same", "ordinal", "slice", "all", "previous", "next", "other"]

MAX_REFERENCE_CHARACTERS = 80  # no reference is longer


@dataclass(frozen=True, slots=True)
class Reference:
    """What is pointed at, and how.

    `kind` is that of the noun, if one is said. `position` counts from 1, from the end if negative;
    of a slice it is how many of the first (or, negative, last) are meant. `is_weak` says that the
    words may mean something else ("2", "the file"): they count only where something fits.
    """

    form: Form
    words: str
    kind: str | None = None
    position: int = 0
    gender: Gender | None = None
    is_plural: bool = False
    is_weak: bool = False


_ORDINALS: dict[str, int] = {
    "premier": 1, "premiere": 1, "second": 2, "seconde": 2, "deuxieme": 2, "troisieme": 3,
    "quatrieme": 4, "cinquieme": 5, "sixieme": 6, "septieme": 7, "huitieme": 8, "neuvieme": 9,
    "dixieme": 10, "onzieme": 11, "douzieme": 12, "treizieme": 13, "quatorzieme": 14,
    "quinzieme": 15, "seizieme": 16, "dix-septieme": 17, "dix-huitieme": 18, "dix-neuvieme": 19,
    "vingtieme": 20, "avant-dernier": -2, "avant-derniere": -2, "dernier": -1, "derniere": -1,
    "first": 1, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8,
    "ninth": 9, "tenth": 10, "eleventh": 11, "twelfth": 12, "thirteenth": 13, "fourteenth": 14,
    "fifteenth": 15, "sixteenth": 16, "seventeenth": 17, "eighteenth": 18, "nineteenth": 19,
    "twentieth": 20, "last": -1, "second to last": -2, "second-to-last": -2,
    "next to last": -2, "penultimate": -2,
}  # fmt: skip
_COUNTS = {
    "deux": 2, "trois": 3, "quatre": 4, "cinq": 5, "six": 6, "two": 2, "three": 3, "four": 4,
    "five": 5, "2": 2, "3": 3, "4": 4, "5": 5, "6": 6, "7": 7, "8": 8, "9": 9, "10": 10,
}  # fmt: skip
_PRONOUNS: dict[str, Reference] = {
    **{
        words: Reference("pronoun", words)
        for words in ("it", "this", "that", "this one", "that one", "ca", "cela", "ceci")
    },
    **dict.fromkeys(("celui-ci", "celui-la", "celui ci", "celui la"),
                    Reference("pronoun", "celui-ci", gender="m")),
    **dict.fromkeys(("celle-ci", "celle-la", "celle ci", "celle la"),
                    Reference("pronoun", "celle-ci", gender="f")),
    **dict.fromkeys(("them", "these", "those", "these ones", "those ones", "ceux-ci", "ceux-la",
                     "celles-ci", "celles-la"), Reference("pronoun", "them", is_plural=True)),
    **dict.fromkeys(("him", "her", "lui", "elle"), Reference("pronoun", "lui", kind="person")),
    **dict.fromkeys(("all of them", "all of those", "all of these", "them all", "tous ceux-la",
                     "toutes celles-la"), Reference("all", "tous", is_plural=True)),
}  # fmt: skip
_OF_VERBS: dict[str, Reference] = {  # pronouns that only count beside a verb
    "le": Reference("pronoun", "le", gender="m"),
    "la": Reference("pronoun", "la", gender="f"),
    "l'": Reference("pronoun", "l'"),
    "les": Reference("pronoun", "les", is_plural=True),
    "leur": Reference("pronoun", "leur", kind="person", is_plural=True),
    **{word: _PRONOUNS[word] for word in
       ("it", "this", "that", "them", "these", "those", "him", "her", "lui")},
}  # fmt: skip


def _either(words: dict[str, int]) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))


_ORDINAL = rf"{_either(_ORDINALS)}|\d{{1,3}}(?:ers?|eres?|emes?|iemes?|es?|nde?|st|rd|th)"
_ARTICLE = r"(?:le|la|l'|the)\s*"
_ONE = r"(?:ones?|d'entre eux|d'entre elles|of them|of the list|de la liste)"
_NOUN = rf"(?P<noun>{NOUN_PATTERN})"
_SINGULAR = "|".join(re.escape(word) for word, noun in NOUNS.items() if not noun.is_plural)
_COUNT = _either(_COUNTS)
_ENDS = "premiers|premieres|derniers|dernieres"
# Each needs a determiner or a noun, so that none is found in the middle of other words.
_SHAPES: tuple[tuple[Form, str], ...] = (
    ("ordinal", rf"{_ARTICLE}\b(?P<ordinal>{_ORDINAL})(?:\s+(?:{_NOUN}|{_ONE}))?"),
    ("ordinal", rf"{_ARTICLE}\b{_NOUN}\s+(?P<ordinal>{_ORDINAL})"),
    (
        "ordinal",
        rf"(?:{_ARTICLE}\b)?(?:{_NOUN}\s+)?(?:(?:numero|n°|number|no\.?)\s*|#)(?P<number>\d{{1,3}})",
    ),
    ("ordinal", r"(?:le|la)\s+(?P<number>\d{1,3})"),
    ("slice", rf"les\s+(?P<count>{_COUNT})\s+(?P<side>{_ENDS})(?:\s+(?:{_NOUN}|{_ONE}))?"),
    ("slice", rf"the\s+(?P<side>first|last)\s+(?P<count>{_COUNT})(?:\s+(?:{_NOUN}|{_ONE}))?"),
    ("same", rf"(?:le|la|les|the)\s+(?:memes?|same)\s+{_NOUN}"),
    ("noun", rf"(?:ce|cet|cette|ces|this|that|these|those)\s+{_NOUN}(?:[- ](?:ci|la))?"),
    ("previous", rf"{_ARTICLE}\b{_NOUN}\s+(?:precedente?|d'avant)"),
    ("previous", rf"{_ARTICLE}\bprecedente?(?:\s+{_NOUN})?"),
    ("previous", rf"(?:celui|celle)\s+d'avant|the\s+one\s+before|the\s+previous\s+(?:one|{_NOUN})"),
    ("next", rf"{_ARTICLE}\b{_NOUN}\s+(?:suivante?|d'apres)"),
    ("next", rf"{_ARTICLE}\bsuivante?(?:\s+{_NOUN})?"),
    ("next", rf"(?:celui|celle)\s+d'apres|the\s+one\s+after|the\s+next\s+(?:one|{_NOUN})"),
    ("other", rf"l'autre(?:\s+{_NOUN})?"),
    ("other", rf"the\s+other\s+(?:one|{_NOUN})"),
    ("all", rf"(?:tous|toutes|all)\s+(?:of\s+)?(?:ces|these|those)\s+{_NOUN}"),
)
_DEFINITE = rf"(?:le\s+|la\s+|l'|the\s+)(?P<noun>{_SINGULAR})"
_WEAK: tuple[tuple[Form, str], ...] = (
    ("ordinal", r"(?P<number>\d{1,3})"),
    ("ordinal", rf"(?P<ordinal>{_ORDINAL})(?:\s+(?:(?P<noun>{NOUN_PATTERN})|{_ONE}))?"),
    ("ordinal", rf"(?P<noun>{NOUN_PATTERN})\s+(?P<number>\d{{1,3}})"),
    ("noun", _DEFINITE),
)
_ENDINGS = string.whitespace + ",;:!?.…"
_POLITE = ("please", "s'il te plait", "s'il vous plait", "stp", "svp", "merci", "merci beaucoup",
           "merci d'avance", "thanks", "thank you")  # fmt: skip
MAX_POLITENESS = 4  # polite words one after the other
_POLITE_START = re.compile(r"^(?:(?:please|s'il (?:te|vous) plait|stp|svp)[\s,;:!.]+)+")


@cache
def _whole() -> tuple[tuple[Form, re.Pattern[str], bool], ...]:
    """Return what a whole text may be, and whether it is weak; compiled at the first need.

    The lists of words in these take a tenth of a second, which most commands can do without.
    """
    strong = ((form, re.compile(pattern), False) for form, pattern in _SHAPES)
    weak = ((form, re.compile(pattern), True) for form, pattern in _WEAK)
    return (*strong, *weak)


@cache
def _inside() -> tuple[tuple[Form, re.Pattern[str]], ...]:
    """Return what may stand inside a longer request, compiled at the first need."""
    anywhere = [(form, rf"(?:{pattern})(?![\w'-])") for form, pattern in _SHAPES]
    # "the file" means one that was mentioned only where nothing follows that says which; "the
    # files" are all that there are.
    shapes: list[tuple[Form, str]] = [*anywhere, ("noun", rf"{_DEFINITE}$")]
    return tuple((form, re.compile(rf"(?<![\w'-]){each}")) for form, each in shapes)


def bare(text: str) -> tuple[int, int]:
    """Return the span of a folded text without politeness and punctuation around it."""
    start = len(text) - len(text.lstrip())
    if (match := _POLITE_START.match(text, start)) is not None:
        start = match.end()
    end = len(text.rstrip(_ENDINGS))
    for _ in range(MAX_POLITENESS):
        said = next((words for words in _POLITE if text.endswith(words, start, end)), None)
        if said is None or not text[: end - len(said)].endswith(tuple(_ENDINGS)):
            break
        end = len(text[: end - len(said)].rstrip(_ENDINGS))
    return (start, end) if start < end else (0, len(text))


def read_reference(text: str) -> Reference | None:
    """Return the reference that a whole text is, or None."""
    text = text.strip()
    if len(text) > MAX_REFERENCE_CHARACTERS:
        return None
    folded = fold_text(text)
    folded = folded[slice(*bare(folded))]
    words = " ".join(folded.split())
    if words in _PRONOUNS:
        return _PRONOUNS[words]
    for form, pattern, is_weak in _whole():
        if (match := pattern.fullmatch(words)) is not None:
            return _reference(form, match, is_weak=is_weak)
    return None


def _reference(form: Form, match: re.Match[str], *, is_weak: bool = False) -> Reference | None:
    groups = {name: said for name, said in match.groupdict().items() if said}
    noun = NOUNS.get(groups.get("noun", ""))
    position = _position(groups)
    if form in ("ordinal", "slice") and position == 0:
        return None
    is_telling = noun is not None and noun.kind != THING
    return Reference(
        form,
        match.group(),
        kind=noun.kind if noun is not None and is_telling else None,
        position=position,
        is_plural=form in ("slice", "all") or bool(noun and noun.is_plural and form != "ordinal"),
        is_weak=is_weak,
    )


def _position(groups: dict[str, str]) -> int:
    if "count" in groups:
        count = _COUNTS[groups["count"]]
        return count if groups["side"].startswith(("prem", "first")) else -count
    if "number" in groups:
        return int(groups["number"])
    said = groups.get("ordinal", "")
    if said in _ORDINALS:
        return _ORDINALS[said]
    digits = re.match(r"\d+", said)
    return int(digits.group()) if digits else 0


# --- references inside a longer request

PLACE = "\ufffc"  # the object replacement character: nobody types it
MAX_SPOTS = 3


@dataclass(frozen=True, slots=True)
class Spot:
    """A reference inside a request, and the request with `PLACE` in its stead; one form or two."""

    reference: Reference
    forms: tuple[str, ...]


_MODAL = (
    r"(?:(?:peux|pourrais|veux|dois)-tu|(?:pouvez|pourriez|voulez)-vous|(?:tu|je) (?:peux|pourrais|"
    r"veux|voudrais|dois|vais)|vous (?:pouvez|pourriez)|j'aimerais|il faut|faut|merci de|pour)"
)
_ENCLITIC = re.compile(
    r"(?<![\w-])\w{2,}(?P<spot>-(?P<pronoun>les?|la|l'|leur|lui)(?P<to>-(?:moi|nous|lui|leur))?)"
    r"(?![\w'-])"
)
_PROCLITIC = re.compile(
    rf"(?<![\w'-]){_MODAL} (?:(?:me|nous) )?(?P<spot>(?P<pronoun>les?|la) |(?P<elided>l')\s?)"
    r"(?P<verb>\w+(?:er|ir|re))(?![\w-])"
)
_OBJECT = re.compile(
    r"(?:(?:please|(?:can|could|would|will) you|ok|now|then|and|i want(?: you)? to|"
    r"i'd like(?: you)? to|let's)[\s,]{1,20}){0,4}[a-z]+(?: (?:me|us|up|down|out|off|on))? "
    r"(?P<pronoun>it|them|this one|that one|this|that|these|those|him|her)(?![\w'-])"
)
_LATER_OBJECT = re.compile(r"(?<![\w'-])(?P<pronoun>it|them|this one|that one|him)(?![\w'-])")


class _Source:
    """A request, its folded text without a polite end, and the way back from there."""

    def __init__(self, text: str) -> None:
        self._folded = fold(text)
        self.folded = self._folded.text[: bare(self._folded.text)[1]]

    def replaced(self, start: int, end: int, said: str = PLACE) -> str:
        """Return the request with a span of the folded text replaced."""
        first, last = self._folded.span(start, end)
        _, written = self._folded.span(0, len(self.folded))  # polite words are no part of a value
        return f"{self._folded.source[:first]}{said}{self._folded.source[last:written]}"

    def said(self, start: int, end: int) -> str:
        """Return what was written there."""
        return self._folded.original(start, end)


def spots(text: str) -> list[Spot]:
    """Return the places of a request that may point at something, the clearest first."""
    source = _Source(text)
    return list(islice(_all_spots(source), MAX_SPOTS))


def _all_spots(source: _Source) -> Iterator[Spot]:
    yield from _phrases(source)
    for match in _ENCLITIC.finditer(source.folded):
        yield _enclitic(source, match)
    for match in _PROCLITIC.finditer(source.folded):
        start, end = match.start("spot"), match.end("verb")
        verb = source.said(*match.span("verb"))
        reference = _OF_VERBS[match["pronoun"] or match["elided"]]
        yield Spot(reference, (source.replaced(start, end, f"{verb} {PLACE}"),))
    yield from _objects(source)


def _phrases(source: _Source) -> Iterator[Spot]:
    taken: list[tuple[int, int]] = []
    for form, pattern in _inside():
        for match in pattern.finditer(source.folded):
            if any(match.start() < end and start < match.end() for start, end in taken):
                continue
            reference = _reference(form, match)
            if reference is not None:
                taken.append(match.span())
                yield Spot(reference, (source.replaced(*match.span()),))


def _enclitic(source: _Source, match: re.Match[str]) -> Spot:
    reference, span = _OF_VERBS[match["pronoun"]], match.span("spot")
    if reference.kind == "person":  # "envoie-lui a.md" is "envoie à Paul a.md", or the other way
        forms = source.replaced(*span, f" à {PLACE}"), f"{source.replaced(*span, '')} à {PLACE}"
        return Spot(reference, forms)
    plain = source.replaced(*span, f" {PLACE}")
    if not match["to"]:
        return Spot(reference, (plain,))
    to = source.said(*match.span("to"))
    return Spot(reference, (source.replaced(*span, f"{to} {PLACE}"), plain))


def _objects(source: _Source) -> Iterator[Spot]:
    start = len(source.folded) - len(source.folded.lstrip())
    first = _OBJECT.match(source.folded, start)
    spans = [first.span("pronoun")] if first else []
    spans += [match.span() for match in _LATER_OBJECT.finditer(source.folded)]
    for span in dict.fromkeys(spans):
        pronoun = source.folded[slice(*span)]
        reference = _OF_VERBS.get(pronoun) or _PRONOUNS[pronoun]
        yield Spot(reference, (source.replaced(*span),))
