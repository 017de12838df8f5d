"""What is wrong with a composition before it runs: by its text alone, and against live tools."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from podium.compositions.graph import (
    build_plan,
    declared_params,
    iteration_names,
    output_expressions,
    step_expressions,
)
from podium.compositions.params import checked_params
from podium.documents import Document, dotted
from podium.domain.composition import STEP_ID, StoredComposition, ToolStep
from podium.domain.errors import (
    CompositionInvalidError,
    ExpressionSyntaxError,
    InvalidParamsError,
    PodiumError,
)
from podium.domain.findings import Finding, Severity
from podium.domain.naming import did_you_mean
from podium.domain.tool import Tool
from podium.mapping.expressions import Expression, parse

Tools = Mapping[tuple[str, str], Tool | PodiumError]
"""By (server, tool): the live definition, or why there is none."""


class Checker:
    """Checks compositions; holds what they are checked against."""

    def __init__(self, *, max_steps: int, functions: Collection[str] | None = None) -> None:
        """Take the bound on steps, and the transformers' names (None: they are not checked)."""
        self._max_steps = max_steps
        self._functions = functions

    def check(
        self,
        stored: StoredComposition,
        *,
        document: Document | None = None,
        tools: Tools | None = None,
    ) -> list[Finding]:
        """Return every finding; with `tools`, also against the tools as they are now."""
        return list(_Check(stored, document, self._max_steps, self._functions, tools).findings())

    def require(self, stored: StoredComposition) -> None:
        """Refuse a composition that cannot be played.

        Raises:
            CompositionInvalidError: it has errors; the first is in the message.

        """
        errors = [finding for finding in self.check(stored) if finding.severity == "error"]
        if errors:
            first = errors[0]
            where = f"{first.where}: " if first.where else ""
            more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
            raise CompositionInvalidError(
                f"composition '{stored.id}': {where}{first.message}{more}",
                hint=first.hint or "see every fault: podium check",
            )


class _Check:
    """One composition under check."""

    def __init__(
        self,
        stored: StoredComposition,
        document: Document | None,
        max_steps: int,
        functions: Collection[str] | None,
        tools: Tools | None,
    ) -> None:
        self._source = stored.source
        self._composition = stored.composition
        self._document = document
        self._max_steps = max_steps
        self._functions = functions
        self._tools = tools

    def findings(self) -> Iterator[Finding]:
        composition = self._composition
        if len(composition.steps) > self._max_steps:
            yield self._error(
                f"{len(composition.steps)} steps, {self._max_steps} at most",
                ("steps",),
                "split it, or raise orchestrator.max_steps_per_composition",
            )
        yield from self._schemas()
        syntax = list(self._syntax())
        yield from syntax
        if syntax:
            return
        try:
            build_plan(composition, declared_params(composition))
        except CompositionInvalidError as error:
            for fault in error.faults:
                yield self._error(fault.message, _keys_of(fault.where))
            return
        yield from self._examples()
        for position, step in enumerate(composition.steps):
            yield from self._step(position, step)
            if self._tools is not None:
                yield from self._live(position, step, self._tools)
        for key, source in output_expressions(composition):
            keys = tuple(key.split(".", 1))
            yield from self._names(parse(source), frozenset(), composition.steps, keys)

    # --- the text alone

    def _schemas(self) -> Iterator[Finding]:
        for key in ("input_schema", "output_schema"):
            schema = getattr(self._composition, key)
            if schema is None:
                continue
            try:
                Draft202012Validator.check_schema(schema)
            except SchemaError as error:
                yield self._error(f"is no JSON Schema: {error.message}", (key, *error.path))

    def _syntax(self) -> Iterator[Finding]:
        """Yield the expressions that cannot be read."""
        for keys, source, iterating in self._all_expressions():
            try:
                parse(source, iterating=iterating)
            except ExpressionSyntaxError as error:
                yield self._error(error.message, keys, error.hint)

    def _all_expressions(self) -> Iterator[tuple[tuple[str | int, ...], str, bool]]:
        for position, step in enumerate(self._composition.steps):
            for key, source, iterating in step_expressions(step):
                yield ("steps", position, *key.split(".", 1)), source, iterating
            for source in step.output_mapping:
                yield ("steps", position, "output_mapping", source), source, False
        for key, source in output_expressions(self._composition):
            yield tuple(key.split(".", 1)), source, False

    def _examples(self) -> Iterator[Finding]:
        for index, example in enumerate(self._composition.examples):
            try:
                checked_params(self._composition, example.params, is_strict=True)
            except InvalidParamsError as error:
                for fault in error.faults:
                    yield self._error(str(fault), ("examples", index))

    def _step(self, position: int, step: ToolStep) -> Iterator[Finding]:
        here = ("steps", position)
        earlier = self._composition.steps[:position]
        for key, source, iterating in step_expressions(step):
            bound = iteration_names(step) if iterating else frozenset()
            keys: tuple[str | int, ...] = (*here, *key.split(".", 1))
            yield from self._names(parse(source, iterating=iterating), bound, earlier, keys)
        for argument in sorted(step.input_mapping.keys() & step.arguments.keys()):
            yield self._error(
                f"'{argument}' stands in arguments too", (*here, "input_mapping", argument)
            )
        if step.as_ is not None and step.iterations is None:
            yield self._error("'as' needs 'iterations'", (*here, "as"))
        yield from self._mapped_names(position, step)

    def _mapped_names(self, position: int, step: ToolStep) -> Iterator[Finding]:
        ids = {other.id for other in self._composition.steps}
        taken = {
            name: f"step '{other.id}'"
            for other in self._composition.steps[:position]
            for name in other.output_mapping.values()
        }
        for source, name in step.output_mapping.items():
            keys = ("steps", position, "output_mapping", source)
            expression = parse(source)
            yield from self._functions_of(expression, keys)
            for variable in sorted(expression.variables):
                yield self._error(f"`{source}`: nothing binds ${variable} here", keys)
            if re.fullmatch(STEP_ID, name) is None:
                yield self._error(f"'{name}' is no name: letters, digits and '_'", keys)
            elif name in ids:
                yield self._error(f"'{name}' is the id of a step", keys, "choose another name")
            elif name == "context":
                yield self._error("'context' has a meaning of its own", keys, "choose another name")
            elif name in taken:
                yield self._error(f"{taken[name]} maps to '{name}' too", keys)
            elif name in declared_params(self._composition):
                yield self._warning(f"'{name}' hides the param of that name", keys)
            taken[name] = "this step"
            yield from self._mapped_field(expression, step, keys)

    def _mapped_field(
        self, expression: Expression, step: ToolStep, keys: tuple[str | int, ...]
    ) -> Iterator[Finding]:
        """Yield the fields of the step's own result that its tool does not give."""
        fields = self._output_fields(step)
        for name in sorted(expression.names - fields) if fields is not None else ():
            hint = did_you_mean(name, fields or ())
            yield self._warning(f"the result has no field '{name}'", keys, hint)

    def _names(
        self,
        expression: Expression,
        bound: Collection[str],
        earlier: tuple[ToolStep, ...],
        keys: tuple[str | int, ...],
    ) -> Iterator[Finding]:
        yield from self._functions_of(expression, keys)
        yield from self._fields_read(expression, keys)
        for name in sorted(expression.variables - frozenset(bound)):
            yield self._error(
                f"`{expression.source}`: nothing binds ${name} here",
                keys,
                "$item, $index, $i and the name given by 'as' are bound in the rounds of a step "
                "with 'iterations'",
            )
        if self._composition.input_schema is None:
            return
        known = {
            *(step.id for step in self._composition.steps),
            *(name for step in self._composition.steps for name in step.output_mapping.values()),
            *declared_params(self._composition),
            *bound,
            "context",
        }
        for name in sorted(expression.names - known):
            holders = [s for s in earlier if s.iterations is None and not s.output_mapping]
            fields = [self._output_fields(step) for step in holders]
            message = f"`{expression.source}`: nothing is called '{name}'"
            hint = did_you_mean(name, known)
            if any(names is not None and name in names for names in fields):
                continue
            if any(names is None for names in fields):
                yield self._warning(f"{message}, unless an earlier result holds it", keys, hint)
            else:
                yield self._error(message, keys, hint)

    def _functions_of(
        self, expression: Expression, keys: tuple[str | int, ...]
    ) -> Iterator[Finding]:
        if self._functions is None:
            return
        for name in sorted(expression.functions - frozenset(self._functions)):
            hint = did_you_mean(name, self._functions)
            yield self._error(f"`{expression.source}`: there is no function ${name}", keys, hint)

    # --- against live tools

    def _tool(self, step: ToolStep) -> Tool | PodiumError | None:
        return (self._tools or {}).get((step.server_id, step.tool_id))

    def _output_fields(self, step: ToolStep) -> frozenset[str] | None:
        """Return the fields a step's result has by its tool's output schema; None if unknown."""
        tool = self._tool(step)
        schema = tool.output_schema if isinstance(tool, Tool) else None
        properties = (schema or {}).get("properties")
        return frozenset(properties) if isinstance(properties, dict) else None

    def _live(self, position: int, step: ToolStep, tools: Tools) -> Iterator[Finding]:
        here = ("steps", position)
        tool = tools.get((step.server_id, step.tool_id))
        if tool is None:
            return
        if isinstance(tool, PodiumError):
            key = "server_id" if tool.code == "unknown_server" else "tool_id"
            # A server that is down today does not make a composition wrong.
            is_wrong = tool.code in ("unknown_server", "unknown_tool")
            finding = self._error if is_wrong else self._warning
            yield finding(tool.message, (*here, key), tool.hint)
            return
        yield from self._arguments(here, step, tool)

    def _arguments(
        self, here: tuple[str | int, ...], step: ToolStep, tool: Tool
    ) -> Iterator[Finding]:
        properties: Any = tool.input_schema.get("properties")
        known = properties if isinstance(properties, dict) else {}
        given = {**dict.fromkeys(step.arguments, "arguments")}
        given |= dict.fromkeys(step.input_mapping, "input_mapping")
        is_closed = tool.input_schema.get("additionalProperties") is False
        for argument, key in given.items():
            if argument in known or not known:
                continue
            finding = self._error if is_closed else self._warning
            yield finding(
                f"{tool.full_name} has no argument '{argument}'",
                (*here, key, argument),
                did_you_mean(argument, known),
            )
        required = tool.input_schema.get("required")
        for argument in required if isinstance(required, list) else []:
            if argument not in given:
                yield self._error(f"{tool.full_name} needs the argument '{argument}'", here)

    def _fields_read(
        self, expression: Expression, keys: tuple[str | int, ...]
    ) -> Iterator[Finding]:
        """Yield what an expression reads of results that their output schemas do not have."""
        steps = {step.id: step for step in self._composition.steps}
        for name, field in sorted(expression.head_fields):
            step = steps.get(name)
            fields = None if step is None or step.iterations else self._output_fields(step)
            if fields is not None and field not in fields:
                yield self._warning(
                    f"`{expression.source}`: the result of '{name}' has no field '{field}'",
                    keys,
                    did_you_mean(field, fields),
                )

    # --- findings

    def _error(self, message: str, keys: tuple[str | int, ...], hint: str = "") -> Finding:
        return self._finding("error", message, keys, hint)

    def _warning(self, message: str, keys: tuple[str | int, ...], hint: str = "") -> Finding:
        return self._finding("warning", message, keys, hint)

    def _finding(
        self, severity: Severity, message: str, keys: tuple[str | int, ...], hint: str
    ) -> Finding:
        line = self._document.line_of(keys) if self._document else None
        return Finding(severity, self._source, message, dotted(keys), line, hint)


def _keys_of(where: str) -> tuple[str | int, ...]:
    """Return `steps[2].id` as the key path ("steps", 2, "id")."""
    parts = where.replace("]", "").replace("[", ".").split(".")
    return tuple(int(part) if part.isdigit() else part for part in parts if part)
