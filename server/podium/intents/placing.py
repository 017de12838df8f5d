"""The values of a request to the params they fill, as the intent's examples show it.

In "the files in the folder docs" the example says that `docs` is the path; so what stands after
"folder" or "in the" is a path in other requests too. A value goes into a param only if exactly one
param wants it; what fits none is left over, and whoever guesses has to know that.
"""

from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from podium.intents.speech import Speech, Word
from podium.text.folding import fold_text

MAX_PARAMS = 50  # of one intent
LONG_VALUE = 3  # words from which a value is a text of its own, to the end of the request
TWO_WORDS_ONCE = 1.5  # of the same two words before it in a single example
TWO_WORDS, SAME_KIND = 2.0, 1.5  # how much each sign says
MOST_AFTER = 1.5  # of the word after it: "the garden note", but "a new note" as well
LEAST_SIGNS, SURE_SIGNS = 1.0, 2.0
ARTICLE = 0.5  # what such a word beside a value tells, of what a preposition does
NOUN = 2.0  # what a word such as "folder" does
_ARTICLE_WORDS = "a an the of my our d de des du l la le les ma mes mon nos notre un une"
_ARTICLES = frozenset(_ARTICLE_WORDS.split())
_START = "^"
_TELLING = frozenset({"file", "url", "email", "time"})  # kinds of values that few intents take


@dataclass(frozen=True, slots=True)
class Placed:
    """Params of a request, the words that they took, and whether a value found no param."""

    params: dict[str, Any] = field(default_factory=dict)
    taken: frozenset[int] = frozenset()  # where the words that were taken begin
    spans: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # param -> words, last too
    is_unsure: bool = False  # a value found no param, or one by few signs only
    has_shown: bool = False  # whether a value showed by its form what it is, such as a file's name

    def holds(self, word: Word) -> bool:
        """Return whether a word is part of a param."""
        return word.start in self.taken


def place_values(speech: Speech, params: Mapping[str, Any]) -> Placed:
    """Return where an example says the values of its params."""
    spans: dict[str, tuple[int, int]] = {}
    for name, value in list(params.items())[:MAX_PARAMS]:
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            span = _span_of(str(value), speech)
            if span is not None:
                spans[name] = span
    taken = {place for first, last in spans.values() for place in range(first, last + 1)}
    starts = frozenset(speech.words[place].start for place in taken)
    return Placed(dict(params), starts, spans)


def _span_of(value: str, speech: Speech) -> tuple[int, int] | None:
    start = speech.folded.text.find(fold_text(value).strip())
    if start < 0 or not value.strip():
        return None
    end = start + len(fold_text(value).strip())
    inside = [
        place for place, word in enumerate(speech.words) if word.start < end and word.end > start
    ]
    return (inside[0], inside[-1]) if inside else None


@dataclass(slots=True)
class _Signs:
    """What surrounded one param's values in the examples, and what they were."""

    before_two: Counter[str] = field(default_factory=Counter)
    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    ends_text: Counter[bool] = field(default_factory=Counter)

    @property
    def is_text(self) -> bool:
        """Whether the values are texts of their own that go on to the end."""
        return self.ends_text[True] > self.ends_text[False]


@dataclass(slots=True)
class Places:
    """Where an intent's examples have the values of each param."""

    signs: dict[str, _Signs] = field(default_factory=dict)

    def note(self, speech: Speech, placed: Placed) -> None:
        """Learn from an example."""
        for name, (first, last) in placed.spans.items():
            signs = self.signs.setdefault(name, _Signs())
            signs.before[_before(speech, first)] += 1
            signs.before_two[_before_two(speech, first)] += 1
            signs.after[_after(speech, last)] += 1
            signs.kinds[_kind(speech.words[first], first == last)] += 1
            is_long = last - first + 1 >= LONG_VALUE and last + LONG_VALUE > len(speech.words)
            signs.ends_text[is_long] += 1

    def place(
        self,
        speech: Speech,
        knows: Callable[[Word], bool],
        schema: Mapping[str, Any] | None,
    ) -> Placed:
        """Return the params that a request gives, as far as exactly one param wants each value."""
        params: dict[str, Any] = {}
        spans: dict[str, tuple[int, int]] = {}
        end = len(speech.words)
        tail = self._tail(speech)
        if tail is not None:
            name, end = tail
            params[name] = speech.original(end, len(speech.words) - 1).strip(" .!?\"'«»")
            spans[name] = (end, len(speech.words) - 1)
        unplaced, is_unsure = [], False
        for first, last in _unknown_spans(speech.words[:end], knows):
            named, signs = self._wanted_by(speech, first, last, schema, taken=spans.keys())
            if not named:
                unplaced.append((first, last))
                continue
            is_plain = _kind(speech.words[first], first == last) == "plain"
            least = LEAST_SIGNS if _is_name(speech, first, last) else SURE_SIGNS
            is_unsure |= is_plain and (signs < least or _is_mixed(speech, first, last))
            params[named] = _value(speech, first, last)
            spans[named] = (first, last)
        lone = self._lone(speech, unplaced, schema, params)
        if lone is not None:
            params[lone] = _value(speech, *unplaced[0])
            spans[lone] = unplaced.pop()
        taken = {place for first, last in spans.values() for place in range(first, last + 1)}
        starts = frozenset(speech.words[place].start for place in taken)
        kinds = {_kind(speech.words[first], first == last) for first, last in spans.values()}
        has_value = any(speech.words[first].is_literal for first, _ in unplaced)
        is_unsure = is_unsure or lone is not None or has_value or bool(self.signs and unplaced)
        return Placed(params, starts, spans, is_unsure, not kinds.isdisjoint(_TELLING))

    def _lone(
        self,
        speech: Speech,
        unplaced: Sequence[tuple[int, int]],
        schema: Mapping[str, Any] | None,
        params: Mapping[str, Any],
    ) -> str | None:
        """Return the one required param that is not given, if the one value left may be it."""
        required: Sequence[str] = (schema or {}).get("required", ())
        missing = [name for name in required if name not in params]
        if len(unplaced) != 1 or len(missing) != 1 or missing[0] not in self.signs:
            return None
        first, last = unplaced[0]
        kind = _kind(speech.words[first], first == last)
        is_name = speech.original(first, last)[:1].isupper()
        can_be = kind in self.signs[missing[0]].kinds and (kind != "plain" or is_name)
        is_number = kind == "number"
        if (can_be or kind == "quoted") and _wants_number(missing[0], schema) == is_number:
            return missing[0]
        return None

    def _tail(self, speech: Speech) -> tuple[str, int] | None:
        """Return the param that is the rest of the request, and the word it begins with."""
        texts = [name for name, signs in self.signs.items() if signs.is_text]
        if len(texts) != 1:
            return None
        opening = self.signs[texts[0]].before
        for place in range(1, len(speech.words)):
            if opening[speech.words[place - 1].text] and speech.words[place - 1].is_empty:
                return texts[0], place
        return None

    def _wanted_by(
        self,
        speech: Speech,
        first: int,
        last: int,
        schema: Mapping[str, Any] | None,
        *,
        taken: Container[str],
    ) -> tuple[str, float]:
        """Return the one param that wants a value most, and how many signs say so; else ""."""
        scores = {
            name: self._fit(name, signs, speech, first, last, schema)
            for name, signs in self.signs.items()
            if name not in taken and not signs.is_text
        }
        best = sorted(scores.items(), key=lambda item: -item[1])[:2]
        if not best or best[0][1] < LEAST_SIGNS:
            return "", 0.0
        if len(best) > 1 and best[1][1] == best[0][1]:
            return "", 0.0
        return best[0]

    def _fit(
        self,
        name: str,
        signs: _Signs,
        speech: Speech,
        first: int,
        last: int,
        schema: Mapping[str, Any] | None,
    ) -> float:
        """Return how many signs speak for a value being this param; 0 if it cannot be."""
        word = speech.words[first]
        kind = _kind(word, first == last)
        if kind not in signs.kinds and kind not in ("quoted", "plain"):
            return 0.0
        if kind == "plain" and 2 * signs.kinds["plain"] < signs.kinds.total():
            return 0.0
        if _wants_number(name, schema) != (kind == "number"):
            return 0.0
        fit = 0.0
        if times := signs.before_two[_before_two(speech, first)]:
            fit += TWO_WORDS if times > 1 else TWO_WORDS_ONCE
        elif signs.before[_before(speech, first)]:
            fit += _telling(speech, first - 1)
        if signs.after[_after(speech, last)]:
            fit += min(MOST_AFTER, _telling(speech, last + 1))
        if kind in signs.kinds and kind not in ("plain", "quoted"):
            fit += SAME_KIND
        return fit


def _telling(speech: Speech, place: int) -> float:
    """Return how much a word beside a value tells about it; the ends of a text tell nothing."""
    if not 0 <= place < len(speech.words):
        return 0.0
    word = speech.words[place]
    if word.text in _ARTICLES:
        return ARTICLE
    return 1.0 if word.is_empty or word.action else NOUN


def _unknown_spans(
    words: Sequence[Word], knows: Callable[[Word], bool]
) -> Iterator[tuple[int, int]]:
    """Yield the runs of words that the intent is not asked for with, and each value by itself."""
    first = last = -1
    for place, word in enumerate(words):
        is_open = not word.is_literal and not word.is_empty and not word.action and not knows(word)
        if is_open:
            first = place if first < 0 else first
            last = place
            continue
        if word.text in _ARTICLES and first >= 0:
            continue  # "the deed of sale": part of the run if another such word follows
        if first >= 0:
            yield first, last
            first = -1
        if word.is_literal:
            yield place, place
    if first >= 0:
        yield first, last


def _value(speech: Speech, first: int, last: int) -> Any:
    literal = speech.words[first].literal
    if literal is None or first != last:
        return speech.original(first, last)
    if literal.kind == "number" and literal.text.isdigit():
        return int(literal.text)
    return literal.text


def _is_name(speech: Speech, first: int, last: int) -> bool:
    """Return whether a value is written as names are; what stands first always is."""
    return first > 0 and all(each[0].isupper() for each in speech.original(first, last).split())


def _is_mixed(speech: Speech, first: int, last: int) -> bool:
    """Return whether a value begins as a name does and goes on otherwise: "Lisbon equals"."""
    begins, *_, ends = speech.original(first, last).split() * 2
    return begins[0].isupper() and ends[0].islower()


def _wants_number(name: str, schema: Mapping[str, Any] | None) -> bool:
    properties = (schema or {}).get("properties")
    wanted = properties.get(name) if isinstance(properties, Mapping) else None
    return isinstance(wanted, Mapping) and wanted.get("type") in ("integer", "number")


def _kind(word: Word, is_one: bool) -> str:  # noqa: FBT001 - the word is the whole value
    return word.literal.kind if word.literal is not None and is_one else "plain"


def _before(speech: Speech, first: int) -> str:
    return speech.words[first - 1].text if first else _START


def _before_two(speech: Speech, first: int) -> str:
    return " ".join(word.text for word in speech.words[max(0, first - 2) : first]) or _START


def _after(speech: Speech, last: int) -> str:
    return speech.words[last + 1].text if last + 1 < len(speech.words) else _START
