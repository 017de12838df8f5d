"""A request that no pattern matches to the intents it may mean, by the words they share.

What is known about an intent are the words of its examples, names and descriptions in both
languages, what its examples put into which param, and requests that it answered before. A guess
counts when it explains the request: each word is either one that the intent is asked for with, or
part of a param. A word that nothing explains, an action that the intent does not do, a value that
fits no param speak against it. A wrong composition is worse than none (`decide`).
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from podium.intents.placing import Places, place_values
from podium.intents.speech import Speech, Word, heard
from podium.text.actions import KEEPING, READING, VAGUE, actions
from podium.text.lexicon import Lexicon, shipped_lexicon
from podium.text.values import NOT_A_VALUE

MAX_CHARACTERS = 400  # of a request; a longer one is no short request for one thing
MAX_WORDS = 40
MAX_INTENTS = 10_000
MAX_EXAMPLES = 200  # of one intent
MAX_COMPARED = 50  # of them, those that say different things; as many of past requests beside them
MAX_WEIGHED = 6  # intents that are looked at closely, those that share most first
MAX_GUESSES = 3

SAID_OFTEN, SAID_ONCE, DESCRIBED = 1.0, 0.8, 0.4  # how much a word of an intent explains
LEAST_OBJECT = 0.6  # how much one word has to explain that is no verb
VERB_WEIGHT = 0.5  # of a word that says what to do; the action is compared by itself
VAGUE_WEIGHT = 0.15  # of a word such as "show"
UNKNOWN_WEIGHT = 1.0  # of a word that no intent knows, in the rarity of the rarest word
PLACED_KNOWN = (
    0.4  # how much a word is explained by a param's value that other intents are said with
)
MISSING = 0.75  # for each required param that the request does not give
MEANINGS = (1.0, 0.9, 0.75, 0.6)  # how much one of so many English words explains a French one
LIKENESS_WEIGHT = 0.4  # of the likest example in the confidence
TO_DO_UNSAID = 0.9  # a request without a verb: "my notes?"
MAIN_UNSAID = 0.6  # a request without the verb that most examples of the intent have
MAIN_SHARE = 0.6  # of an intent's examples that have a verb which is the main one
LEAST_EVIDENCE = 2  # signs (shared words, an action, params) that a guess needs to be certain
NEAR_COUNTEREXAMPLE = 0.85  # likeness to a text that must not be this intent


Reader = Callable[[str], Any]
"""Takes what was said; returns the value it stands for, or NOT_A_VALUE."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One way in which an intent is asked for, with the params it then has as far as known."""

    text: str
    language: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KnownIntent:
    """What is known about an intent.

    `texts` are its names and descriptions; `schema` is the input schema of the composition that
    answers it; `reads_only` says that playing it changes nothing. `readers` make the values of the
    params whose slots have a type.
    """

    type: str
    examples: tuple[Asked, ...] = ()
    counterexamples: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None
    reads_only: bool = False
    composition_id: str | None = None
    readers: Mapping[str, Reader] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Guess:
    """An intent that a request may mean, with the params that the request gives it.

    `confidence` is 0..1; `why` are the words that speak for it; `is_certain` says that every value
    of the request clearly is some param's, and that no param is missing.
    """

    type: str
    params: dict[str, Any]
    confidence: float
    why: tuple[str, ...]
    reads_only: bool = False
    is_certain: bool = True
    composition_id: str | None = None


Step = Literal["act", "confirm", "choose", "refuse"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do about some guesses: `guesses` are those that it is about, best first."""

    step: Step
    guesses: tuple[Guess, ...] = ()


ACT = 0.62  # confidence from which a guess that only reads is played
ASK = 0.48  # confidence from which a guess is worth a question
MARGIN = 0.12  # by which the best must lead to be taken alone


def decide(guesses: Sequence[Guess]) -> Decision:
    """Return whether to play the best guess, to ask about it, or to refuse; the first that holds.

    - refuse: the best guess is below `ASK`
    - choose: a second one is nearer than `MARGIN`
    - act: it is at least `ACT`, only reads, lacks no param, and no value is doubtful
    - confirm: anything else, so less sure, a value in doubt, or it changes something
    """
    if not guesses or guesses[0].confidence < ASK:
        return Decision("refuse")
    best = guesses[0]
    rivals = tuple(
        guess
        for guess in guesses
        if guess.confidence >= ASK and guess.confidence > best.confidence - MARGIN
    )
    if len(rivals) > 1:
        return Decision("choose", rivals)
    if best.confidence >= ACT and best.is_certain and best.reads_only:
        return Decision("act", (best,))
    return Decision("confirm", (best,))


class Heuristics:
    """What is known about the intents of a workspace, ready for any number of requests."""

    def __init__(self, known: Iterable[KnownIntent], lexicon: Lexicon | None = None) -> None:
        self._lexicon = lexicon or shipped_lexicon()
        self._intents: list[_Intent] = []
        self._by_type: dict[str, _Intent] = {}
        self._holders: dict[str, set[int]] = defaultdict(set)
        for each in known:
            self._add(each)

    def learn(self, past: Iterable[tuple[str, Asked]]) -> None:
        """Take note of requests that were answered: their intent types, and how they were put.

        A word that was new in one request counts once it comes up in a second one; what was guessed
        wrong a single time must not make the next wrong guess surer.
        """
        for type_, asked in past:
            intent = self._by_type.get(type_)
            is_short = len(asked.text) <= MAX_CHARACTERS
            if intent is not None and is_short:
                self._recall(intent, asked)

    def guess(self, text: str, language: str | None = None) -> tuple[Guess, ...]:
        """Return the intents that a request may mean, best first; none when nothing is near."""
        if len(text) > MAX_CHARACTERS:
            return ()
        speech = heard(text, self._lexicon, french=self._is_french(text, language))
        if not speech.words or len(speech.words) > MAX_WORDS:
            return ()
        weighed = (self._weighed(intent, speech) for intent in self._nearest(speech))
        guesses = [guess for guess in weighed if guess is not None]
        guesses.sort(key=lambda guess: (-guess.confidence, guess.type))
        return tuple(guesses[:MAX_GUESSES])

    def _is_french(self, text: str, language: str | None) -> bool:
        return language == "fr" or self._lexicon.speaks_french(text)

    # --- what is known

    def _add(self, known: KnownIntent) -> None:
        if known.type in self._by_type or len(self._intents) >= MAX_INTENTS:
            return
        intent = _Intent(known, len(self._intents))
        self._intents.append(intent)
        self._by_type[known.type] = intent
        for text in known.texts:
            for word in heard(text, self._lexicon, french=self._is_french(text, None)).words:
                for stem in word.stems:
                    intent.described.add(stem)
                    self._holders[stem].add(intent.place)
        for asked in known.examples[:MAX_EXAMPLES]:
            self._study(intent, asked)
        for text in known.counterexamples[:MAX_EXAMPLES]:
            speech = self._heard(Asked(text))
            intent.counterexamples.append(_content(speech.words))
            intent.refused.add(_said(speech))

    def _study(self, intent: "_Intent", asked: Asked) -> None:
        speech = self._heard(asked)
        placed = place_values(speech, asked.params)
        rest = [word for word in speech.words if not placed.holds(word)]
        intent.places.note(speech, placed)
        intent.note_actions(_actions_of(rest))
        intent.nouns.update(stem for word in rest if not word.action for stem in word.stems)
        content = _content(rest)
        intent.keep(content, MAX_COMPARED)
        for stem in _stems(content):
            self._holds(intent, stem)

    def _recall(self, intent: "_Intent", asked: Asked) -> None:
        speech = self._heard(asked)
        placed = place_values(speech, asked.params)
        content = _content(word for word in speech.words if not placed.holds(word))
        intent.keep(content, 2 * MAX_COMPARED)
        for stem in _stems(content):
            intent.heard[stem] += 1
            if intent.heard[stem] > 1:
                self._holds(intent, stem)

    def _holds(self, intent: "_Intent", stem: str) -> None:
        intent.said[stem] += 1
        self._holders[stem].add(intent.place)

    def _heard(self, asked: Asked) -> Speech:
        return heard(asked.text, self._lexicon, french=self._is_french(asked.text, asked.language))

    def _rarity(self, stem: str) -> float:
        holders = len(self._holders.get(stem, ()))
        return math.log(1 + len(self._intents) / max(1, holders)) + 0.5

    # --- a request against it

    def _nearest(self, speech: Speech) -> list["_Intent"]:
        shared: dict[int, float] = defaultdict(float)
        for word in speech.words:
            places: dict[int, float] = {}
            for stem in word.stems:
                rarity = self._rarity(stem) * (VERB_WEIGHT if word.action else 1.0)
                for place in self._holders.get(stem, ()):
                    strength = rarity * self._intents[place].strength(stem)
                    places[place] = max(places.get(place, 0.0), strength)
            for place, strength in places.items():
                shared[place] += strength
        best = sorted(shared, key=lambda place: (-shared[place], place))
        return [self._intents[place] for place in best[:MAX_WEIGHED]]

    def _weighed(self, intent: "_Intent", speech: Speech) -> Guess | None:
        """Return how sure one may be that a request means an intent; None if it cannot."""
        placed = intent.places.place(speech, intent.knows, intent.known.schema)
        rest = [word for word in speech.words if not placed.holds(word)]
        to_do = _actions_of(rest)
        content = _content(rest)
        likeness = max((self._likeness(content, each) for each in intent.examples), default=0.0)
        if not intent.does(to_do) or _said(speech) in intent.refused:
            return None
        if self._is_warned(intent, content, likeness):
            return None
        explained, total, why = 0.0, 0.0, []
        has_object = placed.has_shown and bool(to_do)
        for word in speech.words:
            if word.is_empty or (word.is_literal and placed.holds(word)):
                continue
            weight = self._weight(word)
            if placed.holds(word):
                if self._is_said(word):
                    total += weight
                    explained += weight * PLACED_KNOWN
                continue
            strength = intent.strength_of(word)
            total += weight
            explained += weight * strength
            if strength:
                why.append(word.text)
                is_object = not word.action or not intent.nouns.isdisjoint(word.stems)
                has_object = has_object or (strength >= LEAST_OBJECT and is_object)
        params = intent.read(placed.params)
        if not has_object or NOT_A_VALUE in params.values():
            return None
        evidence = len(set(why)) + bool(to_do) + len(placed.params)
        share = explained / total if total else 1.0
        confidence = share * (1 - LIKENESS_WEIGHT + LIKENESS_WEIGHT * likeness)
        missing = intent.missing(placed.params)
        confidence *= MISSING ** len(missing)
        if not to_do:
            confidence *= TO_DO_UNSAID
        if intent.main_actions - to_do:
            confidence *= MAIN_UNSAID
        is_certain = not placed.is_unsure and not missing and evidence >= LEAST_EVIDENCE
        return Guess(
            intent.known.type,
            params,
            round(confidence, 3),
            tuple(dict.fromkeys(why)),
            reads_only=intent.known.reads_only,
            is_certain=is_certain and not intent.leaves_a_value(rest, placed.params),
            composition_id=intent.known.composition_id,
        )

    def _is_warned(self, intent: "_Intent", content: "_Content", likeness: float) -> bool:
        """Return whether a request is like what must not be this intent, more than what must."""
        warned = max(
            (self._likeness(content, each) for each in intent.counterexamples), default=0.0
        )
        return warned >= NEAR_COUNTEREXAMPLE and warned > likeness

    def _weight(self, word: Word) -> float:
        known = [stem for stem in word.stems if stem in self._holders]
        rarity = max(map(self._rarity, known)) if known else UNKNOWN_WEIGHT * self._rarity("")
        if word.is_vague:
            return VAGUE_WEIGHT * rarity
        return (VERB_WEIGHT if word.action else 1.0) * rarity

    def _is_said(self, word: Word) -> bool:
        """Return whether some intent is asked for with this very word."""
        own = word.stems[:1]
        return any(
            self._intents[place].said.get(stem)
            for stem in own
            for place in self._holders.get(stem, ())
        )

    def _likeness(self, ours: "_Content", theirs: "_Content") -> float:
        """Return how alike two requests are in what they say, 0..1 (Dice, by rarity)."""
        if not ours or not theirs:
            return 0.0
        they_said = {stem for stems in theirs for stem in stems}
        we_said = {stem for stems in ours for stem in stems}
        ours_weight = {stems: self._rarest(stems) for stems in ours}
        theirs_weight = {stems: self._rarest(stems) for stems in theirs}
        shared = sum(w for stems, w in ours_weight.items() if not they_said.isdisjoint(stems))
        shared += sum(w for stems, w in theirs_weight.items() if not we_said.isdisjoint(stems))
        return shared / (sum(ours_weight.values()) + sum(theirs_weight.values()))

    def _rarest(self, stems: tuple[str, ...]) -> float:
        return max(map(self._rarity, stems))


_Content = tuple[tuple[str, ...], ...]
"""What a text says: the stems of each of its words that say something."""


def _content(words: Iterable[Word]) -> _Content:
    return tuple(
        dict.fromkeys(
            word.stems for word in words if word.stems and not (word.is_empty or word.is_vague)
        )
    )


def _said(speech: Speech) -> tuple[str, ...]:
    return tuple(word.text for word in speech.words)


def _stems(content: _Content) -> frozenset[str]:
    return frozenset(stem for stems in content for stem in stems)


def _actions_of(words: Iterable[Word]) -> frozenset[str]:
    return actions([word.text for word in words if not word.is_literal])


@dataclass(slots=True)
class _Intent:
    """One intent, as far as it has been studied."""

    known: KnownIntent
    place: int
    said: Counter[str] = field(default_factory=Counter)
    described: set[str] = field(default_factory=set)
    asked: int = 0  # examples that were studied
    actions: Counter[str] = field(default_factory=Counter)
    nouns: set[str] = field(default_factory=set)
    examples: list[_Content] = field(default_factory=list)
    counterexamples: list[_Content] = field(default_factory=list)
    refused: set[tuple[str, ...]] = field(default_factory=set)  # counterexamples, word by word
    places: Places = field(default_factory=Places)
    heard: Counter[str] = field(default_factory=Counter)

    def keep(self, content: _Content, most: int) -> None:
        """Keep what an example says to compare requests with, if it is new and there is room."""
        if content and len(self.examples) < most and content not in self.examples:
            self.examples.append(content)

    def strength(self, stem: str) -> float:
        """Return how much a stem speaks for this intent, 0..1."""
        times = self.said.get(stem, 0)
        if times:
            return SAID_OFTEN if times > 1 else SAID_ONCE
        return DESCRIBED if stem in self.described else 0.0

    def strength_of(self, word: Word) -> float:
        """Return how much a word speaks for this intent, by itself or by what it means."""
        if not word.stems:
            return 0.0
        own, *meanings = word.stems
        share = MEANINGS[min(len(meanings), len(MEANINGS) - 1)]
        meant = max(map(self.strength, meanings), default=0.0)
        return max(self.strength(own), share * meant)

    def knows(self, word: Word) -> bool:
        """Return whether a word is one that the intent is asked for with."""
        return any(map(self.strength, word.stems))

    def read(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the params as what their slots make of them; NOT_A_VALUE where that is nothing."""
        readers = self.known.readers
        return {
            name: readers[name](str(value)) if name in readers else value
            for name, value in params.items()
        }

    def leaves_a_value(self, rest: Iterable[Word], params: Mapping[str, Any]) -> bool:
        """Return whether a word that is in no param would be the value of one that is not given.

        "tomorrow's meetings" must not be taken for the meetings of whatever day is the default.
        """
        readers = [read for name, read in self.known.readers.items() if name not in params]
        words = [word.text for word in rest if not word.is_empty]
        return any(read(word) is not NOT_A_VALUE for read in readers for word in words)

    def missing(self, params: Mapping[str, Any]) -> list[str]:
        """Return the params that the composition needs and that are not given."""
        required = (self.known.schema or {}).get("required", ())
        return [name for name in required if name not in params]

    def does(self, to_do: frozenset[str]) -> bool:
        """Return whether the intent does all that is asked, as far as that can be told."""
        allowed = VAGUE | self.actions.keys()
        if not READING.isdisjoint(self.actions) or self.known.reads_only:
            allowed |= READING
        if not KEEPING.isdisjoint(self.actions):
            allowed |= KEEPING
        return to_do <= allowed

    def note_actions(self, to_do: frozenset[str]) -> None:
        """Take note of what one more example asks for."""
        self.asked += 1
        self.actions.update(to_do)

    @property
    def main_actions(self) -> frozenset[str]:
        """What most examples ask for; nothing where they use words for one another."""
        least = MAIN_SHARE * self.asked
        main = {each for each, times in self.actions.items() if times >= least}
        return frozenset(main - VAGUE - READING - KEEPING)
