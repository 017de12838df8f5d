"""Answers in plain text, for clients and models that do not read structured content."""

from collections.abc import Mapping
from typing import Any

from podium.domain.execution import Execution
from podium.domain.tool import Tool

DESCRIPTION_CHARACTERS = 200  # of a tool, in a list of tools


def composition_line(composition: Mapping[str, Any]) -> str:
    """Return `id(params): what it does`."""
    about = composition.get("description") or composition.get("name") or ""
    params = _signature(composition.get("input_schema") or {})
    return f"{composition['id']}({params}): {about}"


def tool_line(tool: Tool) -> str:
    """Return `server.tool(arguments) [effects]: what it does`."""
    about = " ".join(tool.description.split())
    if len(about) > DESCRIPTION_CHARACTERS:
        about = about[: DESCRIPTION_CHARACTERS - 1] + "…"
    return f"{tool.full_name}({_signature(tool.input_schema)}) [{tool.effects}]: {about}"


def saved_text(saved: Mapping[str, Any]) -> str:
    """Return what was saved: `id(params)`, and what in it is a guess."""
    composition, evidence = saved["composition"], saved["evidence"]
    params = _signature(composition["input_schema"])
    lines = [f"Saved as {saved['composition_id']}({params}); it proves itself from now on."]
    return "\n".join([*lines, *(f"- {each}" for each in evidence.get("fragile", ()))])


def _signature(schema: Mapping[str, Any]) -> str:
    """Return the argument names, those that may be left out with a question mark."""
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, Mapping):
        return ""
    needed = required if isinstance(required, list) else ()
    return ", ".join(name if name in needed else f"{name}?" for name in properties)


def execution_text(execution: Execution) -> str:
    """Return how an execution went, a line for each step."""
    took = f" in {execution.duration_ms:.0f} ms" if execution.duration_ms is not None else ""
    lines = [f"{execution.composition_id or 'single call'}: {execution.status}{took}"]
    for step in execution.steps.values():
        reason = f": {step.error.get('message', '')}" if step.error else ""
        tool = f"{step.server_id}.{step.tool_id}" if step.tool_id else step.kind
        lines.append(f"- {step.step_id} ({tool}): {step.status}{reason}")
    if execution.question is not None:
        lines.append(f"It asks: {execution.question.message}")
    if execution.is_resumable:
        lines.append("resume_execution plays it on.")
    return "\n".join(lines)
