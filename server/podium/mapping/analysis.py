"""The text of an expression to what it reads and calls; nothing is evaluated here."""

import functools
from dataclasses import dataclass, field
from typing import Any

from podium.mapping.reading import read
from podium.mapping.references import IndexVariable, Reference, Stage
from podium.mapping.rewriting import rewrite
from podium.mapping.syntax import (
    ALSO_VARIABLES,
    JSONATA_FUNCTIONS,
    check_with_engine,
    syntax_error,
    syntax_tree,
    too_complex,
)

MAX_CHARACTERS = 32_768  # nobody writes more in one value; parsing that takes about 0.4 s
MEMORY = 2_048  # expressions remembered; analysing one takes about 0.5 ms


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression as the author wrote it, with what it reads.

    Attributes:
        source: the text as the author wrote it.
        names: root names of the scope that it may read; those in `$blocks(step)` are among them.
        variables: free `$variables`, such as `item` and `i`.
        functions: functions that JSONata does not define: transformers.
        blocks_of: step ids whose raw content blocks it reads.
        whole_scope: whether it reads the scope as a whole, so that any name may be needed.
        head_fields: (name, first field) of plain paths such as `list_files.files`.
        data_names: the names whose values it reads, which `$blocks(step)` does not.
        program: what the engine is given.
        reference: the plain reference that it is, if it is no more than that.
        literal: the one value that it is, if it is a literal.

    """

    source: str
    names: frozenset[str]
    variables: frozenset[str]
    functions: frozenset[str]
    blocks_of: frozenset[str]
    whole_scope: bool
    head_fields: frozenset[tuple[str, str]]
    data_names: frozenset[str] = field(repr=False)
    program: str = field(repr=False)
    reference: Reference | None = field(repr=False, default=None)
    literal: tuple[Any, ...] = field(repr=False, default=())


def parse(source: str, *, iterating: bool = False) -> Expression:
    """Analyse an expression; inside iterations, exactly `[i]` means `[$i]`.

    Raises:
        ExpressionSyntaxError: it is no JSONata; with the position where that is known.

    """
    if not isinstance(source, str):
        what = f"it must be a text, not {type(source).__name__}"
        raise syntax_error(str(source)[:1_000], what, hint="put it in quotes")
    return _parse(source, iterating)


@functools.lru_cache(maxsize=MEMORY)
def _parse(source: str, iterating: bool) -> Expression:  # noqa: FBT001 - both make the cache's key
    if len(source) > MAX_CHARACTERS:
        what = f"it has {len(source)} characters, {MAX_CHARACTERS} are allowed"
        hint = "split it over several steps, or make a transformer of it"
        raise syntax_error(source, what, hint=hint)
    try:
        return _analyse(source, iterating=iterating)
    except RecursionError:
        raise too_complex(source) from None


def _analyse(source: str, *, iterating: bool) -> Expression:
    tree = syntax_tree(source)
    program = rewrite(
        source, tree, lambda hole: _parse(hole, iterating).program, iterating=iterating
    )
    if program != source:
        tree = syntax_tree(program)
    _refuse_function(source, tree)
    check_with_engine(source, program, tree)
    facts = read(tree)
    return Expression(
        source=source,
        names=frozenset(facts.data_names | facts.blocks_of),
        variables=frozenset(facts.variables),
        functions=frozenset(facts.functions),
        blocks_of=frozenset(facts.blocks_of),
        whole_scope=facts.whole_scope,
        head_fields=frozenset(facts.head_fields),
        data_names=frozenset(facts.data_names),
        program=program,
        reference=_plain_reference(tree),
        literal=_literal(tree),
    )


def _refuse_function(source: str, tree: Any) -> None:
    is_built_in = tree.type == "variable" and tree.value in JSONATA_FUNCTIONS - ALSO_VARIABLES
    if is_built_in and not tree.predicate:
        hint = f"call it: ${tree.value}(…)"
        raise syntax_error(source, "it is a function, not a value", hint=hint)
    if tree.type in {"lambda", "partial", "transform", "regex"}:
        raise syntax_error(source, "it is a function or a regex, not a value")


def _literal(tree: Any) -> tuple[Any, ...]:
    is_literal = tree.type in {"string", "value"} and not tree.predicate and not tree.group
    return (tree.value,) if is_literal else ()


def _plain_reference(tree: Any) -> Reference | None:
    """Return the path as a plain reference, unless it holds anything that JSONata must do."""
    if tree.type not in {"path", "variable"} or tree.group or tree.keep_singleton_array:
        return None
    head, *rest = tree.steps if tree.type == "path" else [tree]
    if head.type == "variable" and head.value in {"", "$"}:
        if not rest or head.predicate or rest[0].type != "name":
            return None
        head, *rest = rest
    if head.type not in {"name", "variable"} or any(step.type != "name" for step in rest):
        return None
    stages: list[Stage] = []
    for step in (head, *rest):
        if step is not head:
            stages.append(step.value)
        indexes = _indexes(step)
        if indexes is None:
            return None
        stages += indexes
    return Reference(head.value, head.type == "variable", tuple(stages))


def _indexes(step: Any) -> list[Stage] | None:
    if step.focus or step.index or step.tuple or step.keep_array or step.group:
        return None
    indexes: list[Stage] = []
    for stage in (*(step.stages or ()), *(step.predicate or ())):
        if (index := _index(stage)) is None:
            return None
        indexes.append(index)
    return indexes


def _index(stage: Any) -> Stage | None:
    if stage.type != "filter" or stage.expr.predicate or stage.expr.group:
        return None
    value = stage.expr.value
    if stage.expr.type == "number" and isinstance(value, int):
        return value
    if stage.expr.type == "variable" and value not in {"", "$"}:
        return IndexVariable(value)
    return None
