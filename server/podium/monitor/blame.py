"""Who answers for a failure: the composition, the tool it called, both, or neither.

A failure that is charged to the composition counts against it. One that is charged to the tool
alone is an outage: it would have stopped any composition. `both`: the tool did run, and what it
said may be its own fault or that of the arguments.
"""

from collections.abc import Mapping
from typing import Literal

from podium.domain.execution import Execution
from podium.domain.learning import Verdict

Charge = Literal["composition", "tool", "both", "nobody"]
OTHER = "other"  # stands for every code that is not in the table, so that what is kept is bounded

CHARGES: Mapping[str, Charge] = {
    # what the composition says does not work
    "argument_invalid": "composition",
    "composition_invalid": "composition",
    "expression_failed": "composition",
    "expression_invalid": "composition",
    "expression_limit": "composition",
    "limit_exceeded": "composition",
    "missing_value": "composition",
    "output_invalid": "composition",
    "transformer_failed": "composition",
    "transformer_invalid": "composition",
    "unknown_composition": "composition",
    "unknown_server": "composition",
    "unknown_tool": "composition",
    "unknown_transformer": "composition",
    # the tool ran, and it did not go well
    "execution_timeout": "both",
    "result_too_large": "both",
    "step_timeout": "both",
    "tool_failed": "both",
    "upstream_protocol": "both",
    # an outage: no composition could have done better
    "login_failed": "tool",
    "login_required": "tool",
    "pins_invalid": "tool",
    "rate_limited": "tool",
    "tool_changed": "tool",
    "upstream_closed": "tool",
    "upstream_error": "tool",
    "upstream_open": "tool",
    "upstream_timeout": "tool",
    "upstream_unavailable": "tool",
    # the person's input, this machine, Podium itself
    "cannot_listen": "nobody",
    "composition_edited": "nobody",
    "composition_forbidden": "nobody",
    "composition_not_moved": "nobody",
    "composition_paused": "nobody",
    "config_invalid": "nobody",
    "file_invalid": "nobody",
    "internal_error": "nobody",
    "interrupted": "nobody",
    "invalid_params": "nobody",
    "journal_unavailable": "nobody",
    "missing_variable": "nobody",
    "not_learnt": "nobody",
    "not_resumable": "nobody",
    "pattern_invalid": "nobody",
    "request_invalid": "nobody",
    "request_too_large": "nobody",
    "resume_conflict": "nobody",
    "statistics_unavailable": "nobody",
    "traces_unavailable": "nobody",
    "unknown_execution": "nobody",
    "unknown_version": "nobody",
    "workspace_invalid": "nobody",
}
_TIMEOUTS = frozenset({"step_timeout", "execution_timeout"})


def charge_of(code: str) -> Charge:
    """Return who answers for an error code; the composition for one that is not in the table."""
    return CHARGES.get(code, "composition")


def known_code(code: str) -> str:
    """Return the code under which an error is counted."""
    return code if not code or code in CHARGES else OTHER


def code_of(error: Mapping[str, object] | None) -> str:
    """Return the code of an error as a record holds it; empty without one."""
    code = (error or {}).get("code", "")
    return code if isinstance(code, str) else ""


def verdict_on(execution: Execution) -> Verdict:
    """Return how a finished execution counts for its composition."""
    if execution.status == "success":
        return "success"
    if execution.status != "error":  # cancelled by the person, or waiting for an answer
        return "uncounted"
    return "failure" if _charge(execution) in {"composition", "both"} else "uncounted"


def _charge(execution: Execution) -> Charge:
    code = code_of(execution.error)
    step_codes = [code_of(step.error) for step in execution.steps.values()]
    if code in _TIMEOUTS and "tool" in {charge_of(code) for code in step_codes if code}:
        return "tool"  # the time went by in waiting for something that was down
    return charge_of(code)
