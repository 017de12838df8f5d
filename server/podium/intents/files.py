"""Pattern files as people write them: how one asks for an intent."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, model_validator

from podium.domain.composition import FileModel
from podium.intents.grammar import MAX_TEMPLATE_CHARACTERS

MAX_REGEX_CHARACTERS = 4_000  # nobody reads a longer one; keeps compiling fast

RegexSource = Annotated[str, Field(min_length=1, max_length=MAX_REGEX_CHARACTERS)]
RegexList = Annotated[tuple[RegexSource, ...], Field(min_length=1)]
LanguageCode = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]


def _one_or_many(value: Any) -> str:
    return "one" if isinstance(value, str) else "many"


OneOrMany = Annotated[  # told apart first, so that a fault is about what the author meant
    Annotated[RegexSource, Tag("one")] | Annotated[RegexList, Tag("many")],
    Discriminator(_one_or_many),
]

TemplateSource = Annotated[str, Field(min_length=1, max_length=MAX_TEMPLATE_CHARACTERS)]
TemplateList = Annotated[tuple[TemplateSource, ...], Field(min_length=1)]
OneOrManyTemplates = Annotated[
    Annotated[TemplateSource, Tag("one")] | Annotated[TemplateList, Tag("many")],
    Discriminator(_one_or_many),
]
SlotName = Annotated[str, Field(pattern=r"^[^\W\d]\w*$", max_length=64)]
Rules = dict[SlotName, TemplateSource]


class ListValue(FileModel):
    """One value of a closed list: how it is said, and what it means."""

    in_: OneOrManyTemplates = Field(
        alias="in", description="How it is said: a template of words, or several."
    )
    out: Any = Field(description="What the param becomes.")


def _text_or_object(value: Any) -> str:
    return "text" if isinstance(value, str) else "object"


ListEntry = Annotated[
    Annotated[TemplateSource, Tag("text")] | Annotated[ListValue, Tag("object")],
    Discriminator(_text_or_object),
]


class SlotDefinition(FileModel):
    """What may be said in a slot, and what its param becomes."""

    type: str | None = Field(
        None, min_length=1, description="A built-in type such as `number`, `duration`, `date`."
    )
    min: float | None = Field(None, description="Least number that is taken.")
    max: float | None = Field(None, description="Greatest number that is taken.")
    unit: str | None = Field(None, description="Unit of a duration: seconds, minutes, hours.")
    values: Annotated[tuple[ListEntry, ...], Field(min_length=1)] | None = Field(
        None, description="A closed list: texts, or objects of `in` and `out`."
    )
    from_tool: str | None = Field(
        None,
        pattern=r"^[^.]+\..+$",
        description="A list that a tool gives, as `server.tool`; asked for while Podium serves.",
    )
    arguments: dict[str, Any] = Field(
        default_factory=dict, description="Arguments of that tool call."
    )
    value: str | None = Field(
        None,
        min_length=1,
        description="JSONata over the tool's result that gives the list: texts, or objects of "
        "`in` and `out`. Left out: the result itself, or the only list in it.",
    )
    ttl_seconds: float = Field(
        300.0, ge=1, le=86_400, description="How long the tool's list is good."
    )
    wildcard: bool = Field(
        default=False, description="Whether any words are taken; also what an empty slot means."
    )
    default: Any = Field(None, description="The param when the slot is not said.")
    from_context: SlotName | None = Field(
        None, description="What of the conversation the param takes when the slot is not said."
    )

    @model_validator(mode="after")
    def _has_one_kind(self) -> "SlotDefinition":
        kinds = {
            "type": self.type is not None,
            "values": self.values is not None,
            "from_tool": self.from_tool is not None,
            "wildcard": self.wildcard,
        }
        given = [name for name, is_given in kinds.items() if is_given]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} exclude one another")
        if self.from_tool is None and (self.value is not None or self.arguments):
            raise ValueError("'value' and 'arguments' belong to 'from_tool'")
        return self

    @property
    def has_default(self) -> bool:
        """Whether a default is given, be it null."""
        return "default" in self.model_fields_set


SlotEntry = Annotated[
    Annotated[str, Field(min_length=1), Tag("text")] | Annotated[SlotDefinition, Tag("object")],
    Discriminator(_text_or_object),
]
Slots = dict[SlotName, SlotEntry]


class PatternExample(FileModel):
    """A request that must yield the intent; with `params`, exactly these."""

    text: str = Field(min_length=1, description="What a person says.")
    params: dict[str, Any] | None = Field(
        None, description="The params it must yield, all of them; left out: any."
    )


class Pattern(FileModel):
    """One way, or several, to ask for an intent."""

    name: str = Field(
        pattern=r"^[A-Za-z_]\w*$",
        max_length=64,
        description="The intent type. Several patterns may share it, such as one per language.",
    )
    sentences: OneOrManyTemplates | None = Field(
        None,
        description="Sentences as they are said, one or several: `[optional]`, `(a|b)`, `{slot}`, "
        "`{slot:type}`, `<rule>`, `(a;b)` in any order. A sentence is about the whole request; "
        "punctuation and politeness around it do not matter.",
    )
    regex: OneOrMany | None = Field(
        None,
        description="A regex, or several of which the one with the longest match counts. Tried on "
        "the whole request first, then searched in it; letter case and accents do not matter.",
    )
    slots: Slots = Field(
        default_factory=dict,
        description="Slot -> what may be said in it: a type, or an object; before those of the "
        "file.",
    )
    rules: Rules = Field(
        default_factory=dict, description="Rule -> template, before those of the file."
    )
    params: dict[str, Any] = Field(
        default_factory=dict,
        description="Param -> `$1` or `$name` (a group of the regex; `$0` is the whole match), "
        "`$slot`, or any other JSON value as a constant; `$$` at the start stands for a plain "
        "`$`. Named groups and slots become params by themselves. One that took no part, or only "
        "took blanks, leaves its param out.",
    )
    language: LanguageCode | None = Field(
        None, description="Language of the pattern, such as `fr`; else that of the file."
    )
    priority: int = Field(
        0, description="Decides between patterns that fit equally well; higher wins."
    )
    composition: str | None = Field(
        None, min_length=1, description="Id of the composition to play; else one is found."
    )
    description: str = Field("", description="What the intent is about, for people.")
    examples: tuple[str | PatternExample, ...] = Field(
        (),
        description="Requests that must yield this intent; `podium check` tries them, and they are "
        "suggested to whoever says something near.",
    )
    counterexamples: tuple[str, ...] = Field(
        (), description="Requests that must not yield this intent; `podium check` tries them."
    )

    @model_validator(mode="after")
    def _says_something(self) -> "Pattern":
        if self.sentences is None and self.regex is None:
            raise ValueError("'sentences' or 'regex' is missing")
        return self

    def sentence_sources(self) -> tuple[str, ...]:
        """Return the sentence templates, one or many, in order."""
        return (self.sentences,) if isinstance(self.sentences, str) else self.sentences or ()

    def all_examples(self) -> Iterator[PatternExample]:
        """Yield the examples, those written as a plain text included."""
        for example in self.examples:
            yield PatternExample(text=example) if isinstance(example, str) else example


class PatternFileFrame(FileModel):
    """A pattern file whose patterns are not looked at yet, so that a bad one harms only itself."""

    schema_: str | None = Field(
        None, alias="$schema", description="For editors; Podium does not read it."
    )
    language: LanguageCode | None = Field(
        None, description="Language of the patterns that name none."
    )
    shared: bool = Field(
        default=False,
        description="Whether the rules and slots serve every file of the same language too (every "
        "file, when this one names no language).",
    )
    rules: dict[SlotName, Any] = Field(
        default_factory=dict, description="Rule -> template; used as `<rule>` in sentences."
    )
    slots: dict[SlotName, Any] = Field(
        default_factory=dict, description="Slot -> what may be said in it: a type, or an object."
    )
    skip: tuple[TemplateSource, ...] = Field(
        (),
        description="Words of politeness that may be said around, and between, the words of "
        "sentences; templates without slots. They serve the whole folder.",
    )
    patterns: tuple[Any, ...]


class PatternFile(PatternFileFrame):
    """A pattern file: `patterns/*.json`."""

    rules: Rules = Field(
        default_factory=dict, description="Rule -> template; used as `<rule>` in sentences."
    )
    slots: Slots = Field(
        default_factory=dict, description="Slot -> what may be said in it: a type, or an object."
    )
    patterns: tuple[Pattern, ...] = Field(description="The patterns, in order of preference.")
