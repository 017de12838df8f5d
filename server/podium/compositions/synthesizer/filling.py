"""Values that a request mentions to the arguments of a tool that they fill, each with a cost.

A cost is 0 for what is certain and 1 for what is hardly better than asking the person.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from podium.compositions.synthesizer.asked import Asked, Clause, Value, Word
from podium.compositions.synthesizer.known import KnownTool
from podium.compositions.synthesizer.mentions import Mention
from podium.compositions.synthesizer.names import GENERIC, canonical, listed, name_words
from podium.compositions.synthesizer.ports import Port
from podium.mapping.coercion import schema_faults
from podium.text.tokens import stem, tokens
from podium.text.values.days import plus_months

SURE = 0.35  # an optional argument is filled for this at most
LIKELY = 0.5  # what a required one takes before anything else is tried
LAST_RESORT = 1.75  # what it takes where nothing else is found
_BARE = 0.12  # more, for an optional argument: words that nothing but their type speaks for
_PREPOSITION, _NOUN_BEFORE, _NOUN_AFTER = 0.2, 0.25, 0.15  # what each sign takes off
_EXPLAINED = 0.5  # added to a phrase that says what the tool is about
_NAMES_TOOLS = 0.35  # added for each word of a phrase that names what some tool is about
_OF_ANOTHER = 0.6  # added for the id of something else
_CALLED_SO = 0.3  # added for a phrase that only says what the argument is called
_CHOICE = 0.08
_NAMED_PATH = 0.5  # of words beside what a folder is called: "the folder reports"
_FOLDERS = frozenset(name_words("folder_repository"))
REQUIRED = 0.05  # how much dearer a value may be for an argument that must be there
_OTHER_PATH = 0.4  # more, for a file in place of a folder
_NOT_ONE = 0.6  # more, for one thing where each of several is wanted

# Mention -> kind of port -> cost; what is not there does not fit.
_COSTS: Mapping[str, Mapping[str, float]] = {
    "quoted": {"content": 0.1, "title": 0.1, "query": 0.1, "person": 0.3, "free": 0.2, "path": 0.3,
               "city": 0.3, "id": 0.5, "phone": 0.5, "timezone": 0.5},
    "url": {"url": 0.05, "free": 0.6, "path": 0.7},
    "email": {"email": 0.05, "person": 0.15, "query": 0.5, "free": 0.5},
    "path": {"path": 0.05, "free": 0.5, "query": 0.6, "title": 0.5, "timezone": 0.1, "id": 0.7},
    "id": {"id": 0.05, "free": 0.3, "query": 0.4, "number": 0.4, "person": 0.5, "title": 0.4},
    "datetime": {"datetime": 0.05, "date": 0.1, "time": 0.1, "free": 0.9, "query": 0.9},
    "date": {"date": 0.05, "datetime": 0.15, "free": 0.9, "query": 0.9},
    "time": {"time": 0.05, "datetime": 0.25, "free": 0.9},
    "duration": {"duration": 0.05, "number": 0.4, "free": 0.9},
    "percentage": {"number": 0.2},
    "number": {"number": 0.45, "limit": 0.45, "id": 0.45, "duration": 0.6, "free": 0.9,
               "query": 0.9},
    "currency": {"currency": 0.05, "unit": 0.4},
    "language": {"language": 0.05, "query": 0.7},
    "name": {"city": 0.2, "person": 0.2, "query": 0.25, "title": 0.35, "free": 0.35, "content": 0.9,
             "path": 0.8, "timezone": 0.9},
    "phrase": {"query": 0.3, "title": 0.35, "content": 0.8, "free": 0.5, "city": 0.4,
               "person": 0.6, "path": 0.8, "timezone": 1.0},
    "text": {"content": 0.05, "title": 0.3, "free": 0.35, "query": 0.5},
    "deed": {"title": 0.1, "content": 0.15, "free": 0.2, "query": 0.6},
}  # fmt: skip
_ROLES: Mapping[str, str] = {
    "a to aux au vers onto into": """to recipient destination target end until arrival assignee
        channel list room project dest city location new""",
    "from de depuis since du": """from source origin start since departure sender author base old
        city owner repository path folder file""",
    "in dans en": """in city location country directory folder repository channel language
        room project currency calendar timezone target to list database year month""",
    "about sur on regarding concernant": """query topic subject about date repository channel
        keyword file""",
    "for pour": "query name customer attendee date recipient assignee for person title city until",
    "by par": "author artist sender by sort",
    "named called titled nomme nommee appele appelee intitule intitulee":
        "name title subject label file",
    "before avant until till jusqu": "end before until due deadline to max",
    "after apres": "start after since from min",
    "under below sous": "max below maximum",
    "over above": "min above minimum",
    "with avec": "attendee participant with guest invitee person",
    "as comme": "format status as name",
    "at chez": "time hour location at place start address city company",
    "containing contenant mentioning": "query text pattern",
    "between entre": "start from since min",
}  # fmt: skip
_ROLES_OF = {
    preposition: frozenset(canonical(stem(role)) for role in roles.split())
    for prepositions, roles in _ROLES.items()
    for preposition in prepositions.split()
}
_STARTS = frozenset(
    stem(w) for w in ["start", "from", "since", "begin", "after", "min", "departure"]
)
_ENDS = frozenset(
    stem(w) for w in ["end", "to", "until", "before", "max", "due", "finish", "stop", "arrival"]
)
_CHECKED = frozenset(
    {"pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength",
     "maxLength", "multipleOf"}
)  # fmt: skip
# Choices that people name otherwise.
_ALSO: Mapping[str, frozenset[str]] = {
    "high": listed("urgent urgente haute elevee elevé critical critique important"),
    "low": listed("faible basse minor mineure mineur"),
    "medium": listed("moyenne normal normale"),
    "open": listed("ouvert ouverts ouverte ouvertes pending"),
    "closed": listed("ferme fermes fermee fermees clos closes"),
    "done": listed("termine terminee terminees terminees faites finished completed"),
}
_UNITS = (("minut", 60), ("hour", 3_600), ("heur", 3_600), ("dat", 86_400),
          ("second", 1), ("millisecond", 0.001))  # fmt: skip
_NOT = listed("sans without not no non pas")


@dataclass(frozen=True, slots=True)
class Filling:
    """What an argument gets from the request: `taken` are the values, in parts, that it uses up.

    `words` are words of the request that it explains. `is_constant`: nobody would change it.
    """

    port: Port
    value: Any
    cost: float
    taken: frozenset[str] = frozenset()
    words: frozenset[int] = frozenset()
    said: str = ""
    is_constant: bool = False


@dataclass(frozen=True, slots=True)
class _Worded:
    """What of a value's words an argument takes, and what that costs at first.

    `is_named`: other words of it say which argument that is.
    """

    words: tuple[Word, ...]
    text: str
    base: float
    is_named: bool = False


@dataclass(frozen=True, slots=True)
class Filler:
    """Fills arguments from one request; `nouns` are what all tools are about, seldom values."""

    asked: Asked
    nouns: frozenset[str]
    _made: dict[tuple[Any, ...], Sequence[Filling]] = field(default_factory=dict)

    def fill(
        self,
        known: KnownTool,
        clause: Clause,
        used: Collection[str],
        *,
        most: float,
        chased: Port | None = None,
    ) -> list[Filling]:
        """Return what a clause gives a tool's arguments, each for at most a cost; the surest first.

        `used` are the values that were taken before. `chased` is the argument of another tool that
        this one is called for: what is said of it is said of this tool's arguments too.
        """
        wanted = self._ranked(known, clause, chased)
        chosen: dict[str, Filling] = {}
        taken: set[str] = set(used)
        told: set[int] = set()
        for filling in wanted:
            cost = filling.cost
            limit = most if filling.port.is_required else min(most, SURE)
            if filling.words and filling.words <= told:
                continue
            if cost <= limit and filling.port.name not in chosen and not filling.taken & taken:
                chosen[filling.port.name] = filling
                told |= filling.words if filling.port.choices or filling.is_constant else set()
                taken |= self._spent(clause, filling)
        self._add_ends(known, clause, chosen)
        return list(chosen.values())

    def also(
        self, known: KnownTool, clause: Clause, used: Collection[str], port: Port
    ) -> list[Filling]:
        """Return further values for an argument, as sure as those that it has."""
        kept: list[Filling] = []
        spent = set(used)
        for filling in self._ranked(known, clause, None):
            is_own = filling.port.name == port.name and filling.cost <= LIKELY
            if is_own and filling.taken and not filling.taken & spent:
                kept.append(filling)
                spent |= filling.taken
        return kept

    def named(self, port: Port, clause: Clause, used: Collection[str]) -> Filling | None:
        """Return the name that a clause says of what it is about, if it was not used before."""
        for value in clause.values:
            token = frozenset({f"{value.number}:"})
            if value.mention.kind in ("quoted", "name") and not token & set(used):
                words = frozenset(word.start for word in value.words)
                return Filling(port, value.mention.text, 0.2, token, words, value.mention.text)
        return None

    def spent(self, clause: Clause, filling: Filling) -> frozenset[str]:
        """Return every value that is used up with a filling: those that stand inside it too."""
        return frozenset(self._spent(clause, filling))

    def _spent(self, clause: Clause, filling: Filling) -> set[str]:
        own = {value.number: value for value in clause.values}
        spent = set(filling.taken)
        for token in filling.taken:
            number = int(token.partition(":")[0])
            if number not in own:
                continue
            mention = own[number].mention
            for value in clause.values:
                other = value.mention
                if (
                    other.start < mention.end
                    and mention.start < other.end
                    and value.number != number
                ):
                    spent |= {f"{value.number}:", f"{value.number}:date", f"{value.number}:time"}
        return spent

    # --- single fits

    def _ranked(self, known: KnownTool, clause: Clause, chased: Port | None) -> Sequence[Filling]:
        """Return everything that fits some argument, the surest first; made once."""
        numbers = tuple(value.number for value in clause.values)
        key = known.name, clause.start, clause.end, numbers, chased.name if chased else ""
        if key not in self._made:
            found = list(self._fits(known, clause, chased))
            found.sort(key=lambda each: (each[0] - REQUIRED * each[2].port.is_required, each[1]))
            self._made[key] = [filling for _, _, filling in found]
        return self._made[key]

    def _fits(
        self, known: KnownTool, clause: Clause, chased: Port | None
    ) -> Iterator[tuple[float, int, Filling]]:
        for order, port in enumerate(known.ports):
            if port.kind == "object":
                continue
            if port.kind == "boolean":
                if (flag := _flag(port, known, clause)) is not None:
                    yield flag.cost, order, flag
                continue
            if port.choices:
                if (chosen := _chosen(port, known, clause)) is not None:
                    yield chosen.cost, order, chosen
                continue
            for value in clause.values:
                for filling in self._of_value(value, port, known, clause, chased):
                    yield filling.cost, order + 100 * value.number, filling

    def _of_value(
        self, value: Value, port: Port, known: KnownTool, clause: Clause, chased: Port | None
    ) -> Iterator[Filling]:
        mention = value.mention
        base = _COSTS[mention.kind].get(port.kind)
        worded = None if base is None else self._worded(value, port, known, base)
        if worded is None:
            return
        if mention.kind == "date" and value.place.preposition in ("since", "depuis"):
            mention = replace(mention, value=_past(mention.value, self.asked.now))
        converted = self._converted(mention, worded.text, port, clause)
        if converted is None or not _is_valid(converted[0], port):
            return
        is_quoted_id = port.kind == "id" and mention.kind == "quoted"
        if is_quoted_id and not _LOOKS_LIKE_ID.search(worded.text):
            return
        result, part = converted
        yield Filling(
            port,
            [result] if port.is_list else result,
            self._cost(value, worded, port, clause, _signs(value, port, known, chased)),
            frozenset({f"{value.number}:{part}"}),
            frozenset(word.start for word in worded.words),
            worded.text,
        )

    def _worded(self, value: Value, port: Port, known: KnownTool, base: float) -> _Worded | None:
        """Return what of a value's words an argument takes; None where nothing is left."""
        if value.mention.kind != "phrase":
            return _Worded(value.words, value.mention.text, base)
        named = port.words | frozenset(name_words(port.name))
        words = _without(value.words, frozenset(known.nouns))
        bare = _without(words, named - GENERIC)
        if not words:
            return None
        if not bare:  # it is called what the argument is: "the living room" for a room
            base, bare = base + _CALLED_SO, words
        base += _EXPLAINED * _explained(bare, known)
        base += _NAMES_TOOLS * sum(bool(w.stems & self.nouns) for w in bare if not w.is_empty)
        is_named = bare != words
        if port.kind == "path" and _is_of_folder(value.words, words, port):
            base, is_named = min(base, _NAMED_PATH), True
        text = self.asked.folded.original(bare[0].start, bare[-1].end)
        return _Worded(bare, text, base, is_named)

    def _cost(
        self, value: Value, worded: _Worded, port: Port, clause: Clause, signs: float
    ) -> float:
        """Return what a value costs in an argument, by its kind and by what stands beside it."""
        kind, place = value.mention.kind, value.place
        base = worded.base
        if port.kind == "id" and self._is_of_another(value, port):
            base += _OF_ANOTHER
        if kind == "number" and port.kind == "id" and place.preposition in _SOMETIME:
            base += _OF_ANOTHER
        cost = max(0.02, base - (max(signs, _NOUN_BEFORE) if worded.is_named else signs))
        if kind in ("name", "phrase", "path") and _is_one_of(worded.text, port, clause):
            cost += _NOT_ONE
        if kind == "path" and _is_other_path(worded.text, port):
            cost += _OTHER_PATH
        if kind in ("name", "phrase") and place.preposition in _SOMEWHERE:
            cost += 0.4 * (port.kind in ("query", "title", "content") and cost >= base)
        is_bare = kind in ("name", "phrase", "quoted") and cost >= base
        return cost + _BARE * (is_bare and not port.is_required)

    def _is_of_another(self, value: Value, port: Port) -> bool:
        """Return whether the noun before an id says that it is that of something else."""
        before = value.place.before & self.nouns
        return bool(before) and not before & (port.words | frozenset(name_words(port.name)))

    def _converted(
        self, mention: Mention, text: str, port: Port, clause: Clause
    ) -> tuple[Any, str] | None:
        """Return a mention's value as a port takes it, and which part of it that is."""
        value: Any = mention.value if mention.value is not None else text
        match mention.kind:
            case "datetime":
                if port.kind == "date":
                    return value[:10], "date"
                return (value[11:16], "time") if port.kind == "time" else (value, "")
            case "date":
                return self._of_date(value, port), "date"
            case "time":
                if port.kind != "datetime":
                    return value, "time"
                return self._at(value, clause), "time"
            case "duration":
                return (_in_unit(value, port), "") if port.takes_numbers else (text, "")
            case "number" | "percentage":
                return _number(value, text, port)
            case "id":
                bare = text.lstrip("#") if text.lstrip("#").isdigit() else text
                if not port.takes_text:
                    return (int(bare), "") if bare.isdigit() else None
                return bare, ""
            case "language":
                return value if _wants_code(port) else text, ""
            case _:
                return (
                    (value if mention.kind != "phrase" else text, "") if port.takes_text else None
                )

    def _of_date(self, day: str, port: Port) -> str:
        if port.kind != "datetime":
            return day
        is_end = bool(frozenset(name_words(port.name)) & _ENDS)
        return f"{day}T{'23:59:59' if is_end else '00:00:00'}"

    def _at(self, clock: str, clause: Clause) -> str:
        """Return the moment of a time: on the day that the clause names, else the next."""
        day = next(
            (value.mention.value for value in clause.values if value.mention.kind == "date"), None
        )
        if day is None:
            moment = self.asked.now.strftime("%Y-%m-%dT%H:%M")
            today = self.asked.now.strftime("%Y-%m-%d")
            tomorrow = (self.asked.now + timedelta(days=1)).strftime("%Y-%m-%d")
            day = today if f"{today}T{clock}" > moment else tomorrow
        return f"{day}T{clock}:00"

    def _add_ends(self, known: KnownTool, clause: Clause, chosen: dict[str, Filling]) -> None:
        """Fill the end of a span whose start is known, by its length or by its day."""
        for port in known.ports:
            if port.name in chosen or port.kind not in ("datetime", "date"):
                continue
            if not frozenset(name_words(port.name)) & _ENDS:
                continue
            start = next(
                (
                    filling
                    for filling in chosen.values()
                    if filling.port.kind == port.kind
                    and frozenset(name_words(filling.port.name)) & _STARTS
                ),
                None,
            )
            if start is not None and (end := self._end(start, port, clause)) is not None:
                chosen[port.name] = end

    def _end(self, start: Filling, port: Port, clause: Clause) -> Filling | None:
        length = next((v for v in clause.values if v.mention.kind == "duration"), None)
        if length is not None and port.kind == "datetime":
            moment = datetime.fromisoformat(start.value) + timedelta(seconds=length.mention.value)
            token = frozenset({f"{length.number}:"})
            return Filling(port, moment.isoformat(), 0.15, token, said=length.mention.text)
        is_day = port.kind == "date" or start.value.endswith("T00:00:00")
        if is_day and ("read" in clause.verb or port.is_required or not clause.verb):
            value = self._of_date(start.value[:10], port)
            return Filling(port, value, 0.2, said=start.said)
        return None


# --- what speaks for a value


def plays_role(preposition: str, port: Port) -> bool:
    """Return whether a preposition says that what follows is that argument: "in" a folder."""
    names = frozenset(name_words(port.name))
    own = {canonical(stem(preposition))} if preposition else set()
    return bool((_ROLES_OF.get(preposition, frozenset()) | own) & names)


def _signs(value: Value, port: Port, known: KnownTool, chased: Port | None) -> float:
    """Return what the words beside a value take off its cost."""
    names = frozenset(name_words(port.name))
    place = value.place
    gain = 0.0
    if plays_role(place.preposition, port):
        gain += _PREPOSITION
        if port.kind == "path":
            gain += 0.2
    if chased is not None and _ROLES_OF.get(place.preposition, frozenset()) & frozenset(
        name_words(chased.name)
    ):
        gain += _PREPOSITION
    telling = names - GENERIC or names
    if port.kind == "id" or names == _NAME:
        telling |= port.words - GENERIC  # "customer Dupont" says whose name it is
    if place.before & telling:
        gain += _NOUN_BEFORE
    elif place.after & telling:
        gain += _NOUN_AFTER
    if value.mention.kind == "number" and port.kind == "limit":
        about = frozenset(known.nouns)
        gain += 0.35 if place.after & about or place.after & known.weights.keys() else 0.0
    if value.mention.kind in ("time", "datetime", "date") and names & _STARTS:
        gain += 0.02  # of two that fit, the first is the start
    return gain


def _without(words: Sequence[Word], about: frozenset[str]) -> tuple[Word, ...]:
    """Return a phrase without the words at its edges that only name what something is about."""
    first, last = 0, len(words)
    while first < last and (words[first].is_empty or words[first].stems & about):
        first += 1
    while last > first and (words[last - 1].is_empty or words[last - 1].stems & about):
        last -= 1
    return tuple(words[first:last])


def _explained(words: Iterable[Word], known: KnownTool) -> float:
    telling = [word for word in words if not word.is_empty]
    said = sum(
        max((known.weights.get(each, 0.0) for each in word.stems), default=0.0) for word in telling
    )
    return said / len(telling) if telling else 1.0


_SOMETIME = frozenset({"in", "en", "since", "depuis", "before", "avant", "after", "apres"})
_SOMEWHERE = frozenset({"in", "dans", "to", "from", "with", "avec", "chez"})
_LOOKS_LIKE_ID = re.compile(r"^\S*[\d_]\S*$")
_FILE_NAME = re.compile(r"[^/\\]\.[a-zA-Z]\w{0,7}$")


def _is_one_of(text: str, port: Port, clause: Clause) -> bool:
    """Return whether a value that is no file stands for one although several are asked for."""
    if port.kind not in ("path", "id", "title") or _FILE_NAME.search(text):
        return False
    return any(word.is_plural and word.stems & port.words - GENERIC for word in clause.words)


def _is_of_folder(said: Iterable[Word], kept: Collection[Word], port: Port) -> bool:
    """Return whether a folder is wanted, and words call what stands beside them one."""
    wanted = port.words & _FOLDERS
    return any(word.stems & wanted for word in said if word not in kept)


def _is_other_path(text: str, port: Port) -> bool:
    """Return whether a path looks like a file where a folder is wanted, or the other way round."""
    is_folder = text.endswith(("/", "\\"))
    if "fold" in port.words or "directori" in port.words:
        return _FILE_NAME.search(text) is not None
    return is_folder and "fil" in port.words


def _flag(port: Port, known: KnownTool, clause: Clause) -> Filling | None:
    """Return what the words say of a yes or no: true where all of its name is said."""
    own = frozenset(name_words(port.name)) - _FLAG_WORDS
    said = {each for word in clause.words for each in word.stems}
    if not own or not own <= said or own <= frozenset(known.nouns):
        return None
    places = [word for word in clause.words if word.stems & own]
    before = [word.text for word in clause.words if word.start < places[0].start][-2:]
    value = _NOT.isdisjoint(before)
    words = frozenset(word.start for word in places)
    return Filling(port, value, 0.15, frozenset(), words, places[0].text, is_constant=True)


_NAME = frozenset(name_words("name"))
_FLAG_WORDS = frozenset(
    stem(w) for w in ["only", "is", "has", "include", "with", "show", "all", "use"]
)


def _chosen(port: Port, known: KnownTool, clause: Clause) -> Filling | None:
    """Return the choice that the words name; what the tool is about is none, unless it must be."""
    if len(port.choices) == 1 and port.is_required:
        return Filling(port, port.choices[0], 0.05, is_constant=True)
    best: tuple[float, int, Filling] | None = None
    for order, choice in enumerate(port.choices):
        wanted = frozenset(canonical(each) for each in tokens(str(choice))) or {
            str(choice).casefold()
        }
        others = _ALSO.get(str(choice).casefold(), frozenset())
        hits = [
            word
            for word in clause.words
            if not word.is_verb and (word.stems & wanted or word.text in others)
        ]
        said = {each for word in hits for each in word.stems & wanted}
        if any(word.text in others for word in hits):
            said = set(wanted)
        codes = [
            value
            for value in clause.values
            if value.mention.kind in ("currency", "language")
            and str(choice).casefold() in (str(value.mention.value).casefold(),)
        ]
        if not codes and (not said or said < wanted):
            continue
        if not codes and said <= frozenset(known.nouns) and not port.is_required:
            continue
        signs = max([_signs(value, port, known, None) for value in codes], default=0.0)
        cost = _CHOICE - signs / 10
        filling = Filling(
            port,
            [choice] if port.is_list else choice,
            max(0.02, cost),
            frozenset(f"{value.number}:" for value in codes[:1]),
            frozenset(word.start for word in hits),
            hits[0].text if hits else str(choice),
        )
        rank = (filling.cost, -len(said) * 1_000 + order, filling)
        best = rank if best is None or rank[:2] < best[:2] else best
    return best[2] if best else None


# --- conversions


def _past(day: str, now: datetime) -> str:
    """Return a day that something has lasted since: the latest such one, not the next."""
    said, today = date.fromisoformat(day), now.date()
    if said <= today:
        return day
    if said - today <= timedelta(days=7):
        return (said - timedelta(days=7)).isoformat()  # a weekday
    earlier = plus_months(said, -12)
    return earlier.isoformat() if earlier else day


def _number(value: Any, text: str, port: Port) -> tuple[Any, str] | None:
    if port.takes_numbers and port.types:
        is_whole = isinstance(value, int) or float(value).is_integer()
        if "number" not in port.types and not is_whole:
            return None
        return int(value) if is_whole else value, ""
    return (text, "") if port.takes_text else None


def _in_unit(seconds: float, port: Port) -> float | int:
    unit = next((size for name, size in _UNITS if name in port.words), None)
    if unit is None:
        unit = next((size for name, size in _UNITS if name in port.cues), 60)
    amount = seconds / unit
    return int(amount) if float(amount).is_integer() else amount


_CODE = re.compile(r"code|iso|two.letter|\b(?:e\.g|such as|like|ex)\b.{0,12}\b(?:en|fr)\b")


def _wants_code(port: Port) -> bool:
    description = port.schema.get("description")
    return isinstance(description, str) and bool(_CODE.search(description.casefold()))


def _is_valid(value: Any, port: Port) -> bool:
    """Return whether a value fits what the schema says beyond its type."""
    if port.is_list or not _CHECKED & port.schema.keys():
        return True
    return not schema_faults(value, dict(port.schema))
