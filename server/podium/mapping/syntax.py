"""The text of an expression to its syntax tree, or to an error that says where it goes wrong.

`jsonata-python` parses (its tree has names and positions); `jsonatapy`, which evaluates, has the
last word on what is valid.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import jsonatapy
from jsonata.jexception import JException
from jsonata.parser import Parser
from typing_extensions import override

from podium.domain.errors import ExpressionSyntaxError

MAX_NODES = 20_000  # nested `a ?? b` double the parser's work at every level

_FUNCTION_NAMES = """
    abs append assert average base64decode base64encode boolean ceil contains count
    decodeUrl decodeUrlComponent distinct each encodeUrl encodeUrlComponent error eval exists filter
    floor formatBase formatInteger formatNumber fromMillis join keys length lookup lowercase map
    match max merge millis min not now number pad parseInteger power random reduce replace reverse
    round shuffle sift single sort split spread sqrt string substring substringAfter
    substringBefore sum toMillis trim type uppercase zip"""
JSONATA_FUNCTIONS: Final = frozenset(_FUNCTION_NAMES.split())
# `$error` is a variable of a `catch` too; as a value it can only be that one.
ALSO_VARIABLES: Final = frozenset({"error"})

_UNFINISHED = (IndexError, KeyError, AttributeError, TypeError, ValueError, NotImplementedError)


def syntax_tree(source: str) -> Any:
    """Parse an expression.

    Raises:
        ExpressionSyntaxError: it is no JSONata; with the position where that is known.

    """
    if not source.strip():
        raise syntax_error(source, "it is empty", 0, hint="write '' for an empty text")
    try:
        # The parser stumbles over a comment at the very end, hence the line break.
        return _BoundedParser().parse(f"{source}\n", _keep_pattern)
    except JException as error:
        raise _parser_error(source, error) from None
    except _UNFINISHED:
        # The parser stumbles over some unfinished texts; the engine says what is wrong with them.
        raise _engine_error(source, source) from None
    except RecursionError:
        raise too_complex(source) from None


def check_with_engine(source: str, program: str, tree: Any) -> None:
    """Let the engine compile what it will evaluate.

    Raises:
        ExpressionSyntaxError: the engine refuses the program or one of its regexes.

    """
    try:
        jsonatapy.compile(program)
    except ValueError:
        raise _engine_error(source, program) from None
    for node in nodes(tree):
        if node.type == "regex":
            _check_regex(source, node)


def nodes(tree: Any) -> Iterator[Any]:
    """Yield every node of a tree once."""
    waiting, seen = [tree], set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, list | tuple):
            waiting.extend(node)
        elif isinstance(node, Parser.Symbol) and id(node) not in seen:
            seen.add(id(node))
            yield node
            waiting.extend(getattr(node, name) for name in _CHILDREN)


def syntax_error(
    source: str, what: str, position: int | None = None, *, hint: str = "", code: str = ""
) -> ExpressionSyntaxError:
    """Return the error for an expression that cannot be read."""
    place = "" if position is None else f" at character {position + 1}"
    code = f" ({code})" if code else ""
    return ExpressionSyntaxError(
        f"the expression {shorten(source)} is not valid{place}: {what}{code}",
        expression=source,
        position=position,
        hint=hint,
    )


def too_complex(source: str) -> ExpressionSyntaxError:
    """Return the error for an expression that is nested too deeply."""
    hint = "split it over several steps"
    return syntax_error(source, "it is nested too deeply", hint=hint, code="U1002")


def shorten(source: str, width: int = 80) -> str:
    """Return an expression in one quoted line for a message."""
    line = " ".join(source[: 4 * width].encode(errors="replace").decode().split())
    return f"«{line if len(line) <= width else line[: width - 1] + '…'}»"


_CHILDREN = (
    "steps", "stages", "predicate", "expr", "group", "lhs_object", "lhs", "rhs", "expressions",
    "expression", "arguments", "procedure", "body", "condition", "then", "_else", "terms",
    "pattern", "update", "delete",
)  # fmt: skip


class _BoundedParser(Parser):  # type: ignore[misc] # the library has no types
    """The library's parser, with a bound on its work."""

    def __init__(self) -> None:
        super().__init__()
        self.processed = 0

    @override
    def process_ast(self, expr: Any) -> Any:
        self.processed += 1
        if self.processed > MAX_NODES:
            raise RecursionError
        return super().process_ast(expr)


def _keep_pattern(pattern: str, _flags: Any) -> str:
    """Leave regexes to the engine, which reads another dialect than Python."""
    return pattern


def _parser_error(source: str, error: Any) -> ExpressionSyntaxError:
    code = str(error.error)
    token, wanted = _token(error.current), ""
    if code == "S0202":  # there the library has them the other way round
        token, wanted = _token(error.expected), token
    elif error.current is None and code != "S0213":
        token = ""
    end = min(int(error.location), len(source))
    start = end - len(token) if token and source[:end].endswith(token) else end
    if code == "S0301" and source[:end].endswith("\\"):  # the library's slip for S0103
        code, start = "S0103", end - 1
    fault = _FAULTS.get(code)
    what = fault.format(token, wanted) if fault else str(error)
    return syntax_error(
        source, what, start, hint=_HINT_BY_CODE.get(code) or _hint(source), code=code
    )


def _token(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "null" if value is None else str(value).lower()


_FAULTS = {
    "S0101": "a text is not closed, its quote is missing",
    "S0103": "JSONata does not know this escape",
    "S0105": "a name in backquotes is not closed",
    "S0106": "a comment is not closed",
    "S0201": "'{0}' is not expected here",
    "S0202": "'{0}' stands where '{1}' is expected",
    "S0203": "'{0}' is missing at the end",
    "S0204": "'{0}' is no operator",
    "S0207": "it stops before it is complete",
    "S0208": "the parameters of a function start with $",
    "S0211": "'{0}' cannot stand here",
    "S0212": "only a $variable can stand before ':='",
    "S0213": "'{0}' cannot be a step of a path",
    "S0302": "a regex is not closed, its '/' is missing",
}

_HINT_BY_CODE = {"S0213": "put a name that is no plain word in backquotes: a.`1`"}
_HINTS = (
    ("==", "JSONata compares with a single '='"),
    ("&&", "write 'and'"),
    ("||", "write 'or'"),
    ("\\'", "put a text that holds ' in double quotes"),
    ("${", "an expression is JSONata: write the name alone, or $template('… {name} …')"),
    ("{{", "an expression is JSONata: write the name alone, or $template('… {name} …')"),
)


_SENTENCE = re.compile(r"[^\W\d]+(?:[ ,'’-]{1,3}\w+){0,100}(?: [^\W\d]+ [^\W\d]+| ?[.?!:…]{1,3})")


def _hint(source: str) -> str:
    named = next((hint for sign, hint in _HINTS if sign in source), "")
    if not named and _SENTENCE.fullmatch(source):
        quote = '"' if "'" in source else "'"
        return f"a text stands in quotes: {quote}{source}{quote}"
    return named


def _check_regex(source: str, node: Any) -> None:
    try:
        jsonatapy.compile(f"$contains('', /{node.value}/)").evaluate({})
    except ValueError as error:
        reason = str(error).rpartition("error: ")[2]
        hint = "regexes in expressions know no look-around; $regex_extract does"
        what = f"the regex /{node.value}/ is not valid: {reason}"
        raise syntax_error(source, what, node.position, hint=hint) from None


def _engine_error(source: str, program: str) -> ExpressionSyntaxError:
    try:
        jsonatapy.compile(program)
    except ValueError as error:
        if "U1002" in str(error):
            return too_complex(source)
        reason = str(error).removeprefix("Parse error: ").removeprefix("Invalid syntax: ")
        return syntax_error(source, reason, hint=_hint(source))
    return syntax_error(source, "it cannot be analysed", hint=_hint(source))
