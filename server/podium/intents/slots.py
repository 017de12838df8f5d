"""What may be said in a slot: a type, one of a list, or any words; and what its param becomes."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import permutations
from typing import Any, NamedTuple, Protocol

import regex

from podium.domain.errors import ExpressionError
from podium.domain.naming import did_you_mean
from podium.intents.files import ListValue, SlotDefinition
from podium.intents.grammar import (
    GAP,
    Choice,
    Gap,
    Node,
    Permutation,
    RuleUse,
    Sequence,
    SlotUse,
    TemplateFaultError,
    Word,
    literal_text,
    parse_template,
)
from podium.intents.spoken import Spoken
from podium.mapping.analysis import parse
from podium.text.values import NOT_A_VALUE, TYPES, SlotOptionError, ValueType, with_options

MAX_FORMS = 200  # ways to say one value of a list, its options and choices multiplied out
MAX_LIST_FORMS = 100_000  # ways to say all values of a list
MAX_FORM_CHARACTERS = 200  # of one way to say a value
MAX_ENDS = 12  # places tried as the end of a typed value, the farthest first
MAX_VALUE_CHARACTERS = 240  # of a typed value
FREE_TYPES = frozenset({"text", "word"})
"""Types that take words as they come: they count as wildcards."""


class Forms:
    """How the values of a list are said, and what each means; the first of two equal ones wins."""

    def __init__(self, forms: Mapping[str, Any] | None = None) -> None:
        self.values: Mapping[str, Any] = forms or {}
        self.longest = max(map(len, self.values), default=0)


class ToolQuery(NamedTuple):
    """Where a list comes from: `server.tool`, its arguments and the expression, as JSON texts."""

    tool: str
    arguments: str
    value: str
    ttl_seconds: float


class ListSource(Protocol):
    """Lists that tools give, as they are now."""

    def current(self, query: ToolQuery) -> Forms | None:
        """Return a list; None when nobody has asked for it yet."""
        ...


@dataclass(frozen=True, slots=True)
class Read:
    """A value that was said, and where it ends in the spoken request."""

    value: Any
    end: int


class Reading(Protocol):
    """What a slot needs to read values from one request."""

    @property
    def said(self) -> Spoken:
        """Return the request."""
        ...

    @property
    def end(self) -> int:
        """Return where the part that is matched ends."""
        ...

    @property
    def lists(self) -> ListSource | None:
        """Return the lists that tools give."""
        ...

    def value(self, slot: "TypedSlot", start: int, end: int) -> Any:
        """Return what a type makes of the original text of a span, or NOT_A_VALUE."""
        ...


@dataclass(frozen=True, slots=True)
class FreeSlot:
    """Any words; `is_word` takes one only."""

    kind: str = "text"

    @property
    def is_word(self) -> bool:
        """Whether one word only is taken."""
        return self.kind == "word"


@dataclass(frozen=True, slots=True, eq=False)
class TypedSlot:
    """A value of a type."""

    type: ValueType
    compiled: Any

    @property
    def kind(self) -> str:
        """The name of the type."""
        return self.type.name

    def reads(self, reading: Reading, start: int) -> Iterator[Read]:
        """Yield the values that may be said at a place, each with its end, the longest first."""
        said, last = reading.said, reading.end
        found = self.compiled.match(said.typed, start, min(last, start + MAX_VALUE_CHARACTERS))
        if found is None or found.end() == start:
            return
        greedy = found.end()
        value = reading.value(self, start, greedy)
        if value is not NOT_A_VALUE:
            yield Read(value, greedy)
        tried = 0
        for end in said.ends_after(start, last, MAX_VALUE_CHARACTERS):
            if end == greedy:
                continue
            if self.compiled.fullmatch(said.typed, start, end) is None:
                continue
            value = reading.value(self, start, end)
            if value is not NOT_A_VALUE:
                yield Read(value, end)
            tried += 1
            if tried >= MAX_ENDS:
                return


@dataclass(frozen=True, slots=True, eq=False)
class ListSlot:
    """One of a list; the list may be given by a tool."""

    forms: Forms
    query: ToolQuery | None = None

    @property
    def kind(self) -> str:
        """Return what explanations call it."""
        return "list" if self.query is None else self.query.tool

    def reads(self, reading: Reading, start: int) -> Iterator[Read]:
        """Yield the values that may be said at a place, the longest first."""
        forms = self.current(reading.lists)
        if forms is None:
            return
        said = reading.said
        text = said.text
        is_quoted = text[start : start + 1] == '"'
        begin = start + is_quoted
        for end in said.ends_after(begin, reading.end, forms.longest):
            form = text[begin:end]
            if form in forms.values:
                if not is_quoted:
                    yield Read(forms.values[form], end)
                elif text[end : end + 1] == '"':
                    yield Read(forms.values[form], end + 1)

    def current(self, lists: ListSource | None) -> Forms | None:
        """Return the list as it is now; None when nobody has asked the tool for it yet."""
        if self.query is None:
            return self.forms
        return lists.current(self.query) if lists else None


SlotKind = FreeSlot | TypedSlot | ListSlot
TEXT = FreeSlot()


@dataclass(frozen=True, slots=True, eq=False)
class Slot:
    """One slot as its definition says: its kind, and its param when it is not said."""

    kind: SlotKind
    default: Any = None
    has_default: bool = False
    from_context: str | None = None


# --- definitions to slots


def built_in(name: str, known: Iterable[str] = (), options: Mapping[str, Any] | None = None) -> Any:
    """Return the kind of slot that a built-in type is.

    Raises:
        TemplateFaultError: there is no such type, or an option does not fit it.

    """
    if name in FREE_TYPES and not options:
        return FreeSlot(name)
    if name not in TYPES:
        raise TemplateFaultError(
            f"there is no slot type '{name}'", None, did_you_mean(name, [*TYPES, *known])
        )
    if not options:
        return _plain(name)
    try:
        narrowed = with_options(TYPES[name], dict(options))
    except SlotOptionError as error:
        raise TemplateFaultError(error.message, None, error.hint) from None
    return TypedSlot(narrowed, _compiled(narrowed.pattern))


@cache
def _plain(name: str) -> TypedSlot:
    return TypedSlot(TYPES[name], _compiled(TYPES[name].pattern))


@cache
def _compiled(pattern: str) -> Any:
    """Compile the pattern of a type once; there are few."""
    return regex.compile(pattern)


def slot_of(definition: str | SlotDefinition) -> Slot:
    """Return the slot that a definition describes.

    Raises:
        TemplateFaultError: the definition cannot be used.

    """
    if isinstance(definition, str):
        return Slot(built_in(definition))
    return Slot(
        _kind_of(definition), definition.default, definition.has_default, definition.from_context
    )


def _kind_of(definition: SlotDefinition) -> SlotKind:
    options = {
        name: value
        for name in ("min", "max", "unit")
        if (value := getattr(definition, name)) is not None
    }
    if definition.type is not None:
        kind: SlotKind = built_in(definition.type, options=options)
        return kind
    if options:
        raise TemplateFaultError(f"'{next(iter(options))}' needs a 'type'")
    if definition.values is not None:
        return ListSlot(forms_of(definition.values))
    if definition.from_tool is not None:
        return ListSlot(Forms(), _query(definition))
    return TEXT


def _query(definition: SlotDefinition) -> ToolQuery:
    if definition.value is not None:
        try:
            parse(definition.value)
        except ExpressionError as error:
            raise TemplateFaultError(f"'value' is no expression: {error.message}") from None
    arguments = json.dumps(definition.arguments, sort_keys=True, ensure_ascii=False)
    return ToolQuery(
        definition.from_tool or "", arguments, definition.value or "", definition.ttl_seconds
    )


def forms_of(values: Iterable[str | ListValue]) -> Forms:
    """Return a closed list of a pattern file with everything that its templates say.

    Raises:
        TemplateFaultError: a template is not well formed, holds a slot, or says too much.

    """
    forms: dict[str, Any] = {}
    for entry in values:
        sources: tuple[str, ...]
        if isinstance(entry, str):
            sources, out = (entry,), None
        else:
            sources = (entry.in_,) if isinstance(entry.in_, str) else entry.in_
            out = entry
        for source in sources:
            for form in expanded(parse_template(source)):
                forms.setdefault(form, entry if out is None else out.out)
        if len(forms) > MAX_LIST_FORMS:
            raise TemplateFaultError(f"its values can be said in more than {MAX_LIST_FORMS} ways")
    return Forms(forms)


def plain_forms(entries: Iterable[tuple[str, Any]]) -> Forms:
    """Return a list whose ways of saying are plain texts: nothing in them has a meaning."""
    forms: dict[str, Any] = {}
    for said, out in entries:
        form = literal_text(said)
        if form and len(form) <= MAX_FORM_CHARACTERS:
            forms.setdefault(form, out)
        if len(forms) >= MAX_LIST_FORMS:
            break
    return Forms(forms)


def expanded(template: Sequence) -> list[str]:
    """Return everything that a template without slots says, without doubles.

    Raises:
        TemplateFaultError: it holds a slot or a rule, or says more than `MAX_FORMS` things.

    """
    forms = _expanded(template)
    said = dict.fromkeys(" ".join(form.split()).replace("' ", "'") for form in forms)
    found = [form for form in said if form]
    if not found:
        raise TemplateFaultError("a value of a list should be something that is said")
    if any(len(form) > MAX_FORM_CHARACTERS for form in found):
        raise TemplateFaultError(f"a value has more than {MAX_FORM_CHARACTERS} characters")
    return found


def _expanded(node: Node) -> list[str]:
    match node:
        case Word(text):
            return [text]
        case Gap():
            return [" "]
        case Sequence(items):
            forms = [""]
            for item in items:
                more = _expanded(item)
                _refuse_many(len(forms) * len(more))
                forms = [before + after for before in forms for after in more]
            return forms
        case Choice(options):
            found = [form for option in options for form in _expanded(option)]
            _refuse_many(len(found))
            return found
        case Permutation(parts):
            return [form for order in orders(parts) for form in _expanded(order)]
        case SlotUse(name):
            raise TemplateFaultError(f"'{{{name}}}' cannot stand here", node.at)
        case RuleUse(name):
            raise TemplateFaultError(f"'<{name}>' cannot stand here", node.at)


def _refuse_many(count: int) -> None:
    if count > MAX_FORMS:
        raise TemplateFaultError(
            f"it can be said in more than {MAX_FORMS} ways",
            None,
            "write the ways that people use as a list of several texts",
        )


def orders(parts: tuple[Sequence, ...]) -> Iterator[Sequence]:
    """Yield the parts in every order, a gap between any two."""
    for order in permutations(parts):
        items: list[Node] = []
        for part in order:
            items += [GAP, part] if items else [part]
        yield Sequence(tuple(items))
