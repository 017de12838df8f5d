"""An expression as its author writes it to the JSONata that the engine is given.

Four things differ: `[i]` inside iterations is `[$i]`; `$blocks(step)` takes a name, not a value;
the holes of `$template('text')` become arguments; a transformer that is handed to `$map` and its
like gets only the value.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from podium.domain.errors import ExpressionSyntaxError
from podium.mapping.reading import BLOCKS, ENGINE_TEMPLATE, TEMPLATE
from podium.mapping.syntax import JSONATA_FUNCTIONS, nodes, syntax_error
from podium.mapping.templates import Hole, TemplateError, split

BRACES_HINT = "write {{ and }} for braces that are no hole"

# How many arguments the function that one hands over is meant to take; the engine would add the
# index and the list, which a transformer would mistake for its own arguments.
_HANDED_ARGUMENTS = {
    "map": 1, "filter": 1, "single": 1, "each": 1, "sift": 1, "reduce": 2, "sort": 2,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class _Author:
    """What the author wrote, and how the expression in a hole is written for the engine."""

    source: str
    iterating: bool
    bound: frozenset[str]
    piped: frozenset[int]
    program_of: Callable[[str], str]


def rewrite(source: str, tree: Any, program_of: Callable[[str], str], *, iterating: bool) -> str:
    """Return the program for the engine.

    Raises:
        ExpressionSyntaxError: `$blocks`, `$template` or a call is not written as it must be.

    """
    piped = (n.rhs for n in nodes(tree) if n.type == "apply" and n.rhs.type == "function")
    author = _Author(
        source, iterating, _bound_anywhere(tree), frozenset(map(id, piped)), program_of
    )
    edits = {edit.start: edit for node in nodes(tree) for edit in _edits(node, author)}
    program = source
    for start in sorted(edits, reverse=True):
        program = program[:start] + edits[start].text + program[edits[start].end :]
    return program


def _bound_anywhere(tree: Any) -> frozenset[str]:
    bound: set[str] = set()
    for node in nodes(tree):
        if node.type == "bind":
            bound.add(node.lhs.value)
        elif node.type == "lambda":
            bound.update(argument.value for argument in node.arguments)
    return frozenset(bound)


def _edits(node: Any, author: _Author) -> Iterator[_Edit]:
    if node.type == "path" and author.iterating:
        yield from _index_edit(node, author)
    if node.type != "function":
        return
    if node.procedure.type != "variable":
        _refuse_bare_call(node.procedure, author)
        return
    name = node.procedure.value
    if name in author.bound:
        return
    if name == BLOCKS:
        yield _blocks_edit(node, author)
    elif name == TEMPLATE and id(node) not in author.piped:
        yield from _template_edit(node, author)
    elif name in _HANDED_ARGUMENTS:
        yield from _handed_edit(node, author)


def _index_edit(node: Any, author: _Author) -> Iterator[_Edit]:
    step, *rest = node.steps
    end = step.position
    if not rest and step.type == "name" and author.source[end - 2 : end + 1] == "[i]":
        yield _Edit(end - 1, end, "$i")


def _refuse_bare_call(procedure: Any, author: _Author) -> None:
    if procedure.type == "path" and len(procedure.steps) == 1:
        (step,) = procedure.steps
        name = str(step.value)
        raise syntax_error(
            author.source,
            f"'{name}' is called like a function",
            step.position - len(name),
            hint=f"functions start with a dollar sign: ${name}(…)",
            code="T1005",
        )


def _blocks_edit(node: Any, author: _Author) -> _Edit:
    if len(node.arguments) == 1:
        (argument,) = node.arguments
        if argument.type == "string":
            return _Edit(argument.position, argument.position, "")
        step = argument.steps[0] if argument.type == "path" else argument
        start = step.position - len(str(step.value))
        is_name = argument.type == "path" and len(argument.steps) == 1 and not step.stages
        if is_name and author.source[start : step.position] == step.value:
            return _Edit(start, step.position, f'"{step.value}"')
    raise syntax_error(
        author.source,
        "$blocks takes the id of one step",
        node.procedure.position - len(BLOCKS) - 1,
        hint="for example $blocks(read_file)",
    )


def _handed_edit(node: Any, author: _Author) -> Iterator[_Edit]:
    place = 0 if id(node) in author.piped else 1
    if len(node.arguments) <= place:
        return
    handed = node.arguments[place]
    name = handed.value
    if handed.type == "variable" and not {name} & (JSONATA_FUNCTIONS | author.bound | {"", "$"}):
        count = _HANDED_ARGUMENTS[node.procedure.value]
        parameters = ", ".join(f"$podium_{number}" for number in range(count))
        start = handed.position - len(name) - 1
        yield _Edit(start, handed.position, f"function({parameters}){{${name}({parameters})}}")


_BEFORE_TEXT = re.compile(r"(?:\s|/\*.*?\*/)*(?=['\"])", re.DOTALL)
_BEFORE_DATA = re.compile(r"(?:\s|/\*.*?\*/)*,", re.DOTALL)


def _template_edit(node: Any, author: _Author) -> Iterator[_Edit]:
    """Put the holes of a text that is written in the expression beside it, as arguments.

    The holes are then JSONata in their place: they see local variables and the context. A text
    that is data stays data; its holes are no expressions (see `functions.texts.template`).
    """
    if len(node.arguments) not in {1, 2} or node.arguments[0].type != "string":
        return
    text = node.arguments[0]
    opened = _BEFORE_TEXT.match(author.source, node.position)
    comma = _BEFORE_DATA.match(author.source, text.position)
    if opened is None:
        return
    holes = "".join(_holes(text.value, opened.end() + 1, author))
    literal = author.source[opened.end() : text.position]
    call = f"${ENGINE_TEMPLATE}({literal}{holes}"
    begin = node.procedure.position - len(TEMPLATE) - 1
    if len(node.arguments) == 1:
        yield _Edit(begin, text.position, call)
    elif comma is not None:
        over_data = f"(function($podium_data){{($podium_data ?? {{}}).{call})}})("
        yield _Edit(begin, comma.end(), over_data)


def _holes(text: str, start: int, author: _Author) -> Iterator[str]:
    try:
        parts = split(text)
    except TemplateError as error:
        what = f"in the text of $template, {error}"
        position = start + error.position
        raise syntax_error(author.source, what, position, hint=BRACES_HINT) from None
    for part in parts:
        if isinstance(part, Hole):
            try:
                program = author.program_of(part.expression)
            except ExpressionSyntaxError as error:
                what = f"in the text of $template, {error.message}"
                position = start + part.position + (error.position or 0)
                hint = error.hint or BRACES_HINT
                raise syntax_error(author.source, what, position, hint=hint) from None
            yield f", ({program}\n)"
