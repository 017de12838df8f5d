"""What a case says, made into tools, flows and sketches; and what a draft says, made plain."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from podium.compositions.synthesizer.planner import Planner
from podium.domain.composition import ToolStep
from podium.domain.synthesis import Draft, Flow, Sketch
from podium.domain.tool import Tool
from podium.upstreams.catalog import Catalog

HERE = Path(__file__).parent
NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)  # a Friday
SHARED: Mapping[str, Any] = json.loads((HERE / "tools.json").read_text("utf-8"))


def schema_of(short: Any) -> dict[str, Any]:
    """Return the JSON Schema of a shorthand: "string!:date | words", [element], {name: part}."""
    if isinstance(short, list):
        return {"type": "array", "items": schema_of(short[0])}
    if isinstance(short, dict):
        return short if "type" in short or "$ref" in short else object_of(short)
    kind, _, description = short.partition(" | ")
    name, _, said_format = kind.replace("!", "").partition(":")
    schema: dict[str, Any] = {"type": name}
    if said_format:
        schema["format"] = said_format
    if description:
        schema["description"] = description
    return schema


def object_of(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of an object with these properties; those with a "!" are required."""
    texts = {name: part for name, part in parts.items() if isinstance(part, str)}
    required = [name for name, part in texts.items() if "!" in part.split("|")[0]]
    schema = {"type": "object", "properties": {n: schema_of(part) for n, part in parts.items()}}
    return {**schema, "required": required} if required else schema


def tool_of(full_name: str, short: Mapping[str, Any]) -> Tool:
    """Return the tool that a shorthand describes."""
    server_id, _, name = full_name.partition(".")
    hints = {
        "read": {"readOnlyHint": True},
        "write": {"readOnlyHint": False, "destructiveHint": False},
        "destructive": {"readOnlyHint": False, "destructiveHint": True},
    }
    return Tool(
        server_id,
        name,
        short.get("says", ""),
        short["input_schema"] if "input_schema" in short else object_of(short.get("in", {})),
        schema_of(short["out"]) if "out" in short else None,
        hints.get(short.get("effects", ""), {}),
    )


def tools_of(case: Mapping[str, Any]) -> list[Tool]:
    """Return the tools of a case: those of the shared file that it names (all), and its own."""
    wanted = case.get("tools", ["*"])
    named = {n: t for n, t in SHARED.items() if any(fnmatch(n, each) for each in wanted)}
    return [tool_of(name, short) for name, short in {**named, **case.get("own_tools", {})}.items()]


def drafts_of(case: Mapping[str, Any], tools: Sequence[Tool] | None = None) -> tuple[Draft, ...]:
    """Return what the planner makes of a case."""
    tools = tools_of(case) if tools is None else tools
    planner = Planner(
        search=Catalog(tools).search,
        now=lambda: NOW,
        flows=[Flow(**flow) for flow in case.get("flows", ())],
    )
    sketch = case.get("sketch")
    made = Sketch(tuple(sketch["tools"]), sketch["confidence"]) if sketch else None
    return planner.plan(case["request"], case.get("language", "en"), tools, made)


def plain(draft: Draft) -> dict[str, Any]:
    """Return what cases say of a draft."""
    steps = [step for step in draft.composition.steps if isinstance(step, ToolStep)]
    edges = {f"{step.id}.{a}": e for step in steps for a, e in step.input_mapping.items()}
    arguments = {f"{step.id}.{a}": v for step in steps for a, v in step.arguments.items()}
    return {
        "steps": [f"{step.server_id}.{step.tool_id}" for step in steps],
        "edges": edges,
        "arguments": arguments,
        "iterations": {step.id: step.iterations for step in steps if step.iterations},
        "depends_on": {step.id: list(step.depends_on) for step in steps if step.depends_on},
        "params": dict(draft.params),
        "missing": list(draft.missing),
        "output": draft.composition.output,
    }
