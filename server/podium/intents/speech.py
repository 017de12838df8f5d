"""A text to what is said in it, word by word: stems in both languages, actions, values."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from podium.text.actions import VAGUE, action_of
from podium.text.folding import Folded, fold
from podium.text.lexicon import Lexicon
from podium.text.literals import LiteralValue, literals
from podium.text.tokens import STOP_WORDS, stem

MAX_WORDS = 2_000  # of one text; what follows is not heard

# Words that ask politely or point at everything: they say nothing about what is asked for.
_EMPTY = STOP_WORDS | frozenset(
    """
    do does did doing done all also already another any anything anybody both brief briefly complete
    completely current currently each else entire entirely every everything everyone existing few
    saying disant folks full fully got great had hello hey hi inside just kindly like little long
    lot many moment nice now ok okay only other own please quick quickly really right same several
    short small some something somewhere sort still such sure tell thank thanks thing things today
    together under very want whole within you need let could would there able going having help here
    away wish d ll re ve absolument actuellement aimerais assez bref breve brievement chacun chacune
    chaque chose choses complet completement courant dedans dernierement ensemble entier entiere
    entierement existant existants integralement integralite juste maintenant petit petite present
    presents presentes presente quelconque quelque quelques rapidement recemment rien tot totalite
    toutefois vite vraiment truc trucs voila faudrait aurais besoin envie merci bonjour salut stp
    svp about across along onto towards toward concerning regarding between down around during
    concernant propos sujet fait dit parmi chez vers plait te vous peux peut pourrais pourriez
    pouvez veux voudrais voudrait
    """.split()  # noqa: SIM905 - a list of two hundred words
)
_TOKEN = re.compile(r"[^\W_]+|:")
_CLAUSE_ENDS = frozenset(":;,.!?")


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text, or a value in it; `stems` are its own and what it means in English.

    `text` is folded. `is_action`: it stands where a verb does, or is nothing but one; `is_vague`:
    as an action it says little; `is_empty`: it says nothing about what is asked for.
    """

    text: str
    start: int
    end: int
    stems: tuple[str, ...] = ()
    literal: LiteralValue | None = None
    action: str = ""
    is_empty: bool = False

    @property
    def is_literal(self) -> bool:
        """Whether it is a value that shows what it is."""
        return self.literal is not None

    @property
    def is_vague(self) -> bool:
        """Whether it is a verb that says little, such as "show"."""
        return self.action in VAGUE


@dataclass(frozen=True, slots=True)
class Speech:
    """A text and the words in it, in order."""

    folded: Folded
    words: tuple[Word, ...]

    def original(self, first: int, last: int) -> str:
        """Return what was written from one word to another, both included."""
        return self.folded.original(self.words[first].start, self.words[last].end)


def heard(text: str, lexicon: Lexicon, *, french: bool) -> Speech:
    """Return what is said in a text."""
    folded = fold(text)
    values = literals(folded)
    found: list[LiteralValue | _Plain] = [*values, *_plain(folded.text, values)]
    pieces = sorted(found, key=lambda piece: piece.start)[:MAX_WORDS]
    said = [piece.text for piece in pieces]
    meanings = [()] * len(said) if not french else _meanings(said, pieces, lexicon)
    words: list[Word] = []
    for place, piece in enumerate(pieces):
        if isinstance(piece, LiteralValue):
            words.append(Word(piece.text, piece.start, piece.end, literal=piece))
            continue
        action = action_of(said, place)
        is_empty = (
            piece.text in _EMPTY or piece.text == ":" or (french and lexicon.fills(piece.text))
        )
        own = () if is_empty else (stem(piece.text),)
        stems = tuple(dict.fromkeys((*own, *meanings[place])))
        words.append(Word(piece.text, piece.start, piece.end, stems, None, action, not stems))
    return Speech(folded, tuple(words))


@dataclass(frozen=True, slots=True)
class _Plain:
    text: str
    start: int
    end: int


def _plain(text: str, values: tuple[LiteralValue, ...]) -> Iterator[_Plain]:
    taken = {place for value in values for place in range(value.start, value.end)}
    for found in _TOKEN.finditer(text):
        if found.start() not in taken:
            yield _Plain(found.group(), found.start(), found.end())


def _meanings(
    said: list[str], pieces: list[LiteralValue | _Plain], lexicon: Lexicon
) -> list[tuple[str, ...]]:
    """Return what each piece means in English; an expression's meaning is its first word's."""
    meanings: list[tuple[str, ...]] = [()] * len(said)
    for place, _, meaning in lexicon.phrases(said):
        if isinstance(pieces[place], _Plain):
            meanings[place] = meaning
    return meanings
