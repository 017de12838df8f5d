"""A tool's JSON Schemas to typed ports: the arguments it takes, and the fields its results have.

Schemas are words of others: references may run in circles, properties be booleans, lists of choices
be endless. Whatever is odd is left out, and everything is bounded.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeGuard

from podium.compositions.synthesizer.names import GENERIC, meaning, name_words
from podium.text.tokens import stem

MAX_PORTS = 64  # arguments of one tool
MAX_FIELDS = 60  # of one result
MAX_CHOICES = 200  # of one argument
MAX_LEVELS = 4  # of a result
MAX_REFERENCES = 8  # that lead to one another
DESCRIPTION_CHARACTERS = 300  # of one argument that are looked at

Schema = Mapping[str, Any]
_NOTHING: Schema = {}

# What a port is about: the first line fits whose format, name or description is met.
# (kind, formats, words of the name, regex over the description)
_KINDS: tuple[tuple[str, str, str, str], ...] = (
    ("email", "email idn-email", "email mail", r"e-?mail address|adresse (?:e-?)?mail"),
    ("url", "uri url iri uri-reference", "url link href uri website webhook", r"^url\b"),
    ("timezone", "", "timezone tz zone", r"\biana\b|time ?zone"),
    ("datetime", "date-time", "datetime timestamp", (r"iso ?8601 date.?time|rfc ?3339|date-time"
     r"|yyyy-mm-ddt|iso ?8601(?! date\b)|date and time|date et heure")),
    ("date", "date", "date day due deadline birthday", r"yyyy-mm-dd|\bdate\b|\bjour\b"),
    ("time", "time", "hour", r"hh:mm|24.?hour|time of day"),
    ("currency", "", "currency", r"iso ?4217|currency|devise"),
    ("language", "", "language lang locale langue", r"\blanguage\b|iso ?639|\blangue\b"),
    ("unit", "", "unit", r"unit of"),
    ("path", "path", "path directory dir folder root cwd fichier dossier", r"\bpath\b|chemin"),
    ("latlon", "", "latitude longitude coordinate", r"latitude|longitude"),
    ("id", "uuid", "id sha uuid hash identifier", r"^(?:the )?(?:unique )?id\b"),
    ("phone", "", "phone", r"phone number"),
    ("city", "", "city country destination origin departure arrival address ville",
     r"\bcit(?:y|ies)\b"),
    ("query", "", "query pattern", r"search (?:query|term|text|for)|what to (?:search|look)"),
    ("content", "", "message text note prompt comment reply answer snippet", ""),
    ("title", "", "title subject topic summary name label heading headline titre", ""),
    ("person", "", "person recipient assignee attendee author owner participant to reviewer",
     r"\bperson\b|\buser name\b|username"),
)  # fmt: skip
_UNITS_OF_TIME = frozenset(stem(word) for word in ("minutes", "seconds", "hours"))
_LIMITS = frozenset(
    stem(word) for word in ["limit", "count", "top", "size", "max", "maximum", "n", "first", "last"]
)
_DURATIONS = frozenset(
    stem(word)
    for word in [
        "duration",
        "minutes",
        "seconds",
        "hours",
        "days",
        "length",
        "delay",
        "timeout",
        "wait",
    ]
)
_PATH_NAME = re.compile(r"(?:^|[_-])path$|Path$")
_CONTENT_WORDS = frozenset(stem(word) for word in ["message", "text", "content", "body"])
_BY_NAME = [
    (kind, frozenset(formats.split()), frozenset(stem(word) for word in names.split()), about)
    for kind, formats, names, about in _KINDS
]
_ABOUT = [(kind, re.compile(about)) for kind, _, _, about in _BY_NAME if about]


@dataclass(frozen=True, slots=True)
class Port:
    """An argument of a tool: its JSON types (of the elements, if it takes a list) and its kind.

    `words` is what its name means, `cues` all stems of its name and description.
    """

    name: str
    schema: Schema
    types: frozenset[str]
    kind: str
    words: frozenset[str]
    cues: frozenset[str]
    is_required: bool = False
    is_list: bool = False
    choices: tuple[Any, ...] = ()

    @property
    def takes_text(self) -> bool:
        """Whether a text fits; an argument that says nothing of types takes one."""
        return not self.types or "string" in self.types

    @property
    def takes_numbers(self) -> bool:
        """Whether a number fits."""
        return not self.types or bool(self.types & {"number", "integer"})

    @property
    def is_sink(self) -> bool:
        """Whether any text at all may stand there."""
        return self.kind == "content" and self.takes_text and not self.choices


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a result: its path below the result; `list_length` is that of the innermost list.

    The path up to `list_length` names a list, the rest is below each of its elements; -1 where the
    path crosses none.
    """

    path: tuple[str, ...]
    types: frozenset[str]
    kind: str
    words: frozenset[str]
    list_length: int = -1

    @property
    def name(self) -> str:
        """The last name of the path; "" for the result itself, or the elements of a list."""
        return self.path[-1] if self.path else ""

    @property
    def is_many(self) -> bool:
        """Whether there may be several values of it."""
        return self.list_length >= 0

    @property
    def is_scalar(self) -> bool:
        """Whether it is a plain value."""
        return not self.types & {"object", "array"}


# --- arguments


def ports_of(schema: Any, nouns: Sequence[str]) -> tuple[Port, ...]:
    """Return the arguments of a tool; `nouns` are the words of what the tool is about."""
    root = schema if isinstance(schema, Mapping) else _NOTHING
    declared = root.get("properties")
    properties = declared if isinstance(declared, Mapping) else _NOTHING
    required = [name for name in _required(root) if isinstance(name, str)]
    others = [name for name in islice(properties, MAX_PORTS) if name not in required]
    names = [*required, *others][:MAX_PORTS]
    return tuple(
        _port(name, properties.get(name), root, nouns, is_required=name in required)
        for name in names
    )


def can_be_called(schema: Any) -> bool:
    """Return whether every argument that a schema asks for can be given."""
    required = _required(schema if isinstance(schema, Mapping) else _NOTHING)
    return len(required) <= MAX_PORTS and all(isinstance(name, str) for name in required)


def _required(root: Schema) -> Sequence[Any]:
    named = root.get("required")
    return named if _is_list(named) else ()


def _port(name: str, part: Any, root: Schema, nouns: Sequence[str], *, is_required: bool) -> Port:
    schema = resolved(part, root)
    types, is_list = types_of(schema), False
    if types == {"array"}:
        is_list, element = True, resolved(schema.get("items"), root)
        types = types_of(element)
        schema_of_value = element
    else:
        schema_of_value = schema
    about = described(schema) or described(schema_of_value)
    choices = _choices(schema_of_value)
    own = frozenset(name_words(name))
    return Port(
        name,
        schema,
        types,
        "choice" if choices else _kind(name, own, schema_of_value, types, about),
        meaning(name, nouns),
        own | frozenset(name_words(about)),
        is_required,
        is_list,
        choices,
    )


def _kind(name: str, own: frozenset[str], schema: Schema, types: frozenset[str], about: str) -> str:
    if types & {"object", "array"}:
        return "object"
    if types == {"boolean"}:
        return "boolean"
    last = name_words(name)[-1:] or ("",)
    if types and not types & {"string"}:
        if last[0] == "id" or own & {"id"} or (last[0] == "number" and len(own) > 1):
            return "id"
        if own & _UNITS_OF_TIME or (own & _DURATIONS and not own & _LIMITS):
            return "duration"
        return "limit" if own & _LIMITS else "number"
    said_format = schema.get("format")
    if last[0] == "id" and not isinstance(said_format, str):
        return "id"
    if _PATH_NAME.search(name):  # its words alone are those of a file: `repo_path`
        return "path"
    for kind, formats, names, _ in _BY_NAME:
        if said_format in formats:
            return kind
        if last[0] in names or (own & names and kind not in ("title", "content", "date")):
            return _nearer(kind, about)
    for kind, pattern in _ABOUT:
        if pattern.search(about.casefold()):
            return kind
    return "content" if own & _CONTENT_WORDS else "free"


def _nearer(kind: str, about: str) -> str:
    """Return the kind that a description makes of a name: a `to` that is an e-mail address."""
    told = about.casefold()
    if kind in ("person", "title", "city") and (of_its_own := _told_kind(told)):
        return of_its_own
    if kind == "person" and re.search(r"e-?mails?\b|courriel", told):
        return "email"
    if kind == "date" and _DATETIME.search(told):
        return "datetime"
    return kind


def _told_kind(told: str) -> str:
    """Return the kind that nothing but a description can tell, "" if it does not."""
    return next((k for k, pattern in _ABOUT if k in _TELLING and pattern.search(told)), "")


_TELLING = frozenset({"email", "url", "timezone", "currency", "language", "phone", "path"})
_DATETIME = re.compile(r"date-?time|rfc ?3339|t\d\d:|hh:mm|iso ?8601(?! date\b)")


def _choices(schema: Schema) -> tuple[Any, ...]:
    if "const" in schema:
        return (schema["const"],)
    listed = schema.get("enum")
    if not _is_list(listed):
        return ()
    return tuple(each for each in listed[:MAX_CHOICES] if isinstance(each, str | int | float))


# --- results


def fields_of(schema: Any, nouns: Sequence[str]) -> tuple[Field, ...]:
    """Return what a result that fits a schema has, outer fields first; () if nothing is known."""
    root = schema if isinstance(schema, Mapping) else _NOTHING
    found: list[Field] = []
    layer: list[tuple[tuple[str, ...], Schema, int, tuple[str, ...]]]
    layer = [((), resolved(root, root), -1, tuple(nouns))]
    for _ in range(MAX_LEVELS):
        following: list[tuple[tuple[str, ...], Schema, int, tuple[str, ...]]] = []
        for path, part, list_length, around in layer:
            for field, inner, things in _inside(path, part, list_length, around, root):
                found.append(field)
                if not field.is_scalar or inner.get("properties"):
                    following.append((field.path, inner, field.list_length, things))
                if len(found) >= MAX_FIELDS:
                    return tuple(found)
        layer = following
    return tuple(found)


def _inside(
    path: tuple[str, ...],
    part: Schema,
    list_length: int,
    around: tuple[str, ...],
    root: Schema,
) -> Iterator[tuple[Field, Schema, tuple[str, ...]]]:
    """Yield the fields one level below a part, each with its schema and what it is about."""
    if types_of(part) == {"array"}:
        element = resolved(part.get("items"), root)
        own = frozenset(around)
        yield Field(path, types_of(element), "free", own, len(path)), element, around
        return
    properties = part.get("properties")
    if not isinstance(properties, Mapping):
        return
    for name, definition in list(properties.items())[:MAX_PORTS]:
        if not isinstance(name, str):
            continue
        inner = resolved(definition, root)
        types = types_of(inner)
        own = frozenset(name_words(name))
        kind = _kind(name, own, inner, types, described(inner)) if name else "free"
        field = Field((*path, name), types, kind, meaning(name, around), list_length)
        things = around if own <= _CONTAINERS or not types & {"object", "array"} else tuple(own)
        yield field, inner, things


_CONTAINERS = GENERIC | frozenset(
    stem(word)
    for word in [
        "results",
        "items",
        "data",
        "hits",
        "entries",
        "records",
        "list",
        "elements",
        "rows",
        "response",
        "found",
    ]
)


# --- schemas


def resolved(part: Any, root: Schema) -> Schema:
    """Return a part with its reference followed, and the first real way of several taken."""
    for _ in range(MAX_REFERENCES):
        if not isinstance(part, Mapping):
            return _NOTHING
        reference = part.get("$ref")
        if isinstance(reference, str):
            part = _at(reference, root)
            continue
        ways = next((part[key] for key in ("anyOf", "oneOf") if _is_list(part.get(key))), None)
        if ways is None or "type" in part or "properties" in part:
            return part
        real = (way for way in ways if isinstance(way, Mapping) and way.get("type") != "null")
        outer = {key: part[key] for key in ("description", "default") if key in part}
        part = {**outer, **next(real, _NOTHING)}
    return _NOTHING


def _at(reference: str, root: Schema) -> Any:
    if not reference.startswith("#/"):
        return _NOTHING
    value: Any = root
    for stage in reference[2:].split("/")[:MAX_REFERENCES]:
        value = value.get(stage) if isinstance(value, Mapping) else None
    return value


def types_of(schema: Schema) -> frozenset[str]:
    """Return the JSON types that a schema names, null left out."""
    said = schema.get("type")
    names = said if _is_list(said) else [said]
    types = frozenset(name for name in names if isinstance(name, str) and name != "null")
    if not types and isinstance(schema.get("properties"), Mapping):
        return frozenset({"object"})
    return types


def described(schema: Schema) -> str:
    """Return the beginning of a schema's description."""
    text = schema.get("description")
    return text[:DESCRIPTION_CHARACTERS] if isinstance(text, str) else ""


def _is_list(value: Any) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, list | tuple)
