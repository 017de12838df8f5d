"""A syntax tree to what it reads and calls: names, variables, functions."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from podium.mapping.syntax import ALSO_VARIABLES, JSONATA_FUNCTIONS

ENGINE_TEMPLATE = "podium_template"  # how the engine knows `$template` of a literal text
BLOCKS = "blocks"
TEMPLATE = "template"

# Called with fewer arguments, these take the context (at the root: the whole scope) instead.
_ARGUMENTS_WITHOUT_CONTEXT = {
    "string": 1, "keys": 1, "spread": 1, "boolean": 1, "not": 1, "each": 2, "sift": 2,
    "lookup": 2,
}  # fmt: skip


@dataclass(slots=True)
class Facts:
    """What a tree reads; `data_names` are the names whose values the engine itself needs."""

    data_names: set[str] = field(default_factory=set)
    variables: set[str] = field(default_factory=set)
    functions: set[str] = field(default_factory=set)
    blocks_of: set[str] = field(default_factory=set)
    head_fields: set[tuple[str, str]] = field(default_factory=set)
    whole_scope: bool = False


def read(tree: Any) -> Facts:
    """Return what a tree reads."""
    facts = Facts()
    _read(tree, _Context(facts, at_root=True, bound=set()))
    return facts


@dataclass(frozen=True, slots=True)
class _Context:
    """Where a node stands.

    `at_root` says whether the context there is the scope itself; inside predicates and after a
    step of a path it is an item. `bound` holds the variables that the expression binds itself.
    """

    facts: Facts
    at_root: bool
    bound: set[str]

    def inside(self) -> "_Context":
        return replace(self, at_root=False)

    def block(self, *names: str) -> "_Context":
        return replace(self, bound=self.bound | set(names))


def _read(node: Any, context: _Context) -> None:
    if (reader := _READERS.get(node.type)) is not None:
        reader(node, context)
    _read_all((stage.expr for stage in node.predicate or ()), context.inside())
    if node.group is not None:
        _read_pairs(node.group.lhs_object, context.inside())


def _read_all(parts: Iterable[Any], context: _Context) -> None:
    for part in parts:
        if part is not None:
            _read(part, context)


def _read_pairs(pairs: Iterable[Iterable[Any]], context: _Context) -> None:
    for pair in pairs:
        _read_all(pair, context)


def _read_path(node: Any, context: _Context) -> None:
    context = context.block()
    for step, following in zip(node.steps, [*node.steps[1:], None], strict=True):
        if _is_scope(step, context) and following is not None and not step.predicate:
            context = replace(context, at_root=True)
            continue
        if step.type == "name":
            _note_name(step, following, context)
        elif step.type == "sort":
            _read_all((term.expression for term in step.terms), context.inside())
        else:
            _read(step, context)
        context.bound.update(name for name in (step.focus, step.index) if isinstance(name, str))
        _read_stages(step, context.inside())
        if not step.focus:  # `a@$v` binds without moving the context
            context = context.inside()


def _is_scope(step: Any, context: _Context) -> bool:
    return step.type == "variable" and (step.value == "$" or (context.at_root and not step.value))


def _note_name(step: Any, following: Any, context: _Context) -> None:
    if not context.at_root:
        return
    context.facts.data_names.add(step.value)
    if following is None or step.stages or step.focus or step.index:
        return
    if following.type == "name":
        context.facts.head_fields.add((step.value, following.value))


def _read_stages(step: Any, context: _Context) -> None:
    for stage in step.stages or ():
        if stage.type == "index":
            context.bound.add(stage.value)
        else:
            _read(stage.expr, context)


def _read_variable(node: Any, context: _Context) -> None:
    name = node.value
    if name in {"", "$"}:
        context.facts.whole_scope |= _is_scope(node, context)
    elif name not in context.bound and name not in JSONATA_FUNCTIONS - ALSO_VARIABLES:
        context.facts.variables.add(name)


def _read_wildcard(_node: Any, context: _Context) -> None:
    context.facts.whole_scope |= context.at_root


def _read_parent(_node: Any, context: _Context) -> None:
    context.facts.whole_scope = True  # it may climb to the scope itself


def _read_block(node: Any, context: _Context) -> None:
    _read_all(node.expressions, context.block())


def _read_bind(node: Any, context: _Context) -> None:
    if node.rhs.type == "lambda":
        context.bound.add(node.lhs.value)  # a function may call itself
    _read(node.rhs, context)
    context.bound.add(node.lhs.value)


def _read_lambda(node: Any, context: _Context) -> None:
    _read(node.body, context.block(*(argument.value for argument in node.arguments)))


def _read_function(node: Any, context: _Context) -> None:
    _read_call(node, context, given=len(node.arguments))


def _read_apply(node: Any, context: _Context) -> None:
    _read(node.lhs, context)
    function = node.rhs
    if function.type == "variable":
        _note_function(function.value, context)
    elif function.type == "function":
        _read_call(function, context, given=len(function.arguments) + 1)
    else:
        _read(function, context)


def _read_call(node: Any, context: _Context, *, given: int) -> None:
    if node.procedure.type != "variable":
        _read(node.procedure, context)
    else:
        name = node.procedure.value
        _note_function(name, context)
        if name == BLOCKS and name not in context.bound:
            context.facts.blocks_of.update(argument.value for argument in node.arguments)
        if given < _ARGUMENTS_WITHOUT_CONTEXT.get(name, 0) and name not in context.bound:
            context.facts.whole_scope |= context.at_root
    _read_all(node.arguments, context)


def _note_function(name: str, context: _Context) -> None:
    if name == ENGINE_TEMPLATE:
        context.facts.functions.add(TEMPLATE)
    elif name not in context.bound and name not in JSONATA_FUNCTIONS and name != BLOCKS:
        context.facts.functions.add(name)


def _read_parts(node: Any, context: _Context) -> None:
    """Read the parts of a node that all see its own context."""
    _read_all((node.lhs, node.rhs, node.expression), context)
    _read_all(node.expressions or (), context)
    _read_pairs(node.lhs_object or (), context)


def _read_condition(node: Any, context: _Context) -> None:
    _read_all((node.condition, node.then, getattr(node, "_else", None)), context)


def _read_transform(node: Any, context: _Context) -> None:
    _read_all((node.pattern, node.update, node.delete), context.inside())


_READERS: dict[str | None, Callable[[Any, _Context], None]] = {
    "path": _read_path,
    "variable": _read_variable,
    "wildcard": _read_wildcard,
    "descendant": _read_wildcard,
    "parent": _read_parent,
    "block": _read_block,
    "bind": _read_bind,
    "lambda": _read_lambda,
    "function": _read_function,
    "partial": _read_function,
    "apply": _read_apply,
    "condition": _read_condition,
    "binary": _read_parts,
    "unary": _read_parts,
    "transform": _read_transform,
}
