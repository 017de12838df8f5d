"""Pattern files as people write them: how one asks for an intent."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from podium.domain.composition import FileModel

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

LATER_KEYS = ("sentences", "slots", "rules")
"""Keys of the documented format that this version does not read yet."""


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
    regex: OneOrMany = Field(
        description="A regex, or several of which the one with the longest match counts. Tried on "
        "the whole request first, then searched in it; letter case and accents do not matter."
    )
    params: dict[str, Any] = Field(
        default_factory=dict,
        description="Param -> `$1` or `$name` (a group of the regex; `$0` is the whole match), or "
        "any other JSON value as a constant; `$$` at the start stands for a plain `$`. Named "
        "groups become params by themselves. A group that took no part, or only took blanks, "
        "leaves its param out.",
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

    def regex_sources(self) -> tuple[str, ...]:
        """Return the regexes, one or many, in order."""
        return (self.regex,) if isinstance(self.regex, str) else self.regex

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
    patterns: tuple[Any, ...]


class PatternFile(PatternFileFrame):
    """A pattern file: `patterns/*.json`."""

    patterns: tuple[Pattern, ...] = Field(description="The patterns, in order of preference.")
