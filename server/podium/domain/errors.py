"""One tree of errors; each class has a stable code, says what happened, where, and what to do.

The codes are public (replies, journal, `--json` output) and never change their meaning.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from typing_extensions import override


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a file or in a set of arguments.

    `where` is the place (a key path such as `steps[0].tool_id`, or an argument name), `line` is
    1-based and None where it is not known.
    """

    message: str
    where: str = ""
    line: int | None = None
    hint: str = ""

    @override
    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        hint = f" ({self.hint})" if self.hint else ""
        line = f"line {self.line}: " if self.line is not None else ""
        return f"{line}{place}{self.message}{hint}"


class PodiumError(Exception):
    """Root of everything Podium raises on purpose.

    Attributes:
        message: what happened, and where.
        hint: what to do about it; may be empty.
        faults: the single faults, when there are several (all of them are listed at once).
        step_id: the step of a composition it happened in; empty outside one.
        retryable: whether the same call may succeed when it is simply made again.

    """

    code: ClassVar[str] = "internal_error"
    exit_code: ClassVar[int] = 1
    retryable_by_default: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        faults: Sequence[Fault] = (),
        step_id: str = "",
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.faults = tuple(faults)
        self.step_id = step_id
        self.retryable = self.retryable_by_default if retryable is None else retryable

    def located(self, place: str, *, step_id: str = "") -> Self:
        """Return the same error with the place put before its message, once."""
        # A copy: one error object may have been given to several callers.
        error = type(self).__new__(type(self))
        error.__dict__.update(self.__dict__)
        if place and not error.message.startswith(place):
            error.message = f"{place}: {error.message}"
        error.args = (error.message,)
        error.step_id = error.step_id or step_id
        return error

    def to_dict(self) -> dict[str, Any]:
        """Return the public form: code, message, hint, step_id, retryable, faults if any."""
        data: dict[str, Any] = {
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "step_id": self.step_id or None,
            "retryable": self.retryable,
        }
        if self.faults:
            data["faults"] = [
                {
                    "where": fault.where,
                    "line": fault.line,
                    "message": fault.message,
                    "hint": fault.hint,
                }
                for fault in self.faults
            ]
        return data


class InternalError(PodiumError):
    """A fault of Podium itself, not of its user or of an upstream."""

    code = "internal_error"


# --- the workspace: configuration and data files


class WorkspaceError(PodiumError):
    """Something a person wrote in the workspace cannot be used; `source` is its file, if any."""

    code = "workspace_invalid"
    exit_code = 2

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        faults: Sequence[Fault] = (),
        step_id: str = "",
        retryable: bool | None = None,
        source: str = "",
    ) -> None:
        super().__init__(message, hint=hint, faults=faults, step_id=step_id, retryable=retryable)
        self.source = source


class ConfigError(WorkspaceError):
    """`config.yaml` (or an imported configuration) cannot be used."""

    code = "config_invalid"


class MissingVariableError(WorkspaceError):
    """A `${VAR}` names an environment variable that is not set."""

    code = "missing_variable"


class FileInvalidError(WorkspaceError):
    """A data file is no JSON or YAML, or does not have the right shape."""

    code = "file_invalid"


class PatternInvalidError(WorkspaceError):
    """A pattern file or one pattern in it cannot be used."""

    code = "pattern_invalid"


class CompositionInvalidError(WorkspaceError):
    """A composition cannot be used: wrong shape, a cycle, an unknown reference."""

    code = "composition_invalid"


class TransformerInvalidError(WorkspaceError):
    """A transformer file or a registration cannot be used."""

    code = "transformer_invalid"


# --- the request


class RequestInvalidError(PodiumError):
    """The request itself cannot be read: empty, too large, of the wrong type."""

    code = "request_invalid"
    exit_code = 2


class RequestTooLargeError(RequestInvalidError):
    """The request is longer than `limits.request_bytes`."""

    code = "request_too_large"


class InvalidParamsError(PodiumError):
    """The params do not fit the composition's input schema; `faults` lists every one."""

    code = "invalid_params"
    exit_code = 2


class UnknownCompositionError(PodiumError):
    """No composition has this id, or none answers this intent."""

    code = "unknown_composition"
    exit_code = 2


class UnknownExecutionError(PodiumError):
    """The journal has no such execution."""

    code = "unknown_execution"
    exit_code = 2


class UnknownServerError(PodiumError):
    """No upstream is configured under this name."""

    code = "unknown_server"
    exit_code = 2


class UnknownToolError(PodiumError):
    """The upstream offers no such tool."""

    code = "unknown_tool"
    exit_code = 2


class ToolChangedError(PodiumError):
    """The tool is no longer defined as it was when it was accepted, so it is held back."""

    code = "tool_changed"
    exit_code = 2


class PinsInvalidError(WorkspaceError):
    """The record of accepted tool definitions cannot be relied on, so every tool is held back."""

    code = "pins_invalid"


# --- mapping


class ExpressionError(PodiumError):
    """An expression cannot be read or evaluated.

    `expression` is the text as the author wrote it, `position` the 0-based character where it
    goes wrong, or None where that is not known.
    """

    code = "expression_failed"

    def __init__(
        self, message: str, *, expression: str, position: int | None = None, hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.expression = expression
        self.position = position


class ExpressionSyntaxError(ExpressionError):
    """The expression is no JSONata."""

    code = "expression_invalid"
    exit_code = 2


class ExpressionLimitError(ExpressionError):
    """The expression ran too long or built too large a value."""

    code = "expression_limit"


class MissingValueError(PodiumError):
    """An expression found nothing where a value is required."""

    code = "missing_value"


class ArgumentInvalidError(PodiumError):
    """A mapped argument does not fit the tool's input schema, even after lossless coercion."""

    code = "argument_invalid"


class UnknownTransformerError(PodiumError):
    """An expression calls a function that is neither JSONata's nor a registered transformer."""

    code = "unknown_transformer"


class TransformerFailedError(PodiumError):
    """A transformer raised; the message names it."""

    code = "transformer_failed"


# --- execution


class StepTimeoutError(PodiumError):
    """A step used up its `timeout_seconds`."""

    code = "step_timeout"
    retryable_by_default = True


class ExecutionTimeoutError(PodiumError):
    """The whole execution used up its time."""

    code = "execution_timeout"
    retryable_by_default = True


class LimitExceededError(PodiumError):
    """A configured bound was reached: steps, rounds, size."""

    code = "limit_exceeded"


class OutputInvalidError(PodiumError):
    """The evaluated output does not fit the composition's `output_schema`."""

    code = "output_invalid"


class InterruptedExecutionError(PodiumError):
    """The process that ran the execution ended in the middle of it."""

    code = "interrupted"


class ResumeConflictError(PodiumError):
    """A param was changed that a finished step has read."""

    code = "resume_conflict"
    exit_code = 2


class NotResumableError(PodiumError):
    """The execution cannot be played on: it ended well, is too old, or is being played on."""

    code = "not_resumable"
    exit_code = 2


class JournalError(PodiumError):
    """The journal cannot be read or written; nothing that needs it to be was done."""

    code = "journal_unavailable"


# --- learning


class CompositionPausedError(PodiumError):
    """Every composition that could answer is paused after failures in a row."""

    code = "composition_paused"
    retryable_by_default = True


class CompositionForbiddenError(PodiumError):
    """A person forbade the composition."""

    code = "composition_forbidden"
    exit_code = 2


class ShelfError(PodiumError):
    """A composition's file cannot be read, moved or put back."""

    code = "composition_not_moved"


class EditedMeanwhileError(ShelfError):
    """The file no longer says what the proof was about: a person edited it; nothing was moved."""

    code = "composition_edited"


class UnknownVersionError(PodiumError):
    """No version of this number is kept."""

    code = "unknown_version"
    exit_code = 2


class StatisticsError(PodiumError):
    """The statistics cannot be read or written."""

    code = "statistics_unavailable"


class TracesError(PodiumError):
    """The record of what clients did cannot be read or written."""

    code = "traces_unavailable"


class NotLearntError(PodiumError):
    """There is nothing to learn from, what there is makes no composition, or a name is taken."""

    code = "not_learnt"
    exit_code = 2


# --- logging in to upstreams


class LoginFailedError(PodiumError):
    """A login with OAuth was not completed."""

    code = "login_failed"


# --- the ways in


class CannotListenError(PodiumError):
    """The address that a server should listen on is taken or does not exist."""

    code = "cannot_listen"
    exit_code = 2


# --- upstreams


class UpstreamError(PodiumError):
    """Root of what goes wrong between Podium and an upstream.

    `sent` says whether the call may have reached the upstream; if not, repeating it is safe.
    """

    code = "upstream_error"

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        faults: Sequence[Fault] = (),
        step_id: str = "",
        retryable: bool | None = None,
        sent: bool = True,
    ) -> None:
        super().__init__(message, hint=hint, faults=faults, step_id=step_id, retryable=retryable)
        self.sent = sent


class UpstreamUnavailableError(UpstreamError):
    """The upstream could not be started or reached; nothing was sent."""

    code = "upstream_unavailable"
    retryable_by_default = True


class LoginRequiredError(UpstreamUnavailableError):
    """The upstream lets in only who has logged in with OAuth; nothing was done."""

    code = "login_required"
    retryable_by_default = False


class RateLimitedError(UpstreamError):
    """The entry's `calls_per_minute` are used up; nothing was sent."""

    code = "rate_limited"
    retryable_by_default = True

    def __init__(self, message: str, *, hint: str, retry_after_seconds: float) -> None:
        super().__init__(message, hint=hint, sent=False)
        self.retry_after_seconds = retry_after_seconds


class UpstreamClosedError(UpstreamError):
    """The upstream went away during a call."""

    code = "upstream_closed"
    retryable_by_default = True


class UpstreamTimeoutError(UpstreamError):
    """The upstream did not answer in time."""

    code = "upstream_timeout"
    retryable_by_default = True


class UpstreamProtocolError(UpstreamError):
    """The upstream answered something that is no valid MCP, or a JSON-RPC error."""

    code = "upstream_protocol"


class UpstreamAnswerError(UpstreamProtocolError):
    """A proper answer that is no result, such as a JSON-RPC error: the upstream itself is well."""


class UpstreamOpenError(UpstreamError):
    """Too many calls of the upstream failed in a row, so none is made for now; nothing was sent."""

    code = "upstream_open"
    retryable_by_default = True


class ResultTooLargeError(UpstreamError):
    """The upstream's answer is larger than `limits.result_bytes`."""

    code = "result_too_large"


class ToolFailedError(UpstreamError):
    """The tool ran and reported an error (`isError`); the message carries its words."""

    code = "tool_failed"
    retryable_by_default = True
