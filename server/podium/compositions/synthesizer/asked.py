"""A request to what it asks for: clauses, each with its verb, words and values."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import dropwhile, pairwise, takewhile
from typing import Literal

from podium.compositions.synthesizer.mentions import Mention, typed_mentions
from podium.compositions.synthesizer.names import canonical, listed
from podium.compositions.synthesizer.verbs import Classes, asks, hints_of, verb_at
from podium.text.actions import action_of
from podium.text.folding import Folded, fold
from podium.text.lexicon import Vocabulary, shipped_lexicon
from podium.text.tokens import STOP_WORDS, stem

MAX_CHARACTERS = 2_000  # of a request; a longer one is a document
MAX_CLAUSES = 8
MAX_VALUES = 24  # of one clause
MAX_PHRASE = 12  # words of a phrase that may be a value

Pick = tuple[str, Literal["up", "down", "first", "last"]]
"""Which element of a list is meant: what it is compared by ("" for its place), and which end."""

_WORD = re.compile(r"[^\W_]+(?:_[^\W_]+)*")
_BREAK = re.compile(r"[.!?;]+(?=\s|$)|\n+")
_THEN = re.compile(
    r",?\s+(?:et\s+(?:puis|ensuite|apres)|puis(?:\s+ensuite)?|ensuite|apres\s+(?:ca|cela|quoi)"
    r"|enfin|pour\s+finir|and\s+then|then|after\s+that|afterwards|finally|avant\s+de|avant\s+d'"
    r")[,\s]\s*"
)
_AND = re.compile(r"(?:,\s*|\s+)(?:et|and)\s+|,\s+")
_TELLING = re.compile(
    r"(?<!\w)(?:dis|dire|dites|tell|say|ask|demande|demander|previens|prevenir|avertis|informe"
    r"|remind|reponds|reply|ecris|write|note|noter|message|text|poste|post|annonce|preciser?"
    r"|indique|saying|disant|lui|leur|mail|email|slack)(?!\w)"
)
_TELLERS = listed("dis dire dites tell say ask demande demander")
_TOLD = re.compile(r"(?<!\w)(?:que\s+|qu'|that\s+|saying\s+(?:that\s+)?|disant\s+(?:que\s+|qu')?)")
_COLON = re.compile(r"\s?:\s+")
_DEED = re.compile(
    r"(?<!\w)(?:(?:rappelle|rappeler|rappelez|remind)(?:[\s-](?:moi|nous|me|us))?"
    r"|(?:(?:une|la|cette|a|the|new|nouvelle)\s+)?(?:tache|task|todo|rappel|reminder))"
    r"(?P<between>.{0,40}?)\s(?:de\s|d'|to\s|pour\s)"
)
_BOUNDS = (
    (
        re.compile(r"(?:moins de|less than|at most|au plus|max(?:imum)?|jusqu'a|no more than)\s*$"),
        "under",
    ),
    (re.compile(r"(?:plus de|more than|at least|au moins|min(?:imum)?)\s*$"), "over"),
)
PREPOSITIONS = listed("""
    a to in at on for from with by about into onto until till before after since between under over
    below above as named called titled of vers pour sur dans avec chez par depuis jusqu en entre
    avant apres sous contre concernant nomme nommee appele appelee intitule intitulee comme au aux
    regarding than within during pendant via through containing contenant mentioning
    """)
_JOINING = frozenset({"de", "du", "des", "of", "d", "van", "von", "the", "la", "le", "&"})
_PICKS: Sequence[tuple[Pick, str]] = (
    (("", "first"), "first premier premiere"),
    (("date", "down"), "latest newest dernier derniere recent recente last"),
    (("date", "up"), "oldest earliest ancien ancienne next prochain prochaine soonest"),
    (("price", "up"), "cheapest"),
    (("price", "down"), "priciest costliest"),
    (("size", "down"), "largest biggest heaviest highest"),
    (("size", "up"), "smallest lightest lowest"),
    (("rating", "down"), "best mieux meilleur meilleure top"),
    (("rating", "up"), "worst pire"),
    (("duration", "down"), "longest"),
    (("duration", "up"), "shortest fastest quickest"),
    (("distance", "up"), "nearest closest proche"),
    (("temperature", "down"), "warmest hottest"),
    (("temperature", "up"), "coldest"),
)
_MEASURED: Sequence[tuple[str, str]] = (  # after plus / moins, most / least
    ("price", "cher chere expensive costly"),
    ("size", "gros grosse grand grande large big lourd volumineux petit petite"),
    ("rating", "note notee populaire popular rated"),
    ("duration", "long longue court courte rapide"),
    ("distance", "proche pres loin"),
    ("date", "recent recente ancien ancienne"),
    ("temperature", "chaud chaude froid froide"),
)
_TURNED = listed("petit petite court courte rapide proche pres ancien ancienne froid froide")
_EACH = listed("each every all chaque chacun chacune tous toutes them leurs")
_REFERRING = frozenset(
    {
        "result",
        "results",
        "resultat",
        "resultats",
        "it",
        "them",
        "lui",
        "ca",
        "cela",
        "celui",
        "celle",
        "its",
    }
)
_OBJECT_PRONOUNS = frozenset({"le", "la", "les", "l"})
_HOW_MANY = re.compile(r"(?<!\w)(?:combien d|how many|number of|nombre de)")
_FILLERS = listed("""
    please plait stp svp merci thanks thank hello bonjour salut hi hey want need like would could
    can peux peut pouvez pourrais pourriez veux voudrais aimerais faut il ai besoin est
    sont a ete what
    which who where when how why quel quelle quels quelles combien quoi qui que est-ce ce
    just now maintenant aussi also then puis ensuite first premier premiere one ones there il-y
    moi me nous us let lets ok okay here voici tout tous toutes toute all every each chaque any
    dernier derniere derniers dernieres last latest next prochain prochaine new plus moins least
    most y en ne pas don bien fait fais faire make do does did get got give has have had des un une
    named called nomme nommee appele appelee intitule intitulee titled saying disant am va vais
    seul seule only prepare parle parlent parlant traite traitent concerne concernent contient
    contiennent mentionne mentionnent talk talks talking mention mentions contain contains result
    results resultat resultats detail details info infos seulement much many long still ever
    going current currently actuel actuelle
    """)


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a folded request: what it may mean, and whether it says nothing by itself."""

    start: int
    end: int
    text: str
    stems: frozenset[str]
    is_empty: bool
    is_plural: bool
    is_verb: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: the preposition and the noun before it, and the noun after it."""

    preposition: str = ""
    before: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Value:
    """A mention in a clause: `number` is its own in the request, `words` those it consists of."""

    number: int
    mention: Mention
    place: Place
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Clause:
    """One thing that is asked for.

    `content` are the words that say something and are no part of a typed value.
    """

    start: int
    end: int
    verb: Classes
    words: tuple[Word, ...]
    values: tuple[Value, ...]
    pick: Pick | None = None
    has_pronoun: bool = False
    wants_each: bool = False
    each_of: frozenset[str] = frozenset()
    wants_count: bool = False
    action: str = ""

    @property
    def content(self) -> tuple[Word, ...]:
        """The words that say what it is about."""
        taken = [value.mention for value in self.values if value.mention.kind != "phrase"]
        return tuple(
            word
            for word in self.words
            if not word.is_empty
            and not word.is_verb
            and not any(each.start <= word.start < each.end for each in taken)
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, read."""

    folded: Folded
    clauses: tuple[Clause, ...]
    now: datetime


@dataclass(frozen=True, slots=True)
class _Told:
    """What is wanted done: by which word, if that is one; `at` is the first that looks like it."""

    verb: Classes
    at: Word | None
    word: Word | None
    action: str


class Reader:
    """Reads requests in words that the tools know."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        servers: frozenset[str],
        deeds: frozenset[str],
        language: str,
    ) -> None:
        """Take what the tools say: their words, their servers, the verbs of those that act."""
        self._vocabulary = vocabulary
        self._deeds = deeds
        self._servers = servers
        self._language = language
        self._lexicon = shipped_lexicon()

    def read(self, request: str, now: datetime) -> Asked:
        """Return what a request asks for; no clause where it says nothing."""
        folded = fold(request[:MAX_CHARACTERS])
        mentions = typed_mentions(folded, self._language, now)
        mentions = _with_told(folded, mentions)
        words = self._words(folded)
        clauses = []
        numbered = 0
        for start, end in _clauses(folded.text, words, mentions)[:MAX_CLAUSES]:
            clause = self._clause(folded, words, mentions, (start, end), numbered)
            numbered += len(clause.values)
            if clause.words or clause.values:
                clauses.append(clause)
        return Asked(folded, tuple(clauses), now)

    # --- words

    def _words(self, folded: Folded) -> list[Word]:
        french = self._language == "fr" or self._lexicon.speaks_french(folded.source)
        found = list(_WORD.finditer(folded.text))
        said = [each.group() for each in found]
        meanings = self._meanings(said) if french else {}
        return [
            self._word(each, place, meanings.get(place, frozenset()), french=french)
            for place, each in enumerate(found)
        ]

    def _meanings(self, said: Sequence[str]) -> dict[int, frozenset[str]]:
        return {
            at: frozenset(canonical(each) for each in meaning)
            for place, length, meaning in self._lexicon.phrases(said)
            for at in range(place, place + length)
        }

    def _word(
        self,
        found: re.Match[str],
        place: int,
        meaning: frozenset[str],
        *,
        french: bool,
    ) -> Word:
        text = found.group()
        own = canonical(stem(text))
        if french and not meaning and own not in self._vocabulary:
            meaning = frozenset(map(canonical, self._vocabulary.cognates(text)))
        is_how = text == "comment" and french and place == 0
        is_empty = text in STOP_WORDS or text in _FILLERS or len(text) == 1 or is_how
        is_plural = text[-1:] in "sx" and len(text) > 3 and not is_empty
        start, end = found.span()
        return Word(start, end, text, meaning | {own}, is_empty=is_empty, is_plural=is_plural)

    # --- clauses

    def _clause(
        self,
        folded: Folded,
        words: Sequence[Word],
        mentions: Sequence[Mention],
        span: tuple[int, int],
        numbered: int,
    ) -> Clause:
        start, end = span
        inside = [word for word in words if start <= word.start and word.end <= end]
        typed = [each for each in mentions if start <= each.start < end]
        free = [word for word in inside if not _covered(word, typed)]
        said = [word.text for word in free]
        told = self._told(free, typed)
        inside = _without_picks([_as_verb(word) if word == told.word else word for word in inside])
        found = self._mentions(folded, inside, typed, span)
        values = tuple(
            Value(
                numbered + number,
                mention,
                _place(folded.text, mention, inside),
                tuple(w for w in inside if mention.start <= w.start and w.end <= mention.end),
            )
            for number, mention in enumerate(found)
        )
        text = folded.text[start:end]
        return Clause(
            start,
            end,
            told.verb,
            tuple(inside),
            values,
            _pick(said),
            _refers(folded.text, inside, told.at),
            bool(_EACH.intersection(said)) or re.search(r"\w-les(?!\w)", text) is not None,
            _each_of(inside),
            bool(_HOW_MANY.search(text)),
            told.action,
        )

    def _told(self, free: Sequence[Word], typed: Sequence[Mention]) -> _Told:
        """Return what the words of a clause that are no typed value want done."""
        said = [word.text for word in free]
        place = next((place for place in range(len(said)) if verb_at(said, place)), None)
        at = free[place] if place is not None else None
        word: Word | None = None
        verb: Classes = ()
        action = ""
        if place is not None and (place == 0 or not asks(said)):
            word, verb, action = at, verb_at(said, place), action_of(said, place)
        if any(each.kind == "text" for each in typed) and _TELLERS.intersection(said):
            verb = ("send", "create")
        if not verb and asks(said):
            verb = ("read",)
        opening = next((each for each in free if not each.is_empty), None)
        if not verb and opening is not None and opening.stems & self._deeds:
            at, word, verb = opening, opening, ("run",)
        return _Told(verb, at, word, action)

    def _mentions(
        self,
        folded: Folded,
        inside: Sequence[Word],
        typed: Sequence[Mention],
        span: tuple[int, int],
    ) -> list[Mention]:
        """Return everything in a clause that may be a value, the surest first."""
        names = self._names(folded, inside, typed)
        found = sorted([*typed, *names], key=lambda each: each.start)
        found += _deeds(folded, *span, typed)
        found += _phrases(folded, inside, found)
        return found[:MAX_VALUES]

    def _names(
        self, folded: Folded, words: Sequence[Word], typed: Sequence[Mention]
    ) -> Iterator[Mention]:
        """Yield the proper nouns: words with a capital that do not begin a sentence."""
        run: list[Word] = []
        for word in [*words, None]:
            if word is not None and run and self._goes_on(folded, run[-1], word, typed):
                run.append(word)
                continue
            while run and run[-1].text in _JOINING:
                run.pop()
            if run:
                start, end = run[0].start, run[-1].end
                yield Mention("name", start, end, folded.original(start, end), None)
            run = [word] if word is not None and self._is_name(folded, word, typed) else []

    def _goes_on(self, folded: Folded, last: Word, word: Word, typed: Sequence[Mention]) -> bool:
        if not _follows(folded.text, last, word):
            return False
        return word.text in _JOINING or self._is_name(folded, word, typed)

    def _is_name(self, folded: Folded, word: Word, typed: Sequence[Mention]) -> bool:
        if _covered(word, typed) or not folded.original(word.start, word.end)[:1].isupper():
            return False
        before = folded.text[: word.start].rstrip(" \"'(")
        if (not before or before[-1] in ".!?\n") and (
            word.is_empty or word.stems & self._servers or word.is_verb or word.start == 0
        ):
            return False
        return not (word.is_empty and len(word.text) < 2) and not word.stems & self._servers


def _as_verb(word: Word) -> Word:
    hints = frozenset(canonical(stem(each)) for each in hints_of(word.text))
    return replace(word, is_verb=True, stems=word.stems | hints)


def _covered(word: Word, mentions: Sequence[Mention]) -> bool:
    return any(each.start <= word.start < each.end for each in mentions)


def _follows(text: str, one: Word, other: Word) -> bool:
    return text[one.end : other.start] in (" ", "-", "'", " & ")


# --- parts of a request


def _with_told(folded: Folded, mentions: list[Mention]) -> list[Mention]:
    """Return the mentions, and in place of those inside it, what somebody is to be told."""
    text = folded.text
    verb = _TELLING.search(text)
    for pattern in (_COLON, _TOLD) if verb else (_COLON,):
        start = next(
            (
                found.end()
                for found in pattern.finditer(
                    text, verb.start() if verb and pattern is _TOLD else 0
                )
                if not any(each.start < found.end() <= each.end for each in mentions)
            ),
            None,
        )
        if start is None:
            continue
        after = _THEN.search(text, start)
        end = after.start() if after else len(text.rstrip(" .!?"))
        if end > start + 2 and not any(
            each.start == start and each.end >= end - 2 for each in mentions
        ):
            told = folded.original(start, end).strip(" \"'«»")
            outside = [each for each in mentions if each.end <= start]
            later = [each for each in mentions if each.start >= end]
            return [*outside, Mention("text", start, end, told, told), *later]
    return mentions


def _clauses(
    text: str, words: Sequence[Word], mentions: Sequence[Mention]
) -> list[tuple[int, int]]:
    """Return where the clauses of a folded request stand."""
    cuts: list[tuple[int, int]] = []
    for pattern in (_BREAK, _THEN, _AND):
        for found in pattern.finditer(text):
            inside = any(each.start < found.end() and found.start() < each.end for each in mentions)
            if not inside and (pattern is not _AND or _opens(found.end(), words, mentions)):
                cuts.append(found.span())
    edges = [0]
    ends = []
    for start, end in sorted(cuts):
        if start >= edges[-1]:
            ends.append(start)
            edges.append(end)
    ends.append(len(text))
    return [(s, e) for s, e in zip(edges, ends, strict=True) if text[s:e].strip(" ,.;:!?")]


OBJECTS = listed(
    """
    le la les l lui leur moi me m nous un une des mon ma mes son sa ses the a an it them its my his
    him her their to
    """
)


_BEFORE_VERB = listed("le la les l lui leur me m nous to it them aussi also please n y en se s")


def _opens(place: int, words: Sequence[Word], mentions: Sequence[Mention]) -> bool:
    """Return whether a clause with a verb of its own begins at a place."""
    following = [word for word in words if word.start >= place][:4]
    said = [word.text for word in following]
    for at in range(min(3, len(said))):
        if at and said[at - 1] not in _BEFORE_VERB:
            return False
        if verb_at(said[at:], 0):
            if at + 1 < len(said) and (said[at + 1] in OBJECTS or _is_sure(said[at])):
                return True
            beside = following[at].end + 1
            return any(each.start == beside for each in mentions) or _is_sure(said[at])
    return False


def _is_sure(word: str) -> bool:
    """Return whether a word is a verb wherever it stands, and never a noun."""
    return bool(verb_at(["the", "x", word], 2))


def _deeds(folded: Folded, start: int, end: int, typed: Sequence[Mention]) -> list[Mention]:
    """Return what is to be done later: "remind me to call Bob" is about "call Bob"."""
    found = _DEED.search(folded.text, start, end)
    if found is None:
        return []
    first, last = found.end(), end
    for each in typed:
        if (
            each.kind in ("date", "datetime", "time")
            and each.end >= last - 2
            and each.start > first
        ):
            last = each.start
        elif each.kind in ("date", "datetime", "time") and each.start <= first < each.end:
            first = each.end
    text = folded.original(first, last).strip(" .,!?")
    return [Mention("deed", first, first + len(text), text, text)] if len(text) > 2 else []


def _phrases(folded: Folded, words: Sequence[Word], mentions: Sequence[Mention]) -> list[Mention]:
    """Return the runs of words between prepositions and values; they may be values themselves.

    Of "orders of the shop in Lyon" both "orders of the shop" and its two halves are.
    """
    taken = {(each.start, each.end) for each in mentions}
    solid = [each for each in mentions if each.kind not in ("deed", "name")]
    found: list[Mention] = []
    for run in _runs(folded.text, words, solid):
        for part in (run, *_halves(run)):
            trimmed = _trimmed(part)
            if not trimmed or len(trimmed) > MAX_PHRASE:
                continue
            span = trimmed[0].start, trimmed[-1].end
            if span not in taken:
                taken.add(span)
                found.append(Mention("phrase", *span, folded.original(*span), None))
    return found


def _runs(text: str, words: Sequence[Word], solid: Sequence[Mention]) -> Iterator[list[Word]]:
    run: list[Word] = []
    for word in words:
        joins = word.text in _OF and bool(run)
        is_border = (word.text in PREPOSITIONS and not joins) or word.text in _AND_OR
        is_border = is_border or word.is_verb or _covered(word, solid)
        gap = text[run[-1].end : word.start].strip() if run else ""
        starts = word.text in _DETERMINERS and bool(run) and run[-1].text not in _OF
        if is_border or starts or gap not in ("", "-", "'"):
            yield run
            run = []
        if not is_border:
            run.append(word)
    yield run


def _halves(run: list[Word]) -> Iterator[list[Word]]:
    """Yield the parts of a run that "of" joins, where there are several."""
    joints = [place for place, word in enumerate(run) if word.text in _OF]
    edges = [-1, *joints, len(run)]
    if joints:
        for first, last in pairwise(edges):
            yield run[first + 1 : last]


_OF = frozenset({"de", "du", "of", "d", "des"})
_DETERMINERS = listed(
    "the a an my our his her their le la les un une mon ma mes nos notre ce cet cette ces"
)
_AND_OR = frozenset({"et", "and", "ou", "or"})


def _trimmed(run: list[Word]) -> list[Word]:
    """Return a run of words without those at its edges that say nothing."""
    first, last = 0, len(run)
    while first < last and run[first].is_empty:
        first += 1
    while last > first and run[last - 1].is_empty:
        last -= 1
    return run[first:last]


def _place(text: str, mention: Mention, words: Sequence[Word]) -> Place:
    """Return what stands beside a value."""
    before = [word for word in words if word.end <= mention.start][-4:]
    after = [word for word in words if word.start >= mention.end][:2]
    preposition, noun = "", frozenset[str]()
    opening = mention.text.split()[0].casefold() if mention.text.split() else ""
    if opening in PREPOSITIONS and mention.kind in ("date", "time", "datetime"):
        preposition = opening
    for pattern, stands_for in _BOUNDS:
        if pattern.search(text, max(0, mention.start - 20), mention.start):
            preposition = stands_for
    for word in reversed(before):
        if text[word.end : mention.start].strip(" '\"«(-:#") and word is before[-1]:
            break
        if word.text in PREPOSITIONS or word.text in ("de", "du", "d", "des", "of"):
            preposition = preposition or word.text
        elif not word.is_empty:
            noun = word.stems
            break
    following = next((word.stems for word in after if not word.is_empty), frozenset[str]())
    return Place(preposition, noun, following)


def _pick(said: Sequence[str]) -> Pick | None:
    """Return which one of several is meant, where the words say so."""
    for place, word in enumerate(said):
        if word in _MOST and place + 1 < len(said):
            for measure, names in _MEASURED:
                if said[place + 1] in names.split():
                    is_up = (word in ("moins", "least")) != (said[place + 1] in _TURNED)
                    return measure, "up" if is_up else "down"
        for pick, names in _PICKS:
            if word in names.split() and not (
                word in ("next", "last", "prochain", "prochaine", "dernier", "derniere")
                and place + 1 < len(said)
                and said[place + 1] in _TIMES
            ):
                return pick
    return None


def _without_picks(words: Sequence[Word]) -> list[Word]:
    """Return the words; those that only say which one of several is meant say nothing else."""
    compared = {name for _, names in _MEASURED for name in names.split()}
    picking = {name for _, names in _PICKS for name in names.split()}
    found = []
    for place, word in enumerate(words):
        before = words[place - 1].text if place else ""
        is_pick = word.text in picking or (before in _MOST and word.text in compared)
        found.append(replace(word, is_empty=True) if is_pick else word)
    return found


_MOST = frozenset({"plus", "moins", "most", "least", "mieux", "best"})
_TIMES = listed(
    """
    week month year semaine mois annee night monday tuesday wednesday thursday friday saturday
    sunday lundi mardi mercredi jeudi vendredi samedi dimanche
    """
)


def _each_of(words: Sequence[Word]) -> frozenset[str]:
    """Return what each is wanted of, where it is said: the order of "each order"."""
    for place, word in enumerate(words):
        if word.text in _EACH:
            following = dropwhile(lambda other: other.is_empty, words[place + 1 :])
            things = takewhile(lambda other: not other.is_empty, following)
            return frozenset(each for other in things for each in other.stems)
    return frozenset()


def _refers(text: str, words: Sequence[Word], verb: Word | None) -> bool:
    """Return whether a pronoun stands for something that was said before."""
    if verb is None:
        return False
    if any(word.text in _REFERRING for word in words):
        return True
    after = next((word for word in words if word.start > verb.start), None)
    if after is not None and after.text in _OBJECT_PRONOUNS and text[verb.end : after.start] == "-":
        return True
    before = [word for word in words if word.end <= verb.start][-1:]
    return bool(before) and before[0].text in _OBJECT_PRONOUNS
